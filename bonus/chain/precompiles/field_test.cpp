// Field and tower arithmetic: laws, the assembly against C++, inverses and roots, on edge values and random ones.
#include "bonus/chain/precompiles/field.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/precompiles/bls12_381.hpp"
#include "bonus/chain/precompiles/bn254.hpp"

namespace bonus::chain::precompiles {
namespace {

template <class F>
class FieldTest : public testing::Test {
 public:
  /// Numbers at which carries are likely to go wrong, then random ones.
  static std::vector<F> values() {
    std::vector<F> out{F{}, F::one(), -F::one(), F::small(2), -F::small(2), F::small(~Word{0})};
    for (std::size_t i = 0; i < F::kLimbs; ++i) {
      typename F::Raw raw{};
      raw[i] = i + 1 == F::kLimbs ? 1 : ~Word{0};
      out.push_back(F::from_limbs(raw));
      // The same as the inner form.
      out.push_back(F::from_limbs(raw) * F::from_limbs(F::one().limbs()));
      out.push_back(-out.back());
    }
    Word seed = 7;
    for (int i = 0; i < 40; ++i) {
      typename F::Raw raw{};
      for (Word& word : raw) word = seed = seed * 6364136223846793005 + 1442695040888963407;
      raw[F::kLimbs - 1] %= F::kModulus[F::kLimbs - 1];
      out.push_back(F::from_limbs(raw));
    }
    return out;
  }
};
using Fields = testing::Types<bn254::Fp, bls::Fp>;
TYPED_TEST_SUITE(FieldTest, Fields);

TYPED_TEST(FieldTest, AssemblyEqualsPortableCode) {
  using F = TypeParam;
  for (const F& a : this->values()) {
    for (const F& b : this->values()) {
      EXPECT_EQ(a * b, F::portable_product(a, b));
      const auto loose_a = F::loose_sum(a, b);
      const auto loose_b = F::loose_sum(b, b);
      const auto product = F::multiply(loose_a, loose_b);
      EXPECT_EQ(product, F::portable_multiply(loose_a, loose_b));
      EXPECT_EQ(F::reduce(product), F::portable_reduce(product));
      EXPECT_EQ(F::reduce(product), (a + b) * b.twice());
    }
  }
}

TYPED_TEST(FieldTest, Laws) {
  using F = TypeParam;
  for (const F& a : this->values()) {
    EXPECT_EQ(a - a, F{});
    EXPECT_EQ(a + -a, F{});
    EXPECT_EQ(a.half().twice(), a);
    EXPECT_EQ(a * F::one(), a);
    EXPECT_EQ(a.squared(), a * a);
    EXPECT_EQ(F::from_limbs(a.limbs()), a);
    Bytes bytes;
    a.append_be(bytes);
    EXPECT_EQ(F::from_be(bytes), a);
    if (!a.is_zero()) EXPECT_EQ(a * a.inverse(), F::one());
    const auto root = a.squared().root();
    ASSERT_TRUE(root.has_value());
    EXPECT_TRUE(*root == a || *root == -a);
    for (const F& b : this->values()) {
      EXPECT_EQ(a + b, b + a);
      EXPECT_EQ(a - b, -(b - a));
      EXPECT_EQ((a + b) * (a - b), a.squared() - b.squared());
    }
  }
}

TYPED_TEST(FieldTest, ModulusIsNotAnElement) {
  using F = TypeParam;
  Bytes bytes;
  for (std::size_t i = F::kBytes; i-- > 0;)
    bytes.push_back(static_cast<std::uint8_t>(F::kModulus[i / 8] >> (i % 8 * 8)));
  EXPECT_FALSE(F::from_be(bytes).has_value());
  bytes.back() = static_cast<std::uint8_t>(bytes.back() - 1);
  EXPECT_EQ(F::from_be(bytes), -F::one());
}

template <class Fp2>
void check_quadratic(const auto& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    for (std::size_t j = 0; j < values.size(); j += 3) {
      const Fp2 a{values[i], values[(i * 7 + 3) % values.size()]};
      const Fp2 b{values[j], values[(j * 5 + 1) % values.size()]};
      EXPECT_EQ(a * b, (Fp2{a.c0 * b.c0 - a.c1 * b.c1, a.c0 * b.c1 + a.c1 * b.c0}));
      EXPECT_EQ(a.squared(), a * a);
      EXPECT_EQ(a.times_xi(), a * Fp2::xi());
      if (!a.is_zero()) EXPECT_EQ(a * a.inverse(), Fp2::one());
    }
  }
}
TEST(Quadratic, Laws) {
  check_quadratic<bn254::Fp2>(FieldTest<bn254::Fp>::values());
  check_quadratic<bls::Fp2>(FieldTest<bls::Fp>::values());
}

TEST(SparseDigits, AddUpToTheNumber) {
  for (const Limbs<2>& value : {Limbs<2>{}, Limbs<2>{1}, Limbs<2>{~Word{0}, ~Word{0}}, Limbs<2>{0, Word{1} << 63},
                                Limbs<2>{0x123456789ABCDEF1, 0xFEDCBA9876543210}}) {
    const SparseDigits<2> digits(value);
    // Modulo 2^128 the digit at 2^128 is lost, which only the carry of the largest numbers needs.
    Wide sum = 0;
    for (std::size_t i = digits.size(); i-- > 0;) sum = sum * 2 + static_cast<Wide>(static_cast<__int128>(digits[i]));
    EXPECT_EQ(static_cast<Word>(sum), value[0]);
    EXPECT_EQ(static_cast<Word>(sum >> 64), value[1]);
  }
}

}  // namespace
}  // namespace bonus::chain::precompiles
