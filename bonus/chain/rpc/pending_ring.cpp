// The ring of pending transactions.
#include "bonus/chain/rpc/pending_ring.hpp"

namespace bonus::chain::rpc {
namespace {

/// About what it holds in memory.
std::size_t size_of(const SenderTransaction& item) {
  std::size_t out = sizeof(SenderTransaction) + item.tx.data.size();
  for (const auto& entry : item.tx.access_list) out += sizeof(entry) + entry.keys.size() * sizeof(Hash32);
  return out;
}

}  // namespace

std::uint64_t PendingRing::open() {
  const std::lock_guard lock(mutex_);
  ++readers_;
  return first_ + items_.size();
}

void PendingRing::close() {
  const std::lock_guard lock(mutex_);
  if (--readers_ > 0) return;
  first_ += items_.size();
  items_.clear();
  bytes_ = 0;
}

bool PendingRing::push(TransactionPtr tx) {
  if (readers_ == 0) return false;
  const std::lock_guard lock(mutex_);
  if (readers_ == 0) return false;
  bytes_ += size_of(*tx);
  items_.push_back(std::move(tx));
  while (items_.size() > max_count_ || bytes_ > max_bytes_) {
    bytes_ -= size_of(*items_.front());
    items_.pop_front();
    ++first_;
  }
  return true;
}

std::optional<std::vector<TransactionPtr>> PendingRing::since(std::uint64_t from, std::size_t limit) const {
  const std::lock_guard lock(mutex_);
  if (from < first_) return std::nullopt;
  const std::size_t begin = static_cast<std::size_t>(from - first_);
  if (begin >= items_.size()) return std::vector<TransactionPtr>();
  const std::size_t end = begin + std::min(limit, items_.size() - begin);
  return std::vector<TransactionPtr>(items_.begin() + static_cast<std::ptrdiff_t>(begin),
                                     items_.begin() + static_cast<std::ptrdiff_t>(end));
}

}  // namespace bonus::chain::rpc
