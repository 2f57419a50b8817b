// Prime fields in Montgomery form (Montgomery 1985; CIOS of Koc, Acar, Kaliski 1996, without the spare word, which a
// modulus with two free top bits does not need). Variable time: everything here works on public inputs.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>

#include "bonus/base/bytes.hpp"
#include "bonus/chain/precompiles/field_adx.hpp"

namespace bonus::chain::precompiles {

using Word = std::uint64_t;
__extension__ using Wide = unsigned __int128;
/// Little-endian words.
template <std::size_t N>
using Limbs = std::array<Word, N>;

/// Hexadecimal digits (any count that fits) as limbs, at compile time.
template <std::size_t N>
[[nodiscard]] consteval Limbs<N> limbs_from_hex(std::string_view digits) {
  Limbs<N> out{};
  for (std::size_t i = 0; i < digits.size(); ++i) {
    const char c = digits[digits.size() - 1 - i];
    const auto nibble = static_cast<Word>(c <= '9' ? c - '0' : c - 'a' + 10);
    out[i / 16] |= nibble << (i % 16 * 4);
  }
  return out;
}

// The compiler's own carries become add-with-carry chains; it does not know them at compile time.
[[nodiscard]] constexpr Word add_carry(Word a, Word b, Word& carry) {
  if consteval {
    const Wide sum = Wide{a} + b + carry;
    carry = static_cast<Word>(sum >> 64);
    return static_cast<Word>(sum);
  } else {
    return __builtin_addcl(a, b, carry, &carry);
  }
}
[[nodiscard]] constexpr Word sub_borrow(Word a, Word b, Word& borrow) {
  if consteval {
    const Wide difference = Wide{a} - b - borrow;
    borrow = static_cast<Word>(difference >> 64) & 1;
    return static_cast<Word>(difference);
  } else {
    return __builtin_subcl(a, b, borrow, &borrow);
  }
}
/// a + b * c + carry; the high word becomes the carry. Cannot overflow.
[[nodiscard]] constexpr Word mul_add(Word a, Word b, Word c, Word& carry) {
  const Wide sum = Wide{b} * c + a + carry;
  carry = static_cast<Word>(sum >> 64);
  return static_cast<Word>(sum);
}
/// t += a * b, where t has at least N + 1 words from `t` on and the sum fits those N + 1.
template <std::size_t N>
constexpr void add_product(Word* t, const Limbs<N>& a, Word b) {
  // All products first: a multiplication destroys the carry flag that the two chains of additions hand on.
  Limbs<N> low{};
  Limbs<N> high{};
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) {
    const Wide product = Wide{a[i]} * b;
    low[i] = static_cast<Word>(product);
    high[i] = static_cast<Word>(product >> 64);
  }
  Word carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) t[i] = add_carry(t[i], low[i], carry);
  t[N] += carry;
  carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) t[i + 1] = add_carry(t[i + 1], high[i], carry);
}

template <std::size_t N>
[[nodiscard]] constexpr bool less(const Limbs<N>& a, const Limbs<N>& b) {
  Word borrow = 0;
  for (std::size_t i = 0; i < N; ++i) (void)sub_borrow(a[i], b[i], borrow);
  return borrow != 0;
}
template <std::size_t N>
[[nodiscard]] constexpr Word add_to(Limbs<N>& a, const Limbs<N>& b) {
  Word carry = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) a[i] = add_carry(a[i], b[i], carry);
  return carry;
}
template <std::size_t N>
[[nodiscard]] constexpr Word sub_from(Limbs<N>& a, const Limbs<N>& b) {
  Word borrow = 0;
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) a[i] = sub_borrow(a[i], b[i], borrow);
  return borrow;
}
/// a - b if a >= b, else a.
template <std::size_t N>
[[nodiscard]] constexpr Limbs<N> reduce_once(const Limbs<N>& a, const Limbs<N>& b) {
  Limbs<N> reduced = a;
  const Word borrow = sub_from(reduced, b);
  // Word by word, which becomes conditional moves: the choice is random, a branch would be mispredicted.
#pragma unroll
  for (std::size_t i = 0; i < N; ++i) reduced[i] = borrow != 0 ? a[i] : reduced[i];
  return reduced;
}

/// The inverse of `value` modulo `modulus` (odd prime, value not zero), both of equal length: field.cpp, by GMP.
void invert_limbs(std::span<const Word> value, std::span<const Word> modulus, std::span<Word> out);

/// The field of Params::kModulus, an odd prime below 2^(64 N - 2).
template <class Params>
class PrimeField {
 public:
  static constexpr auto kModulus = Params::kModulus;
  static constexpr std::size_t kLimbs = kModulus.size();
  static constexpr std::size_t kBytes = kLimbs * 8;
  using Raw = Limbs<kLimbs>;
  using Double = Limbs<2 * kLimbs>;  ///< A product before its reduction.

  constexpr PrimeField() = default;  ///< Zero.
  [[nodiscard]] static constexpr PrimeField one() { return PrimeField(kOne); }
  /// `value` below the modulus.
  [[nodiscard]] static constexpr PrimeField from_limbs(const Raw& value) { return PrimeField(value) * PrimeField(kR2); }
  [[nodiscard]] static constexpr PrimeField small(Word value) { return from_limbs(Raw{value}); }
  [[nodiscard]] static consteval PrimeField hex(std::string_view digits) {
    return from_limbs(limbs_from_hex<kLimbs>(digits));
  }
  /// Big-endian, exactly kBytes. Nothing if not below the modulus.
  [[nodiscard]] static std::optional<PrimeField> from_be(BytesView in) {
    Raw raw{};
    for (std::size_t i = 0; i < kBytes; ++i) raw[(kBytes - 1 - i) / 8] = raw[(kBytes - 1 - i) / 8] << 8 | in[i];
    if (!less(raw, kModulus)) return std::nullopt;
    return from_limbs(raw);
  }
  /// Appends kBytes, big-endian.
  void append_be(Bytes& out) const {
    const Raw raw = limbs();
    for (std::size_t i = kBytes; i-- > 0;) out.push_back(static_cast<std::uint8_t>(raw[i / 8] >> (i % 8 * 8)));
  }
  /// The number itself, below the modulus.
  [[nodiscard]] constexpr Raw limbs() const {
    Double wide{};
    for (std::size_t i = 0; i < kLimbs; ++i) wide[i] = v_[i];
    return reduce(wide).v_;
  }

  [[nodiscard]] constexpr bool is_zero() const { return v_ == Raw{}; }
  friend constexpr bool operator==(const PrimeField&, const PrimeField&) = default;

  friend constexpr PrimeField operator+(const PrimeField& a, const PrimeField& b) {
    Raw sum = a.v_;
    (void)add_to(sum, b.v_);
    return PrimeField(reduce_once(sum, kModulus));
  }
  friend constexpr PrimeField operator-(const PrimeField& a, const PrimeField& b) {
    Raw out = a.v_;
    const Word mask = Word{0} - sub_from(out, b.v_);
    Word carry = 0;
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) out[i] = add_carry(out[i], kModulus[i] & mask, carry);
    return PrimeField(out);
  }
  constexpr PrimeField operator-() const {
    if (is_zero()) return *this;
    Raw out = kModulus;
    (void)sub_from(out, v_);
    return PrimeField(out);
  }
  friend constexpr PrimeField operator*(const PrimeField& a, const PrimeField& b) {
#if defined(__x86_64__)
    if (!std::is_constant_evaluated() && adx::kAvailable) {
      PrimeField out;
      kMultiplyReduced(out.v_.data(), a.v_.data(), b.v_.data(), kModulus.data(), kNegativeInverse);
      return out;
    }
#endif
    return portable_product(a, b);
  }
  /// The same in C++ alone.
  [[nodiscard]] static constexpr PrimeField portable_product(const PrimeField& a, const PrimeField& b) {
    Raw t{};
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) {
      Word high = 0;
      Word carry = 0;
      t[0] = mul_add(t[0], a.v_[0], b.v_[i], high);
      const Word m = t[0] * kNegativeInverse;
      (void)mul_add(t[0], m, kModulus[0], carry);
#pragma unroll
      for (std::size_t j = 1; j < kLimbs; ++j) {
        t[j] = mul_add(t[j], a.v_[j], b.v_[i], high);
        t[j - 1] = mul_add(t[j], m, kModulus[j], carry);
      }
      t[kLimbs - 1] = high + carry;
    }
    return PrimeField(reduce_once(t, kModulus));
  }
  constexpr PrimeField& operator+=(const PrimeField& b) { return *this = *this + b; }
  constexpr PrimeField& operator-=(const PrimeField& b) { return *this = *this - b; }
  constexpr PrimeField& operator*=(const PrimeField& b) { return *this = *this * b; }
  [[nodiscard]] constexpr PrimeField twice() const { return *this + *this; }
  [[nodiscard]] constexpr PrimeField squared() const { return *this * *this; }
  /// Half of it in the field.
  [[nodiscard]] constexpr PrimeField half() const {
    Raw out = v_;
    const Word mask = Word{0} - (out[0] & 1);
    Word carry = 0;
    for (std::size_t i = 0; i < kLimbs; ++i) out[i] = add_carry(out[i], kModulus[i] & mask, carry);
    for (std::size_t i = 0; i < kLimbs; ++i) out[i] = out[i] >> 1 | (i + 1 < kLimbs ? out[i + 1] << 63 : carry << 63);
    return PrimeField(out);
  }
  /// Not for zero.
  [[nodiscard]] PrimeField inverse() const {
    Raw out{};
    invert_limbs(v_, kModulus, out);  // (a R)^-1 = a^-1 R^-1, and a product with R^3 makes it a^-1 R.
    return PrimeField(out) * PrimeField(kR3);
  }
  /// Exponent as little-endian words.
  [[nodiscard]] constexpr PrimeField power(std::span<const Word> exponent) const {
    PrimeField table[16] = {one(), *this};
    for (std::size_t i = 2; i < 16; ++i) table[i] = table[i - 1] * *this;
    PrimeField out = one();
    for (std::size_t i = exponent.size() * 16; i-- > 0;) {
      for (int k = 0; k < 4; ++k) out = out.squared();
      const Word digit = exponent[i / 16] >> (i % 16 * 4) & 15;
      if (digit != 0) out = out * table[digit];
    }
    return out;
  }
  /// For moduli that are 3 modulo 4: a square root, or nothing.
  [[nodiscard]] std::optional<PrimeField> root() const {
    static_assert(kModulus[0] % 4 == 3);
    const PrimeField candidate = power(kRootExponent);
    if (candidate.squared() != *this) return std::nullopt;
    return candidate;
  }

  // Lazy reduction: products of unreduced sums, reduced once (Aranha et al., Eurocrypt 2011).

  /// The sum without reduction; both below the modulus.
  [[nodiscard]] static constexpr Raw loose_sum(const PrimeField& a, const PrimeField& b) {
    Raw sum = a.v_;
    (void)add_to(sum, b.v_);
    return sum;
  }
  [[nodiscard]] constexpr const Raw& montgomery() const { return v_; }
  [[nodiscard]] static constexpr Double multiply(const Raw& a, const Raw& b) {
#if defined(__x86_64__)
    if (!std::is_constant_evaluated() && adx::kAvailable) {
      Double out;
      kMultiply(out.data(), a.data(), b.data());
      return out;
    }
#endif
    return portable_multiply(a, b);
  }
  [[nodiscard]] static constexpr Double portable_multiply(const Raw& a, const Raw& b) {
    Double out{};
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) add_product(out.data() + i, a, b[i]);
    return out;
  }
  /// a - b modulo (modulus * 2^(64 N)): stays non-negative.
  [[nodiscard]] static constexpr Double subtract(const Double& a, const Double& b) {
    Double out = a;
    const Word mask = Word{0} - sub_from(out, b);
    Word carry = 0;
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) out[i + kLimbs] = add_carry(out[i + kLimbs], kModulus[i] & mask, carry);
    return out;
  }
  /// Montgomery's reduction of a value below modulus * 2^(64 N).
  [[nodiscard]] static constexpr PrimeField reduce(const Double& in) {
#if defined(__x86_64__)
    if (!std::is_constant_evaluated() && adx::kAvailable) {
      PrimeField out;
      kReduce(out.v_.data(), in.data(), kModulus.data(), kNegativeInverse);
      return out;
    }
#endif
    return portable_reduce(in);
  }
  [[nodiscard]] static constexpr PrimeField portable_reduce(const Double& in) {
    // What the steps add stays apart from the upper half, so that each step's carry ends one word above its row.
    Double t{};
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) t[i] = in[i];
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) add_product(t.data() + i, kModulus, t[i] * kNegativeInverse);
    Raw out = upper(t);
    (void)add_to(out, upper(in));
    return PrimeField(reduce_once(out, kModulus));
  }

#if defined(__x86_64__)
  static_assert(kLimbs == 4 || kLimbs == 6, "lengths that field_adx.hpp has");
  /// (a0 + a1 u) (b0 + b1 u) with u^2 = -1, where adx::kAvailable. Two elements each, one behind the other.
  static void multiply_pairs(PrimeField* out, const PrimeField* a, const PrimeField* b) {
    kMultiplyPairs(words(out), words(a), words(b), kModulus.data(), kNegativeInverse);
  }
  static void square_pair(PrimeField* out, const PrimeField* a) {
    kSquarePair(words(out), words(a), kModulus.data(), kNegativeInverse);
  }
#endif

 private:
#if defined(__x86_64__)
  static constexpr auto kMultiplyReduced = kLimbs == 4 ? adx::multiply_reduced4 : adx::multiply_reduced6;
  static constexpr auto kMultiply = kLimbs == 4 ? adx::multiply4 : adx::multiply6;
  static constexpr auto kReduce = kLimbs == 4 ? adx::reduce4 : adx::reduce6;
  static constexpr auto kMultiplyPairs = kLimbs == 4 ? adx::multiply_pairs4 : adx::multiply_pairs6;
  static constexpr auto kSquarePair = kLimbs == 4 ? adx::square_pair4 : adx::square_pair6;
  static Word* words(PrimeField* from) { return reinterpret_cast<Word*>(from); }
  static const Word* words(const PrimeField* from) { return reinterpret_cast<const Word*>(from); }
#endif
  explicit constexpr PrimeField(const Raw& montgomery_form) : v_(montgomery_form) {}

  [[nodiscard]] static constexpr Raw upper(const Double& value) {
    Raw out{};
#pragma unroll
    for (std::size_t i = 0; i < kLimbs; ++i) out[i] = value[i + kLimbs];
    return out;
  }

  static_assert(kModulus[0] % 2 == 1 && kModulus[kLimbs - 1] >> 62 == 0);
  /// -1 / modulus mod 2^64, by Newton's iteration.
  static constexpr Word kNegativeInverse = [] {
    Word x = 1;
    for (int i = 0; i < 6; ++i) x *= 2 - kModulus[0] * x;
    return Word{0} - x;
  }();
  /// 2^(64 N times) mod modulus.
  static consteval Raw radix_power(std::size_t times) {
    Raw out{1};
    for (std::size_t i = 0; i < 64 * kLimbs * times; ++i) {
      const Raw same = out;
      (void)add_to(out, same);
      out = reduce_once(out, kModulus);
    }
    return out;
  }
  static constexpr Raw kOne = radix_power(1);
  static constexpr Raw kR2 = radix_power(2);
  static constexpr Raw kR3 = radix_power(3);
  /// (modulus + 1) / 4
  static constexpr Raw kRootExponent = [] {
    Raw out = kModulus;
    Word carry = 1;
    for (Word& word : out) word = add_carry(word, 0, carry);
    for (std::size_t i = 0; i < kLimbs; ++i) out[i] = out[i] >> 2 | (i + 1 < kLimbs ? out[i + 1] << 62 : 0);
    return out;
  }();

  Raw v_{};
};

}  // namespace bonus::chain::precompiles
