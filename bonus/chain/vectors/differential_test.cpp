// Random programs: the fast interpreter against the reference. BONUS_DIFF_SEEDS sets how many (2000), BONUS_DIFF_FIRST
// the first seed (1).
#include "bonus/chain/vectors/differential.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>

#include "bonus/chain/vectors/state_run.hpp"

namespace bonus::chain::vectors {
namespace {

std::uint64_t setting(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Differential, RandomProgramsOnBothInterpreters) {
  const std::uint64_t first = setting("BONUS_DIFF_FIRST", 1);
  const std::uint64_t seeds = setting("BONUS_DIFF_SEEDS", 2000);
  std::size_t failures = 0;
  std::map<std::string, std::size_t> outcomes;
  for (std::uint64_t seed = first; seed < first + seeds && failures < 3; ++seed) {
    Choices choices(seed);
    const Scenario scenario = random_scenario(choices);
    const std::string difference = compare_interpreters(scenario);
    if (!difference.empty()) {
      ++failures;
      ADD_FAILURE() << "seed " << seed << " (" << to_string(scenario.revision) << "):\n" << difference;
    }
    const ScenarioRun run = run_scenario(scenario, {});
    ++outcomes[run.refusal.empty() ? std::string(to_string(run.status)) : "refused"];
  }
  for (const auto& [what, count] : outcomes) std::printf("%6zu %s\n", count, what.empty() ? "success" : what.c_str());
  // Programs that all fail at once would compare nothing.
  if (seeds >= 1000) EXPECT_GT(outcomes[""], seeds / 4);
}

TEST(Differential, AScenarioSurvivesTheWayThroughAStateTest) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Choices choices(seed);
    const Scenario scenario = random_scenario(choices);
    const std::string text = to_state_test(scenario, run_scenario(scenario, {}), "scenario");
    const auto tests = read_state_tests(text);
    ASSERT_TRUE(tests.has_value()) << tests.error().message;
    ASSERT_EQ(tests->size(), 1u);
    EXPECT_EQ(run_case(tests->at(0), tests->at(0).cases.at(0), {}).trouble, "") << text;
  }
}

TEST(Differential, ADifferenceIsFound) {
  Choices choices(7);
  const Scenario scenario = random_scenario(choices, Revision::kOsaka);
  const ScenarioRun run = run_scenario(scenario, {});
  ScenarioRun other = run;
  EXPECT_EQ(differences(run, other), "");
  ++other.gas_used;
  EXPECT_NE(differences(run, other), "");
  other = run;
  other.state_root.bytes[0] ^= 1;
  EXPECT_NE(differences(run, other), "");
  other = run;
  other.status = run.status == evm::Status::kRevert ? evm::Status::kSuccess : evm::Status::kRevert;
  EXPECT_NE(differences(run, other), "");
}

}  // namespace
}  // namespace bonus::chain::vectors
