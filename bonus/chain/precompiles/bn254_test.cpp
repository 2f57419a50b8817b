// bn254: group laws, subgroup test, bilinearity; known products from EIP-197's definition of the generators.
#include "bonus/chain/precompiles/bn254.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles::bn254 {
namespace {

G1 times(const G1& p, const Limbs<4>& k) { return multiply(Jacobian(p), k).affine(); }
G2 times(const G2& p, const Limbs<4>& k) { return multiply(Jacobian(p), k).affine(); }

TEST(Bn254, GeneratorsHaveTheGroupOrder) {
  EXPECT_TRUE(g1_generator().on_curve(kB));
  EXPECT_TRUE(g2_generator().on_curve(twist_b()));
  EXPECT_TRUE(times(g1_generator(), kOrder).infinity);
  EXPECT_TRUE(times(g2_generator(), kOrder).infinity);
  EXPECT_TRUE(in_subgroup(g2_generator()));
}

TEST(Bn254, CyclotomicSquaringIsSquaring) {
  Fp12 f{{Fp2::xi(), g2_generator().x, g2_generator().y}, {g2_generator().x, Fp2::one(), Fp2::xi()}};
  EXPECT_EQ(f * f, f.squared());
  EXPECT_EQ(f * f.inverse(), Fp12::one());
  f = f.conjugate() * f.inverse();
  f = f.frobenius_twice() * f;
  EXPECT_EQ(f.cyclotomic_squared(), f.squared());
  EXPECT_EQ(f.frobenius().frobenius(), f.frobenius_twice());
  Fp12 slow = f;
  // f^p by the tower's multiplication.
  slow = Fp12::one();
  for (std::size_t i = 256; i-- > 0;) {
    slow = slow.squared();
    if ((Fp::kModulus[i / 64] >> (i % 64) & 1) != 0) slow *= f;
  }
  EXPECT_EQ(slow, f.frobenius());
}

TEST(Bn254, PairingIsBilinear) {
  const Limbs<4> a{0x123456789ABCDEF0, 77, 0xFEDCBA9876543210, 3};
  const Limbs<4> b{0xDEADBEEF, 0xFFFFFFFFFFFFFFFF, 1, 0x0123456789ABCDEF};
  const G1 p = g1_generator();
  const G2 q = g2_generator();
  PairingCheck<Curve> check;
  check.add(times(times(p, a), b), q);
  check.add(-times(p, a), times(q, b));
  EXPECT_TRUE(check.is_one());
  PairingCheck<Curve> wrong;
  wrong.add(times(p, a), q);
  wrong.add(-times(p, b), q);
  EXPECT_FALSE(wrong.is_one());
  PairingCheck<Curve> single;
  single.add(p, q);
  EXPECT_FALSE(single.is_one());
}

}  // namespace
}  // namespace bonus::chain::precompiles::bn254
