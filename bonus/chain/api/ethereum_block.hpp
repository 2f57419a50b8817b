// Ethereum's own blocks of every fork: rlp([header, [transaction...], [ommer...], [withdrawal...]]) (Yellow Paper 4.3;
// EIP-1559, 2718, 4844, 4895, 7685).
#pragma once

#include "bonus/chain/api/transaction_recovery.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

/// A header of any HeaderForm; only the encoding is checked. kInvalid names the field.
[[nodiscard]] Result<Header> decode_ethereum_header(BytesView rlp);

/// A block whose senders are not known yet: which signatures are good depends on its fork (sender_under()).
struct BareEthereumBlock {
  Block block;  ///< Without transactions.
  std::vector<HashedTransaction> transactions;
  bool has_withdrawals = false;  ///< The body has the list, if only an empty one.
};
/// kInvalid names the part. Rules of a fork are not checked.
[[nodiscard]] Result<BareEthereumBlock> decode_ethereum_block(BytesView in);

/// The list of withdrawals is written when the header has its root.
[[nodiscard]] Bytes encode_ethereum_block(const Block& block);
/// rlp([index, validator, address, amount]).
[[nodiscard]] Bytes encode_withdrawal(const Withdrawal& withdrawal);
/// keccak256(rlp([header...])).
[[nodiscard]] Hash32 ommers_hash(const std::vector<Header>& ommers);

}  // namespace bonus::chain
