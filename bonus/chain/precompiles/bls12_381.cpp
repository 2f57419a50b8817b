// BLS12-381: endomorphisms, subgroup checks, multiples and the end of the pairing.
#include "bonus/chain/precompiles/bls12_381.hpp"

namespace bonus::chain::precompiles::bls {
namespace {

/// A primitive cube root of one: the one for which endomorphism() multiplies by -x^2, not by x^2 - 1.
constexpr Fp kBeta = Fp::hex("5f19672fdf76ce51ba69c6076a0f77eaddb3a93be6f89688de17d813620a00022e01fffffffefffe");

struct TwistFactors {
  Fp2 x;
  Fp2 y;
};
/// xi^(-(p - 1) / 3) and xi^(-(p - 1) / 2).
const TwistFactors& twist_factors() {
  static const TwistFactors instance{Fp12::powers()[2].inverse(), Fp12::powers()[3].inverse()};
  return instance;
}

/// The digits of a scalar modulo r in base |x|: r = x^4 - x^2 + 1, so there are four.
std::array<Word, 4> digits_of(Scalar scalar) {
  while (!less(scalar, kOrder)) (void)sub_from(scalar, kOrder);  // 2^256 < 3 r
  std::array<Word, 4> digits{};
  for (Word& digit : digits) {
    Wide rest = 0;
    for (std::size_t i = scalar.size(); i-- > 0;) {
      rest = rest << 64 | scalar[i];
      scalar[i] = static_cast<Word>(rest / kX);
      rest %= kX;
    }
    digit = static_cast<Word>(rest);
  }
  return digits;
}

/// Points are taken in groups, so that their tables stay in the cache.
constexpr std::size_t kGroup = 32;

/// The finite points of a group and the digits of their scalars.
template <class F>
struct Group {
  std::vector<Affine<F>> points;
  std::vector<std::array<Word, 4>> digits;
};
template <class F>
Group<F> group_at(std::span<const Affine<F>> points, std::span<const Scalar> scalars, std::size_t at) {
  Group<F> out;
  for (std::size_t i = at; i < std::min(points.size(), at + kGroup); ++i) {
    if (points[i].infinity) continue;
    out.points.push_back(points[i]);
    out.digits.push_back(digits_of(scalars[i]));
  }
  return out;
}

template <class F>
MultiplesTable<F> mapped(const MultiplesTable<F>& table, Affine<F> (*map)(const Affine<F>&)) {
  MultiplesTable<F> out;
  std::ranges::transform(table, out.begin(), map);
  return out;
}

Fp12 power_of_x(const Fp12& f) { return f.cyclotomic_power_sparse(kX).conjugate(); }

}  // namespace

const G1& g1_generator() {
  static constexpr Fp kGx =
      Fp::hex("17f1d3a73197d7942695638c4fa9ac0fc3688c4f9774b905a14e3a3f171bac586c55e83ff97a1aeffb3af00adb22c6bb");
  static constexpr Fp kGy =
      Fp::hex("08b3f481e3aaa0f1a09e30ed741d8ae4fcf5e095d5d00af600db18cb2c04b3edd03cc744a2888ae40caa232946c5e7e1");
  static const G1 instance{kGx, kGy, false};
  return instance;
}

const G2& g2_generator() {
  static constexpr Fp2 kGx{
      Fp::hex("024aa2b2f08f0a91260805272dc51051c6e47ad4fa403b02b4510b647ae3d1770bac0326a805bbefd48056c8c121bdb8"),
      Fp::hex("13e02b6052719f607dacd3a088274f65596bd0d09920b61ab5da61bbdc7f5049334cf11213945d57e5ac7d055d042b7e")};
  static constexpr Fp2 kGy{
      Fp::hex("0ce5d527727d6e118cc9cdc6da2e351aadfd9baa8cbdd3a76d429a695160d12c923ac9cc3baca289e193548608b82801"),
      Fp::hex("0606c4a02ea734cc32acd2b02bc28b99cb3e287e85a763af267492ab572e99ab3f370d275cec1da1aaa9075ff05f79be")};
  static const G2 instance{kGx, kGy, false};
  return instance;
}

G1 endomorphism(const G1& p) { return {p.x * kBeta, p.y, p.infinity}; }

G2 twist_frobenius(const G2& q) {
  const auto& factors = twist_factors();
  return {q.x.conjugate() * factors.x, q.y.conjugate() * factors.y, q.infinity};
}

Jacobian<Fp2> twist_frobenius(const Jacobian<Fp2>& q) {
  const auto& factors = twist_factors();
  return {q.x.conjugate() * factors.x, q.y.conjugate() * factors.y, q.z.conjugate()};
}

bool in_subgroup(const G1& p) {
  // The endomorphism satisfies X^2 + X + 1. If it acts as -x^2, then x^4 - x^2 + 1 = r annihilates the point.
  const auto by_x2 = multiply_sparse(multiply_sparse(Jacobian(p), kX), kX);
  return by_x2.same(-Jacobian(endomorphism(p)));
}

bool in_subgroup(const G2& q) {
  // The p-power map satisfies X^2 - (x + 1) X + p. If it acts as x, then p - x annihilates the point: that is the order
  // of G1's curve, r times a cofactor which has no factor in common with the twist's (Scott, eprint 2021/1130).
  return multiply_sparse(Jacobian(q), kX).same(-Jacobian(twist_frobenius(q)));
}

Jacobian<Fp> multiply_sum(std::span<const G1> points, std::span<const Scalar> scalars) {
  Jacobian<Fp> total;
  for (std::size_t at = 0; at < points.size(); at += kGroup) {
    const auto group = group_at(points, scalars, at);
    const auto tables = tables_of<Fp>(group.points);
    MultipleSum<Fp, 2> sum;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      // k = low + high x^2, and x^2 is minus the endomorphism.
      const auto& d = group.digits[i];
      const Wide low = Wide{d[1]} * kX + d[0];
      const Wide high = Wide{d[3]} * kX + d[2];
      sum.add(tables[i], {static_cast<Word>(low), static_cast<Word>(low >> 64)}, false);
      sum.add(mapped<Fp>(tables[i], endomorphism), {static_cast<Word>(high), static_cast<Word>(high >> 64)}, true);
    }
    total = total.plus(sum.sum());
  }
  return total;
}

Jacobian<Fp2> multiply_sum(std::span<const G2> points, std::span<const Scalar> scalars) {
  Jacobian<Fp2> total;
  for (std::size_t at = 0; at < points.size(); at += kGroup) {
    const auto group = group_at(points, scalars, at);
    const auto tables = tables_of<Fp2>(group.points);
    MultipleSum<Fp2, 1> sum;
    for (std::size_t i = 0; i < tables.size(); ++i) {
      // The p-power map multiplies by x, which is negative.
      MultiplesTable<Fp2> table = tables[i];
      for (std::size_t k = 0; k < 4; ++k) {
        if (k != 0) table = mapped<Fp2>(table, twist_frobenius);
        sum.add(table, {group.digits[i][k]}, k % 2 == 1);
      }
    }
    total = total.plus(sum.sum());
  }
  return total;
}

Fp12 Curve::hard_part(const Fp12& f) {
  // Three times (p^4 - p^2 + 1) / r is (x - 1)^2 (x + p) (x^2 + p^2 - 1) + 3 (Hayashida, Hayasaka, Teruya, eprint
  // 2020/875); the cube of a value of order r is one only if the value is.
  Fp12 a = power_of_x(f) * f.conjugate();
  a = power_of_x(a) * a.conjugate();
  a = power_of_x(a) * a.frobenius();
  a = power_of_x(power_of_x(a)) * a.frobenius_twice() * a.conjugate();
  return a * f.cyclotomic_squared() * f;
}

}  // namespace bonus::chain::precompiles::bls
