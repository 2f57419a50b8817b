// Arguments of a call, read strictly as execution-apis writes them: QUANTITY without leading zeros, DATA of whole
// bytes.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <optional>
#include <variant>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/rpc/failure.hpp"

namespace bonus::chain::rpc {

enum class Tag : std::uint8_t { kEarliest, kLatest, kPending, kSafe, kFinalized };
using BlockId = std::variant<Tag, std::uint64_t, Hash32>;

/// Text readers; the error is the part after "invalid argument N: ".
[[nodiscard]] Result<uint256> read_quantity(const boost::json::value& value);
[[nodiscard]] Result<std::uint64_t> read_quantity64(const boost::json::value& value);
[[nodiscard]] Result<Bytes> read_data(const boost::json::value& value);
template <class Fixed>
[[nodiscard]] Result<Fixed> read_fixed(const boost::json::value& value) {
  TRY_ASSIGN(const auto data, read_data(value));
  if (data.size() != Fixed::kSize)
    return fail(ErrorCode::kInvalid, "hex string has length " + std::to_string(data.size() * 2) + ", want " +
                                         std::to_string(Fixed::kSize * 2));
  return Fixed::from(data);
}
/// Reads `object[name]` unless it is missing or null.
template <class T>
[[nodiscard]] Result<std::optional<T>> member(const boost::json::object& object, std::string_view name,
                                              Result<T> (*reader)(const boost::json::value&)) {
  const auto* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::optional<T>();
  auto out = reader(*value);
  if (!out) return fail(std::move(out).error().wrap(name));
  return std::optional<T>(*std::move(out));
}
/// A tag, a number, or an object of EIP-1898.
[[nodiscard]] Result<BlockId> read_block_id(const boost::json::value& value);

/// The params array. All errors are -32602 with geth's texts.
class Params {
 public:
  explicit Params(const boost::json::array& items) : items_(items) {}
  /// Nothing when it is missing or null.
  [[nodiscard]] const boost::json::value* optional(std::size_t index) const;
  [[nodiscard]] Reply<const boost::json::value*> required(std::size_t index) const;
  [[nodiscard]] Reply<std::monostate> at_most(std::size_t count) const;

  template <class T>
  [[nodiscard]] Reply<T> read(std::size_t index, Result<T> (*reader)(const boost::json::value&)) const {
    TRY_ASSIGN(const auto* value, required(index));
    auto out = reader(*value);
    if (!out) return invalid(index, out.error().message);
    return *std::move(out);
  }
  [[nodiscard]] Reply<Address> address(std::size_t index) const { return read(index, &read_fixed<Address>); }
  [[nodiscard]] Reply<Hash32> hash(std::size_t index) const { return read(index, &read_fixed<Hash32>); }
  [[nodiscard]] Reply<std::uint64_t> quantity64(std::size_t index) const { return read(index, &read_quantity64); }
  [[nodiscard]] Reply<Bytes> data(std::size_t index) const { return read(index, &read_data); }
  [[nodiscard]] Reply<BlockId> block(std::size_t index) const { return read(index, &read_block_id); }
  [[nodiscard]] Reply<BlockId> block_or_latest(std::size_t index) const;
  [[nodiscard]] Reply<bool> boolean_or_false(std::size_t index) const;

  [[nodiscard]] static std::unexpected<Failure> invalid(std::size_t index, std::string_view why);

 private:
  const boost::json::array& items_;
};

struct LogQuery {
  std::optional<Hash32> block_hash;
  BlockId from = Tag::kLatest, to = Tag::kLatest;
  LogFilter filter;
};
[[nodiscard]] Reply<LogQuery> read_log_query(const Params& params, std::size_t index);

}  // namespace bonus::chain::rpc
