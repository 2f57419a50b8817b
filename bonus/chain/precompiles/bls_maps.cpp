// Maps of field elements to the subgroups of BLS12-381 (RFC 9380: simplified SWU of 6.6.2 and F.2, isogenies of
// appendix E, cofactors of 8.8.1 and G.4).
#include "bonus/chain/precompiles/bls12_381.hpp"
#include "bonus/chain/precompiles/bls_isogenies.hpp"

namespace bonus::chain::precompiles::bls {
namespace {

/// RFC 9380, 4.1.
bool sign_of(const Fp& value) { return (value.limbs()[0] & 1) != 0; }
bool sign_of(const Fp2& value) { return sign_of(value.c0.is_zero() ? value.c1 : value.c0); }

/// (p - 3) / 4
constexpr auto kInverseRootExponent = [] {
  auto out = Fp::kModulus;
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = out[i] >> 2 | (i + 1 < out.size() ? out[i + 1] << 62 : 0);
  return out;
}();

/// root^2 is value, or -value if that is the square of the two; root * inverse_root is then 1, or -1.
struct Root {
  Fp root;
  Fp inverse_root;
  bool of_value;
};
Root root_of(const Fp& value) {
  const Fp power = value.power(kInverseRootExponent);
  const Fp root = power * value;
  return {root, power, root.squared() == value};
}

/// The isogenous curve E' : y^2 = x^3 + A x + B and the non-square Z of its map.
template <class F>
struct Source {
  F a;
  F b;
  F z;
};
constexpr Source<Fp> kSource1{
    Fp::hex("144698a3b8e9433d693a02c96d4982b0ea985383ee66a8d8e8981aefd881ac98936f8da0e0f97f5cf428082d584c1d"),
    Fp::hex("12e2908d11688030018b12e8753eee3b2016c1f0f24f4070a0b9c14fcef35ef55a23215a316ceaa5d1cc48e98e172be0"),
    Fp::small(11)};
constexpr Source<Fp2> kSource2{{Fp{}, Fp::small(240)}, {Fp::small(1012), Fp::small(1012)}, {-Fp::small(2), -Fp::one()}};

/// A square root of g = numerator / denominator if there is one, else of Z^3 u^6 g.
struct SquareRoot1 {
  Fp root;
  bool of_first;
};
SquareRoot1 root_of_either(const Fp& numerator, const Fp& denominator, const Fp& u) {
  // One power: (n d^3)^((p - 3) / 4) n d is a root of n / d or of -n / d.
  const Fp nd = numerator * denominator;
  const Fp root = (nd * denominator.squared()).power(kInverseRootExponent) * nd;
  if (root.squared() * denominator == numerator) return {root, true};
  static const Fp root_of_minus_z = (-kSource1.z).root().value();
  // Z^3 u^6 g = (Z u^3)^2 (-Z) (-g).
  return {kSource1.z * u * u.squared() * root_of_minus_z * root, false};
}

struct SquareRoot2 {
  Fp2 root;
  bool of_first;
};
/// The square root of a whose norm's square root is given.
Fp2 root_by_norm(const Fp2& a, const Fp& norm_root) {
  if (a.is_zero()) return a;
  const Fp half_sum = (a.c0 + norm_root).half();
  if (half_sum.is_zero()) {
    // Then c1 is zero and norm_root is -c0.
    const Root r = root_of(a.c0);
    return r.of_value ? Fp2{r.root, Fp{}} : Fp2{Fp{}, r.root};
  }
  // (s + t u)^2 = a with s^2 = (c0 + n) / 2 and s t = c1 / 2. If that is no square then its negative is t^2.
  const Root r = root_of(half_sum);
  const Fp other = a.c1.half() * r.inverse_root;
  return r.of_value ? Fp2{r.root, other} : Fp2{-other, r.root};
}
SquareRoot2 root_of_either(const Fp2& numerator, const Fp2& denominator, const Fp2& u) {
  const Fp2 g = numerator * denominator.inverse();
  // An element of Fp2 is a square if and only if its norm is one in Fp.
  const Root norm = root_of(g.norm());
  if (norm.of_value) return {root_by_norm(g, norm.root), true};
  static const Fp root_of_minus_norm_z = (-kSource2.z.norm()).root().value();
  const Fp2 zu3 = kSource2.z * u * u.squared();
  // norm(Z^3 u^6 g) = norm(Z u^3)^2 (-norm(Z)) (-norm(g)).
  return {root_by_norm(zu3.squared() * kSource2.z * g, zu3.norm() * root_of_minus_norm_z * norm.root), false};
}

/// The value, times denominator^(N - 1), of the polynomial at numerator / denominator. Lowest coefficient first.
template <class F, std::size_t N>
F evaluate(const std::array<F, N>& polynomial, const F& numerator, std::span<const F> denominator_powers) {
  F out = polynomial[N - 1];
  for (std::size_t i = N - 1; i-- > 0;) out = out * numerator + polynomial[i] * denominator_powers[N - 1 - i];
  return out;
}

/// The point of E' that u stands for, carried to E; x = numerator / denominator throughout.
template <class F>
Jacobian<F> map_to_curve(const F& u, const Source<F>& source, const auto& isogeny) {
  const F zu2 = source.z * u.squared();
  const F t = zu2.squared() + zu2;
  F numerator = source.b * (t + F::one());
  const F denominator = source.a * (t.is_zero() ? source.z : -t);
  const F dd = denominator.squared();
  const F ddd = dd * denominator;
  // g(x) = x^3 + A x + B over the denominator's cube.
  const F g = (numerator.squared() + source.a * dd) * numerator + source.b * ddd;
  const auto [root, of_first] = root_of_either(g, ddd, u);
  if (!of_first) numerator = numerator * zu2;
  const F y = sign_of(u) == sign_of(root) ? root : -root;

  std::array<F, std::tuple_size_v<decltype(isogeny.y_numerator)>> powers{F::one()};
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * denominator;
  const std::span<const F> all(powers);
  // Degrees: numerator of x one above its denominator; those of y equal.
  const F xn = evaluate(isogeny.x_numerator, numerator, all);
  const F xd = evaluate(isogeny.x_denominator, numerator, all) * denominator;
  const F yn = evaluate(isogeny.y_numerator, numerator, all) * y;
  const F yd = evaluate(isogeny.y_denominator, numerator, all);
  // A zero denominator is a point of the isogeny's kernel: infinity.
  const F z = xd * yd;
  if (z.is_zero()) return {};
  const F yd2 = yd.squared();
  return {xn * xd * yd2, yn * xd * xd.squared() * yd2, z};
}

}  // namespace

Jacobian<Fp> map_to_g1(const Fp& u) {
  const Jacobian<Fp> p = map_to_curve(u, kSource1, kIsogeny1);
  return multiply_sparse(p, kX).plus(p);  // Times 1 - x.
}

Jacobian<Fp2> map_to_g2(const Fp2& u) {
  const Jacobian<Fp2> p = map_to_curve(u, kSource2, kIsogeny2);
  // [x^2 - x - 1] P + [x - 1] psi(P) + psi^2(2 P), with x negative.
  const Jacobian<Fp2> xp = -multiply_sparse(p, kX);
  const Jacobian<Fp2> psi = twist_frobenius(p);
  const Jacobian<Fp2> x_part = -multiply_sparse(xp.plus(psi), kX);  // [x^2] P + [x] psi(P)
  return x_part.plus(-xp).plus(-p).plus(-psi).plus(twist_frobenius(twist_frobenius(p.twice())));
}

}  // namespace bonus::chain::precompiles::bls
