// Rules of the overlay's shell: records after a sleep, relays that strangers push, links that speak for many, lost
// initiations.
#include "bonus/net/overlay/upkeep.hpp"

#include <gtest/gtest.h>

namespace bonus::net::overlay {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UnixSeconds kNow = 1'800'000'000;

Ed25519PublicKey root_of(std::uint8_t number) {
  Ed25519PublicKey out;
  out.bytes.fill(number);
  return out;
}

KnownNode relay(std::uint8_t number) {
  KnownNode out;
  out.record.root = root_of(number);
  out.record.tunnel.key.bytes.fill(number);
  out.record.flags = kRelays;
  return out;
}

TEST(OwnRecord, IsSignedAnewByTheWallClockWhicheverWayItWent) {
  NodeRecord own;
  EXPECT_FALSE(record_due(own, kNow)) << "there is none yet";
  own.expires = kNow + kRecordLifeSeconds;
  EXPECT_FALSE(record_due(own, kNow));
  EXPECT_FALSE(record_due(own, kNow + 5 * 3600));
  EXPECT_TRUE(record_due(own, kNow + 7 * 3600));
  EXPECT_TRUE(record_due(own, kNow + 70 * 3600)) << "slept over the weekend";
  EXPECT_TRUE(record_due(own, kNow - 3600)) << "the clock was an hour ahead";
  TunnelCertificate certificate;
  certificate.not_before = kNow;
  EXPECT_FALSE(certificate_due(certificate, kNow + 24 * 3600));
  EXPECT_TRUE(certificate_due(certificate, kNow + 31 * 24 * 3600));
  EXPECT_TRUE(certificate_due(certificate, kNow - 3600)) << "others do not take a key that is not valid yet";
}

TEST(OwnRelays, AreNotThoseThatStrangersPushIntoTheBook) {
  std::vector<KnownNode> nodes;
  for (std::uint8_t i = 100; i < 200; ++i) nodes.push_back(relay(i));  // newest first: strangers
  nodes.push_back(relay(1));
  nodes.push_back(relay(2));
  KnownNode none = relay(3);
  none.record.flags = 0;
  nodes.push_back(none);
  std::vector<const KnownNode*> book;
  for (const auto& one : nodes) book.push_back(&one);
  RecordEndpoint home{RecordEndpoint::Kind::kRelay, {}, {}};
  home.relay.bytes.fill(2);
  const auto chosen =
      choose_relays(book, {{root_of(1), {}}, {root_of(3), {}}, {root_of(100), {}}}, {home}, root_of(100), 4);
  ASSERT_EQ(chosen.size(), 4u);
  EXPECT_EQ(chosen[0].root, root_of(1)) << "configured, or of the chain";
  EXPECT_EQ(chosen[1].root, root_of(2)) << "ours already";
  EXPECT_EQ(chosen[2].root, root_of(101));
}

TEST(Links, SpeakForOneNodeEach) {
  LinkClients links;
  EXPECT_FALSE(links.set(5, root_of(1)));
  EXPECT_FALSE(links.set(5, root_of(1)));
  for (std::uint8_t i = 2; i < 200; ++i)
    EXPECT_EQ(links.set(5, root_of(i)), root_of(i - 1)) << "the former is withdrawn";
  EXPECT_EQ(links.size(), 1u);
  EXPECT_FALSE(links.set(6, root_of(199))) << "it came back by another link";
  EXPECT_FALSE(links.gone(5)) << "and is still there";
  EXPECT_EQ(links.gone(6), root_of(199));
  EXPECT_FALSE(links.gone(6));
}

TEST(Carried, ManySmallPairsDoNotHideALargeOne) {
  Carried carried(16);
  std::uint16_t number = 0;
  const auto pair = [&] {
    Carried::Pair out;
    ++number;
    out.first.bytes = {static_cast<std::uint8_t>(number * 7), static_cast<std::uint8_t>(number >> 8)};
    out.second.bytes = {static_cast<std::uint8_t>(number), static_cast<std::uint8_t>(number >> 8)};
    return out;
  };
  for (int i = 0; i < 1000; ++i) carried.add(pair(), 20, 1);
  const auto large = pair();
  for (int i = 0; i < 100; ++i) {
    carried.add(large, 1'000'000, 1000);
    carried.add(pair(), 20, 1);
  }
  EXPECT_LE(carried.all().size(), 16u);
  ASSERT_TRUE(carried.all().contains(large));
  EXPECT_EQ(carried.all().at(large).bytes, 100'000'000u);
  EXPECT_GT(carried.forgotten().bytes, 0u);
}

TEST(Handshakes, LostInitiationsGoAgainAfterAFewRoundTripsAndAtMostTwice) {
  for (const Duration rtt : {Duration(milliseconds(1)), Duration(milliseconds(80)), Duration(milliseconds(600))}) {
    HandshakeWatch watch(8);
    crypto::X25519Public peer;
    peer.bytes.fill(1);
    const Instant start{seconds(100)};
    // Sent before the path was proven: again at the first look. Everything is lost.
    Instant sent = start - milliseconds(10);
    watch.proven(peer, rtt, start);
    std::vector<Instant> resent;
    while (const auto at = watch.next()) {
      const auto check = watch.take(*at);
      ASSERT_TRUE(check);
      EXPECT_FALSE(watch.take(*at));
      if (sent < check->sent_before) resent.push_back(sent = *at);
      watch.again(*check, *at);
    }
    ASSERT_EQ(resent.size(), 3u);
    EXPECT_LE(resent[0], start + rtt + milliseconds(20));
    EXPECT_GE(resent[1] - resent[0], 2 * rtt);
    EXPECT_GE(resent[2] - resent[1], 2 * rtt);
    EXPECT_LE(resent[2] - start, seconds(5));
    // Sent over the proven path: not at the first look, when the answer cannot be here.
    watch.proven(peer, rtt, start);
    const auto first = watch.take(*watch.next());
    EXPECT_FALSE(start < first->sent_before);
  }
  HandshakeWatch full(1);
  full.proven({}, milliseconds(1), Instant{});
  full.proven({}, milliseconds(1), Instant{});
  EXPECT_TRUE(full.take(Instant{} + seconds(1)));
  EXPECT_FALSE(full.take(Instant{} + seconds(1)));
}

}  // namespace
}  // namespace bonus::net::overlay
