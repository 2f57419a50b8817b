// Solidity contract ABI (docs.soliditylang.org, "Contract ABI Specification"), strict decoding.
#pragma once

#include <concepts>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"

namespace bonus::abi {

/// A parsed type: "uint256", "address", "bool", "bytes32", "bytes", "string", "(uint64,string)[]", "uint8[3]".
struct Type {
  enum class Kind : std::uint8_t {
    kUint,
    kInt,
    kAddress,
    kBool,
    kFixedBytes,
    kBytes,
    kString,
    kTuple,
    kArray,
    kFixedArray
  };
  Kind kind = Kind::kUint;
  unsigned size = 256;      ///< Bits of an integer, bytes of bytesN, elements of a fixed array.
  std::vector<Type> inner;  ///< Members of a tuple, or the one element type of an array.
  [[nodiscard]] bool dynamic() const;
  [[nodiscard]] std::string to_string() const;  ///< Canonical text, as in selectors.
  /// kInvalid names the place. Depth is bounded by 16, members by 64.
  [[nodiscard]] static Result<Type> parse(std::string_view text);
};

struct Value;
/// Tuple members or array elements. A list of one list must be written `{Value(Values{...})}`: C++ takes
/// `{Values{...}}` for a copy of the inner one.
using Values = std::vector<Value>;
/// uint/int/bool/address-as-number share uint256; address and bytesN may be given as Bytes of the exact length.
struct Value {
  std::variant<uint256, Bytes, std::string, Values> v;
  Value(const uint256& x) : v(x) {}  // NOLINT(google-explicit-constructor)
  template <std::unsigned_integral T>
    requires(!std::same_as<T, bool>)
  Value(T x) : v(uint256(x)) {}                // NOLINT(google-explicit-constructor): any unsigned width but bool
  Value(bool x) : v(uint256(x ? 1u : 0u)) {}   // NOLINT(google-explicit-constructor)
  Value(Bytes x) : v(std::move(x)) {}          // NOLINT(google-explicit-constructor)
  Value(std::string x) : v(std::move(x)) {}    // NOLINT(google-explicit-constructor)
  Value(const char* x) : v(std::string(x)) {}  // NOLINT(google-explicit-constructor)
  Value(Values x) : v(std::move(x)) {}         // NOLINT(google-explicit-constructor)
  template <std::size_t N, class Tag>
  Value(const FixedBytes<N, Tag>& x)
      : v(Bytes(x.bytes.begin(), x.bytes.end())) {}  // NOLINT(google-explicit-constructor)

  /// Accessors for decoded values; decode() has checked the shape, so a wrong one is our own bug and asserts.
  [[nodiscard]] const uint256& number() const;
  [[nodiscard]] std::uint64_t u64() const;  ///< Clamped.
  [[nodiscard]] bool boolean() const;
  [[nodiscard]] Address address() const;
  [[nodiscard]] Hash32 hash32() const;
  [[nodiscard]] const Bytes& bytes() const;
  [[nodiscard]] const std::string& text() const;
  [[nodiscard]] const Values& items() const;
};

/// Encodes the members of a tuple type (function arguments, return values, event data). kInvalid when a value does not
/// fit its type.
[[nodiscard]] Result<Bytes> encode(const Type& tuple, const Values& values);
/// Strict mode of the specification: padding is zero, integers fit their type, tails follow each other in order without
/// gaps or overlaps and end where the input ends; at most `max_elements` values in all. kInvalid names the place.
/// address yields Bytes of 20, bytesN Bytes of N, integers and bool a uint256 (intN as two's complement).
[[nodiscard]] Result<Values> decode(const Type& tuple, BytesView data, std::size_t max_elements = 65536);

/// First 4 bytes of keccak256("name(type,...)").
[[nodiscard]] std::array<std::uint8_t, 4> selector(std::string_view signature);
[[nodiscard]] Hash32 event_topic(std::string_view signature);
/// ABI-encoded `Error(string)`, what `revert("...")` returns.
[[nodiscard]] Bytes encode_revert(std::string_view reason);
/// The text of an `Error(string)`, or nothing.
[[nodiscard]] std::string decode_revert(BytesView data);

/// "name(uint256,(address,string))(uint64)" -> one function with selector, inputs and outputs, parsed once.
struct Function {
  std::string name;
  std::array<std::uint8_t, 4> selector{};
  Type inputs, outputs;
  [[nodiscard]] static Result<Function> parse(std::string_view signature);
  [[nodiscard]] Result<Bytes> encode_call(const Values& arguments) const;
  [[nodiscard]] Result<Values> decode_result(BytesView data) const { return decode(outputs, data); }
};

}  // namespace bonus::abi
