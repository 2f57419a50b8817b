// uint256 against Boost.Multiprecision: random and edge limbs, every operation.
#include "bonus/base/uint256.hpp"

#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>
#include <random>

namespace bonus {
namespace {

using Big = boost::multiprecision::cpp_int;

const Big kModulus = Big(1) << 256;

Big to_big(const uint256& v) {
  Big out = 0;
  for (std::size_t i = 4; i-- > 0;) out = (out << 64) + v.limb[i];
  return out;
}

uint256 from_big(Big v) {
  v %= kModulus;
  if (v < 0) v += kModulus;
  uint256 out;
  for (auto& limb : out.limb) {
    limb = static_cast<std::uint64_t>(v & UINT64_MAX);
    v >>= 64;
  }
  return out;
}

Big to_signed(const uint256& v) {
  const Big out = to_big(v);
  return (v.limb[3] >> 63) != 0 ? Big(out - kModulus) : out;
}

/// Numbers whose limbs are often the ones that break carries and quotient digits.
class Numbers {
 public:
  explicit Numbers(std::uint64_t seed) : engine_(seed) {}
  std::uint64_t bits() { return engine_(); }
  uint256 next() {
    uint256 out;
    const std::uint64_t length = 1 + engine_() % 4;
    for (std::size_t i = 0; i < length; ++i) out.limb[i] = limb();
    if (engine_() % 4 == 0) out = out >> static_cast<unsigned>(engine_() % 256);
    return out;
  }

 private:
  std::uint64_t limb() {
    switch (engine_() % 8) {
      case 0:
        return 0;
      case 1:
        return UINT64_MAX;
      case 2:
        return 1ULL << 63;
      case 3:
        return (1ULL << 63) - 1;
      case 4:
        return engine_() % 4;
      case 5:
        return UINT64_MAX - engine_() % 4;
      default:
        return engine_();
    }
  }
  std::mt19937_64 engine_;
};

constexpr int kRounds = 4000;

TEST(Uint256, AddSubtractMultiplyAgree) {
  Numbers numbers(1);
  for (int i = 0; i < kRounds; ++i) {
    const uint256 a = numbers.next();
    const uint256 b = numbers.next();
    const Big x = to_big(a);
    const Big y = to_big(b);
    ASSERT_EQ(a + b, from_big(x + y));
    ASSERT_EQ(a - b, from_big(x - y));
    ASSERT_EQ(a * b, from_big(x * y));
    uint256 out;
    ASSERT_EQ(add_overflows(a, b, out), x + y >= kModulus);
    ASSERT_EQ(out, a + b);
    ASSERT_EQ(mul_overflows(a, b, out), x * y >= kModulus);
    ASSERT_EQ(out, a * b);
    ASSERT_EQ(a < b, x < y);
    ASSERT_EQ(a == b, x == y);
    ASSERT_EQ(a & b, from_big(x & y));
    ASSERT_EQ(a | b, from_big(x | y));
    ASSERT_EQ(a ^ b, from_big(x ^ y));
    ASSERT_EQ(~a, from_big(kModulus - 1 - x));
  }
}

TEST(Uint256, DivisionAgrees) {
  Numbers numbers(2);
  for (int i = 0; i < 4 * kRounds; ++i) {
    const uint256 a = numbers.next();
    const uint256 b = numbers.next();
    const DivMod out = div_mod(a, b);
    if (b.is_zero()) {
      ASSERT_TRUE(out.quotient.is_zero() && out.remainder.is_zero());
      continue;
    }
    ASSERT_EQ(out.quotient, from_big(to_big(a) / to_big(b))) << a.to_quantity() << " / " << b.to_quantity();
    ASSERT_EQ(out.remainder, from_big(to_big(a) % to_big(b))) << a.to_quantity() << " % " << b.to_quantity();
  }
}

TEST(Uint256, WideModularOperationsAgree) {
  Numbers numbers(3);
  for (int i = 0; i < 2 * kRounds; ++i) {
    const uint256 a = numbers.next();
    const uint256 b = numbers.next();
    const uint256 m = numbers.next();
    const Big x = to_big(a);
    const Big y = to_big(b);
    const Big z = to_big(m);
    if (m.is_zero()) {
      ASSERT_TRUE(add_mod(a, b, m).is_zero() && mul_mod(a, b, m).is_zero() && mul_div(a, b, m).is_zero());
      continue;
    }
    ASSERT_EQ(add_mod(a, b, m), from_big((x + y) % z));
    ASSERT_EQ(mul_mod(a, b, m), from_big(x * y % z));
    ASSERT_EQ(mul_div(a, b, m), from_big(x * y / z));
  }
}

TEST(Uint256, ProductsDivideBackExactly) {
  // (a * b + r) / b for r < b: quotient digits at the edge of the estimate are frequent here.
  Numbers numbers(4);
  for (int i = 0; i < kRounds; ++i) {
    const uint256 a = numbers.next();
    const uint256 b = numbers.next();
    uint256 product;
    if (b.is_zero() || mul_overflows(a, b, product)) continue;
    ASSERT_EQ(product / b, a);
    ASSERT_TRUE((product % b).is_zero());
    uint256 sum;
    if (!add_overflows(product, b - uint256(1U), sum)) {
      ASSERT_EQ(sum / b, a);
      ASSERT_EQ(sum % b, b - uint256(1U));
    }
  }
}

TEST(Uint256, ShiftsAgree) {
  Numbers numbers(5);
  for (int i = 0; i < kRounds; ++i) {
    const uint256 a = numbers.next();
    const unsigned bits = static_cast<unsigned>(numbers.bits() % 300);
    ASSERT_EQ(a << bits, from_big(to_big(a) << bits)) << bits;
    ASSERT_EQ(a >> bits, from_big(to_big(a) >> bits)) << bits;
    // Boost rounds a negative number's shift towards minus infinity, as SAR does.
    ASSERT_EQ(sar(a, bits), from_big(to_signed(a) >> bits)) << bits;
  }
  EXPECT_TRUE((uint256(1U) << 256).is_zero());
  EXPECT_TRUE((uint256(1U) << 0xffffffffU).is_zero());
  EXPECT_EQ(sar(~uint256(), 1000), ~uint256());
}

TEST(Uint256, SignedOperationsAgree) {
  Numbers numbers(6);
  for (int i = 0; i < kRounds; ++i) {
    const uint256 a = numbers.next();
    const uint256 b = numbers.next();
    const Big x = to_signed(a);
    const Big y = to_signed(b);
    ASSERT_EQ(slt(a, b), x < y);
    if (b.is_zero()) {
      ASSERT_TRUE(sdiv(a, b).is_zero() && smod(a, b).is_zero());
      continue;
    }
    ASSERT_EQ(sdiv(a, b), from_big(x / y));  // Truncates towards zero, as C++ does.
    ASSERT_EQ(smod(a, b), from_big(x % y));  // Sign of the dividend.
  }
  const uint256 least(1ULL << 63, 0, 0, 0);
  EXPECT_EQ(sdiv(least, ~uint256()), least);
}

TEST(Uint256, SignExtendAgrees) {
  Numbers numbers(7);
  for (int i = 0; i < kRounds; ++i) {
    const uint256 a = numbers.next();
    const std::uint64_t index = numbers.bits() % 40;
    uint256 expected = a;
    if (index < 31) {
      const Big low = to_big(a) % (Big(1) << (8 * (index + 1)));
      const bool negative = low >= (Big(1) << (8 * (index + 1) - 1));
      expected = from_big(negative ? Big(low - (Big(1) << (8 * (index + 1)))) : low);
    }
    ASSERT_EQ(sign_extend(uint256(index), a), expected) << index;
  }
  EXPECT_EQ(sign_extend(uint256(1, 0, 0, 0), uint256(0x80U)), uint256(0x80U));
}

TEST(Uint256, PowersAgree) {
  Numbers numbers(8);
  for (int i = 0; i < 200; ++i) {
    const uint256 base = numbers.next();
    const uint256 exponent = numbers.next();
    ASSERT_EQ(exp(base, exponent), from_big(boost::multiprecision::powm(to_big(base), to_big(exponent), kModulus)));
  }
  EXPECT_EQ(exp(uint256(), uint256()), uint256(1U));
}

TEST(Uint256, TextAndBytesAgree) {
  Numbers numbers(9);
  for (int i = 0; i < kRounds / 4; ++i) {
    const uint256 a = numbers.next();
    ASSERT_EQ(a.to_decimal(), to_big(a).str());
    ASSERT_EQ(uint256::parse(a.to_decimal()).value(), a);
    ASSERT_EQ(uint256::parse(a.to_quantity()).value(), a);
    ASSERT_EQ(uint256::from_be(a.to_be()), a);
    const Big x = to_big(a);
    ASSERT_EQ(a.bit_length(), x == 0 ? 0U : boost::multiprecision::msb(x) + 1);
  }
  EXPECT_EQ(uint256().to_quantity(), "0x0");
  EXPECT_EQ(uint256(31U).to_quantity(), "0x1f");
  EXPECT_EQ(uint256(1, 2, 3, 4).to_quantity(), "0x1000000000000000200000000000000030000000000000004");
  const Bytes longer(40, 0x11);
  EXPECT_EQ(uint256::from_be(longer), uint256::from_be(BytesView(longer).last(32)));
  EXPECT_EQ(uint256::from_be({}), uint256());
}

TEST(Uint256, RefusesTextThatIsNoNumber) {
  for (const char* text : {"", "0x", "12a", "-1", "+1", " 1", "1 ", "0x12g", "1.5"}) {
    EXPECT_EQ(uint256::parse(text).error().code, ErrorCode::kInvalid) << text;
  }
  const std::string most = (~uint256()).to_decimal();
  EXPECT_EQ(uint256::parse(most).value(), ~uint256());
  std::string above = most;
  above.back() = static_cast<char>(above.back() + 1);  // ...935 becomes ...936 = 2^256.
  EXPECT_FALSE(uint256::parse(above));
  EXPECT_FALSE(uint256::parse(most + "0"));
  EXPECT_TRUE(uint256::parse("0x" + std::string(100, '0') + "1"));
  EXPECT_FALSE(uint256::parse("0x1" + std::string(64, '0')));
}

static_assert(uint256(3U) * uint256(5U) + uint256(1U) == uint256(16U), "the operators are usable in constants");

}  // namespace
}  // namespace bonus
