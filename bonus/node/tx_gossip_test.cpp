// Transactions between nodes on a network in memory: announced by hash, asked for once, bounded per peer.
#include "bonus/node/tx_gossip.hpp"

#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>

#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/node/testing/memory_transport.hpp"
#include "bonus/node/tx_gossip_messages.hpp"

namespace bonus::node {
namespace {

using chain::TransactionPtr;

crypto::SecretKey256 account_key(std::size_t n) {
  crypto::SecretKey256 out;
  out.bytes.fill(3);
  out.bytes[0] = static_cast<std::uint8_t>(n);
  return out;
}
constexpr std::size_t kAccounts = 50;

chain::Genesis genesis() {
  chain::Genesis out;
  out.chain_id = 7667;
  out.base_fee = uint256(7);
  for (std::size_t i = 0; i < kAccounts; ++i)
    out.balances[crypto::address_of(account_key(i)).value()] = uint256(1'000'000'000'000'000'000ULL);
  return out;
}

TransactionPtr transfer(std::size_t who, std::uint64_t nonce, std::size_t data = 0) {
  chain::Transaction tx;
  tx.chain_id = 7667;
  tx.nonce = nonce;
  tx.max_fee = uint256(1'000'000'000);
  tx.max_priority_fee = uint256(1);
  tx.gas_limit = 21'000 + 40 * data;
  tx.data = Bytes(data, 1);
  tx.to = Address{};
  EXPECT_TRUE(chain::sign_transaction(tx, account_key(who)).has_value());
  return chain::recover(std::move(tx)).value();
}

crypto::Ed25519KeyPair node_key(std::uint8_t n) {
  crypto::Ed25519Seed seed;
  seed.bytes.fill(n);
  return crypto::Ed25519KeyPair::from_seed(seed);
}

/// A node that is nothing but a mempool with gossip.
struct Node {
  Node(testing::MemoryNetwork& network, boost::asio::io_context& io, std::uint8_t n, const TxGossipLimits& limits = {})
      : key(node_key(n)), transport(network.attach(key.public_key(), io.get_executor())) {
    gossip = std::make_unique<TxGossip>(*transport, *mempool, metrics, chain::for_each_in_turn, limits);
    mempool->on_added([this](const TransactionPtr& tx) { gossip->announce(tx); });
    EXPECT_TRUE(transport->start());
  }
  void knows(const NodeId& other) { ASSERT_TRUE(transport->set_peer({other, {}, "memory:1"})); }
  [[nodiscard]] NodeId id() const { return transport->self(); }
  [[nodiscard]] std::size_t size() const { return mempool->stats().pending; }
  [[nodiscard]] bool counted(const std::string& result, int count) const {
    return metrics.expose().find("bonus_node_gossip_transactions_total{result=\"" + result + "\"} " +
                                 std::to_string(count) + "\n") != std::string::npos;
  }

  chain::testing::FakeLedger ledger{genesis()};
  std::unique_ptr<chain::Mempool> mempool = chain::mempool::make_mempool(ledger);
  Metrics metrics;
  crypto::Ed25519KeyPair key;
  std::unique_ptr<net::Transport> transport;
  std::unique_ptr<TxGossip> gossip;
};

/// A peer that says what the test tells it to, and writes down what it hears.
struct Stranger {
  Stranger(testing::MemoryNetwork& network, boost::asio::io_context& io, std::uint8_t n)
      : transport(network.attach(node_key(n).public_key(), io.get_executor())) {
    for (const char* const service : {"tx.hashes", "tx.want", "tx.bodies"})
      transport->on_message(service, [this, service](NodeId, Bytes message) { heard[service].push_back(message); });
    EXPECT_TRUE(transport->start());
  }
  void say(const Node& to, std::string_view service, Bytes message) {
    transport->notify(to.id(), service, std::move(message));
  }
  [[nodiscard]] std::size_t hashes_in(const std::string& service) const {
    std::size_t out = 0;
    if (const auto found = heard.find(service); found != heard.end())
      for (const Bytes& message : found->second) out += message.size() / 32;
    return out;
  }
  std::map<std::string, std::vector<Bytes>> heard;
  std::unique_ptr<net::Transport> transport;
};

class TxGossipTest : public ::testing::Test {
 protected:
  void run() {
    io_.restart();
    io_.poll();
  }
  static std::vector<Hash32> made_up(std::size_t count, std::uint8_t salt) {
    std::vector<Hash32> out;
    for (std::size_t i = 0; i < count; ++i)
      out.push_back(
          crypto::keccak256(Bytes{salt, static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i >> 8), 0x77}));
    return out;
  }
  boost::asio::io_context io_;
  testing::MemoryNetwork network_;
};

TEST_F(TxGossipTest, GoesFromNodeToNode) {
  Node a(network_, io_, 1), b(network_, io_, 2), c(network_, io_, 3);
  a.knows(b.id());
  b.knows(a.id());
  b.knows(c.id());
  c.knows(b.id());
  const auto tx = transfer(0, 0);
  ASSERT_TRUE(a.mempool->add(tx));
  run();
  EXPECT_NE(b.mempool->find(tx->hash), nullptr);
  EXPECT_NE(c.mempool->find(tx->hash), nullptr);
  // Two hops of hash, request and body; nobody tells it to whom it came from.
  EXPECT_EQ(network_.delivered(), 6u);
  EXPECT_TRUE(c.counted("new", 1));
}

TEST_F(TxGossipTest, AnnouncementsGoTogetherWhileOneIsOnItsWay) {
  Node a(network_, io_, 1), b(network_, io_, 2);
  a.knows(b.id());
  b.knows(a.id());
  for (std::size_t who = 0; who < kAccounts; ++who)
    for (std::uint64_t nonce = 0; nonce < 40; ++nonce) ASSERT_TRUE(a.mempool->add(transfer(who, nonce)));
  run();
  EXPECT_EQ(b.size(), kAccounts * 40);
  // 2000 transactions: 1 + 1024 + 975 hashes, as many answers, bodies by 256.
  EXPECT_LE(network_.delivered(), 3u + 3u + 1u + 4u + 4u);
}

TEST_F(TxGossipTest, LargeOnesGoInSeveralMessages) {
  Node a(network_, io_, 1), b(network_, io_, 2);
  a.knows(b.id());
  for (std::size_t who = 0; who < 12; ++who) ASSERT_TRUE(a.mempool->add(transfer(who, 0, 120'000)));
  run();
  EXPECT_EQ(b.size(), 12u);
}

TEST_F(TxGossipTest, AsksOnePeerAndAnotherWhenItFails) {
  Node a(network_, io_, 1);
  Stranger s(network_, io_, 2), t(network_, io_, 3);
  const auto tx = transfer(0, 0);
  s.say(a, "tx.hashes", encode_hashes({tx->hash}));
  t.say(a, "tx.hashes", encode_hashes({tx->hash}));
  run();
  EXPECT_EQ(s.hashes_in("tx.want") + t.hashes_in("tx.want"), 1u);
  EXPECT_EQ(s.heard["tx.want"].size(), 1u);  // and the other heard that it was understood
  EXPECT_EQ(t.heard["tx.want"].size(), 1u);
  for (int i = 0; i < 2; ++i) a.gossip->repeat(a.ledger);
  t.say(a, "tx.hashes", encode_hashes({tx->hash}));
  run();
  EXPECT_EQ(t.hashes_in("tx.want"), 1u);
  // The first delivers too late: it was not asked any more.
  s.say(a, "tx.bodies", encode_bodies({tx->tx.encode()}));
  run();
  EXPECT_EQ(a.size(), 0u);
  t.say(a, "tx.bodies", encode_bodies({tx->tx.encode()}));
  run();
  EXPECT_EQ(a.size(), 1u);
}

TEST_F(TxGossipTest, ProposersHearOfItFirstAndAllOthersWhenItWaits) {
  Node a(network_, io_, 1);
  Stranger proposer(network_, io_, 2), other(network_, io_, 3);
  a.knows(proposer.transport->self());
  a.knows(other.transport->self());
  a.gossip->prefer([&](const NodeId& id) { return id == proposer.transport->self(); });
  ASSERT_TRUE(a.mempool->add(transfer(0, 0)));
  run();
  EXPECT_EQ(proposer.hashes_in("tx.hashes"), 1u);
  EXPECT_EQ(other.hashes_in("tx.hashes"), 0u);
  for (int i = 0; i < 2; ++i) a.gossip->repeat(a.ledger);
  run();
  EXPECT_EQ(other.hashes_in("tx.hashes"), 1u);
}

TEST_F(TxGossipTest, WithoutAProposerAllHearOfItAtOnce) {
  Node a(network_, io_, 1);
  Stranger other(network_, io_, 3);
  const NodeId gone = crypto::node_id(node_key(2).public_key());
  a.knows(gone);
  a.knows(other.transport->self());
  a.gossip->prefer([&](const NodeId& id) { return id == gone; });
  ASSERT_TRUE(a.mempool->add(transfer(0, 0)));
  run();
  EXPECT_EQ(other.hashes_in("tx.hashes"), 1u);
}

TEST_F(TxGossipTest, WhatWasNotAskedForIsDropped) {
  Node a(network_, io_, 1);
  Stranger s(network_, io_, 2);
  s.say(a, "tx.bodies", encode_bodies({transfer(0, 0)->tx.encode()}));
  s.say(a, "tx.bodies", Bytes{1, 2, 3});
  s.say(a, "tx.hashes", Bytes(33));
  s.say(a, "tx.want", Bytes(32 * (kMaxGossipHashes + 1)));
  run();
  EXPECT_EQ(a.size(), 0u);
  EXPECT_TRUE(a.counted("unasked", 1));
  EXPECT_TRUE(a.counted("refused", 3));
  EXPECT_TRUE(s.heard.empty());
}

TEST_F(TxGossipTest, APeerThatDoesNotDeliverIsAskedForLessAndLess) {
  TxGossipLimits limits;
  limits.asked_per_peer = 100;
  limits.asked = 150;
  Node a(network_, io_, 1, limits);
  Stranger s(network_, io_, 2), t(network_, io_, 3);
  s.say(a, "tx.hashes", encode_hashes(made_up(1000, 1)));
  run();
  EXPECT_EQ(s.hashes_in("tx.want"), 100u);
  t.say(a, "tx.hashes", encode_hashes(made_up(1000, 2)));
  run();
  EXPECT_EQ(t.hashes_in("tx.want"), 50u);  // the bound of all
  for (int i = 0; i < 2; ++i) a.gossip->repeat(a.ledger);
  s.heard.clear();
  s.say(a, "tx.hashes", encode_hashes(made_up(1000, 3)));
  run();
  EXPECT_EQ(s.hashes_in("tx.want"), 50u);
  for (int round = 0; round < 8; ++round) {
    for (int i = 0; i < 2; ++i) a.gossip->repeat(a.ledger);
    s.heard.clear();
    s.say(a, "tx.hashes", encode_hashes(made_up(1000, static_cast<std::uint8_t>(10 + round))));
    run();
  }
  EXPECT_EQ(s.hashes_in("tx.want"), 16u);
}

TEST_F(TxGossipTest, StrangersLeaveRoomForPeers) {
  TxGossipLimits limits;
  limits.peers = 4;
  Node a(network_, io_, 1, limits);
  Stranger s(network_, io_, 2), t(network_, io_, 3), u(network_, io_, 4), peer(network_, io_, 5);
  for (Stranger* const one : {&s, &t, &u}) one->say(a, "tx.hashes", encode_hashes(made_up(1, 1)));
  run();
  EXPECT_EQ(s.heard.size() + t.heard.size(), 2u);
  EXPECT_TRUE(u.heard.empty());
  a.knows(peer.transport->self());
  a.gossip->repeat(a.ledger);
  peer.say(a, "tx.hashes", encode_hashes(made_up(1, 2)));
  run();
  EXPECT_EQ(peer.hashes_in("tx.want"), 1u);
}

TEST_F(TxGossipTest, ServesABoundedAmountBetweenTwoTicks) {
  TxGossipLimits limits;
  limits.served_bytes_per_peer = 300;
  Node a(network_, io_, 1, limits);
  Stranger s(network_, io_, 2);
  std::vector<Hash32> hashes;
  for (std::size_t who = 0; who < 5; ++who) {
    const auto tx = transfer(who, 0);
    ASSERT_TRUE(a.mempool->add(tx));
    hashes.push_back(tx->hash);
  }
  const auto bytes = [&] {
    std::size_t out = 0;
    for (const Bytes& message : s.heard["tx.bodies"])
      for (const BytesView body : decode_bodies(message).value()) out += body.size();
    return out;
  };
  s.say(a, "tx.want", encode_hashes(hashes));
  s.say(a, "tx.want", encode_hashes(hashes));
  run();
  EXPECT_GT(bytes(), 0u);
  EXPECT_LE(bytes(), 300u);
  a.gossip->repeat(a.ledger);
  s.heard.clear();
  s.say(a, "tx.want", encode_hashes(hashes));
  run();
  EXPECT_GT(bytes(), 0u);
}

TEST_F(TxGossipTest, RepeatsWhatIsStillWaiting) {
  Node a(network_, io_, 1);
  Stranger s(network_, io_, 2);
  a.knows(s.transport->self());
  network_.cut(s.transport->self(), true);
  ASSERT_TRUE(a.mempool->add(transfer(0, 0)));
  run();
  EXPECT_EQ(s.hashes_in("tx.hashes"), 0u);
  network_.cut(s.transport->self(), false);
  for (int i = 0; i < 2; ++i) a.gossip->repeat(a.ledger);
  run();
  EXPECT_EQ(s.hashes_in("tx.hashes"), 1u);
}

TEST_F(TxGossipTest, MessagesAreBounded) {
  EXPECT_FALSE(decode_hashes(Bytes(32 * (kMaxGossipHashes + 1))));
  EXPECT_TRUE(decode_hashes(Bytes(32 * kMaxGossipHashes)));
  EXPECT_TRUE(decode_hashes({})->empty());
  EXPECT_FALSE(decode_bodies(encode_bodies(std::vector<Bytes>(kMaxGossipBodies + 1, Bytes{1}))));
  EXPECT_EQ(decode_bodies(encode_bodies(std::vector<Bytes>(kMaxGossipBodies, Bytes{1})))->size(), kMaxGossipBodies);
  EXPECT_FALSE(decode_bodies(encode_bodies({Bytes(kMaxGossipBodyBytes)})));
  Bytes longer = encode_bodies({Bytes{1}});
  longer.push_back(0);
  EXPECT_FALSE(decode_bodies(longer));
}

}  // namespace
}  // namespace bonus::node
