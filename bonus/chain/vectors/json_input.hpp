// Fields of Ethereum's test files: numbers and byte strings as hexadecimal or decimal text. Internal.
#pragma once

#include <boost/json.hpp>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/vectors/memory_state.hpp"

namespace bonus::chain::vectors {

namespace json = boost::json;

/// All fail with kInvalid and name the field.
[[nodiscard]] Result<const json::object*> object_of(const json::value& value, std::string_view name);
[[nodiscard]] Result<const json::array*> array_of(const json::value& value, std::string_view name);
[[nodiscard]] Result<std::string_view> text_of(const json::value& value, std::string_view name);
[[nodiscard]] Result<uint256> number_of(const json::value& value, std::string_view name);
[[nodiscard]] Result<std::uint64_t> number64_of(const json::value& value, std::string_view name);
[[nodiscard]] Result<Bytes> bytes_of(const json::value& value, std::string_view name);
template <class Fixed>
[[nodiscard]] Result<Fixed> fixed_of(const json::value& value, std::string_view name) {
  TRY_ASSIGN(const Bytes raw, bytes_of(value, name));
  auto out = Fixed::from(raw);
  if (!out) return fail(std::move(out).error().wrap(name));
  return out;
}
/// A number as 32 bytes: hashes that test files write without leading zeros.
[[nodiscard]] Result<Hash32> word_of(const json::value& value, std::string_view name);

/// The fields of an object, which must be there or may be absent.
class Fields {
 public:
  explicit Fields(const json::object& object) : object_(object) {}
  [[nodiscard]] const json::value* find(std::string_view name) const { return object_.if_contains(name); }
  [[nodiscard]] Result<const json::value*> need(std::string_view name) const;
  [[nodiscard]] Result<uint256> number(std::string_view name) const;
  [[nodiscard]] Result<std::uint64_t> number64(std::string_view name) const;
  [[nodiscard]] Result<uint256> number_or(std::string_view name, const uint256& otherwise) const;
  [[nodiscard]] Result<std::uint64_t> number64_or(std::string_view name, std::uint64_t otherwise) const;

 private:
  const json::object& object_;
};

/// `{"0x..": {"balance", "nonce", "code", "storage"}}`; every field may be absent.
[[nodiscard]] Result<Accounts> accounts_of(const json::value& value);
[[nodiscard]] Result<json::value> parse_json(std::string_view text);

}  // namespace bonus::chain::vectors
