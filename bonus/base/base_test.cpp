// Hexadecimal text, fixed bytes, errors, the queue and units.
#include <gtest/gtest.h>

#include <unordered_set>

#include "bonus/base/bytes.hpp"
#include "bonus/base/queue.hpp"
#include "bonus/base/units.hpp"

namespace bonus {
namespace {

TEST(Hex, RoundTripsAndAcceptsBothCases) {
  Bytes all(256);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = static_cast<std::uint8_t>(i);
  EXPECT_EQ(from_hex(to_hex(all)).value(), all);
  EXPECT_EQ(from_hex(to_hex0x(all)).value(), all);
  EXPECT_EQ(to_hex0x(Bytes{0x0a, 0xff}), "0x0aff");
  EXPECT_EQ(from_hex("0XaBcD").value(), (Bytes{0xab, 0xcd}));
  EXPECT_TRUE(from_hex("").value().empty());
  EXPECT_TRUE(from_hex("0x").value().empty());
}

TEST(Hex, RefusesOddAndForeignDigits) {
  EXPECT_EQ(from_hex("abc").error().code, ErrorCode::kInvalid);
  EXPECT_NE(from_hex("00g0").error().message.find("position 2"), std::string::npos);
  EXPECT_NE(from_hex("000g").error().message.find("position 3"), std::string::npos);
}

TEST(FixedBytes, ChecksLengthOrdersAndHashes) {
  EXPECT_FALSE(fixed_from_hex<Address>("0x00"));
  const auto low = fixed_from_hex<Address>("0x00000000000000000000000000000000000000ff").value();
  const auto high = fixed_from_hex<Address>("0x0100000000000000000000000000000000000000").value();
  EXPECT_LT(low, high);
  EXPECT_FALSE(low.is_zero());
  EXPECT_TRUE(Address{}.is_zero());
  const std::unordered_set<Address> set{low, high, low};
  EXPECT_EQ(set.size(), 2U);
}

Result<int> half(int value) {
  if (value % 2 != 0) return fail(ErrorCode::kInvalid, "odd");
  return value / 2;
}
Result<int> quarter(int value) {
  TRY_ASSIGN(const int once, half(value));
  return TRY(half(once));
}

TEST(Result, TryReturnsTheFirstError) {
  EXPECT_EQ(quarter(12).value(), 3);
  EXPECT_EQ(quarter(6).error().message, "odd");
  EXPECT_EQ(quarter(5).error().to_string(), "invalid: odd");
  EXPECT_EQ(quarter(5).error().wrap("quartering 5").message, "quartering 5: odd");
}

TEST(BoundedQueue, RefusesWhatDoesNotFit) {
  BoundedQueue<int> queue(2);
  EXPECT_TRUE(queue.push(1));
  EXPECT_TRUE(queue.push(2));
  EXPECT_FALSE(queue.push(3));
  EXPECT_EQ(queue.pop(), 1);
  EXPECT_TRUE(queue.push(4));
  EXPECT_EQ(queue.pop(), 2);
  EXPECT_EQ(queue.pop(), 4);
  EXPECT_EQ(queue.pop(), std::nullopt);
}

TEST(Units, AddWithinAKind) {
  MilliCpu cpu(500);
  cpu += MilliCpu(250);
  EXPECT_EQ(cpu, MilliCpu(750));
  EXPECT_LT(cpu - MilliCpu(1), cpu);
}

}  // namespace
}  // namespace bonus
