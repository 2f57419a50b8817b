// /v1/net of the local API: what the node knows of BonusNet (docs/formats/local_api.md, "Network").
#pragma once

#include <string>

#include "bonus/node/edges.hpp"
#include "bonus/node/network.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::node {

/// Thread-safe. The references must outlive it.
class NetApi {
 public:
  NetApi(Network& network, Edges& edges, const runtime::Clock& clock)
      : network_(network), edges_(edges), clock_(clock) {}
  /// Requests below /v1/net/. An error is answered by the caller when nothing has been sent yet.
  [[nodiscard]] runtime::Task<Result<>> handle(runtime::http::Exchange& exchange);

 private:
  using Exchange = runtime::http::Exchange;
  using Reply = runtime::Task<Result<>>;
  struct Target {
    std::string text;
    net::Ipv6 address;
    std::string source;  ///< "node", "address", "name".
  };
  /// A node id (hexadecimal or base32; of nodes that we know the first twelve digits are enough), an overlay address,
  /// or a .bonus name by way of the node's own DNS server.
  [[nodiscard]] runtime::Task<Result<Target>> resolve(std::string text);
  /// Nothing: no such node. kConflict: several.
  [[nodiscard]] runtime::Task<Result<std::optional<NodeId>>> find_short_id(std::string digits);
  [[nodiscard]] Reply status(Exchange& exchange);
  [[nodiscard]] Reply peers(Exchange& exchange);
  [[nodiscard]] Reply map(Exchange& exchange);
  [[nodiscard]] Reply lookup(Exchange& exchange);
  [[nodiscard]] Reply path(Exchange& exchange);
  [[nodiscard]] Reply ping(Exchange& exchange);
  [[nodiscard]] Reply trace(Exchange& exchange);
  /// kDenied unless the request is signed by somebody who may invite.
  [[nodiscard]] Result<> check_signature(const runtime::http::Request& request) const;
  [[nodiscard]] Reply invite(Exchange& exchange);
  [[nodiscard]] Reply invites(Exchange& exchange);
  [[nodiscard]] Reply revoke(Exchange& exchange, std::string name);

  Network& network_;
  Edges& edges_;
  const runtime::Clock& clock_;
  /// Threads that wait for our own DNS server. It reads the ledger on the node's pool: were they that pool's, a few
  /// questions at once would wait for themselves.
  runtime::BlockingPool resolvers_{2, 256};
};

}  // namespace bonus::node
