// The hot operators of uint256: carry chains over 64-bit limbs. Included by uint256.hpp only.
#pragma once

#include <bit>

#include "bonus/base/uint256.hpp"  // IWYU pragma: keep

namespace bonus {

namespace detail {
using uint128 = unsigned __int128;

/// a + b + carry; carry becomes the one that leaves.
constexpr std::uint64_t add_carry(std::uint64_t a, std::uint64_t b, unsigned long long& carry) {
  unsigned long long out = 0;
  const std::uint64_t sum = __builtin_addcll(a, b, carry, &out);
  carry = out;
  return sum;
}
constexpr std::uint64_t sub_borrow(std::uint64_t a, std::uint64_t b, unsigned long long& borrow) {
  unsigned long long out = 0;
  const std::uint64_t difference = __builtin_subcll(a, b, borrow, &out);
  borrow = out;
  return difference;
}
}  // namespace detail

constexpr bool add_overflows(const uint256& a, const uint256& b, uint256& sum) {
  unsigned long long carry = 0;
  const std::uint64_t l0 = detail::add_carry(a.limb[0], b.limb[0], carry);
  const std::uint64_t l1 = detail::add_carry(a.limb[1], b.limb[1], carry);
  const std::uint64_t l2 = detail::add_carry(a.limb[2], b.limb[2], carry);
  const std::uint64_t l3 = detail::add_carry(a.limb[3], b.limb[3], carry);
  sum = uint256(l3, l2, l1, l0);
  return carry != 0;
}

constexpr uint256 operator+(const uint256& a, const uint256& b) {
  uint256 sum;
  (void)add_overflows(a, b, sum);
  return sum;
}

constexpr uint256 operator-(const uint256& a, const uint256& b) {
  unsigned long long borrow = 0;
  const std::uint64_t l0 = detail::sub_borrow(a.limb[0], b.limb[0], borrow);
  const std::uint64_t l1 = detail::sub_borrow(a.limb[1], b.limb[1], borrow);
  const std::uint64_t l2 = detail::sub_borrow(a.limb[2], b.limb[2], borrow);
  const std::uint64_t l3 = detail::sub_borrow(a.limb[3], b.limb[3], borrow);
  return {l3, l2, l1, l0};
}

/// Schoolbook product without the columns above 2^256. The top column needs no high halves.
constexpr uint256 operator*(const uint256& a, const uint256& b) {
  using detail::uint128;
  const auto& x = a.limb;
  const auto& y = b.limb;
  uint128 t = static_cast<uint128>(x[0]) * y[0];
  const auto l0 = static_cast<std::uint64_t>(t);
  t = static_cast<uint128>(x[0]) * y[1] + static_cast<std::uint64_t>(t >> 64);
  std::uint64_t l1 = static_cast<std::uint64_t>(t);
  t = static_cast<uint128>(x[0]) * y[2] + static_cast<std::uint64_t>(t >> 64);
  std::uint64_t l2 = static_cast<std::uint64_t>(t);
  std::uint64_t l3 = x[0] * y[3] + static_cast<std::uint64_t>(t >> 64);

  t = static_cast<uint128>(x[1]) * y[0] + l1;
  l1 = static_cast<std::uint64_t>(t);
  t = static_cast<uint128>(x[1]) * y[1] + l2 + static_cast<std::uint64_t>(t >> 64);
  l2 = static_cast<std::uint64_t>(t);
  l3 += x[1] * y[2] + static_cast<std::uint64_t>(t >> 64);

  t = static_cast<uint128>(x[2]) * y[0] + l2;
  l2 = static_cast<std::uint64_t>(t);
  l3 += x[2] * y[1] + static_cast<std::uint64_t>(t >> 64);

  l3 += x[3] * y[0];
  return {l3, l2, l1, l0};
}

constexpr uint256 operator&(const uint256& a, const uint256& b) {
  return {a.limb[3] & b.limb[3], a.limb[2] & b.limb[2], a.limb[1] & b.limb[1], a.limb[0] & b.limb[0]};
}
constexpr uint256 operator|(const uint256& a, const uint256& b) {
  return {a.limb[3] | b.limb[3], a.limb[2] | b.limb[2], a.limb[1] | b.limb[1], a.limb[0] | b.limb[0]};
}
constexpr uint256 operator^(const uint256& a, const uint256& b) {
  return {a.limb[3] ^ b.limb[3], a.limb[2] ^ b.limb[2], a.limb[1] ^ b.limb[1], a.limb[0] ^ b.limb[0]};
}
constexpr uint256 operator~(const uint256& a) { return {~a.limb[3], ~a.limb[2], ~a.limb[1], ~a.limb[0]}; }

constexpr uint256 operator<<(const uint256& a, unsigned bits) {
  if (bits >= 256) return {};
  const unsigned words = bits / 64;
  const unsigned rest = bits % 64;
  uint256 out;
  for (unsigned i = 3; i + 1 > words; --i) {
    out.limb[i] = a.limb[i - words] << rest;
    if (rest != 0 && i > words) out.limb[i] |= a.limb[i - words - 1] >> (64 - rest);
    if (i == 0) break;
  }
  return out;
}

constexpr uint256 operator>>(const uint256& a, unsigned bits) {
  if (bits >= 256) return {};
  const unsigned words = bits / 64;
  const unsigned rest = bits % 64;
  uint256 out;
  for (unsigned i = 0; i + words < 4; ++i) {
    out.limb[i] = a.limb[i + words] >> rest;
    if (rest != 0 && i + words + 1 < 4) out.limb[i] |= a.limb[i + words + 1] << (64 - rest);
  }
  return out;
}

constexpr unsigned uint256::bit_length() const {
  for (unsigned i = 4; i-- > 0;) {
    if (limb[i] != 0) return 64 * i + static_cast<unsigned>(std::bit_width(limb[i]));
  }
  return 0;
}

constexpr bool slt(const uint256& a, const uint256& b) {
  // Flipping the sign bits maps two's complement order onto unsigned order.
  constexpr uint256 kSign(1ULL << 63, 0, 0, 0);
  return (a ^ kSign) < (b ^ kSign);
}

}  // namespace bonus
