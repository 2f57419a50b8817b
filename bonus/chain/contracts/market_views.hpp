// Reading offers, orders and leases back as values, one by one and in pages.
#pragma once

#include "bonus/chain/api/market.hpp"
#include "bonus/chain/contracts/market_state.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::contracts {

class MarketViews {
 public:
  explicit MarketViews(const MarketState& state) : state_(state) {}
  [[nodiscard]] Result<market::Offer> offer(std::uint64_t id) const;
  [[nodiscard]] Result<market::Order> order(std::uint64_t id) const;
  [[nodiscard]] Result<market::Lease> lease(std::uint64_t id) const;
  /// Newest first, ids below `before` (0: from the newest), at most 64.
  [[nodiscard]] Result<abi::Values> offers(std::uint64_t before, std::uint64_t limit) const;
  [[nodiscard]] Result<abi::Values> orders(std::uint64_t before, std::uint64_t limit) const;
  [[nodiscard]] Result<abi::Values> leases(std::uint64_t before, std::uint64_t limit) const;
  [[nodiscard]] Result<abi::Values> orders_of(const Address& user, std::uint64_t before, std::uint64_t limit) const;
  /// The last 256, oldest of them first.
  [[nodiscard]] Result<abi::Values> leases_of_order(std::uint64_t order_id) const;
  [[nodiscard]] Result<abi::Values> live_leases_of(const Address& worker) const;
  [[nodiscard]] Result<abi::Values> offers_of(const Address& worker) const;

 private:
  const MarketState& state_;
};

/// kInvalid ("no such offer 7") when the id does not exist.
[[nodiscard]] Result<std::uint64_t> existing_offer(const MarketState& state, const uint256& id);
[[nodiscard]] Result<std::uint64_t> existing_order(const MarketState& state, const uint256& id);
[[nodiscard]] Result<std::uint64_t> existing_lease(const MarketState& state, const uint256& id);

}  // namespace bonus::chain::contracts
