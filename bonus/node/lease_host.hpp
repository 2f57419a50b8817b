// The worker's end of the lease services: connections, logs, exec and state of containers, for those who may have them.
#pragma once

#include <memory>

#include "bonus/chain/api/market.hpp"
#include "bonus/compute/api/containers.hpp"
#include "bonus/net/api/transport.hpp"
#include "bonus/node/lease_protocol.hpp"
#include "bonus/node/market_views.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::node {

/// "lease-42".
[[nodiscard]] std::string container_name(std::uint64_t lease);

/// Thread-safe: every request runs on a strand of its own. The references must outlive it.
class LeaseHost {
 public:
  LeaseHost(compute::Containers& containers, const MarketViews& views, const runtime::Clock& clock, const NodeId& self);

  /// Registers the lease services: before transport.start().
  void serve(net::Transport& transport);
  /// Serves one stream to its end. `logs` ends when the reader goes away.
  [[nodiscard]] runtime::Task<> handle(LeaseService service, Bytes header, std::unique_ptr<runtime::ByteStream> stream);
  /// Answers "lease.inspect": the JSON of GET /v1/leases/<id>.
  [[nodiscard]] runtime::Task<Result<Bytes>> inspect(Bytes header);

 private:
  struct Admitted {
    LeaseRequest request;
    chain::market::Lease lease;
  };
  /// The lease must run here; the user of the lease must have signed, except for connecting to a published port.
  [[nodiscard]] Result<Admitted> admit(LeaseService service, const Bytes& header) const;
  [[nodiscard]] runtime::Task<> connect(Admitted admitted, std::unique_ptr<runtime::ByteStream> stream);
  [[nodiscard]] runtime::Task<> logs(Admitted admitted, std::shared_ptr<runtime::ByteStream> stream);
  [[nodiscard]] runtime::Task<> exec(Admitted admitted, std::shared_ptr<runtime::ByteStream> stream);

  compute::Containers& containers_;
  const MarketViews& views_;
  const runtime::Clock& clock_;
  NodeId self_;
};

}  // namespace bonus::node
