// Transactions under the rules of a named fork: what tools that follow Ethereum's history need beside BonusChain's own
// check_static().
#pragma once

#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

/// Ethereum bounds a transaction by its block only; this bounds what the tools read (EIP-7934: blocks of 10 MiB).
inline constexpr std::size_t kMaxEthereumTransactionBytes = 10 << 20;

/// The encoding alone: canonical RLP of types 0-4, no rule but that the fields fit `Transaction`. Transaction::decode()
/// is this with kMaxTransactionBytes and the field bounds that hold at the chain's own fork. A type-3 transaction with
/// its blobs (the network form) is refused. kInvalid or kUnsupported (an unknown type) names the field.
[[nodiscard]] Result<Transaction> decode_transaction(BytesView raw,
                                                     std::size_t max_bytes = kMaxEthereumTransactionBytes);

/// The sender by the fork's signature rules: a high s is valid before Homestead (EIP-2).
[[nodiscard]] Result<Address> sender_under(const Transaction& tx, Revision revision);

/// Rules of the fork that need no state, for a transaction that is decoded: its type, chain id (EIP-155), init code
/// size (EIP-3860), gas limit (intrinsic, EIP-7623, EIP-7825), nonce bound (EIP-2681), fee caps, blob hashes and
/// authorizations. The messages are geth's.
[[nodiscard]] Result<> check_rules_under(const Transaction& tx, Revision revision, std::uint64_t chain_id = 1);

/// decode_transaction(), check_rules_under() and sender_under() in one.
[[nodiscard]] Result<TransactionPtr> check_transaction_under(BytesView raw, Revision revision,
                                                             std::uint64_t chain_id = 1);

}  // namespace bonus::chain
