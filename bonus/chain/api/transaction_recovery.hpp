// The senders of many transactions at once: public key recovery is most of what reading a block or a batch costs, and
// each is independent of the others.
#pragma once

#include <functional>

#include "bonus/chain/api/types.hpp"

namespace bonus::chain {

/// A transaction whose sender is not known yet.
struct HashedTransaction {
  Transaction tx;
  Hash32 hash;  ///< keccak256 of its encoding: whoever decoded it had the bytes at hand.
};

/// Runs job(0) ... job(count - 1), in any order and perhaps side by side, and returns when all have run. A job does not
/// throw. mempool/sender_pool.hpp has one with threads.
using ForEach = std::function<void(std::size_t count, const std::function<void(std::size_t)>& job)>;
/// One after the other on the calling thread.
void for_each_in_turn(std::size_t count, const std::function<void(std::size_t)>& job);

/// In the order given; each failure is its own ("invalid sender: ..."). The result does not depend on `for_each`.
[[nodiscard]] std::vector<Result<TransactionPtr>> recover_all(std::vector<HashedTransaction> transactions,
                                                              const ForEach& for_each = for_each_in_turn);
/// The same, but what `known` has under the hash is taken from there: mempool and block share one object, and nothing
/// is recovered twice. `known` is trusted and may be called on any thread.
using KnownTransactions = std::function<TransactionPtr(const Hash32& hash)>;
[[nodiscard]] std::vector<Result<TransactionPtr>> recover_all(std::vector<HashedTransaction> transactions,
                                                              const KnownTransactions& known, const ForEach& for_each);
/// Transaction::decode() and recover_all() of encoded transactions, as eth_sendRawTransaction and peers bring them.
[[nodiscard]] std::vector<Result<TransactionPtr>> decode_all(const std::vector<BytesView>& raw,
                                                             const ForEach& for_each = for_each_in_turn);

}  // namespace bonus::chain
