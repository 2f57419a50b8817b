// The life of a lease and of the order behind it (market.md, "Lease life"): opening, starting, every ending with its
// consequences, closing, and what the passing of time causes.
#pragma once

#include "bonus/chain/api/market.hpp"
#include "bonus/chain/contracts/nodes_state.hpp"
#include "bonus/chain/contracts/settlement.hpp"

namespace bonus::chain::contracts {

inline constexpr unsigned kMaxRetries = 3;  ///< Re-matches of one replica after ImageFailed or HealthFailed.

class Leases {
 public:
  explicit Leases(const MarketState& state)
      : state_(state), context_(state.context()), nodes_(context_), settlement_(state) {}

  /// A pending replica gets an offer; the caller has checked that it is feasible.
  std::uint64_t open(std::uint64_t order_id, unsigned replica, std::uint64_t offer_id, const uint256& price) const;
  /// The worker reports that the container runs. Starting becomes running: money flows from now.
  void start(std::uint64_t lease_id, BytesView endpoint) const;
  /// Ends a live lease; then the replica waits again, or the order closes when nothing of it is left.
  void end(std::uint64_t lease_id, market::EndReason reason, std::string_view detail) const;
  /// Ends all live leases, refunds, closes.
  void close_order(std::uint64_t order_id, market::EndReason reason, std::string_view detail) const;
  /// Open or matched, queue and explanation, by what is pending.
  void update_order_state(std::uint64_t order_id) const;

  /// Block hook, each at most `budget` endings (and those of one order or worker more).
  void fail_silent_workers(std::uint32_t budget) const;
  void run_timers(std::uint32_t budget) const;

 private:
  /// The ending itself, without what follows for the order. What is accrued has been settled, or is forfeited.
  void finish(std::uint64_t lease_id, market::EndReason reason, std::string_view detail) const;
  void retry_or_drop(std::uint64_t order_id, unsigned replica, std::uint32_t node, market::EndReason reason) const;
  void close_if_done(std::uint64_t order_id) const;
  std::uint32_t order_timer(std::uint64_t order_id, UnixSeconds at) const;

  const MarketState& state_;
  Context& context_;
  NodesState nodes_;
  Settlement settlement_;
};

}  // namespace bonus::chain::contracts
