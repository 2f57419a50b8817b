// The node's local API (docs/formats/local_api.md): status, blobs, leases, routes.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/market/lease_agent.hpp"
#include "bonus/node/chain_shell.hpp"
#include "bonus/node/lease_client.hpp"
#include "bonus/node/lease_directory.hpp"
#include "bonus/node/publisher.hpp"
#include "bonus/runtime/http/http.hpp"
#include "bonus/storage/api/blob_store.hpp"

namespace bonus::node {

/// Full URLs of this node's listeners; empty: not served.
struct Endpoints {
  std::string net;  ///< host:port
  std::string rpc, api, registry, gateway, metrics;
};

/// What the API shows and uses; all of it must outlive the API.
struct LocalApiParts {
  NodeId id;
  Address account;
  std::vector<std::string> roles;
  const runtime::Clock& clock;
  Instant started;
  chain::LedgerReader& ledger;
  const MarketViews& views;
  net::Transport& transport;
  storage::BlobStore& blobs;
  runtime::BlockingPool& pool;
  RouteTable& routes;
  Publisher& publisher;
  LeaseClient& leases;
  std::function<Endpoints()> endpoints;
  std::function<ChainStatus()> chain;
  std::function<std::optional<market::AgentStatus>()> worker;  ///< Nothing on a node that is no worker.
  /// Serves /v1/net/; empty: 503.
  std::function<runtime::Task<Result<>>(runtime::http::Exchange&)> net;
};

/// Thread-safe.
class LocalApi {
 public:
  explicit LocalApi(LocalApiParts parts) : parts_(std::move(parts)) {}
  /// Suitable as an http::Handler; must outlive its requests.
  [[nodiscard]] runtime::Task<> handle(runtime::http::Exchange& exchange);

 private:
  using Exchange = runtime::http::Exchange;
  using Reply = runtime::Task<Result<>>;  ///< An error is answered as JSON when nothing has been sent yet.
  [[nodiscard]] Reply dispatch(Exchange& exchange);
  [[nodiscard]] Reply status(Exchange& exchange);
  [[nodiscard]] Reply peers(Exchange& exchange);
  [[nodiscard]] Reply put_blob(Exchange& exchange);
  [[nodiscard]] Reply get_blob(Exchange& exchange, std::string digest);
  // Leases (local_api_leases.cpp).
  struct LeasePath {
    LeaseService service = LeaseService::kInspect;
    LeaseRequest request;
  };
  [[nodiscard]] static Result<LeasePath> parse_lease_path(const runtime::http::Request& request);
  [[nodiscard]] Reply lease(Exchange& exchange);
  [[nodiscard]] Reply lease_logs(Exchange& exchange, std::shared_ptr<runtime::ByteStream> stream);
  [[nodiscard]] Reply lease_exec(Exchange& exchange, std::shared_ptr<runtime::ByteStream> stream);
  [[nodiscard]] Reply lease_connect(Exchange& exchange, std::unique_ptr<runtime::ByteStream> stream);
  // Routes (local_api_routes.cpp).
  [[nodiscard]] Reply add_route(Exchange& exchange);
  [[nodiscard]] Reply list_routes(Exchange& exchange);
  [[nodiscard]] Reply delete_route(Exchange& exchange, std::string name);

  LocalApiParts parts_;
};

/// {"error": {"code": ..., "message": ...}} and its HTTP status.
[[nodiscard]] int http_status(ErrorCode code);
[[nodiscard]] std::string error_json(const Error& error);
/// The Host header names an address or localhost: a web page that rebinds its own name to this machine is refused.
[[nodiscard]] bool host_is_local(const runtime::http::Request& request);
/// A browser says that a page of another origin sent it (Origin of RFC 6454, Sec-Fetch-Site of Fetch Metadata): such a
/// page cannot read the answer, but what asking alone does is not for it either.
[[nodiscard]] bool is_of_foreign_page(const runtime::http::Request& request);

}  // namespace bonus::node
