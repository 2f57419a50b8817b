// Due times of orders and leases: a binary heap in storage, `Timer[] timers` with struct Timer {uint64 id; uint8 kind;
// uint64 at} in one word each. Entries are not searched for: an entry that no longer holds is recognised when it comes
// due.
#pragma once

#include <optional>

#include "bonus/chain/contracts/market_state.hpp"

namespace bonus::chain::contracts {

/// In the order in which timers of one second come: a lease that has reached its duration ends as such, even if the
/// deposit ends in the same second.
enum class TimerKind : std::uint8_t { kDuration, kStart, kOrder };

struct Timer {
  UnixSeconds at = 0;
  TimerKind kind = TimerKind::kDuration;
  std::uint64_t id = 0;  ///< Lease or order.
};

class Timers {
 public:
  explicit Timers(Context& context) : context_(&context) {}
  void push(const Timer& timer) const;
  /// Takes out the earliest one that is due at `now`.
  [[nodiscard]] std::optional<Timer> pop_due(UnixSeconds now) const;

 private:
  [[nodiscard]] uint256 at(std::uint64_t index) const;
  void set(std::uint64_t index, const uint256& word) const;
  Context* context_;
};

}  // namespace bonus::chain::contracts
