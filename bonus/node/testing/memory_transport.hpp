// net/api inside one process: every node's Transport hangs on one MemoryNetwork, which can cut nodes off.
#pragma once

#include <memory>

#include "bonus/net/api/transport.hpp"

namespace bonus::node::testing {

/// Thread-safe. Transports may outlive it; they are cut off then.
class MemoryNetwork {
 public:
  MemoryNetwork();
  ~MemoryNetwork();
  MemoryNetwork(const MemoryNetwork&) = delete;
  MemoryNetwork& operator=(const MemoryNetwork&) = delete;

  /// A node's end. Its handlers run on `executor`. A node that comes back after a restart makes a new one under its old
  /// key.
  [[nodiscard]] std::unique_ptr<net::Transport> attach(const Ed25519PublicKey& key, runtime::Executor executor);
  /// While a node is cut off, notifications from and to it are lost, calls and streams fail with kUnavailable.
  void cut(const NodeId& id, bool off);
  /// Notifications delivered so far.
  [[nodiscard]] std::uint64_t delivered() const;

  struct State;

 private:
  std::shared_ptr<State> state_;  // shared with the transports, which may live longer
};

}  // namespace bonus::node::testing
