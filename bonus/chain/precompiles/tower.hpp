// The tower over a prime field in which both pairings work: Fp2 = Fp[u]/(u^2 + 1), Fp6 = Fp2[v]/(v^3 - xi),
// Fp12 = Fp6[w]/(w^2 - v) with xi = kXi + u (9 + u for bn254, 1 + u for BLS12-381).
#pragma once

#include <array>
#include <cstdint>

#include "bonus/chain/precompiles/field.hpp"

namespace bonus::chain::precompiles {

template <class Fq, unsigned kXi>
struct Quadratic {
  using Base = Fq;
  Fq c0{};
  Fq c1{};

  [[nodiscard]] static constexpr Quadratic one() { return {Fq::one(), Fq{}}; }
  [[nodiscard]] static constexpr Quadratic xi() { return {Fq::small(kXi), Fq::one()}; }
  [[nodiscard]] constexpr bool is_zero() const { return c0.is_zero() && c1.is_zero(); }
  friend constexpr bool operator==(const Quadratic&, const Quadratic&) = default;

  friend constexpr Quadratic operator+(const Quadratic& a, const Quadratic& b) { return {a.c0 + b.c0, a.c1 + b.c1}; }
  friend constexpr Quadratic operator-(const Quadratic& a, const Quadratic& b) { return {a.c0 - b.c0, a.c1 - b.c1}; }
  constexpr Quadratic operator-() const { return {-c0, -c1}; }
  friend constexpr Quadratic operator*(const Quadratic& a, const Quadratic& b) {
#if defined(__x86_64__)
    if (!std::is_constant_evaluated() && adx::kAvailable) {
      static_assert(sizeof(Quadratic) == 2 * sizeof(Fq));
      Quadratic out;
      Fq::multiply_pairs(reinterpret_cast<Fq*>(&out), reinterpret_cast<const Fq*>(&a), reinterpret_cast<const Fq*>(&b));
      return out;
    }
#endif
    // Karatsuba on unreduced products: three products, two reductions.
    auto real = Fq::multiply(a.c0.montgomery(), b.c0.montgomery());
    const auto other = Fq::multiply(a.c1.montgomery(), b.c1.montgomery());
    auto cross = Fq::multiply(Fq::loose_sum(a.c0, a.c1), Fq::loose_sum(b.c0, b.c1));
    (void)sub_from(cross, real);
    (void)sub_from(cross, other);
    return {Fq::reduce(Fq::subtract(real, other)), Fq::reduce(cross)};
  }
  friend constexpr Quadratic operator*(const Quadratic& a, const Fq& b) { return {a.c0 * b, a.c1 * b}; }
  constexpr Quadratic& operator+=(const Quadratic& b) { return *this = *this + b; }
  constexpr Quadratic& operator-=(const Quadratic& b) { return *this = *this - b; }
  constexpr Quadratic& operator*=(const Quadratic& b) { return *this = *this * b; }
  [[nodiscard]] constexpr Quadratic twice() const { return {c0.twice(), c1.twice()}; }
  [[nodiscard]] constexpr Quadratic half() const { return {c0.half(), c1.half()}; }
  [[nodiscard]] constexpr Quadratic squared() const {
#if defined(__x86_64__)
    if (!std::is_constant_evaluated() && adx::kAvailable) {
      Quadratic out;
      Fq::square_pair(reinterpret_cast<Fq*>(&out), reinterpret_cast<const Fq*>(this));
      return out;
    }
#endif
    return {(c0 + c1) * (c0 - c1), (c0 * c1).twice()};
  }
  [[nodiscard]] constexpr Quadratic conjugate() const { return {c0, -c1}; }
  [[nodiscard]] constexpr Fq norm() const { return c0.squared() + c1.squared(); }
  [[nodiscard]] Quadratic inverse() const {
    const Fq factor = norm().inverse();
    return {c0 * factor, -(c1 * factor)};
  }
  [[nodiscard]] constexpr Quadratic times_xi() const {
    if constexpr (kXi == 1) return {c0 - c1, c0 + c1};
    const Quadratic eight = twice().twice().twice();
    static_assert(kXi == 1 || kXi == 9);
    return {eight.c0 + c0 - c1, eight.c1 + c1 + c0};
  }
  [[nodiscard]] constexpr Quadratic power(std::span<const Word> exponent) const {
    Quadratic out = one();
    for (std::size_t i = exponent.size() * 64; i-- > 0;) {
      out = out.squared();
      if ((exponent[i / 64] >> (i % 64) & 1) != 0) out *= *this;
    }
    return out;
  }
};

template <class Fp2>
struct Sextic {
  Fp2 c0{};
  Fp2 c1{};
  Fp2 c2{};

  [[nodiscard]] static constexpr Sextic one() { return {Fp2::one(), Fp2{}, Fp2{}}; }
  friend bool operator==(const Sextic&, const Sextic&) = default;
  friend Sextic operator+(const Sextic& a, const Sextic& b) { return {a.c0 + b.c0, a.c1 + b.c1, a.c2 + b.c2}; }
  friend Sextic operator-(const Sextic& a, const Sextic& b) { return {a.c0 - b.c0, a.c1 - b.c1, a.c2 - b.c2}; }
  Sextic operator-() const { return {-c0, -c1, -c2}; }
  friend Sextic operator*(const Sextic& a, const Sextic& b) {
    const Fp2 t0 = a.c0 * b.c0;
    const Fp2 t1 = a.c1 * b.c1;
    const Fp2 t2 = a.c2 * b.c2;
    return {((a.c1 + a.c2) * (b.c1 + b.c2) - t1 - t2).times_xi() + t0,
            (a.c0 + a.c1) * (b.c0 + b.c1) - t0 - t1 + t2.times_xi(), (a.c0 + a.c2) * (b.c0 + b.c2) - t0 - t2 + t1};
  }
  /// Times b0 + b1 v.
  [[nodiscard]] Sextic times_01(const Fp2& b0, const Fp2& b1) const {
    const Fp2 t0 = c0 * b0;
    const Fp2 t1 = c1 * b1;
    return {((c1 + c2) * b1 - t1).times_xi() + t0, (c0 + c1) * (b0 + b1) - t0 - t1, (c0 + c2) * b0 - t0 + t1};
  }
  [[nodiscard]] Sextic times_0(const Fp2& b0) const { return {c0 * b0, c1 * b0, c2 * b0}; }
  /// Times b1 v.
  [[nodiscard]] Sextic times_1(const Fp2& b1) const { return {(c2 * b1).times_xi(), c0 * b1, c1 * b1}; }
  [[nodiscard]] Sextic times_v() const { return {c2.times_xi(), c0, c1}; }
  [[nodiscard]] Sextic squared() const {
    // Chung and Hasan's SQR2.
    const Fp2 s0 = c0.squared();
    const Fp2 s1 = (c0 * c1).twice();
    const Fp2 s2 = (c0 - c1 + c2).squared();
    const Fp2 s3 = (c1 * c2).twice();
    const Fp2 s4 = c2.squared();
    return {s0 + s3.times_xi(), s1 + s4.times_xi(), s1 + s2 + s3 - s0 - s4};
  }
  [[nodiscard]] Sextic inverse() const {
    const Fp2 a = c0.squared() - (c1 * c2).times_xi();
    const Fp2 b = c2.squared().times_xi() - c0 * c1;
    const Fp2 c = c1.squared() - c0 * c2;
    const Fp2 factor = ((c1 * c + c2 * b).times_xi() + c0 * a).inverse();
    return {a * factor, b * factor, c * factor};
  }
};

template <class Fp2>
struct Dodecic {
  using Fp6 = Sextic<Fp2>;
  Fp6 c0{};
  Fp6 c1{};

  [[nodiscard]] static Dodecic one() { return {Fp6::one(), Fp6{}}; }
  friend bool operator==(const Dodecic&, const Dodecic&) = default;
  friend Dodecic operator*(const Dodecic& a, const Dodecic& b) {
    const Fp6 t0 = a.c0 * b.c0;
    const Fp6 t1 = a.c1 * b.c1;
    return {t0 + t1.times_v(), (a.c0 + a.c1) * (b.c0 + b.c1) - t0 - t1};
  }
  Dodecic& operator*=(const Dodecic& b) { return *this = *this * b; }
  [[nodiscard]] Dodecic squared() const {
    const Fp6 product = c0 * c1;
    const Fp6 mixed = (c0 + c1) * (c0 + c1.times_v());
    return {mixed - product - product.times_v(), product + product};
  }
  /// Times a0 + a1 v + b1 v w: a line on a twist of type M.
  [[nodiscard]] Dodecic times_014(const Fp2& a0, const Fp2& a1, const Fp2& b1) const {
    const Fp6 t0 = c0.times_01(a0, a1);
    const Fp6 t1 = c1.times_1(b1);
    return {t0 + t1.times_v(), (c0 + c1).times_01(a0, a1 + b1) - t0 - t1};
  }
  /// Times a0 + b0 w + b1 v w: a line on a twist of type D.
  [[nodiscard]] Dodecic times_034(const Fp2& a0, const Fp2& b0, const Fp2& b1) const {
    const Fp6 t0 = c0.times_0(a0);
    const Fp6 t1 = c1.times_01(b0, b1);
    return {t0 + t1.times_v(), (c0 + c1).times_01(a0 + b0, b1) - t0 - t1};
  }
  /// The power of p^6; the inverse of an element of norm one.
  [[nodiscard]] Dodecic conjugate() const { return {c0, -c1}; }
  [[nodiscard]] Dodecic inverse() const {
    const Fp6 factor = (c0.squared() - c1.squared().times_v()).inverse();
    return {c0 * factor, -(c1 * factor)};
  }
  /// The power of p.
  [[nodiscard]] Dodecic frobenius() const {
    const auto& g = powers();
    return {{c0.c0.conjugate(), c0.c1.conjugate() * g[2], c0.c2.conjugate() * g[4]},
            {c1.c0.conjugate() * g[1], c1.c1.conjugate() * g[3], c1.c2.conjugate() * g[5]}};
  }
  /// The power of p^2.
  [[nodiscard]] Dodecic frobenius_twice() const {
    const auto& g = squares();
    return {{c0.c0, c0.c1 * g[2], c0.c2 * g[4]}, {c1.c0 * g[1], c1.c1 * g[3], c1.c2 * g[5]}};
  }
  /// squared() for elements of the cyclotomic subgroup, order p^4 - p^2 + 1 (Granger and Scott, PKC 2010).
  [[nodiscard]] Dodecic cyclotomic_squared() const {
    const auto [a0, a1] = square_over_fp4(c0.c0, c1.c1);
    const auto [b0, b1] = square_over_fp4(c1.c0, c0.c2);
    const auto [d0, d1] = square_over_fp4(c0.c1, c1.c2);
    const Fp2 e = d1.times_xi();
    return {{(a0 - c0.c0).twice() + a0, (b0 - c0.c1).twice() + b0, (d0 - c0.c2).twice() + d0},
            {(e + c1.c0).twice() + e, (a1 + c1.c1).twice() + a1, (b1 + c1.c2).twice() + b1}};
  }
  /// The power of a number with few ones in binary, for elements of the cyclotomic subgroup.
  [[nodiscard]] Dodecic cyclotomic_power_sparse(Word exponent) const {
    Dodecic out = *this;
    for (unsigned i = 63 - static_cast<unsigned>(__builtin_clzll(exponent)); i-- > 0;) {
      out = out.cyclotomic_squared();
      if ((exponent >> i & 1) != 0) out *= *this;
    }
    return out;
  }
  /// The same for any number below 2^63: signed digits up to 7, as an inverse is only a conjugate.
  [[nodiscard]] Dodecic cyclotomic_power(Word exponent) const {
    std::array<Dodecic, 4> odd{*this};
    const Dodecic square = cyclotomic_squared();
    for (std::size_t i = 1; i < odd.size(); ++i) odd[i] = odd[i - 1] * square;
    std::array<int, 64> digits{};
    std::size_t size = 0;
    for (std::size_t i = 0; exponent != 0; ++i, exponent >>= 1) {
      if ((exponent & 1) == 0) continue;
      int digit = static_cast<int>(exponent & 15);
      if (digit > 7) digit -= 16;
      exponent -= static_cast<Word>(digit);
      digits[i] = digit;
      size = i + 1;
    }
    Dodecic out = one();
    for (std::size_t i = size; i-- > 0;) {
      if (i + 1 < size) out = out.cyclotomic_squared();
      if (digits[i] > 0) out *= odd[static_cast<std::size_t>(digits[i]) / 2];
      if (digits[i] < 0) out *= odd[static_cast<std::size_t>(-digits[i]) / 2].conjugate();
    }
    return out;
  }

  /// xi^(i (p - 1) / 6): what the Frobenius map multiplies the coefficient of w^i with.
  [[nodiscard]] static const std::array<Fp2, 6>& powers() {
    static const std::array<Fp2, 6> instance = [] {
      // (p - 1) / 6 by long division.
      auto exponent = Fp2::Base::kModulus;
      exponent[0] -= 1;
      Wide rest = 0;
      for (std::size_t i = exponent.size(); i-- > 0;) {
        rest = rest << 64 | exponent[i];
        exponent[i] = static_cast<Word>(rest / 6);
        rest %= 6;
      }
      std::array<Fp2, 6> out{};
      out[0] = Fp2::one();
      out[1] = Fp2::xi().power(exponent);
      for (std::size_t i = 2; i < 6; ++i) out[i] = out[i - 1] * out[1];
      return out;
    }();
    return instance;
  }

 private:
  /// The same for p^2: norms of the above, so they lie in Fp.
  [[nodiscard]] static const std::array<typename Fp2::Base, 6>& squares() {
    static const std::array<typename Fp2::Base, 6> instance = [] {
      std::array<typename Fp2::Base, 6> out{};
      for (std::size_t i = 0; i < 6; ++i) out[i] = powers()[i].norm();
      return out;
    }();
    return instance;
  }
  struct Pair {
    Fp2 first;
    Fp2 second;
  };
  static Pair square_over_fp4(const Fp2& a, const Fp2& b) {
    const Fp2 aa = a.squared();
    const Fp2 bb = b.squared();
    return {bb.times_xi() + aa, (a + b).squared() - aa - bb};
  }
};

}  // namespace bonus::chain::precompiles
