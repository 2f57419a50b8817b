// Optimal ate pairings on curves with sextic twists, as checks that a product of pairings is one.
// Miller loop: homogeneous coordinates on the twist (Aranha et al., Eurocrypt 2011), lines as sparse elements of Fp12.
//
// A Curve has: Fp, Fp2, Fp12, G1, G2; kTwistIsM; kLoop (digits of the loop count, most significant first, without the
// leading one); kNegativeLoop; three_twist_b(); closing_points(q), added after the loop (bn254 has two);
// hard_part(f), the last part of the final exponentiation.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "bonus/chain/precompiles/curve.hpp"
#include "bonus/chain/precompiles/tower.hpp"

namespace bonus::chain::precompiles {

/// A line through points of the twist, to be evaluated at (xP, yP) of G1: y * yP + x * xP + constant, each at its own
/// power of w.
template <class Fp2>
struct Line {
  Fp2 y;
  Fp2 x;
  Fp2 constant;
};

/// A running point of the Miller loop: (X / Z, Y / Z).
template <class Curve>
class Walker {
 public:
  using Fp2 = typename Curve::Fp2;
  explicit Walker(const typename Curve::G2& q) : x_(q.x), y_(q.y), z_(Fp2::one()) {}

  /// Doubles; the tangent.
  Line<Fp2> twice() {
    const Fp2 a = (x_ * y_).half();
    const Fp2 b = y_.squared();
    const Fp2 c = z_.squared();
    const Fp2 e = c * Curve::three_twist_b();
    const Fp2 f = e.twice() + e;
    const Fp2 g = (b + f).half();
    const Fp2 h = (y_ + z_).squared() - (b + c);
    const Fp2 j = x_.squared();
    const Fp2 ee = e.squared();
    x_ = a * (b - f);
    y_ = g.squared() - (ee.twice() + ee);
    z_ = b * h;
    return {-h, j.twice() + j, e - b};
  }
  /// Adds q, which is neither the point itself nor its negative; the chord.
  Line<Fp2> plus(const typename Curve::G2& q) {
    const Fp2 theta = y_ - q.y * z_;
    const Fp2 lambda = x_ - q.x * z_;
    const Fp2 d = lambda.squared();
    const Fp2 e = lambda * d;
    const Fp2 f = z_ * theta.squared();
    const Fp2 g = x_ * d;
    const Fp2 h = e + f - g.twice();
    x_ = lambda * h;
    y_ = theta * (g - h) - e * y_;
    z_ = z_ * e;
    return {lambda, -theta, theta * q.x - lambda * q.y};
  }

 private:
  Fp2 x_;
  Fp2 y_;
  Fp2 z_;
};

/// All lines of a point's Miller loop, in their order. The point is of the right order and not infinity.
template <class Curve>
[[nodiscard]] std::vector<Line<typename Curve::Fp2>> lines_of(const typename Curve::G2& q) {
  std::vector<Line<typename Curve::Fp2>> lines;
  lines.reserve(Curve::kLoop.size() * 2);
  Walker<Curve> walker(q);
  for (const int digit : Curve::kLoop) {
    lines.push_back(walker.twice());
    if (digit > 0) lines.push_back(walker.plus(q));
    if (digit < 0) lines.push_back(walker.plus(-q));
  }
  for (const auto& point : Curve::closing_points(q)) lines.push_back(walker.plus(point));
  return lines;
}

/// One pairing of a product. Neither point is infinity.
template <class Curve>
struct Term {
  typename Curve::G1 p;
  std::span<const Line<typename Curve::Fp2>> lines;  ///< lines_of(q)
};

/// The product of the terms before the final exponentiation; squarings are shared.
template <class Curve>
[[nodiscard]] typename Curve::Fp12 miller_loop(std::span<const Term<Curve>> terms) {
  using Fp12 = typename Curve::Fp12;
  Fp12 f = Fp12::one();
  std::size_t at = 0;
  const auto multiply_lines = [&] {
    for (const auto& term : terms) {
      const auto& line = term.lines[at];
      if constexpr (Curve::kTwistIsM) {
        f = f.times_014(line.constant, line.x * term.p.x, line.y * term.p.y);
      } else {
        f = f.times_034(line.y * term.p.y, line.x * term.p.x, line.constant);
      }
    }
    ++at;
  };
  bool first = true;
  for (const int digit : Curve::kLoop) {
    if (!first) f = f.squared();
    first = false;
    multiply_lines();
    if (digit != 0) multiply_lines();
  }
  if (!terms.empty()) {
    while (at < terms.front().lines.size()) multiply_lines();
  }
  return Curve::kNegativeLoop ? f.conjugate() : f;
}

/// f^((p^12 - 1) / r), or a fixed power of it that is prime to r; f is not zero.
template <class Curve>
[[nodiscard]] typename Curve::Fp12 final_exponentiation(const typename Curve::Fp12& f) {
  const auto unitary = f.conjugate() * f.inverse();              // f^(p^6 - 1)
  return Curve::hard_part(unitary.frobenius_twice() * unitary);  // ^(p^2 + 1)
}

/// Collects pairs and tells whether the product of their pairings is one. Bounded memory: lines are used up in groups.
template <class Curve>
class PairingCheck {
 public:
  /// `q` is of order r. Infinity contributes nothing.
  void add(const typename Curve::G1& p, const typename Curve::G2& q) {
    if (p.infinity || q.infinity) return;
    own_lines_.push_back(lines_of<Curve>(q));
    add(p, own_lines_.back());
  }
  /// With lines that outlive the check.
  void add(const typename Curve::G1& p, std::span<const Line<typename Curve::Fp2>> lines) {
    if (p.infinity) return;
    terms_.push_back({p, lines});
    if (terms_.size() == kGroup) flush();
  }
  [[nodiscard]] bool is_one() {
    flush();
    return final_exponentiation<Curve>(product_) == Curve::Fp12::one();
  }

 private:
  static constexpr std::size_t kGroup = 16;
  void flush() {
    if (terms_.empty()) return;
    product_ *= miller_loop<Curve>(terms_);
    terms_.clear();
    own_lines_.clear();
  }

  typename Curve::Fp12 product_ = Curve::Fp12::one();
  std::vector<std::vector<Line<typename Curve::Fp2>>> own_lines_;
  std::vector<Term<Curve>> terms_;
};

/// The digits of a loop count (non-adjacent form, or binary), most significant first, without the leading one.
template <std::size_t kCount>
[[nodiscard]] consteval std::array<std::int8_t, kCount> loop_digits(Wide count, bool non_adjacent) {
  std::array<std::int8_t, kCount> out{};
  for (std::size_t i = 0; i < kCount; ++i) {
    int digit = static_cast<int>(count & 1);
    if (digit == 1 && non_adjacent && (count & 3) == 3) digit = -1;
    count = digit < 0 ? count + 1 : count - static_cast<Wide>(digit);
    count >>= 1;
    out[kCount - 1 - i] = static_cast<std::int8_t>(digit);
  }
  if (count != 1) throw "not that many digits";  // A compile error.
  return out;
}

}  // namespace bonus::chain::precompiles
