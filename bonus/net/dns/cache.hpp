// A cache bounded in bytes that forgets what was used longest ago.
#pragma once

#include <list>
#include <string>
#include <unordered_map>

#include "bonus/base/time.hpp"

namespace bonus::net::dns {

/// Not thread-safe. Values carry the time they were stored and when they end.
template <class Value>
class Cache {
 public:
  struct Entry {
    std::string key;
    Value value;
    Instant stored, expires;
    std::size_t cost = 0;
  };

  explicit Cache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  /// Nothing when it is absent or over. Valid until the next change.
  [[nodiscard]] const Entry* find(const std::string& key, Instant now) {
    const auto it = index_.find(key);
    if (it == index_.end()) return nullptr;
    if (it->second->expires <= now) {
      remove(it->second);
      return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, it->second);
    return &entries_.front();
  }
  /// `cost`: bytes of the value; a value that is larger than the cache is not kept.
  void put(const std::string& key, Value value, std::size_t cost, Instant now, Duration lifetime) {
    erase(key);
    cost += 2 * key.size() + sizeof(Entry) + 64;
    if (cost > max_bytes_ || lifetime <= Duration::zero()) return;
    while (bytes_ + cost > max_bytes_) {
      remove(std::prev(entries_.end()));
      ++evictions_;
    }
    entries_.push_front(Entry{key, std::move(value), now, now + lifetime, cost});
    index_.emplace(key, entries_.begin());
    bytes_ += cost;
  }
  void erase(const std::string& key) {
    if (const auto it = index_.find(key); it != index_.end()) remove(it->second);
  }
  void clear() {
    entries_.clear();
    index_.clear();
    bytes_ = 0;
  }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint64_t evictions() const { return evictions_; }

 private:
  using Iterator = typename std::list<Entry>::iterator;
  void remove(Iterator at) {
    bytes_ -= at->cost;
    index_.erase(at->key);
    entries_.erase(at);
  }
  std::size_t max_bytes_;
  std::size_t bytes_ = 0;
  std::uint64_t evictions_ = 0;
  std::list<Entry> entries_;
  std::unordered_map<std::string, Iterator> index_;
};

}  // namespace bonus::net::dns
