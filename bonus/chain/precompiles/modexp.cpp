// Precompile 0x05: base^exponent mod modulus over big-endian numbers of any length (EIP-198), by GMP.
// Prices: EIP-198 (Byzantium), EIP-2565 (Berlin), EIP-7883 with the bounds of EIP-7823 (Osaka).
#include <gmp.h>

#include <bit>

#include "bonus/base/uint256.hpp"
#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr std::size_t kHeader = 96;
constexpr std::uint64_t kOsakaMaxLength = 1024;  // EIP-7823, bytes.
/// A modulus of this many bytes costs more than 10^11 gas under every rule set: nobody pays that, and nothing of that
/// size is allocated for those who say they would.
constexpr std::uint64_t kMaxOperand = std::uint64_t{1} << 23;

uint256 length_at(BytesView input, std::size_t index) { return uint256::from_be(padded<32>(input, index * 32)); }

/// min(a * b, all ones).
Wide times(Wide a, Wide b) {
  Wide out = 0;
  return __builtin_mul_overflow(a, b, &out) ? ~Wide{0} : out;
}

/// EIP-198's multiplication complexity: quadratic, then between that and Karatsuba's.
Wide complexity_198(Wide x) {
  if (x <= 64) return x * x;
  if (x <= 1024) return x * x / 4 + 96 * x - 3072;
  return times(x, x) / 16 + 480 * x - 199680;
}

/// Position of the exponent's highest bit (0 for zero) as far as its first 32 bytes tell, plus `per_byte` for each
/// byte after them.
Wide adjusted_exponent_length(BytesView input, std::uint64_t base_length, Wide length, unsigned per_byte) {
  const std::size_t head_size = length < 32 ? static_cast<std::size_t>(length) : 32;
  std::size_t at = kHeader;
  at = base_length > input.size() ? input.size() : at + static_cast<std::size_t>(base_length);
  auto head = padded<32>(input, at);
  const unsigned bits = uint256::from_be(BytesView(head).first(head_size)).bit_length();
  const Wide tail = length > 32 ? length - 32 : 0;
  return (bits == 0 ? 0 : bits - 1) + times(tail, per_byte);
}

class Number {
 public:
  Number() { mpz_init(value_); }
  ~Number() { mpz_clear(value_); }
  Number(const Number&) = delete;
  Number& operator=(const Number&) = delete;
  operator mpz_ptr() { return value_; }    // NOLINT(google-explicit-constructor): GMP's functions take it
  mpz_ptr operator->() { return value_; }  // and its macros this.

 private:
  mpz_t value_;
};

/// A number as the call data gives it: `digits` followed by `zeros` zero bytes.
struct Operand {
  BytesView digits;
  std::uint64_t zeros = 0;
};

Operand operand_at(BytesView input, std::uint64_t at, std::uint64_t length) {
  if (at >= input.size()) return {{}, 0};
  const std::uint64_t there = std::min<std::uint64_t>(length, input.size() - at);
  return {input.subspan(static_cast<std::size_t>(at), static_cast<std::size_t>(there)), length - there};
}

void read(mpz_ptr out, BytesView digits) { mpz_import(out, digits.size(), 1, 1, 1, 0, digits.data()); }

/// value := value * 2^(8 * zeros) mod modulus, without ever holding the zeros.
void shift_in(mpz_ptr value, std::uint64_t zeros, mpz_ptr modulus) {
  if (zeros == 0) return;
  Number shift;
  mpz_set_ui(shift, zeros);
  mpz_mul_2exp(shift, shift, 3);
  Number power;
  mpz_set_ui(power, 2);
  mpz_powm(power, power, shift, modulus);
  mpz_mul(value, value, power);
  mpz_mod(value, value, modulus);
}

}  // namespace

std::uint64_t modexp_price(BytesView input, Revision revision) {
  const uint256 base = length_at(input, 0);
  const uint256 exponent = length_at(input, 1);
  const uint256 modulus = length_at(input, 2);
  if (revision >= Revision::kOsaka) {
    for (const uint256* length : {&base, &exponent, &modulus})
      if (*length > uint256(kOsakaMaxLength)) return kNoPrice;
  }
  // Any of these alone is beyond 2^64 gas; an exponent this long is too, unless it multiplies nothing.
  if (!base.fits_u64() || !modulus.fits_u64()) return kNoPrice;
  const Wide exponent_length =
      exponent.bit_length() > 100 ? Wide{1} << 100 : Wide{exponent.limb[1]} << 64 | exponent.limb[0];

  const Wide longest = std::max(base.low64(), modulus.low64());
  const Wide words = (longest + 7) / 8;
  const unsigned per_byte = revision >= Revision::kOsaka ? 16 : 8;
  const Wide adjusted = adjusted_exponent_length(input, base.low64(), exponent_length, per_byte);
  const Wide iterations = std::max<Wide>(adjusted, 1);

  Wide price = 0;
  if (revision >= Revision::kOsaka) {
    price = std::max<Wide>(500, times(longest <= 32 ? Wide{16} : 2 * words * words, iterations));
  } else if (revision >= Revision::kBerlin) {
    price = std::max<Wide>(200, times(words * words, iterations) / 3);
  } else {
    price = times(complexity_198(longest), iterations) / 20;
  }
  return price > kNoPrice ? kNoPrice : static_cast<std::uint64_t>(price);
}

bool modexp(BytesView input, Bytes& output) {
  // Priced lengths: those of base and modulus fit 64 bits. The exponent's may not when the others are zero.
  const std::uint64_t base_length = length_at(input, 0).low64();
  const uint256 exponent_length = length_at(input, 1);
  const std::uint64_t modulus_length = length_at(input, 2).low64();
  if (modulus_length == 0) return true;
  if (base_length > kMaxOperand || modulus_length > kMaxOperand || !exponent_length.fits_u64()) return false;
  const std::uint64_t exponent_at = kHeader + base_length;
  const std::uint64_t modulus_at =
      exponent_length.low64() > input.size() ? input.size() : exponent_at + exponent_length.low64();
  const Operand base = operand_at(input, kHeader, base_length);
  const Operand exponent = operand_at(input, exponent_at, exponent_length.low64());
  const Operand modulus = operand_at(input, modulus_at, modulus_length);

  output.resize(static_cast<std::size_t>(modulus_length));
  Number m;
  read(m, modulus.digits);
  mpz_mul_2exp(m, m, static_cast<mp_bitcnt_t>(modulus.zeros * 8));
  if (mpz_cmp_ui(m, 1) <= 0) return true;  // Modulo 0 is 0 by EIP-198, modulo 1 by arithmetic.

  Number b;
  read(b, base.digits);
  mpz_mod(b, b, m);
  shift_in(b, base.zeros, m);
  Number e;
  read(e, exponent.digits);
  Number result;
  mpz_powm(result, b, e, m);
  // Each zero byte that the call data leaves out raises to the 256th power, so exponents of any length need no memory;
  // 0 and 1 stay what they are.
  for (std::uint64_t left = mpz_cmp_ui(e, 0) == 0 ? 0 : exponent.zeros; left > 0 && mpz_cmp_ui(result, 1) > 0;) {
    const std::uint64_t now = std::min<std::uint64_t>(left, 4096);
    mpz_set_ui(e, 1);
    mpz_mul_2exp(e, e, now * 8);
    mpz_powm(result, result, e, m);
    left -= now;
  }
  const std::size_t size = (mpz_sizeinbase(result, 2) + 7) / 8;
  if (mpz_cmp_ui(result, 0) != 0) mpz_export(output.data() + (output.size() - size), nullptr, 1, 1, 1, 0, result);
  return true;
}

}  // namespace bonus::chain::precompiles
