// Records of an Ethereum ledger's tables: docs/formats/eth-ledger.md. Internal to the folder.
#pragma once

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/eth/header_rules.hpp"

namespace bonus::chain::eth {

struct BlockRecord {
  StoredBlock stored;
  uint256 total_difficulty;
};
/// `raw` is the encoded block.
[[nodiscard]] Bytes encode_block_record(const Block& block, BytesView raw, const uint256& total_difficulty);
/// Errors: kCorrupt.
[[nodiscard]] Result<BlockRecord> decode_block_record(BytesView in);

[[nodiscard]] Bytes encode_receipts_record(const std::vector<Receipt>& receipts);
/// Errors: kCorrupt.
[[nodiscard]] Result<std::vector<Receipt>> decode_receipts_record(BytesView in);

}  // namespace bonus::chain::eth
