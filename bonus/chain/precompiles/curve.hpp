// Points of y^2 = x^3 + b over any field (b is the caller's), in affine and Jacobian coordinates
// (formulas dbl-2009-l, add-2007-bl, madd-2007-bl of the Explicit-Formulas Database), and multiplication by integers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bonus/chain/precompiles/field.hpp"

namespace bonus::chain::precompiles {

template <class F>
struct Affine {
  F x{};
  F y{};
  bool infinity = true;

  friend bool operator==(const Affine& a, const Affine& b) {
    return a.infinity || b.infinity ? a.infinity == b.infinity : a.x == b.x && a.y == b.y;
  }
  Affine operator-() const { return {x, -y, infinity}; }
  [[nodiscard]] bool on_curve(const F& b) const { return infinity || y.squared() == x.squared() * x + b; }
};

/// (X / Z^2, Y / Z^3); Z = 0 is infinity.
template <class F>
struct Jacobian {
  F x{};
  F y{};
  F z{};

  Jacobian() : x(F::one()), y(F::one()) {}
  Jacobian(const F& px, const F& py, const F& pz) : x(px), y(py), z(pz) {}
  explicit Jacobian(const Affine<F>& p) : Jacobian() {
    if (!p.infinity) *this = Jacobian(p.x, p.y, F::one());
  }

  [[nodiscard]] bool is_infinity() const { return z.is_zero(); }
  Jacobian operator-() const { return {x, -y, z}; }

  [[nodiscard]] Jacobian twice() const {
    const F a = x.squared();
    const F b = y.squared();
    const F c = b.squared();
    const F d = ((x + b).squared() - a - c).twice();
    const F e = a.twice() + a;
    const F x3 = e.squared() - d.twice();
    return {x3, e * (d - x3) - c.twice().twice().twice(), (y * z).twice()};
  }

  [[nodiscard]] Jacobian plus(const Affine<F>& p) const {
    if (p.infinity) return *this;
    if (is_infinity()) return Jacobian(p);
    const F zz = z.squared();
    const F h = p.x * zz - x;
    const F half_r = p.y * z * zz - y;
    if (h.is_zero()) return half_r.is_zero() ? twice() : Jacobian();
    const F r = half_r.twice();
    const F hh = h.squared();
    const F i = hh.twice().twice();
    const F j = h * i;
    const F v = x * i;
    const F x3 = r.squared() - j - v.twice();
    return {x3, r * (v - x3) - (y * j).twice(), (z + h).squared() - zz - hh};
  }

  [[nodiscard]] Jacobian plus(const Jacobian& q) const {
    if (q.is_infinity()) return *this;
    if (is_infinity()) return q;
    const F zz1 = z.squared();
    const F zz2 = q.z.squared();
    const F u1 = x * zz2;
    const F s1 = y * q.z * zz2;
    const F h = q.x * zz1 - u1;
    const F half_r = q.y * z * zz1 - s1;
    if (h.is_zero()) return half_r.is_zero() ? twice() : Jacobian();
    const F r = half_r.twice();
    const F i = h.twice().squared();
    const F j = h * i;
    const F v = u1 * i;
    const F x3 = r.squared() - j - v.twice();
    return {x3, r * (v - x3) - (s1 * j).twice(), ((z + q.z).squared() - zz1 - zz2) * h};
  }

  /// Equality of the points, not of the coordinates.
  [[nodiscard]] bool same(const Jacobian& q) const {
    if (is_infinity() || q.is_infinity()) return is_infinity() == q.is_infinity();
    const F zz1 = z.squared();
    const F zz2 = q.z.squared();
    return x * zz2 == q.x * zz1 && y * zz2 * q.z == q.y * zz1 * z;
  }

  [[nodiscard]] Affine<F> affine() const {
    if (is_infinity()) return {};
    const F inverse = z.inverse();
    const F squared = inverse.squared();
    return {x * squared, y * squared * inverse, false};
  }
};

/// All of them in affine coordinates with one inversion (Montgomery's trick). None may be infinity.
template <class F>
void to_affine(std::span<const Jacobian<F>> in, std::span<Affine<F>> out) {
  std::vector<F> products(in.size());
  F product = F::one();
  for (std::size_t i = 0; i < in.size(); ++i) {
    products[i] = product;
    product = product * in[i].z;
  }
  F inverse = product.inverse();
  for (std::size_t i = in.size(); i-- > 0;) {
    const F z = inverse * products[i];
    inverse = inverse * in[i].z;
    const F zz = z.squared();
    out[i] = {in[i].x * zz, in[i].y * zz * z, false};
  }
}

/// Digits of a number in the non-adjacent form of width w: odd, below 2^(w-1) in magnitude, at most one in w
/// consecutive places is not zero. Least significant first; 64 N + 1 of them.
template <std::size_t N>
class SparseDigits {
 public:
  static constexpr unsigned kWidth = 5;  ///< Digits up to 15.

  explicit SparseDigits(Limbs<N> value) {
    Word above = 0;
    for (std::size_t i = 0; i <= 64 * N; ++i) {
      if ((value[0] & 1) != 0) {
        int digit = static_cast<int>(value[0] & ((1U << kWidth) - 1));
        if (digit >= 1 << (kWidth - 1)) digit -= 1 << kWidth;
        digits_[i] = static_cast<std::int8_t>(digit);
        size_ = i + 1;
        // value -= digit
        Limbs<N> change{};
        change[0] = static_cast<Word>(digit < 0 ? -digit : digit);
        if (digit < 0) {
          above += add_to(value, change);
        } else {
          (void)sub_from(value, change);
        }
      }
      for (std::size_t k = 0; k < N; ++k) value[k] = value[k] >> 1 | (k + 1 < N ? value[k + 1] << 63 : above << 63);
      above >>= 1;
    }
  }
  [[nodiscard]] std::size_t size() const { return size_; }  ///< Places up to the last that is not zero.
  [[nodiscard]] int operator[](std::size_t place) const { return digits_[place]; }

 private:
  std::array<std::int8_t, 64 * N + 1> digits_{};
  std::size_t size_ = 0;
};

/// The odd multiples 1, 3, ..., 15 of a point.
template <class F>
[[nodiscard]] std::array<Jacobian<F>, 8> odd_multiples(const Jacobian<F>& p) {
  std::array<Jacobian<F>, 8> table;
  const Jacobian<F> two = p.twice();
  table[0] = p;
  for (std::size_t i = 1; i < table.size(); ++i) table[i] = table[i - 1].plus(two);
  return table;
}

template <class F, std::size_t N>
[[nodiscard]] Jacobian<F> multiply(const Jacobian<F>& p, const Limbs<N>& scalar) {
  const SparseDigits<N> digits(scalar);
  const auto table = odd_multiples(p);
  Jacobian<F> sum;
  for (std::size_t i = digits.size(); i-- > 0;) {
    sum = sum.twice();
    const int digit = digits[i];
    if (digit > 0) sum = sum.plus(table[static_cast<std::size_t>(digit) / 2]);
    if (digit < 0) sum = sum.plus(-table[static_cast<std::size_t>(-digit) / 2]);
  }
  return sum;
}

/// For constants with few ones in binary, as the curves' parameters have.
template <class F>
[[nodiscard]] Jacobian<F> multiply_sparse(const Jacobian<F>& p, Word scalar) {
  Jacobian<F> sum;
  for (unsigned i = 64; i-- > 0;) {
    sum = sum.twice();
    if ((scalar >> i & 1) != 0) sum = sum.plus(p);
  }
  return sum;
}

}  // namespace bonus::chain::precompiles
