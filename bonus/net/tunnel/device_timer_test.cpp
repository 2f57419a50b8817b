// Timers: rekeying, keepalives, giving up, the session table.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/net/tunnel/device_testing.hpp"

namespace bonus::net::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Timers : public ::testing::Test {
 protected:
  void connect() {
    to_b_ = a_.add(b_);
    to_a_ = b_.add(a_, false);
    a_.send(b_.inner, "hello");
    net_.run_for(seconds(1));
    ASSERT_EQ(b_.received.size(), 1u);
  }
  [[nodiscard]] const DeviceCounters& of(const Host& host) const { return host.device->counters(); }
  Network net_{7};
  Host a_{net_, "192.0.2.1:1", "fd00::a"}, b_{net_, "198.51.100.1:2", "fd00::b"};
  PeerRef to_b_ = kNoPeer, to_a_ = kNoPeer;
};

TEST_F(Timers, TheInitiatorRekeysEveryTwoMinutesAndNothingIsLost) {
  connect();
  for (int i = 0; i < 600; ++i) {
    a_.send(b_.inner, "ping");
    b_.send(a_.inner, "pong");
    net_.run_for(seconds(1));
    ASSERT_LE(a_.device->session_count(), 3u);
  }
  EXPECT_EQ(b_.received.size(), 601u);
  EXPECT_EQ(a_.received.size(), 600u);
  EXPECT_EQ(of(a_).initiations_sent, 5u);  // at 0, 121, 242, 363, 484 s
  EXPECT_EQ(of(b_).initiations_sent, 0u);  // or both would start
  EXPECT_EQ(of(b_).handshakes_completed, 5u);
}

TEST_F(Timers, AnInitiatorThatOnlyReceivesRekeysBeforeTheEnd) {
  connect();
  // b streams; a only sends keepalives, which do not start a rekey before 120 s either way.
  for (int i = 0; i < 200; ++i) {
    b_.send(a_.inner, "stream");
    net_.run_for(seconds(1));
  }
  EXPECT_EQ(a_.received.size(), 200u);
  EXPECT_GE(of(a_).initiations_sent, 2u);
  EXPECT_EQ(of(b_).initiations_sent, 0u);
}

TEST_F(Timers, ManyMessagesRekeyToo) {
  DeviceOptions options{.rekey_after_messages = 50};
  Host c(net_, "192.0.2.3:3", "fd00::c", options), d(net_, "192.0.2.4:4", "fd00::d", options);
  (void)c.add(d);
  (void)d.add(c, false);
  for (int i = 0; i < 300; ++i) {
    d.send(c.inner, "x");  // the responder counts as well; the first ones have no endpoint and are dropped
    c.send(d.inner, "y");
    net_.run_for(milliseconds(200));
  }
  EXPECT_GE(of(c).handshakes_completed, 5u);
  EXPECT_EQ(d.received.size(), 300u);
}

TEST_F(Timers, AUsedUpSessionSendsNothingMore) {
  Host c(net_, "192.0.2.3:3", "fd00::c", {.reject_after_messages = 10}), d(net_, "192.0.2.4:4", "fd00::d");
  const PeerRef to_d = c.add(d);
  (void)d.add(c, false);
  c.send(d.inner, "x");
  net_.run_for(milliseconds(100));
  const auto session = c.device->peer_route(to_d, net_.now)->session;
  while (session->claim(1)) {
  }
  EXPECT_EQ(session->send_counter, 10u);
  EXPECT_FALSE(c.device->peer_route(to_d, net_.now));
  net_.run_for(seconds(10));
  c.send(d.inner, "y");  // a new session is made for it
  net_.run_for(seconds(1));
  EXPECT_THAT(d.received, ElementsAre("x", "y"));
  EXPECT_EQ(of(c).handshakes_completed, 2u);
}

TEST_F(Timers, AKeepaliveAnswersDataAfterTenSeconds) {
  connect();
  net_.run_for(seconds(30));  // b answers "hello"
  const auto before = of(b_).keepalives_sent, received = a_.keepalives;
  a_.send(b_.inner, "data");
  net_.run_for(milliseconds(9'900));
  EXPECT_EQ(of(b_).keepalives_sent, before);
  net_.run_for(milliseconds(300));
  EXPECT_EQ(of(b_).keepalives_sent, before + 1);
  EXPECT_EQ(a_.keepalives, received + 1);
  // A keepalive is no data: it is not answered, and nothing more is said.
  net_.run_for(seconds(80));
  EXPECT_EQ(of(b_).keepalives_sent, before + 1);
  EXPECT_EQ(of(a_).initiations_sent, 1u);
}

TEST_F(Timers, AMarkOutlivesItsSession) {
  connect();
  net_.run_for(seconds(174));
  net_.drop = [this](const Endpoint& from, const Endpoint&, const Bytes&) { return from == b_.at; };
  a_.send(b_.inner, "late");
  // Due 10 s later, when the session is gone: nothing is sent, nothing goes round in circles.
  const auto before = of(b_).keepalives_sent;
  net_.run_for(seconds(60));
  EXPECT_EQ(b_.received.back(), "late");
  EXPECT_EQ(of(b_).keepalives_sent, before);
  EXPECT_EQ(of(b_).initiations_sent, 0u);
}

TEST_F(Timers, ANewPresharedKeyHoldsFromTheNextHandshake) {
  connect();
  PeerConfig config;
  config.preshared_key.bytes.fill(3);
  config.key = b_.device->public_key();
  config.allowed = {Prefix{b_.inner, 128}};
  ASSERT_TRUE(a_.device->set_peer(config, net_.now, a_.actions));
  a_.send(b_.inner, "old session");
  net_.run_for(seconds(1));
  EXPECT_EQ(b_.received.back(), "old session");
  net_.run_for(seconds(185));
  a_.send(b_.inner, "waits");
  net_.run_for(seconds(1));
  EXPECT_EQ(b_.received.back(), "old session");
  config.key = a_.device->public_key();
  config.allowed = {Prefix{a_.inner, 128}};
  ASSERT_TRUE(b_.device->set_peer(config, net_.now, b_.actions));
  net_.run_for(seconds(6));  // the next try
  EXPECT_EQ(b_.received.back(), "waits");
}

// A small computer without a battery: it starts again in 1970 and learns the time a minute later.
TEST_F(Timers, AClockThatIsSetRightAfterTheStartOpensTheWayToPeers) {
  connect();
  a_.device = std::make_unique<Device>(a_.secret, DeviceOptions{}, *a_.random, net_.now, 0);
  to_b_ = a_.add(b_);
  a_.send(b_.inner, "from 1970");
  net_.run_for(seconds(20));
  EXPECT_EQ(a_.device->counters().handshakes_completed, 0u);
  EXPECT_GT(b_.device->counters().dropped_replay, 0u);
  a_.device->note_wall_clock(net_.now, 1'700'000'100'000);
  net_.run_for(seconds(6));
  EXPECT_EQ(a_.device->counters().handshakes_completed, 1u);
  EXPECT_THAT(b_.received, ElementsAre("hello", "from 1970"));
  a_.device->note_wall_clock(net_.now, 0);  // never back
  to_b_ = a_.add(b_);
  net_.run_for(seconds(200));
  a_.send(b_.inner, "again");
  net_.run_for(seconds(1));
  EXPECT_EQ(b_.received.back(), "again");
}

TEST_F(Timers, SilenceOfThePeerStartsAHandshake) {
  connect();
  net_.run_for(seconds(20));
  // b forgets everything: a restart.
  b_.device = std::make_unique<Device>(b_.secret, DeviceOptions{}, *b_.random, net_.now, 1'700'000'100'000);
  to_a_ = b_.add(a_, false);
  a_.send(b_.inner, "lost");
  net_.run_for(seconds(14));
  EXPECT_EQ(of(a_).initiations_sent, 1u);
  net_.run_for(seconds(2));  // 15 s and up to 334 ms
  EXPECT_EQ(of(a_).initiations_sent, 2u);
  a_.send(b_.inner, "arrives");
  net_.run_for(seconds(1));
  EXPECT_EQ(b_.received.back(), "arrives");
}

TEST_F(Timers, GivesUpAfterNinetySecondsAndStartsAnewWithAPacket) {
  to_b_ = a_.add(b_);
  to_a_ = b_.add(a_, false);
  net_.drop = [](const Endpoint&, const Endpoint&, const Bytes&) { return true; };
  a_.send(b_.inner, "never");
  net_.run_for(seconds(100));
  const auto sent = of(a_).initiations_sent;
  EXPECT_GE(sent, 17u);
  EXPECT_LE(sent, 19u);
  EXPECT_EQ(of(a_).handshakes_failed, 1u);
  EXPECT_EQ(a_.device->info(to_b_)->queued_packets, 0u);
  ASSERT_EQ(a_.events.size(), 1u);
  EXPECT_EQ(std::get<HandshakeFailed>(a_.events[0]).peer, to_b_);
  net_.run_for(seconds(300));
  EXPECT_EQ(of(a_).initiations_sent, sent);
  EXPECT_FALSE(a_.device->next_timer());
  net_.drop = nullptr;
  a_.send(b_.inner, "now");
  net_.run_for(seconds(1));
  EXPECT_THAT(b_.received, ElementsAre("now"));
}

TEST_F(Timers, SessionsEndAfterThreeMinutesAndTheirKeysAreGone) {
  connect();
  const std::weak_ptr<Session> session = a_.device->peer_route(to_b_, net_.now)->session;
  net_.run_for(seconds(185));
  EXPECT_TRUE(session.expired());  // destroyed, so wiped
  EXPECT_EQ(a_.device->session_count(), 0u);
  EXPECT_EQ(b_.device->session_count(), 0u);
  EXPECT_FALSE(a_.device->next_timer());
  a_.send(b_.inner, "again");
  net_.run_for(seconds(1));
  EXPECT_EQ(b_.received.back(), "again");
}

TEST_F(Timers, PersistentKeepaliveHoldsAMappingOpen) {
  Host c(net_, "192.0.2.3:3", "fd00::c");
  const PeerRef to_b = c.add(b_, true, {}, 25);
  (void)b_.add(c, false);
  net_.run_for(seconds(1000));
  // It made the session by itself and never lets more than 25 s pass.
  EXPECT_GE(of(c).keepalives_sent, 38u);
  EXPECT_LE(of(c).keepalives_sent, 52u);
  EXPECT_TRUE(c.device->peer_route(to_b, net_.now));
  // Turned off, it stops.
  PeerConfig config;
  config.key = b_.device->public_key();
  config.allowed = {Prefix{b_.inner, 128}};
  ASSERT_TRUE(c.device->set_peer(config, net_.now, c.actions));
  const auto sent = of(c).keepalives_sent;
  net_.run_for(seconds(300));
  EXPECT_EQ(of(c).keepalives_sent, sent);
}

TEST_F(Timers, PersistentKeepaliveComesBackAfterAnOutage) {
  Host c(net_, "192.0.2.3:3", "fd00::c");
  const PeerRef to_b = c.add(b_, true, {}, 25);
  (void)b_.add(c, false);
  net_.run_for(seconds(10));
  net_.drop = [](const Endpoint&, const Endpoint&, const Bytes&) { return true; };
  net_.run_for(seconds(1000));
  EXPECT_FALSE(c.device->peer_route(to_b, net_.now));
  net_.drop = nullptr;
  net_.run_for(seconds(31));
  EXPECT_TRUE(c.device->peer_route(to_b, net_.now));
}

TEST_F(Timers, TrafficPostponesPersistentKeepalives) {
  Host c(net_, "192.0.2.3:3", "fd00::c");
  (void)c.add(b_, true, {}, 25);
  (void)b_.add(c, false);
  net_.run_for(seconds(5));
  const auto before = of(c).keepalives_sent;
  for (int i = 0; i < 10; ++i) {
    c.send(b_.inner, "x");
    b_.send(c.inner, "y");
    net_.run_for(seconds(9));
  }
  EXPECT_EQ(of(c).keepalives_sent, before);
}

TEST_F(Timers, RetriesAreSpreadByJitter) {
  std::vector<Instant> at;
  to_b_ = a_.add(b_);
  net_.drop = [&](const Endpoint&, const Endpoint&, const Bytes& bytes) {
    if (bytes[0] == 1) at.push_back(net_.now);
    return true;
  };
  a_.send(b_.inner, "x");
  net_.run_for(seconds(60));
  ASSERT_GT(at.size(), 8u);
  std::set<Duration> gaps;
  for (std::size_t i = 1; i < at.size(); ++i) {
    gaps.insert(at[i] - at[i - 1]);
    EXPECT_GE(at[i] - at[i - 1], kRekeyTimeout);
    EXPECT_LE(at[i] - at[i - 1], kRekeyTimeout + milliseconds(334));
  }
  EXPECT_GT(gaps.size(), 4u);
}

// The table: who only starts handshakes pushes out nobody in use.

struct Crowd {
  explicit Crowd(std::size_t max_sessions) : hub(net, "192.0.2.1:1", "fd00::1", {.max_sessions = max_sessions}) {
    for (int i = 0; i < 8; ++i) {
      hosts.push_back(
          std::make_unique<Host>(net, "198.51.100." + std::to_string(i + 1) + ":1", "fd00::2:" + std::to_string(i)));
      (void)hosts.back()->add(hub);
      refs.push_back(hub.add(*hosts.back()));
    }
  }
  Network net{5};
  Host hub;
  std::vector<std::unique_ptr<Host>> hosts;
  std::vector<PeerRef> refs;
};

TEST(SessionTable, ConfirmedOnesStayWhenStrangersPress) {
  Crowd crowd(4);
  for (std::size_t i = 0; i < 4; ++i) crowd.hosts[i]->send(crowd.hub.inner, "x");
  crowd.net.run_for(seconds(1));
  EXPECT_EQ(crowd.hub.received.size(), 4u);
  EXPECT_EQ(crowd.hub.device->session_count(), 4u);
  for (std::size_t i = 4; i < 8; ++i) crowd.hosts[i]->send(crowd.hub.inner, "x");
  crowd.net.run_for(seconds(1));
  EXPECT_EQ(crowd.hub.received.size(), 4u);
  EXPECT_EQ(crowd.hub.device->counters().dropped_table_full, 4u);
  EXPECT_EQ(crowd.hub.device->counters().sessions_evicted, 0u);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_TRUE(crowd.hub.device->peer_route(crowd.refs[i], crowd.net.now));
}

TEST(SessionTable, UnconfirmedOnesMakeRoomForEachOther) {
  Crowd crowd(4);
  crowd.hosts[0]->send(crowd.hub.inner, "x");
  crowd.net.run_for(seconds(1));
  crowd.net.drop = [](const Endpoint&, const Endpoint&, const Bytes& bytes) { return bytes[0] != 1; };
  for (std::size_t i = 1; i < 8; ++i) crowd.hosts[i]->send(crowd.hub.inner, "x");
  crowd.net.run_for(seconds(1));
  EXPECT_EQ(crowd.hub.device->session_count(), 4u);
  EXPECT_EQ(crowd.hub.device->counters().sessions_evicted, 4u);
  EXPECT_TRUE(crowd.hub.device->peer_route(crowd.refs[0], crowd.net.now));
}

TEST(SessionTable, OurOwnHandshakesTakeTheOldest) {
  Crowd crowd(4);
  for (std::size_t i = 0; i < 6; ++i) {
    crowd.hub.send(crowd.hosts[i]->inner, "x");
    crowd.net.run_for(milliseconds(200));
  }
  EXPECT_EQ(crowd.hub.device->session_count(), 4u);
  for (std::size_t i = 0; i < 6; ++i) {
    EXPECT_THAT(crowd.hosts[i]->received, ElementsAre("x"));
    EXPECT_EQ(crowd.hub.device->peer_route(crowd.refs[i], crowd.net.now).has_value(), i >= 2) << i;
  }
}

}  // namespace
}  // namespace bonus::net::tunnel::testing
