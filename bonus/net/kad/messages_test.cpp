// Messages come back, and nothing malformed is accepted.
#include "bonus/net/kad/messages.hpp"

#include <gtest/gtest.h>

#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad {
namespace {

using runtime::sim::SeededRandom;

UdpEndpoint v4(std::uint8_t last, std::uint16_t port = 51820) {
  return *parse_endpoint("198.18.0." + std::to_string(last) + ":" + std::to_string(port));
}
UdpEndpoint v6(std::uint8_t last) { return *parse_endpoint("[2001:4860::" + std::to_string(last) + "]:51820"); }

Told told(std::uint8_t i, bool ipv6) {
  Told out;
  out.key.bytes.fill(i);
  out.endpoint = ipv6 ? v6(i) : v4(i);
  out.position = 0x0102030405060708ull * i;
  out.coordinate = {static_cast<std::int16_t>(-4 * i), static_cast<std::int16_t>(i), static_cast<std::uint16_t>(i),
                    1000};
  return out;
}

Message nodes(std::size_t count, bool ipv6) {
  Message m;
  m.type = Type::kNodes;
  m.serves = true;
  m.transaction = 0x1122334455667788ull;
  m.coordinate = {-7, 9, 11, 500};
  m.token = 42;
  m.observed = ipv6 ? v6(9) : v4(9);
  m.proof.emplace();
  m.proof->root.bytes.fill(3);
  m.proof->expires = 77;
  m.proof->metro = 5;
  for (std::size_t i = 0; i < count; ++i) m.contacts.push_back(told(static_cast<std::uint8_t>(i + 1), ipv6));
  return m;
}

TEST(DhtMessages, EveryTypeComesBack) {
  for (unsigned type = 1; type <= 10; ++type) {
    Message m = nodes(3, true);
    m.type = static_cast<Type>(type);
    if (m.type != Type::kNodes && m.type != Type::kPong) m.observed.reset(), m.proof.reset();
    m.wants_proof = true;
    m.find = Find::kNear;
    m.scope = {Ring::kMetro, 99, 19675};
    m.target.bytes.fill(8);
    m.bits = 13;
    m.position = 12345;
    m.kind = DataKind::kValue;
    m.data = Bytes(100, 6);
    m.accepted = true;
    m.nonce = 31;
    m.peer.bytes.fill(2);
    m.endpoint = v4(200);
    const auto bytes = encode(m, kMaxPayload, type == 1 || type == 3 ? 300 : 0);
    const auto back = decode(bytes);
    ASSERT_TRUE(back) << type << ": " << back.error().message;
    EXPECT_EQ(encode(*back, kMaxPayload, type == 1 || type == 3 ? 300 : 0), bytes) << type;
    EXPECT_EQ(back->transaction, m.transaction);
    EXPECT_EQ(back->coordinate, m.coordinate);
    if (m.type == Type::kNodes) EXPECT_EQ(back->contacts, m.contacts);
    if (m.type == Type::kFind) EXPECT_EQ(back->scope, m.scope);
    if (m.type == Type::kStore) EXPECT_EQ(back->data, m.data);
  }
}

TEST(DhtMessages, SixteenIpv4ContactsAndAProofFitOneDatagram) {
  const auto back = decode(encode(nodes(kBucketSize, false)));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->contacts.size(), kBucketSize);
  EXPECT_TRUE(back->proof);
  EXPECT_TRUE(back->observed);
}

TEST(DhtMessages, NeverLongerThanTheBudget) {
  for (std::size_t budget = 28; budget <= kMaxPayload; ++budget)
    for (const bool ipv6 : {false, true}) {
      const auto bytes = encode(nodes(kBucketSize, ipv6), budget);
      ASSERT_LE(bytes.size(), budget);
      ASSERT_TRUE(decode(bytes));
    }
}

TEST(DhtMessages, TheLargestRecordAndValueFit) {
  Message m;
  m.type = Type::kStore;
  m.kind = DataKind::kRecord;
  m.data = Bytes(kMaxRecordBytes, 1);
  EXPECT_LE(encode(m).size(), kMaxPayload);
  EXPECT_TRUE(decode(encode(m)));
  m.kind = DataKind::kValue;
  m.data = Bytes(kMaxEncodedValue, 1);
  EXPECT_LE(encode(m).size(), kMaxPayload);
  EXPECT_TRUE(decode(encode(m)));
  m.data.push_back(1);
  EXPECT_FALSE(decode(encode(m)));
  m.type = Type::kValue;
  m.data = Bytes(kMaxEncodedValue, 1);
  EXPECT_LE(encode(m).size(), kMaxPayload);
}

TEST(DhtMessages, CutOffExtendedAndForeignBytesAreRefused) {
  const auto bytes = encode(nodes(4, true));
  for (std::size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode(BytesView(bytes).first(size))) << size;
  auto longer = bytes;
  longer.push_back(0);
  EXPECT_FALSE(decode(longer));
  auto version = bytes;
  version[0] = 2;
  EXPECT_FALSE(decode(version));
  Message ping;
  auto padded = encode(ping, kMaxPayload, 100);
  EXPECT_TRUE(decode(padded));
  padded.back() = 1;
  EXPECT_FALSE(decode(padded)) << "padding must be zero";
  EXPECT_FALSE(decode(encode(ping))) << "a request shorter than its answer";
  EXPECT_FALSE(decode(Bytes(kMaxPayload + 1, 1)));
}

TEST(DhtMessages, RandomAndFlippedBytesNeverCrash) {
  constexpr std::uint64_t kSeed = 5;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  const auto valid = encode(nodes(kBucketSize, false));
  for (unsigned i = 0; i < 20'000; ++i) {
    Bytes bytes = valid;
    if (i % 2 == 0) {
      bytes.resize(random.below(300));
      random.fill(bytes);
      if (bytes.size() > 1) bytes[0] = 1, bytes[1] = static_cast<std::uint8_t>(1 + random.below(10));
    } else {
      for (unsigned f = 0; f < 3; ++f)
        bytes[random.below(bytes.size())] ^= static_cast<std::uint8_t>(1 << random.below(8));
    }
    const auto m = decode(bytes);
    if (m) ASSERT_LE(encode(*m, kMaxPayload, bytes.size()).size(), kMaxPayload);
  }
}

}  // namespace
}  // namespace bonus::net::kad
