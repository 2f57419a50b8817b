// Only the receiver opens a datagram; bounds of caches and buckets.
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

TEST_F(SealedTest, WhoSealedNothingDoesNotPushTheOthersOut) {
  Sealer small(secret(1), runtime::system_random(), 4);
  const auto good = bob_.seal(DatagramKind::kDht, small.public_key(), as_bytes("hello")).value();
  ASSERT_TRUE(small.open(good));
  Bytes junk(kSealOverhead + 40, 7);
  junk[0] = 0xB0;
  for (int i = 0; i < 100; ++i) {
    runtime::system_random().fill(std::span(junk).subspan(1, 32));
    EXPECT_FALSE(small.open(junk));
    EXPECT_FALSE(small.knows(junk)) << "it goes on to cost its prefix";
  }
  EXPECT_TRUE(small.knows(good));
}

TEST_F(SealedTest, LowOrderKeysAreRefused) {
  EXPECT_FALSE(alice_.seal(DatagramKind::kDht, {}, {}));
  Bytes forged(kSealOverhead, 0);
  forged[0] = 0xB0;
  EXPECT_FALSE(alice_.open(forged));
}

/// 0, 1, 2, ... instead of a nonce.
class Counting final : public runtime::Random {
 public:
  void fill(std::span<std::uint8_t> out) override {
    for (auto& byte : out) byte = next_++;
  }
  std::uint64_t next_u64() override { return next_++; }

 private:
  std::uint8_t next_ = 0;
};

// From an implementation of the document in Python that shares no code.
TEST(SealedBytes, AreThoseOfTheDocument) {
  Counting nonce;
  Sealer sealer(secret(1), nonce);
  const auto to = crypto::x25519_public(secret(2));
  EXPECT_EQ(
      to_hex(sealer.seal(DatagramKind::kPath, to, as_bytes("hello")).value()),
      "b1a4e09292b651c278b9772c569f5fa9bb13d906b46ab68c9df9dc2b4409f8a209000102030405060708090a0b0c0d0e0f1011121314"
      "151617366fe017b17d04de4e282df585e48a0d1db7e22af3");
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
