// Reading Ethereum's JSON files.
#include "bonus/chain/eth/json.hpp"

#include <fmt/format.h>

#include <boost/json/parse.hpp>
#include <filesystem>
#include <fstream>

namespace bonus::chain::eth {

namespace json = boost::json;

Result<json::value> parse_json(std::string_view text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 64;
  auto value = json::parse(text, error, {}, options);
  if (error) return fail(ErrorCode::kInvalid, "not JSON: " + error.message());
  return value;
}

Result<std::string> read_file(const std::string& path, std::size_t max_bytes) {
  std::error_code error;
  const auto size = std::filesystem::file_size(path, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("cannot read {}: {}", path, error.message()));
  if (size > max_bytes)
    return fail(ErrorCode::kInvalid, fmt::format("{} has {} bytes, more than {}", path, size, max_bytes));
  std::ifstream in(path, std::ios::binary);
  std::string out(size, '\0');
  if (!in.read(out.data(), static_cast<std::streamsize>(size)))
    return fail(ErrorCode::kIo, fmt::format("cannot read {}", path));
  return out;
}

Result<uint256> to_number(const json::value& value) {
  if (const auto* number = value.if_int64(); number != nullptr && *number >= 0)
    return uint256(static_cast<std::uint64_t>(*number));
  if (const auto* number = value.if_uint64()) return uint256(*number);
  const auto* text = value.if_string();
  if (text == nullptr) return fail(ErrorCode::kInvalid, "not a number");
  if (*text == "0x") return uint256();
  return uint256::parse(*text);
}

Result<std::uint64_t> to_number64(const json::value& value) {
  TRY_ASSIGN(const uint256 number, to_number(value));
  if (!number.fits_u64()) return fail(ErrorCode::kInvalid, "number above 64 bits");
  return number.low64();
}

Result<Bytes> to_bytes(const json::value& value) {
  const auto* text = value.if_string();
  if (text == nullptr) return fail(ErrorCode::kInvalid, "not a byte string");
  std::string_view digits = *text;
  if (digits.starts_with("0x") || digits.starts_with("0X")) digits.remove_prefix(2);
  if (digits.size() % 2 == 0) return from_hex(digits);
  return from_hex("0" + std::string(digits));
}

Result<Bytes> to_padded(const json::value& value, std::size_t size) {
  TRY_ASSIGN(const Bytes raw, to_bytes(value));
  if (raw.size() > size) return fail(ErrorCode::kInvalid, fmt::format("{} bytes, at most {}", raw.size(), size));
  Bytes out(size - raw.size());
  append(out, raw);
  return out;
}

const json::value* Fields::find(std::initializer_list<std::string_view> keys) const {
  for (const auto key : keys)
    if (const auto* value = object_.if_contains(key); value != nullptr && !value->is_null()) return value;
  return nullptr;
}

Result<const json::object*> as_object(const json::value& value, std::string_view what) {
  if (const auto* object = value.if_object()) return object;
  return fail(ErrorCode::kInvalid, fmt::format("{} is not an object", what));
}

Result<const json::array*> as_array(const json::value& value, std::string_view what) {
  if (const auto* array = value.if_array()) return array;
  return fail(ErrorCode::kInvalid, fmt::format("{} is not an array", what));
}

Result<std::vector<Withdrawal>> read_withdrawals(const boost::json::value& value) {
  TRY_ASSIGN(const auto* items, as_array(value, "withdrawals"));
  std::vector<Withdrawal> out;
  for (const auto& item : *items) {
    TRY_ASSIGN(const auto* object, as_object(item, "withdrawal"));
    const Fields fields(*object);
    Withdrawal one;
    TRY(fields.read(one.index, "index"));
    TRY(fields.read(one.validator, "validatorIndex"));
    TRY(fields.read(one.address, "address"));
    TRY(fields.read(one.amount_gwei, "amount"));
    out.push_back(one);
  }
  return out;
}

}  // namespace bonus::chain::eth
