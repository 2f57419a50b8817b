// Containers of one node reach the Internet through an exit on another: "exit.attach" (docs/formats/node_services.md).
#pragma once

#include <memory>

#include "bonus/net/api/transport.hpp"
#include "bonus/node/network.hpp"

namespace bonus::node {

/// The exit's half; before transport.start(). Both must outlive the transport.
void serve_exit(net::Transport& transport, Network& network);

/// The other half: asks for addresses, and again and again, because an exit forgets who is silent.
class ExitUser {
 public:
  /// The references must outlive it; `network` asks it from now on when a container begins.
  ExitUser(Network& network, net::Transport& transport, const NodeId& exit, runtime::Executor executor);
  [[nodiscard]] runtime::Task<> run();

 private:
  [[nodiscard]] static runtime::Task<Result<>> refresh(Network& network, net::Transport& transport, NodeId exit);
  Network& network_;
  net::Transport& transport_;
  const NodeId exit_;
};

}  // namespace bonus::node
