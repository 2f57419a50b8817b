// The functions of the Market contract.
#include "bonus/chain/contracts/market.hpp"

#include <algorithm>

#include "bonus/chain/contracts/leases.hpp"
#include "bonus/chain/contracts/market_views.hpp"
#include "bonus/chain/contracts/matching.hpp"
#include "bonus/chain/contracts/outcome.hpp"

namespace bonus::chain::contracts {
namespace layout = market_layout;
namespace offer_f = market_layout::offer;
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
namespace worker_f = market_layout::worker;

namespace {

using market::Call;
using market::EndReason;
using market::Event;
using market::LeaseState;
using market::one;
using market::OrderState;

constexpr std::size_t kMaxText = 256;
constexpr std::size_t kMaxEndpoint = 32 * (2 + market::kMaxPorts);

Result<> check_offer(const market::OfferSpec& spec, UnixSeconds now) {
  if (spec.capacity.cpu_millis == 0 || spec.capacity.memory_mib == 0)
    return revert("offer: capacity without CPU or memory");
  if (spec.tier > 2) return revert("offer: tier is 0 Lite, 1 Normal or 2 Super");
  if (spec.runtimes == 0 || spec.runtimes > 7)
    return revert("offer: runtimes are bits 0 runc, 1 gvisor, 2 vm, at least one");
  if (spec.available_until != 0 && spec.available_until <= now) return revert("offer: availableUntil is past");
  return check_region(spec.region);
}

Result<> check_order(const market::OrderSpec& spec, const MarketParams& params) {
  if (spec.image.size() > kMaxText) return revert("order: image has at most 256 bytes");
  if (spec.resources.cpu_millis == 0 || spec.resources.memory_mib == 0)
    return revert("order: CPU and memory must be above 0");
  if (spec.replicas == 0 || spec.replicas > kMaxReplicas) return revert("order: 1 to 64 replicas");
  if (spec.runtime > 2) return revert("order: runtime is 0 runc, 1 gvisor or 2 vm");
  if (spec.min_tier < -1 || spec.min_tier > 2) return revert("order: minTier is -1 any, 0 Lite, 1 Normal or 2 Super");
  if (spec.royalty_bps > params.max_royalty_bps) {
    return revert("order: the royalty is at most " + std::to_string(params.max_royalty_bps) + " basis points");
  }
  if (spec.royalty_bps != 0 && spec.developer.is_zero()) return revert("order: a royalty needs a developer");
  if (spec.weight_cheap > 100 || spec.weight_quality > 100 || spec.weight_near > 100)
    return revert("order: weights are 0 to 100");
  return check_region(spec.region);
}

class Market {
 public:
  Market(Context& context, const CallInput& input)
      : context_(context),
        input_(input),
        state_(context),
        nodes_(context),
        settlement_(state_),
        leases_(state_),
        views_(state_) {}

  Result<abi::Values> run(Call call, const abi::Values& in) {
    switch (call) {
      case Call::kCreateOffer:
        return create_offer(market::offer_spec_from(in[0]));
      case Call::kUpdateOffer:
        return update_offer(in[0].number(), market::offer_spec_from(in[1]));
      case Call::kCloseOffer:
        return close_offer(in[0].number());
      case Call::kLeaseStarted:
        return lease_started(in[0].number(), in[1].bytes());
      case Call::kLeaseEnded:
        return lease_ended(in[0].number(), in[1].u64(), in[2].text());
      case Call::kCreateOrder:
        return create_order(market::order_spec_from(in[0]));
      case Call::kTopUp:
        return top_up(in[0].number());
      case Call::kStop:
        return stop(in[0].number());
      case Call::kSettle:
        return settle(in[0].number());
      case Call::kPreflight:
        return preflight(market::order_spec_from(in[0]), in[1].number());
      case Call::kGetOffer:
        return view(existing_offer(state_, in[0].number()), [this](std::uint64_t id) { return views_.offer(id); });
      case Call::kGetOrder:
        return view(existing_order(state_, in[0].number()), [this](std::uint64_t id) { return views_.order(id); });
      case Call::kGetLease:
        return view(existing_lease(state_, in[0].number()), [this](std::uint64_t id) { return views_.lease(id); });
      case Call::kOfferCount:
        return one(abi::Value(state_.offer_count()));
      case Call::kOrderCount:
        return one(abi::Value(state_.order_count()));
      case Call::kLeaseCount:
        return one(abi::Value(state_.lease_count()));
      case Call::kOffers:
        return views_.offers(in[0].u64(), in[1].u64());
      case Call::kOrders:
        return views_.orders(in[0].u64(), in[1].u64());
      case Call::kLeases:
        return views_.leases(in[0].u64(), in[1].u64());
      case Call::kOrdersOf:
        return views_.orders_of(in[0].address(), in[1].u64(), in[2].u64());
      case Call::kLeasesOfOrder: {
        TRY_ASSIGN(const std::uint64_t id, existing_order(state_, in[0].number()));
        return views_.leases_of_order(id);
      }
      case Call::kLiveLeasesOf:
        return views_.live_leases_of(in[0].address());
      case Call::kOffersOf:
        return views_.offers_of(in[0].address());
      case Call::kAccrued:
        return accrued(in[0].number());
      case Call::kSecondsLeft:
        return seconds_left(in[0].number());
      default:
        return revert("unknown function");
    }
  }

 private:
  template <class Read>
  static Result<abi::Values> view(const Result<std::uint64_t>& id, Read read) {
    if (!id) return fail(id.error());
    const auto value = read(*id);
    if (!value) return fail(value.error());
    return one(to_value(*value));
  }

  // -------------------------------------------------------------- workers

  /// The caller's node, active and of the tier that the offer states.
  Result<std::uint32_t> offering_node(const market::OfferSpec& spec) const {
    const auto node = nodes_.find(input_.caller);
    if (!node) return revert("offer: the caller is not a registered node");
    const Row row = nodes_.row(*node);
    if (row.get64(nodes_layout::kActive) == 0) return revert("offer: the node is suspended; send a heartbeat first");
    if (row.get64(nodes_layout::kTier) != spec.tier) return revert("offer: the tier is not that of the node");
    return *node;
  }

  void write_offer(const Row& row, const market::OfferSpec& spec) const {
    row.set(offer_f::kCapCpu, uint256(std::uint64_t{spec.capacity.cpu_millis}));
    row.set(offer_f::kCapMemory, uint256(std::uint64_t{spec.capacity.memory_mib}));
    row.set(offer_f::kCapDisk, uint256(std::uint64_t{spec.capacity.disk_mib}));
    row.set(offer_f::kTier, uint256(std::uint64_t{spec.tier}));
    row.set(offer_f::kRuntimes, uint256(std::uint64_t{spec.runtimes}));
    row.set(offer_f::kPriceCpu, spec.prices.cpu);
    row.set(offer_f::kPriceMemory, spec.prices.memory);
    row.set(offer_f::kPriceDisk, spec.prices.disk);
    row.set(offer_f::kAvailableUntil, uint256(spec.available_until));
    row.set(offer_f::kRegion, uint256(std::uint64_t{state_.intern_region(spec.region)}));
  }

  Result<abi::Values> create_offer(const market::OfferSpec& spec) {
    TRY(check_offer(spec, context_.now()));
    TRY_ASSIGN(const std::uint32_t node, offering_node(spec));
    const U64Array open = state_.open_offers();
    const std::uint64_t place = open.size();
    if (place >= kMaxOpenOffers) return revert("offer: the book is full");
    state_.ensure_worker(node);
    const Row worker = state_.worker(node);
    unsigned free = 0;
    while (free < kMaxOffersPerWorker && worker.get64(Row::element(worker_f::kOfferIds, free)) != 0) ++free;
    if (free == kMaxOffersPerWorker) return revert("offer: at most 16 open offers of one worker");

    const std::uint64_t id = state_.add_offer();
    const Row row = state_.offer(id);
    write_offer(row, spec);
    row.set(offer_f::kOpen, uint256(1U));
    row.set(offer_f::kOpenIndex, uint256(place));
    row.set(offer_f::kWorker, input_.caller);
    row.set(offer_f::kNode, uint256(std::uint64_t{node}));
    open.push(id);
    worker.set(Row::element(worker_f::kOfferIds, free), uint256(id));
    worker.set(worker_f::kOpenOffers, uint256(worker.get64(worker_f::kOpenOffers) + 1));
    state_.book_changed();
    context_.emit(market::make_log(Event::kOfferCreated, {uint256(id), input_.caller}));
    return one(abi::Value(id));
  }

  /// An open offer of the caller.
  Result<std::uint64_t> own_offer(const uint256& number) const {
    TRY_ASSIGN(const std::uint64_t id, existing_offer(state_, number));
    if (state_.offer(id).address(offer_f::kWorker) != input_.caller) return revert("offer: it is another worker's");
    if (state_.offer(id).get64(offer_f::kOpen) == 0) return revert("offer: it is closed");
    return id;
  }

  Result<abi::Values> update_offer(const uint256& number, const market::OfferSpec& spec) {
    TRY_ASSIGN(const std::uint64_t id, own_offer(number));
    TRY(check_offer(spec, context_.now()));
    TRY(offering_node(spec));
    const Row row = state_.offer(id);
    if (spec.capacity.cpu_millis < row.get64(offer_f::kUsedCpu) ||
        spec.capacity.memory_mib < row.get64(offer_f::kUsedMemory) ||
        spec.capacity.disk_mib < row.get64(offer_f::kUsedDisk)) {
      return revert("offer: running leases use more than the new capacity");
    }
    write_offer(row, spec);
    state_.book_changed();
    context_.emit(market::make_log(Event::kOfferUpdated, {uint256(id)}));
    return abi::Values{};
  }

  Result<abi::Values> close_offer(const uint256& number) {
    TRY_ASSIGN(const std::uint64_t id, own_offer(number));
    const Row row = state_.offer(id);
    // Its place in the book is taken by the last one. Leases on it live on.
    const U64Array open = state_.open_offers();
    const std::uint64_t place = row.get64(offer_f::kOpenIndex);
    const std::uint64_t last = open.size() - 1;
    if (place != last) {
      const std::uint64_t moved = open.at(last);
      open.set(place, moved);
      state_.offer(moved).set(offer_f::kOpenIndex, uint256(place));
    }
    open.pop();
    row.set(offer_f::kOpen, uint256());
    row.set(offer_f::kOpenIndex, uint256());
    const Row worker = state_.worker(row.get32(offer_f::kNode));
    for (unsigned i = 0; i < kMaxOffersPerWorker; ++i) {
      const Field field = Row::element(worker_f::kOfferIds, i);
      if (worker.get64(field) == id) worker.set(field, uint256());
    }
    worker.set(worker_f::kOpenOffers, uint256(worker.get64(worker_f::kOpenOffers) - 1));
    context_.emit(market::make_log(Event::kOfferClosed, {uint256(id)}));
    return abi::Values{};
  }

  /// A live lease of the caller.
  Result<std::uint64_t> own_lease(const uint256& number) const {
    TRY_ASSIGN(const std::uint64_t id, existing_lease(state_, number));
    const Row row = state_.lease(id);
    if (row.address(lease_f::kWorker) != input_.caller) return revert("lease: it is another worker's");
    if (row.get64(lease_f::kState) == static_cast<std::uint64_t>(LeaseState::kEnded))
      return revert("lease: it has ended");
    return id;
  }

  Result<abi::Values> lease_started(const uint256& number, BytesView endpoint) {
    TRY_ASSIGN(const std::uint64_t id, own_lease(number));
    if (endpoint.size() > kMaxEndpoint) return revert("lease: the endpoint is too long");
    if (const auto ports = market::decode_ports(endpoint); !ports) return revert("lease: " + ports.error().message);
    const auto end = settlement_.used_up_at(state_.lease(id).get64(lease_f::kOrder));
    if (end && *end <= context_.now()) return revert("lease: the deposit is used up");
    leases_.start(id, endpoint);
    return abi::Values{};
  }

  Result<abi::Values> lease_ended(const uint256& number, std::uint64_t reason_number, const std::string& detail) {
    TRY_ASSIGN(const std::uint64_t id, own_lease(number));
    const auto reason = static_cast<EndReason>(reason_number);
    if (reason != EndReason::kWorkerLeft && reason != EndReason::kImageFailed && reason != EndReason::kHealthFailed &&
        reason != EndReason::kWorkloadExited) {
      return revert("lease: a worker may report WorkerLeft, ImageFailed, HealthFailed or WorkloadExited");
    }
    if (detail.size() > kMaxText) return revert("lease: the detail has at most 256 bytes");
    leases_.end(id, reason, detail);
    return abi::Values{};
  }

  // -------------------------------------------------------------- users

  Result<abi::Values> create_order(const market::OrderSpec& spec) {
    TRY(check_order(spec, context_.params()));
    if (input_.value.is_zero()) return revert("order: a deposit is needed");
    const std::uint64_t id = state_.add_order();
    const Row row = state_.order(id);
    const auto num = [](auto value) { return uint256(static_cast<std::uint64_t>(value)); };
    row.set(order_f::kUser, input_.caller);
    row.set(order_f::kCreatedAt, num(context_.now()));
    row.set(order_f::kState, num(OrderState::kOpen));
    row.set_word(order_f::kImageDigest, uint256::from_be(spec.image_digest));
    row.set_word(order_f::kWorkload, uint256::from_be(spec.workload));
    row.set(order_f::kCpu, num(spec.resources.cpu_millis));
    row.set(order_f::kMemory, num(spec.resources.memory_mib));
    row.set(order_f::kDisk, num(spec.resources.disk_mib));
    row.set(order_f::kReplicas, num(spec.replicas));
    row.set(order_f::kRuntime, num(spec.runtime));
    row.set(order_f::kMinTier, num(static_cast<std::uint8_t>(spec.min_tier)));
    row.set(order_f::kRoyaltyBps, num(spec.royalty_bps));
    row.set(order_f::kDistinct, num(spec.distinct_operators));
    row.set(order_f::kCheap, num(spec.weight_cheap));
    row.set(order_f::kQuality, num(spec.weight_quality));
    row.set(order_f::kNear, num(spec.weight_near));
    row.set(order_f::kDuration, num(spec.duration));
    row.set(order_f::kMaxPrice, spec.max_price_per_second);
    row.set(order_f::kPending, num(spec.replicas == 64 ? ~0ULL : (1ULL << spec.replicas) - 1));
    row.set(order_f::kDeveloper, spec.developer);
    row.set_text(order_f::kImage, spec.image);
    row.set_text(order_f::kRegion, spec.region);
    settlement_.deposit(id, input_.value);
    state_.orders_of(input_.caller).push(id);
    state_.enqueue(id, MarketState::Queue::kNormal);
    context_.emit(market::make_log(Event::kOrderCreated, {uint256(id), input_.caller, input_.value}));
    return one(abi::Value(id));
  }

  Result<std::uint64_t> open_order(const uint256& number) const {
    TRY_ASSIGN(const std::uint64_t id, existing_order(state_, number));
    if (state_.order(id).get64(order_f::kState) == static_cast<std::uint64_t>(OrderState::kClosed))
      return revert("order: it is closed");
    return id;
  }

  Result<abi::Values> top_up(const uint256& number) {
    TRY_ASSIGN(const std::uint64_t id, open_order(number));
    if (input_.value.is_zero()) return revert("topUp: no value sent");
    const Row row = state_.order(id);
    settlement_.deposit(id, input_.value);
    row.set(order_f::kLowSent, uint256());
    row.set(order_f::kTried, uint256());  // replicas may have waited for the deposit
    settlement_.schedule(id);
    context_.emit(market::make_log(Event::kToppedUp, {uint256(id), input_.value}));
    return abi::Values{};
  }

  Result<abi::Values> stop(const uint256& number) {
    TRY_ASSIGN(const std::uint64_t id, open_order(number));
    if (state_.order(id).address(order_f::kUser) != input_.caller) return revert("stop: the order is another user's");
    leases_.close_order(id, EndReason::kUser, "stopped by the user");
    return abi::Values{};
  }

  Result<abi::Values> settle(const uint256& number) {
    TRY_ASSIGN(const std::uint64_t id, existing_lease(state_, number));
    settlement_.settle(id);
    return abi::Values{};
  }

  // -------------------------------------------------------------- views

  Result<abi::Values> preflight(const market::OrderSpec& spec, const uint256& deposit) {
    TRY(check_order(spec, context_.params()));
    const Wanted wanted = wanted_from(spec, deposit);
    const Book book = Book::load(state_);
    if (context_.exhausted()) return revert("out of gas");
    return one(to_value(explain(book, wanted)));
  }

  Result<abi::Values> accrued(const uint256& number) const {
    TRY_ASSIGN(const std::uint64_t id, existing_lease(state_, number));
    const Shares shares = settlement_.split(state_.lease(id).get64(lease_f::kOrder), settlement_.accrued(id));
    return abi::Values{shares.worker, shares.developer, shares.foundation};
  }

  Result<abi::Values> seconds_left(const uint256& number) const {
    TRY_ASSIGN(const std::uint64_t id, existing_order(state_, number));
    if (const auto end = settlement_.used_up_at(id)) {
      return one(abi::Value(*end > context_.now() ? *end - context_.now() : std::uint64_t{0}));
    }
    // Nothing runs: how long the escrow would last for all that is starting or waiting, at the highest price.
    const Wanted wanted = wanted_of(state_, id);
    if (wanted.escrow.is_zero()) return one(abi::Value(std::uint64_t{0}));
    const uint256 rate = wanted.committed + wanted.max_price * uint256(std::uint64_t{wanted.replicas});
    return one(abi::Value(rate.is_zero() ? UINT64_MAX : (wanted.escrow / rate).clamp_u64()));
  }

  Context& context_;
  const CallInput& input_;
  MarketState state_;
  NodesState nodes_;
  Settlement settlement_;
  Leases leases_;
  MarketViews views_;
};

}  // namespace

CallOutcome MarketContract::call(Host& host, const CallInput& input) const {
  Context context(host, Context::Metering::kCall);
  return dispatch(context, input, [&](const market::FunctionInfo& info, const abi::Values& arguments) {
    return Market(context, input).run(info.call, arguments);
  });
}

void MarketContract::end_block(Host& host) const {
  Context context(host, Context::Metering::kFree);
  const MarketState state(context);
  const std::uint32_t budget = context.params().max_expiries_per_block;
  Leases(state).fail_silent_workers(budget);
  Leases(state).run_timers(budget);
  Settlement(state).settle_due(budget);
  match(state);
}

uint256 MarketContract::liabilities(const Host& host) const {
  return host.load(kMarketAddress, uint256(layout::kEscrowTotal));
}

}  // namespace bonus::chain::contracts
