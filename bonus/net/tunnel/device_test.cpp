// Two devices and more against each other: handshakes, data, roaming, timers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

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

}  // namespace
}  // namespace bonus::net::tunnel::testing
