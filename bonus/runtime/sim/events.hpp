// Virtual time: events happen in the order of their instants, and of their making within one instant.
#pragma once

#include <functional>
#include <map>

#include "bonus/runtime/clock.hpp"

namespace bonus::runtime::sim {

/// A clock that stands still until the next event. Not thread-safe.
class Events final : public Clock {
 public:
  using Id = std::pair<Instant, std::uint64_t>;
  /// `unix_start_ms` is what the wall clock shows at the start.
  explicit Events(UnixMillis unix_start_ms = 1'700'000'000'000) : unix_start_ms_(unix_start_ms) {}

  [[nodiscard]] Instant now() const override { return now_; }
  [[nodiscard]] UnixMillis unix_ms() const override;

  /// At `at`, or now if that has passed.
  Id schedule(Instant at, std::function<void()> event);
  Id after(Duration delay, std::function<void()> event) { return schedule(now_ + delay, std::move(event)); }
  void cancel(const Id& id) { queue_.erase(id); }
  /// Moves to the next event and runs it. False: there is none.
  [[nodiscard]] bool step();
  /// Runs what is due until then, and stands at `end`.
  void run_until(Instant end);
  [[nodiscard]] std::size_t pending() const { return queue_.size(); }

 private:
  UnixMillis unix_start_ms_;
  Instant now_{};
  std::uint64_t made_ = 0;
  std::map<Id, std::function<void()>> queue_;
};

}  // namespace bonus::runtime::sim
