// Readers of JSON fields.
#include "bonus/chain/vectors/json_input.hpp"

#include <fmt/format.h>

namespace bonus::chain::vectors {
namespace {

std::unexpected<Error> bad(std::string_view name, std::string_view what) {
  return fail(ErrorCode::kInvalid, fmt::format("{}: {}", name, what));
}

Result<PlainAccount> account_of(const json::object& object) {
  const Fields fields(object);
  PlainAccount out;
  TRY_ASSIGN(out.nonce, fields.number64_or("nonce", 0));
  TRY_ASSIGN(out.balance, fields.number_or("balance", {}));
  if (const auto* code = fields.find("code")) {
    TRY_ASSIGN(out.code, bytes_of(*code, "code"));
  }
  if (const auto* storage = fields.find("storage")) {
    TRY_ASSIGN(const auto* slots, object_of(*storage, "storage"));
    for (const auto& slot : *slots) {
      TRY_ASSIGN(const uint256 key, number_of(json::value(slot.key()), "storage key"));
      TRY_ASSIGN(const uint256 value, number_of(slot.value(), "storage value"));
      if (!value.is_zero()) out.storage[key] = value;
    }
  }
  return out;
}

}  // namespace

Result<const json::object*> object_of(const json::value& value, std::string_view name) {
  if (const auto* object = value.if_object()) return object;
  return bad(name, "not an object");
}
Result<const json::array*> array_of(const json::value& value, std::string_view name) {
  if (const auto* array = value.if_array()) return array;
  return bad(name, "not an array");
}
Result<std::string_view> text_of(const json::value& value, std::string_view name) {
  if (const auto* text = value.if_string()) return std::string_view(text->data(), text->size());
  return bad(name, "not a string");
}

Result<uint256> number_of(const json::value& value, std::string_view name) {
  if (const auto* number = value.if_uint64()) return uint256(*number);
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
    return uint256(static_cast<std::uint64_t>(*number));
  TRY_ASSIGN(const std::string_view text, text_of(value, name));
  if (text == "0x") return uint256();
  auto number = uint256::parse(text);
  if (!number) return fail(std::move(number).error().wrap(name));
  return number;
}

Result<std::uint64_t> number64_of(const json::value& value, std::string_view name) {
  TRY_ASSIGN(const uint256 number, number_of(value, name));
  if (!number.fits_u64()) return bad(name, "more than 64 bits");
  return number.low64();
}

Result<Bytes> bytes_of(const json::value& value, std::string_view name) {
  TRY_ASSIGN(const std::string_view text, text_of(value, name));
  auto bytes = from_hex(text);
  if (!bytes) return fail(std::move(bytes).error().wrap(name));
  return bytes;
}

Result<Hash32> word_of(const json::value& value, std::string_view name) {
  TRY_ASSIGN(const uint256 number, number_of(value, name));
  return number.to_be();
}

Result<const json::value*> Fields::need(std::string_view name) const {
  if (const auto* value = find(name)) return value;
  return bad(name, "missing");
}
Result<uint256> Fields::number(std::string_view name) const { return number_of(*TRY(need(name)), name); }
Result<std::uint64_t> Fields::number64(std::string_view name) const { return number64_of(*TRY(need(name)), name); }
Result<uint256> Fields::number_or(std::string_view name, const uint256& otherwise) const {
  const auto* value = find(name);
  return value == nullptr ? Result<uint256>(otherwise) : number_of(*value, name);
}
Result<std::uint64_t> Fields::number64_or(std::string_view name, std::uint64_t otherwise) const {
  const auto* value = find(name);
  return value == nullptr ? Result<std::uint64_t>(otherwise) : number64_of(*value, name);
}

Result<Accounts> accounts_of(const json::value& value) {
  TRY_ASSIGN(const auto* object, object_of(value, "accounts"));
  Accounts out;
  for (const auto& item : *object) {
    TRY_ASSIGN(const Address address, fixed_of<Address>(json::value(item.key()), "address"));
    TRY_ASSIGN(const auto* fields, object_of(item.value(), "account"));
    auto account = account_of(*fields);
    if (!account) return fail(std::move(account).error().wrap(to_hex0x(address)));
    out.emplace(address, *std::move(account));
  }
  return out;
}

Result<json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  json::value out = json::parse(text, error);
  if (error) return bad("JSON", error.message());
  return out;
}

}  // namespace bonus::chain::vectors
