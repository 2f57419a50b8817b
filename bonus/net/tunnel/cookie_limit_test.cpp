// Who gets a cookie reply while others flood.
#include "bonus/net/tunnel/cookie_limit.hpp"

#include <gtest/gtest.h>

namespace bonus::net::tunnel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Ipv6 address(std::size_t prefix, std::uint8_t host = 1) {
  Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  out.bytes[12] = 100;
  out.bytes[13] = static_cast<std::uint8_t>(prefix >> 8);
  out.bytes[14] = static_cast<std::uint8_t>(prefix);
  out.bytes[15] = host;
  return out;
}

// Replies to `per_ms` messages a millisecond that are spread over `prefixes`.
std::size_t flood(CookieLimit& limit, Instant& now, std::size_t prefixes, std::size_t per_ms, milliseconds time) {
  std::size_t replies = 0;
  std::size_t next = 0;
  for (const Instant end = now + time; now < end; now += milliseconds(1))
    for (std::size_t i = 0; i < per_ms; ++i) replies += limit.allow(address(++next % prefixes), now) ? 1u : 0u;
  return replies;
}

TEST(CookieLimitTest, AFloodThroughManyPrefixesIsThinnedAndNobodyElseWaits) {
  CookieLimit limit(20, 100, 8000);
  Instant now{};
  (void)flood(limit, now, 250, 50, seconds(5));  // bursts are used up
  const std::size_t replies = flood(limit, now, 250, 50, seconds(2));
  EXPECT_GE(replies, 15'900u);
  EXPECT_LE(replies, 16'100u) << "8,000 a second, 250 times 20 of them the prefixes' own";
  for (std::size_t i = 0; i < 500; ++i) EXPECT_TRUE(limit.allow(address(1000 + i), now)) << i;
}

TEST(CookieLimitTest, APrefixUsesWhatOthersLeave) {
  CookieLimit limit(20, 100, 8000);
  Instant now{};
  EXPECT_EQ(flood(limit, now, 1, 5, seconds(3)), 15'000u) << "below the rate for all everyone is answered";
  (void)flood(limit, now, 1, 20, seconds(2));
  const std::size_t replies = flood(limit, now, 1, 20, seconds(1));
  EXPECT_GE(replies, 7'950u);
  EXPECT_LE(replies, 8'050u);
}

TEST(CookieLimitTest, OwnTokensGoBeyondTheRateForAll) {
  CookieLimit limit(20, 100, 1000);
  Instant now{};
  (void)flood(limit, now, 500, 50, seconds(5));
  const std::size_t replies = flood(limit, now, 500, 50, seconds(1));
  EXPECT_GE(replies, 9'900u);
  EXPECT_LE(replies, 10'600u) << "500 times 20; none is left for more";
  // The debt is bounded: half a second later there is something for all again.
  now += milliseconds(501);
  std::size_t more = 0;
  for (int i = 0; i < 1000; ++i) more += limit.allow(address(1), now) ? 1u : 0u;
  EXPECT_GE(more, 250u);
  EXPECT_LE(more, 270u);
}

TEST(CookieLimitTest, AClockThatStepsBackGivesNothing) {
  CookieLimit limit(1, 1, 4);
  Instant now{std::chrono::hours(1)};
  EXPECT_TRUE(limit.allow(address(1), now));
  EXPECT_FALSE(limit.allow(address(1), now)) << "a quarter of a second of the rate for all is one, and it is taken";
  EXPECT_FALSE(limit.allow(address(1), now - seconds(10)));
  EXPECT_FALSE(limit.allow(address(1), now));
  EXPECT_TRUE(limit.allow(address(2), now - seconds(10)));
}

}  // namespace
}  // namespace bonus::net::tunnel
