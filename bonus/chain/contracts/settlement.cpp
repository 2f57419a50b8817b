// Streaming escrow.
#include "bonus/chain/contracts/settlement.hpp"

#include <algorithm>
#include <cassert>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/timers.hpp"

namespace bonus::chain::contracts {
namespace layout = market_layout;
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
using market::LeaseState;
using market::OrderState;

namespace {
constexpr std::uint64_t kBps = 10'000;
constexpr Field kDueLease{0, 0, 8}, kDueAt{0, 8, 8};  // struct Due {uint64 lease; uint64 at}

const uint256& settlements_data() {
  static const uint256 data = array_data(uint256(layout::kSettlements));
  return data;
}
}  // namespace

std::optional<UnixSeconds> Settlement::used_up_at(std::uint64_t order_id) const {
  const Row order = state_.order(order_id);
  const uint256 rate = order.word(order_f::kRate.slot);
  if (rate.is_zero()) return std::nullopt;
  return ((order.word(order_f::kEscrow.slot) + order.word(order_f::kSettledSum.slot)) / rate).clamp_u64();
}

uint256 Settlement::remaining(std::uint64_t order_id) const {
  // Lease by lease, since one that has reached its duration accrues no more even before its timer has run.
  const Row order = state_.order(order_id);
  uint256 left = order.word(order_f::kEscrow.slot);
  if (order.word(order_f::kRate.slot).is_zero()) return left;
  const auto replicas = static_cast<unsigned>(order.get64(order_f::kReplicas));
  for (unsigned replica = 0; replica < replicas; ++replica) {
    const std::uint64_t lease_id = order.get64(Row::element(order_f::kCurrent, replica));
    if (lease_id != 0) left -= accrued(lease_id);
  }
  return left;
}

Shares Settlement::split(std::uint64_t order_id, const uint256& amount) const {
  const Row order = state_.order(order_id);
  Shares out;
  const std::uint64_t fee = std::min<std::uint64_t>(context_.params().foundation_fee_bps, kBps);
  const std::uint64_t royalty = std::min<std::uint64_t>(order.get64(order_f::kRoyaltyBps), kBps - fee);
  out.foundation = mul_div(amount, uint256(fee), uint256(kBps));
  out.developer = mul_div(amount, uint256(royalty), uint256(kBps));
  out.worker = amount - out.foundation - out.developer;
  return out;
}

UnixSeconds Settlement::payable_until(const Row& lease) const {
  const std::uint64_t order_id = lease.get64(lease_f::kOrder);
  UnixSeconds until = context_.now();
  if (const auto end = used_up_at(order_id)) until = std::min(until, *end);
  const std::uint64_t duration = state_.order(order_id).get64(order_f::kDuration);
  const UnixSeconds started = lease.get64(lease_f::kStartedAt);
  if (duration != 0 && duration <= UINT64_MAX - started) until = std::min(until, started + duration);
  return until;
}

uint256 Settlement::accrued(std::uint64_t lease_id) const {
  const Row lease = state_.lease(lease_id);
  if (lease.get64(lease_f::kState) != static_cast<std::uint64_t>(LeaseState::kRunning)) return {};
  const UnixSeconds from = lease.get64(lease_f::kSettledUntil);
  const UnixSeconds until = payable_until(lease);
  if (until <= from) return {};
  return uint256(until - from) * lease.get(lease_f::kPrice);
}

void Settlement::settle(std::uint64_t lease_id) const {
  const uint256 amount = accrued(lease_id);
  const Row lease = state_.lease(lease_id);
  if (lease.get64(lease_f::kState) != static_cast<std::uint64_t>(LeaseState::kRunning)) return;
  const UnixSeconds until = payable_until(lease);
  if (until <= lease.get64(lease_f::kSettledUntil)) return;
  const std::uint64_t order_id = lease.get64(lease_f::kOrder);
  const Row order = state_.order(order_id);
  lease.set(lease_f::kSettledUntil, uint256(until));
  if (amount.is_zero()) return;
  const uint256 escrow = order.word(order_f::kEscrow.slot);
  assert(amount <= escrow);
  order.set_word(order_f::kEscrow.slot, escrow - amount);
  order.set_word(order_f::kSettledSum.slot, order.word(order_f::kSettledSum.slot) + amount);
  const Row global = state_.global();
  global.set_word(layout::kEscrowTotal, global.word(layout::kEscrowTotal) - amount);

  const Shares shares = split(order_id, amount);
  lease.set_word(lease_f::kPaidWorker.slot, lease.word(lease_f::kPaidWorker.slot) + shares.worker);
  lease.set_word(lease_f::kPaidDeveloper.slot, lease.word(lease_f::kPaidDeveloper.slot) + shares.developer);
  lease.set_word(lease_f::kPaidFoundation.slot, lease.word(lease_f::kPaidFoundation.slot) + shares.foundation);
  context_.pay(kMarketAddress, lease.address(lease_f::kWorker), shares.worker);
  context_.pay(kMarketAddress, order.address(order_f::kDeveloper), shares.developer);
  context_.pay(kMarketAddress, context_.block().genesis->foundation, shares.foundation);
  context_.emit(market::make_log(market::Event::kSettled,
                                 {uint256(lease_id), shares.worker, shares.developer, shares.foundation}));
}

void Settlement::begin(std::uint64_t lease_id) const {
  const Row lease = state_.lease(lease_id);
  const Row order = state_.order(lease.get64(lease_f::kOrder));
  const uint256 price = lease.get(lease_f::kPrice);
  lease.set(lease_f::kSettledUntil, uint256(context_.now()));
  order.set_word(order_f::kRate.slot, order.word(order_f::kRate.slot) + price);
  order.set_word(order_f::kSettledSum.slot, order.word(order_f::kSettledSum.slot) + price * uint256(context_.now()));
  // Its place in the queue of settlements.
  const Row global = state_.global();
  const std::uint64_t length = global.word(layout::kSettlements).low64();
  const uint256 entry =
      uint256(lease_id) | (uint256(context_.now() + context_.params().settle_interval_s) << (8 * kDueAt.offset));
  context_.store(kMarketAddress, settlements_data() + uint256(length), entry);
  global.set_word(layout::kSettlements, uint256(length + 1));
}

void Settlement::leave(std::uint64_t lease_id) const {
  const Row lease = state_.lease(lease_id);
  const Row order = state_.order(lease.get64(lease_f::kOrder));
  const uint256 price = lease.get(lease_f::kPrice);
  order.set_word(order_f::kRate.slot, order.word(order_f::kRate.slot) - price);
  order.set_word(order_f::kSettledSum.slot,
                 order.word(order_f::kSettledSum.slot) - price * lease.get(lease_f::kSettledUntil));
}

void Settlement::deposit(std::uint64_t order_id, const uint256& amount) const {
  const Row order = state_.order(order_id);
  order.set_word(order_f::kEscrow.slot, order.word(order_f::kEscrow.slot) + amount);
  const Row global = state_.global();
  global.set_word(layout::kEscrowTotal, global.word(layout::kEscrowTotal) + amount);
}

uint256 Settlement::refund(std::uint64_t order_id) const {
  const Row order = state_.order(order_id);
  const uint256 amount = order.word(order_f::kEscrow.slot);
  order.set_word(order_f::kEscrow.slot, uint256());
  const Row global = state_.global();
  global.set_word(layout::kEscrowTotal, global.word(layout::kEscrowTotal) - amount);
  context_.pay(kMarketAddress, order.address(order_f::kUser), amount);
  return amount;
}

void Settlement::schedule(std::uint64_t order_id) const {
  const auto end = used_up_at(order_id);
  if (!end) return;
  const Row order = state_.order(order_id);
  UnixSeconds due = *end;
  if (order.get64(order_f::kLowSent) == 0) {
    // secondsLeft < low_balance_s from this second on.
    const std::uint64_t low = context_.params().low_balance_s;
    if (low != 0) due = *end >= low ? std::max(context_.now(), *end - low + 1) : context_.now();
    due = std::min(due, *end);
  }
  // An entry that comes too early finds out when it fires and schedules again; only an earlier time needs a new one.
  const UnixSeconds planned = order.get64(order_f::kTimerAt);
  if (planned != 0 && planned <= due) return;
  due = std::max<UnixSeconds>(due, 1);
  order.set(order_f::kTimerAt, uint256(due));
  Timers(context_).push({.at = due, .kind = TimerKind::kOrder, .id = order_id});
}

void Settlement::settle_due(std::uint32_t budget) const {
  const Row global = state_.global();
  std::uint64_t head = global.word(layout::kSettleHead).low64();
  std::uint64_t length = global.word(layout::kSettlements).low64();
  const std::uint64_t old_head = head;
  const std::uint64_t old_length = length;
  for (; budget != 0 && head < length; --budget) {
    const uint256 entry = context_.load(kMarketAddress, settlements_data() + uint256(head));
    if (extract64(entry, kDueAt) > context_.now()) break;
    context_.store(kMarketAddress, settlements_data() + uint256(head), uint256());
    ++head;
    const std::uint64_t lease_id = extract64(entry, kDueLease);
    if (state_.lease(lease_id).get64(lease_f::kState) != static_cast<std::uint64_t>(LeaseState::kRunning)) continue;
    settle(lease_id);
    // A zero interval would come due in this very block again.
    const UnixSeconds next = context_.now() + std::max(context_.params().settle_interval_s, 1U);
    context_.store(kMarketAddress, settlements_data() + uint256(length),
                   uint256(lease_id) | (uint256(next) << (8 * kDueAt.offset)));
    ++length;
  }
  if (head != old_head) global.set_word(layout::kSettleHead, uint256(head));
  if (length != old_length) global.set_word(layout::kSettlements, uint256(length));
}

}  // namespace bonus::chain::contracts
