// The state of the Market contract: rows by id, the queue of pending orders, the list of busy workers, regions.
#pragma once

#include <optional>
#include <string>

#include "bonus/chain/contracts/layout.hpp"

namespace bonus::chain::contracts {

inline constexpr std::uint32_t kMaxOpenOffers =
    65'536;  ///< In the whole book: bounds the work of preflight and matching.
inline constexpr std::uint32_t kMaxOffersPerWorker = 16;
inline constexpr std::uint32_t kMaxLeasesPerWorker = 256;  ///< The bound of liveLeasesOf.
inline constexpr unsigned kMaxReplicas = 64;

class MarketState {
 public:
  explicit MarketState(Context& context) : context_(&context) {}
  [[nodiscard]] Context& context() const { return *context_; }

  // Ids start at 1. Rows of ids that do not exist are all zero.
  [[nodiscard]] std::uint64_t offer_count() const { return length(market_layout::kOffers); }
  [[nodiscard]] std::uint64_t order_count() const { return length(market_layout::kOrders); }
  [[nodiscard]] std::uint64_t lease_count() const { return length(market_layout::kLeases); }
  [[nodiscard]] Row offer(std::uint64_t id) const;
  [[nodiscard]] Row order(std::uint64_t id) const;
  [[nodiscard]] Row lease(std::uint64_t id) const;
  [[nodiscard]] Row worker(std::uint32_t node) const;
  [[nodiscard]] std::uint64_t add_offer() const { return grow(market_layout::kOffers); }
  [[nodiscard]] std::uint64_t add_order() const { return grow(market_layout::kOrders); }
  [[nodiscard]] std::uint64_t add_lease() const { return grow(market_layout::kLeases); }
  void ensure_worker(std::uint32_t node) const;  ///< `workers` is long enough for it.
  [[nodiscard]] Row global() const { return {*context_, kMarketAddress, uint256()}; }
  [[nodiscard]] U64Array open_offers() const { return {*context_, kMarketAddress, uint256(market_layout::kOpen)}; }
  [[nodiscard]] U64Array orders_of(const Address& user) const;
  [[nodiscard]] U64Array leases_of(std::uint64_t order_id) const;
  [[nodiscard]] U64Array live_leases_of(std::uint32_t node) const;

  /// Something became better for waiting orders: offers, capacity or workers came (back). Those tried before are tried
  /// again.
  void book_changed() const;
  [[nodiscard]] std::uint64_t book_version() const;
  /// A worker silent for so long while idle gets no new leases (with leases the heartbeat timeout is far shorter).
  [[nodiscard]] bool stale(UnixSeconds last_heartbeat) const;

  // Pending orders: two lists, those that lost a replica first. An order is in at most one.
  enum class Queue : std::uint8_t { kNone, kNormal, kPriority };
  void enqueue(std::uint64_t order_id,
               Queue queue) const;  ///< Moves up from normal to priority; else stays where it is.
  void dequeue(std::uint64_t order_id) const;
  [[nodiscard]] std::uint64_t queue_head(Queue queue) const;

  // Workers with live leases, longest silent first.
  void worker_busy(std::uint32_t node) const;  ///< Counts as alive from now.
  void worker_idle(std::uint32_t node) const;
  void on_heartbeat(std::uint32_t node) const;
  [[nodiscard]] std::optional<std::uint32_t> longest_silent() const;

  /// Position + 1 in `regions`, which grows when the region is new; 0 for the empty region.
  [[nodiscard]] std::uint32_t intern_region(const std::string& region) const;
  [[nodiscard]] std::string region(std::uint32_t interned) const;

 private:
  [[nodiscard]] std::uint64_t length(std::uint64_t slot) const;
  [[nodiscard]] std::uint64_t grow(std::uint64_t slot) const;
  void unlink_busy(std::uint32_t node) const;
  void append_busy(std::uint32_t node) const;

  Context* context_;
};

}  // namespace bonus::chain::contracts
