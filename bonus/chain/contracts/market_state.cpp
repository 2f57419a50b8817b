// Rows, queues and lists of the Market contract.
#include "bonus/chain/contracts/market_state.hpp"

#include <cassert>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::contracts {
namespace layout = market_layout;

namespace {

/// Data of the arrays at slots 0..3 (offers, orders, leases, workers): hashed once.
const uint256& data_of(std::uint64_t slot) {
  static const std::array<uint256, 4> data{array_data(uint256(layout::kOffers)), array_data(uint256(layout::kOrders)),
                                           array_data(uint256(layout::kLeases)), array_data(uint256(layout::kWorkers))};
  return data[slot];
}

uint256 element(std::uint64_t slot, std::uint64_t position, unsigned words) {
  return data_of(slot) + uint256(position) * uint256(words);
}

}  // namespace

std::uint64_t MarketState::length(std::uint64_t slot) const {
  return context_->load(kMarketAddress, uint256(slot)).low64();
}

std::uint64_t MarketState::grow(std::uint64_t slot) const {
  const std::uint64_t size = length(slot) + 1;
  context_->store(kMarketAddress, uint256(slot), uint256(size));
  return size;
}

// Id 0 wraps to a position before the array, where nothing is ever written.
Row MarketState::offer(std::uint64_t id) const {
  return {*context_, kMarketAddress, element(layout::kOffers, id - 1, layout::offer::kWords)};
}
Row MarketState::order(std::uint64_t id) const {
  return {*context_, kMarketAddress, element(layout::kOrders, id - 1, layout::order::kWords)};
}
Row MarketState::lease(std::uint64_t id) const {
  return {*context_, kMarketAddress, element(layout::kLeases, id - 1, layout::lease::kWords)};
}
Row MarketState::worker(std::uint32_t node) const {
  return {*context_, kMarketAddress, element(layout::kWorkers, node, layout::worker::kWords)};
}

void MarketState::ensure_worker(std::uint32_t node) const {
  if (length(layout::kWorkers) <= node)
    context_->store(kMarketAddress, uint256(layout::kWorkers), uint256(std::uint64_t{node} + 1));
}

U64Array MarketState::orders_of(const Address& user) const {
  return {*context_, kMarketAddress, mapping_slot(uint256(layout::kOrdersOf), number_of(user))};
}
U64Array MarketState::leases_of(std::uint64_t order_id) const {
  return {*context_, kMarketAddress, order(order_id).slot_of(layout::order::kLeaseIds)};
}
U64Array MarketState::live_leases_of(std::uint32_t node) const {
  return {*context_, kMarketAddress, worker(node).slot_of(layout::worker::kLiveIds)};
}

void MarketState::book_changed() const { global().set(layout::counters::kBookVersion, uint256(book_version() + 1)); }

std::uint64_t MarketState::book_version() const { return global().get64(layout::counters::kBookVersion); }

bool MarketState::stale(UnixSeconds last_heartbeat) const {
  const std::uint64_t limit = 2ULL * context_->params().start_timeout_s;
  return context_->now() > last_heartbeat && context_->now() - last_heartbeat > limit;
}

// ---------------------------------------------------------------- pending orders

namespace {
struct Ends {
  Field head, tail;
};
Ends ends_of(MarketState::Queue queue) {
  assert(queue != MarketState::Queue::kNone);
  if (queue == MarketState::Queue::kPriority) return {layout::queues::kPriorityHead, layout::queues::kPriorityTail};
  return {layout::queues::kNormalHead, layout::queues::kNormalTail};
}
}  // namespace

std::uint64_t MarketState::queue_head(Queue queue) const { return global().get64(ends_of(queue).head); }

void MarketState::enqueue(std::uint64_t order_id, Queue queue) const {
  const Row row = order(order_id);
  const auto current = static_cast<Queue>(row.get64(layout::order::kQueue));
  if (current == queue || current == Queue::kPriority) return;
  if (current != Queue::kNone) dequeue(order_id);
  const Ends ends = ends_of(queue);
  const std::uint64_t tail = global().get64(ends.tail);
  row.set(layout::order::kPrevious, uint256(tail));
  row.set(layout::order::kNext, uint256());
  row.set(layout::order::kQueue, uint256(static_cast<std::uint64_t>(queue)));
  if (tail == 0) {
    global().set(ends.head, uint256(order_id));
  } else {
    order(tail).set(layout::order::kNext, uint256(order_id));
  }
  global().set(ends.tail, uint256(order_id));
}

void MarketState::dequeue(std::uint64_t order_id) const {
  const Row row = order(order_id);
  const auto current = static_cast<Queue>(row.get64(layout::order::kQueue));
  if (current == Queue::kNone) return;
  const Ends ends = ends_of(current);
  const std::uint64_t previous = row.get64(layout::order::kPrevious);
  const std::uint64_t next = row.get64(layout::order::kNext);
  if (previous == 0) {
    global().set(ends.head, uint256(next));
  } else {
    order(previous).set(layout::order::kNext, uint256(next));
  }
  if (next == 0) {
    global().set(ends.tail, uint256(previous));
  } else {
    order(next).set(layout::order::kPrevious, uint256(previous));
  }
  // The pass of matching that stopped here goes on with the next one.
  if (global().get64(layout::counters::kCursor) == order_id) global().set(layout::counters::kCursor, uint256(next));
  row.set(layout::order::kPrevious, uint256());
  row.set(layout::order::kNext, uint256());
  row.set(layout::order::kQueue, uint256());
}

// ---------------------------------------------------------------- busy workers; links are node + 1, 0 is none

void MarketState::append_busy(std::uint32_t node) const {
  const Row row = worker(node);
  const std::uint64_t tail = global().get64(layout::counters::kBusyTail);
  row.set(layout::worker::kPrevious, uint256(tail));
  row.set(layout::worker::kNext, uint256());
  const uint256 link(std::uint64_t{node} + 1);
  if (tail == 0) {
    global().set(layout::counters::kBusyHead, link);
  } else {
    worker(static_cast<std::uint32_t>(tail - 1)).set(layout::worker::kNext, link);
  }
  global().set(layout::counters::kBusyTail, link);
}

void MarketState::unlink_busy(std::uint32_t node) const {
  const Row row = worker(node);
  const std::uint64_t previous = row.get64(layout::worker::kPrevious);
  const std::uint64_t next = row.get64(layout::worker::kNext);
  if (previous == 0) {
    global().set(layout::counters::kBusyHead, uint256(next));
  } else {
    worker(static_cast<std::uint32_t>(previous - 1)).set(layout::worker::kNext, uint256(next));
  }
  if (next == 0) {
    global().set(layout::counters::kBusyTail, uint256(previous));
  } else {
    worker(static_cast<std::uint32_t>(next - 1)).set(layout::worker::kPrevious, uint256(previous));
  }
}

void MarketState::worker_busy(std::uint32_t node) const {
  const Row row = worker(node);
  assert(row.get64(layout::worker::kBusy) == 0);
  row.set(layout::worker::kBusy, uint256(1U));
  row.set(layout::worker::kAliveAt, uint256(context_->now()));
  row.set(layout::worker::kAliveBlock, uint256(context_->height()));
  append_busy(node);
}

void MarketState::worker_idle(std::uint32_t node) const {
  const Row row = worker(node);
  assert(row.get64(layout::worker::kBusy) != 0);
  unlink_busy(node);
  row.set(layout::worker::kPrevious, uint256());
  row.set(layout::worker::kNext, uint256());
  row.set(layout::worker::kBusy, uint256());
}

void MarketState::on_heartbeat(std::uint32_t node) const {
  const Row row = worker(node);
  if (row.get64(layout::worker::kBusy) == 0) return;
  row.set(layout::worker::kAliveAt, uint256(context_->now()));
  row.set(layout::worker::kAliveBlock, uint256(context_->height()));
  if (global().get64(layout::counters::kBusyTail) == std::uint64_t{node} + 1) return;
  unlink_busy(node);
  append_busy(node);
}

std::optional<std::uint32_t> MarketState::longest_silent() const {
  const std::uint64_t head = global().get64(layout::counters::kBusyHead);
  if (head == 0) return std::nullopt;
  return static_cast<std::uint32_t>(head - 1);
}

// ---------------------------------------------------------------- regions

std::uint32_t MarketState::intern_region(const std::string& name) const {
  if (name.empty()) return 0;
  const uint256 key = mapping_slot(uint256(layout::kRegionIndex), uint256::from_be(crypto::keccak256(as_bytes(name))));
  const uint256 found = context_->load(kMarketAddress, key);
  if (!found.is_zero()) return static_cast<std::uint32_t>(found.low64());
  const std::uint64_t position = grow(layout::kRegions);
  Row(*context_, kMarketAddress, array_data(uint256(layout::kRegions)) + uint256(position - 1)).set_text(0, name);
  context_->store(kMarketAddress, key, uint256(position));
  return static_cast<std::uint32_t>(position);
}

std::string MarketState::region(std::uint32_t interned) const {
  if (interned == 0) return {};
  return Row(*context_, kMarketAddress, array_data(uint256(layout::kRegions)) + uint256(std::uint64_t{interned} - 1))
      .text(0);
}

}  // namespace bonus::chain::contracts
