// What one block changes: new values for the flat tables, old ones for undo, new trie nodes and the root.
#pragma once

#include "bonus/chain/state/overlay.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::state {

/// Only real changes. An account whose `after` is missing (all zero) is removed (EIP-161).
struct StateDiff {
  Overlay::Accounts accounts;
  Overlay::Slots slots;
  NewNodes nodes;  ///< Emptied once they are stored.
  Hash32 root;
};

/// Applies the overlay's changes to the trie at `parent_root`, touching only changed paths. Storage roots of the
/// accounts in the result are the new ones. kCorrupt when a node is missing.
[[nodiscard]] Result<StateDiff> make_diff(const Overlay& overlay, const NodeSource& nodes, const Hash32& parent_root);

}  // namespace bonus::chain::state
