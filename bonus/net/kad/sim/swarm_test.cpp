// Small swarms of production cores: joining, finding, storing, churn, partitions, attacks.
#include "bonus/net/kad/sim/swarm.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "bonus/net/kad/messages.hpp"
#include "bonus/net/kad/sim/dht_run.hpp"
#include "bonus/net/kad/value.hpp"

namespace bonus::net::kad::sim {
namespace {

std::shared_ptr<Settings> settings() {
  auto out = std::make_shared<Settings>();
  out->assume_reachable = true;
  out->allow_private = true;
  return out;
}

// Nodes that join one after the other through the first.
std::unique_ptr<Swarm> grow(std::size_t nodes, Swarm::Options options) {
  options.expected = nodes;
  auto swarm = std::make_unique<Swarm>(options);
  for (std::size_t i = 0; i < nodes; ++i) {
    swarm->add();
    swarm->start(i);
    if (i > 0) swarm->bootstrap(i, {swarm->random().below(i)});
    swarm->publish(i);
    swarm->run_for(std::chrono::milliseconds(200));
  }
  return swarm;
}

struct Found {
  std::size_t done = 0, found = 0, hops = 0;
};
Found look(Swarm& swarm, std::size_t lookups) {
  Found out;
  swarm.on_done([&](std::size_t, const LookupDone& done) {
    ++out.done;
    out.found += done.found;
    out.hops += done.hops;
  });
  for (std::size_t i = 0; i < lookups; ++i) {
    const auto from = swarm.random().below(swarm.size()), to = swarm.random().below(swarm.size());
    if (swarm.node(from).kad == nullptr || swarm.node(to).kad == nullptr) continue;
    (void)swarm.find(from, swarm.node(to).root);
    swarm.run_for(std::chrono::milliseconds(20));
  }
  swarm.run_for(std::chrono::seconds(20));
  swarm.on_done(nullptr);
  return out;
}

TEST(Swarm, HundredNodesJoinAndFindEachOther) {
  constexpr std::uint64_t kSeed = 11;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(100, {.seed = kSeed, .settings = settings()});
  swarm->run_for(std::chrono::minutes(2));
  const auto out = look(*swarm, 300);
  EXPECT_EQ(out.done, 300u);
  EXPECT_EQ(out.found, out.done);
  for (std::size_t i = 0; i < swarm->size(); ++i) {
    const auto status = swarm->node(i).kad->status(swarm->now());
    EXPECT_GE(status.contacts, kSiblings) << i;
    EXPECT_GT(status.nodes_estimate, 30) << i;
    EXPECT_LT(status.nodes_estimate, 350) << i;
  }
}

TEST(Swarm, LossOfOneInTenIsSurvived) {
  constexpr std::uint64_t kSeed = 12;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(60, {.seed = kSeed, .settings = settings(), .loss = 0.1});
  swarm->run_for(std::chrono::minutes(2));
  const auto out = look(*swarm, 100);
  EXPECT_EQ(out.done, 100u);
  EXPECT_GE(out.found, 99u);
}

TEST(Swarm, AThirdDiesAtOnceAndTheRestFindEachOther) {
  constexpr std::uint64_t kSeed = 13;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(64, {.seed = kSeed, .settings = settings()});
  swarm->run_for(std::chrono::minutes(1));
  for (std::size_t i = 0; i < 64; i += 3) swarm->stop(i);
  const auto out = look(*swarm, 200);
  EXPECT_EQ(out.found, out.done);
  EXPECT_GT(out.done, 60u);
}

TEST(Swarm, APartitionHeals) {
  constexpr std::uint64_t kSeed = 14;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(60, {.seed = kSeed, .settings = settings()});
  swarm->run_for(std::chrono::minutes(1));
  swarm->set_filter([](std::size_t a, std::size_t b) { return a % 2 == b % 2; });
  // Long enough for each side to forget the other, and for both to publish anew.
  swarm->run_for(std::chrono::minutes(12));
  std::size_t foreign = 0;
  for (const auto& row : swarm->node(0).kad->table(swarm->now())) foreign += swarm->index_of(row.key) % 2;
  EXPECT_EQ(foreign, 0u);
  swarm->set_filter(nullptr);
  // Nobody does anything: the seeds that each node was given are tried now and then.
  swarm->run_for(std::chrono::minutes(25));
  const auto out = look(*swarm, 200);
  EXPECT_EQ(out.found, out.done);
}

TEST(Swarm, ANodeServesOnlyAfterItWasReachedByOneItNeverCalled) {
  constexpr std::uint64_t kSeed = 15;
  SCOPED_TRACE(kSeed);
  auto common = settings();
  auto unproven = std::make_shared<Settings>(*common);
  unproven->assume_reachable = unproven->allow_private = false;
  Swarm swarm({.seed = kSeed, .settings = common, .expected = 30});
  for (std::size_t i = 0; i < 12; ++i) swarm.add();
  for (std::size_t i = 0; i < 8; ++i) {
    swarm.start(i);
    if (i > 0) swarm.bootstrap(i, {0});
  }
  // 8 is open to the world; 9 is behind a NAT that lets in only whom it has sent to; 10 wants to be a client.
  std::map<std::size_t, Instant> opened;
  swarm.set_filter([&](std::size_t from, std::size_t to) {
    if (from == 9) opened[to] = swarm.now();
    return to != 9 || (opened.contains(from) && swarm.now() - opened[from] < std::chrono::minutes(2));
  });
  for (std::size_t i = 8; i < 11; ++i) {
    swarm.start(i, unproven, i != 10);
    swarm.bootstrap(i, {0, 1});
    swarm.publish(i);
  }
  swarm.run_for(std::chrono::minutes(5));
  EXPECT_TRUE(swarm.node(8).kad->status(swarm.now()).serves);
  EXPECT_FALSE(swarm.node(9).kad->status(swarm.now()).serves);
  EXPECT_FALSE(swarm.node(10).kad->status(swarm.now()).serves);
  std::set<std::size_t> named;
  for (std::size_t i = 0; i < 11; ++i)
    for (const auto& row : swarm.node(i).kad->table(swarm.now())) named.insert(swarm.index_of(row.key));
  EXPECT_TRUE(named.contains(8));
  EXPECT_FALSE(named.contains(9)) << "clients never enter tables";
  EXPECT_FALSE(named.contains(10));
  // Their records are found all the same.
  std::size_t found = 0;
  swarm.on_done([&](std::size_t, const LookupDone& done) { found += done.found; });
  for (std::size_t to = 8; to < 11; ++to) (void)swarm.find(3, swarm.node(to).root);
  swarm.run_for(std::chrono::seconds(10));
  EXPECT_EQ(found, 3u);
}

TEST(Swarm, ValuesAreStoredFoundReplacedAndNotTurnedBack) {
  constexpr std::uint64_t kSeed = 16;
  SCOPED_TRACE(kSeed);
  auto shortly = settings();
  shortly->periods.record_life = std::chrono::minutes(40);
  auto swarm = grow(48, {.seed = kSeed, .settings = shortly});
  swarm->run_for(std::chrono::minutes(1));
  std::vector<LookupDone> done;
  swarm->on_done([&](std::size_t, const LookupDone& one) { done.push_back(one); });
  const auto& root = swarm->node(5).root;
  const auto put = [&](std::uint64_t sequence, std::string_view content) {
    return swarm->with(5, [&](Kad& kad, Instant now, Actions& actions) {
      return kad.put_value(SimChecker::make_value(root, as_bytes("name"), sequence, as_bytes(content)), now, actions);
    });
  };
  const auto get = [&](std::size_t node) {
    done.clear();
    (void)swarm->with(node, [&](Kad& kad, Instant now, Actions& actions) {
      return kad.get_value(root, as_bytes("name"), now, actions);
    });
    swarm->run_for(std::chrono::seconds(10));
    return done.size() == 1 && done[0].found ? decode_value(done[0].data)->value : Bytes{};
  };
  EXPECT_TRUE(get(40).empty());
  done.clear();
  ASSERT_TRUE(put(1, "one"));
  swarm->run_for(std::chrono::seconds(10));
  ASSERT_EQ(done.size(), 1u);
  EXPECT_GE(done[0].stored, kBucketSize - 2);
  EXPECT_EQ(get(40), Bytes({'o', 'n', 'e'}));
  ASSERT_TRUE(put(2, "two"));
  swarm->run_for(std::chrono::seconds(10));
  EXPECT_EQ(get(41), Bytes({'t', 'w', 'o'}));
  EXPECT_EQ(put(1, "one").error().code, ErrorCode::kConflict);
  EXPECT_EQ(put(2, "other").error().code, ErrorCode::kConflict);
  // Its owner goes away: the value stays until its life is over.
  swarm->stop(5);
  swarm->run_for(std::chrono::minutes(30));
  EXPECT_EQ(get(42), Bytes({'t', 'w', 'o'}));
  swarm->run_for(std::chrono::minutes(15));
  EXPECT_TRUE(get(43).empty());
}

TEST(Swarm, PositionsMoveWithTheEpochAndLookupsGoOn) {
  constexpr std::uint64_t kSeed = 17;
  SCOPED_TRACE(kSeed);
  auto moving = settings();
  moving->periods.epoch = std::chrono::minutes(40);
  moving->periods.overlap = std::chrono::minutes(10);
  moving->beacon = [](std::uint64_t epoch) {
    Hash32 out;
    out.bytes[0] = static_cast<std::uint8_t>(epoch * 7);
    return out;
  };
  auto swarm = grow(40, {.seed = kSeed, .settings = moving});
  const auto before = swarm->node(3).kad->status(swarm->now());
  std::size_t done = 0, found = 0;
  swarm->on_done([&](std::size_t, const LookupDone& one) {
    ++done;
    found += one.found;
  });
  for (unsigned minute = 0; minute < 50; ++minute) {
    for (unsigned i = 0; i < 4; ++i) {
      const auto from = swarm->random().below(40), to = swarm->random().below(40);
      (void)swarm->find(from, swarm->node(to).root);
      swarm->run_for(std::chrono::seconds(15));
    }
  }
  swarm->on_done(nullptr);
  const auto after = swarm->node(3).kad->status(swarm->now());
  EXPECT_GT(after.epoch, before.epoch);
  EXPECT_NE(after.position, before.position);
  EXPECT_EQ(done, 200u);
  EXPECT_EQ(found, done);
}

TEST(Swarm, RingsHoldOnlyTheNearbyAndFindThemFirst) {
  constexpr std::uint64_t kSeed = 18;
  SCOPED_TRACE(kSeed);
  Swarm swarm({.seed = kSeed, .settings = settings(), .expected = 60});
  for (std::size_t i = 0; i < 60; ++i) {
    swarm.add();
    swarm.node(i).country = "CN";  // all claim it; distance decides
    if (i % 2 == 0) swarm.node(i).metro = "beijing/as4808";
    swarm.start(i);
    if (i > 0) swarm.bootstrap(i, {i / 2});
    swarm.publish(i);
    swarm.run_for(std::chrono::milliseconds(300));
  }
  swarm.run_for(std::chrono::minutes(30));
  std::size_t country = 0, metro = 0;
  for (std::size_t i = 0; i < 60; ++i)
    for (const auto& row : swarm.node(i).kad->table(swarm.now())) {
      if (row.ring == Ring::kGlobal) continue;
      const auto other = swarm.index_of(row.key);
      EXPECT_LE(swarm.world().rtt(i, other), (row.ring == Ring::kCountry ? kCountryRtt : kMetroRtt) * 6 / 5);
      if (row.ring == Ring::kMetro) EXPECT_EQ(other % 2, 0u);
      ++(row.ring == Ring::kCountry ? country : metro);
    }
  EXPECT_GT(country, 60u);
  EXPECT_GT(metro, 0u);
  const auto out = look(swarm, 150);
  EXPECT_EQ(out.found, out.done) << "the global ring is authoritative";
}

TEST(Swarm, SamplesOfTheDhtCommandHoldTheirBars) {
  DhtSetup setup;
  setup.nodes = 250;
  setup.lookups = 200;
  setup.rounds = 2;
  setup.seed = 3;
  const auto near = simulate(setup);
  setup.policy = Policy::kRandom;
  const auto random = simulate(setup);
  EXPECT_EQ(near.found, near.lookups);
  EXPECT_EQ(random.found, random.lookups);
  EXPECT_LE(near.hops, 1.8);
  EXPECT_LE(near.p50_ms, 0.7 * random.p50_ms);
  EXPECT_LE(near.table_bytes, 10 * 1024);
  ASSERT_EQ(near.rounds.size(), 3u);
  EXPECT_LT(near.rounds[2].ratio(), near.rounds[0].ratio()) << "refreshing converges on distance";
  const auto again = simulate(setup);
  EXPECT_EQ(again.p50_ms, random.p50_ms) << "the same seed, the same run";
  EXPECT_EQ(again.requests, random.requests);
}

TEST(Swarm, SybilsInFewPrefixesDoNotEclipse) {
  DhtSetup setup;
  setup.nodes = 300;
  setup.lookups = 100;
  setup.rounds = 0;
  setup.seed = 4;
  setup.sybils = 48;
  setup.prefixes = 4;
  setup.targets = 8;
  for (const bool values : {false, true}) {
    setup.values = values;
    const auto capped = simulate(setup);
    EXPECT_EQ(capped.found, capped.lookups) << values;
  }
  setup.caps = false;
  setup.policy = Policy::kRandom;
  const auto open = simulate(setup);
  EXPECT_LT(open.found, open.lookups / 2) << "without the rules the attack works, or it proves nothing";
}

TEST(Swarm, SessionsOfHalfAnHour) {
  DhtSetup setup;
  setup.nodes = 100;
  setup.lookups = 250;
  setup.rounds = 0;
  setup.seed = 5;
  setup.churn = true;
  setup.hours = 0.7;
  const auto out = simulate(setup);
  EXPECT_GT(out.sessions_ended, 100u);
  EXPECT_GE(static_cast<double>(out.found), 0.99 * static_cast<double>(out.lookups));
}

}  // namespace
}  // namespace bonus::net::kad::sim
