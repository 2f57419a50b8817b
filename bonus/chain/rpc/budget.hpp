// A bound on bytes that many connections share. Internal to this folder.
#pragma once

#include <atomic>
#include <cstddef>

namespace bonus::chain::rpc {

/// Thread-safe.
class Budget {
 public:
  explicit Budget(std::size_t limit_bytes) : limit_(limit_bytes) {}
  /// False, and nothing is taken, when it would exceed the limit.
  [[nodiscard]] bool take(std::size_t bytes) {
    std::size_t used = used_.load();
    do {
      if (bytes > limit_ || used > limit_ - bytes) return false;
    } while (!used_.compare_exchange_weak(used, used + bytes));
    return true;
  }
  /// For what has a bound of its own; may exceed the limit.
  void force(std::size_t bytes) { used_ += bytes; }
  void give(std::size_t bytes) { used_ -= bytes; }
  [[nodiscard]] std::size_t used() const { return used_; }

 private:
  const std::size_t limit_;
  std::atomic<std::size_t> used_{0};
};

}  // namespace bonus::chain::rpc
