// Arithmetic by definition.
#include "bonus/chain/evm/plain_math.hpp"

#include <array>

#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::evm::plain {
namespace {

/// Little-endian digits of 32 bits; room for a product of two words.
using Digits = std::array<std::uint32_t, 17>;

Digits digits_of(const uint256& v) {
  Digits out{};
  for (unsigned i = 0; i < 8; ++i) out[i] = static_cast<std::uint32_t>(v.limb[i / 2] >> (32 * (i % 2)));
  return out;
}
uint256 word_of(const Digits& d) {
  uint256 out;
  for (unsigned i = 0; i < 8; ++i) out.limb[i / 2] |= static_cast<std::uint64_t>(d[i]) << (32 * (i % 2));
  return out;
}
bool bit(const Digits& d, unsigned i) { return (d[i / 32] >> (i % 32) & 1) != 0; }

Digits multiply(const Digits& a, const Digits& b) {
  Digits out{};
  for (unsigned i = 0; i < 8; ++i) {
    std::uint64_t carry = 0;
    for (unsigned j = 0; j < 8; ++j) {
      const std::uint64_t t = static_cast<std::uint64_t>(a[i]) * b[j] + out[i + j] + carry;
      out[i + j] = static_cast<std::uint32_t>(t);
      carry = t >> 32;
    }
    out[i + 8] = static_cast<std::uint32_t>(carry);
  }
  return out;
}

Digits add(const Digits& a, const Digits& b) {
  Digits out{};
  std::uint64_t carry = 0;
  for (unsigned i = 0; i < out.size(); ++i) {
    const std::uint64_t t = static_cast<std::uint64_t>(a[i]) + b[i] + carry;
    out[i] = static_cast<std::uint32_t>(t);
    carry = t >> 32;
  }
  return out;
}

bool less(const Digits& a, const Digits& b) {
  for (std::size_t i = a.size(); i-- > 0;)
    if (a[i] != b[i]) return a[i] < b[i];
  return false;
}

Digits subtract(const Digits& a, const Digits& b) {
  Digits out{};
  std::int64_t borrow = 0;
  for (unsigned i = 0; i < out.size(); ++i) {
    const std::int64_t t = static_cast<std::int64_t>(a[i]) - b[i] - borrow;
    borrow = t < 0 ? 1 : 0;
    out[i] = static_cast<std::uint32_t>(t);
  }
  return out;
}

struct Division {
  Digits quotient{}, remainder{};
};
/// School division in base 2. `b` is not zero.
Division divide(const Digits& a, const Digits& b) {
  Division out;
  for (unsigned i = 512; i-- > 0;) {
    out.remainder = add(out.remainder, out.remainder);
    if (bit(a, i)) out.remainder[0] |= 1;
    if (!less(out.remainder, b)) {
      out.remainder = subtract(out.remainder, b);
      out.quotient[i / 32] |= 1U << (i % 32);
    }
  }
  return out;
}

bool negative(const uint256& v) { return v.limb[3] >> 63 != 0; }
uint256 negate(const uint256& v) { return word_of(subtract(Digits{}, digits_of(v))); }
uint256 magnitude(const uint256& v) { return negative(v) ? negate(v) : v; }

uint256 quotient(const uint256& a, const uint256& b) {
  return b.is_zero() ? uint256() : word_of(divide(digits_of(a), digits_of(b)).quotient);
}
uint256 remainder(const Digits& a, const uint256& b) {
  return b.is_zero() ? uint256() : word_of(divide(a, digits_of(b)).remainder);
}

uint256 power(const uint256& base, const uint256& exponent) {
  Digits out = digits_of(uint256(1));
  const Digits e = digits_of(exponent);
  for (unsigned i = 256; i-- > 0;) {
    out = digits_of(word_of(multiply(out, out)));
    if (bit(e, i)) out = digits_of(word_of(multiply(out, digits_of(base))));
  }
  return word_of(out);
}

uint256 from_bits(const auto& bit_at) {
  uint256 out;
  for (unsigned i = 0; i < 256; ++i)
    if (bit_at(i)) out.limb[i / 64] |= std::uint64_t{1} << (i % 64);
  return out;
}

uint256 extend(const uint256& index, const uint256& value) {
  if (!index.fits_u64() || index.limb[0] >= 31) return value;
  const Digits d = digits_of(value);
  const unsigned sign = static_cast<unsigned>(index.limb[0]) * 8 + 7;
  return from_bits([&](unsigned i) { return bit(d, std::min(i, sign)); });
}

uint256 byte_at(const uint256& index, const uint256& value) {
  if (!index.fits_u64() || index.limb[0] >= 32) return {};
  return value.to_be().bytes[static_cast<std::size_t>(index.limb[0])];
}

uint256 shift(std::uint8_t op, const uint256& count, const uint256& value) {
  const Digits d = digits_of(value);
  const unsigned n = count.fits_u64() && count.limb[0] < 256 ? static_cast<unsigned>(count.limb[0]) : 256;
  if (op == OP_SHL) return from_bits([&](unsigned i) { return i >= n && bit(d, i - n); });
  const bool fill = op == OP_SAR && negative(value);
  return from_bits([&](unsigned i) { return i + n < 256 ? bit(d, i + n) : fill; });
}

uint256 leading_zeros(const uint256& value) {
  const Digits d = digits_of(value);
  std::uint64_t out = 0;
  for (unsigned i = 256; i-- > 0 && !bit(d, i);) ++out;
  return out;
}

uint256 truth(bool value) { return value ? 1 : 0; }

bool signed_less(const uint256& a, const uint256& b) {
  if (negative(a) != negative(b)) return negative(a);
  return less(digits_of(a), digits_of(b));
}

}  // namespace

uint256 compute(std::uint8_t op, const uint256& a, const uint256& b, const uint256& c) {
  const Digits x = digits_of(a);
  const Digits y = digits_of(b);
  switch (op) {
    case OP_ADD:
      return word_of(add(x, y));
    case OP_MUL:
      return word_of(multiply(x, y));
    case OP_SUB:
      return word_of(subtract(x, y));
    case OP_DIV:
      return quotient(a, b);
    case OP_SDIV: {
      const uint256 q = quotient(magnitude(a), magnitude(b));
      return negative(a) != negative(b) ? negate(q) : q;
    }
    case OP_MOD:
      return remainder(x, b);
    case OP_SMOD: {
      const uint256 r = remainder(digits_of(magnitude(a)), magnitude(b));
      return negative(a) ? negate(r) : r;
    }
    case OP_ADDMOD:
      return remainder(add(x, y), c);
    case OP_MULMOD:
      return remainder(multiply(x, y), c);
    case OP_EXP:
      return power(a, b);
    case OP_SIGNEXTEND:
      return extend(a, b);
    case OP_LT:
      return truth(less(x, y));
    case OP_GT:
      return truth(less(y, x));
    case OP_SLT:
      return truth(signed_less(a, b));
    case OP_SGT:
      return truth(signed_less(b, a));
    case OP_EQ:
      return truth(x == y);
    case OP_ISZERO:
      return truth(x == Digits{});
    case OP_AND:
      return from_bits([&](unsigned i) { return bit(x, i) && bit(y, i); });
    case OP_OR:
      return from_bits([&](unsigned i) { return bit(x, i) || bit(y, i); });
    case OP_XOR:
      return from_bits([&](unsigned i) { return bit(x, i) != bit(y, i); });
    case OP_NOT:
      return from_bits([&](unsigned i) { return !bit(x, i); });
    case OP_BYTE:
      return byte_at(a, b);
    case OP_SHL:
    case OP_SHR:
    case OP_SAR:
      return shift(op, a, b);
    case OP_CLZ:
      return leading_zeros(a);
    default:
      return {};
  }
}

}  // namespace bonus::chain::evm::plain
