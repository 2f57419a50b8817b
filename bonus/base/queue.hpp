// A queue with a bound: what does not fit is refused, never buffered without limit.
#pragma once

#include <cstddef>
#include <deque>
#include <optional>
#include <utility>

namespace bonus {

/// Not thread-safe. `capacity` counts elements.
template <class T>
class BoundedQueue {
 public:
  explicit BoundedQueue(std::size_t capacity) : capacity_(capacity) {}
  /// False, and the value is dropped, when the queue is full.
  [[nodiscard]] bool push(T value) {
    if (items_.size() >= capacity_) return false;
    items_.push_back(std::move(value));
    return true;
  }
  [[nodiscard]] std::optional<T> pop() {
    if (items_.empty()) return std::nullopt;
    std::optional<T> out(std::move(items_.front()));
    items_.pop_front();
    return out;
  }
  [[nodiscard]] std::size_t size() const { return items_.size(); }
  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t capacity() const { return capacity_; }

 private:
  std::size_t capacity_;
  std::deque<T> items_;
};

}  // namespace bonus
