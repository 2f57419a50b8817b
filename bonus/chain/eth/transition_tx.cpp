// Transactions of a transition's input.
#include <fmt/format.h>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/transition_tool.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;

Result<> read_access_list(const Fields& fields, Transaction& tx) {
  const auto* value = fields.find("accessList");
  if (value == nullptr) return {};
  TRY_ASSIGN(const auto* items, as_array(*value, "accessList"));
  for (const auto& item : *items) {
    TRY_ASSIGN(const auto* object, as_object(item, "accessList entry"));
    Transaction::AccessEntry entry;
    TRY(Fields(*object).read(entry.address, "address"));
    if (const auto* keys = Fields(*object).find("storageKeys")) {
      TRY_ASSIGN(const auto* list, as_array(*keys, "storageKeys"));
      for (const auto& key : *list) {
        TRY_ASSIGN(const Hash32 slot, to_fixed<Hash32>(key));
        entry.keys.push_back(slot);
      }
    }
    tx.access_list.push_back(std::move(entry));
  }
  return {};
}

Result<> read_authorizations(const Fields& fields, Transaction& tx) {
  const auto* value = fields.find("authorizationList");
  if (value == nullptr) return {};
  TRY_ASSIGN(const auto* items, as_array(*value, "authorizationList"));
  for (const auto& item : *items) {
    TRY_ASSIGN(const auto* object, as_object(item, "authorization"));
    const Fields entry(*object);
    Authorization out;
    std::uint64_t parity = 0;
    TRY(entry.read(out.chain_id, "chainId"));
    TRY(entry.read(out.address, "address"));
    TRY(entry.read(out.nonce, "nonce"));
    TRY(entry.read(parity, {"yParity", "v"}));
    TRY(entry.read(out.r, "r"));
    TRY(entry.read(out.s, "s"));
    if (parity > UINT8_MAX) return fail(ErrorCode::kInvalid, "authorization yParity: above 255");
    out.y_parity = static_cast<std::uint8_t>(parity);
    tx.authorizations.push_back(out);
  }
  return {};
}

Result<> read_blob_hashes(const Fields& fields, Transaction& tx) {
  const auto* value = fields.find("blobVersionedHashes");
  if (value == nullptr) return {};
  TRY_ASSIGN(const auto* items, as_array(*value, "blobVersionedHashes"));
  for (const auto& item : *items) {
    TRY_ASSIGN(const Hash32 hash, to_fixed<Hash32>(item));
    tx.blob_hashes.push_back(hash);
  }
  return {};
}

/// Type 0 carries its chain id, if any, in v (EIP-155); the others name the parity.
Result<> read_signature(const Fields& fields, Transaction& tx) {
  uint256 v;
  TRY(fields.read(v, {"v", "yParity"}));
  uint256 r;
  uint256 s;
  TRY(fields.read(r, "r"));
  TRY(fields.read(s, "s"));
  tx.signature.r = r.to_be();
  tx.signature.s = s.to_be();
  if (tx.type != 0) {
    if (v > uint256(1)) return fail(ErrorCode::kInvalid, "v: not 0 or 1");
    tx.signature.recovery = static_cast<std::uint8_t>(v.low64());
    return {};
  }
  if (v == uint256(27) || v == uint256(28)) {
    tx.chain_id = 0;
    tx.signature.recovery = static_cast<std::uint8_t>(v.low64() - 27);
    return {};
  }
  if (v < uint256(35)) return fail(ErrorCode::kInvalid, "v: neither 27 or 28 nor one with a chain id");
  const uint256 rest = v - uint256(35);
  tx.chain_id = (rest >> 1).clamp_u64();
  tx.signature.recovery = static_cast<std::uint8_t>(rest.low64() & 1);
  return {};
}

}  // namespace

Result<Transaction> read_test_transaction(const json::object& object, std::uint64_t chain_id) {
  const Fields fields(object);
  Transaction tx;
  std::uint64_t type = 0;
  TRY(fields.read(type, "type"));
  if (type > 4) return fail(ErrorCode::kInvalid, fmt::format("type: {} is not known", type));
  tx.type = static_cast<std::uint8_t>(type);
  tx.chain_id = chain_id;
  TRY(fields.read(tx.chain_id, "chainId"));
  TRY(fields.read(tx.nonce, "nonce"));
  TRY(fields.read(tx.max_fee, {"maxFeePerGas", "gasPrice"}));
  tx.max_priority_fee = tx.max_fee;
  TRY(fields.read(tx.max_priority_fee, "maxPriorityFeePerGas"));
  TRY(fields.read(tx.gas_limit, {"gas", "gasLimit"}));
  if (const auto* to = fields.find("to"); to != nullptr && *to != json::value("")) {
    TRY_ASSIGN(tx.to, to_fixed<Address>(*to));
  }
  TRY(fields.read(tx.value, "value"));
  TRY(fields.read(tx.data, {"input", "data"}));
  TRY(fields.read(tx.max_fee_per_blob_gas, "maxFeePerBlobGas"));
  TRY(read_access_list(fields, tx));
  TRY(read_blob_hashes(fields, tx));
  TRY(read_authorizations(fields, tx));
  if (const auto* secret = fields.find("secretKey")) {
    TRY_ASSIGN(const Hash32 raw, to_fixed<Hash32>(*secret));
    TRY_ASSIGN(const auto key, crypto::SecretKey256::from(raw.view()));
    if (const auto* guarded = fields.find("protected");
        tx.type == 0 && guarded != nullptr && *guarded == json::value(false))
      tx.chain_id = 0;
    TRY(sign_transaction(tx, key));
    return tx;
  }
  TRY(read_signature(fields, tx));
  return tx;
}

}  // namespace bonus::chain::eth
