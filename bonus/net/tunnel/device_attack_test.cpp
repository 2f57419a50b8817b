// What strangers may do to a device: floods, forgeries, replays, reflections.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/net/tunnel/device_testing.hpp"

namespace bonus::net::tunnel::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Attack : public ::testing::Test {
 protected:
  void SetUp() override {
    to_b_ = a_.add(b_);
    to_a_ = b_.add(a_, false);
  }
  [[nodiscard]] const DeviceCounters& of(const Host& host) const { return host.device->counters(); }
  /// An initiation by any key to b.
  [[nodiscard]] InitiationBytes initiation(std::uint8_t key, const std::optional<Mac16>& cookie = {}) {
    crypto::X25519Secret secret, ephemeral;
    secret.bytes.fill(key);
    net_.random.fill(ephemeral.bytes);
    const Identity identity(secret);
    const Remote remote = *make_remote(identity, b_.device->public_key(), {});
    InitiationBytes out;
    EXPECT_TRUE(create_initiation(identity, remote, static_cast<std::uint32_t>(net_.random.next_u64()),
                                  tai64n(seconds(1)), ephemeral, out));
    (void)add_macs(out, remote.mac1_key, cookie);
    return out;
  }
  /// Bytes with a right mac1, which everyone can compute who knows b's public key, and nothing else right.
  [[nodiscard]] InitiationBytes forged() {
    InitiationBytes out{};
    net_.random.fill(out);
    out[0] = 1;
    out[1] = out[2] = out[3] = 0;
    (void)add_macs(out, Identity(b_.secret).mac1_key, std::nullopt);
    return out;
  }
  [[nodiscard]] Endpoint source(std::uint64_t i) const {
    Endpoint out = endpoint("100.64.0.1:9");
    out.udp.address.bytes[13] = static_cast<std::uint8_t>(64 + (i >> 16));
    out.udp.address.bytes[14] = static_cast<std::uint8_t>(i >> 8);
    out.udp.address.bytes[15] = static_cast<std::uint8_t>(i);
    return out;
  }
  Network net_{11};
  Host a_{net_, "192.0.2.1:1", "fd00::a"}, b_{net_, "198.51.100.1:2", "fd00::b"};
  PeerRef to_b_ = kNoPeer, to_a_ = kNoPeer;
};

TEST_F(Attack, WrongMac1CostsNoKeyAgreementAndNoReply) {
  for (int i = 0; i < 5000; ++i) {
    Bytes datagram(i % 2 == 0 ? kInitiationSize : kResponseSize);
    net_.random.fill(datagram);
    datagram[0] = i % 2 == 0 ? 1 : 2;
    datagram[1] = datagram[2] = datagram[3] = 0;
    b_.device->on_handshake_datagram(source(static_cast<std::uint64_t>(i)), datagram, net_.now, b_.actions);
  }
  EXPECT_EQ(of(b_).dropped_mac, 5000u);
  EXPECT_EQ(of(b_).key_agreements, 0u);
  EXPECT_TRUE(b_.actions.empty());
}

TEST_F(Attack, AFloodWithRightMac1IsBoundedAndOthersStillComeIn) {
  // 20,000 a second from everywhere for a second and a half, while a wants in.
  std::uint64_t sent = 0, request_bytes = 0, reply_bytes = 0;
  bool asked = false;
  const InitiationBytes message = forged();
  for (int ms = 0; ms < 1500; ++ms) {
    for (int i = 0; i < 20; ++i) {
      b_.device->on_handshake_datagram(source(++sent), message, net_.now, b_.actions);
      request_bytes += message.size();
      for (const auto& out : b_.actions.send) reply_bytes += out.bytes.size();
      b_.actions.clear();
    }
    if (ms == 1200) {
      a_.send(b_.inner, "let me in");
      asked = true;
    }
    net_.run_for(milliseconds(1));
  }
  ASSERT_TRUE(asked);
  EXPECT_THAT(b_.received, ElementsAre("let me in"));
  EXPECT_EQ(of(a_).cookies_received, 1u);
  // The first half of the burst, then cookies only, and no more of these than their limit: 118 prefixes with 40 each,
  // and 5,000 a second of which a quarter of a second may be taken at once.
  EXPECT_LE(of(b_).key_agreements, 800u);
  EXPECT_GE(of(b_).cookies_sent, 117u * 40u);
  EXPECT_LE(of(b_).cookies_sent, 118u * 40u + 7'500u + 1'250u);
  EXPECT_EQ(of(b_).cookies_sent + of(b_).dropped_rate + of(b_).dropped_authentication, 30'000u + 1);
  EXPECT_LT(reply_bytes, request_bytes);
}

TEST_F(Attack, AnExistingSessionSurvivesTheFlood) {
  a_.send(b_.inner, "before");
  net_.run_for(seconds(1));
  const auto version = b_.device->version();
  for (std::uint64_t i = 0; i < 3000; ++i) {
    b_.device->on_handshake_datagram(source(i), forged(), net_.now, b_.actions);
    b_.actions.clear();
  }
  EXPECT_EQ(b_.device->version(), version);  // the data path did not notice
  a_.send(b_.inner, "after");
  net_.run_for(seconds(1));
  EXPECT_THAT(b_.received, ElementsAre("before", "after"));
}

TEST_F(Attack, OnePrefixCannotTakeTheWholeBudget) {
  DeviceOptions options{.handshakes_per_prefix = 10, .handshake_burst_per_prefix = 20};
  Host c(net_, "192.0.2.30:3", "fd00::c", options);
  const Identity identity(c.secret);
  std::uint64_t before = 0;
  for (int i = 0; i < 400; ++i) {
    InitiationBytes message = forged();
    (void)add_macs(message, identity.mac1_key, std::nullopt);
    c.device->on_handshake_datagram(source(static_cast<std::uint64_t>(i % 200)), message, net_.now, c.actions);
    before = of(c).key_agreements;
  }
  EXPECT_EQ(before, 20u);
  EXPECT_EQ(of(c).cookies_sent, 380u);
}

TEST_F(Attack, AFloodFromOnePlaceAsksNothingOfOthers) {
  const InitiationBytes message = forged();
  for (int ms = 0; ms < 500; ++ms) {
    for (std::uint64_t i = 0; i < 20; ++i) {
      b_.device->on_handshake_datagram(source(i), message, net_.now, b_.actions);
      b_.actions.clear();
    }
    if (ms == 400) a_.send(b_.inner, "let me in");
    net_.run_for(milliseconds(1));
  }
  EXPECT_THAT(b_.received, ElementsAre("let me in"));
  EXPECT_EQ(of(a_).cookies_received, 0u);
  EXPECT_LE(of(b_).key_agreements, 510u);  // 400 at once, 200 a second
  // And who lives in the flooding prefix comes in with a cookie.
  Host neighbour(net_, "100.64.0.200:7", "fd00::d");
  (void)neighbour.add(b_);
  (void)b_.add(neighbour, false);
  net_.run_for(seconds(1));
  for (int ms = 0; ms < 200; ++ms) {
    if (ms == 100) neighbour.send(b_.inner, "me too");
    for (std::uint64_t i = 0; i < 5; ++i) {
      b_.device->on_handshake_datagram(source(i), message, net_.now, b_.actions);
      b_.actions.clear();
    }
    net_.run_for(milliseconds(1));
  }
  EXPECT_THAT(b_.received, ElementsAre("let me in", "me too"));
  EXPECT_EQ(of(neighbour).cookies_received, 1u);
}

TEST_F(Attack, MoreThanTheCookiesThereAreDelaysOnlyTheFloodsOwnPrefix) {
  DeviceOptions options{.handshakes_per_prefix = 20,
                        .handshake_burst_per_prefix = 40,
                        .cookies_per_prefix = 2,
                        .cookie_burst_per_prefix = 10,
                        .cookies_per_second = 800};
  Host c(net_, "192.0.2.30:3", "fd00::c", options);
  Host inside(net_, "100.64.0.200:7", "fd00::d"), outside(net_, "100.65.0.200:7", "fd00::e");
  for (Host* host : {&inside, &outside}) {
    (void)host->add(c);
    (void)c.add(*host, false);
  }
  c.device->set_under_load(true);
  InitiationBytes message = forged();
  (void)add_macs(message, Identity(c.secret).mac1_key, std::nullopt);
  const auto flood = [&](int time_ms) {
    for (int ms = 0; ms < time_ms; ++ms) {
      for (std::uint64_t i = 0; i < 2; ++i) {
        c.device->on_handshake_datagram(source(i), message, net_.now, c.actions);
        c.actions.clear();
      }
      net_.run_for(milliseconds(1));
    }
  };
  flood(1000);
  inside.send(c.inner, "inside");
  outside.send(c.inner, "outside");
  flood(100);
  EXPECT_THAT(c.received, ::testing::Contains("outside"));
  EXPECT_EQ(of(outside).initiations_sent, 2u);
  // 800 of 2,000 a second are answered: by trying again, every 5 s, the neighbour of the flood comes in, too.
  flood(60'000);
  EXPECT_THAT(c.received, ::testing::UnorderedElementsAre("outside", "inside"));
  EXPECT_EQ(of(inside).cookies_received, 1u);
  EXPECT_LE(of(c).cookies_sent, 61u * 800u + 300u);
  EXPECT_GE(of(c).cookies_sent, 61u * 800u - 300u);
}

TEST_F(Attack, CookiesAreForTheirSourceOnly) {
  b_.device->set_under_load(true);
  Actions actions;
  b_.device->on_handshake_datagram(source(1), initiation(9), net_.now, actions);
  ASSERT_EQ(actions.send.size(), 1u);
  const Bytes reply = actions.send[0].bytes;
  ASSERT_EQ(message_type(reply), MessageType::kCookieReply);
  EXPECT_EQ(of(b_).key_agreements, 0u);
  // Someone who sees cookies of other sources has nothing from them.
  const InitiationBytes first = initiation(9);
  actions.clear();
  b_.device->on_handshake_datagram(source(1), first, net_.now, actions);
  crypto::X25519Secret secret;
  secret.bytes.fill(9);
  const Remote remote = *make_remote(Identity(secret), b_.device->public_key(), {});
  const auto cookie = open_cookie_reply(actions.send.at(0).bytes, remote.cookie_key, mac1_of(first));
  ASSERT_TRUE(cookie);
  b_.device->on_handshake_datagram(source(2), initiation(9, cookie), net_.now, actions);
  EXPECT_EQ(of(b_).key_agreements, 0u);
  b_.device->on_handshake_datagram(source(1), initiation(9, cookie), net_.now, actions);
  EXPECT_EQ(of(b_).key_agreements, 1u);
}

TEST_F(Attack, CookieRepliesNobodyAskedForChangeNothing) {
  a_.send(b_.inner, "x");
  net_.run_for(seconds(1));
  const auto session = a_.device->peer_route(to_b_, net_.now)->session;
  Bytes reply(kCookieReplySize);
  net_.random.fill(reply);
  reply[0] = 3;
  reply[1] = reply[2] = reply[3] = 0;
  std::memcpy(&reply[4], &session->local_index, 4);
  const auto sent = of(a_).initiations_sent;
  a_.device->on_handshake_datagram(b_.at, reply, net_.now, a_.actions);
  EXPECT_EQ(of(a_).cookies_received, 0u);
  EXPECT_EQ(of(a_).initiations_sent, sent);
  EXPECT_TRUE(a_.actions.empty());
}

TEST_F(Attack, RecordedHandshakesAndDataAreRefused) {
  std::vector<Bytes> recorded;
  net_.drop = [&](const Endpoint& from, const Endpoint&, const Bytes& bytes) {
    if (from == a_.at) recorded.push_back(bytes);
    return false;
  };
  a_.send(b_.inner, "once");
  net_.run_for(seconds(1));
  net_.drop = nullptr;
  ASSERT_GE(recorded.size(), 2u);
  const auto version = b_.device->version();
  const auto sent = net_.sent;
  for (const Bytes& bytes : recorded) b_.on_datagram(endpoint("203.0.113.66:6"), bytes);
  EXPECT_THAT(b_.received, ElementsAre("once"));
  EXPECT_EQ(of(b_).dropped_replay, 1u);
  EXPECT_GE(b_.replays, 1u);
  EXPECT_EQ(net_.sent, sent);                // no answer
  EXPECT_EQ(b_.device->version(), version);  // no session, no endpoint moved
  EXPECT_EQ(b_.device->info(to_a_)->endpoint, a_.at);
}

TEST_F(Attack, ARecordedInitiationAfterARestartMovesNothing) {
  Bytes recorded;
  net_.drop = [&](const Endpoint& from, const Endpoint&, const Bytes& bytes) {
    if (from == a_.at && bytes[0] == 1) recorded = bytes;
    return false;
  };
  a_.send(b_.inner, "once");
  net_.run_for(seconds(1));
  b_.device = std::make_unique<Device>(b_.secret, DeviceOptions{}, *b_.random, net_.now, 1'700'000'100'000);
  to_a_ = b_.add(a_, true);
  b_.on_datagram(endpoint("203.0.113.66:6"), recorded);
  // It is answered, as nothing shows its age; but without the keys nobody can use the session, and all stays with a.
  EXPECT_EQ(of(b_).responses_sent, 1u);
  EXPECT_EQ(b_.device->info(to_a_)->endpoint, a_.at);
  EXPECT_FALSE(b_.device->peer_route(to_a_, net_.now));
}

TEST_F(Attack, InitiationsOfOnePeerAreSlowedDown) {
  Actions actions;
  crypto::X25519Secret ephemeral;
  const Identity identity(a_.secret);
  const Remote remote = *make_remote(identity, b_.device->public_key(), {});
  for (int i = 0; i < 50; ++i) {
    net_.random.fill(ephemeral.bytes);
    InitiationBytes message;
    ASSERT_TRUE(create_initiation(identity, remote, 1, tai64n(seconds(2'000'000'000 + i)), ephemeral, message));
    (void)add_macs(message, remote.mac1_key, std::nullopt);
    b_.device->on_handshake_datagram(a_.at, message, net_.now + milliseconds(2 * i), actions);
  }
  EXPECT_EQ(of(b_).responses_sent, 5u);  // 100 ms, one in 20 ms
  EXPECT_EQ(of(b_).dropped_rate, 45u);
  EXPECT_EQ(b_.device->session_count(), 1u);
}

TEST_F(Attack, NobodyKnocksInTheNameOfAnother) {
  DeviceOptions options{.discover = true};
  Host c(net_, "192.0.2.30:3", "fd00::c", options);
  // The claimed static key is a's public key, but the sender has another secret: static-static does not fit.
  const Identity forger = [&] {
    crypto::X25519Secret secret;
    secret.bytes.fill(0x21);
    Identity out(secret);
    out.public_key = a_.device->public_key();
    return out;
  }();
  const Remote remote = *make_remote(forger, c.device->public_key(), {});
  crypto::X25519Secret ephemeral;
  ephemeral.bytes.fill(0x77);
  InitiationBytes message;
  ASSERT_TRUE(create_initiation(forger, remote, 1, tai64n(seconds(1)), ephemeral, message));
  (void)add_macs(message, remote.mac1_key, std::nullopt);
  c.on_datagram(source(1), message);
  EXPECT_THAT(c.events, IsEmpty());
  EXPECT_EQ(of(c).dropped_authentication, 1u);
}

TEST_F(Attack, StrangersAreBounded) {
  DeviceOptions options{.discover = true, .max_unknown_initiators = 3};
  Host c(net_, "192.0.2.30:3", "fd00::c", options);
  for (std::uint8_t i = 1; i <= 10; ++i) {
    crypto::X25519Secret secret, ephemeral;
    secret.bytes.fill(i);
    net_.random.fill(ephemeral.bytes);
    const Identity identity(secret);
    const Remote remote = *make_remote(identity, c.device->public_key(), {});
    InitiationBytes message;
    ASSERT_TRUE(create_initiation(identity, remote, 1, tai64n(seconds(1)), ephemeral, message));
    (void)add_macs(message, remote.mac1_key, std::nullopt);
    c.on_datagram(source(i), message);
    c.on_datagram(source(i), message);  // raised once
  }
  EXPECT_EQ(c.events.size(), 3u);
  net_.run_for(seconds(6));
  EXPECT_FALSE(c.device->next_timer());
}

TEST_F(Attack, NoReplyIsLargerThanWhatCausedIt) {
  // Every kind of message, right and wrong, loaded and not: what goes out before the sender proved its address is never
  // more than what came in.
  for (const bool load : {false, true}) {
    b_.device->set_under_load(load);
    for (int i = 0; i < 1000; ++i) {
      Bytes datagram;
      switch (net_.random.below(4)) {
        case 0: {
          const auto message = initiation(static_cast<std::uint8_t>(1 + net_.random.below(3)));
          datagram.assign(message.begin(), message.end());
          break;
        }
        case 1: {
          const auto message = forged();
          datagram.assign(message.begin(), message.end());
          break;
        }
        default:
          datagram.resize(net_.random.below(400));
          net_.random.fill(datagram);
          if (!datagram.empty()) datagram[0] = static_cast<std::uint8_t>(net_.random.below(6));
          break;
      }
      Actions actions;
      b_.device->on_handshake_datagram(source(static_cast<std::uint64_t>(i)), datagram, net_.now, actions);
      std::size_t out = 0;
      for (const auto& reply : actions.send) out += reply.bytes.size();
      ASSERT_LE(out, datagram.size());
      ASSERT_LE(actions.send.size(), 1u);
      net_.now += milliseconds(1);
    }
  }
}

TEST_F(Attack, TruncatedAndOversizedMessagesAreCountedAndForgotten) {
  Actions actions;
  a_.device->initiate(to_b_, net_.now, actions);
  const Bytes good = actions.send.at(0).bytes;
  Actions answer;
  for (std::size_t size = 0; size < 400; ++size) {
    if (size == good.size()) continue;
    Bytes changed = good;
    changed.resize(size);
    b_.device->on_handshake_datagram(a_.at, changed, net_.now, answer);
  }
  b_.device->on_handshake_datagram(a_.at, Bytes(65'507, 1), net_.now, answer);
  EXPECT_TRUE(answer.empty());
  EXPECT_EQ(of(b_).dropped_malformed, 400u);
  b_.device->on_handshake_datagram(a_.at, good, net_.now, answer);
  EXPECT_EQ(answer.send.size(), 1u);
}

}  // namespace
}  // namespace bonus::net::tunnel::testing
