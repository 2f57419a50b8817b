// The stream of money from an order's escrow: exact to the second, paid lazily, ended when the escrow is used up.
//
// Per order the contract keeps escrow E (wei held), rate R = sum of the prices of its running leases and S = sum of
// settledUntil * price over them. What has accrued at time t is R*t - S, so the escrow is used up in the second
// T = floor((E + S) / R), known at every moment. Paying a lease moves the same amount from E to S: T does not move.
#pragma once

#include <optional>

#include "bonus/chain/contracts/market_state.hpp"

namespace bonus::chain::contracts {

struct Shares {
  uint256 worker, developer, foundation;
};

class Settlement {
 public:
  explicit Settlement(const MarketState& state) : state_(state), context_(state.context()) {}

  /// The second from which on nothing can be paid, or nothing when no lease of it runs.
  [[nodiscard]] std::optional<UnixSeconds> used_up_at(std::uint64_t order_id) const;
  /// Escrow minus what has accrued to now.
  [[nodiscard]] uint256 remaining(std::uint64_t order_id) const;
  /// The split of `amount` that the user pays: foundation fee and royalty rounded down, the rest to the worker.
  [[nodiscard]] Shares split(std::uint64_t order_id, const uint256& amount) const;
  /// Accrued but not yet paid to a running lease; nothing for others.
  [[nodiscard]] uint256 accrued(std::uint64_t lease_id) const;
  /// Pays what has accrued. Returns the time up to which it is paid now.
  void settle(std::uint64_t lease_id) const;
  /// The lease begins to be paid from now / no longer takes part; what accrued and is not settled stays with the order.
  void begin(std::uint64_t lease_id) const;
  void leave(std::uint64_t lease_id) const;
  void deposit(std::uint64_t order_id, const uint256& amount) const;
  /// Sends the escrow back to the user; returns how much it was.
  uint256 refund(std::uint64_t order_id) const;

  /// Makes sure that a timer fires when the order runs low or out; call after R, E or S changed in any other way than
  /// settle().
  void schedule(std::uint64_t order_id) const;
  /// Settles leases whose turn has come (settle_interval_s); at most `budget`.
  void settle_due(std::uint32_t budget) const;

 private:
  [[nodiscard]] UnixSeconds payable_until(const Row& lease) const;
  const MarketState& state_;
  Context& context_;
};

}  // namespace bonus::chain::contracts
