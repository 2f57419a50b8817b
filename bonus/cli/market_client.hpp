// Views of the Nodes and Market contracts as values.
#pragma once

#include <vector>

#include "bonus/chain/api/market.hpp"
#include "bonus/cli/rpc_client.hpp"

namespace bonus::cli {

/// Lists are newest first, at most `limit`; the contract's pages are followed.
class MarketClient {
 public:
  explicit MarketClient(RpcClient& rpc) : rpc_(rpc) {}

  [[nodiscard]] Result<chain::market::Explanation> preflight(const chain::market::OrderSpec& spec,
                                                             const uint256& deposit, const Address& user);
  [[nodiscard]] Result<chain::market::Offer> offer(std::uint64_t id);  ///< kNotFound.
  [[nodiscard]] Result<chain::market::Order> order(std::uint64_t id);
  [[nodiscard]] Result<chain::market::Lease> lease(std::uint64_t id);
  [[nodiscard]] Result<std::vector<chain::market::Offer>> offers(std::size_t limit);
  [[nodiscard]] Result<std::vector<chain::market::Order>> orders(std::size_t limit);
  [[nodiscard]] Result<std::vector<chain::market::Lease>> leases(std::size_t limit);
  [[nodiscard]] Result<std::vector<chain::market::Order>> orders_of(const Address& user, std::size_t limit);
  [[nodiscard]] Result<std::vector<chain::market::Lease>> leases_of(std::uint64_t order);
  [[nodiscard]] Result<std::vector<chain::market::Offer>> offers_of(const Address& worker);
  [[nodiscard]] Result<chain::market::decode::Split> accrued(std::uint64_t lease);
  [[nodiscard]] Result<std::uint64_t> seconds_left(std::uint64_t order);
  [[nodiscard]] Result<std::vector<chain::market::Node>> nodes(std::size_t limit);

 private:
  [[nodiscard]] Result<Bytes> market(BytesView data);

  RpcClient& rpc_;
};

}  // namespace bonus::cli
