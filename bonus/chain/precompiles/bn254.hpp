// The curve bn254 ("alt_bn128"): EIP-196, EIP-197. y^2 = x^3 + 3; twist of type D, y^2 = x^3 + 3 / (9 + u).
#pragma once

#include "bonus/chain/precompiles/msm.hpp"
#include "bonus/chain/precompiles/pairing.hpp"

namespace bonus::chain::precompiles::bn254 {

struct FieldParams {
  static constexpr auto kModulus =
      limbs_from_hex<4>("30644e72e131a029b85045b68181585d97816a916871ca8d3c208c16d87cfd47");
};
using Fp = PrimeField<FieldParams>;
using Fp2 = Quadratic<Fp, 9>;
using Fp12 = Dodecic<Fp2>;
using G1 = Affine<Fp>;
using G2 = Affine<Fp2>;

/// The order of G1, G2 and the pairing's values.
inline constexpr Limbs<4> kOrder =
    limbs_from_hex<4>("30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001");
/// The curve's parameter x: p, the order and the loop follow from it.
inline constexpr Word kX = 4965661367192848881;
inline constexpr Fp kB = Fp::small(3);

/// EIP-196's generator of G1 and EIP-197's of G2.
[[nodiscard]] G1 g1_generator();
[[nodiscard]] G2 g2_generator();
[[nodiscard]] const Fp2& twist_b();  ///< 3 / (9 + u)
/// The p-power map carried to the twist.
[[nodiscard]] G2 twist_frobenius(const G2& q);
[[nodiscard]] Jacobian<Fp2> twist_frobenius(const Jacobian<Fp2>& q);
/// Is a point of the twist of order kOrder (or infinity)?
[[nodiscard]] bool in_subgroup(const G2& q);

/// Any 256-bit scalar.
[[nodiscard]] Jacobian<Fp> multiply_g1(const G1& p, const Limbs<4>& scalar);

/// For pairing.hpp. Loop: 6x + 2.
struct Curve {
  using Fp = bn254::Fp;
  using Fp2 = bn254::Fp2;
  using Fp12 = bn254::Fp12;
  using G1 = bn254::G1;
  using G2 = bn254::G2;
  static constexpr bool kTwistIsM = false;
  static constexpr bool kNegativeLoop = false;
  static constexpr auto kLoop = loop_digits<65>(Wide{kX} * 6 + 2, true);
  [[nodiscard]] static const Fp2& three_twist_b();
  [[nodiscard]] static std::array<G2, 2> closing_points(const G2& q);
  [[nodiscard]] static Fp12 hard_part(const Fp12& f);
};

}  // namespace bonus::chain::precompiles::bn254
