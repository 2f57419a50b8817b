// Precompiles 0x06, 0x07, 0x08: addition, multiplication and the pairing check on bn254 (EIP-196, EIP-197).
#include "bonus/chain/precompiles/bn254.hpp"

#include "bonus/base/uint256.hpp"
#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace bn254 {
namespace {

/// 64 bytes; (0, 0) is infinity. Nothing if a coordinate is not reduced or the point is not on the curve.
std::optional<G1> read_g1(BytesView in) {
  const auto x = Fp::from_be(in.first(32));
  const auto y = Fp::from_be(in.subspan(32, 32));
  if (!x || !y) return std::nullopt;
  if (x->is_zero() && y->is_zero()) return G1{};
  const G1 out{*x, *y, false};
  if (!out.on_curve(kB)) return std::nullopt;
  return out;
}

void write_g1(const G1& p, Bytes& output) {
  if (p.infinity) {
    output.resize(output.size() + 64);
    return;
  }
  p.x.append_be(output);
  p.y.append_be(output);
}

/// 128 bytes; the imaginary part of a coordinate comes first. Only points of the subgroup.
std::optional<G2> read_g2(BytesView in) {
  const auto x1 = Fp::from_be(in.first(32));
  const auto x0 = Fp::from_be(in.subspan(32, 32));
  const auto y1 = Fp::from_be(in.subspan(64, 32));
  const auto y0 = Fp::from_be(in.subspan(96, 32));
  if (!x1 || !x0 || !y1 || !y0) return std::nullopt;
  const G2 out{{*x0, *x1}, {*y0, *y1}, false};
  if (out.x.is_zero() && out.y.is_zero()) return G2{};
  if (!out.on_curve(twist_b()) || !in_subgroup(out)) return std::nullopt;
  return out;
}

}  // namespace

G1 g1_generator() { return {Fp::one(), Fp::small(2), false}; }

G2 g2_generator() {
  return {{Fp::hex("1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed"),
           Fp::hex("198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2")},
          {Fp::hex("12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa"),
           Fp::hex("090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b")},
          false};
}

const Fp2& twist_b() {
  static const Fp2 instance = Fp2::xi().inverse() * kB;
  return instance;
}

G2 twist_frobenius(const G2& q) {
  const auto& powers = Fp12::powers();
  return {q.x.conjugate() * powers[2], q.y.conjugate() * powers[3], q.infinity};
}

Jacobian<Fp2> twist_frobenius(const Jacobian<Fp2>& q) {
  const auto& powers = Fp12::powers();
  return {q.x.conjugate() * powers[2], q.y.conjugate() * powers[3], q.z.conjugate()};
}

bool in_subgroup(const G2& q) {
  // With the p-power map psi: [x + 1] Q + psi([x] Q) + psi^2([x] Q) = psi^3([2x] Q) (El Housni, Guillevic, Piellard,
  // eprint 2022/352). psi satisfies X^2 - t X + p, so the equation says that an integer, the norm of that polynomial,
  // annihilates Q; the greatest common divisor of the norm and of the twist's order is r.
  const auto by_x = multiply_sparse(Jacobian(q), kX);
  const auto once = twist_frobenius(by_x);
  const auto left = by_x.plus(q).plus(once).plus(twist_frobenius(once));
  return left.same(twist_frobenius(twist_frobenius(once)).twice());
}

Jacobian<Fp> multiply_g1(const G1& p, const Limbs<4>& scalar) {
  // Gallant, Lambert, Vanstone, Crypto 2001: (beta x, y) is lambda (x, y), and the lattice of the (a, b) with
  // a + b lambda = 0 modulo r has the basis (2x + 1, -(6x^2 + 2x)), (6x^2 + 4x + 1, 2x + 1), of determinant r.
  static constexpr Fp kBeta = Fp::hex("59e26bcea0d48bacd4f263f1acdb5c4f5763473177fffffe");
  if (p.infinity) return {};
  const uint256 x = kX;
  const uint256 small = x + x + 1;
  const uint256 large = uint256(6) * x * x + x + x;
  uint256 order;
  order.limb = kOrder;
  uint256 k;
  k.limb = scalar;
  const uint256 c1 = mul_div(k, small, order);
  const uint256 c2 = mul_div(k, large, order);
  // Rounded down, so 0 <= k1 < 2^128 and -2^128 < k2 < 2^64.
  const uint256 k1 = k - c1 * small - c2 * (large + small);
  uint256 k2 = c1 * large - c2 * small;
  const bool negative = k2.limb[3] >> 63 != 0;
  if (negative) k2 = uint256() - k2;

  const auto tables = tables_of<Fp>(std::span(&p, 1));
  MultiplesTable<Fp> mapped = tables[0];
  for (G1& multiple : mapped) multiple.x *= kBeta;
  MultipleSum<Fp, 2> sum;
  sum.add(tables[0], {k1.limb[0], k1.limb[1]}, false);
  sum.add(mapped, {k2.limb[0], k2.limb[1]}, negative);
  return sum.sum();
}

const Fp2& Curve::three_twist_b() {
  static const Fp2 instance = twist_b() * Fp::small(3);
  return instance;
}

std::array<G2, 2> Curve::closing_points(const G2& q) {
  const G2 once = twist_frobenius(q);
  return {once, -twist_frobenius(once)};
}

Fp12 Curve::hard_part(const Fp12& f) {
  // Scott, Benger, Charlemagne, Dominguez Perez, Kachisa, Pairing 2009, section 5: the exponent (p^4 - p^2 + 1) / r
  // in powers of p with coefficients polynomial in x, evaluated as y0 y1^2 y2^6 y3^12 y4^18 y5^30 y6^36.
  const Fp12 fx = f.cyclotomic_power(kX);
  const Fp12 fx2 = fx.cyclotomic_power(kX);
  const Fp12 fx3 = fx2.cyclotomic_power(kX);
  const Fp12 fp = f.frobenius();
  const Fp12 fp2 = f.frobenius_twice();
  const Fp12 y0 = fp * fp2 * fp.frobenius_twice();
  const Fp12 y1 = f.conjugate();
  const Fp12 y2 = fx2.frobenius_twice();
  const Fp12 y3 = fx.frobenius().conjugate();
  const Fp12 y4 = (fx * fx2.frobenius()).conjugate();
  const Fp12 y5 = fx2.conjugate();
  const Fp12 y6 = (fx3 * fx3.frobenius()).conjugate();
  Fp12 a = y6.cyclotomic_squared() * y4 * y5;
  Fp12 b = y3 * y5 * a;
  a *= y2;
  b = (b.cyclotomic_squared() * a).cyclotomic_squared();
  a = b * y1;
  b *= y0;
  return a.cyclotomic_squared() * b;
}

}  // namespace bn254

bool bn254_add(BytesView input, Bytes& output) {
  const auto bytes = padded<128>(input, 0);
  const auto a = bn254::read_g1(BytesView(bytes).first(64));
  const auto b = bn254::read_g1(BytesView(bytes).last(64));
  if (!a || !b) return false;
  bn254::write_g1(Jacobian(*a).plus(*b).affine(), output);
  return true;
}

bool bn254_mul(BytesView input, Bytes& output) {
  const auto bytes = padded<96>(input, 0);
  const auto p = bn254::read_g1(BytesView(bytes).first(64));
  if (!p) return false;
  Limbs<4> scalar{};
  for (std::size_t i = 0; i < 32; ++i) scalar[(31 - i) / 8] = scalar[(31 - i) / 8] << 8 | bytes[64 + i];
  bn254::write_g1(bn254::multiply_g1(*p, scalar).affine(), output);
  return true;
}

bool bn254_pairing(BytesView input, Bytes& output) {
  if (input.size() % 192 != 0) return false;
  PairingCheck<bn254::Curve> check;
  for (std::size_t at = 0; at < input.size(); at += 192) {
    const auto p = bn254::read_g1(input.subspan(at, 64));
    const auto q = bn254::read_g2(input.subspan(at + 64, 128));
    if (!p || !q) return false;
    check.add(*p, *q);
  }
  append_bool(output, check.is_one());
  return true;
}

}  // namespace bonus::chain::precompiles
