#include "bonus/net/record/sealed.hpp"

#include <gtest/gtest.h>

namespace bonus::net {
namespace {

crypto::X25519Secret secret(std::uint8_t fill) {
  crypto::X25519Secret out;
  out.bytes.fill(fill);
  return out;
}

class SealedTest : public ::testing::Test {
 protected:
  Sealer alice_{secret(1), runtime::system_random()}, bob_{secret(2), runtime::system_random(), 2};
  Sealer eve_{secret(3), runtime::system_random()};
};

TEST_F(SealedTest, OnlyTheReceiverOpensIt) {
  const auto sealed = alice_.seal(DatagramKind::kPath, bob_.public_key(), as_bytes("hello")).value();
  EXPECT_EQ(sealed.size(), 5 + kSealOverhead);
  EXPECT_EQ(sealed[0], 0xB1);
  EXPECT_FALSE(bob_.knows(sealed));
  const auto opened = bob_.open(sealed).value();
  EXPECT_TRUE(bob_.knows(sealed));
  EXPECT_EQ(opened.from, alice_.public_key());
  EXPECT_EQ(opened.kind, DatagramKind::kPath);
  EXPECT_EQ(as_text(opened.payload), "hello");
  EXPECT_FALSE(eve_.open(sealed));
}

TEST_F(SealedTest, KindSenderAndContentAreAuthenticated) {
  const auto sealed = alice_.seal(DatagramKind::kDht, bob_.public_key(), as_bytes("hello")).value();
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    auto changed = sealed;
    changed[i] ^= 1;
    EXPECT_FALSE(bob_.open(changed)) << "byte " << i;
  }
  for (std::size_t size = 0; size < sealed.size(); ++size) EXPECT_FALSE(bob_.open(BytesView(sealed).first(size)));
}

TEST_F(SealedTest, TheCacheIsBounded) {
  const auto first = alice_.seal(DatagramKind::kDht, bob_.public_key(), {}).value();
  ASSERT_TRUE(bob_.open(first));
  for (std::uint8_t i = 10; i < 14; ++i) {
    Sealer other(secret(i), runtime::system_random());
    ASSERT_TRUE(bob_.open(other.seal(DatagramKind::kDht, bob_.public_key(), {}).value()));
  }
  EXPECT_FALSE(bob_.knows(first));
  EXPECT_TRUE(bob_.open(first));
}

TEST_F(SealedTest, LowOrderKeysAreRefused) {
  EXPECT_FALSE(alice_.seal(DatagramKind::kDht, {}, {}));
  Bytes forged(kSealOverhead, 0);
  forged[0] = 0xB0;
  EXPECT_FALSE(alice_.open(forged));
}

TEST(PrefixLimiterTest, CountsByPrefixAndRefills) {
  PrefixLimiter limiter(10, 5, 4);
  const Ipv6 a = parse_ip("8.8.8.8").value(), same = parse_ip("8.8.8.200").value(), other = parse_ip("8.8.9.8").value();
  Instant now{};
  for (int i = 0; i < 5; ++i) EXPECT_TRUE(limiter.allow(i % 2 == 0 ? a : same, now));
  EXPECT_FALSE(limiter.allow(a, now));
  EXPECT_TRUE(limiter.allow(other, now));
  EXPECT_TRUE(limiter.allow(same, now + std::chrono::milliseconds(100)));
  EXPECT_FALSE(limiter.allow(same, now + std::chrono::milliseconds(100)));
  EXPECT_EQ(rate_prefix(parse_ip("2001:db8:1:2ff::1").value()), rate_prefix(parse_ip("2001:db8:1:200::").value()));
}

}  // namespace
}  // namespace bonus::net
