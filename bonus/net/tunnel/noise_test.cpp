// The handshake against vectors of an independent implementation, and what it refuses.
#include "bonus/net/tunnel/noise.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::tunnel {
namespace {

template <class Fixed>
Fixed filled(std::uint8_t byte) {
  Fixed out;
  out.bytes.fill(byte);
  return out;
}

class NoiseVectors : public ::testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    std::ifstream file("bonus/net/tunnel/testdata/noise_vectors.txt");
    ASSERT_TRUE(file) << "run from the source folder";
    std::string name, hex;
    while (file >> name >> hex) vectors_[name] = *from_hex(hex);
  }
  const Bytes& vector(const std::string& name) { return vectors_.at(GetParam() + "." + name); }
  template <class Any>
  static Bytes raw(const Any& in) {
    return Bytes(std::begin(in), std::end(in));
  }

 private:
  std::map<std::string, Bytes> vectors_;
};

TEST_P(NoiseVectors, BothSidesGiveTheSameBytes) {
  const Identity initiator(filled<crypto::X25519Secret>(0x11)), responder(filled<crypto::X25519Secret>(0x22));
  const Hash32 psk = GetParam() == "psk" ? filled<Hash32>(0x66) : Hash32{};
  const Remote to_responder = *make_remote(initiator, responder.public_key, psk);
  const Remote to_initiator = *make_remote(responder, initiator.public_key, psk);
  const Mac16 cookie = filled<Mac16>(0x55);

  InitiationBytes initiation;
  const Tai64n stamp = tai64n(std::chrono::seconds(1'700'000'000) + std::chrono::milliseconds(500));
  const auto state =
      create_initiation(initiator, to_responder, 0x01020304, stamp, filled<crypto::X25519Secret>(0x33), initiation);
  ASSERT_TRUE(state);
  const Mac16 mac1 = add_macs(initiation, to_responder.mac1_key, cookie);
  EXPECT_EQ(raw(initiation), vector("initiation"));
  EXPECT_TRUE(check_mac1(initiation, responder.mac1_key));
  EXPECT_FALSE(check_mac1(initiation, initiator.mac1_key));

  auto received = open_initiation(responder, initiation);
  ASSERT_TRUE(received);
  EXPECT_EQ(received->peer, initiator.public_key);
  EXPECT_EQ(received->remote_index, 0x01020304u);
  EXPECT_EQ(open_timestamp(*received, to_initiator), stamp);

  ResponseBytes response;
  const auto theirs =
      create_response(*received, to_initiator, 0x0a0b0c0d, filled<crypto::X25519Secret>(0x44), response);
  ASSERT_TRUE(theirs);
  (void)add_macs(response, to_initiator.mac1_key, std::nullopt);
  EXPECT_EQ(raw(response), vector("response"));
  const auto ours = open_response(initiator, to_responder, *state, response);
  ASSERT_TRUE(ours);
  for (const auto* keys : {&*ours, &*theirs}) {
    EXPECT_EQ(raw(keys->from_initiator.bytes), vector("from_initiator"));
    EXPECT_EQ(raw(keys->from_responder.bytes), vector("from_responder"));
  }
  EXPECT_EQ(ours->remote_index, 0x0a0b0c0du);
  EXPECT_EQ(theirs->remote_index, 0x01020304u);

  EXPECT_EQ(open_cookie_reply(vector("cookie_reply"), to_responder.cookie_key, mac1), cookie);
  EXPECT_FALSE(open_cookie_reply(vector("cookie_reply"), to_responder.cookie_key, filled<Mac16>(1)));

  Session session;
  session.remote_index = 0x0a0b0c0d;
  session.send_key = session.receive_key = ours->from_initiator;
  session.send_counter = 5;
  const auto sealed = seal_transport(session, as_bytes("sixteen bytes..."));
  ASSERT_TRUE(sealed);
  EXPECT_EQ(*sealed, vector("transport"));
  EXPECT_EQ(as_text(*open_transport(session, *sealed)), "sixteen bytes...");
}
INSTANTIATE_TEST_SUITE_P(All, NoiseVectors, ::testing::Values("plain", "psk"),
                         [](const auto& tested) { return tested.param; });

struct Sides {
  Identity initiator{filled<crypto::X25519Secret>(1)}, responder{filled<crypto::X25519Secret>(2)};
  Remote to_responder = *make_remote(initiator, responder.public_key, {});
  Remote to_initiator = *make_remote(responder, initiator.public_key, {});
  InitiationBytes initiation{};
  std::optional<InitiatorState> state = create_initiation(initiator, to_responder, 7, tai64n(std::chrono::hours(1)),
                                                          filled<crypto::X25519Secret>(3), initiation);
};

TEST(Noise, EveryChangedByteIsRefused) {
  Sides s;
  ASSERT_TRUE(s.state);
  // From the ephemeral on; type and sender are covered by mac1 only, as the protocol has it.
  for (std::size_t i = 8; i < kInitiationSize - 32; ++i) {
    InitiationBytes changed = s.initiation;
    changed[i] ^= i < 40 ? 0x01 : 0x80;
    auto received = open_initiation(s.responder, changed);
    if (i < 88) {
      EXPECT_FALSE(received) << i;
    } else {
      ASSERT_TRUE(received) << i;
      EXPECT_FALSE(open_timestamp(*received, s.to_initiator)) << i;
    }
  }
  auto received = open_initiation(s.responder, s.initiation);
  ASSERT_TRUE(open_timestamp(*received, s.to_initiator));
  ResponseBytes response;
  ASSERT_TRUE(create_response(*received, s.to_initiator, 9, filled<crypto::X25519Secret>(4), response));
  for (std::size_t i = 8; i < kResponseSize - 32; ++i) {
    ResponseBytes changed = response;
    changed[i] ^= 0x01;
    EXPECT_FALSE(open_response(s.initiator, s.to_responder, *s.state, changed)) << i;
  }
  EXPECT_TRUE(open_response(s.initiator, s.to_responder, *s.state, response));
}

TEST(Noise, MacsCoverEveryByte) {
  Sides s;
  (void)add_macs(s.initiation, s.to_responder.mac1_key, std::nullopt);
  for (std::size_t i = 0; i < kInitiationSize - 16; ++i) {
    InitiationBytes changed = s.initiation;
    changed[i] ^= 1;
    EXPECT_FALSE(check_mac1(changed, s.responder.mac1_key)) << i;
  }
}

TEST(Noise, LowOrderPointsAreRefused) {
  const Identity me(filled<crypto::X25519Secret>(1));
  EXPECT_FALSE(make_remote(me, {}, {}));
  EXPECT_FALSE(make_remote(me, filled<crypto::X25519Public>(0), {}));
  Sides s;
  std::fill_n(&s.initiation[8], 32, std::uint8_t{0});
  EXPECT_FALSE(open_initiation(s.responder, s.initiation));
}

TEST(Noise, OnlyTheNamedPeerProvesItself) {
  Sides s;
  const Identity other(filled<crypto::X25519Secret>(9));
  auto received = open_initiation(s.responder, s.initiation);
  ASSERT_TRUE(received);
  const Remote wrong = *make_remote(s.responder, other.public_key, {});
  EXPECT_FALSE(open_timestamp(*received, wrong));
  EXPECT_FALSE(open_initiation(other, s.initiation));
}

TEST(Tai64n, OrdersAsTimeInStepsOf16Milliseconds) {
  using std::chrono::milliseconds;
  Tai64n last = tai64n(milliseconds(0));
  EXPECT_EQ(to_hex(last), "400000000000000a00000000");
  for (int ms = 17; ms < 20'000; ms += 17) {
    const Tai64n next = tai64n(milliseconds(ms));
    EXPECT_LT(last, next) << ms;
    EXPECT_EQ(next.bytes[11] | next.bytes[10] | next.bytes[9], 0);
    last = next;
  }
}

TEST(CookieJar, BindsToTheSourceAndExpires) {
  runtime::sim::SeededRandom random(3);
  CookieJar jar(random);
  Sides s;
  Instant now{std::chrono::seconds(50)};
  const Endpoint from{*parse_endpoint("192.0.2.1:7"), 0};
  const Mac16 mac1 = add_macs(s.initiation, s.to_responder.mac1_key, std::nullopt);
  EXPECT_FALSE(jar.check_mac2(s.initiation, from, now));
  const auto reply = jar.reply(s.initiation, from, s.responder.cookie_key, now);
  EXPECT_EQ(receiver_index(reply), 7u);
  const auto cookie = open_cookie_reply(reply, s.to_responder.cookie_key, mac1);
  ASSERT_TRUE(cookie);
  (void)add_macs(s.initiation, s.to_responder.mac1_key, cookie);
  EXPECT_TRUE(jar.check_mac2(s.initiation, from, now));
  for (const Endpoint& elsewhere : {Endpoint{*parse_endpoint("192.0.2.1:8"), 0},
                                    Endpoint{*parse_endpoint("192.0.2.2:7"), 0}, Endpoint{from.udp, 1}}) {
    EXPECT_FALSE(jar.check_mac2(s.initiation, elsewhere, now));
  }
  EXPECT_TRUE(jar.check_mac2(s.initiation, from, now + kCookieLifetime));  // the one before is honoured
  EXPECT_FALSE(jar.check_mac2(s.initiation, from, now + 2 * kCookieLifetime));
  // Nor the last secret before a long pause.
  CookieJar idle(random);
  const auto late =
      open_cookie_reply(idle.reply(s.initiation, from, s.responder.cookie_key, now), s.to_responder.cookie_key, mac1);
  ASSERT_TRUE(late);
  (void)add_macs(s.initiation, s.to_responder.mac1_key, late);
  EXPECT_FALSE(idle.check_mac2(s.initiation, from, now + 20 * kCookieLifetime));
}

}  // namespace
}  // namespace bonus::net::tunnel
