// Division (Knuth, TAOCP vol. 2, 4.3.1 algorithm D, quotient digits by Moeller & Granlund, "Improved division by
// invariant integers", 2011), the modular and signed operations built on it, and text of uint256.
#include "bonus/base/uint256.hpp"

#include <fmt/format.h>

#include <cassert>
#include <span>

namespace bonus {
namespace {

using detail::uint128;
using Limb = std::uint64_t;

constexpr uint128 join(Limb high, Limb low) { return static_cast<uint128>(high) << 64 | low; }
constexpr Limb high_of(uint128 v) { return static_cast<Limb>(v >> 64); }
constexpr Limb low_of(uint128 v) { return static_cast<Limb>(v); }

/// floor((2^128 - 1) / d) - 2^64 of a divisor whose top bit is set.
Limb reciprocal(Limb d) {
#if defined(__x86_64__)
  // The quotient fits a limb because ~d < d; the compiler cannot know and would call a 128-bit routine.
  Limb quotient = ~Limb{0};
  Limb remainder = ~d;
  asm("divq %2" : "+a"(quotient), "+d"(remainder) : "r"(d) : "cc");
  return quotient;
#else
  return low_of(join(~d, ~Limb{0}) / d);
#endif
}

/// Quotient and remainder of (u1, u0) / d, for u1 < d; v = reciprocal(d). Algorithm 4 of the paper.
Limb divide_2by1(Limb u1, Limb u0, Limb d, Limb v, Limb& remainder) {
  const uint128 estimate = static_cast<uint128>(v) * u1 + join(u1, u0);
  Limb q = high_of(estimate) + 1;
  Limb r = u0 - q * d;
  if (r > low_of(estimate)) {
    --q;
    r += d;
  }
  if (r >= d) [[unlikely]] {
    ++q;
    r -= d;
  }
  remainder = r;
  return q;
}

/// The reciprocal for 3-by-2 divisions. Algorithm 6 of the paper.
Limb reciprocal_3by2(Limb d1, Limb d0) {
  Limb v = reciprocal(d1);
  Limb p = d1 * v + d0;
  if (p < d0) {
    --v;
    if (p >= d1) {
      --v;
      p -= d1;
    }
    p -= d1;
  }
  const uint128 t = static_cast<uint128>(v) * d0;
  p += high_of(t);
  if (p < high_of(t)) {
    --v;
    if (join(p, low_of(t)) >= join(d1, d0)) --v;
  }
  return v;
}

/// Quotient of (u2, u1, u0) / (d1, d0), for (u2, u1) < (d1, d0). Algorithm 5 of the paper.
Limb divide_3by2(Limb u2, Limb u1, Limb u0, Limb d1, Limb d0, Limb v) {
  const uint128 estimate = static_cast<uint128>(v) * u2 + join(u2, u1);
  Limb q = high_of(estimate);
  const Limb r1 = u1 - q * d1;
  uint128 r = join(r1, u0) - static_cast<uint128>(d0) * q - join(d1, d0);
  ++q;
  if (high_of(r) >= low_of(estimate)) {
    --q;
    r += join(d1, d0);
  }
  if (r >= join(d1, d0)) [[unlikely]]
    ++q;
  return q;
}

/// u -= d * q over d.size() limbs; what is left to subtract from the limb above.
Limb subtract_product(Limb* u, std::span<const Limb> d, Limb q) {
  Limb carry = 0;
  for (std::size_t i = 0; i < d.size(); ++i) {
    const uint128 product = static_cast<uint128>(d[i]) * q + carry;
    carry = high_of(product) + (u[i] < low_of(product) ? 1U : 0U);
    u[i] -= low_of(product);
  }
  return carry;
}

/// u += d; the carry out.
Limb add_back(Limb* u, std::span<const Limb> d) {
  unsigned long long carry = 0;
  for (std::size_t i = 0; i < d.size(); ++i) u[i] = detail::add_carry(u[i], d[i], carry);
  return carry;
}

constexpr std::size_t kMaxLimbs = 8;
struct LongDivision {
  std::array<Limb, kMaxLimbs> quotient{};
  uint256 remainder;
};

/// Divides up to eight limbs by a divisor that is not zero.
LongDivision divide(std::span<const Limb> numerator, const uint256& divisor) {
  assert(!divisor.is_zero() && numerator.size() <= kMaxLimbs);
  LongDivision out;
  const unsigned bits = divisor.bit_length();
  const unsigned shift = (64 - bits % 64) % 64;
  const std::size_t n = (bits + 63) / 64;
  const uint256 scaled = divisor << shift;
  const std::span<const Limb> d(scaled.limb.data(), n);

  std::size_t length = numerator.size();
  while (length > 0 && numerator[length - 1] == 0) --length;
  if (length < n) {
    for (std::size_t i = 0; i < length; ++i) out.remainder.limb[i] = numerator[i];
    return out;
  }
  std::array<Limb, kMaxLimbs + 1> u{};
  for (std::size_t i = 0; i < length; ++i) {
    u[i] |= numerator[i] << shift;
    if (shift != 0) u[i + 1] = numerator[i] >> (64 - shift);
  }

  if (n == 1) {
    const Limb v = reciprocal(d[0]);
    Limb rest = u[length];
    for (std::size_t j = length; j-- > 0;) out.quotient[j] = divide_2by1(rest, u[j], d[0], v, rest);
    out.remainder = uint256(rest >> shift);
    return out;
  }
  const Limb d1 = d[n - 1];
  const Limb d0 = d[n - 2];
  const Limb v = reciprocal_3by2(d1, d0);
  for (std::size_t j = length - n + 1; j-- > 0;) {
    const Limb u2 = u[j + n];
    const Limb u1 = u[j + n - 1];
    Limb q = join(u2, u1) == join(d1, d0) ? ~Limb{0} : divide_3by2(u2, u1, u[j + n - 2], d1, d0, v);
    const Limb over = subtract_product(&u[j], d, q);
    Limb top = u2 - over;
    while (u2 < over && top != 0) {  // The digit was too large: seldom, and at most twice.
      --q;
      top += add_back(&u[j], d);
    }
    u[j + n] = 0;
    out.quotient[j] = q;
  }
  uint256 rest;
  for (std::size_t i = 0; i < n; ++i) rest.limb[i] = u[i];
  out.remainder = rest >> shift;
  return out;
}

uint256 low_limbs(const std::array<Limb, kMaxLimbs>& in) { return {in[3], in[2], in[1], in[0]}; }

std::array<Limb, kMaxLimbs> full_product(const uint256& a, const uint256& b) {
  std::array<Limb, kMaxLimbs> out{};
  for (std::size_t i = 0; i < 4; ++i) {
    Limb carry = 0;
    for (std::size_t j = 0; j < 4; ++j) {
      const uint128 t = static_cast<uint128>(a.limb[i]) * b.limb[j] + out[i + j] + carry;
      out[i + j] = low_of(t);
      carry = high_of(t);
    }
    out[i + 4] = carry;
  }
  return out;
}

bool negative(const uint256& a) { return (a.limb[3] >> 63) != 0; }
uint256 negate(const uint256& a) { return uint256() - a; }
uint256 magnitude(const uint256& a) { return negative(a) ? negate(a) : a; }

Result<uint256> parse_hex(std::string_view digits) {
  if (digits.empty()) return fail(ErrorCode::kInvalid, "number has no digits after 0x");
  uint256 out;
  for (const char c : digits) {
    const unsigned value = c >= '0' && c <= '9'   ? static_cast<unsigned>(c - '0')
                           : c >= 'a' && c <= 'f' ? static_cast<unsigned>(c - 'a') + 10
                           : c >= 'A' && c <= 'F' ? static_cast<unsigned>(c - 'A') + 10
                                                  : 16;
    if (value == 16) return fail(ErrorCode::kInvalid, "number has a character that is not a hexadecimal digit");
    if ((out.limb[3] >> 60) != 0) return fail(ErrorCode::kInvalid, "number does not fit in 256 bits");
    out = (out << 4) | uint256(value);
  }
  return out;
}

}  // namespace

DivMod div_mod(const uint256& a, const uint256& b) {
  if (b.is_zero()) return {};
  if (a < b) return {{}, a};
  if (a.fits_u64()) return {uint256(a.limb[0] / b.limb[0]), uint256(a.limb[0] % b.limb[0])};
  const LongDivision out = divide(a.limb, b);
  return {low_limbs(out.quotient), out.remainder};
}

uint256 operator/(const uint256& a, const uint256& b) { return div_mod(a, b).quotient; }
uint256 operator%(const uint256& a, const uint256& b) { return div_mod(a, b).remainder; }

bool mul_overflows(const uint256& a, const uint256& b, uint256& product) {
  const auto wide = full_product(a, b);
  product = low_limbs(wide);
  return (wide[4] | wide[5] | wide[6] | wide[7]) != 0;
}

uint256 mul_div(const uint256& a, const uint256& b, const uint256& c) {
  if (c.is_zero()) return {};
  return low_limbs(divide(full_product(a, b), c).quotient);
}

uint256 add_mod(const uint256& a, const uint256& b, const uint256& m) {
  if (m.is_zero()) return {};
  uint256 sum;
  const bool carry = add_overflows(a, b, sum);
  if (!carry) return sum % m;
  const std::array<Limb, 5> wide{sum.limb[0], sum.limb[1], sum.limb[2], sum.limb[3], 1};
  return divide(wide, m).remainder;
}

uint256 mul_mod(const uint256& a, const uint256& b, const uint256& m) {
  if (m.is_zero()) return {};
  return divide(full_product(a, b), m).remainder;
}

uint256 exp(const uint256& base, const uint256& exponent) {
  uint256 out(1);
  for (unsigned bit = exponent.bit_length(); bit-- > 0;) {
    out = out * out;
    if ((exponent.limb[bit / 64] >> (bit % 64) & 1) != 0) out = out * base;
  }
  return out;
}

uint256 sdiv(const uint256& a, const uint256& b) {
  const uint256 quotient = magnitude(a) / magnitude(b);
  return negative(a) != negative(b) ? negate(quotient) : quotient;
}

uint256 smod(const uint256& a, const uint256& b) {
  const uint256 remainder = magnitude(a) % magnitude(b);
  return negative(a) ? negate(remainder) : remainder;
}

uint256 sar(const uint256& a, unsigned bits) {
  if (!negative(a)) return a >> bits;
  return ~(~a >> bits);
}

uint256 sign_extend(const uint256& byte_index, const uint256& value) {
  if (!byte_index.fits_u64() || byte_index.low64() >= 31) return value;
  const unsigned unused = 256 - 8 * (static_cast<unsigned>(byte_index.low64()) + 1);
  return sar(value << unused, unused);
}

Hash32 uint256::to_be() const {
  Hash32 out;
  for (std::size_t i = 0; i < 4; ++i) {
    const std::uint64_t swapped = __builtin_bswap64(limb[3 - i]);
    std::memcpy(&out.bytes[8 * i], &swapped, 8);
  }
  return out;
}

uint256 uint256::from_be(BytesView in) {
  if (in.size() > 32) in = in.last(32);
  std::array<std::uint8_t, 32> padded{};
  std::ranges::copy(in, padded.end() - static_cast<std::ptrdiff_t>(in.size()));
  uint256 out;
  for (std::size_t i = 0; i < 4; ++i) {
    std::uint64_t raw = 0;
    std::memcpy(&raw, &padded[8 * i], 8);
    out.limb[3 - i] = __builtin_bswap64(raw);
  }
  return out;
}

std::string uint256::to_decimal() const {
  constexpr std::uint64_t kChunk = 10'000'000'000'000'000'000ULL;  // 19 digits, the most that a limb holds.
  if (fits_u64()) return fmt::format("{}", limb[0]);
  const DivMod parts = div_mod(*this, uint256(kChunk));
  return parts.quotient.to_decimal() + fmt::format("{:019}", parts.remainder.low64());
}

std::string uint256::to_quantity() const {
  std::string out = "0x";
  if (is_zero()) return out + "0";
  for (unsigned digit = (bit_length() + 3) / 4; digit-- > 0;) {
    out.push_back("0123456789abcdef"[limb[digit / 16] >> (4 * (digit % 16)) & 15]);
  }
  return out;
}

Result<uint256> uint256::parse(std::string_view text) {
  if (text.starts_with("0x") || text.starts_with("0X")) return parse_hex(text.substr(2));
  if (text.empty()) return fail(ErrorCode::kInvalid, "number is empty");
  uint256 out;
  for (const char c : text) {
    if (c < '0' || c > '9') return fail(ErrorCode::kInvalid, "number has a character that is not a decimal digit");
    uint256 scaled;
    if (mul_overflows(out, uint256(10), scaled) || add_overflows(scaled, uint256(static_cast<unsigned>(c - '0')), out))
      return fail(ErrorCode::kInvalid, "number does not fit in 256 bits");
  }
  return out;
}

}  // namespace bonus
