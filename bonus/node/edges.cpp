// Invitations, the exit and accepted networks, kept current by one task.
#include "bonus/node/edges.hpp"

#include <fmt/format.h>
#include <sodium.h>

#include <boost/json.hpp>

#include "bonus/base/log.hpp"

namespace bonus::node {

namespace json = boost::json;
namespace edge = net::edge;
namespace host = net::host;

namespace {

constexpr Duration kRefresh = std::chrono::seconds(10), kSoon = std::chrono::seconds(2);
/// IPv4 of clients that go to the Internet through this exit: shared address space (RFC 6598), seen by nobody outside.
constexpr std::string_view kClientPool = "100.96.0.0/16";

std::string base64(BytesView in) {
  std::string out(sodium_base64_ENCODED_LEN(in.size(), sodium_base64_VARIANT_ORIGINAL), '\0');
  sodium_bin2base64(out.data(), out.size(), in.data(), in.size(), sodium_base64_VARIANT_ORIGINAL);
  out.resize(out.size() - 1);  // the terminating zero
  return out;
}

}  // namespace

Result<std::unique_ptr<Edges>> Edges::open(Network& network, const Config& config, const Identity& identity,
                                           runtime::Disk& disk, const runtime::Clock& clock) {
  std::unique_ptr<Edges> out(new Edges(network, config, identity, clock));
  if (config.node.gateway) {
    TRY_ASSIGN(out->registry_,
               edge::InviteRegistry::open(disk, config.node.data_dir + "/invites.json", identity.node_key));
  }
  return out;
}

std::optional<net::Prefix> Edges::pool() const {
  if (!config_.net.exit) return std::nullopt;
  return net::parse_prefix(kClientPool).value();
}

bool Edges::may_invite(const Address& account) const {
  return account == identity_.account ||
         std::ranges::find(config_.net.invite_accounts, account) != config_.net.invite_accounts.end();
}

runtime::Task<> Edges::run() {
  if (config_.net.exit) {
    auto starting = network_.start_exit(config_.net.exit_private);
    if (const auto done = co_await std::move(starting); !done)
      log::error("net", "no_exit", {{"error", done.error().message}});
  }
  while (true) {
    apply();
    network_.expire_guests();
    auto accepting = accept_subnets();
    const bool complete = co_await std::move(accepting);
    auto pause = runtime::sleep_for(complete ? kRefresh : kSoon);
    if (!co_await std::move(pause)) co_return;
  }
}

void Edges::apply() {
  if (!registry_) return;
  std::vector<EdgeClient> clients;
  for (const auto& invite : registry_->list(clock_.unix_s())) {
    EdgeClient client;
    client.peer.key = invite.key;
    client.peer.preshared_key = invite.preshared_key;
    client.peer.allowed = registry_->allowed_of(invite);
    client.id = edge::client_id(invite.key);
    client.exit = invite.exit;
    clients.push_back(std::move(client));
  }
  if (auto done = network_.set_edge_clients(std::move(clients), pool()); !done)
    log::error("net", "clients_not_admitted", {{"error", done.error().message}});
}

/// Whether every rule has its network.
runtime::Task<bool> Edges::accept_subnets() {
  std::vector<edge::Announcement> announced;
  std::vector<NodeId> asked;
  for (const auto& [node, prefix] : config_.net.accept) {
    if (std::ranges::find(asked, node) != asked.end()) continue;
    asked.push_back(node);
    auto finding = network_.overlay().find(net::overlay_address(node));
    const auto record = co_await std::move(finding);
    if (!record) continue;
    for (const auto& subnet : record->subnets) announced.push_back({node, subnet, NodeId()});
  }
  const auto routes = edge::accepted_routes(config_.net.accept, announced, identity_.id, config_.net.subnets);
  network_.set_accepted_routes(routes);
  co_return routes.size() >= config_.net.accept.size();
}

json::object Edges::describe(const edge::Invite& invite, const std::string& gateway) const {
  return {{"name", invite.name},
          {"address", net::to_string(registry_->address_of(invite))},
          {"public_key", base64(invite.key)},
          {"gateway", gateway},
          {"exit", invite.exit},
          {"created", invite.created}};
}

runtime::Task<Result<json::object>> Edges::invite(edge::InviteRequest request) {
  if (!registry_)
    co_return fail(ErrorCode::kUnsupported,
                   "this node is no gateway: clients are invited where node.roles has \"gateway\"");
  if (request.exit && !config_.net.exit)
    co_return fail(ErrorCode::kConflict, "this gateway is no exit: set net.exit = true, or invite without --exit");
  if (request.key) {
    auto asking = network_.overlay().is_node_key(*request.key);
    if (co_await std::move(asking))
      co_return fail(ErrorCode::kExists, "the public key is that of a node: make another one with `wg genkey`");
  }
  edge::GatewaySettings settings;
  auto locating = network_.public_endpoint();
  CO_TRY_ASSIGN(settings.endpoint, co_await std::move(locating));
  CO_TRY_ASSIGN(const auto invitation, registry_->invite(request, pool(), clock_.unix_s()));
  settings.tunnel_key = network_.overlay().tunnel_key();
  settings.ipv4_pool = pool();
  auto text = registry_->config_of(invitation.invite, invitation.private_key, settings);
  if (!text) {
    std::ignore = registry_->revoke(request.name);
    co_return fail(std::move(text).error());
  }
  apply();
  json::object out = describe(invitation.invite, settings.endpoint);
  out["config"] = *text;
  co_return out;
}

runtime::Task<json::array> Edges::list() const {
  json::array out;
  if (!registry_) co_return out;
  auto locating = network_.public_endpoint();
  const auto gateway = co_await std::move(locating);
  const auto seen = network_.overlay().edge_activity();
  for (const auto& invite : registry_->list(clock_.unix_s())) {
    json::object one = describe(invite, gateway.value_or(""));
    const auto found = seen.find(invite.key);
    const bool active = found != seen.end() && found->second.last_handshake_s >= 0;
    one["last_handshake_s"] = active ? json::value(found->second.last_handshake_s) : json::value(nullptr);
    one["rx_bytes"] = found == seen.end() ? 0 : found->second.received_bytes;
    one["tx_bytes"] = found == seen.end() ? 0 : found->second.sent_bytes;
    out.push_back(std::move(one));
  }
  co_return out;
}

Result<> Edges::revoke(const std::string& name) {
  if (!registry_) return fail(ErrorCode::kUnsupported, "this node is no gateway");
  TRY(registry_->revoke(name));
  apply();
  return {};
}

}  // namespace bonus::node
