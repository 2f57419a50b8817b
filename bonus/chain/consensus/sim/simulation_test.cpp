// The fast part of the simulator's runs; `bonus-sim` and the tests labelled sim do the long ones.
#include "bonus/chain/consensus/sim/simulation.hpp"

#include <gtest/gtest.h>

namespace bonus::chain::consensus::sim {
namespace {

void expect_good(const Setup& setup, std::uint64_t first, std::uint64_t runs) {
  std::uint64_t crashes = 0, evidence = 0;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    const auto outcome = simulate(setup, seed);
    ASSERT_TRUE(outcome.good()) << setup.nodes << " nodes, " << setup.byzantine << " Byzantine, seed " << seed << ": "
                                << outcome.trouble;
    crashes += outcome.crashes;
    evidence += outcome.evidence;
  }
  EXPECT_GT(crashes, 0U);
  if (setup.byzantine > 0) EXPECT_GT(evidence, 0U);
}

TEST(Simulation, FourNodesOneByzantine) { expect_good({4, 1}, 1, 140); }
TEST(Simulation, FourHonestNodes) { expect_good({4, 0}, 1000, 30); }
TEST(Simulation, SevenNodesTwoByzantine) { expect_good({7, 2}, 2000, 20); }
TEST(Simulation, OtherSizes) {
  for (const std::size_t n : {1U, 2U, 3U, 5U, 6U})
    for (std::uint64_t seed = 1; seed < 4; ++seed) {
      const auto outcome = simulate({n, n >= 5 ? 1U : 0U}, seed);
      EXPECT_TRUE(outcome.good()) << n << " nodes, seed " << seed << ": " << outcome.trouble;
    }
}
TEST(Simulation, RealSignatures) {
  const auto outcome = simulate({4, 1, Mutation::kNone, true}, 5);
  EXPECT_TRUE(outcome.good()) << outcome.trouble;
}
TEST(Simulation, SameSeedSameRun) {
  const auto a = simulate({4, 1}, 77), b = simulate({4, 1}, 77);
  EXPECT_EQ(a.messages, b.messages);
  EXPECT_EQ(a.heights, b.heights);
  EXPECT_EQ(a.crashes, b.crashes);
}

}  // namespace
}  // namespace bonus::chain::consensus::sim
