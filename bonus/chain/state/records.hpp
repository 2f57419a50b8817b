// Records of the ledger's tables: docs/formats/state.md.
#pragma once

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::state {

/// Yellow Paper, 4.1: rlp([nonce, balance, storageRoot, codeHash]); both the trie value and the flat record.
[[nodiscard]] Bytes encode_account(const Account& account);
[[nodiscard]] Result<Account> decode_account(BytesView in);

/// Contract storage as flat value: big-endian without leading zeros.
[[nodiscard]] Bytes encode_slot_value(const uint256& value);
/// Contract storage as trie value: rlp(value). kCorrupt when it is not that.
[[nodiscard]] Result<uint256> decode_slot_trie_value(BytesView in);
[[nodiscard]] Bytes slot_record_key(const SlotKey& key);  ///< address || slot, 52 bytes.

/// The key of the newest node at `place` that is not above `number`: place || complement of the number, so that a later
/// version sorts before an earlier one.
[[nodiscard]] Bytes node_record_key(BytesView place, std::uint64_t number);
[[nodiscard]] std::uint64_t node_record_version(BytesView key);
[[nodiscard]] Bytes encode_replaced_record(const std::vector<NewNodes::Replaced>& nodes);
[[nodiscard]] Result<std::vector<NewNodes::Replaced>> decode_replaced_record(BytesView in);

/// What one block changed.
struct ChangesRecord {
  std::vector<Address> accounts;
  std::vector<SlotKey> slots;
};
void sort_changes(ChangesRecord& changes);
/// Both lists must be sorted.
[[nodiscard]] Bytes encode_changes_record(const ChangesRecord& changes);
[[nodiscard]] Result<ChangesRecord> decode_changes_record(BytesView in);

/// `raw` is block.encode().
[[nodiscard]] Bytes encode_block_record(const Block& block, BytesView raw, BytesView commit);
/// Errors: kCorrupt.
[[nodiscard]] Result<StoredBlock> decode_block_record(BytesView in);

struct ReceiptsRecord {
  std::vector<Receipt> receipts;
  std::vector<Log> system_logs;
};
[[nodiscard]] Bytes encode_receipts_record(const std::vector<Receipt>& receipts, const std::vector<Log>& system_logs);
[[nodiscard]] Result<ReceiptsRecord> decode_receipts_record(BytesView in);

}  // namespace bonus::chain::state
