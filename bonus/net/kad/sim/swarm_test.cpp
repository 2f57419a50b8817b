// Small swarms of production cores: joining, finding, storing, churn, partitions, attacks.
#include "bonus/net/kad/sim/swarm.hpp"

#include <gtest/gtest.h>

#include "bonus/net/kad/messages.hpp"

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

}  // namespace
}  // namespace bonus::net::kad::sim
