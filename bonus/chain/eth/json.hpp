// Values as Ethereum's JSON files write them: hexadecimal or decimal numbers, byte strings, optional keys.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain::eth {

/// kInvalid with the place of the first mistake.
[[nodiscard]] Result<boost::json::value> parse_json(std::string_view text);
/// The whole file; kIo names it, kInvalid when it is longer than `max_bytes`.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t max_bytes = 2UL << 30);

/// "0x1f", "31" or 31.
[[nodiscard]] Result<uint256> to_number(const boost::json::value& value);
[[nodiscard]] Result<std::uint64_t> to_number64(const boost::json::value& value);
/// "0x..." or the digits alone; an odd count of digits is read as if a zero stood in front.
[[nodiscard]] Result<Bytes> to_bytes(const boost::json::value& value);
/// At most `size` bytes, which become the last ones of the result.
[[nodiscard]] Result<Bytes> to_padded(const boost::json::value& value, std::size_t size);
template <class Fixed>
[[nodiscard]] Result<Fixed> to_fixed(const boost::json::value& value) {
  TRY_ASSIGN(const Bytes raw, to_padded(value, Fixed::kSize));
  return Fixed::from(raw);
}

/// One object; errors name the key. A key that is missing or null leaves the target as it is.
class Fields {
 public:
  explicit Fields(const boost::json::object& object) : object_(object) {}
  /// Null when the key is missing or null; the first key of several spellings that is there counts.
  [[nodiscard]] const boost::json::value* find(std::initializer_list<std::string_view> keys) const;
  [[nodiscard]] const boost::json::value* find(std::string_view key) const { return find({key}); }

  [[nodiscard]] Result<> read(std::uint64_t& out, std::initializer_list<std::string_view> keys) const {
    return read_with(out, keys, to_number64);
  }
  [[nodiscard]] Result<> read(uint256& out, std::initializer_list<std::string_view> keys) const {
    return read_with(out, keys, to_number);
  }
  [[nodiscard]] Result<> read(Bytes& out, std::initializer_list<std::string_view> keys) const {
    return read_with(out, keys, to_bytes);
  }
  template <std::size_t N, class Tag>
  [[nodiscard]] Result<> read(FixedBytes<N, Tag>& out, std::initializer_list<std::string_view> keys) const {
    return read_with(out, keys, to_fixed<FixedBytes<N, Tag>>);
  }
  template <class T>
  [[nodiscard]] Result<> read(std::optional<T>& out, std::initializer_list<std::string_view> keys) const {
    if (find(keys) == nullptr) return {};
    T value{};
    TRY(read(value, keys));
    out = std::move(value);
    return {};
  }
  template <class T>
  [[nodiscard]] Result<> read(T& out, std::string_view key) const {
    return read(out, {key});
  }

 private:
  template <class T>
  [[nodiscard]] Result<> read_with(T& out, std::initializer_list<std::string_view> keys,
                                   Result<T> (*reader)(const boost::json::value&)) const {
    const auto* value = find(keys);
    if (value == nullptr) return {};
    auto read = reader(*value);
    if (!read) return fail(std::move(read).error().wrap(*keys.begin()));
    out = *std::move(read);
    return {};
  }

  const boost::json::object& object_;
};

/// kInvalid "... is not an object".
[[nodiscard]] Result<const boost::json::object*> as_object(const boost::json::value& value, std::string_view what);
[[nodiscard]] Result<const boost::json::array*> as_array(const boost::json::value& value, std::string_view what);

/// A list of EIP-4895 withdrawals as the engine API writes them; amounts in gwei.
[[nodiscard]] Result<std::vector<Withdrawal>> read_withdrawals(const boost::json::value& value);

}  // namespace bonus::chain::eth
