// The HTTP listeners of a node: JSON-RPC, local API, registry, gateway, monitoring.
#include <fmt/format.h>
#include <unistd.h>

#include <boost/json.hpp>

#include "bonus/base/log.hpp"
#include "bonus/node/node_impl.hpp"
#include "bonus/node/version.hpp"

namespace bonus::node {

namespace http = runtime::http;
namespace json = boost::json;
using runtime::Task;

namespace {

/// A head older than this many idle intervals (and at least half a minute): the chain stands still or we are cut off.
constexpr std::uint64_t kStaleIntervals = 6;
constexpr UnixSeconds kStaleSeconds = 30;

bool is_loopback(std::string_view peer) {
  return peer.starts_with("127.") || peer.starts_with("[::1]") || peer.starts_with("[::ffff:127.");
}

}  // namespace

Result<> Node::Impl::serve(const ListenAddress& where, std::string name, http::Handler handler, std::string& url,
                           std::size_t max_connections) {
  if (!where.enabled()) return {};
  http::ServerOptions options;
  options.address = where.host == "localhost" ? "127.0.0.1" : where.host;
  options.port = where.port;
  options.max_connections = max_connections;
  options.name = std::move(name);
  options.descriptor = network->machine().take(where.key);
  auto server = http::Server::listen(io.executor(), std::move(options), std::move(handler));
  if (!server)
    return fail(server.error().code, fmt::format("{}; change {} in the configuration (port 0: any free one)",
                                                 server.error().message, where.key));
  ListenAddress bound = where;
  bound.port = (*server)->port();
  // What listens everywhere is shown by the address that works on this machine.
  if (bound.host == "0.0.0.0") bound.host = "127.0.0.1";
  if (bound.host == "::") bound.host = "::1";
  {
    const std::scoped_lock guard(mutex);
    url = "http://" + bound.to_string();
  }
  servers.push_back(*std::move(server));
  return {};
}

Result<> Node::Impl::open_http() {
  // Objects first: requests come as soon as a listener is open, and /v1/status shows all of them.
  chain::rpc::RpcOptions rpc_options;
  rpc_options.client_version = fmt::format("BonusCloud/v{}", kVersion);
  rpc_options.cors_origin = config.rpc.cors;
  rpc_options.hosts = config.rpc.hosts;
  rpc_options.pool = &pool;
  rpc_options.metrics = &metrics;
  rpc_options.max_websockets = config.rpc.max_websockets;
  rpc_options.request_timeout = std::chrono::seconds(config.rpc.timeout_s);
  rpc_options.max_log_blocks = config.rpc.max_log_blocks;
  rpc_options.peer_count = [this] {
    std::size_t connected = 0;
    for (const auto& peer : transport->peers()) connected += transport->connected(peer.id) ? 1 : 0;
    return connected;
  };
  rpc_options.sync_status = [this]() -> std::optional<chain::rpc::SyncStatus> {
    const auto status = chain_status();
    if (!status.syncing) return std::nullopt;
    return chain::rpc::SyncStatus{0, status.height, status.sync_target};
  };
  rpc = std::make_unique<chain::rpc::RpcService>(*ledger, *mempool, rpc_options);
  if (auto done = serve(
          config.rpc.listen, "rpc", [this](http::Exchange& e) { return rpc->handle(e); }, urls.rpc,
          config.rpc.max_connections);
      !done)
    return done;

  std::vector<std::string> roles;
  if (config.node.bookkeeper) roles.emplace_back("bookkeeper");
  if (config.node.worker) roles.emplace_back("worker");
  if (config.node.gateway) roles.emplace_back("gateway");
  LocalApiParts parts{identity.id,
                      identity.account,
                      roles,
                      clock,
                      started,
                      *ledger,
                      *views,
                      *transport,
                      *blobs,
                      pool,
                      *routes,
                      *publisher,
                      *lease_client,
                      [this] {
                        const std::scoped_lock guard(mutex);
                        Endpoints out = urls;
                        return out;
                      },
                      [this] { return chain_status(); },
                      [this]() -> std::optional<market::AgentStatus> {
                        if (!worker_started) return std::nullopt;
                        return worker->status();
                      },
                      [this](http::Exchange& e) { return net_api->handle(e); }};
  net_api = std::make_unique<NetApi>(*network, *edges, clock);
  api = std::make_unique<LocalApi>(std::move(parts));

  if (config.node.gateway) {
    compute::oci::RegistryOptions registry_options;
    registry_options.state_dir = path("registry");
    // Pushing is for people on this machine; a web page (which sends Origin) is not one of them.
    registry_options.allow_push = [](const http::Request& request) {
      return is_loopback(request.peer) && !request.headers.get("Origin") && host_is_local(request);
    };
    auto opened = compute::oci::Registry::open(*blobs, pool, registry_options);
    if (!opened) return fail(std::move(opened).error().wrap("the registry"));
    registry = *std::move(opened);
    if (auto done = serve(
            config.registry, "registry", [this](http::Exchange& e) { return registry->handle(e); }, urls.registry);
        !done)
      return done;
    proxy = std::make_unique<net::gateway::GatewayProxy>(*directory);
    if (auto done = serve(
            config.gateway, "gateway", [this](http::Exchange& e) { return proxy->handle(e); }, urls.gateway);
        !done)
      return done;
  }
  if (auto done = serve(
          config.metrics, "metrics", [this](http::Exchange& e) { return monitor(e); }, urls.metrics);
      !done)
    return done;
  return serve(config.api, "api", [this](http::Exchange& e) { return api->handle(e); }, urls.api);
}

Result<> Node::Impl::ready() const {
  const auto status = chain_status();
  if (!status.halted.empty()) return fail(ErrorCode::kUnavailable, "the chain is halted: " + status.halted);
  if (status.syncing) return fail(ErrorCode::kUnavailable, fmt::format("catching up at block {}", status.height));
  const auto head = ledger->head();
  if (head.number == 0) return fail(ErrorCode::kUnavailable, "no block yet");
  const UnixSeconds limit = std::max(kStaleSeconds, kStaleIntervals * genesis.idle_interval_ms / 1000);
  const UnixSeconds now = clock.unix_s();
  if (head.timestamp + limit < now)
    return fail(ErrorCode::kUnavailable, fmt::format("block {} is {} s old", head.number, now - head.timestamp));
  return {};
}

Task<> Node::Impl::monitor(http::Exchange& exchange) {
  const std::string& where = exchange.request().path;
  int status = 200;
  std::string text;
  if (where == "/metrics") {
    const auto usage = blobs->usage();
    metrics.gauge("bonus_storage_blobs_count", "Blobs in the local store").set(static_cast<double>(usage.blobs));
    metrics.gauge("bonus_storage_used_bytes", "Bytes of the blobs in the local store")
        .set(static_cast<double>(usage.bytes));
    const auto waiting = mempool->stats();
    metrics.gauge("bonus_mempool_pending_transactions", "Transactions ready for a block")
        .set(static_cast<double>(waiting.pending));
    metrics.gauge("bonus_mempool_queued_transactions", "Transactions behind a gap")
        .set(static_cast<double>(waiting.queued));
    std::size_t connected = 0;
    for (const auto& peer : transport->peers()) connected += transport->connected(peer.id) ? 1 : 0;
    auto publishing = network->overlay().publish_metrics();
    co_await std::move(publishing);
    metrics.gauge("bonus_net_connected_peers", "Peers with a connection").set(static_cast<double>(connected));
    text = metrics.expose();
  } else if (where == "/healthz") {
    const auto chain_now = chain_status();
    if (!chain_now.halted.empty()) status = 503;
    text = status == 200 ? "ok\n" : "the chain is halted: " + chain_now.halted + "\n";
  } else if (where == "/readyz") {
    const auto is_ready = ready();
    if (!is_ready) status = 503;
    text = is_ready ? "ready\n" : is_ready.error().message + "\n";
  } else {
    status = 404;
    text = "/metrics, /healthz or /readyz\n";
  }
  const std::string type =
      where == "/metrics" ? "text/plain; version=0.0.4; charset=utf-8" : "text/plain; charset=utf-8";
  auto answer = http::respond_text(exchange, status, std::move(text), type);
  std::ignore = co_await std::move(answer);
}

Result<> Node::Impl::write_endpoints() {
  Endpoints now;
  {
    const std::scoped_lock guard(mutex);
    now = urls;
  }
  const json::object out{{"id", to_hex(identity.id.view())},
                         {"account", crypto::to_checksum(identity.account)},
                         {"pid", ::getpid()},
                         {"net", now.net},
                         {"rpc", now.rpc},
                         {"api", now.api},
                         {"registry", now.registry},
                         {"gateway", now.gateway},
                         {"metrics", now.metrics}};
  const std::string text = json::serialize(out) + "\n";
  auto written = disk.write_file(path("endpoints.json"), as_bytes(text));
  if (!written) return fail(std::move(written).error().wrap("endpoints.json"));
  wrote_endpoints = true;
  log::info("node", "ready",
            {{"net", now.net},
             {"rpc", now.rpc},
             {"api", now.api},
             {"registry", now.registry},
             {"gateway", now.gateway},
             {"metrics", now.metrics}});
  return {};
}

}  // namespace bonus::node
