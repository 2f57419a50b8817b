// Reading the book, feasibility and candidates.
#include "bonus/chain/contracts/book.hpp"

#include <algorithm>

#include "bonus/chain/contracts/weights.hpp"

namespace bonus::chain::contracts {
namespace offer_f = market_layout::offer;
namespace worker_f = market_layout::worker;
namespace node_f = nodes_layout;

Wanted wanted_from(const market::OrderSpec& spec, const uint256& deposit) {
  return {.resources = spec.resources,
          .runtime = spec.runtime,
          .min_tier = spec.min_tier,
          .region = spec.region,
          .max_price = spec.max_price_per_second,
          .escrow = deposit,
          .committed = {},
          .replicas = spec.replicas,
          .distinct = spec.distinct_operators,
          .operators = {},
          .avoid_node = UINT32_MAX,
          .cheap = spec.weight_cheap,
          .quality = spec.weight_quality,
          .near = spec.weight_near};
}

uint256 price_of(const BookOffer& offer, const market::Resources& resources) {
  if (offer.narrow) return from_wide(narrow_price(offer, resources));
  // Below 2^32 * 2^128 * 3: no overflow.
  return from_wide(offer.cpu) * uint256(std::uint64_t{resources.cpu_millis}) +
         from_wide(offer.memory) * uint256(std::uint64_t{resources.memory_mib}) +
         from_wide(offer.disk) * uint256(std::uint64_t{resources.disk_mib});
}

Book Book::load(const MarketState& state) {
  Context& context = state.context();
  const NodesState nodes(context);
  Book book;
  book.live_all_ = state.global().get32(market_layout::counters::kLive);
  constexpr std::uint32_t kUnusable = UINT32_MAX;
  std::unordered_map<std::uint32_t, std::uint32_t> positions;  // node -> position in workers_

  const auto worker_position = [&](std::uint32_t node) {
    const auto [found, fresh] = positions.try_emplace(node, kUnusable);
    if (!fresh) return found->second;
    const Row row = nodes.row(node);
    const uint256 hot = row.word(node_f::kHot);
    const uint256 worker = state.worker(node).word(worker_f::kLive.slot);
    const bool usable = extract64(hot, node_f::kRegisteredAt) != 0 && extract64(hot, node_f::kActive) != 0 &&
                        !state.stale(extract64(hot, node_f::kLastHeartbeat)) &&
                        extract64(worker, worker_f::kLive) < kMaxLeasesPerWorker;
    if (!usable) return kUnusable;
    BookWorker out{.node = node,
                   .live = static_cast<std::uint32_t>(extract64(worker, worker_f::kLive)),
                   .completed = static_cast<std::uint32_t>(extract64(worker, worker_f::kCompleted)),
                   .interruptions = static_cast<std::uint32_t>(extract64(hot, node_f::kInterruptions)),
                   .penalty_bps = static_cast<std::uint32_t>(extract64(hot, node_f::kPenaltyBps))};
    if (out.penalty_bps < 10'000) {
      out.penalty_bps = healed_bps(out.penalty_bps, row.get64(node_f::kPenaltyAt), context.now(),
                                   context.params().penalty_halflife_s);
    }
    found->second = static_cast<std::uint32_t>(book.workers_.size());
    book.workers_.push_back(out);
    return found->second;
  };

  const U64Array open = state.open_offers();
  const std::uint64_t count = open.size();
  book.offers_.reserve(count);
  for (std::uint64_t i = 0; i < count; ++i) {
    context.charge(gas::kOfferLook);
    if (i % 256 == 0 && context.exhausted()) break;
    const std::uint64_t id = open.at(i);
    const Row row = state.offer(id);
    const uint256 third = row.word(2);
    const std::uint64_t until = extract64(third, offer_f::kAvailableUntil);
    if (until != 0 && until <= context.now()) continue;
    const std::uint32_t worker = worker_position(row.get32(offer_f::kNode));
    if (worker == kUnusable) continue;
    const uint256 first = row.word(0);
    const uint256 second = row.word(1);
    const auto free = [&first](Field capacity, Field used) {
      return static_cast<std::uint32_t>(extract64(first, capacity) - extract64(first, used));
    };
    BookOffer offer{.id = id,
                    .worker = worker,
                    .region = static_cast<std::uint32_t>(extract64(third, offer_f::kRegion)),
                    .free = {free(offer_f::kCapCpu, offer_f::kUsedCpu), free(offer_f::kCapMemory, offer_f::kUsedMemory),
                             free(offer_f::kCapDisk, offer_f::kUsedDisk)},
                    .tier = static_cast<std::uint8_t>(extract64(first, offer_f::kTier)),
                    .runtimes = static_cast<std::uint8_t>(extract64(first, offer_f::kRuntimes)),
                    .cpu = to_wide(extract(second, offer_f::kPriceCpu)),
                    .memory = to_wide(extract(second, offer_f::kPriceMemory)),
                    .disk = to_wide(extract(third, offer_f::kPriceDisk))};
    offer.narrow = ((offer.cpu | offer.memory | offer.disk) >> 94) == 0;
    if (!book.regions_.contains(offer.region)) book.regions_.emplace(offer.region, state.region(offer.region));
    book.offers_.push_back(offer);
  }
  return book;
}

void Book::take(std::size_t position, const market::Resources& resources) {
  BookOffer& offer = offers_[position];
  offer.free.cpu_millis -= resources.cpu_millis;
  offer.free.memory_mib -= resources.memory_mib;
  offer.free.disk_mib -= resources.disk_mib;
  ++live_all_;
  BookWorker& worker = workers_[offer.worker];
  if (++worker.live < kMaxLeasesPerWorker) return;
  // Full: none of its offers can take more in this block.
  const std::uint32_t full = offer.worker;
  for (BookOffer& other : offers_) {
    if (other.worker == full) other.free = {};
  }
}

const std::string& Book::region_name(std::uint32_t region) const { return regions_.at(region); }

Book::Match Book::region_match(std::uint32_t region, const std::string& asked) const {
  const std::string& name = region_name(region);
  if (name == asked) return Match::kExact;
  if (asked.empty()) return Match::kWithin;
  return name.size() > asked.size() && name.starts_with(asked) && name[asked.size()] == '-' ? Match::kWithin
                                                                                            : Match::kNone;
}

// ---------------------------------------------------------------- feasibility

Fit::Fit(const Book& book, const Wanted& wanted) : book_(book), wanted_(wanted) {
  const uint256 reserved = wanted.committed * uint256(kMinPaidSeconds);
  const uint256 left = wanted.escrow > reserved ? wanted.escrow - reserved : uint256();
  affordable_ = left / uint256(kMinPaidSeconds * std::max(wanted.replicas, 1U));
  limit_ = to_wide(price_limit());
}

Book::Match Fit::region(const BookOffer& offer) const {
  if (offer.region >= regions_.size()) regions_.resize(std::size_t{offer.region} + 1);
  std::uint8_t& known = regions_[offer.region];
  if (known == 0)
    known = static_cast<std::uint8_t>(static_cast<unsigned>(book_.region_match(offer.region, wanted_.region)) + 1);
  return static_cast<Book::Match>(known - 1);
}

template <bool kAll>
unsigned Fit::test(const BookOffer& offer) const {
  unsigned out = 0;
  const auto fails = [&out](bool misfit, unsigned bit) {
    if (misfit) out |= bit;
    return misfit && !kAll;
  };
  const market::Resources& asked = wanted_.resources;
  if (fails(offer.free.cpu_millis < asked.cpu_millis, kCpu)) return out;
  if (fails(offer.free.memory_mib < asked.memory_mib, kMemory)) return out;
  if (fails(offer.free.disk_mib < asked.disk_mib, kDisk)) return out;
  if (fails(!wanted_.region.empty() && region(offer) == Book::Match::kNone, kRegion)) return out;
  if (fails(wanted_.min_tier > static_cast<int>(offer.tier), kTier)) return out;
  if (fails(((offer.runtimes >> wanted_.runtime) & 1U) == 0, kRuntime)) return out;
  const std::uint32_t node = book_.worker_of(offer).node;
  const bool taken = node == wanted_.avoid_node ||
                     (wanted_.distinct && std::ranges::find(wanted_.operators, node) != wanted_.operators.end());
  if (fails(taken, kOperators)) return out;
  if constexpr (!kAll) {
    if (wanted_.escrow.is_zero()) return kDeposit;
    if (offer.narrow) return narrow_price(offer, asked) > limit_ ? kPrice : 0;
  }
  const uint256 price = price_of(offer, asked);
  if (fails(price > wanted_.max_price, kPrice)) return out;
  if (fails(price > affordable_ || wanted_.escrow.is_zero(), kDeposit)) return out;
  return out;
}

unsigned Fit::misfits(const BookOffer& offer) const { return test<true>(offer); }

bool Fit::feasible(const BookOffer& offer) const { return test<false>(offer) == 0; }

std::vector<Candidate> candidates(const Book& book, const Wanted& wanted) {
  const Fit fit(book, wanted);
  std::vector<Candidate> out;
  std::vector<std::uint32_t> offers_of_worker(book.worker_count());
  const std::vector<BookOffer>& offers = book.offers();
  uint256 lowest = ~uint256();
  for (std::size_t i = 0; i < offers.size(); ++i) {
    if (!fit.feasible(offers[i])) continue;
    out.push_back({.position = i, .weight = 0, .price = price_of(offers[i], wanted.resources)});
    lowest = std::min(lowest, out.back().price);
    ++offers_of_worker[offers[i].worker];
  }
  for (Candidate& candidate : out) {
    const BookOffer& offer = offers[candidate.position];
    const BookWorker& worker = book.worker_of(offer);
    candidate.weight = draw_weight({.price = candidate.price,
                                    .lowest_price = lowest,
                                    .completed = worker.completed,
                                    .interruptions = worker.interruptions,
                                    .live = worker.live,
                                    .live_all = book.live_all(),
                                    .penalty_bps = worker.penalty_bps,
                                    .offers_of_worker = offers_of_worker[offer.worker],
                                    .tier = offer.tier,
                                    .exact_region = !wanted.region.empty() && fit.region(offer) == Book::Match::kExact,
                                    .cheap = wanted.cheap,
                                    .quality = wanted.quality,
                                    .near = wanted.near});
  }
  return out;
}

}  // namespace bonus::chain::contracts
