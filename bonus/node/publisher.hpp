// Local ports that lead to orders: http://127.0.0.1:8080 goes on working when the order moves to another worker.
#pragma once

#include <memory>

#include "bonus/base/metrics.hpp"
#include "bonus/node/lease_directory.hpp"
#include "bonus/node/route_table.hpp"

namespace bonus::node {

/// Thread-safe. Owns the listeners of the routes in the table; the references must outlive it.
class Publisher {
 public:
  /// Runs work where ports of the machine are opened; empty: right here.
  using InMachine = std::function<Result<>(const std::function<Result<>()>& work)>;
  Publisher(runtime::Executor executor, RouteTable& routes, LeaseDirectory& directory, const MarketViews& views,
            Metrics& metrics, InMachine in_machine = {});
  /// Stops.
  ~Publisher();
  Publisher(const Publisher&) = delete;
  Publisher& operator=(const Publisher&) = delete;

  /// Opens what the table says, and keeps trying where a port is in use.
  void start();
  /// Adds a route: kConflict when a port is in use, kExists when its name is taken. A listen port of 0 is chosen here;
  /// what was opened is in the result.
  [[nodiscard]] runtime::Task<Result<Route>> publish(Route route);
  /// kNotFound.
  [[nodiscard]] runtime::Task<Result<>> remove(std::string name);
  /// Takes away routes whose orders have ended.
  [[nodiscard]] runtime::Task<> sweep();
  [[nodiscard]] runtime::Task<> stop();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with connections
};

}  // namespace bonus::node
