// A whole node: opens everything in order, runs until it is told to stop, closes everything in reverse order.
#pragma once

#include <functional>
#include <memory>

#include "bonus/chain/api/types.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/local_api.hpp"
#include "bonus/node/underlay.hpp"

namespace bonus::node {

/// The longest that stop() takes; then the process ends without waiting for what hangs.
inline constexpr Duration kStopLimit = std::chrono::seconds(10);

class Node {
 public:
  /// Blocking. Errors name the configuration key or file to look at. `underlay` was prepared while the process had one
  /// thread. `on_halt` is called (from another thread) when the chain cannot go on.
  [[nodiscard]] static Result<std::unique_ptr<Node>> start(const Config& config, Identity identity, Underlay underlay,
                                                           std::function<void(Error)> on_halt);
  /// Stops.
  ~Node();
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;

  /// Containers go on running and are adopted by the next start. Blocking; not from a thread of the node.
  void stop();
  [[nodiscard]] Endpoints endpoints() const;

 private:
  struct Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// `bonusd verify`: opens the ledger of a node that is stopped and checks all of it (chain::ledger::verify_ledger). The
/// head when it is whole; kNotFound when there is none, kConflict while the node runs.
[[nodiscard]] Result<chain::Header> verify_stores(const Config& config);

}  // namespace bonus::node
