// Questions to the Nodes and Market contracts, answered from the ledger's head.
#pragma once

#include <vector>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/market.hpp"

namespace bonus::node {

/// Thread-safe as the ledger is. kNotFound: there is no such order, lease or node.
class MarketViews {
 public:
  explicit MarketViews(const chain::LedgerReader& ledger) : ledger_(ledger) {}
  [[nodiscard]] Result<chain::market::Node> node_of(const Address& account,
                                                    std::uint64_t block) const;  ///< `account` zero: not registered.
  [[nodiscard]] Result<std::vector<chain::market::Node>> nodes(std::uint64_t block) const;  ///< At most 4096.
  [[nodiscard]] Result<std::vector<chain::market::Offer>> offers_of(const Address& worker, std::uint64_t block) const;
  [[nodiscard]] Result<std::vector<chain::market::Lease>> live_leases_of(const Address& worker,
                                                                         std::uint64_t block) const;
  [[nodiscard]] Result<std::vector<chain::market::Lease>> leases_of_order(std::uint64_t order,
                                                                          std::uint64_t block) const;
  [[nodiscard]] Result<chain::market::Order> order(std::uint64_t id, std::uint64_t block) const;
  [[nodiscard]] Result<chain::market::Lease> lease(std::uint64_t id, std::uint64_t block) const;
  [[nodiscard]] std::uint64_t head() const { return ledger_.head().number; }

 private:
  [[nodiscard]] Result<Bytes> view(const Address& contract, Bytes data, std::uint64_t block) const;
  const chain::LedgerReader& ledger_;
};

}  // namespace bonus::node
