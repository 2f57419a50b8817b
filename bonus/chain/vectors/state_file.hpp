// State tests: one transaction on a given state, under each fork that the file names
// (https://ethereum-tests.readthedocs.io, "State Transition Tests"; execution-spec-tests, "State Tests").
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/chain/api/types.hpp"
#include "bonus/chain/vectors/environment.hpp"
#include "bonus/chain/vectors/memory_state.hpp"

namespace bonus::chain::vectors {

/// One entry of post[fork].
struct StateCase {
  std::string fork;
  std::size_t index = 0;  ///< In post[fork].
  std::string label;      ///< Of its data in `_info.labels`; mostly empty.
  /// The transaction that `indexes` picks; an error when a field is none (such a transaction is refused).
  Result<SenderTransaction> transaction;
  Hash32 state_root, logs_hash;
  std::string exception;              ///< `expectException`; empty: the transaction is valid.
  std::optional<Accounts> state;      ///< Only where the file lists it.
  std::optional<BlobSchedule> blobs;  ///< Of `config`.
};

struct StateTest {
  std::string name;  ///< The key in the file.
  Environment environment;
  std::uint64_t chain_id = 1;
  Accounts pre;
  std::unique_ptr<const MemoryState> state;  ///< Of `pre`.
  std::vector<StateCase> cases;              ///< In the order of the file.
};

/// All tests of a file. kInvalid when it is no JSON, or no state test, with the name of the field.
[[nodiscard]] Result<std::vector<StateTest>> read_state_tests(std::string_view text);

}  // namespace bonus::chain::vectors
