// 256-bit unsigned integer with the wrap-around arithmetic of the EVM (Yellow Paper, appendix H).
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"

namespace bonus {

/// Four 64-bit limbs, least significant first. All operations wrap modulo 2^256; division by zero yields zero as in the
/// EVM.
struct uint256 {
  std::array<std::uint64_t, 4> limb{};

  constexpr uint256() = default;
  constexpr uint256(std::uint64_t v) : limb{v, 0, 0, 0} {}  // NOLINT(google-explicit-constructor): widening is lossless
  constexpr uint256(std::uint64_t l3, std::uint64_t l2, std::uint64_t l1, std::uint64_t l0) : limb{l0, l1, l2, l3} {}

  friend constexpr bool operator==(const uint256&, const uint256&) = default;
  friend constexpr std::strong_ordering operator<=>(const uint256& a, const uint256& b) {
    for (int i = 3; i > 0; --i)
      if (a.limb[static_cast<unsigned>(i)] != b.limb[static_cast<unsigned>(i)])
        return a.limb[static_cast<unsigned>(i)] <=> b.limb[static_cast<unsigned>(i)];
    return a.limb[0] <=> b.limb[0];
  }
  [[nodiscard]] constexpr bool is_zero() const { return (limb[0] | limb[1] | limb[2] | limb[3]) == 0; }
  [[nodiscard]] constexpr bool fits_u64() const { return (limb[1] | limb[2] | limb[3]) == 0; }
  /// The low 64 bits.
  [[nodiscard]] constexpr std::uint64_t low64() const { return limb[0]; }
  /// The value, or UINT64_MAX when it does not fit.
  [[nodiscard]] constexpr std::uint64_t clamp_u64() const { return fits_u64() ? limb[0] : UINT64_MAX; }
  [[nodiscard]] constexpr unsigned bit_length() const;  ///< 0 for zero.

  /// Big-endian, 32 bytes.
  [[nodiscard]] Hash32 to_be() const;
  [[nodiscard]] static uint256 from_be(BytesView in);  ///< At most 32 bytes; longer input keeps the last 32.
  [[nodiscard]] std::string to_decimal() const;
  [[nodiscard]] std::string to_quantity() const;  ///< "0x0", "0x1f": JSON-RPC QUANTITY.
  /// Decimal, or hexadecimal with "0x". Errors: kInvalid (empty, stray characters, more than 256 bits).
  [[nodiscard]] static Result<uint256> parse(std::string_view text);
};

constexpr uint256 operator+(const uint256& a, const uint256& b);
constexpr uint256 operator-(const uint256& a, const uint256& b);
constexpr uint256 operator*(const uint256& a, const uint256& b);
uint256 operator/(const uint256& a, const uint256& b);
uint256 operator%(const uint256& a, const uint256& b);
constexpr uint256 operator&(const uint256& a, const uint256& b);
constexpr uint256 operator|(const uint256& a, const uint256& b);
constexpr uint256 operator^(const uint256& a, const uint256& b);
constexpr uint256 operator~(const uint256& a);
constexpr uint256 operator<<(const uint256& a, unsigned bits);  ///< 256 or more yields zero.
constexpr uint256 operator>>(const uint256& a, unsigned bits);
constexpr uint256& operator+=(uint256& a, const uint256& b) { return a = a + b; }
constexpr uint256& operator-=(uint256& a, const uint256& b) { return a = a - b; }
constexpr uint256& operator*=(uint256& a, const uint256& b) { return a = a * b; }
inline uint256& operator/=(uint256& a, const uint256& b) { return a = a / b; }

struct DivMod {
  uint256 quotient, remainder;
};
[[nodiscard]] DivMod div_mod(const uint256& a, const uint256& b);
/// Sum and product that say whether they wrapped.
[[nodiscard]] constexpr bool add_overflows(const uint256& a, const uint256& b, uint256& sum);
[[nodiscard]] bool mul_overflows(const uint256& a, const uint256& b, uint256& product);
/// a * b / c with a 512-bit product, rounded down; the result wraps if it does not fit. c == 0 yields 0.
[[nodiscard]] uint256 mul_div(const uint256& a, const uint256& b, const uint256& c);
[[nodiscard]] uint256 add_mod(const uint256& a, const uint256& b, const uint256& m);
[[nodiscard]] uint256 mul_mod(const uint256& a, const uint256& b, const uint256& m);
[[nodiscard]] uint256 exp(const uint256& base, const uint256& exponent);
/// Two's complement forms (SDIV, SMOD, SLT, SAR, SIGNEXTEND).
[[nodiscard]] uint256 sdiv(const uint256& a, const uint256& b);
[[nodiscard]] uint256 smod(const uint256& a, const uint256& b);
[[nodiscard]] constexpr bool slt(const uint256& a, const uint256& b);
[[nodiscard]] uint256 sar(const uint256& a, unsigned bits);
[[nodiscard]] uint256 sign_extend(const uint256& byte_index, const uint256& value);

}  // namespace bonus

#include "bonus/base/uint256_inline.hpp"

template <>
struct std::hash<bonus::uint256> {
  std::size_t operator()(const bonus::uint256& v) const noexcept {
    return bonus::hash_mix(v.limb[0], v.limb[1]) ^ bonus::hash_mix(v.limb[2], v.limb[3], 2);
  }
};
