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

/// A point of the twist outside of the subgroup: x = i + u, and the root of y^2 by way of its norm.
G2 stray_g2() {
  for (Word i = 1;; ++i) {
    const Fp2 x{Fp::small(i), Fp::one()};
    const Fp2 yy = x.squared() * x + twist_b();
    const auto n = yy.norm().root();
    if (!n) continue;
    for (const Fp& s : {*n, -*n}) {
      const auto re = (yy.c0 + s).half().root();
      if (!re || re->is_zero()) continue;
      const Fp2 y{*re, yy.c1.half() * re->inverse()};
      if (y.squared() == yy) return {x, y, false};
    }
  }
}

TEST(Bn254, SubgroupTestAgreesWithTheOrder) {
  const G2 q = stray_g2();
  ASSERT_TRUE(q.on_curve(twist_b()));
  EXPECT_FALSE(times(q, kOrder).infinity);
  EXPECT_FALSE(in_subgroup(q));
  EXPECT_FALSE(in_subgroup(times(q, kOrder)));  // Of the cofactor's order.
  EXPECT_TRUE(in_subgroup(times(g2_generator(), {77, 78, 79, 80})));
  EXPECT_TRUE(in_subgroup(G2{}));
}

TEST(Bn254, SplitScalarsMultiplyAsWholeOnes) {
  std::vector<Limbs<4>> scalars{{},
                                {1},
                                {2},
                                {kX},
                                {0, 1},
                                {0, 0, 1},
                                {kOrder[0] - 1, kOrder[1], kOrder[2], kOrder[3]},
                                kOrder,
                                {kOrder[0] + 1, kOrder[1], kOrder[2], kOrder[3]},
                                {~Word{0}, ~Word{0}, ~Word{0}, ~Word{0}}};
  Word seed = 1;
  for (int i = 0; i < 100; ++i) {
    Limbs<4> scalar{};
    for (Word& word : scalar) word = seed = seed * 6364136223846793005 + 1442695040888963407;
    scalars.push_back(scalar);
  }
  for (const auto& scalar : scalars) {
    const G1 p = times(g1_generator(), {scalar[1] | 1});
    EXPECT_TRUE(multiply_g1(p, scalar).same(multiply(Jacobian(p), scalar)));
  }
  EXPECT_TRUE(multiply_g1(G1{}, kOrder).is_infinity());
}

TEST(Bn254, PowersOfCyclotomicElements) {
  Fp12 f{{Fp2::xi(), g2_generator().x, g2_generator().y}, {g2_generator().x, Fp2::one(), Fp2::xi()}};
  f = f.conjugate() * f.inverse();
  f = f.frobenius_twice() * f;
  Fp12 expected = f;
  for (Word i = 1; i < 70; ++i, expected *= f) {
    EXPECT_EQ(f.cyclotomic_power(i), expected) << i;
    EXPECT_EQ(f.cyclotomic_power_sparse(i), expected) << i;
  }
  EXPECT_EQ(f.cyclotomic_power(kX), f.cyclotomic_power_sparse(kX));
  const Word large = (Word{1} << 63) - 1;
  EXPECT_EQ(f.cyclotomic_power(large), f.cyclotomic_power_sparse(large));
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
