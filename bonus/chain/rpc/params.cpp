// Reading of arguments. Texts follow geth's hexutil, which tools match against.
#include "bonus/chain/rpc/params.hpp"

#include <fmt/format.h>

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFilterAddresses = 1000;
constexpr std::size_t kMaxAccessEntries = 1000;
constexpr std::size_t kMaxTopicPositions = 4;
constexpr std::size_t kMaxTopicsPerPosition = 1000;

std::unexpected<Error> bad(std::string message) { return fail(ErrorCode::kInvalid, std::move(message)); }

Result<std::string_view> hex_digits(const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return bad("non-string, expected a hex string");
  const std::string_view view(text->data(), text->size());
  if (view.empty()) return bad("empty hex string");
  if (!view.starts_with("0x") && !view.starts_with("0X")) return bad("hex string without 0x prefix");
  return view.substr(2);
}

bool is_hex(std::string_view text) {
  return std::ranges::all_of(
      text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
}

/// Reads `object[name]` unless it is missing or null.
template <class T>
Result<std::optional<T>> member(const json::object& object, std::string_view name,
                                Result<T> (*reader)(const json::value&)) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<T>();
  auto out = reader(*value);
  if (!out) return fail(std::move(out).error().wrap(name));
  return std::optional<T>(*std::move(out));
}

Result<std::vector<Transaction::AccessEntry>> access_list_of(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr || list->size() > kMaxAccessEntries) return bad("must be a list of at most 1000 entries");
  std::vector<Transaction::AccessEntry> out;
  for (const auto& item : *list) {
    const auto* object = item.if_object();
    const auto* address = object != nullptr ? object->if_contains("address") : nullptr;
    if (address == nullptr) return bad("an entry needs an address");
    auto& entry = out.emplace_back();
    TRY_ASSIGN(entry.address, read_fixed<Address>(*address));
    const auto* keys = object->if_contains("storageKeys");
    if (keys == nullptr || keys->is_null()) continue;
    if (!keys->is_array() || keys->get_array().size() > kMaxAccessEntries)
      return bad("storageKeys must be a short list");
    for (const auto& key : keys->get_array()) {
      TRY_ASSIGN(const auto hash, read_fixed<Hash32>(key));
      entry.keys.push_back(hash);
    }
  }
  return out;
}

Result<CallArguments> call_of(const json::object& object, std::uint64_t max_gas) {
  CallArguments out;
  TRY_ASSIGN(const auto from, member(object, "from", &read_fixed<Address>));
  TRY_ASSIGN(out.request.to, member(object, "to", &read_fixed<Address>));
  TRY_ASSIGN(const auto gas, member(object, "gas", &read_quantity64));
  TRY_ASSIGN(const auto value, member(object, "value", &read_quantity));
  TRY_ASSIGN(auto data, member(object, "data", &read_data));
  TRY_ASSIGN(auto input, member(object, "input", &read_data));
  TRY_ASSIGN(const auto price, member(object, "gasPrice", &read_quantity));
  TRY_ASSIGN(const auto max_fee, member(object, "maxFeePerGas", &read_quantity));
  TRY_ASSIGN(const auto tip, member(object, "maxPriorityFeePerGas", &read_quantity));
  TRY_ASSIGN(auto access_list, member(object, "accessList", &access_list_of));
  if (access_list) out.access_list = std::move(*access_list);
  if (price && (max_fee || tip)) return bad("both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified");
  if (max_fee && tip && *max_fee < *tip)
    return bad(
        fmt::format("maxFeePerGas ({}) < maxPriorityFeePerGas ({})", max_fee->to_quantity(), tip->to_quantity()));
  if (data && input && *data != *input) {
    return bad("both \"data\" and \"input\" are set and not equal. Please use \"input\" to pass transaction call data");
  }
  out.request.from = from.value_or(Address());
  out.request.value = value.value_or(uint256());
  if (input)
    out.request.data = std::move(*input);
  else if (data)
    out.request.data = std::move(*data);
  out.has_gas = gas.has_value();
  out.request.gas = std::min(gas.value_or(max_gas), max_gas);
  const auto cap = price ? price : max_fee;
  if (cap && !cap->is_zero()) out.fee_cap = cap;
  return out;
}

template <class T>
Result<std::vector<T>> one_or_many(const json::value& value, std::size_t limit) {
  std::vector<T> out;
  if (const auto* list = value.if_array()) {
    if (list->size() > limit) return bad(fmt::format("more than {} entries", limit));
    for (const auto& item : *list) {
      TRY_ASSIGN(const auto one, read_fixed<T>(item));
      out.push_back(one);
    }
  } else {
    TRY_ASSIGN(const auto one, read_fixed<T>(value));
    out.push_back(one);
  }
  return out;
}

Result<std::vector<std::vector<Hash32>>> topics_of(const json::value& value) {
  const auto* list = value.if_array();
  if (list == nullptr) return bad("topics: must be a list");
  if (list->size() > kMaxTopicPositions) return bad("topics: exceed max topics");
  std::vector<std::vector<Hash32>> out;
  for (const auto& item : *list) {
    auto& position = out.emplace_back();
    if (item.is_null()) continue;
    // null among alternatives matches anything, as geth reads it.
    if (const auto* some = item.if_array(); some != nullptr && std::ranges::any_of(*some, &json::value::is_null))
      continue;
    auto topics = one_or_many<Hash32>(item, kMaxTopicsPerPosition);
    if (!topics) return fail(std::move(topics).error().wrap("topics"));
    position = *std::move(topics);
  }
  return out;
}

Result<LogQuery> log_query_of(const json::object& object) {
  LogQuery out;
  TRY_ASSIGN(out.block_hash, member(object, "blockHash", &read_fixed<Hash32>));
  TRY_ASSIGN(const auto from, member(object, "fromBlock", &read_block_id));
  TRY_ASSIGN(const auto to, member(object, "toBlock", &read_block_id));
  if (out.block_hash && (from || to))
    return bad("cannot specify both BlockHash and FromBlock/ToBlock, choose one or the other");
  out.from = from.value_or(Tag::kLatest);
  out.to = to.value_or(Tag::kLatest);
  if (const auto* addresses = object.if_contains("address"); addresses != nullptr && !addresses->is_null()) {
    auto list = one_or_many<Address>(*addresses, kMaxFilterAddresses);
    if (!list) return fail(std::move(list).error().wrap("address"));
    out.filter.addresses = *std::move(list);
  }
  if (const auto* topics = object.if_contains("topics"); topics != nullptr && !topics->is_null()) {
    TRY_ASSIGN(out.filter.topics, topics_of(*topics));
  }
  return out;
}

}  // namespace

Result<uint256> read_quantity(const json::value& value) {
  TRY_ASSIGN(const auto digits, hex_digits(value));
  if (digits.empty()) return bad("hex string \"0x\"");
  if (!is_hex(digits)) return bad("invalid hex string");
  if (digits.size() > 1 && digits.front() == '0') return bad("hex number with leading zero digits");
  if (digits.size() > 64) return bad("hex number > 256 bits");
  return uint256::parse("0x" + std::string(digits));
}

Result<std::uint64_t> read_quantity64(const json::value& value) {
  TRY_ASSIGN(const auto wide, read_quantity(value));
  if (!wide.fits_u64()) return bad("hex number > 64 bits");
  return wide.low64();
}

Result<Bytes> read_data(const json::value& value) {
  TRY_ASSIGN(const auto digits, hex_digits(value));
  if (digits.size() % 2 != 0) return bad("hex string of odd length");
  if (!is_hex(digits)) return bad("invalid hex string");
  return from_hex(digits);
}

Result<BlockId> read_block_id(const json::value& value) {
  if (const auto* object = value.if_object()) {
    TRY_ASSIGN(const auto number, member(*object, "blockNumber", &read_block_id));
    TRY_ASSIGN(const auto hash, member(*object, "blockHash", &read_fixed<Hash32>));
    if (number && hash) return bad("cannot specify both BlockHash and BlockNumber, choose one or the other");
    if (hash) return BlockId(*hash);
    if (number) return *number;
    return bad("a block object needs blockNumber or blockHash");
  }
  const auto* text = value.if_string();
  if (text == nullptr) return bad("a block is a tag, a hex number or a hash");
  if (*text == "latest") return Tag::kLatest;
  if (*text == "pending") return Tag::kPending;
  if (*text == "safe") return Tag::kSafe;
  if (*text == "finalized") return Tag::kFinalized;
  if (*text == "earliest") return Tag::kEarliest;
  if (text->size() == 66) {
    TRY_ASSIGN(const auto hash, read_fixed<Hash32>(value));
    return BlockId(hash);
  }
  TRY_ASSIGN(const auto number, read_quantity64(value));
  return BlockId(number);
}

const json::value* Params::optional(std::size_t index) const {
  if (index >= items_.size() || items_[index].is_null()) return nullptr;
  return &items_[index];
}

Reply<const json::value*> Params::required(std::size_t index) const {
  if (const auto* value = optional(index)) return value;
  return failure(kInvalidParams, fmt::format("missing value for required argument {}", index));
}

Reply<std::monostate> Params::at_most(std::size_t count) const {
  if (items_.size() > count) return failure(kInvalidParams, fmt::format("too many arguments, want at most {}", count));
  return std::monostate();
}

std::unexpected<Failure> Params::invalid(std::size_t index, std::string_view why) {
  return failure(kInvalidParams, fmt::format("invalid argument {}: {}", index, why));
}

Reply<BlockId> Params::block_or_latest(std::size_t index) const {
  if (optional(index) == nullptr) return BlockId(Tag::kLatest);
  return block(index);
}

Reply<bool> Params::boolean_or_false(std::size_t index) const {
  const auto* value = optional(index);
  if (value == nullptr) return false;
  if (!value->is_bool()) return invalid(index, "expected true or false");
  return value->get_bool();
}

Reply<CallArguments> read_call(const Params& params, std::size_t index, std::uint64_t max_gas) {
  TRY_ASSIGN(const auto* value, params.required(index));
  const auto* object = value->if_object();
  if (object == nullptr) return Params::invalid(index, "a transaction object is expected");
  auto out = call_of(*object, max_gas);
  if (!out) return Params::invalid(index, out.error().message);
  return *std::move(out);
}

Reply<LogQuery> read_log_query(const Params& params, std::size_t index) {
  TRY_ASSIGN(const auto* value, params.required(index));
  const auto* object = value->if_object();
  if (object == nullptr) return Params::invalid(index, "a filter object is expected");
  auto out = log_query_of(*object);
  if (!out) return Params::invalid(index, out.error().message);
  return *std::move(out);
}

}  // namespace bonus::chain::rpc
