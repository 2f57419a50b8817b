// Containers beyond what a record names are found by their pointers, through churn and moving positions.
#include <gtest/gtest.h>

#include "bonus/net/kad/messages.hpp"
#include "bonus/net/kad/sim/swarm.hpp"

namespace bonus::net::kad::sim {
namespace {

constexpr std::size_t kHost = 5;

std::shared_ptr<Settings> settings() {
  auto out = std::make_shared<Settings>();
  out->assume_reachable = true;
  out->allow_private = true;
  return out;
}

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

std::vector<Bytes> ids(std::size_t count) {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < count; ++i) {
    const auto text = "lease-" + std::to_string(i);
    out.emplace_back(text.begin(), text.end());
  }
  return out;
}

Result<> host(Swarm& swarm, const std::vector<Bytes>& containers) {
  return swarm.with(
      kHost, [&](Kad& kad, Instant now, Actions& actions) { return kad.set_own_pointers(containers, now, actions); });
}

// How many of the containers' addresses lead to a pointer to the host, asked by others.
std::size_t found(Swarm& swarm, const std::vector<Bytes>& containers) {
  std::size_t out = 0;
  const auto root = swarm.node(kHost).root;
  swarm.on_done([&](std::size_t, const LookupDone& done) {
    const auto pointer = done.pointer ? decode_pointer(done.data) : fail(ErrorCode::kNotFound, "no pointer");
    out += pointer && pointer->root == root && address_key(pointer->address()) == done.key;
  });
  for (const auto& id : containers) {
    auto from = swarm.random().below(swarm.size());
    while (from == kHost || swarm.node(from).kad == nullptr) from = (from + 1) % swarm.size();
    (void)swarm.with(from, [&](Kad& kad, Instant now, Actions& actions) {
      return kad.find_address(container_address(root, id), now, actions);
    });
    swarm.run_for(std::chrono::milliseconds(50));
  }
  swarm.run_for(std::chrono::seconds(20));
  swarm.on_done(nullptr);
  return out;
}

TEST(SwarmPointers, AHundredContainersAreFoundAndWithdrawnOnesAreForgotten) {
  constexpr std::uint64_t kSeed = 31;
  SCOPED_TRACE(kSeed);
  auto shortly = settings();
  shortly->periods.record_life = std::chrono::minutes(40);
  auto swarm = grow(48, {.seed = kSeed, .settings = shortly});
  swarm->run_for(std::chrono::minutes(1));
  const auto all = ids(100);
  ASSERT_TRUE(host(*swarm, all));
  swarm->run_for(std::chrono::minutes(3));
  EXPECT_EQ(found(*swarm, all), all.size());
  EXPECT_EQ(found(*swarm, {Bytes{'n', 'o'}}), 0u);
  // Its own record is where it was.
  std::size_t records = 0;
  swarm->on_done([&](std::size_t, const LookupDone& done) { records += done.found && !done.pointer; });
  (void)swarm->find(40, swarm->node(kHost).root);
  swarm->run_for(std::chrono::seconds(10));
  swarm->on_done(nullptr);
  EXPECT_EQ(records, 1u);
  const auto few = ids(60);
  ASSERT_TRUE(host(*swarm, few));
  swarm->run_for(std::chrono::minutes(45));
  EXPECT_EQ(found(*swarm, few), few.size());
  EXPECT_EQ(found(*swarm, {all.begin() + 60, all.end()}), 0u);
}

TEST(SwarmPointers, PublishingManyDoesNotFlood) {
  constexpr std::uint64_t kSeed = 32;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(60, {.seed = kSeed, .settings = settings()});
  swarm->run_for(std::chrono::minutes(1));
  ASSERT_TRUE(host(*swarm, ids(kMaxPointers)));
  const auto limits = settings()->limits;
  auto before = swarm->node(kHost).kad->stats().sent;
  for (unsigned second = 0; second < 300; ++second) {
    swarm->run_for(std::chrono::seconds(1));
    const auto status = swarm->node(kHost).kad->status(swarm->now());
    EXPECT_LE(status.flows, limits.live_flows);
    EXPECT_LE(status.pending, limits.pending);
    EXPECT_LE(status.lookups, 16u);
    const auto sent = swarm->node(kHost).kad->stats().sent;
    EXPECT_LE(sent - before, 150u) << "datagrams in second " << second;
    before = sent;
  }
}

TEST(SwarmPointers, AreFoundThoughAThirdLeavesAndOthersCome) {
  constexpr std::uint64_t kSeed = 33;
  SCOPED_TRACE(kSeed);
  auto swarm = grow(48, {.seed = kSeed, .settings = settings()});
  swarm->run_for(std::chrono::minutes(1));
  const auto all = ids(40);
  ASSERT_TRUE(host(*swarm, all));
  swarm->run_for(std::chrono::minutes(4));
  for (std::size_t i = 0; i < 48; i += 3)
    if (i != kHost) swarm->stop(i);
  EXPECT_EQ(found(*swarm, all), all.size()) << "right after";
  // Every other minute somebody leaves and somebody new comes, for half an hour.
  for (unsigned minute = 0; minute < 30; ++minute) {
    auto who = swarm->random().below(48);
    if (who == kHost) ++who;
    swarm->reincarnate(who);
    swarm->bootstrap(who, {kHost, (who + 1) % 48 == kHost ? 1 : (who + 1) % 48});
    swarm->publish(who);
    swarm->run_for(std::chrono::minutes(1));
  }
  EXPECT_GE(found(*swarm, all), all.size() - 1);
}

TEST(SwarmPointers, MoveWithTheEpoch) {
  constexpr std::uint64_t kSeed = 34;
  SCOPED_TRACE(kSeed);
  auto moving = settings();
  moving->periods.epoch = std::chrono::minutes(40);
  moving->periods.overlap = std::chrono::minutes(10);
  auto swarm = grow(40, {.seed = kSeed, .settings = moving});
  const auto all = ids(40);
  ASSERT_TRUE(host(*swarm, all));
  swarm->run_for(std::chrono::minutes(3));
  for (unsigned i = 0; i < 6; ++i) {
    EXPECT_EQ(found(*swarm, all), all.size()) << i;
    swarm->run_for(std::chrono::minutes(9));
  }
}

}  // namespace
}  // namespace bonus::net::kad::sim
