// Address pointers: what one core accepts, holds, publishes and believes, with real hashes.
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bonus/net/kad/kad.hpp"
#include "bonus/net/kad/messages.hpp"
#include "bonus/net/kad/own_pointers.hpp"
#include "bonus/net/kad/store.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad {
namespace {

using runtime::sim::SeededRandom;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr UnixSeconds kUnix = 1'700'000'000;

Bytes id_of(std::size_t i) {
  const auto text = "lease-" + std::to_string(i);
  return {text.begin(), text.end()};
}

AddressPointer pointer_of(std::uint8_t root, std::size_t i) {
  AddressPointer out;
  out.root.bytes.fill(root);
  out.container = id_of(i);
  return out;
}

Message store_of(const AddressPointer& pointer, std::uint64_t token) {
  Message m;
  m.type = Type::kStore;
  m.kind = DataKind::kPointer;
  m.data = *encode_pointer(pointer);
  m.scope.epoch = kUnix / 86400;
  m.token = token;
  return m;
}

TEST(DhtPointerMessages, StoresAndAnswersComeBackAndLongerOnesDoNot) {
  auto m = store_of(pointer_of(3, 40), 7);
  const auto back = decode(encode(m));
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_EQ(back->kind, DataKind::kPointer);
  EXPECT_EQ(back->data, m.data);
  EXPECT_EQ(back->scope, m.scope);
  m.type = Type::kValue;
  const auto value = decode(encode(m));
  ASSERT_TRUE(value);
  EXPECT_EQ(value->data, m.data);
  m.data = Bytes(kMaxPointerBytes + 1, 1);
  EXPECT_FALSE(decode(encode(m)));
  m.data.clear();
  EXPECT_FALSE(decode(encode(m)));
}

Held held(DataKind kind, std::uint64_t head, std::uint64_t sequence = 0, std::uint32_t until = 100) {
  Held out;
  for (unsigned i = 0; i < 8; ++i) out.key.bytes[i] = static_cast<std::uint8_t>(head >> (56 - 8 * i));
  out.kind = kind;
  out.data = {static_cast<std::uint8_t>(kind)};
  out.sequence = sequence;
  out.until = until;
  return out;
}

TEST(DhtStore, PointersNeverPushRecordsOutNorTheOtherWayRound) {
  Store store(4, 3);
  for (std::uint64_t i = 0; i < 4; ++i) ASSERT_TRUE(store.put(held(DataKind::kRecord, 1000 + i), 0, 1));
  for (std::uint64_t i = 0; i < 100; ++i) {
    (void)store.put(held(DataKind::kPointer, 500 - i), 0, 1);
    ASSERT_LE(store.pointers(), 3u);
    ASSERT_LE(store.size(), 7u);
  }
  for (std::uint64_t i = 0; i < 4; ++i) EXPECT_NE(store.find(held(DataKind::kRecord, 1000 + i).key, 1), nullptr);
  for (std::uint64_t i = 97; i < 100; ++i) EXPECT_NE(store.find(held(DataKind::kPointer, 500 - i).key, 1), nullptr);
  EXPECT_EQ(store.put(held(DataKind::kPointer, 600), 0, 1).error().code, ErrorCode::kExhausted) << "the farthest";
  ASSERT_TRUE(store.put(held(DataKind::kValue, 1), 0, 1));
  EXPECT_EQ(store.pointers(), 3u);
  EXPECT_EQ(store.size(), 7u);
  EXPECT_EQ(store.find(held(DataKind::kRecord, 1003).key, 1), nullptr) << "a closer value takes a record's place";
}

TEST(DhtStore, ARecordTakesThePlaceOfAPointerAndIsNotReplacedByOne) {
  Store store(2, 2);
  ASSERT_TRUE(store.put(held(DataKind::kPointer, 5), 0, 1));
  ASSERT_TRUE(store.put(held(DataKind::kPointer, 5, 0, 200), 0, 1)) << "stored again";
  EXPECT_EQ(store.pointers(), 1u);
  EXPECT_EQ(store.find(held(DataKind::kPointer, 5).key, 150)->until, 200u);
  ASSERT_TRUE(store.put(held(DataKind::kRecord, 5, 9), 0, 1));
  EXPECT_EQ(store.pointers(), 0u);
  EXPECT_EQ(store.size(), 1u);
  EXPECT_EQ(store.put(held(DataKind::kPointer, 5), 0, 1).error().code, ErrorCode::kConflict);
  ASSERT_TRUE(store.put(held(DataKind::kPointer, 5, 0, 300), 0, 101)) << "the record's life is over";
  EXPECT_EQ(store.pointers(), 1u);
  // A record that finds its share full of closer ones leaves the pointer where it is.
  ASSERT_TRUE(store.put(held(DataKind::kRecord, 1, 0, 300), 0, 101));
  ASSERT_TRUE(store.put(held(DataKind::kRecord, 2, 0, 300), 0, 101));
  EXPECT_EQ(store.put(held(DataKind::kRecord, 5, 9, 300), 0, 101).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(store.find(held(DataKind::kRecord, 5).key, 101)->kind, DataKind::kPointer);
  store.expire(300);
  EXPECT_EQ(store.size(), 0u);
  EXPECT_EQ(store.pointers(), 0u);
}

Hash32 as_it_is(const Hash32& key) { return key; }

TEST(DhtOwnPointers, AThousandGoOutOneByOneAndRoundInBoundedTime) {
  constexpr Duration kPeriod = std::chrono::minutes(20);
  OwnPointers own(kPeriod);
  std::vector<Bytes> ids;
  for (std::size_t i = 0; i < kMaxPointers; ++i) ids.push_back(id_of(i));
  Instant now{};
  Ed25519PublicKey root;
  ASSERT_TRUE(own.set(root, ids, as_it_is, now));
  EXPECT_EQ(own.size(), kMaxPointers);
  std::map<Hash32, std::vector<Instant>> taken;
  std::optional<Instant> before;
  while (now < Instant{} + std::chrono::hours(5)) {
    ASSERT_TRUE(own.next());
    now = std::max(now, *own.next());
    const auto* one = own.take(now);
    ASSERT_NE(one, nullptr);
    if (before) ASSERT_GE(now - *before, OwnPointers::kGap) << "a flood";
    before = now;
    taken[one->key].push_back(now);
    ASSERT_EQ(own.take(now), nullptr);
  }
  ASSERT_EQ(taken.size(), kMaxPointers);
  for (const auto& [key, times] : taken) {
    EXPECT_LE(times[0] - Instant{}, std::chrono::minutes(40));
    for (std::size_t i = 1; i < times.size(); ++i)
      ASSERT_LT(times[i] - times[i - 1], Periods{}.record_life - std::chrono::minutes(30)) << "it would be forgotten";
    ASSERT_LE(times.size(), 2u + 5u) << "no oftener than once an hour";
  }
}

TEST(DhtOwnPointers, ANewOneGoesOutAtOnceAndAWithdrawnOneNoMore) {
  OwnPointers own(std::chrono::minutes(20));
  Instant now{};
  Ed25519PublicKey root;
  const std::vector<Bytes> both{id_of(1), id_of(2)}, other{id_of(2), id_of(3)};
  ASSERT_TRUE(own.set(root, both, as_it_is, now));
  for (int i = 0; i < 4; ++i) {
    now = std::max(now, *own.next());
    ASSERT_NE(own.take(now), nullptr);
  }
  now += seconds(5);
  EXPECT_EQ(own.take(now), nullptr) << "both were published twice";
  ASSERT_TRUE(own.set(root, other, as_it_is, now));
  const auto* fresh = own.take(now);
  ASSERT_NE(fresh, nullptr);
  EXPECT_EQ(*fresh->data, *encode_pointer({root, id_of(3)}));
  const auto gone = address_key(AddressPointer{root, id_of(1)}.address());
  EXPECT_EQ(own.find(gone), nullptr);
  for (int i = 0; i < 50; ++i) {
    now = std::max(now, *own.next());
    ASSERT_NE(own.take(now)->key, gone);
  }
  own.moved(as_it_is, now);
  now += OwnPointers::kGap;
  EXPECT_NE(own.take(now), nullptr) << "positions have moved";
  ASSERT_TRUE(own.set(root, {}, as_it_is, now));
  EXPECT_FALSE(own.next());
  const std::vector<Bytes> many(kMaxPointers + 1, id_of(1));
  EXPECT_EQ(own.set(root, many, as_it_is, now).error().code, ErrorCode::kExhausted);
  const std::vector<Bytes> wrong{Bytes(17, 'x')};
  EXPECT_EQ(own.set(root, wrong, as_it_is, now).error().code, ErrorCode::kInvalid);
}

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
};

class KadPointers : public ::testing::Test {
 protected:
  KadPointers() {
    settings_->assume_reachable = true;
    settings_->limits.pointers = 16;
    Config config;
    config.settings = settings_;
    config.root = self_.root.public_key();
    config.certificate = self_.certificate;
    core_ = std::make_unique<Kad>(config, random_, record_checker(), now_, kUnix);
  }
  void know(const Peer& peer) {
    ASSERT_TRUE(core_->restore({peer.key, peer.endpoint}, peer.root.public_key(), milliseconds(20), {}, now_));
  }
  Result<> give(const Peer& from, Message m, std::size_t pad = kMaxPayload) {
    m.serves = true;
    return core_->on_payload(from.key, from.endpoint, encode(m, kMaxPayload, pad), now_, actions_);
  }
  std::optional<Message> sent_to(const Peer& peer, Type type) {
    std::optional<Message> out;
    for (const auto& send : actions_.sends)
      if (send.to == peer.key)
        if (auto m = decode(send.payload); m && m->type == type) out = *m;
    return out;
  }
  bool store(const AddressPointer& pointer) {
    (void)give(a_, {});
    const auto token = sent_to(a_, Type::kPong)->token;
    actions_ = {};
    now_ += milliseconds(10);
    EXPECT_TRUE(give(a_, store_of(pointer, token)));
    return sent_to(a_, Type::kStored)->accepted;
  }
  std::shared_ptr<Settings> settings_ = std::make_shared<Settings>();
  SeededRandom random_{4};
  Peer self_{1}, a_{2}, b_{3};
  Instant now_{};
  std::unique_ptr<Kad> core_;
  Actions actions_;
};

TEST_F(KadPointers, AreHeldWithinTheirShareAndAnsweredWithTheAddress) {
  std::size_t accepted = 0;
  for (std::size_t i = 0; i < 200; ++i) accepted += store(pointer_of(9, i));
  EXPECT_GE(accepted, 8u);
  EXPECT_LT(accepted, 200u);
  EXPECT_EQ(core_->status(now_).pointers, 8u) << "half of sixteen for one network";
  std::size_t answered = 0;
  for (std::size_t i = 0; i < 200; ++i) {
    Message find;
    find.type = Type::kFind;
    find.find = Find::kData;
    find.scope.epoch = kUnix / 86400;
    find.target = key_at(address_key(pointer_of(9, i).address()), find.scope.epoch, {});
    actions_ = {};
    now_ += milliseconds(10);
    ASSERT_TRUE(give(a_, find));
    const auto value = sent_to(a_, Type::kValue);
    if (!value) continue;
    ++answered;
    EXPECT_EQ(value->kind, DataKind::kPointer);
    EXPECT_EQ(decode_pointer(value->data), pointer_of(9, i));
  }
  EXPECT_EQ(answered, 8u);
  actions_ = {};
  ASSERT_TRUE(give(a_, {}));
  auto bad = store_of(pointer_of(9, 1), sent_to(a_, Type::kPong)->token);
  bad.data[0] = 2;
  actions_ = {};
  ASSERT_TRUE(give(a_, bad));
  EXPECT_FALSE(sent_to(a_, Type::kStored)->accepted) << "an unknown version";
}

TEST_F(KadPointers, AForgedOneDoesNotEndALookupAndTheRightOneDoes) {
  know(a_);
  know(b_);
  const auto wanted = pointer_of(9, 1);
  actions_ = {};
  const auto id = core_->find_address(wanted.address(), now_, actions_);
  ASSERT_TRUE(id);
  const auto answer = [&](const Peer& from, const AddressPointer& pointer) {
    const auto find = sent_to(from, Type::kFind);
    ASSERT_TRUE(find);
    Message m;
    m.type = Type::kValue;
    m.transaction = find->transaction;
    m.kind = DataKind::kPointer;
    m.data = *encode_pointer(pointer);
    now_ += milliseconds(5);
    EXPECT_TRUE(give(from, m, 0));
  };
  answer(a_, pointer_of(8, 1));  // the same id at another node: an attacker's own
  EXPECT_TRUE(actions_.done.empty());
  EXPECT_GE(core_->stats().refused, 1u);
  answer(b_, wanted);
  ASSERT_EQ(actions_.done.size(), 1u);
  EXPECT_TRUE(actions_.done[0].found);
  EXPECT_TRUE(actions_.done[0].pointer);
  EXPECT_EQ(decode_pointer(actions_.done[0].data), wanted);
  EXPECT_TRUE(actions_.learned.empty()) << "it is no record";
}

TEST_F(KadPointers, OwnOnesAreOursAloneAndAnsweredAtOnce) {
  const std::vector<Bytes> ids{id_of(1), id_of(2)};
  ASSERT_TRUE(core_->set_own_pointers(ids, now_, actions_));
  EXPECT_EQ(core_->status(now_).own_pointers, 2u);
  const AddressPointer mine{self_.root.public_key(), id_of(2)};
  actions_ = {};
  ASSERT_TRUE(core_->find_address(mine.address(), now_, actions_));
  ASSERT_EQ(actions_.done.size(), 1u);
  EXPECT_TRUE(actions_.done[0].pointer);
  EXPECT_EQ(decode_pointer(actions_.done[0].data), mine);
}

TEST_F(KadPointers, AContactThatDoesNotKnowThemIsNotForgotten) {
  know(a_);
  std::vector<Bytes> ids;
  for (std::size_t i = 0; i < 8; ++i) ids.push_back(id_of(i));
  ASSERT_TRUE(core_->set_own_pointers(ids, now_, actions_));
  std::size_t stores = 0;
  const auto end = now_ + std::chrono::minutes(1);
  for (std::size_t at = 0; now_ < end;) {
    for (; at < actions_.sends.size(); ++at) {
      const auto m = decode(actions_.sends[at].payload);
      ASSERT_TRUE(m);
      stores += m->type == Type::kStore;
      if (m->type == Type::kStore) continue;  // as a node of an older version would do
      Message reply;
      reply.type = m->type == Type::kPing ? Type::kPong : Type::kNodes;
      reply.transaction = m->transaction;
      reply.token = 77;
      reply.serves = true;
      (void)core_->on_payload(a_.key, a_.endpoint, encode(reply), now_ + milliseconds(5), actions_);
    }
    now_ = std::max(now_ + milliseconds(5), *core_->next_timer());
    core_->on_timer(now_, actions_);
  }
  EXPECT_GE(stores, 8u);
  EXPECT_EQ(core_->status(now_).contacts, 1u);
}

}  // namespace
}  // namespace bonus::net::kad
