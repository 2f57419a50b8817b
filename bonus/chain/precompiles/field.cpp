// Modular inversion of limbs by GMP.
#include "bonus/chain/precompiles/field.hpp"

#include <gmp.h>

#include <algorithm>

namespace bonus::chain::precompiles {

static_assert(GMP_NUMB_BITS == 64 && sizeof(mp_limb_t) == sizeof(Word), "limbs are shared with GMP");

void invert_limbs(std::span<const Word> value, std::span<const Word> modulus, std::span<Word> out) {
  mpz_t v;
  mpz_t m;
  mpz_roinit_n(v, value.data(), static_cast<mp_size_t>(value.size()));
  mpz_roinit_n(m, modulus.data(), static_cast<mp_size_t>(modulus.size()));
  mpz_t inverse;
  mpz_init2(inverse, modulus.size() * 64 + 64);
  mpz_invert(inverse, v, m);
  std::ranges::fill(out, 0);
  std::copy_n(mpz_limbs_read(inverse), mpz_size(inverse), out.begin());
  mpz_clear(inverse);
}

}  // namespace bonus::chain::precompiles
