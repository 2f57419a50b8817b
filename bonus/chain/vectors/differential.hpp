// One scenario on two interpreters: the outcomes must be equal.
#pragma once

#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/vectors/random_program.hpp"

namespace bonus::chain::vectors {

struct ScenarioRun {
  std::string refusal;  ///< Empty when the transaction is valid.
  evm::Status status = evm::Status::kSuccess;
  std::uint64_t gas_used = 0;
  Bytes output;
  std::vector<Log> logs;
  Hash32 logs_hash, state_root;
  Accounts after;
};
[[nodiscard]] ScenarioRun run_scenario(const Scenario& scenario, const evm::MachineOptions& options);

/// Where two runs differ; empty when they do not. Why a frame that lost all its gas failed may differ: one interpreter
/// checks a whole block of code at once, where the other meets the first of several failures.
[[nodiscard]] std::string differences(const ScenarioRun& a, const ScenarioRun& b);
/// The fast interpreter against the reference; the difference, with the scenario as text. Empty when there is none.
[[nodiscard]] std::string compare_interpreters(const Scenario& scenario);

/// As a state test of one case, for other implementations. `run` gives the expected root and logs, and `outcome` beside
/// them: refusal, success, gasUsed, logs, accounts.
[[nodiscard]] std::string to_state_test(const Scenario& scenario, const ScenarioRun& run, std::string_view name);

}  // namespace bonus::chain::vectors
