// BLS12-381: orders, endomorphisms against plain multiplication, subgroup tests, bilinearity, the maps.
#include "bonus/chain/precompiles/bls12_381.hpp"

#include <gtest/gtest.h>

namespace bonus::chain::precompiles::bls {
namespace {

template <class F>
Affine<F> times(const Affine<F>& p, const Scalar& k) {
  return multiply(Jacobian<F>(p), k).affine();
}

/// Points of the curves that are outside of the subgroups: x = 4 and onwards until one is found.
G1 stray_g1() {
  for (Word i = 4;; ++i) {
    const Fp x = Fp::small(i);
    const auto y = (x.squared() * x + kB).root();
    if (y) return {x, *y, false};
  }
}
/// The same for the twist: x = i + u, and the root of y^2 by way of its norm.
G2 stray_g2() {
  for (Word i = 1;; ++i) {
    const Fp2 x{Fp::small(i), Fp::one()};
    const Fp2 yy = x.squared() * x + kTwistB;
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

const std::vector<Scalar>& scalars() {
  static const std::vector<Scalar> instance{{},
                                            {1},
                                            {2},
                                            {kX},
                                            {kX - 1},
                                            {0, 1},
                                            {0xDEADBEEF, 0xFFFFFFFFFFFFFFFF, 1, 0x0123456789ABCDEF},
                                            {kOrder[0] - 1, kOrder[1], kOrder[2], kOrder[3]},
                                            kOrder,
                                            {kOrder[0] + 1, kOrder[1], kOrder[2], kOrder[3]},
                                            {~Word{0}, ~Word{0}, ~Word{0}, ~Word{0}}};
  return instance;
}

TEST(Bls12381, GeneratorsHaveTheGroupOrder) {
  EXPECT_TRUE(g1_generator().on_curve(kB));
  EXPECT_TRUE(g2_generator().on_curve(kTwistB));
  EXPECT_TRUE(times(g1_generator(), kOrder).infinity);
  EXPECT_TRUE(times(g2_generator(), kOrder).infinity);
}

TEST(Bls12381, SubgroupTestsAgreeWithTheOrder) {
  EXPECT_TRUE(in_subgroup(g1_generator()));
  EXPECT_TRUE(in_subgroup(g2_generator()));
  EXPECT_TRUE(in_subgroup(G1{}));
  EXPECT_TRUE(in_subgroup(G2{}));
  const G1 p = stray_g1();
  const G2 q = stray_g2();
  ASSERT_TRUE(p.on_curve(kB));
  ASSERT_TRUE(q.on_curve(kTwistB));
  EXPECT_FALSE(times(p, kOrder).infinity);
  EXPECT_FALSE(times(q, kOrder).infinity);
  EXPECT_FALSE(in_subgroup(p));
  EXPECT_FALSE(in_subgroup(q));
  // What the order leaves of a stray point is of the cofactor's order: never in the subgroup.
  EXPECT_FALSE(in_subgroup(times(p, kOrder)));
  EXPECT_FALSE(in_subgroup(times(q, kOrder)));
  // (0, 2) has order 3.
  const G1 three{Fp{}, Fp::small(2), false};
  EXPECT_TRUE(three.on_curve(kB));
  EXPECT_FALSE(in_subgroup(three));
}

TEST(Bls12381, SumsOfMultiplesAgreeWithPlainMultiplication) {
  Jacobian<Fp> expected1;
  Jacobian<Fp2> expected2;
  std::vector<G1> points1;
  std::vector<G2> points2;
  std::vector<Scalar> all;
  G1 p = g1_generator();
  G2 q = g2_generator();
  for (unsigned round = 0; round < 13; ++round) {  // More points than a group.
    for (const Scalar& scalar : scalars()) {
      points1.push_back(p);
      points2.push_back(q);
      all.push_back(scalar);
      const auto single1 = multiply(Jacobian<Fp>(p), scalar);
      const auto single2 = multiply(Jacobian<Fp2>(q), scalar);
      expected1 = expected1.plus(single1);
      expected2 = expected2.plus(single2);
      if (round == 0) {
        EXPECT_TRUE(multiply_sum(std::span(&p, 1), std::span(&scalar, 1)).same(single1));
        EXPECT_TRUE(multiply_sum(std::span(&q, 1), std::span(&scalar, 1)).same(single2));
      }
      p = Jacobian<Fp>(p).plus(p).plus(g1_generator()).affine();
      q = Jacobian<Fp2>(q).plus(q).plus(g2_generator()).affine();
    }
    points1.emplace_back();
    points2.emplace_back();
    all.push_back({5});
  }
  EXPECT_TRUE(multiply_sum(points1, all).same(expected1));
  EXPECT_TRUE(multiply_sum(points2, all).same(expected2));
}

TEST(Bls12381, PairingIsBilinear) {
  const Scalar a = scalars()[6];
  const Scalar b{77, 78, 79, 80};
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
  EXPECT_TRUE(PairingCheck<Curve>().is_one());
}

TEST(Bls12381, CyclotomicSquaringIsSquaring) {
  Fp12 f{{Fp2::xi(), g2_generator().x, g2_generator().y}, {g2_generator().x, Fp2::one(), Fp2::xi()}};
  EXPECT_EQ(f * f, f.squared());
  f = f.conjugate() * f.inverse();
  f = f.frobenius_twice() * f;
  EXPECT_EQ(f.cyclotomic_squared(), f.squared());
  EXPECT_EQ(f.frobenius().frobenius(), f.frobenius_twice());
}

TEST(Bls12381, MapsLandInTheSubgroups) {
  for (Word i = 0; i < 16; ++i) {
    const Fp u = i % 2 == 0 ? Fp::small(i) : -Fp::small(i * i * 0x123456789);
    const auto p = map_to_g1(u).affine();
    EXPECT_TRUE(p.on_curve(kB)) << i;
    EXPECT_TRUE(in_subgroup(p)) << i;
    // SSWU is odd.
    if (!u.is_zero()) EXPECT_EQ(map_to_g1(-u).affine(), -p) << i;
    const Fp2 v{u, i % 3 == 0 ? Fp{} : Fp::small(i)};
    const auto q = map_to_g2(v).affine();
    EXPECT_TRUE(q.on_curve(kTwistB)) << i;
    EXPECT_TRUE(in_subgroup(q)) << i;
  }
}

// RFC 9380, J.9.1 and J.10.1, empty message: the sum of the maps of u0 and u1 is P (the cofactor is linear).
TEST(Bls12381, MapsOfRfc9380) {
  const Fp u0 =
      Fp::hex("0ba14bd907ad64a016293ee7c2d276b8eae71f25a4b941eece7b0d89f17f75cb3ae5438a614fb61d6835ad59f29c564f");
  const Fp u1 =
      Fp::hex("019b9bd7979f12657976de2884c7cce192b82c177c80e0ec604436a7f538d231552f0d96d9f7babe5fa3b19b3ff25ac9");
  const auto p = map_to_g1(u0).plus(map_to_g1(u1)).affine();
  EXPECT_EQ(
      p.x, Fp::hex("052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"));
  EXPECT_EQ(
      p.y, Fp::hex("08ba738453bfed09cb546dbb0783dbb3a5f1f566ed67bb6be0e8c67e2e81a4cc68ee29813bb7994998f3eae0c9c6a265"));
  const Fp2 v0{
      Fp::hex("03dbc2cce174e91ba93cbb08f26b917f98194a2ea08d1cce75b2b9cc9f21689d80bd79b594a613d0a68eb807dfdc1cf8"),
      Fp::hex("05a2acec64114845711a54199ea339abd125ba38253b70a92c876df10598bd1986b739cad67961eb94f7076511b3b39a")};
  const Fp2 v1{
      Fp::hex("02f99798e8a5acdeed60d7e18e9120521ba1f47ec090984662846bc825de191b5b7641148c0dbc237726a334473eee94"),
      Fp::hex("145a81e418d4010cc027a68f14391b30074e89e60ee7a22f87217b2f6eb0c4b94c9115b436e6fa4607e95a98de30a435")};
  const auto q = map_to_g2(v0).plus(map_to_g2(v1)).affine();
  EXPECT_EQ(
      q.x.c0,
      Fp::hex("0141ebfbdca40eb85b87142e130ab689c673cf60f1a3e98d69335266f30d9b8d4ac44c1038e9dcdd5393faf5c41fb78a"));
  EXPECT_EQ(
      q.x.c1,
      Fp::hex("05cb8437535e20ecffaef7752baddf98034139c38452458baeefab379ba13dff5bf5dd71b72418717047f5b0f37da03d"));
  EXPECT_EQ(
      q.y.c0,
      Fp::hex("0503921d7f6a12805e72940b963c0cf3471c7b2a524950ca195d11062ee75ec076daf2d4bc358c4b190c0c98064fdd92"));
  EXPECT_EQ(
      q.y.c1,
      Fp::hex("12424ac32561493f3fe3c260708a12b7c620e7be00099a974e259ddc7d1f6395c3c811cdd19f1e8dbf3e9ecfdcbab8d6"));
}

}  // namespace
}  // namespace bonus::chain::precompiles::bls
