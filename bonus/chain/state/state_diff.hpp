// What one block changes: new values for the flat tables, old ones for undo, new code, new trie nodes and the root.
#pragma once

#include <unordered_map>

#include "bonus/chain/state/journal.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::state {

/// Only real changes. An account whose `after` is missing (all zero) is removed (EIP-161).
struct StateDiff {
  struct AccountChange {
    Account before, after;
  };
  struct SlotChange {
    uint256 before, after;
  };
  std::unordered_map<Address, AccountChange> accounts;
  std::unordered_map<SlotKey, SlotChange, CacheHasher> slots;
  /// Contracts that lost what the base stored for them: of their slots only those in `slots` with a value remain.
  std::vector<Address> wiped;
  std::vector<std::pair<Hash32, Journal::Code>> codes;  ///< By their hash.
  NewNodes nodes;                                       ///< Emptied once they are stored.
  Hash32 root;
};

/// Applies the journal's changes to the trie at `parent_root`, touching only changed paths. Storage roots of the
/// accounts in the result are the new ones. kCorrupt when a node is missing.
[[nodiscard]] Result<StateDiff> make_diff(const Journal& journal, const NodeSource& nodes, const Hash32& parent_root);

/// The flat tables can only follow slots that are named. kInternal when a contract lost all that was stored for it,
/// which EIP-6780 rules out on BonusChain.
[[nodiscard]] Result<> check_storable(const StateDiff& diff);

}  // namespace bonus::chain::state
