// What people type, and what they get told when it makes no sense.
#include "bonus/base/parse.hpp"

#include <gtest/gtest.h>

namespace bonus {
namespace {

using namespace std::chrono_literals;

TEST(ParseDuration, ReadsUnitsSequencesAndDecimals) {
  EXPECT_EQ(parse_duration("90s").value(), 90s);
  EXPECT_EQ(parse_duration("5m").value(), 5min);
  EXPECT_EQ(parse_duration("2h").value(), 2h);
  EXPECT_EQ(parse_duration("1h30m").value(), 90min);
  EXPECT_EQ(parse_duration("1.5h").value(), 90min);
  EXPECT_EQ(parse_duration("250ms").value(), 250ms);
  EXPECT_EQ(parse_duration("0.000001ms").value(), 1ns);
  EXPECT_EQ(parse_duration("2d").value(), 48h);
  EXPECT_EQ(parse_duration("0").value(), 0s);
  EXPECT_EQ(parse_duration("36500d").value(), 24h * 36500);
}

TEST(ParseDuration, RefusesTheRest) {
  for (const char* text :
       {"", "5", "s", "5x", "-5s", "5 s", "1h-2m", "1..5h", ".5h", "1.h", "0.0000001ms", "36501d",
        "99999999999999999999999999999999999999999999999999999999999999999999999999999999d", "36500d1ms", "5S"}) {
    const auto out = parse_duration(text);
    ASSERT_FALSE(out) << text;
    EXPECT_EQ(out.error().code, ErrorCode::kInvalid);
    EXPECT_NE(out.error().message.find(text), std::string::npos);
  }
  EXPECT_FALSE(parse_duration(std::string(100'000, '1') + "s"));
}

TEST(ParseSize, ReadsBinaryAndDecimalUnits) {
  EXPECT_EQ(parse_size("256Mi").value(), 256ULL << 20);
  EXPECT_EQ(parse_size("1Gi").value(), 1ULL << 30);
  EXPECT_EQ(parse_size("10M").value(), 10'000'000U);
  EXPECT_EQ(parse_size("1.5Gi").value(), 3ULL << 29);
  EXPECT_EQ(parse_size("4096").value(), 4096U);
  EXPECT_EQ(parse_size("1k").value(), parse_size("1K").value());
  EXPECT_EQ(parse_size("18446744073709551615").value(), UINT64_MAX);
  EXPECT_EQ(parse_size("0").value(), 0U);
}

TEST(ParseSize, RefusesTheRest) {
  for (const char* text : {"", "Mi", "1.5", "-1", "1 Gi", "1GiB", "1gi", "18446744073709551616", "16384Pi", "0x10"}) {
    EXPECT_EQ(parse_size(text).error().code, ErrorCode::kInvalid) << text;
  }
}

TEST(ParseCpu, ReadsCoresAndThousandths) {
  EXPECT_EQ(parse_cpu("500m").value(), MilliCpu(500));
  EXPECT_EQ(parse_cpu("2").value(), MilliCpu(2000));
  EXPECT_EQ(parse_cpu("1.5").value(), MilliCpu(1500));
  EXPECT_EQ(parse_cpu("0.001").value(), MilliCpu(1));
  EXPECT_EQ(parse_cpu("65536").value(), MilliCpu(65'536'000));
}

TEST(ParseCpu, RefusesTheRest) {
  for (const char* text : {"", "0", "0m", "-1", "0.0001", "1.5m", "65537", "two", "1c"}) {
    EXPECT_EQ(parse_cpu(text).error().code, ErrorCode::kInvalid) << text;
  }
}

TEST(ParseBnc, ReadsUnitsExactly) {
  EXPECT_EQ(parse_bnc("1.5").value().to_decimal(), "1500000000000000000");
  EXPECT_EQ(parse_bnc("100 gwei").value().to_decimal(), "100000000000");
  EXPECT_EQ(parse_bnc("1.5gwei").value().to_decimal(), "1500000000");
  EXPECT_EQ(parse_bnc("7 wei").value(), uint256(7U));
  EXPECT_EQ(parse_bnc("2 BNC").value(), uint256(2U) * kWeiPerBnc);
  EXPECT_EQ(parse_bnc("0.000000000000000001").value(), uint256(1U));
  EXPECT_EQ(parse_bnc("0").value(), uint256());
  EXPECT_EQ(parse_bnc((~uint256()).to_decimal() + " wei").value(), ~uint256());
}

TEST(ParseBnc, RefusesTheRest) {
  for (const char* text : {"", " 1", "1 eth", "-1", "0.5 wei", "0.0000000000000000001", "1e18", "1,5", "1  gwei",
                           "gwei", "115792089237316195423570985008687907853269984665640564039457584007913129639936 wei",
                           "115792089237316195423570985008687907853269984665640564039458"}) {
    EXPECT_EQ(parse_bnc(text).error().code, ErrorCode::kInvalid) << text;
  }
}

TEST(FormatBnc, IsExactAndParsesBack) {
  EXPECT_EQ(format_bnc(uint256()), "0");
  EXPECT_EQ(format_bnc(uint256(1U)), "0.000000000000000001");
  EXPECT_EQ(format_bnc(parse_bnc("1.50").value()), "1.5");
  EXPECT_EQ(format_bnc(parse_bnc("1200").value()), "1200");
  for (const uint256& wei : {uint256(123456789U), kWeiPerBnc + uint256(10U), ~uint256(), uint256(7, 6, 5, 4)}) {
    EXPECT_EQ(parse_bnc(format_bnc(wei)).value(), wei);
  }
}

TEST(FormatSize, IsExactAndParsesBack) {
  EXPECT_EQ(format_size(256ULL << 20), "256Mi");
  EXPECT_EQ(format_size(1000), "1000");
  EXPECT_EQ(format_size(0), "0");
  for (const std::uint64_t bytes : {1ULL, 1023ULL, 1024ULL, 3ULL << 40, 1ULL << 63, ~0ULL}) {
    EXPECT_EQ(parse_size(format_size(bytes)).value(), bytes);
  }
}

TEST(FormatDuration, ShowsParts) {
  EXPECT_EQ(format_duration(0s), "0s");
  EXPECT_EQ(format_duration(90s), "1m30s");
  EXPECT_EQ(format_duration(-250ms), "-250ms");
  EXPECT_EQ(format_duration(5ns), "<1ms");
  EXPECT_EQ(format_duration(49h + 1ms), "2d1h1ms");
  EXPECT_EQ(format_duration(Duration::min()).front(), '-');
}

}  // namespace
}  // namespace bonus
