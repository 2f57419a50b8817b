// What the passing of time does to leases: silent workers, deposits used up, durations, starts that never come.
#include <fmt/format.h>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/leases.hpp"
#include "bonus/chain/contracts/timers.hpp"

namespace bonus::chain::contracts {
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
namespace worker_f = market_layout::worker;
using market::EndReason;
using market::LeaseState;
using market::OrderState;

void Leases::fail_silent_workers(std::uint32_t budget) const {
  const MarketParams& params = context_.params();
  // The list is in the order of the last sign of life, so the first one that is in time ends the search.
  while (budget != 0) {
    const auto node = state_.longest_silent();
    if (!node) return;
    const Row worker = state_.worker(*node);
    const UnixSeconds alive_at = worker.get64(worker_f::kAliveAt);
    const std::uint64_t alive_block = worker.get64(worker_f::kAliveBlock);
    if (context_.now() < alive_at || context_.now() - alive_at <= params.heartbeat_timeout_s) return;
    if (context_.height() - alive_block <= params.heartbeat_timeout_blocks) return;
    nodes_.row(*node).set(nodes_layout::kActive, uint256());  // its offers are out until the next heartbeat
    nodes_.punish(*node);
    const std::string detail = fmt::format("no heartbeat for {} s", context_.now() - alive_at);
    const U64Array live_ids = state_.live_leases_of(*node);
    while (live_ids.size() != 0) {
      end(live_ids.at(live_ids.size() - 1), EndReason::kWorkerFailed, detail);
      if (budget != 0) --budget;
    }
  }
}

std::uint32_t Leases::order_timer(std::uint64_t order_id, UnixSeconds at) const {
  const Row order = state_.order(order_id);
  if (order.get64(order_f::kTimerAt) != at) return 0;  // replaced by an earlier one that has fired
  order.set(order_f::kTimerAt, uint256());
  if (order.get64(order_f::kState) == static_cast<std::uint64_t>(OrderState::kClosed)) return 0;
  const auto end = settlement_.used_up_at(order_id);
  if (!end) return 0;  // the next start schedules again
  if (*end <= context_.now()) {
    const auto leases = static_cast<std::uint32_t>(order.get64(order_f::kLive));
    close_order(order_id, EndReason::kDepositExhausted, "the deposit is used up");
    return leases;
  }
  const std::uint64_t left = *end - context_.now();
  if (order.get64(order_f::kLowSent) == 0 && left < context_.params().low_balance_s) {
    order.set(order_f::kLowSent, uint256(1U));
    context_.emit(market::make_log(market::Event::kLowBalance, {uint256(order_id), uint256(left)}));
  }
  settlement_.schedule(order_id);
  return 0;
}

void Leases::run_timers(std::uint32_t budget) const {
  const Timers timers(context_);
  while (budget != 0) {
    const auto timer = timers.pop_due(context_.now());
    if (!timer) return;
    --budget;
    if (timer->kind == TimerKind::kOrder) {
      budget -= std::min(budget, order_timer(timer->id, timer->at));
      continue;
    }
    const Row lease = state_.lease(timer->id);
    const auto state = static_cast<LeaseState>(lease.get64(lease_f::kState));
    if (timer->kind == TimerKind::kStart && state == LeaseState::kStarting) {
      nodes_.punish(lease.get32(lease_f::kNode));
      end(timer->id, EndReason::kStartTimeout,
          fmt::format("not started within {} s", context_.params().start_timeout_s));
    } else if (timer->kind == TimerKind::kDuration && state == LeaseState::kRunning) {
      end(timer->id, EndReason::kDurationReached, "the agreed duration is over");
    }
  }
}

}  // namespace bonus::chain::contracts
