// Runs one case of a state test and says whether the outcome is the expected one.
#pragma once

#include <string>

#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/vectors/state_file.hpp"

namespace bonus::chain::vectors {

struct RunOptions {
  evm::Tracer* tracer = nullptr;
  evm::ProgramCache* programs = nullptr;
  bool reference = false;  ///< The slow interpreter.
  /// Where `expectException` names one cause that we know, the refusal must give this cause.
  bool check_reason = false;
};

struct StateRun {
  bool skipped = false;  ///< A fork that we do not know.
  std::string refusal;   ///< Why the transaction is not valid; empty when it is.
  evm::Status status = evm::Status::kSuccess;
  std::uint64_t gas_used = 0;
  Bytes output;
  Hash32 state_root, logs_hash;
  std::string trouble;  ///< What differs from the expectation; empty when nothing does.
  [[nodiscard]] bool valid() const { return refusal.empty(); }
};
[[nodiscard]] StateRun run_case(const StateTest& test, const StateCase& item, const RunOptions& options);

/// What the fillers of the tests do after the transaction: they pay a block reward of 0, so that the coinbase is
/// touched also when nothing ran.
void touch_coinbase(state::Journal& journal, const BlockContext& block);
/// keccak256 of the logs' RLP, as test files hold it.
[[nodiscard]] Hash32 hash_of(const std::vector<Log>& logs);
/// Does `refusal` give the cause that `exception` names ("TransactionException.INTRINSIC_GAS_TOO_LOW", several parted
/// by '|')? True for a name that is not known here.
[[nodiscard]] bool explains(std::string_view refusal, std::string_view exception);

}  // namespace bonus::chain::vectors
