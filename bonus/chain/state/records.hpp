// Records of the ledger's tables: docs/formats/state.md.
#pragma once

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/state_view.hpp"

namespace bonus::chain::state {

/// Yellow Paper, 4.1: rlp([nonce, balance, storageRoot, codeHash]); both the trie value and the flat record.
[[nodiscard]] Bytes encode_account(const Account& account);
[[nodiscard]] Result<Account> decode_account(BytesView in);

/// Contract storage as flat value: big-endian without leading zeros.
[[nodiscard]] Bytes encode_slot_value(const uint256& value);
/// Contract storage as trie value: rlp(value). kCorrupt when it is not that.
[[nodiscard]] Result<uint256> decode_slot_trie_value(BytesView in);
[[nodiscard]] Bytes slot_record_key(const SlotKey& key);  ///< address || slot, 52 bytes.

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
