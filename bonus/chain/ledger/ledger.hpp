// The ledger on RocksDB: opening it, and whole-state checks for tests and tools.
#pragma once

#include <memory>
#include <string>

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::ledger {

struct LedgerOptions {
  bool sync = true;  ///< fsync each commit. False only where a lost tail does not matter (tests).
  std::size_t slot_cache_entries = 1 << 18;  ///< Contract storage in memory, 40 to 80 bytes each.
  std::size_t account_cache_entries = 1 << 16;
  std::size_t node_cache_entries = 1 << 16;   ///< Trie nodes.
  std::size_t code_cache_entries = 1 << 10;   ///< Contracts; at most 24 KiB each.
  std::size_t store_cache_bytes = 64 << 20;   ///< RocksDB block cache.
  std::size_t store_buffer_bytes = 16 << 20;  ///< RocksDB write buffer of each table.
  std::size_t recent_states = 32;             ///< Blocks behind the head whose state is read as fast as the head's.
  std::size_t recent_blocks = 256;            ///< Decoded blocks kept.
  std::size_t candidates = 8;                 ///< Post-states of validated blocks that wait for commit().
  /// States that can be read, the head's included: values that blocks replaced are kept for so many blocks. 0: all.
  std::uint64_t history_blocks = 100'000;
  /// States that can be proved, the head's included: trie nodes that blocks replaced are kept for so many blocks. 0:
  /// all.
  std::uint64_t trie_blocks = 128;
};

/// Opens the ledger below `path` or makes it from `genesis`; continues at the last committed block. `genesis` is
/// copied, `registry` must outlive the ledger. kConflict when the folder belongs to another genesis or is open
/// elsewhere, kCorrupt when what is stored contradicts itself: the message names what and says how to go on. A torn end
/// of the store's log (a crash) is cut, with a warning in the log: the ledger is then at an earlier committed block.
[[nodiscard]] Result<std::unique_ptr<Ledger>> open_ledger(const std::string& path, const Genesis& genesis,
                                                          const ContractRegistry& registry,
                                                          const LedgerOptions& options = {});

/// Sum of all balances at the head (a scan of every account: for tests and audits). Fees are moved, not burnt: it falls
/// only by what a contract holds that is made and destroyed in one transaction with itself as heir (EIP-6780).
/// kUnsupported for a ledger that open_ledger() did not make.
[[nodiscard]] Result<uint256> total_supply(const LedgerReader& ledger);
/// Every checksum of the store, every block from the genesis to the head with its hash and parent, and the state root
/// computed anew. The error says what is damaged. Reads everything: for `bonusd verify` and tests.
[[nodiscard]] Result<> verify_ledger(const LedgerReader& ledger);
/// The state root computed anew from the flat tables; must equal head().state_root.
[[nodiscard]] Result<Hash32> rebuilt_state_root(const LedgerReader& ledger);

}  // namespace bonus::chain::ledger
