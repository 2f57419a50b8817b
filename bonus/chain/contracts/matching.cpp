// The pass over the queues of pending orders.
#include "bonus/chain/contracts/matching.hpp"

#include <bit>
#include <optional>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/weights.hpp"

namespace bonus::chain::contracts {
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
using Queue = MarketState::Queue;

Wanted wanted_of(const MarketState& state, std::uint64_t order_id) {
  const Row order = state.order(order_id);
  const uint256 spec = order.word(order_f::kCpu.slot);
  Wanted out;
  out.resources = {static_cast<std::uint32_t>(extract64(spec, order_f::kCpu)),
                   static_cast<std::uint32_t>(extract64(spec, order_f::kMemory)),
                   static_cast<std::uint32_t>(extract64(spec, order_f::kDisk))};
  out.runtime = static_cast<std::uint8_t>(extract64(spec, order_f::kRuntime));
  out.min_tier = static_cast<std::int8_t>(extract64(spec, order_f::kMinTier));
  out.cheap = static_cast<std::uint8_t>(extract64(spec, order_f::kCheap));
  out.quality = static_cast<std::uint8_t>(extract64(spec, order_f::kQuality));
  out.near = static_cast<std::uint8_t>(extract64(spec, order_f::kNear));
  out.distinct = extract64(spec, order_f::kDistinct) != 0;
  out.region = order.text(order_f::kRegion);
  out.max_price = order.get(order_f::kMaxPrice);
  out.escrow = Settlement(state).remaining(order_id);
  out.committed = order.word(order_f::kRate.slot);
  out.replicas = static_cast<std::uint32_t>(std::popcount(order.get64(order_f::kPending)));
  // Replicas that have not started are not in the rate yet, but will be.
  const auto all = static_cast<unsigned>(extract64(spec, order_f::kReplicas));
  for (unsigned replica = 0; replica < all; ++replica) {
    const std::uint64_t lease_id = order.get64(Row::element(order_f::kCurrent, replica));
    if (lease_id == 0) continue;
    const Row lease = state.lease(lease_id);
    out.operators.push_back(lease.get32(lease_f::kNode));
    if (lease.get64(lease_f::kState) == static_cast<std::uint64_t>(market::LeaseState::kStarting))
      out.committed += lease.get(lease_f::kPrice);
  }
  if (order.get64(order_f::kAvoidBlock) == state.context().height()) out.avoid_node = order.get32(order_f::kAvoidNode);
  return out;
}

namespace {

class Pass {
 public:
  explicit Pass(const MarketState& state)
      : state_(state),
        leases_(state),
        version_(state.book_version() + 1),
        leases_left_(state.context().params().max_matches_per_block) {}

  void run() {
    walk(Queue::kPriority, state_.queue_head(Queue::kPriority));
    const Row global = state_.global();
    const std::uint64_t cursor = global.get64(market_layout::counters::kCursor);
    const std::uint64_t stopped = walk(Queue::kNormal, cursor != 0 ? cursor : state_.queue_head(Queue::kNormal));
    if (stopped != global.get64(market_layout::counters::kCursor))
      global.set(market_layout::counters::kCursor, uint256(stopped));
  }

 private:
  /// Returns the order where work has to go on, 0 when the queue is done.
  std::uint64_t walk(Queue /*queue*/, std::uint64_t order_id) {
    while (order_id != 0) {
      if (leases_left_ == 0 || looks_ >= kOffersLookedAtPerBlock || walked_ >= kOrdersWalkedPerBlock) return order_id;
      ++walked_;
      const Row order = state_.order(order_id);
      const std::uint64_t next = order.get64(order_f::kNext);
      if (order.get64(order_f::kTried) < version_ && !attempt(order_id)) return order_id;
      order_id = next;
    }
    return 0;
  }

  /// False when a bound was reached before all replicas of the order were tried.
  bool attempt(std::uint64_t order_id) {
    if (!book_) book_ = Book::load(state_);
    const Row order = state_.order(order_id);
    Wanted wanted = wanted_of(state_, order_id);
    const auto all = static_cast<unsigned>(order.get64(order_f::kReplicas));
    const std::uint64_t pending = order.get64(order_f::kPending);
    for (unsigned replica = 0; replica < all; ++replica) {
      if (((pending >> replica) & 1) == 0) continue;
      if (leases_left_ == 0) return false;
      looks_ += book_->offers().size() + 1;
      const std::vector<Candidate> found = candidates(*book_, wanted);
      if (found.empty()) {
        // A worker avoided in this block only may do in the next one.
        order.set(order_f::kTried, uint256(wanted.avoid_node == UINT32_MAX ? version_ : 0));
        looks_ += book_->offers().size();
        tell(order_id, explain(*book_, wanted));
        return true;
      }
      const Candidate& winner = pick(found, order_id, replica);
      const BookOffer offer = book_->offers()[winner.position];
      leases_.open(order_id, replica, offer.id, winner.price);
      --leases_left_;
      book_->take(winner.position, wanted.resources);
      wanted.operators.push_back(book_->worker_of(offer).node);
      wanted.committed += winner.price;
      --wanted.replicas;
    }
    leases_.update_order_state(order_id);
    return true;
  }

  [[nodiscard]] const Candidate& pick(const std::vector<Candidate>& found, std::uint64_t order_id,
                                      unsigned replica) const {
    uint256 total;
    for (const Candidate& candidate : found) total += uint256(candidate.weight);
    uint256 ticket = draw(state_.context().block().randao, order_id, replica, total);
    for (const Candidate& candidate : found) {
      if (ticket < uint256(candidate.weight)) return candidate;
      ticket -= uint256(candidate.weight);
    }
    return found.back();
  }

  /// Keeps the explanation of a waiting order up to date; writes and tells only what changed.
  void tell(std::uint64_t order_id, const market::Explanation& explanation) {
    const Row order = state_.order(order_id);
    std::string text = explanation.dimension + ": " + explanation.advice;
    if (text.size() > kMaxExplanation) text.resize(kMaxExplanation);
    order.set(order_f::kState, uint256(static_cast<std::uint64_t>(market::OrderState::kOpen)));
    if (order.text(order_f::kExplanation) == text) return;
    order.set_text(order_f::kExplanation, text);
    state_.context().emit(market::make_log(market::Event::kOrderUnmatched, {uint256(order_id), text}));
  }

  static constexpr std::size_t kMaxExplanation = 512;
  const MarketState& state_;
  Leases leases_;
  std::uint64_t version_;
  std::uint32_t leases_left_;
  std::uint64_t looks_ = 0;
  std::uint32_t walked_ = 0;
  std::optional<Book> book_;
};

}  // namespace

void match(const MarketState& state) {
  if (state.queue_head(Queue::kPriority) == 0 && state.queue_head(Queue::kNormal) == 0) return;
  Pass(state).run();
}

}  // namespace bonus::chain::contracts
