// The choice of neighbours on paper: bounds, stability, reach; hellos of honest and lying nodes.
#include "bonus/node/neighbours.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bonus/crypto/keys.hpp"

namespace bonus::node {
namespace {

using std::chrono::seconds;

net::Peer peer(std::uint8_t kind, std::size_t n) {
  Ed25519PublicKey key;
  key.bytes[0] = kind;
  key.bytes[1] = static_cast<std::uint8_t>(n);
  key.bytes[2] = static_cast<std::uint8_t>(n >> 8);
  return {crypto::node_id(key), key, "192.0.2.1:" + std::to_string(1000 + n)};
}
std::vector<net::Peer> peers(std::uint8_t kind, std::size_t count) {
  std::vector<net::Peer> out;
  for (std::size_t n = 0; n < count; ++n) out.push_back(peer(kind, n));
  return out;
}
std::set<NodeId> ids(const std::vector<net::Peer>& from) {
  std::set<NodeId> out;
  for (const auto& one : from) out.insert(one.id);
  return out;
}

TEST(Neighbours, AWorkerChoosesFewHoweverManyThereAre) {
  const auto bookkeepers = peers(1, 21);
  const auto workers = peers(2, 3000);
  Neighbours one(workers[7].key, false, bookkeepers, {peer(3, 0)});
  const auto change = one.update(workers, Instant{});
  EXPECT_EQ(change.chosen.size(), kNearBookkeepers + kNearOthers + 1);
  EXPECT_TRUE(ids(change.chosen).contains(peer(3, 0).id)) << "what is configured is always kept";
  EXPECT_FALSE(ids(change.chosen).contains(workers[7].id)) << "not itself";
  EXPECT_TRUE(one.update(workers, Instant{}).chosen.empty()) << "the same nodes give the same choice";
}

TEST(Neighbours, ABookkeeperKnowsAllOthers) {
  const auto bookkeepers = peers(1, 21);
  Neighbours one(bookkeepers[3].key, true, bookkeepers, {});
  EXPECT_EQ(one.update(peers(2, 100), Instant{}).chosen.size(), 20u);
}

TEST(Neighbours, FromEveryNodeAllOthersAreReachedThroughNeighboursWithoutBookkeepers) {
  const auto workers = peers(2, 500);
  std::map<NodeId, std::set<NodeId>> links;
  for (const auto& worker : workers) {
    Neighbours one(worker.key, false, {}, {});
    for (const auto& other : one.update(workers, Instant{}).chosen) {
      links[worker.id].insert(other.id);  // tells the other what it hears
      links[other.id].insert(worker.id);  // which tells it as well: it said hello
    }
  }
  std::size_t most = 0;
  std::set<NodeId> reached{workers[0].id};
  std::vector<NodeId> open{workers[0].id};
  while (!open.empty()) {
    const NodeId at = open.back();
    open.pop_back();
    most = std::max(most, links[at].size());
    for (const auto& next : links[at])
      if (reached.insert(next).second) open.push_back(next);
  }
  EXPECT_EQ(reached.size(), workers.size());
  EXPECT_LT(most, 25u) << "chosen evenly";
}

TEST(Neighbours, WhoLeavesTheChainIsGivenUpAndLittleElseChanges) {
  const auto workers = peers(2, 200);
  Neighbours one(workers[0].key, false, {}, {});
  const auto chosen = one.update(workers, Instant{}).chosen;
  auto fewer = workers;
  std::erase_if(fewer, [&](const net::Peer& w) { return w.id == chosen[0].id; });
  const auto change = one.update(fewer, Instant{});
  ASSERT_EQ(change.given_up.size(), 1u);
  EXPECT_EQ(change.given_up[0], chosen[0].id);
  EXPECT_EQ(change.dropped.size(), 1u);
  EXPECT_EQ(change.chosen.size(), 1u);
}

TEST(Neighbours, AHelloSubscribesForATime) {
  const auto worker = peer(2, 1), asker = peer(2, 2);
  Neighbours one(worker.key, false, {}, {});
  const Bytes hello(asker.key.bytes.begin(), asker.key.bytes.end());
  const auto first = one.on_hello(asker.id, hello, Instant{});
  ASSERT_TRUE(first && *first);
  EXPECT_EQ((*first)->id, asker.id);
  const auto again = one.on_hello(asker.id, hello, Instant{} + seconds(60));
  ASSERT_TRUE(again);
  EXPECT_FALSE(*again) << "known already";
  EXPECT_TRUE(one.update({}, Instant{} + seconds(100)).given_up.empty());
  EXPECT_EQ(one.update({}, Instant{} + seconds(131)).given_up, std::vector<NodeId>{asker.id});
}

TEST(Neighbours, AHelloInTheNameOfAnotherIsRefused) {
  Neighbours one(peer(2, 1).key, false, {}, {});
  const auto honest = peer(2, 2), liar = peer(2, 3);
  const Bytes hello(honest.key.bytes.begin(), honest.key.bytes.end());
  EXPECT_EQ(one.on_hello(liar.id, hello, Instant{}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(one.on_hello(liar.id, Bytes(31), Instant{}).error().code, ErrorCode::kInvalid);
  EXPECT_EQ(one.on_hello(liar.id, {}, Instant{}).error().code, ErrorCode::kInvalid);
}

TEST(Neighbours, SubscriptionsAreBounded) {
  Neighbours one(peer(2, 1).key, false, {}, {});
  const auto crowd = peers(4, kMaxSubscribers + 1);
  for (const auto& asker : crowd) {
    const Bytes hello(asker.key.bytes.begin(), asker.key.bytes.end());
    const auto heard = one.on_hello(asker.id, hello, Instant{});
    if (&asker == &crowd.back()) {
      EXPECT_EQ(heard.error().code, ErrorCode::kExhausted);
    } else {
      EXPECT_TRUE(heard);
    }
  }
}

TEST(Neighbours, NodesOfTheChainTakeThePlaceOfStrangers) {
  Neighbours one(peer(2, 1).key, true, {}, {});
  const auto say = [&](const net::Peer& asker, Instant now = Instant{}) {
    return one.on_hello(asker.id, Bytes(asker.key.bytes.begin(), asker.key.bytes.end()), now);
  };
  const auto strangers = peers(4, kMaxSubscribers), workers = peers(5, kMaxSubscribers + 1);
  for (const auto& stranger : strangers) EXPECT_TRUE(say(stranger));
  EXPECT_TRUE(one.update(workers, Instant{}).given_up.empty());
  EXPECT_TRUE(say(workers[0]).value());
  std::size_t heard = 0;
  for (const auto& stranger : strangers) heard += say(stranger) ? 1 : 0;
  EXPECT_EQ(heard, kMaxSubscribers - 1);
  EXPECT_EQ(one.update(workers, Instant{}).given_up.size(), 1u);
  for (std::size_t i = 1; i < kMaxSubscribers; ++i) EXPECT_TRUE(say(workers[i])) << i;
  EXPECT_FALSE(say(workers.back()));  // all of them stand on the chain now
  EXPECT_EQ(one.update(workers, Instant{}).given_up.size(), kMaxSubscribers - 1);
}

}  // namespace
}  // namespace bonus::node
