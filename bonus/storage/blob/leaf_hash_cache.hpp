// Verified leaf hashes of blobs lately read, least recently used first out. Thread-safe.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "bonus/storage/api/blob_store.hpp"

namespace bonus::storage {

using LeafHashes = std::shared_ptr<const std::vector<Hash32>>;  // shared with reads under way when it is evicted

class LeafHashCache {
 public:
  explicit LeafHashCache(std::size_t limit_bytes) : limit_(limit_bytes) {}

  [[nodiscard]] LeafHashes find(const BlobId& id) {
    const std::scoped_lock lock(mutex_);
    const auto at = entries_.find(id);
    if (at == entries_.end()) return nullptr;
    order_.splice(order_.end(), order_, at->second);
    return at->second->second;
  }

  /// The newest entry always stays, even when it alone is over the limit: a large blob is read in order.
  void insert(const BlobId& id, LeafHashes hashes) {
    const std::scoped_lock lock(mutex_);
    if (entries_.contains(id)) return;
    bytes_ += cost(*hashes);
    order_.emplace_back(id, std::move(hashes));
    entries_[id] = std::prev(order_.end());
    while (bytes_ > limit_ && order_.size() > 1) {
      bytes_ -= cost(*order_.front().second);
      entries_.erase(order_.front().first);
      order_.pop_front();
    }
  }

 private:
  static std::size_t cost(const std::vector<Hash32>& hashes) { return 128 + hashes.size() * sizeof(Hash32); }

  std::mutex mutex_;
  const std::size_t limit_;
  std::size_t bytes_ = 0;
  std::list<std::pair<BlobId, LeafHashes>> order_;
  std::unordered_map<BlobId, std::list<std::pair<BlobId, LeafHashes>>::iterator> entries_;
};

}  // namespace bonus::storage
