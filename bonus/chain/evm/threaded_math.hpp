// The two-operand instructions of the fast interpreter as functions of (top, second). Internal.
#pragma once

#include "bonus/base/uint256.hpp"

namespace bonus::chain::evm::fast {

[[nodiscard]] inline bool less(const uint256& a, const uint256& b) {
  unsigned long long borrow = 0;
  for (unsigned i = 0; i < 4; ++i) (void)detail::sub_borrow(a.limb[i], b.limb[i], borrow);
  return borrow != 0;
}
[[nodiscard]] inline bool signed_less(const uint256& a, const uint256& b) {
  constexpr std::uint64_t kSign = 1ULL << 63;
  uint256 x = a;
  uint256 y = b;
  x.limb[3] ^= kSign;
  y.limb[3] ^= kSign;
  return less(x, y);
}

/// Without branches on the count but one: the words are read from a window over zeros (or signs) and the value.
[[nodiscard]] inline uint256 shift_left(const uint256& v, std::uint64_t count) {
  if (count >= 256) return {};
  const std::uint64_t window[8] = {0, 0, 0, 0, v.limb[0], v.limb[1], v.limb[2], v.limb[3]};
  const std::uint64_t* from = window + 4 - count / 64;
  const unsigned bits = count % 64;
  const auto limb = [&](int i) { return from[i] << bits | (from[i - 1] >> 1) >> (63 - bits); };
  return {limb(3), limb(2), limb(1), limb(0)};
}
[[nodiscard]] inline uint256 shift_right(const uint256& v, std::uint64_t count, std::uint64_t fill = 0) {
  if (count >= 256) return {fill, fill, fill, fill};
  const std::uint64_t window[8] = {v.limb[0], v.limb[1], v.limb[2], v.limb[3], fill, fill, fill, fill};
  const std::uint64_t* from = window + count / 64;
  const unsigned bits = count % 64;
  const auto limb = [&](int i) { return from[i] >> bits | (from[i + 1] << 1) << (63 - bits); };
  return {limb(3), limb(2), limb(1), limb(0)};
}
[[nodiscard]] inline std::uint64_t sign_fill(const uint256& v) {
  return static_cast<std::uint64_t>(static_cast<std::int64_t>(v.limb[3]) >> 63);
}

struct Add {
  static uint256 of(const uint256& a, const uint256& b) { return a + b; }
};
struct Mul {
  static uint256 of(const uint256& a, const uint256& b) { return a * b; }
};
struct Sub {
  static uint256 of(const uint256& a, const uint256& b) { return a - b; }
};
struct Div {
  static uint256 of(const uint256& a, const uint256& b) {
    if (a.fits_u64() && b.fits_u64()) return b.limb[0] == 0 ? 0 : a.limb[0] / b.limb[0];
    return a / b;
  }
};
struct Mod {
  static uint256 of(const uint256& a, const uint256& b) {
    if (a.fits_u64() && b.fits_u64()) return b.limb[0] == 0 ? 0 : a.limb[0] % b.limb[0];
    return a % b;
  }
};
struct Sdiv {
  static uint256 of(const uint256& a, const uint256& b) { return sdiv(a, b); }
};
struct Smod {
  static uint256 of(const uint256& a, const uint256& b) { return smod(a, b); }
};
struct SignExtend {
  static uint256 of(const uint256& index, const uint256& v) {
    if (!index.fits_u64() || index.limb[0] >= 31) return v;
    const unsigned word = static_cast<unsigned>(index.limb[0] / 8);
    const unsigned up = static_cast<unsigned>(56 - 8 * (index.limb[0] % 8));
    const std::int64_t extended = static_cast<std::int64_t>(v.limb[word] << up) >> up;
    const auto fill = static_cast<std::uint64_t>(extended >> 63);
    uint256 out;
    for (unsigned i = 0; i < 4; ++i)
      out.limb[i] = i < word ? v.limb[i] : i == word ? static_cast<std::uint64_t>(extended) : fill;
    return out;
  }
};
struct Lt {
  static uint256 of(const uint256& a, const uint256& b) { return truth(a, b) ? 1 : 0; }
  static bool truth(const uint256& a, const uint256& b) { return less(a, b); }
};
struct Gt {
  static uint256 of(const uint256& a, const uint256& b) { return truth(a, b) ? 1 : 0; }
  static bool truth(const uint256& a, const uint256& b) { return less(b, a); }
};
struct Slt {
  static uint256 of(const uint256& a, const uint256& b) { return truth(a, b) ? 1 : 0; }
  static bool truth(const uint256& a, const uint256& b) { return signed_less(a, b); }
};
struct Sgt {
  static uint256 of(const uint256& a, const uint256& b) { return truth(a, b) ? 1 : 0; }
  static bool truth(const uint256& a, const uint256& b) { return signed_less(b, a); }
};
struct Eq {
  static uint256 of(const uint256& a, const uint256& b) { return truth(a, b) ? 1 : 0; }
  static bool truth(const uint256& a, const uint256& b) { return (a ^ b).is_zero(); }
};
struct And {
  static uint256 of(const uint256& a, const uint256& b) { return a & b; }
};
struct Or {
  static uint256 of(const uint256& a, const uint256& b) { return a | b; }
};
struct Xor {
  static uint256 of(const uint256& a, const uint256& b) { return a ^ b; }
};
struct ByteAt {
  static uint256 of(const uint256& index, const uint256& v) {
    if (!index.fits_u64() || index.limb[0] >= 32) return {};
    const std::uint64_t bit = 8 * (31 - index.limb[0]);
    return v.limb[bit / 64] >> (bit % 64) & 0xff;
  }
};
struct Shl {
  static uint256 of(const uint256& count, const uint256& v) {
    return count.fits_u64() ? shift_left(v, count.limb[0]) : uint256();
  }
};
struct Shr {
  static uint256 of(const uint256& count, const uint256& v) {
    return count.fits_u64() ? shift_right(v, count.limb[0]) : uint256();
  }
};
struct Sar {
  static uint256 of(const uint256& count, const uint256& v) { return shift_right(v, count.clamp_u64(), sign_fill(v)); }
};

[[nodiscard]] inline std::uint64_t leading_zeros(const uint256& v) { return 256 - v.bit_length(); }

/// EXP, with the powers of two that compilers emit for shifts done as shifts.
[[nodiscard]] inline uint256 power(const uint256& base, const uint256& exponent) {
  if (base.fits_u64() && exponent.fits_u64() && exponent.limb[0] < 256 && base.limb[0] > 1 &&
      (base.limb[0] & (base.limb[0] - 1)) == 0)
    return shift_left(1, exponent.limb[0] * static_cast<std::uint64_t>(__builtin_ctzll(base.limb[0])));
  return exp(base, exponent);
}

}  // namespace bonus::chain::evm::fast
