// Reaching a lease wherever it runs: on this node directly, elsewhere through the node-to-node services.
#pragma once

#include <memory>

#include "bonus/net/api/transport.hpp"
#include "bonus/node/lease_host.hpp"
#include "bonus/node/lease_protocol.hpp"

namespace bonus::node {

/// Thread-safe. `host` is null on a node that is no worker. The references must outlive it.
class LeaseClient {
 public:
  LeaseClient(net::Transport& transport, LeaseHost* host) : transport_(transport), host_(host) {}

  /// An admitted stream: the worker has agreed. Belongs to the caller's executor.
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open(NodeId worker, LeaseService service,
                                                                                 LeaseRequest request);
  [[nodiscard]] runtime::Task<Result<Bytes>> inspect(NodeId worker, LeaseRequest request);

 private:
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open_raw(NodeId worker,
                                                                                     LeaseService service,
                                                                                     Bytes header);
  net::Transport& transport_;
  LeaseHost* host_;
};

}  // namespace bonus::node
