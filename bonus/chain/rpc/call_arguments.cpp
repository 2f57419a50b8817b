// Reading of transaction objects.
#include "bonus/chain/rpc/call_arguments.hpp"

#include <fmt/format.h>

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxListEntries = 1000;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, std::move(message)); }

/// Every item of a list of at most kMaxListEntries.
template <class T>
Result<std::vector<T>> list_of(const json::value& value, Result<T> (*reader)(const json::value&)) {
  const auto* list = value.if_array();
  if (list == nullptr || list->size() > kMaxListEntries)
    return bad(fmt::format("must be a list of at most {} entries", kMaxListEntries));
  std::vector<T> out;
  out.reserve(list->size());
  for (const auto& item : *list) {
    TRY_ASSIGN(auto one, reader(item));
    out.push_back(std::move(one));
  }
  return out;
}

Result<std::vector<Hash32>> hashes_of(const json::value& value) { return list_of<Hash32>(value, &read_fixed<Hash32>); }

Result<Transaction::AccessEntry> access_entry_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an entry must be an object");
  Transaction::AccessEntry out;
  TRY_ASSIGN(const auto address, member(*object, "address", &read_fixed<Address>));
  if (!address) return bad("missing required field 'address' for AccessTuple");
  TRY_ASSIGN(auto keys, member(*object, "storageKeys", &hashes_of));
  out.address = *address;
  if (keys) out.keys = std::move(*keys);
  return out;
}
Result<std::vector<Transaction::AccessEntry>> access_list_of(const json::value& value) {
  return list_of<Transaction::AccessEntry>(value, &access_entry_of);
}

Result<Authorization> authorization_of(const json::value& value) {
  const auto* object = value.if_object();
  if (object == nullptr) return bad("an authorization must be an object");
  Authorization out;
  TRY_ASSIGN(const auto chain, member(*object, "chainId", &read_quantity));
  TRY_ASSIGN(const auto address, member(*object, "address", &read_fixed<Address>));
  TRY_ASSIGN(const auto nonce, member(*object, "nonce", &read_quantity64));
  TRY_ASSIGN(const auto parity, member(*object, "yParity", &read_quantity64));
  TRY_ASSIGN(const auto r, member(*object, "r", &read_quantity));
  TRY_ASSIGN(const auto s, member(*object, "s", &read_quantity));
  if (!chain || !address || !nonce || !parity || !r || !s)
    return bad("an authorization needs chainId, address, nonce, yParity, r and s");
  if (*parity > UINT8_MAX) return bad("yParity: hex number > 8 bits");
  out.chain_id = *chain;
  out.address = *address;
  out.nonce = *nonce;
  out.y_parity = static_cast<std::uint8_t>(*parity);
  out.r = *r;
  out.s = *s;
  return out;
}
Result<std::vector<Authorization>> authorizations_of(const json::value& value) {
  return list_of<Authorization>(value, &authorization_of);
}

}  // namespace

uint256 CallArguments::fee_cap() const { return gas_price ? *gas_price : max_fee.value_or(uint256()); }

Result<CallArguments> call_of(const json::value& value) {
  const auto* found = value.if_object();
  if (found == nullptr) return bad("a transaction object is expected");
  const json::object& object = *found;
  CallArguments out;
  TRY_ASSIGN(const auto from, member(object, "from", &read_fixed<Address>));
  out.from = from.value_or(Address());
  TRY_ASSIGN(out.to, member(object, "to", &read_fixed<Address>));
  TRY_ASSIGN(out.gas, member(object, "gas", &read_quantity64));
  TRY_ASSIGN(out.nonce, member(object, "nonce", &read_quantity64));
  TRY_ASSIGN(out.gas_price, member(object, "gasPrice", &read_quantity));
  TRY_ASSIGN(out.max_fee, member(object, "maxFeePerGas", &read_quantity));
  TRY_ASSIGN(out.tip, member(object, "maxPriorityFeePerGas", &read_quantity));
  TRY_ASSIGN(out.blob_fee, member(object, "maxFeePerBlobGas", &read_quantity));
  TRY_ASSIGN(const auto amount, member(object, "value", &read_quantity));
  out.value = amount.value_or(uint256());
  TRY_ASSIGN(auto data, member(object, "data", &read_data));
  TRY_ASSIGN(auto input, member(object, "input", &read_data));
  if (input)
    out.data = std::move(*input);
  else if (data)
    out.data = std::move(*data);
  TRY_ASSIGN(out.access_list, member(object, "accessList", &access_list_of));
  TRY_ASSIGN(out.blob_hashes, member(object, "blobVersionedHashes", &hashes_of));
  TRY_ASSIGN(out.authorizations, member(object, "authorizationList", &authorizations_of));
  return out;
}

Result<> check_call(const json::value& value, const CallArguments& call, std::uint64_t chain_id) {
  if (call.gas_price && (call.max_fee || call.tip))
    return bad("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
  if (call.blob_hashes && call.blob_hashes->empty()) return bad("need at least 1 blob for a blob transaction");
  if (call.blob_hashes && !call.to) return bad("missing \"to\" in blob transaction");
  const json::object& object = value.get_object();
  TRY_ASSIGN(const auto data, member(object, "data", &read_data));
  TRY_ASSIGN(const auto input, member(object, "input", &read_data));
  if (data && input && *data != *input)
    return bad("both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data");
  TRY_ASSIGN(const auto chain, member(object, "chainId", &read_quantity));
  if (chain && *chain != uint256(chain_id))
    return bad(fmt::format("chainId does not match node's (have={}, want={})", chain->to_decimal(), chain_id));
  return {};
}

Reply<CallArguments> read_call(const Params& params, std::size_t index, std::uint64_t chain_id) {
  TRY_ASSIGN(const auto* value, params.required(index));
  auto out = call_of(*value);
  if (!out) return Params::invalid(index, out.error().message);
  if (const auto checked = check_call(*value, *out, chain_id); !checked)
    return failure(kServerError, checked.error().message);
  return *std::move(out);
}

SenderTransaction to_transaction(const CallArguments& call, std::uint64_t gas, std::uint64_t nonce,
                                 std::uint64_t chain_id) {
  SenderTransaction out;
  out.sender = call.from;
  Transaction& tx = out.tx;
  if (call.authorizations) {
    tx.type = 4;
  } else if (call.blob_hashes) {
    tx.type = 3;
  } else if (call.gas_price) {
    tx.type = call.access_list ? 1 : 0;
  } else {
    tx.type = 2;
  }
  tx.chain_id = chain_id;
  tx.nonce = nonce;
  tx.max_fee = call.fee_cap();
  tx.max_priority_fee = call.gas_price ? *call.gas_price : call.tip.value_or(uint256());
  tx.gas_limit = gas;
  tx.to = call.to;
  tx.value = call.value;
  tx.data = call.data;
  if (call.access_list) tx.access_list = *call.access_list;
  if (call.blob_hashes) tx.blob_hashes = *call.blob_hashes;
  tx.max_fee_per_blob_gas = call.blob_fee.value_or(uint256());
  if (call.authorizations) tx.authorizations = *call.authorizations;
  return out;
}

}  // namespace bonus::chain::rpc
