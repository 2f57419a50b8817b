// Block decoding with a caller's choice of where senders come from, and the names of block-level ("system") logs.
#pragma once

#include <functional>

#include "bonus/chain/api/transaction_recovery.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

/// Turns a decoded transaction into a shared one: by recovery, from the mempool (same hash: same object) or from a
/// record of known senders. `index` is its place in the block.
using SenderSource = std::function<Result<TransactionPtr>(Transaction tx, const Hash32& hash, std::size_t index)>;

/// Block::decode() with senders from `source`; the source is trusted.
[[nodiscard]] Result<Block> decode_block(BytesView in, const SenderSource& source);

/// The same for all transactions of a block at once, in its order, as recover_all() does it: as many results as
/// transactions; the first failure is the block's.
using BlockSenders = std::function<std::vector<Result<TransactionPtr>>(std::vector<HashedTransaction> transactions)>;
/// Block::decode() with all senders from `senders`, which is trusted. Nothing is recovered of a malformed block.
[[nodiscard]] Result<Block> decode_block_at_once(BytesView in, const BlockSenders& senders);

/// Trie roots of the header are computed in chain/state; here is only the item that goes into them.
/// Transactions inside rlp lists: type 0 as the list itself, others as a byte string (Ethereum's block body).
[[nodiscard]] Bytes encode_in_list(const Transaction& tx);

/// The transaction hash that block-level logs of `number` carry: keccak("bonus/system/v1" || number, 8 bytes
/// big-endian).
[[nodiscard]] Hash32 system_log_hash(std::uint64_t number);

/// Adds the address and topics of a log to a bloom filter (Yellow Paper, 4.3.1).
void add_to_bloom(Bloom& bloom, const Log& log);
/// May `value` (an address or a topic) be in the bloom?
[[nodiscard]] bool bloom_may_contain(const Bloom& bloom, BytesView value);
/// rlp([log...]) with log = [address, [topic...], data].
[[nodiscard]] Bytes encode_logs(const std::vector<Log>& logs);

}  // namespace bonus::chain
