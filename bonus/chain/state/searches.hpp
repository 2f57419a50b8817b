// Questions that every ledger answers from the same tables: proofs of a state, blocks that may hold wanted logs.
#pragma once

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/state/store.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::state {

/// The account and slots at the state with this root, each with its nodes from the root (eth_getProof).
[[nodiscard]] Result<StateProof> make_proof(const NodeSource& nodes, const Hash32& root, const Address& address,
                                            const std::vector<uint256>& slots);

/// Numbers within the filter's range whose bloom may hold a matching log, ascending.
[[nodiscard]] Result<std::vector<std::uint64_t>> blocks_with_logs(const Store& store, const LogFilter& filter);

}  // namespace bonus::chain::state
