// Recovery of many senders.
#include "bonus/chain/api/transaction_recovery.hpp"

#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

std::vector<Result<TransactionPtr>> places(std::size_t count) {
  return std::vector<Result<TransactionPtr>>(count, Result<TransactionPtr>(TransactionPtr()));
}

Result<TransactionPtr> with_sender(Transaction tx, const Hash32& hash) {
  TRY_ASSIGN(const Address sender, tx.sender());
  return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), sender, hash});
}

}  // namespace

void for_each_in_turn(std::size_t count, const std::function<void(std::size_t)>& job) {
  for (std::size_t i = 0; i < count; ++i) job(i);
}

std::vector<Result<TransactionPtr>> recover_all(std::vector<HashedTransaction> transactions, const ForEach& for_each) {
  return recover_all(std::move(transactions), [](const Hash32&) { return TransactionPtr(); }, for_each);
}

std::vector<Result<TransactionPtr>> recover_all(std::vector<HashedTransaction> transactions,
                                                const KnownTransactions& known, const ForEach& for_each) {
  auto out = places(transactions.size());
  for_each(transactions.size(), [&](std::size_t i) {
    if (auto found = known(transactions[i].hash)) {
      out[i] = std::move(found);
    } else {
      out[i] = with_sender(std::move(transactions[i].tx), transactions[i].hash);
    }
  });
  return out;
}

std::vector<Result<TransactionPtr>> decode_all(const std::vector<BytesView>& raw, const ForEach& for_each) {
  auto out = places(raw.size());
  for_each(raw.size(), [&](std::size_t i) {
    auto tx = Transaction::decode(raw[i]);
    // The hash of the bytes is the transaction's: decode() accepts canonical encodings only.
    out[i] = tx ? with_sender(*std::move(tx), crypto::keccak256(raw[i]))
                : Result<TransactionPtr>(std::unexpected(std::move(tx).error()));
  });
  return out;
}

}  // namespace bonus::chain
