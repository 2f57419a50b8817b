// Two devices and more against each other: handshakes, data, roaming, timers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "bonus/net/tunnel/device_testing.hpp"

namespace bonus::net::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

struct Pair {
  explicit Pair(std::uint64_t seed = 1, DeviceOptions options = {})
      : net(seed), a(net, "192.0.2.1:1", "fd00::a", options), b(net, "198.51.100.1:2", "fd00::b", options) {}
  void introduce(const Hash32& psk = {}) {
    to_b = a.add(b, true, psk);
    to_a = b.add(a, false, psk);
  }
  [[nodiscard]] std::uint64_t handshakes() const {
    return a.device->counters().handshakes_completed + b.device->counters().handshakes_completed;
  }
  Network net;
  Host a, b;
  PeerRef to_b = kNoPeer, to_a = kNoPeer;
};

TEST(Device, FirstPacketMakesASessionAndArrives) {
  Pair p;
  p.introduce();
  p.a.send(p.b.inner, "hello");
  EXPECT_EQ(p.a.device->info(p.to_b)->queued_packets, 1u);
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("hello"));
  EXPECT_EQ(p.a.device->info(p.to_b)->queued_packets, 0u);
  // The responder knows where to answer and needs no handshake of its own.
  p.b.send(p.a.inner, "back");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.a.received, ElementsAre("back"));
  EXPECT_EQ(p.a.device->counters().initiations_sent, 1u);
  EXPECT_EQ(p.b.device->counters().initiations_sent, 0u);
  EXPECT_EQ(p.handshakes(), 2u);
}

TEST(Device, ResponderMaySendOnlyAfterTheFirstPacket) {
  Pair p;
  p.introduce();
  p.net.drop = [](const Endpoint&, const Endpoint&, const Bytes& bytes) { return bytes[0] == 4; };
  p.a.send(p.b.inner, "lost");
  p.net.run_for(seconds(1));
  EXPECT_EQ(p.a.device->counters().handshakes_completed, 1u);
  EXPECT_EQ(p.b.device->counters().handshakes_completed, 0u);
  EXPECT_FALSE(p.b.device->peer_route(p.to_a, p.net.now));
  p.net.drop = nullptr;
  p.a.send(p.b.inner, "comes");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("comes"));
  EXPECT_TRUE(p.b.device->peer_route(p.to_a, p.net.now));
}

TEST(Device, PresharedKeyMustBeTheSame) {
  Pair p;
  Hash32 psk;
  psk.bytes.fill(7);
  p.introduce(psk);
  p.a.send(p.b.inner, "one");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("one"));

  Pair q;
  q.to_b = q.a.add(q.b, true, psk);
  q.to_a = q.b.add(q.a, false, {});
  q.a.send(q.b.inner, "one");
  q.net.run_for(seconds(20));
  EXPECT_THAT(q.b.received, IsEmpty());
  EXPECT_GT(q.a.device->counters().dropped_authentication, 0u);
}

TEST(Device, QueueIsBoundedAndTheOldestGoes) {
  Pair p(1, {.max_queued_packets = 3});
  p.introduce();
  for (const char* text : {"1", "2", "3", "4", "5"}) p.a.send(p.b.inner, text);
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("3", "4", "5"));
  EXPECT_EQ(p.a.device->counters().dropped_queue, 2u);

  Pair q(1, {.max_queued_bytes = 100});
  q.introduce();
  for (const char* text : {"1", "2", "3"}) q.a.send(q.b.inner, text);
  q.net.run_for(seconds(1));
  EXPECT_THAT(q.b.received, ElementsAre("2", "3"));
}

TEST(Device, LostMessagesAreSentAgain) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    Pair p(seed);
    p.net.link = {.loss = 0.3, .duplicate = 0.2, .delay_low = milliseconds(5), .delay_high = milliseconds(80)};
    p.introduce();
    p.a.send(p.b.inner, "first");
    p.net.run_for(seconds(60));
    EXPECT_TRUE(p.a.device->peer_route(p.to_b, p.net.now)) << seed;
    std::set<std::string> sent;
    for (int i = 0; i < 200; ++i) {
      p.a.send(p.b.inner, std::to_string(i));
      p.b.send(p.a.inner, std::to_string(i));
      p.net.run_for(milliseconds(20));
    }
    p.net.run_for(seconds(1));
    // Duplicates are seen once, losses are not repaired: that is what runs inside.
    for (const Host* host : {&p.a, &p.b}) {
      const std::set<std::string> unique(host->received.begin(), host->received.end());
      EXPECT_EQ(unique.size(), host->received.size()) << seed;
      EXPECT_GT(host->received.size(), 100u) << seed;
      EXPECT_EQ(host->unauthentic, 0u);
    }
    EXPECT_GT(p.a.replays + p.b.replays, 0u);
  }
}

TEST(Device, BothMayStartAtOnce) {
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    Pair p(seed);
    p.net.link.delay_low = milliseconds(1);
    p.net.link.delay_high = milliseconds(60);  // reorders
    p.to_b = p.a.add(p.b);
    p.to_a = p.b.add(p.a);
    p.a.send(p.b.inner, "from a");
    p.b.send(p.a.inner, "from b");
    p.net.run_for(seconds(1));
    EXPECT_THAT(p.a.received, ElementsAre("from b")) << seed;
    EXPECT_THAT(p.b.received, ElementsAre("from a")) << seed;
    // And it stays so, without another handshake.
    const auto before = p.handshakes();
    for (int i = 0; i < 50; ++i) {
      p.a.send(p.b.inner, "x");
      p.b.send(p.a.inner, "y");
      p.net.run_for(milliseconds(100));
    }
    EXPECT_EQ(p.a.received.size(), 51u) << seed;
    EXPECT_EQ(p.b.received.size(), 51u) << seed;
    EXPECT_EQ(p.handshakes(), before) << seed;
  }
}

TEST(Device, FollowsTheAuthenticatedSource) {
  Pair p;
  p.introduce();
  p.a.send(p.b.inner, "here");
  p.net.run_for(seconds(1));
  p.b.events.clear();
  // The laptop moves to another network: the same device, another source address.
  p.net.hosts.erase(p.a.at.udp);
  p.a.at = endpoint("203.0.113.9:77");
  p.net.hosts[p.a.at.udp] = &p.a;
  p.a.send(p.b.inner, "there");
  p.net.run_for(seconds(1));
  EXPECT_EQ(p.b.device->info(p.to_a)->endpoint, p.a.at);
  ASSERT_EQ(p.b.events.size(), 1u);
  EXPECT_EQ(std::get<EndpointSeen>(p.b.events[0]).endpoint, p.a.at);
  p.b.send(p.a.inner, "found");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.a.received, ElementsAre("found"));
}

TEST(Device, OnlyReportsTheSourceWhenAPathManagerDecides) {
  Pair p(1, {.roam = DeviceOptions::Roam::kReport});
  p.introduce();
  p.a.send(p.b.inner, "here");
  p.net.run_for(seconds(1));
  EXPECT_EQ(p.b.device->info(p.to_a)->endpoint, p.a.at);  // there was none: the first one is taken
  const Endpoint before = p.a.at;
  p.b.events.clear();
  p.net.hosts.erase(p.a.at.udp);
  p.a.at = endpoint("203.0.113.9:77");
  p.net.hosts[p.a.at.udp] = &p.a;
  for (int i = 0; i < 5; ++i) p.a.send(p.b.inner, "there");
  p.net.run_for(seconds(1));
  EXPECT_EQ(p.b.device->info(p.to_a)->endpoint, before);
  ASSERT_EQ(p.b.events.size(), 1u);  // once, not for each packet
  EXPECT_EQ(std::get<EndpointSeen>(p.b.events[0]).endpoint, p.a.at);
  p.b.device->set_endpoint(p.to_a, p.a.at, p.net.now, p.b.actions);
  p.b.send(p.a.inner, "found");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.a.received, ElementsAre("found"));
}

TEST(Device, AnswersLeaveFromTheOwnAddressThatAuthenticatedPacketsCameTo) {
  for (const auto roam : {DeviceOptions::Roam::kFollow, DeviceOptions::Roam::kReport}) {
    DeviceOptions options;
    options.roam = roam;
    Pair p(1, options);
    p.introduce();
    const LocalAddress first{ip("198.51.100.1"), 0}, second{ip("198.51.100.2"), 0};
    std::vector<std::pair<int, LocalAddress>> left;  // what left b
    Bytes last;
    p.net.drop = [&](const Endpoint& from, const Endpoint& to, const Bytes& bytes) {
      if (from.udp == p.b.at.udp) left.emplace_back(bytes[0], to.local);
      if (from.udp == p.a.at.udp) last = bytes;
      return false;
    };
    p.a.at.local = first;  // the one that b sees a's datagrams come to
    p.a.send(p.b.inner, "to the first");
    p.net.run_for(seconds(1));
    p.b.send(p.a.inner, "from the first");
    EXPECT_THAT(left, ElementsAre(std::pair(2, first), std::pair(4, first)));
    const auto events = p.b.events.size();

    Endpoint elsewhere = p.a.at;
    elsewhere.local = second;
    p.b.on_datagram(elsewhere, last);  // a replay
    last[20] ^= 1;
    p.b.on_datagram(elsewhere, last);  // a forgery
    p.b.send(p.a.inner, "still from the first");
    EXPECT_EQ(left.back().second, first);
    p.a.at.local = second;
    p.a.send(p.b.inner, "to the second");
    p.net.run_for(seconds(1));
    p.b.send(p.a.inner, "from the second");
    EXPECT_EQ(left.back().second, second);
    EXPECT_EQ(p.b.events.size(), events) << "the peer has not moved";

    p.b.device->set_endpoint(p.to_a, Endpoint{p.a.at.udp, 0}, p.net.now, p.b.actions);
    p.b.send(p.a.inner, "the path manager knows nothing of it");
    EXPECT_EQ(left.back().second, second);
    p.b.device->forget_local(second.address);
    p.b.send(p.a.inner, "from anywhere");
    EXPECT_EQ(left.back().second, LocalAddress{});
    p.a.send(p.b.inner, "the address is back");
    p.net.run_for(seconds(1));
    p.b.send(p.a.inner, "from the second again");
    EXPECT_EQ(left.back().second, second);
    EXPECT_EQ(p.b.events.size(), events);
  }
}

TEST(Device, AnOwnAddressThatNoAnswerComesToIsLeft) {
  Pair p;
  p.introduce();
  const LocalAddress own{ip("198.51.100.2"), 0};
  std::vector<std::pair<int, LocalAddress>> left;
  bool lost = false;
  p.net.drop = [&](const Endpoint& from, const Endpoint& to, const Bytes& bytes) {
    if (from.udp == p.b.at.udp) left.emplace_back(bytes[0], to.local);
    return lost;
  };
  p.a.at.local = own;
  p.a.send(p.b.inner, "hello");
  p.net.run_for(seconds(1));
  lost = true;
  left.clear();
  p.b.send(p.a.inner, "into nothing");
  p.net.run_for(seconds(21));
  ASSERT_GE(left.size(), 3u);
  EXPECT_EQ(left[0], std::pair(4, own));
  EXPECT_EQ(left[1], std::pair(1, LocalAddress{}));
  EXPECT_EQ(left[2], std::pair(1, LocalAddress{}));
  lost = false;
  p.net.run_for(seconds(10));
  p.b.send(p.a.inner, "again");
  EXPECT_EQ(left.back(), std::pair(4, own)) << "answers come to it again";
}

TEST(Device, RelayedEndpointsGoBackTheSameWay) {
  Pair p;
  p.introduce();
  Actions actions;
  p.a.device->initiate(p.to_b, p.net.now, actions);
  const Endpoint relayed{p.a.at.udp, 17};
  Actions answer;
  p.b.device->on_handshake_datagram(relayed, actions.send.at(0).bytes, p.net.now, answer);
  ASSERT_EQ(answer.send.size(), 1u);
  EXPECT_EQ(answer.send[0].to, relayed);
}

TEST(Device, InnerSourceMustBeThePeers) {
  Pair p;
  p.introduce();
  Host c(p.net, "192.0.2.3:3", "fd00::c");
  (void)p.b.add(c, false);
  p.a.send(p.b.inner, "mine");
  p.a.inner = ip("fd00::c");  // now it claims another's address
  p.a.send(p.b.inner, "not mine");
  p.a.inner = ip("fd00::99");  // and one of nobody
  p.a.send(p.b.inner, "nobody's");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("mine"));
  EXPECT_EQ(p.b.spoofed, 2u);
}

TEST(Device, AddressesMoveToWhoeverTookThemLast) {
  Pair p;
  p.introduce();
  Host c(p.net, "192.0.2.3:3", "fd00::c");
  const PeerRef to_c = p.a.add(c);
  ASSERT_TRUE(p.a.device->allow(to_c, Prefix{p.b.inner, 128}, p.net.now, p.a.actions));
  EXPECT_EQ(p.a.device->owner(p.b.inner), to_c);
  EXPECT_THAT(p.a.device->info(p.to_b)->allowed, IsEmpty());
  p.a.device->disallow(to_c, Prefix{p.b.inner, 128});
  EXPECT_EQ(p.a.device->owner(p.b.inner), kNoPeer);
  // Subnets: the longest wins.
  ASSERT_TRUE(p.a.device->allow(to_c, prefix("10.0.0.0/8"), p.net.now, p.a.actions));
  ASSERT_TRUE(p.a.device->allow(p.to_b, prefix("10.1.0.0/16"), p.net.now, p.a.actions));
  EXPECT_EQ(p.a.device->owner(ip("10.1.2.3")), p.to_b);
  EXPECT_EQ(p.a.device->owner(ip("10.2.2.3")), to_c);
}

TEST(Device, RemovedPeersAreGone) {
  Pair p;
  p.introduce();
  p.a.send(p.b.inner, "x");
  p.net.run_for(seconds(1));
  const auto version = p.b.device->version();
  p.b.device->remove_peer(p.to_a);
  EXPECT_GT(p.b.device->version(), version);
  EXPECT_EQ(p.b.device->session_count(), 0u);
  EXPECT_EQ(p.b.device->owner(p.a.inner), kNoPeer);
  EXPECT_FALSE(p.b.device->info(p.to_a));
  p.a.send(p.b.inner, "y");
  p.net.run_for(seconds(100));
  EXPECT_THAT(p.b.received, ElementsAre("x"));
  EXPECT_GT(p.b.device->counters().dropped_unknown_key, 0u);
  EXPECT_FALSE(p.b.device->next_timer());
}

TEST(Device, ANewPrivateKeyEndsSessions) {
  Pair p;
  p.introduce();
  p.a.send(p.b.inner, "x");
  p.net.run_for(seconds(1));
  crypto::X25519Secret secret;
  secret.bytes.fill(0x42);
  p.b.device->set_private_key(secret, p.net.now);
  EXPECT_EQ(p.b.device->session_count(), 0u);
  // The other side is told the new key, and all is well again.
  p.a.device->remove_peer(p.to_b);
  p.to_b = p.a.add(p.b);
  p.a.send(p.b.inner, "y");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("x", "y"));
  // Our own key is no peer.
  PeerConfig self;
  self.key = p.b.device->public_key();
  EXPECT_EQ(p.b.device->set_peer(self, p.net.now, p.b.actions).error().code, ErrorCode::kInvalid);
  p.b.device->set_private_key(p.a.secret, p.net.now);
  EXPECT_EQ(p.b.device->find_peer(p.a.device->public_key()), kNoPeer);
}

TEST(Device, PeersAreBounded) {
  Network net(1);
  Host a(net, "192.0.2.1:1", "fd00::a", {.max_peers = 2});
  for (std::uint8_t i = 1; i <= 3; ++i) {
    crypto::X25519Secret secret;
    secret.bytes.fill(i);
    PeerConfig config;
    config.key = crypto::x25519_public(secret);
    const auto added = a.device->set_peer(config, net.now, a.actions);
    EXPECT_EQ(added.has_value(), i <= 2);
    if (!added) EXPECT_EQ(added.error().code, ErrorCode::kExhausted);
  }
  PeerConfig zero;
  EXPECT_FALSE(a.device->set_peer(zero, net.now, a.actions));
}

TEST(Device, UnknownDestinationWaitsForItsOwner) {
  Pair p(1, {.discover = true});
  int asked = 0;
  p.a.on_event = [&](const Event& event) {
    if (const auto* unknown = std::get_if<UnknownDestination>(&event)) {
      ++asked;
      EXPECT_EQ(unknown->destination, p.b.inner);
    }
  };
  p.b.on_event = [&](const Event& event) {
    // The node of the other side finds the record of the key that knocks, and adds it.
    if (const auto* unknown = std::get_if<UnknownInitiator>(&event)) {
      EXPECT_EQ(unknown->key, p.a.device->public_key());
      p.to_a = p.b.add(p.a, false);
    }
  };
  for (int i = 0; i < 20; ++i) p.a.send(p.b.inner, std::to_string(i));
  EXPECT_EQ(asked, 1);
  p.net.run_for(milliseconds(500));  // looking up takes a while
  p.to_b = p.a.add(p.b);
  p.net.run_for(milliseconds(200));
  EXPECT_EQ(p.b.received.size(), 16u);                     // DeviceOptions::max_packets_per_unknown
  EXPECT_EQ(p.a.device->counters().initiations_sent, 1u);  // the first one was kept until the key was known
  p.b.send(p.a.inner, "back");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.a.received, ElementsAre("back"));
}

TEST(Device, UnknownDestinationsAreBoundedAndForgotten) {
  Network net(1);
  Host a(net, "192.0.2.1:1", "fd00::a", {.discover = true, .max_unknown_destinations = 4});
  for (int i = 1; i < 10; ++i) a.send(ip("fd00::1:" + std::to_string(i)), "x");
  EXPECT_EQ(a.events.size(), 4u);
  EXPECT_EQ(a.device->counters().dropped_no_route, 5u);
  a.send(ip("ff02::2"), "x");  // not of the overlay: nobody to look for
  EXPECT_EQ(a.events.size(), 4u);
  net.run_for(seconds(6));
  EXPECT_EQ(a.device->counters().dropped_queue, 4u);
  a.send(ip("fd00::1:9"), "x");
  EXPECT_EQ(a.events.size(), 5u);
}

TEST(Device, WithoutDiscoveryStrangersAreIgnored) {
  Pair p;
  p.to_b = p.a.add(p.b);
  p.a.send(p.b.inner, "x");
  p.a.send(ip("fd00::77"), "x");
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.events, IsEmpty());
  EXPECT_EQ(p.b.device->counters().dropped_unknown_key, 1u);
  EXPECT_EQ(p.a.device->counters().dropped_no_route, 1u);
}

TEST(Device, APacketWaitsForAnEndpoint) {
  Pair p;
  p.to_b = p.a.add(p.b, false);
  p.to_a = p.b.add(p.a, false);
  p.a.send(p.b.inner, "x");
  p.net.run_for(seconds(3));
  EXPECT_EQ(p.a.device->counters().initiations_sent, 0u);
  p.a.device->set_endpoint(p.to_b, p.b.at, p.net.now, p.a.actions);
  p.a.act();
  p.net.run_for(seconds(1));
  EXPECT_THAT(p.b.received, ElementsAre("x"));
}

TEST(Device, AnInitiationLostBeforeThePathWasProvenGoesAgainAtOnce) {
  Pair p;
  p.introduce();
  p.net.drop = [](const Endpoint&, const Endpoint&, const Bytes&) { return true; };
  p.a.send(p.b.inner, "x");
  p.net.run_for(milliseconds(100));
  p.net.drop = nullptr;
  const Instant sent = p.net.now - milliseconds(100);
  const auto retry = [&](Instant proven) {
    p.a.device->retry(p.to_b, proven, p.net.now, p.a.actions);
    p.a.act();
  };
  retry(sent - milliseconds(1));  // it was sent over a proven path: loss is what kRekeyTimeout is for
  p.net.run_for(milliseconds(100));
  EXPECT_THAT(p.b.received, IsEmpty());
  retry(p.net.now);
  p.net.run_for(milliseconds(300));
  EXPECT_THAT(p.b.received, ElementsAre("x"));
  retry(p.net.now);  // nothing is outstanding any more
  p.net.run_for(seconds(20));
  EXPECT_EQ(p.a.device->counters().initiations_sent, 2u);
}

}  // namespace
}  // namespace bonus::net::tunnel::testing
