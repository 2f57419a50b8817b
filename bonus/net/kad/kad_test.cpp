// One core against a hand-driven peer, with real signatures.
#include "bonus/net/kad/kad.hpp"

#include <gtest/gtest.h>

#include <set>

#include "bonus/net/kad/messages.hpp"
#include "bonus/net/kad/value.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad {
namespace {

using runtime::sim::SeededRandom;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UnixSeconds kUnix = 1'700'000'000;

struct Peer {
  crypto::Ed25519KeyPair root;
  crypto::X25519Public key;
  UdpEndpoint endpoint;
  TunnelCertificate certificate;
  explicit Peer(std::uint8_t i)
      : root(crypto::Ed25519KeyPair::from_seed([&] {
          crypto::Ed25519Seed seed;
          seed.bytes.fill(i);
          return seed;
        }())) {
    key.bytes.fill(i);
    endpoint = *parse_endpoint("8.8." + std::to_string(i) + ".1:51820");
    certificate = certify_tunnel_key(root, key, kUnix - 10, kUnix + 86400);
  }
  [[nodiscard]] Proof proof() const {
    return {root.public_key(), certificate.not_before, certificate.expires, certificate.signature, 0, 0};
  }
  [[nodiscard]] Bytes record(std::uint64_t sequence) const {
    NodeRecord record;
    record.tunnel = certificate;
    record.sequence = sequence;
    record.expires = kUnix + 3600;
    record.containers = {Bytes{'c', '1'}};
    return *sign_record(record, root);
  }
  [[nodiscard]] Ipv6 address() const { return overlay_address(crypto::node_id(root.public_key())); }
  [[nodiscard]] Position position() const { return position_of(root.public_key(), kUnix / 86400, {}); }
};

class KadCore : public ::testing::Test {
 protected:
  KadCore() {
    settings_->assume_reachable = true;
    make();
  }
  void make(bool serves = true) {
    Config config;
    config.settings = settings_;
    config.root = self_.root.public_key();
    config.certificate = self_.certificate;
    config.serves_dht = serves;
    core_ = std::make_unique<Kad>(config, random_, record_checker(), now_, kUnix);
  }
  void know(const Peer& peer) {
    ASSERT_TRUE(core_->restore({peer.key, peer.endpoint}, peer.root.public_key(), milliseconds(20), {}, now_));
  }
  Result<> give(const Peer& from, Message m, std::size_t pad = kMaxPayload) {
    m.serves = true;
    last_size_ = 0;
    const auto bytes = encode(m, kMaxPayload, pad);
    last_size_ = bytes.size();
    return core_->on_payload(from.key, from.endpoint, bytes, now_, actions_);
  }
  // What was sent to this peer since the last call; the newest of that type.
  std::optional<Message> sent_to(const Peer& peer, Type type) {
    std::optional<Message> out;
    for (const auto& send : actions_.sends)
      if (send.to == peer.key)
        if (auto m = decode(send.payload); m && m->type == type) out = *m;
    return out;
  }
  std::uint64_t token_for(const Peer& peer) {
    EXPECT_TRUE(give(peer, {}));
    const auto pong = sent_to(peer, Type::kPong);
    return pong ? pong->token : 0;
  }
  Message store_of(const Bytes& record, const Ipv6& address, std::uint64_t token) {
    Message m;
    m.type = Type::kStore;
    m.kind = DataKind::kRecord;
    m.data = record;
    m.target = address_key(address);
    m.scope.epoch = kUnix / 86400;
    m.token = token;
    return m;
  }
  std::shared_ptr<Settings> settings_ = std::make_shared<Settings>();
  SeededRandom random_{4};
  Peer self_{1}, a_{2}, b_{3};
  Instant now_{};
  std::unique_ptr<Kad> core_;
  Actions actions_;
  std::size_t last_size_ = 0;
};

TEST_F(KadCore, AnswersAreNeverLargerThanRequestsOfUnprovenAddresses) {
  for (std::uint8_t i = 10; i < 60; ++i)
    (void)core_->restore({Peer(i).key, Peer(i).endpoint}, Peer(i).root.public_key(), milliseconds(i), {}, now_);
  const auto record = b_.record(1);
  ASSERT_TRUE(give(b_, store_of(record, b_.address(), token_for(b_))));
  for (const Find find : {Find::kNodes, Find::kData, Find::kNear})
    for (std::size_t pad = kMinRequest; pad <= kMaxPayload; pad += 7)
      for (const bool proof : {false, true}) {
        Message m;
        m.type = Type::kFind;
        m.find = find;
        m.scope.epoch = kUnix / 86400;
        m.target = key_at(address_key(b_.address()), m.scope.epoch, {});
        m.wants_proof = proof;
        actions_ = {};
        now_ += seconds(1);
        (void)give(a_, m, pad);
        std::size_t out = 0;
        for (const auto& send : actions_.sends)
          if (send.to == a_.key && decode(send.payload)->type != Type::kPing) out += send.payload.size();
        ASSERT_LE(out, last_size_);
      }
  for (std::size_t pad = kMinRequest; pad < 300; ++pad) {
    Message m;
    m.wants_proof = true;
    actions_ = {};
    now_ += seconds(1);
    ASSERT_TRUE(give(a_, m, pad));
    ASSERT_EQ(actions_.sends.size(), 1u);
    EXPECT_LE(actions_.sends[0].payload.size(), pad);
  }
}

TEST_F(KadCore, AStoreNeedsATokenOfThisKeyAndAddress) {
  const auto record = b_.record(1);
  EXPECT_EQ(give(a_, store_of(record, b_.address(), 0)).error().code, ErrorCode::kDenied);
  EXPECT_EQ(give(a_, store_of(record, b_.address(), 12345)).error().code, ErrorCode::kDenied);
  EXPECT_EQ(give(a_, store_of(record, b_.address(), token_for(b_))).error().code, ErrorCode::kDenied);
  EXPECT_FALSE(core_->held_record(b_.address()));
  const auto token = token_for(a_);
  EXPECT_TRUE(give(a_, store_of(record, b_.address(), token)));
  EXPECT_EQ(core_->held_record(b_.address()), record);
  EXPECT_EQ(actions_.learned.size(), 1u);
  now_ += std::chrono::minutes(20);
  EXPECT_EQ(give(a_, store_of(b_.record(2), b_.address(), token)).error().code, ErrorCode::kDenied) << "too old";
}

TEST_F(KadCore, ForgedForeignAndOlderRecordsAreNotStored) {
  const auto accepted = [&] { return sent_to(a_, Type::kStored)->accepted; };
  const auto token = token_for(a_);
  auto forged = b_.record(5);
  forged[forged.size() / 2] ^= 1;
  ASSERT_TRUE(give(a_, store_of(forged, b_.address(), token)));
  EXPECT_FALSE(accepted());
  ASSERT_TRUE(give(a_, store_of(b_.record(5), a_.address(), token))) << "under another's address";
  EXPECT_FALSE(accepted());
  ASSERT_TRUE(give(a_, store_of(b_.record(5), b_.address(), token)));
  EXPECT_TRUE(accepted());
  ASSERT_TRUE(give(a_, store_of(b_.record(4), b_.address(), token))) << "older";
  EXPECT_FALSE(accepted());
  EXPECT_EQ(core_->held_record(b_.address()), b_.record(5));
  const auto container = container_address(b_.root.public_key(), Bytes{'c', '1'});
  ASSERT_TRUE(give(a_, store_of(b_.record(5), container, token)));
  EXPECT_TRUE(accepted()) << "its container's address";
  auto other_epoch = store_of(b_.record(6), b_.address(), token);
  other_epoch.scope.epoch += 7;
  ASSERT_TRUE(give(a_, other_epoch));
  EXPECT_FALSE(accepted());
  EXPECT_GE(core_->stats().refused, 4u);
}

TEST_F(KadCore, AForgedAnswerDoesNotEndALookup) {
  know(a_);
  know(b_);
  const Peer wanted(9);
  actions_ = {};
  const auto id = core_->find_address(wanted.address(), now_, actions_);
  ASSERT_TRUE(id);
  const auto answer = [&](const Peer& from, Bytes data) {
    const auto find = sent_to(from, Type::kFind);
    ASSERT_TRUE(find);
    Message m;
    m.type = Type::kValue;
    m.transaction = find->transaction;
    m.kind = DataKind::kRecord;
    m.data = std::move(data);
    now_ += milliseconds(5);
    EXPECT_TRUE(give(from, m, 0));
  };
  answer(a_, a_.record(1));  // a good record, of somebody else
  EXPECT_TRUE(actions_.done.empty());
  answer(b_, wanted.record(3));
  ASSERT_EQ(actions_.done.size(), 1u);
  EXPECT_TRUE(actions_.done[0].found);
  EXPECT_EQ(actions_.done[0].id, *id);
  EXPECT_EQ(actions_.done[0].data, wanted.record(3));
  EXPECT_EQ(actions_.done[0].hops, 1u);
}

TEST_F(KadCore, AnAnswerWithAnotherTransactionOrKeyIsIgnored) {
  know(a_);
  actions_ = {};
  ASSERT_TRUE(core_->find_address(b_.address(), now_, actions_));
  const auto find = sent_to(a_, Type::kFind);
  ASSERT_TRUE(find);
  Message m;
  m.type = Type::kValue;
  m.kind = DataKind::kRecord;
  m.data = b_.record(1);
  m.transaction = find->transaction + 1;
  EXPECT_FALSE(give(a_, m, 0));
  m.transaction = find->transaction;
  EXPECT_FALSE(give(b_, m, 0));
  EXPECT_TRUE(actions_.done.empty());
}

TEST_F(KadCore, OnlyProvenServingReachableOnesEnterTheTable) {
  const auto pong_of = [&](const Peer& peer, std::optional<Proof> proof, bool serves) {
    now_ += seconds(30);
    actions_ = {};
    const Kad::Seed seed{peer.key, peer.endpoint, std::nullopt};
    core_->bootstrap(std::span(&seed, 1), now_, actions_);
    const auto ping = sent_to(peer, Type::kPing);
    ASSERT_TRUE(ping);
    EXPECT_TRUE(ping->wants_proof);
    Message m;
    m.type = Type::kPong;
    m.transaction = ping->transaction;
    m.proof = proof;
    m.serves = serves;
    now_ += milliseconds(10);
    (void)core_->on_payload(peer.key, peer.endpoint, encode(m), now_, actions_);
  };
  pong_of(a_, std::nullopt, true);
  EXPECT_EQ(core_->status(now_).contacts, 0u) << "no proof";
  auto stolen = b_.proof();
  pong_of(a_, stolen, true);
  EXPECT_EQ(core_->status(now_).contacts, 0u) << "another's proof";
  auto claimed = a_.proof();
  claimed.root = b_.root.public_key();
  pong_of(a_, claimed, true);
  EXPECT_EQ(core_->status(now_).contacts, 0u) << "another's root";
  pong_of(a_, a_.proof(), false);
  EXPECT_EQ(core_->status(now_).contacts, 0u) << "a client";
  pong_of(a_, a_.proof(), true);
  EXPECT_EQ(core_->status(now_).contacts, 1u);
  EXPECT_EQ(core_->rtt_of(a_.key), Duration(milliseconds(10)));
}

TEST_F(KadCore, ASeedMustHaveTheNodeIdThatWasGiven) {
  const Kad::Seed seed{a_.key, a_.endpoint, crypto::node_id(b_.root.public_key())};
  core_->bootstrap(std::span(&seed, 1), now_, actions_);
  Message m;
  m.type = Type::kPong;
  m.transaction = sent_to(a_, Type::kPing)->transaction;
  m.proof = a_.proof();
  EXPECT_TRUE(give(a_, m, 0));
  EXPECT_EQ(core_->status(now_).contacts, 0u);
}

TEST_F(KadCore, ClientsAnswerPingsOnly) {
  make(false);
  EXPECT_TRUE(give(a_, {}));
  EXPECT_TRUE(sent_to(a_, Type::kPong));
  EXPECT_FALSE(sent_to(a_, Type::kPong)->serves);
  Message find;
  find.type = Type::kFind;
  find.scope.epoch = kUnix / 86400;
  EXPECT_EQ(give(a_, find).error().code, ErrorCode::kDenied);
  EXPECT_EQ(give(a_, store_of(b_.record(1), b_.address(), token_for(a_))).error().code, ErrorCode::kDenied);
}

TEST_F(KadCore, PrivateEndpointsOfStrangersAreNeverAsked) {
  know(a_);
  actions_ = {};
  ASSERT_TRUE(core_->find_address(b_.address(), now_, actions_));
  Message m;
  m.type = Type::kNodes;
  m.transaction = sent_to(a_, Type::kFind)->transaction;
  std::uint8_t i = 100;
  for (const auto* bad : {"127.0.0.1:1", "10.0.0.1:1", "192.168.1.1:1", "224.0.0.1:1", "[fd00::1]:1", "[fe80::1]:1",
                          "[ff02::1]:1", "169.254.1.1:1", "0.0.0.0:1", "8.8.8.8:0"}) {
    Told told;
    told.key.bytes.fill(i++);
    const std::string text = bad;
    told.endpoint.address =
        *parse_ip(text.front() == '[' ? text.substr(1, text.find(']') - 1) : text.substr(0, text.find(':')));
    told.endpoint.port = text.ends_with(":0") ? 0 : 1;
    m.contacts.push_back(told);
  }
  actions_ = {};
  EXPECT_TRUE(give(a_, m, 0));
  // The disjoint paths after the miss begin with the contact we know; nobody else is asked.
  EXPECT_FALSE(actions_.sends.empty());
  for (const auto& send : actions_.sends) EXPECT_EQ(send.endpoint, a_.endpoint);
}

TEST_F(KadCore, AFloodOfLookupsIsBounded) {
  for (std::uint8_t i = 10; i < 250; ++i)
    (void)core_->restore({Peer(i).key, Peer(i).endpoint}, Peer(i).root.public_key(), milliseconds(i), {}, now_);
  std::size_t refused = 0;
  for (unsigned i = 0; i < 1000; ++i) {
    Hash32 key;
    random_.fill(key.bytes);
    refused += !core_->lookup(key, LookupKind::kRecord, now_, actions_);
  }
  EXPECT_EQ(refused, 1000 - settings_->limits.lookups);
  EXPECT_LE(actions_.sends.size(), settings_->limits.pending);
  std::set<UdpEndpoint> flows;
  for (const auto& send : actions_.sends) flows.insert(send.endpoint);
  EXPECT_LE(flows.size(), static_cast<std::size_t>(settings_->limits.new_flow_burst));
  // Nobody answers: all end, nothing is left behind.
  for (unsigned i = 0; i < 100'000 && core_->status(now_).lookups > 0; ++i) {
    now_ = std::max(now_ + milliseconds(1), *core_->next_timer());
    core_->on_timer(now_, actions_);
    ASSERT_LE(core_->status(now_).pending, settings_->limits.pending);
    ASSERT_LE(core_->status(now_).flows, settings_->limits.live_flows);
  }
  EXPECT_EQ(actions_.done.size(), settings_->limits.lookups);
}

TEST_F(KadCore, StrangersRequestsAreLimited) {
  std::size_t answered = 0;
  for (unsigned i = 0; i < 5000; ++i) answered += give(a_, {}, kMinRequest).has_value();
  EXPECT_LE(answered, static_cast<std::size_t>(settings_->limits.request_burst));
  EXPECT_GE(answered, static_cast<std::size_t>(settings_->limits.request_burst / 2));
  now_ += seconds(1);
  for (unsigned i = 0; i < 5000; ++i) (void)give(a_, {}, kMinRequest);
  EXPECT_TRUE(give(Peer(9), {}, kMinRequest)) << "a stranger in another network is answered all the same";
  know(b_);
  EXPECT_TRUE(give(b_, {}, kMinRequest)) << "contacts are still served";
}

TEST_F(KadCore, DialBackIsNotDoneOnAStrangersWordNorToPrivatePlaces) {
  Message m;
  m.type = Type::kProbe;
  m.nonce = 5;
  m.peer = b_.key;
  m.endpoint = b_.endpoint;
  EXPECT_EQ(give(a_, m, 0).error().code, ErrorCode::kDenied);
  know(a_);
  actions_ = {};
  EXPECT_TRUE(give(a_, m, 0));
  ASSERT_EQ(actions_.sends.size(), 1u);
  EXPECT_LT(actions_.sends[0].payload.size(), 30u);
  m.endpoint = *parse_endpoint("192.168.1.1:22");
  EXPECT_EQ(give(a_, m, 0).error().code, ErrorCode::kDenied);
  m.endpoint = b_.endpoint;
  std::size_t sent = 0;
  for (unsigned i = 0; i < 100; ++i) sent += give(a_, m, 0).has_value();
  EXPECT_LE(sent, 5u) << "never more than five small packets";
}

TEST_F(KadCore, AfterASleepTheOwnRecordIsStoredAgainAtOnce) {
  know(a_);
  ASSERT_TRUE(core_->set_own_record(self_.record(1), now_, actions_));
  const auto own = key_at(address_key(self_.address()), kUnix / 86400, {}, Ring::kGlobal, 0);
  // The contact answers everything at once and knows nobody. Whether our own place was searched for, to store there.
  const auto answer = [&] {
    bool out = false;
    while (!actions_.sends.empty()) {
      const auto sends = std::move(actions_.sends);
      actions_ = {};
      for (const auto& send : sends) {
        const auto m = decode(send.payload);
        if (!m || send.to != a_.key) continue;
        out = out || (m->type == Type::kFind && m->target == own);
        Message reply;
        reply.transaction = m->transaction;
        reply.type = m->type == Type::kFind ? Type::kNodes : m->type == Type::kStore ? Type::kStored : Type::kPong;
        reply.token = 1;
        (void)give(a_, reply, 0);
      }
    }
    return out;
  };
  UnixSeconds slept = 0;
  const auto pass = [&](Duration span) {
    bool out = answer();
    for (const auto end = now_ + span; now_ < end;) {
      now_ = std::max(now_ + milliseconds(1), std::min(end, *core_->next_timer()));
      core_->set_wall_clock(now_, kUnix + slept + static_cast<UnixSeconds>((now_ - Instant{}) / seconds(1)));
      core_->on_timer(now_, actions_);
      out = answer() || out;
    }
    return out;
  };
  EXPECT_TRUE(pass(std::chrono::minutes(4)));
  EXPECT_FALSE(pass(std::chrono::minutes(2))) << "every twenty minutes is enough";
  slept = 3600;  // the lid was closed: only the wall clock went on
  EXPECT_TRUE(pass(seconds(5)));
}

TEST_F(KadCore, OwnRecordMustBeOurs) {
  EXPECT_EQ(core_->set_own_record(a_.record(1), now_, actions_).error().code, ErrorCode::kDenied);
  EXPECT_TRUE(core_->set_own_record(self_.record(1), now_, actions_));
  actions_ = {};
  ASSERT_TRUE(core_->find_address(self_.address(), now_, actions_));
  ASSERT_EQ(actions_.done.size(), 1u);
  EXPECT_EQ(actions_.done[0].data, self_.record(1));
}

}  // namespace
}  // namespace bonus::net::kad
