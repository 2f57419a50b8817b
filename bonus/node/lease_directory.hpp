// Where orders and leases lead now: the gateway's LeaseResolver over the market's views, cached per head.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bonus/net/api/gateway.hpp"
#include "bonus/node/lease_client.hpp"
#include "bonus/node/market_views.hpp"
#include "bonus/node/route_table.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::node {

/// Thread-safe. The references must outlive it.
class LeaseDirectory final : public net::LeaseResolver {
 public:
  LeaseDirectory(const MarketViews& views, const RouteTable& routes, LeaseClient& client, const runtime::Clock& clock);
  ~LeaseDirectory() override;

  /// A lease id, "lease-<id>", "order-<id>" or the name of a route. Of an order it is a running replica in turn; those
  /// that could not be reached just now come last.
  [[nodiscard]] runtime::Task<Result<net::LeaseTarget>> find(std::string name) override;
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(net::LeaseTarget target,
                                                                                 std::uint16_t port) override;
  /// The synchronous part of find().
  [[nodiscard]] Result<net::LeaseTarget> resolve(const std::string& name);
  [[nodiscard]] Result<net::LeaseTarget> resolve_order(std::uint64_t order);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::node
