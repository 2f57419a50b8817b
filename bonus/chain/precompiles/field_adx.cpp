// The assembly behind field_adx.hpp.
#include "bonus/chain/precompiles/field_adx.hpp"

#if defined(__x86_64__)

#include <array>

#include "bonus/chain/precompiles/field.hpp"

namespace bonus::chain::precompiles::adx {

namespace {

bool supported() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("bmi2") != 0 && __builtin_cpu_supports("adx") != 0;
}

// Operand names: a, b, p: pointers; x, y: scratch; rdx: the factor of mulx. Rows are t0 (lowest) upwards.

// t0 .. := a * rdx, highest word in the last register.
#define FIRST(lo, hi) "mulxq 0(%[a]), %[" #lo "], %[" #hi "]\n"
#define FIRST_NEXT(offset, at, hi)        \
  "mulxq " #offset "(%[a]), %[x], %[" #hi \
  "]\n"                                   \
  "adoxq %[x], %[" #at "]\n"
#define FIRST_END(hi) \
  "movl $0, %k[x]\n"  \
  "adoxq %[x], %[" #hi "]\n"

// t += a * rdx; `hi` is the new highest word. Low halves go along OF, high halves along CF.
#define ROW(at, hi)             \
  "mulxq 0(%[a]), %[x], %[" #hi \
  "]\n"                         \
  "adoxq %[x], %[" #at "]\n"
#define ROW_NEXT(offset, at, hi)          \
  "adcxq %[" #hi "], %[" #at              \
  "]\n"                                   \
  "mulxq " #offset "(%[a]), %[x], %[" #hi \
  "]\n"                                   \
  "adoxq %[x], %[" #at "]\n"
#define ROW_END(hi)    \
  "movl $0, %k[x]\n"   \
  "adcxq %[x], %[" #hi \
  "]\n"                \
  "adoxq %[x], %[" #hi "]\n"

// t := (t + m * p) / 2^64 with the m that makes the lowest word vanish.
#define CANCEL(t0)              \
  "movq %[t0_factor], %%rdx\n"  \
  "imulq %[" #t0                \
  "], %%rdx\n"                  \
  "xorl %k[x], %k[x]\n"         \
  "mulxq 0(%[p]), %[x], %[y]\n" \
  "adcxq %[" #t0                \
  "], %[x]\n"                   \
  "movq %[y], %[" #t0 "]\n"
#define CANCEL_NEXT(offset, below, at)    \
  "adcxq %[" #at "], %[" #below           \
  "]\n"                                   \
  "mulxq " #offset "(%[p]), %[x], %[" #at \
  "]\n"                                   \
  "adoxq %[x], %[" #below "]\n"

#define LOAD_FACTOR(offset) \
  "movq " #offset           \
  "(%[b]), %%rdx\n"         \
  "xorl %k[x], %k[x]\n"

#define FIRST4(t0, t1, t2, t3, t4) \
  LOAD_FACTOR(0) FIRST(t0, t1) FIRST_NEXT(8, t1, t2) FIRST_NEXT(16, t2, t3) FIRST_NEXT(24, t3, t4) FIRST_END(t4)
#define ROW4(offset, t0, t1, t2, t3, t4) \
  LOAD_FACTOR(offset) ROW(t0, t4) ROW_NEXT(8, t1, t4) ROW_NEXT(16, t2, t4) ROW_NEXT(24, t3, t4) ROW_END(t4)
#define CANCEL4(t0, t1, t2, t3) CANCEL(t0) CANCEL_NEXT(8, t0, t1) CANCEL_NEXT(16, t1, t2) CANCEL_NEXT(24, t2, t3)
#define FIRST6(t0, t1, t2, t3, t4, t5, t6) \
  LOAD_FACTOR(0)                           \
  FIRST(t0, t1)                            \
  FIRST_NEXT(8, t1, t2)                    \
  FIRST_NEXT(16, t2, t3) FIRST_NEXT(24, t3, t4) FIRST_NEXT(32, t4, t5) FIRST_NEXT(40, t5, t6) FIRST_END(t6)
#define ROW6(offset, t0, t1, t2, t3, t4, t5, t6) \
  LOAD_FACTOR(offset)                            \
  ROW(t0, t6)                                    \
  ROW_NEXT(8, t1, t6) ROW_NEXT(16, t2, t6) ROW_NEXT(24, t3, t6) ROW_NEXT(32, t4, t6) ROW_NEXT(40, t5, t6) ROW_END(t6)
#define CANCEL6(t0, t1, t2, t3, t4, t5) \
  CANCEL(t0)                            \
  CANCEL_NEXT(8, t0, t1) CANCEL_NEXT(16, t1, t2) CANCEL_NEXT(24, t2, t3) CANCEL_NEXT(32, t3, t4) CANCEL_NEXT(40, t4, t5)

// The carries of both chains after CANCEL, plus the row's highest word if there is one.
#define CANCEL_END(top) \
  "movl $0, %k[x]\n"    \
  "adcxq %[x], %[" #top \
  "]\n"                 \
  "adoxq %[x], %[" #top "]\n"
#define CANCEL_END_WITH(top, hi) \
  "movl $0, %k[x]\n"             \
  "adcxq %[x], %[" #top          \
  "]\n"                          \
  "adoxq %[" #hi "], %[" #top "]\n"

#define STEP4(offset) ROW4(offset, t0, t1, t2, t3, t4) CANCEL4(t0, t1, t2, t3) CANCEL_END_WITH(t3, t4)
#define STEP6(offset) ROW6(offset, t0, t1, t2, t3, t4, t5, t6) CANCEL6(t0, t1, t2, t3, t4, t5) CANCEL_END_WITH(t5, t6)
#define STORE(offset, t) "movq %[" #t "], " #offset "(%[out])\n"

template <std::size_t N>
void store_reduced(Word* out, const Limbs<N>& value, const Word* modulus) {
  Limbs<N> p{};
  for (std::size_t i = 0; i < N; ++i) p[i] = modulus[i];
  const Limbs<N> reduced = reduce_once(value, p);
  for (std::size_t i = 0; i < N; ++i) out[i] = reduced[i];
}

}  // namespace

const bool kAvailable = supported();

void multiply_reduced4(Word* out, const Word* a, const Word* b, const Word* modulus, Word negative_inverse) {
  Word t0, t1, t2, t3, t4, x, y;
  asm(FIRST4(t0, t1, t2, t3, t4) CANCEL4(t0, t1, t2, t3) CANCEL_END_WITH(t3, t4) STEP4(8) STEP4(16) STEP4(24)
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [x] "=&r"(x), [y] "=&r"(y)
      : [a] "r"(a), [b] "r"(b), [p] "r"(modulus), [t0_factor] "m"(negative_inverse)
      : "rdx", "cc", "memory");
  store_reduced<4>(out, {t0, t1, t2, t3}, modulus);
}

void multiply_reduced6(Word* out, const Word* a, const Word* b, const Word* modulus, Word negative_inverse) {
  Word t0, t1, t2, t3, t4, t5, t6, x, y;
  asm(FIRST6(t0, t1, t2, t3, t4, t5, t6) CANCEL6(t0, t1, t2, t3, t4, t5) CANCEL_END_WITH(t5, t6) STEP6(8) STEP6(16)
          STEP6(24) STEP6(32) STEP6(40)
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [t5] "=&r"(t5), [t6] "=&r"(t6),
        [x] "=&r"(x), [y] "=&r"(y)
      : [a] "r"(a), [b] "r"(b), [p] "r"(modulus), [t0_factor] "m"(negative_inverse)
      : "rdx", "cc", "memory");
  store_reduced<6>(out, {t0, t1, t2, t3, t4, t5}, modulus);
}

void multiply4(Word* out, const Word* a, const Word* b) {
  Word t0, t1, t2, t3, t4, x;
  // The registers' roles turn by one with each row.
  asm(FIRST4(t0, t1, t2, t3, t4) STORE(0, t0) ROW4(8, t1, t2, t3, t4, t0) STORE(8, t1) ROW4(16, t2, t3, t4, t0, t1)
          STORE(16, t2) ROW4(24, t3, t4, t0, t1, t2) STORE(24, t3) STORE(32, t4) STORE(40, t0) STORE(48, t1)
              STORE(56, t2)
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [x] "=&r"(x)
      : [a] "r"(a), [b] "r"(b), [out] "r"(out)
      : "rdx", "cc", "memory");
}

void multiply6(Word* out, const Word* a, const Word* b) {
  Word t0, t1, t2, t3, t4, t5, t6, x;
  asm(FIRST6(t0, t1, t2, t3, t4, t5, t6) STORE(0, t0) ROW6(8, t1, t2, t3, t4, t5, t6, t0) STORE(8, t1)
          ROW6(16, t2, t3, t4, t5, t6, t0, t1) STORE(16, t2) ROW6(24, t3, t4, t5, t6, t0, t1, t2) STORE(24, t3)
              ROW6(32, t4, t5, t6, t0, t1, t2, t3) STORE(32, t4) ROW6(40, t5, t6, t0, t1, t2, t3, t4) STORE(40, t5)
                  STORE(48, t6) STORE(56, t0) STORE(64, t1) STORE(72, t2) STORE(80, t3) STORE(88, t4)
      : [t0] "=&r"(t0), [t1] "=&r"(t1), [t2] "=&r"(t2), [t3] "=&r"(t3), [t4] "=&r"(t4), [t5] "=&r"(t5), [t6] "=&r"(t6),
        [x] "=&r"(x)
      : [a] "r"(a), [b] "r"(b), [out] "r"(out)
      : "rdx", "cc", "memory");
}

// Only the lower half takes part in the steps; the upper half is added to what they leave.

void reduce4(Word* out, const Word* in, const Word* modulus, Word negative_inverse) {
  Word t0 = in[0], t1 = in[1], t2 = in[2], t3 = in[3], x, y;
#define STEP CANCEL4(t0, t1, t2, t3) CANCEL_END(t3)
  asm(STEP STEP STEP STEP
      : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [x] "=&r"(x), [y] "=&r"(y)
      : [p] "r"(modulus), [t0_factor] "m"(negative_inverse)
      : "rdx", "cc", "memory");
#undef STEP
  Limbs<4> sum{t0, t1, t2, t3};
  (void)add_to(sum, {in[4], in[5], in[6], in[7]});
  store_reduced<4>(out, sum, modulus);
}

void reduce6(Word* out, const Word* in, const Word* modulus, Word negative_inverse) {
  Word t0 = in[0], t1 = in[1], t2 = in[2], t3 = in[3], t4 = in[4], t5 = in[5], x, y;
#define STEP CANCEL6(t0, t1, t2, t3, t4, t5) CANCEL_END(t5)
  asm(STEP STEP STEP STEP STEP STEP
      : [t0] "+&r"(t0), [t1] "+&r"(t1), [t2] "+&r"(t2), [t3] "+&r"(t3), [t4] "+&r"(t4), [t5] "+&r"(t5), [x] "=&r"(x),
        [y] "=&r"(y)
      : [p] "r"(modulus), [t0_factor] "m"(negative_inverse)
      : "rdx", "cc", "memory");
#undef STEP
  Limbs<6> sum{t0, t1, t2, t3, t4, t5};
  (void)add_to(sum, {in[6], in[7], in[8], in[9], in[10], in[11]});
  store_reduced<6>(out, sum, modulus);
}

namespace {

template <std::size_t N, auto kMultiply, auto kReduce>
inline void multiply_pairs(Word* out, const Word* a, const Word* b, const Word* modulus, Word negative_inverse) {
  Limbs<N> p{};
  Limbs<N> sum_a{};
  Limbs<N> sum_b{};
  for (std::size_t i = 0; i < N; ++i) {
    p[i] = modulus[i];
    sum_a[i] = a[i + N];
    sum_b[i] = b[i + N];
  }
  Word carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) sum_a[i] = add_carry(sum_a[i], a[i], carry);
  carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) sum_b[i] = add_carry(sum_b[i], b[i], carry);
  Limbs<2 * N> real;
  Limbs<2 * N> other;
  Limbs<2 * N> cross;
  kMultiply(real.data(), a, b);
  kMultiply(other.data(), a + N, b + N);
  kMultiply(cross.data(), sum_a.data(), sum_b.data());
  (void)sub_from(cross, real);
  (void)sub_from(cross, other);
  const Word mask = Word{0} - sub_from(real, other);
  carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) real[i + N] = add_carry(real[i + N], p[i] & mask, carry);
  kReduce(out, real.data(), modulus, negative_inverse);
  kReduce(out + N, cross.data(), modulus, negative_inverse);
}

template <std::size_t N, auto kMultiplyReduced>
inline void square_pair(Word* out, const Word* a, const Word* modulus, Word negative_inverse) {
  // (a0 + a1) (a0 - a1) and 2 a0 a1, of factors below twice the modulus p: their products stay below 4 p^2, which is
  // below p 2^(64 N), as the reduction wants it.
  Limbs<N> sum;
  Limbs<N> difference;
  Limbs<N> twice;
  Word carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) sum[i] = add_carry(a[i], a[i + N], carry);
  carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) twice[i] = add_carry(a[i], a[i], carry);
  Word borrow = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) difference[i] = sub_borrow(modulus[i], a[i + N], borrow);
  carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) difference[i] = add_carry(difference[i], a[i], carry);
  kMultiplyReduced(out + N, twice.data(), a + N, modulus, negative_inverse);
  kMultiplyReduced(out, sum.data(), difference.data(), modulus, negative_inverse);
}

}  // namespace

void multiply_pairs4(Word* out, const Word* a, const Word* b, const Word* modulus, Word negative_inverse) {
  multiply_pairs<4, multiply4, reduce4>(out, a, b, modulus, negative_inverse);
}
void multiply_pairs6(Word* out, const Word* a, const Word* b, const Word* modulus, Word negative_inverse) {
  multiply_pairs<6, multiply6, reduce6>(out, a, b, modulus, negative_inverse);
}

void square_pair4(Word* out, const Word* a, const Word* modulus, Word negative_inverse) {
  square_pair<4, multiply_reduced4>(out, a, modulus, negative_inverse);
}
void square_pair6(Word* out, const Word* a, const Word* modulus, Word negative_inverse) {
  square_pair<6, multiply_reduced6>(out, a, modulus, negative_inverse);
}

}  // namespace bonus::chain::precompiles::adx

#endif
