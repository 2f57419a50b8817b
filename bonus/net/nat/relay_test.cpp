// The relay's server core alone, with messages made by hand.
#include "bonus/net/nat/relay.hpp"

#include <gtest/gtest.h>

#include "bonus/net/nat/relay_message.hpp"
#include "bonus/runtime/sim/events.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Client {
  explicit Client(std::uint8_t number) : root(make(number)), key(), path{{ip(number), 1000}, 0} {
    key.bytes.fill(number);
  }
  static crypto::Ed25519KeyPair make(std::uint8_t number) {
    crypto::Ed25519Seed seed;
    seed.bytes.fill(number);
    return crypto::Ed25519KeyPair::from_seed(seed);
  }
  static Ipv6 ip(std::uint8_t number) {
    Ipv6 out;
    out.bytes[10] = out.bytes[11] = 0xff;
    out.bytes[12] = 8, out.bytes[15] = number;
    return out;
  }
  [[nodiscard]] Bytes record(UnixSeconds now) const {
    NodeRecord out;
    out.tunnel = certify_tunnel_key(root, key, now - 1, now + 86400);
    out.sequence = 1;
    out.expires = now + 86400;
    return sign_record(out, root).value();
  }
  crypto::Ed25519KeyPair root;
  crypto::X25519Public key;
  PathEndpoint path;
};

class Relay : public ::testing::Test {
 protected:
  explicit Relay(RelayLimits limits = {}) : server_(self(), random_, events_, limits) {}
  static crypto::X25519Public self() {
    crypto::X25519Public out;
    out.bytes.fill(200);
    return out;
  }
  [[nodiscard]] UnixSeconds unix_s() const { return events_.unix_s(); }
  std::vector<Actions::Send> say(const Client& from, const Bytes& payload) {
    Actions out;
    server_.on_control(from.key, from.path, payload, events_.now(), out);
    return out.sends;
  }
  template <class Message>
  static const Message* find(std::vector<AnyRelayMessage>& messages) {
    for (const auto& m : messages)
      if (const auto* found = std::get_if<Message>(&m)) return found;
    return nullptr;
  }
  static std::vector<AnyRelayMessage> read(const std::vector<Actions::Send>& sends) {
    std::vector<AnyRelayMessage> out;
    for (const auto& send : sends) out.push_back(decode_relay(send.payload).value());
    return out;
  }
  bool enter(const Client& client) {
    auto first = read(say(client, encode(Register{1, 0, client.record(unix_s())})));
    const auto* challenge = find<Challenge>(first);
    if (challenge == nullptr) return false;
    auto second = read(say(client, encode(Register{1, challenge->cookie, client.record(unix_s())})));
    return find<Registered>(second) != nullptr;
  }
  [[nodiscard]] Bytes open_message(const Client& a, const Client& b, std::uint64_t nonce, UnixSeconds expires) const {
    return encode(Open{b.key, nonce, expires, a.root.sign(permission_bytes(self(), a.key, b.key, expires))});
  }
  [[nodiscard]] Bytes accept_message(const Client& b, const Client& a, std::uint64_t nonce, UnixSeconds expires) const {
    return encode(Accept{a.key, nonce, false, b.root.sign(permission_bytes(self(), a.key, b.key, expires))});
  }
  /// The tokens of both ends.
  std::optional<std::pair<std::uint64_t, std::uint64_t>> channel(const Client& a, const Client& b,
                                                                 std::uint64_t nonce = 9) {
    const UnixSeconds expires = unix_s() + 600;
    if (say(a, open_message(a, b, nonce, expires)).empty()) return std::nullopt;
    std::uint64_t ours = 0, theirs = 0;
    for (const auto& send : say(b, accept_message(b, a, nonce, expires))) {
      const auto decoded = decode_relay(send.payload).value();
      const auto* m = std::get_if<Opened>(&decoded);
      if (m == nullptr) return std::nullopt;
      (send.to == a.key ? ours : theirs) = m->token;
    }
    if (ours == 0 || theirs == 0) return std::nullopt;
    return std::pair(ours, theirs);
  }
  static Bytes frame(std::uint64_t token, std::size_t size) {
    Bytes out{0xB3, 1};
    for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(token >> shift));
    out.resize(size, 4);
    return out;
  }

  runtime::sim::Events events_;
  runtime::sim::SeededRandom random_{1};
  RelayServer server_;
  Client a_{1}, b_{2}, c_{3};
};

TEST_F(Relay, CarriesBothWaysAndMetersThePair) {
  ASSERT_TRUE(enter(a_) && enter(b_));
  const auto tokens = channel(a_, b_);
  ASSERT_TRUE(tokens);
  Bytes there = frame(tokens->first, 500), back = frame(tokens->second, 300);
  EXPECT_EQ(server_.forward(there, a_.path, events_.now()), b_.path);
  EXPECT_EQ(there, frame(tokens->second, 500));  // the other end's token, the rest untouched
  EXPECT_EQ(server_.forward(back, b_.path, events_.now()), a_.path);
  const auto usage = server_.take_usage();
  ASSERT_EQ(usage.size(), 1U);
  EXPECT_EQ(usage[0].bytes, 800U);
  EXPECT_EQ(usage[0].packets, 2U);
  EXPECT_EQ(std::min(usage[0].a, usage[0].b), usage[0].a);
  EXPECT_TRUE(usage[0].a == a_.root.public_key() || usage[0].a == b_.root.public_key());
  EXPECT_TRUE(server_.take_usage().empty());
  // What was carried before a channel ends is not lost.
  Bytes last = frame(tokens->first, 100);
  ASSERT_TRUE(server_.forward(last, a_.path, events_.now()));
  const auto told = say(a_, encode(Close{tokens->first}));
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].to, b_.key);
  EXPECT_EQ(server_.stats().channels, 0U);
  EXPECT_EQ(server_.take_usage().at(0).bytes, 100U);
  Bytes late = frame(tokens->first, 100);
  EXPECT_FALSE(server_.forward(late, a_.path, events_.now()));
}

TEST_F(Relay, BothEndsMustSign) {
  ASSERT_TRUE(enter(a_) && enter(b_) && enter(c_));
  const UnixSeconds expires = unix_s() + 600;
  const auto refused = [&](const std::vector<Actions::Send>& sends) {
    auto messages = read(sends);
    const auto* m = find<Refused>(messages);
    return m != nullptr && m->why == RelayRefusal::kPermission && find<Opened>(messages) == nullptr;
  };
  // The asking end: another root's signature, another peer, another relay, another date, a date long gone or far away.
  const auto sign = [&](const Client& who, const crypto::X25519Public& relay, const Client& peer, UnixSeconds at) {
    return who.root.sign(permission_bytes(relay, a_.key, peer.key, at));
  };
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, expires, sign(c_, self(), b_, expires)}))));
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, expires, sign(a_, self(), c_, expires)}))));
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, expires, sign(a_, c_.key, b_, expires)}))));
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, expires, sign(a_, self(), b_, expires + 1)}))));
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, unix_s() - 1, sign(a_, self(), b_, unix_s() - 1)}))));
  const UnixSeconds far = unix_s() + 100000;
  EXPECT_TRUE(refused(say(a_, encode(Open{b_.key, 1, far, sign(a_, self(), b_, far)}))));
  EXPECT_EQ(server_.stats().channels, 0U);
  // The asked end: somebody else's signature; somebody else accepts; the wrong nonce; declined; too late.
  ASSERT_EQ(say(a_, open_message(a_, b_, 2, expires)).size(), 1U);
  auto stolen = encode(Accept{a_.key, 2, false, c_.root.sign(permission_bytes(self(), a_.key, b_.key, expires))});
  EXPECT_TRUE(refused(say(b_, stolen)));
  ASSERT_EQ(say(a_, open_message(a_, b_, 3, expires)).size(), 1U);
  EXPECT_TRUE(say(c_, accept_message(c_, a_, 3, expires)).empty());
  EXPECT_TRUE(say(b_, accept_message(b_, a_, 4, expires)).empty());
  auto declined = read(say(b_, encode(Accept{a_.key, 3, true, {}})));
  ASSERT_NE(find<Refused>(declined), nullptr);
  EXPECT_EQ(find<Refused>(declined)->why, RelayRefusal::kDeclined);
  ASSERT_EQ(say(a_, open_message(a_, b_, 5, expires)).size(), 1U);
  events_.run_until(events_.now() + seconds(10));
  auto late = read(say(b_, accept_message(b_, a_, 5, expires)));
  EXPECT_EQ(find<Opened>(late), nullptr);
  EXPECT_EQ(server_.stats().channels, 0U);
}

TEST_F(Relay, AnAnswerThatWasLostIsSaidAgainAndARenewalKeepsTheTokens) {
  ASSERT_TRUE(enter(a_) && enter(b_));
  const auto tokens = channel(a_, b_, 7);
  ASSERT_TRUE(tokens);
  auto again = read(say(b_, accept_message(b_, a_, 7, unix_s() + 600)));
  ASSERT_NE(find<Opened>(again), nullptr);
  EXPECT_EQ(find<Opened>(again)->token, tokens->second);
  events_.run_until(events_.now() + seconds(30));
  EXPECT_EQ(channel(b_, a_, 8), std::pair(tokens->second, tokens->first));
  EXPECT_EQ(server_.stats().channels, 1U);
}

TEST_F(Relay, PermissionsAndRegistrationsExpire) {
  ASSERT_TRUE(enter(a_) && enter(b_));
  const auto tokens = channel(a_, b_);
  ASSERT_TRUE(tokens);
  for (int i = 0; i < 59; ++i) {
    events_.run_until(events_.now() + seconds(10));
    (void)say(a_, encode(Keep{1}));
    (void)say(b_, encode(Keep{1}));
    server_.on_timer(events_.now());
  }
  Bytes alive = frame(tokens->first, 50);
  EXPECT_TRUE(server_.forward(alive, a_.path, events_.now()));
  events_.run_until(events_.now() + seconds(11));
  Bytes dead = frame(tokens->first, 50);
  EXPECT_FALSE(server_.forward(dead, a_.path, events_.now()));
  server_.on_timer(events_.now());
  EXPECT_EQ(server_.stats().channels, 0U);
  EXPECT_EQ(server_.stats().clients, 2U);
  events_.run_until(events_.now() + seconds(100));
  server_.on_timer(events_.now());
  EXPECT_EQ(server_.stats().clients, 0U);
  auto gone = read(say(a_, encode(Keep{4})));
  EXPECT_EQ(find<Refused>(gone)->why, RelayRefusal::kNotClient);
}

TEST_F(Relay, ARegistrationShowsItsAddressAndItsKey) {
  // No cookie, a wrong one, one of another address: a challenge each time.
  auto first = read(say(a_, encode(Register{1, 0, a_.record(unix_s())})));
  const auto cookie = find<Challenge>(first)->cookie;
  Client moved = a_;
  moved.path.udp.port = 5;
  EXPECT_NE(find<Challenge>(first), nullptr);
  auto other = read(say(moved, encode(Register{1, cookie, a_.record(unix_s())})));
  EXPECT_NE(find<Challenge>(other), nullptr);
  // A record of another tunnel key.
  auto stolen = read(say(a_, encode(Register{1, cookie, b_.record(unix_s())})));
  EXPECT_EQ(find<Refused>(stolen)->why, RelayRefusal::kPermission);
  EXPECT_EQ(server_.stats().clients, 0U);
  ASSERT_TRUE(enter(a_));
  // From another address a keepalive is only challenged, and channels stay where they are.
  auto keep = read(say(moved, encode(Keep{3})));
  EXPECT_NE(find<Challenge>(keep), nullptr);
  EXPECT_EQ(server_.client_path(a_.key), a_.path);
  ASSERT_TRUE(enter(moved));
  EXPECT_EQ(server_.client_path(a_.key), moved.path);
  // When a link goes, the client goes.
  Client linked = c_;
  linked.path.via = kViaLink | 5;
  ASSERT_TRUE(enter(linked));
  server_.link_down(kViaLink | 5);
  EXPECT_FALSE(server_.client_path(c_.key));
}

TEST_F(Relay, ARegistrationThatSomebodyRepeatsOnALinkOfHisOwnMovesNobody) {
  auto first = read(say(a_, encode(Register{1, 0, a_.record(unix_s())})));
  const Bytes heard = encode(Register{1, find<Challenge>(first)->cookie, a_.record(unix_s())});
  auto second = read(say(a_, heard));
  ASSERT_NE(find<Registered>(second), nullptr);
  Client replayer = a_;  // the datagram is a's, the link another's
  replayer.path = {{Client::ip(9), 40000}, kViaLink | 7};
  (void)say(replayer, heard);
  (void)say(replayer, encode(Register{1, 0, a_.record(unix_s())}));
  EXPECT_EQ(server_.client_path(a_.key), a_.path);
}

struct SmallRelay : Relay {
  static RelayLimits limits() {
    RelayLimits out;
    out.clients = 3;
    out.channels = 1;
    out.client_bytes_per_s = 1000;
    out.client_burst_bytes = 2000;
    out.total_bytes_per_s = 1500;
    out.total_burst_bytes = 3000;
    out.requests_per_s = 1;
    out.request_burst = 4;
    return out;
  }
  SmallRelay() : Relay(limits()) {}
};

struct CrowdedRelay : Relay {
  static RelayLimits limits() {
    RelayLimits out;
    out.clients = 16;
    out.channels = 32;
    out.channels_per_client = 8;
    return out;
  }
  CrowdedRelay() : Relay(limits()) {}
  static Client at(std::uint8_t number, std::uint8_t network) {
    Client out(number);
    out.path.udp.address.bytes[13] = network;
    return out;
  }
};

TEST_F(CrowdedRelay, OneNetworkDoesNotTakeThePlacesOfOthers) {
  const Client victim = at(1, 1);
  ASSERT_TRUE(enter(victim));
  std::vector<Client> crowd;
  for (std::uint8_t i = 10; i < 40; ++i) {
    crowd.push_back(at(i, 9));
    (void)enter(crowd.back());
  }
  EXPECT_LE(server_.stats().clients, 16U);
  // Others still find a place, and who was there keeps it.
  for (std::uint8_t i = 2; i < 9; ++i) EXPECT_TRUE(enter(at(i, i))) << int{i};
  EXPECT_TRUE(server_.client_path(victim.key));
  EXPECT_FALSE(enter(at(50, 9))) << "the crowd has enough";
  // Its channels do not fill those of one client.
  std::size_t opened = 0;
  for (const Client& one : crowd)
    if (server_.client_path(one.key)) opened += channel(one, victim, one.key.bytes[0]).has_value() ? 1U : 0U;
  EXPECT_GE(opened, 1U);
  EXPECT_LE(opened, 4U) << "half of the victim's, at most";
  for (std::uint8_t i = 2; i < 5; ++i) EXPECT_TRUE(channel(at(i, i), victim)) << int{i};
}

TEST_F(SmallRelay, HoldsItsLimits) {
  ASSERT_TRUE(enter(a_) && enter(b_) && enter(c_));
  Client d(4);
  EXPECT_FALSE(enter(d));
  const auto tokens = channel(a_, b_);
  ASSERT_TRUE(tokens);
  auto full = read(say(a_, open_message(a_, c_, 3, unix_s() + 100)));
  EXPECT_EQ(find<Refused>(full)->why, RelayRefusal::kFull);
  // 2000 bytes at once, then 1000 a second.
  const auto carry = [&](std::uint64_t token, const Client& from) {
    std::size_t carried = 0;
    for (int i = 0; i < 50; ++i) {
      Bytes data = frame(token, 100);
      carried += server_.forward(data, from.path, events_.now()) ? 100U : 0U;
    }
    return carried;
  };
  EXPECT_EQ(carry(tokens->first, a_), 2000U);
  EXPECT_EQ(carry(tokens->second, b_), 1000U);  // what is left of the total
  events_.run_until(events_.now() + seconds(1));
  EXPECT_EQ(carry(tokens->first, a_), 1000U);
  EXPECT_EQ(carry(tokens->second, b_), 500U);
  EXPECT_GT(server_.stats().over_limit, 0U);
  Bytes huge = frame(tokens->first, kMaxRelayed + 1);
  EXPECT_FALSE(server_.forward(huge, a_.path, events_.now()));
  Bytes empty = frame(tokens->first, kRelayHeader);
  EXPECT_FALSE(server_.forward(empty, a_.path, events_.now()));
  // Requests that reach others.
  std::size_t offers = 0;
  for (int i = 0; i < 50; ++i)
    offers += say(a_, open_message(a_, b_, 100U + static_cast<unsigned>(i), unix_s() + 100)).size();
  EXPECT_LE(offers, 4U);
}

}  // namespace
}  // namespace bonus::net::nat
