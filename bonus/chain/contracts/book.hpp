// The order book in memory: all offers that can take a lease now, read from storage once per use, and the one
// feasibility test that preflight, matching and explanations share.
#pragma once

#include <algorithm>
#include <unordered_map>
#include <vector>

#include "bonus/chain/api/market.hpp"
#include "bonus/chain/contracts/market_state.hpp"
#include "bonus/chain/contracts/nodes_state.hpp"

namespace bonus::chain::contracts {

inline constexpr std::uint64_t kMinPaidSeconds = 10;  ///< A deposit must keep the replicas running for so long.

/// Why an offer does not fit: bits, in the order in which ties are reported.
enum Misfit : unsigned {
  kCpu = 1U << 0,
  kMemory = 1U << 1,
  kDisk = 1U << 2,
  kRegion = 1U << 3,
  kTier = 1U << 4,
  kRuntime = 1U << 5,
  kPrice = 1U << 6,
  kOperators = 1U << 7,
  kDeposit = 1U << 8
};

using Wide = unsigned __int128;
[[nodiscard]] constexpr Wide to_wide(const uint256& value) { return Wide{value.limb[1]} << 64 | value.limb[0]; }
[[nodiscard]] constexpr uint256 from_wide(Wide value) {
  return {0, 0, static_cast<std::uint64_t>(value >> 64), static_cast<std::uint64_t>(value)};
}

struct BookWorker {
  std::uint32_t node = 0;
  std::uint32_t live = 0, completed = 0, interruptions = 0, penalty_bps = 10'000;
};
struct BookOffer {
  std::uint64_t id = 0;
  std::uint32_t worker = 0;  ///< Position in workers().
  std::uint32_t region = 0;  ///< Interned.
  market::Resources free;
  std::uint8_t tier = 0, runtimes = 0;
  Wide cpu = 0, memory = 0, disk = 0;  ///< Prices of a unit and second.
  bool narrow = true;                  ///< Each below 2^94: the price of any resources fits 128 bits.
};

/// What one replica of an order asks for.
struct Wanted {
  market::Resources resources;
  std::uint8_t runtime = 0;
  std::int8_t min_tier = -1;
  std::string region;
  uint256 max_price;
  /// The escrow must cover kMinPaidSeconds of `committed` (rate of the replicas that run) and `replicas` new ones.
  uint256 escrow, committed;
  std::uint32_t replicas = 1;
  bool distinct = false;
  std::vector<std::uint32_t> operators;   ///< Nodes that have a replica of the order already (only read when distinct).
  std::uint32_t avoid_node = UINT32_MAX;  ///< Lost a replica in this block.
  std::uint8_t cheap = 50, quality = 50, near = 0;
};
[[nodiscard]] Wanted wanted_from(const market::OrderSpec& spec, const uint256& deposit);

[[nodiscard]] uint256 price_of(const BookOffer& offer, const market::Resources& resources);
/// The same for a narrow offer.
[[nodiscard]] constexpr Wide narrow_price(const BookOffer& offer, const market::Resources& resources) {
  return offer.cpu * resources.cpu_millis + offer.memory * resources.memory_mib + offer.disk * resources.disk_mib;
}

class Book {
 public:
  /// Offers that are open, not past their time, of a worker that is active, not stale and below its lease bound. Stops
  /// early when the gas is used up (the caller asks Context::exhausted()).
  static Book load(const MarketState& state);
  [[nodiscard]] const std::vector<BookOffer>& offers() const { return offers_; }
  [[nodiscard]] const BookWorker& worker_of(const BookOffer& offer) const { return workers_[offer.worker]; }
  /// An offer took a lease.
  void take(std::size_t position, const market::Resources& resources);
  /// The region's relation to the one asked for: none, within it ("cn" contains "cn-shanghai"), the very same.
  enum class Match : std::uint8_t { kNone, kWithin, kExact };
  [[nodiscard]] Match region_match(std::uint32_t region, const std::string& asked) const;
  [[nodiscard]] const std::string& region_name(std::uint32_t region) const;
  [[nodiscard]] std::size_t worker_count() const { return workers_.size(); }
  [[nodiscard]] std::uint32_t live_all() const { return live_all_; }

 private:
  std::vector<BookOffer> offers_;
  std::vector<BookWorker> workers_;
  std::unordered_map<std::uint32_t, std::string> regions_;  // looked up only: iteration order never matters
  std::uint32_t live_all_ = 0;
};

/// Feasibility of one order against a book.
class Fit {
 public:
  Fit(const Book& book, const Wanted& wanted);
  /// All misfits of the offer; 0: feasible.
  [[nodiscard]] unsigned misfits(const BookOffer& offer) const;
  [[nodiscard]] bool feasible(const BookOffer& offer) const;
  [[nodiscard]] Book::Match region(const BookOffer& offer) const;
  /// The highest price that neither the bid nor the escrow forbids.
  [[nodiscard]] uint256 price_limit() const { return std::min(wanted_.max_price, affordable_); }

 private:
  /// Stops at the first misfit unless `kAll`.
  template <bool kAll>
  [[nodiscard]] unsigned test(const BookOffer& offer) const;
  const Book& book_;
  const Wanted& wanted_;
  Wide limit_ = 0;                             ///< price_limit(), which is below 2^128 as every bid is.
  uint256 affordable_;                         ///< The highest price per replica that the escrow allows.
  mutable std::vector<std::uint8_t> regions_;  ///< Of this order, by interned region: 0 not known yet, else Match + 1.
};

/// Number of feasible offers, their mean price over the draw weights, or the smallest single change that would give
/// one.
[[nodiscard]] market::Explanation explain(const Book& book, const Wanted& wanted);

/// Draw weight of every feasible offer (position in book.offers(), weight).
struct Candidate {
  std::size_t position = 0;
  std::uint64_t weight = 0;
  uint256 price;
};
[[nodiscard]] std::vector<Candidate> candidates(const Book& book, const Wanted& wanted);

}  // namespace bonus::chain::contracts
