// The last transactions that entered the mempool, numbered in order of arrival, for subscriptions and filters. Internal
// to this folder.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <vector>

#include "bonus/chain/api/types.hpp"

namespace bonus::chain::rpc {

/// Thread-safe. Bounded by a number and by bytes: the oldest go first, and who has not seen them learns that. Empty as
/// long as nobody is interested.
class PendingRing {
 public:
  PendingRing(std::size_t max_count, std::size_t max_bytes) : max_count_(max_count), max_bytes_(max_bytes) {}

  /// One more reader; what arrives from now on is kept. Returns the number of the next transaction.
  [[nodiscard]] std::uint64_t open();
  void close();
  /// False when nobody is interested.
  bool push(TransactionPtr tx);
  /// From `from` on, at most `limit`. Nothing when some of them are gone already.
  [[nodiscard]] std::optional<std::vector<TransactionPtr>> since(std::uint64_t from, std::size_t limit) const;

 private:
  const std::size_t max_count_, max_bytes_;
  std::atomic<std::size_t> readers_{0};
  mutable std::mutex mutex_;  // guards all below
  std::deque<TransactionPtr> items_;
  std::uint64_t first_ = 0;  ///< Number of items_.front().
  std::size_t bytes_ = 0;
};

}  // namespace bonus::chain::rpc
