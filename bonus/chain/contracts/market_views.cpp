// Views of the Market contract.
#include "bonus/chain/contracts/market_views.hpp"

#include <algorithm>

#include "bonus/chain/contracts/nodes_state.hpp"
#include "bonus/chain/contracts/outcome.hpp"
#include "bonus/chain/contracts/settlement.hpp"

namespace bonus::chain::contracts {
namespace offer_f = market_layout::offer;
namespace order_f = market_layout::order;
namespace lease_f = market_layout::lease;
namespace worker_f = market_layout::worker;
using market::EndReason;
using market::LeaseState;
using market::OrderState;

namespace {

constexpr std::uint64_t kMaxPage = 64;
constexpr std::uint64_t kMaxLeases = 256;

Result<std::uint64_t> existing(const uint256& id, std::uint64_t count, std::string_view what) {
  if (id.is_zero() || id > uint256(count)) return revert("no such " + std::string(what) + " " + id.to_decimal());
  return id.low64();
}

template <class Read>
Result<abi::Values> page(std::uint64_t count, std::uint64_t before, std::uint64_t limit, Read read) {
  abi::Values out;
  std::uint64_t id = before == 0 ? count : std::min(before - 1, count);
  for (; id != 0 && out.size() < std::min(limit, kMaxPage); --id) {
    auto value = read(id);
    if (!value) return fail(std::move(value).error());
    out.push_back(to_value(*value));
  }
  return market::one(abi::Value(std::move(out)));
}

}  // namespace

Result<std::uint64_t> existing_offer(const MarketState& state, const uint256& id) {
  return existing(id, state.offer_count(), "offer");
}
Result<std::uint64_t> existing_order(const MarketState& state, const uint256& id) {
  return existing(id, state.order_count(), "order");
}
Result<std::uint64_t> existing_lease(const MarketState& state, const uint256& id) {
  return existing(id, state.lease_count(), "lease");
}

Result<market::Offer> MarketViews::offer(std::uint64_t id) const {
  const Row row = state_.offer(id);
  const NodesState nodes(state_.context());
  const std::uint32_t node = row.get32(offer_f::kNode);
  const Row owner = nodes.row(node);
  market::Offer out;
  out.id = id;
  out.worker = row.address(offer_f::kWorker);
  out.node_id.bytes = owner.word(nodes_layout::kId).to_be().bytes;
  out.spec.capacity = {row.get32(offer_f::kCapCpu), row.get32(offer_f::kCapMemory), row.get32(offer_f::kCapDisk)};
  out.spec.prices = {row.get(offer_f::kPriceCpu), row.get(offer_f::kPriceMemory), row.get(offer_f::kPriceDisk)};
  out.spec.tier = static_cast<std::uint8_t>(row.get64(offer_f::kTier));
  out.spec.runtimes = static_cast<std::uint8_t>(row.get64(offer_f::kRuntimes));
  out.spec.region = state_.region(row.get32(offer_f::kRegion));
  out.spec.available_until = row.get64(offer_f::kAvailableUntil);
  out.used = {row.get32(offer_f::kUsedCpu), row.get32(offer_f::kUsedMemory), row.get32(offer_f::kUsedDisk)};
  out.running_leases = row.get32(offer_f::kRunning);
  out.active = row.get64(offer_f::kOpen) != 0 && owner.get64(nodes_layout::kActive) != 0 &&
               (out.spec.available_until == 0 || out.spec.available_until > state_.context().now());
  return out;
}

Result<market::Order> MarketViews::order(std::uint64_t id) const {
  const Row row = state_.order(id);
  market::Order out;
  out.id = id;
  out.user = row.address(order_f::kUser);
  out.spec = {.image = row.text(order_f::kImage),
              .image_digest = row.word(order_f::kImageDigest).to_be(),
              .workload = row.word(order_f::kWorkload).to_be(),
              .resources = {row.get32(order_f::kCpu), row.get32(order_f::kMemory), row.get32(order_f::kDisk)},
              .replicas = static_cast<std::uint16_t>(row.get64(order_f::kReplicas)),
              .runtime = static_cast<std::uint8_t>(row.get64(order_f::kRuntime)),
              .min_tier = static_cast<std::int8_t>(row.get64(order_f::kMinTier)),
              .region = row.text(order_f::kRegion),
              .max_price_per_second = row.get(order_f::kMaxPrice),
              .duration = row.get64(order_f::kDuration),
              .developer = row.address(order_f::kDeveloper),
              .royalty_bps = static_cast<std::uint16_t>(row.get64(order_f::kRoyaltyBps)),
              .distinct_operators = row.get64(order_f::kDistinct) != 0,
              .weight_cheap = static_cast<std::uint8_t>(row.get64(order_f::kCheap)),
              .weight_quality = static_cast<std::uint8_t>(row.get64(order_f::kQuality)),
              .weight_near = static_cast<std::uint8_t>(row.get64(order_f::kNear))};
  out.state = static_cast<OrderState>(row.get64(order_f::kState));
  out.escrow = Settlement(state_).remaining(id);
  out.live_replicas = static_cast<std::uint16_t>(row.get64(order_f::kLive));
  out.created_at = row.get64(order_f::kCreatedAt);
  out.explanation = row.text(order_f::kExplanation);
  return out;
}

Result<market::Lease> MarketViews::lease(std::uint64_t id) const {
  const Row row = state_.lease(id);
  market::Lease out;
  out.id = id;
  out.order_id = row.get64(lease_f::kOrder);
  out.offer_id = row.get64(lease_f::kOffer);
  out.user = state_.order(out.order_id).address(order_f::kUser);
  out.worker = row.address(lease_f::kWorker);
  out.node_id.bytes = row.word(lease_f::kNodeId).to_be().bytes;
  out.state = static_cast<LeaseState>(row.get64(lease_f::kState));
  out.reason = static_cast<EndReason>(row.get64(lease_f::kReason));
  out.price_per_second = row.get(lease_f::kPrice);
  out.matched_at = row.get64(lease_f::kMatchedAt);
  out.started_at = row.get64(lease_f::kStartedAt);
  out.settled_until = row.get64(lease_f::kSettledUntil);
  out.ended_at = row.get64(lease_f::kEndedAt);
  out.paid_worker = row.word(lease_f::kPaidWorker.slot);
  out.paid_developer = row.word(lease_f::kPaidDeveloper.slot);
  out.paid_foundation = row.word(lease_f::kPaidFoundation.slot);
  out.paid_total = out.paid_worker + out.paid_developer + out.paid_foundation;
  TRY_ASSIGN(out.ports, market::decode_ports(row.bytes(lease_f::kEndpoint)));
  out.detail = row.text(lease_f::kDetail);
  return out;
}

Result<abi::Values> MarketViews::offers(std::uint64_t before, std::uint64_t limit) const {
  return page(state_.offer_count(), before, limit, [this](std::uint64_t id) { return offer(id); });
}
Result<abi::Values> MarketViews::orders(std::uint64_t before, std::uint64_t limit) const {
  return page(state_.order_count(), before, limit, [this](std::uint64_t id) { return order(id); });
}
Result<abi::Values> MarketViews::leases(std::uint64_t before, std::uint64_t limit) const {
  return page(state_.lease_count(), before, limit, [this](std::uint64_t id) { return lease(id); });
}

Result<abi::Values> MarketViews::orders_of(const Address& user, std::uint64_t before, std::uint64_t limit) const {
  const U64Array ids = state_.orders_of(user);
  // Ids rise: the first position whose id is not below `before`.
  std::uint64_t low = 0;
  std::uint64_t high = ids.size();
  while (before != 0 && low < high) {
    const std::uint64_t middle = low + (high - low) / 2;
    if (ids.at(middle) < before) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  abi::Values out;
  for (std::uint64_t i = high; i != 0 && out.size() < std::min(limit, kMaxPage); --i) {
    TRY_ASSIGN(const market::Order found, order(ids.at(i - 1)));
    out.push_back(to_value(found));
  }
  return market::one(abi::Value(std::move(out)));
}

Result<abi::Values> MarketViews::leases_of_order(std::uint64_t order_id) const {
  const U64Array ids = state_.leases_of(order_id);
  const std::uint64_t count = ids.size();
  abi::Values out;
  for (std::uint64_t i = count > kMaxLeases ? count - kMaxLeases : 0; i < count; ++i) {
    TRY_ASSIGN(const market::Lease found, lease(ids.at(i)));
    out.push_back(to_value(found));
  }
  return market::one(abi::Value(std::move(out)));
}

Result<abi::Values> MarketViews::live_leases_of(const Address& account) const {
  abi::Values out;
  if (const auto node = NodesState(state_.context()).known(account)) {
    const U64Array ids = state_.live_leases_of(*node);
    const std::uint64_t count = ids.size();
    for (std::uint64_t i = 0; i < count; ++i) {
      TRY_ASSIGN(const market::Lease found, lease(ids.at(i)));
      out.push_back(to_value(found));
    }
  }
  return market::one(abi::Value(std::move(out)));
}

Result<abi::Values> MarketViews::offers_of(const Address& account) const {
  abi::Values out;
  if (const auto node = NodesState(state_.context()).known(account)) {
    const Row row = state_.worker(*node);
    for (unsigned i = 0; i < kMaxOffersPerWorker; ++i) {
      const std::uint64_t id = row.get64(Row::element(worker_f::kOfferIds, i));
      if (id == 0) continue;
      TRY_ASSIGN(const market::Offer found, offer(id));
      out.push_back(to_value(found));
    }
  }
  return market::one(abi::Value(std::move(out)));
}

}  // namespace bonus::chain::contracts
