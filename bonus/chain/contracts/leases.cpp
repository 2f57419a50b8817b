// Opening, starting and ending of leases.
#include "bonus/chain/contracts/leases.hpp"

#include <cassert>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/timers.hpp"

namespace bonus::chain::contracts {
namespace layout = market_layout;
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
namespace offer_f = market_layout::offer;
namespace worker_f = market_layout::worker;
using market::EndReason;
using market::LeaseState;
using market::OrderState;

namespace {

template <class Enum>
uint256 num(Enum value) {
  return uint256(static_cast<std::uint64_t>(value));
}

void add_to(const Row& row, Field field, std::uint64_t amount) { row.set(field, uint256(row.get64(field) + amount)); }
void take_from(const Row& row, Field field, std::uint64_t amount) {
  assert(row.get64(field) >= amount);
  row.set(field, uint256(row.get64(field) - amount));
}

bool live(const Row& lease) {
  const auto state = static_cast<LeaseState>(lease.get64(lease_f::kState));
  return state == LeaseState::kStarting || state == LeaseState::kRunning;
}

/// Endings after which the worker has done its job.
bool completed(EndReason reason) {
  return reason == EndReason::kUser || reason == EndReason::kDepositExhausted ||
         reason == EndReason::kDurationReached || reason == EndReason::kWorkloadExited;
}

}  // namespace

std::uint64_t Leases::open(std::uint64_t order_id, unsigned replica, std::uint64_t offer_id,
                           const uint256& price) const {
  const Row order = state_.order(order_id);
  const Row offer = state_.offer(offer_id);
  const std::uint32_t node = offer.get32(offer_f::kNode);
  const Row worker = state_.worker(node);
  const Address account = offer.address(offer_f::kWorker);
  const U64Array live_ids = state_.live_leases_of(node);

  const std::uint64_t id = state_.add_lease();
  const Row lease = state_.lease(id);
  lease.set(lease_f::kOrder, uint256(order_id));
  lease.set(lease_f::kOffer, uint256(offer_id));
  lease.set(lease_f::kMatchedAt, uint256(context_.now()));
  lease.set(lease_f::kPrice, price);
  lease.set(lease_f::kWorker, account);
  lease.set(lease_f::kNode, uint256(std::uint64_t{node}));
  lease.set(lease_f::kState, num(LeaseState::kStarting));
  lease.set(lease_f::kReplica, uint256(std::uint64_t{replica}));
  lease.set(lease_f::kLiveIndex, uint256(live_ids.size()));
  lease.set_word(lease_f::kNodeId, nodes_.row(node).word(nodes_layout::kId));

  add_to(offer, offer_f::kUsedCpu, order.get64(order_f::kCpu));
  add_to(offer, offer_f::kUsedMemory, order.get64(order_f::kMemory));
  add_to(offer, offer_f::kUsedDisk, order.get64(order_f::kDisk));
  add_to(offer, offer_f::kRunning, 1);
  live_ids.push(id);
  add_to(worker, worker_f::kLive, 1);
  if (worker.get64(worker_f::kLive) == 1) state_.worker_busy(node);
  add_to(state_.global(), layout::counters::kLive, 1);

  order.set(Row::element(order_f::kCurrent, replica), uint256(id));
  order.set(order_f::kPending, uint256(order.get64(order_f::kPending) & ~(1ULL << replica)));
  add_to(order, order_f::kLive, 1);
  state_.leases_of(order_id).push(id);
  Timers(context_).push(
      {.at = context_.now() + context_.params().start_timeout_s, .kind = TimerKind::kStart, .id = id});
  context_.emit(market::make_log(market::Event::kLeaseMatched,
                                 {uint256(id), uint256(order_id), account, uint256(offer_id), price}));
  return id;
}

void Leases::start(std::uint64_t lease_id, BytesView endpoint) const {
  const Row lease = state_.lease(lease_id);
  const std::uint64_t order_id = lease.get64(lease_f::kOrder);
  lease.set_bytes(lease_f::kEndpoint, endpoint);
  if (lease.get64(lease_f::kState) == static_cast<std::uint64_t>(LeaseState::kStarting)) {
    lease.set(lease_f::kState, num(LeaseState::kRunning));
    lease.set(lease_f::kStartedAt, uint256(context_.now()));
    settlement_.begin(lease_id);
    settlement_.schedule(order_id);
    const std::uint64_t duration = state_.order(order_id).get64(order_f::kDuration);
    if (duration != 0 && duration <= UINT64_MAX - context_.now()) {
      Timers(context_).push({.at = context_.now() + duration, .kind = TimerKind::kDuration, .id = lease_id});
    }
  }
  context_.emit(
      market::make_log(market::Event::kLeaseStarted, {uint256(lease_id), Bytes(endpoint.begin(), endpoint.end())}));
}

void Leases::finish(std::uint64_t lease_id, EndReason reason, std::string_view detail) const {
  const Row lease = state_.lease(lease_id);
  assert(live(lease));
  const std::uint64_t order_id = lease.get64(lease_f::kOrder);
  const Row order = state_.order(order_id);
  const bool ran = lease.get64(lease_f::kState) == static_cast<std::uint64_t>(LeaseState::kRunning);
  if (ran) settlement_.leave(lease_id);
  lease.set(lease_f::kState, num(LeaseState::kEnded));
  lease.set(lease_f::kReason, num(reason));
  lease.set(lease_f::kEndedAt, uint256(context_.now()));
  lease.set_text(lease_f::kDetail, detail);

  const std::uint32_t node = lease.get32(lease_f::kNode);
  const Row offer = state_.offer(lease.get64(lease_f::kOffer));
  take_from(offer, offer_f::kUsedCpu, order.get64(order_f::kCpu));
  take_from(offer, offer_f::kUsedMemory, order.get64(order_f::kMemory));
  take_from(offer, offer_f::kUsedDisk, order.get64(order_f::kDisk));
  take_from(offer, offer_f::kRunning, 1);

  // Its place in the worker's list is taken by the last one.
  const U64Array live_ids = state_.live_leases_of(node);
  const std::uint64_t place = lease.get64(lease_f::kLiveIndex);
  const std::uint64_t last = live_ids.size() - 1;
  assert(live_ids.at(place) == lease_id);
  if (place != last) {
    const std::uint64_t moved = live_ids.at(last);
    live_ids.set(place, moved);
    state_.lease(moved).set(lease_f::kLiveIndex, uint256(place));
  }
  live_ids.pop();
  const Row worker = state_.worker(node);
  take_from(worker, worker_f::kLive, 1);
  if (worker.get64(worker_f::kLive) == 0) state_.worker_idle(node);
  if (ran && completed(reason) && worker.get64(worker_f::kCompleted) < UINT32_MAX)
    add_to(worker, worker_f::kCompleted, 1);
  take_from(state_.global(), layout::counters::kLive, 1);

  order.set(Row::element(order_f::kCurrent, static_cast<unsigned>(lease.get64(lease_f::kReplica))), uint256());
  take_from(order, order_f::kLive, 1);
  state_.book_changed();
  context_.emit(market::make_log(market::Event::kLeaseEnded,
                                 {uint256(lease_id), uint256(order_id), num(reason), std::string(detail)}));
  if (reason == EndReason::kWorkerFailed || reason == EndReason::kStartTimeout) {
    nodes_.book_interruption(node, lease_id, order.address(order_f::kUser));
  }
}

void Leases::retry_or_drop(std::uint64_t order_id, unsigned replica, std::uint32_t node, EndReason reason) const {
  const Row order = state_.order(order_id);
  switch (reason) {
    case EndReason::kImageFailed:
    case EndReason::kHealthFailed: {
      // Two bits per replica.
      const uint256 attempts = order.get(order_f::kAttempts);
      if (((attempts >> (2 * replica)).low64() & 3) >= kMaxRetries) return;
      order.set(order_f::kAttempts, attempts + (uint256(1U) << (2 * replica)));
      break;
    }
    case EndReason::kWorkerLeft:
    case EndReason::kWorkerFailed:
    case EndReason::kStartTimeout:
      break;
    default:
      return;
  }
  order.set(order_f::kPending, uint256(order.get64(order_f::kPending) | (1ULL << replica)));
  // Not to the same worker in this block.
  order.set(order_f::kAvoidBlock, uint256(context_.height()));
  order.set(order_f::kAvoidNode, uint256(std::uint64_t{node}));
  order.set(order_f::kTried, uint256());
  state_.enqueue(order_id, MarketState::Queue::kPriority);
}

void Leases::update_order_state(std::uint64_t order_id) const {
  const Row order = state_.order(order_id);
  const bool pending = order.get64(order_f::kPending) != 0;
  order.set(order_f::kState, num(pending ? OrderState::kOpen : OrderState::kMatched));
  if (pending) return;
  state_.dequeue(order_id);
  order.set_text(order_f::kExplanation, {});
}

void Leases::close_if_done(std::uint64_t order_id) const {
  const Row order = state_.order(order_id);
  if (order.get64(order_f::kPending) == 0 && order.get64(order_f::kLive) == 0) {
    close_order(order_id, EndReason::kNone, {});
    return;
  }
  update_order_state(order_id);
  settlement_.schedule(order_id);
}

void Leases::end(std::uint64_t lease_id, EndReason reason, std::string_view detail) const {
  const Row lease = state_.lease(lease_id);
  const std::uint64_t order_id = lease.get64(lease_f::kOrder);
  // A failed worker forfeits what ran since the last settlement: it stays in the escrow.
  if (reason != EndReason::kWorkerFailed) settlement_.settle(lease_id);
  finish(lease_id, reason, detail);
  retry_or_drop(order_id, static_cast<unsigned>(lease.get64(lease_f::kReplica)), lease.get32(lease_f::kNode), reason);
  close_if_done(order_id);
}

void Leases::close_order(std::uint64_t order_id, EndReason reason, std::string_view detail) const {
  const Row order = state_.order(order_id);
  const auto replicas = static_cast<unsigned>(order.get64(order_f::kReplicas));
  // All are settled before the first one ends: with one price less in the rate, the rest would seem to last longer.
  for (unsigned replica = 0; replica < replicas && order.get64(order_f::kLive) != 0; ++replica) {
    const std::uint64_t lease_id = order.get64(Row::element(order_f::kCurrent, replica));
    if (lease_id != 0) settlement_.settle(lease_id);
  }
  for (unsigned replica = 0; replica < replicas && order.get64(order_f::kLive) != 0; ++replica) {
    const std::uint64_t lease_id = order.get64(Row::element(order_f::kCurrent, replica));
    if (lease_id != 0) finish(lease_id, reason, detail);
  }
  order.set(order_f::kPending, uint256());
  state_.dequeue(order_id);
  order.set_text(order_f::kExplanation, {});
  order.set(order_f::kState, num(OrderState::kClosed));
  const uint256 refunded = settlement_.refund(order_id);
  context_.emit(market::make_log(market::Event::kOrderClosed, {uint256(order_id), refunded}));
}

}  // namespace bonus::chain::contracts
