// Threads that share the work of recovering senders (docs: README.md). The only place of the chain's modules that has
// threads of its own.
#pragma once

#include <memory>

#include "bonus/chain/api/transaction_recovery.hpp"

namespace bonus::chain::mempool {

/// Thread-safe: any number of callers share the workers, the oldest call first. A call returns when its work is done;
/// the caller works too, so a pool without workers is merely serial, and at most one call per calling thread waits.
/// Must outlive every call.
class SenderPool {
 public:
  /// `workers` threads beside the callers'; processors minus one is a good number.
  explicit SenderPool(std::size_t workers);
  ~SenderPool();
  SenderPool(const SenderPool&) = delete;
  SenderPool& operator=(const SenderPool&) = delete;

  void for_each(std::size_t count, const std::function<void(std::size_t)>& job);
  /// for_each() as what recover_all() and decode_all() take. Borrows the pool.
  [[nodiscard]] ForEach each();

  [[nodiscard]] std::vector<Result<TransactionPtr>> recover_all(std::vector<HashedTransaction> transactions);
  [[nodiscard]] std::vector<Result<TransactionPtr>> decode_all(const std::vector<BytesView>& raw);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::chain::mempool
