// Reading of arguments. Texts follow geth's hexutil, which tools match against.
#include "bonus/chain/rpc/params.hpp"

#include <fmt/format.h>

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxFilterAddresses = 1000;
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

Reply<LogQuery> read_log_query(const Params& params, std::size_t index) {
  TRY_ASSIGN(const auto* value, params.required(index));
  const auto* object = value->if_object();
  if (object == nullptr) return Params::invalid(index, "a filter object is expected");
  auto out = log_query_of(*object);
  if (!out) return Params::invalid(index, out.error().message);
  return *std::move(out);
}

}  // namespace bonus::chain::rpc
