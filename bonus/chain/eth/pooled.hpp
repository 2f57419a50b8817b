// Transactions on their way into a block of Ethereum: the form in which they are sent, and what a pool asks of them.
#pragma once

#include <functional>

#include "bonus/chain/eth/ledger.hpp"

namespace bonus::chain::eth {

inline constexpr std::size_t kMaxPooledBytes = 1 << 20;  ///< With six blobs and their proofs (EIP-7594).

/// EIP-2718, or with blobs as EIP-4844 and 7594 wrap it: 0x03 || rlp([transaction, blobs, commitments, proofs]), or
/// with a version 1 behind the transaction and 128 cell proofs per blob. Blobs are compared with the transaction's
/// hashes through their commitments and then dropped; the KZG proofs are not checked. The messages are geth's.
[[nodiscard]] Result<TransactionPtr> read_pooled_transaction(BytesView raw, Revision revision);

/// What must hold of a transaction by itself to enter a block after the head, for MempoolLimits::rules. Borrows.
[[nodiscard]] std::function<Result<>(const Transaction&)> pool_rules(const EthLedger& ledger);

}  // namespace bonus::chain::eth
