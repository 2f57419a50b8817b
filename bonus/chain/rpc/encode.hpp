// Ledger objects as JSON, field by field as execution-apis defines them. Internal to this folder.
#pragma once

#include <boost/json/object.hpp>
#include <boost/json/value.hpp>
#include <string>

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::rpc {

[[nodiscard]] std::string quantity(std::uint64_t value);
[[nodiscard]] std::string quantity(const uint256& value);

/// Where a transaction stands; without it, it is pending.
struct Place {
  Hash32 block_hash;
  std::uint64_t block_number = 0;
  std::uint32_t index = 0;
  uint256 base_fee;
  UnixSeconds timestamp = 0;
};
[[nodiscard]] boost::json::object encode_transaction(const SenderTransaction& item, std::uint64_t chain_id,
                                                     const Place* place);
/// What newHeads shows: the header and its hash.
[[nodiscard]] boost::json::object encode_header(const StoredBlock& block);
[[nodiscard]] boost::json::object encode_block(const StoredBlock& block, std::uint64_t chain_id, bool full);
/// The block that the mempool would make now: like a block, but hash, nonce and miner are null.
[[nodiscard]] boost::json::object encode_pending_block(const Block& block, std::uint64_t chain_id, bool full);
/// What a receipt shows of its block.
struct ReceiptPlace {
  UnixSeconds timestamp = 0;
  uint256 blob_base_fee;  ///< Wei per blob gas; for type 3.
};
[[nodiscard]] boost::json::object encode_receipt(const StoredReceipt& receipt, const ReceiptPlace& place);
[[nodiscard]] boost::json::object encode_log(const FoundLog& log, UnixSeconds block_timestamp);

}  // namespace bonus::chain::rpc
