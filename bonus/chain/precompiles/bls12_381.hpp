// The curve BLS12-381: EIP-2537, EIP-4844. y^2 = x^3 + 4; twist of type M, y^2 = x^3 + 4 (1 + u).
#pragma once

#include "bonus/chain/precompiles/msm.hpp"
#include "bonus/chain/precompiles/pairing.hpp"

namespace bonus::chain::precompiles::bls {

struct FieldParams {
  static constexpr auto kModulus = limbs_from_hex<6>(
      "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab");
};
using Fp = PrimeField<FieldParams>;
using Fp2 = Quadratic<Fp, 1>;
using Fp12 = Dodecic<Fp2>;
using G1 = Affine<Fp>;
using G2 = Affine<Fp2>;
using Scalar = Limbs<4>;

/// The order r of G1, G2 and the pairing's values.
inline constexpr Scalar kOrder = limbs_from_hex<4>("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001");
/// The curve's parameter x is the negative of this.
inline constexpr Word kX = 0xd201000000010000;
inline constexpr Fp kB = Fp::small(4);
inline constexpr Fp2 kTwistB{kB, kB};

[[nodiscard]] const G1& g1_generator();
[[nodiscard]] const G2& g2_generator();

/// (x, y) -> (beta x, y), which multiplies G1 by -x^2.
[[nodiscard]] G1 endomorphism(const G1& p);
/// The p-power map carried to the twist, which multiplies G2 by x.
[[nodiscard]] G2 twist_frobenius(const G2& q);
[[nodiscard]] Jacobian<Fp2> twist_frobenius(const Jacobian<Fp2>& q);
/// Is a point of the curve (of the twist) of order r, or infinity?
[[nodiscard]] bool in_subgroup(const G1& p);
[[nodiscard]] bool in_subgroup(const G2& q);

/// Sums of scalars times points of the subgroups (infinity allowed); any 256-bit scalars.
[[nodiscard]] Jacobian<Fp> multiply_sum(std::span<const G1> points, std::span<const Scalar> scalars);
[[nodiscard]] Jacobian<Fp2> multiply_sum(std::span<const G2> points, std::span<const Scalar> scalars);

/// Simplified SWU to the isogenous curve, the isogeny, the cofactor (RFC 9380, sections 6.6.3, 7, 8.8).
[[nodiscard]] Jacobian<Fp> map_to_g1(const Fp& u);
[[nodiscard]] Jacobian<Fp2> map_to_g2(const Fp2& u);

/// For pairing.hpp.
struct Curve {
  using Fp = bls::Fp;
  using Fp2 = bls::Fp2;
  using Fp12 = bls::Fp12;
  using G1 = bls::G1;
  using G2 = bls::G2;
  static constexpr bool kTwistIsM = true;
  static constexpr bool kNegativeLoop = true;
  static constexpr auto kLoop = loop_digits<63>(kX, false);
  [[nodiscard]] static Fp2 three_twist_b() { return {Fp::small(12), Fp::small(12)}; }
  [[nodiscard]] static std::array<G2, 0> closing_points(const G2&) { return {}; }
  [[nodiscard]] static Fp12 hard_part(const Fp12& f);
};

}  // namespace bonus::chain::precompiles::bls
