// `bonus market` and `bonus node`: what is for rent, what is rented, by whom.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/order_options.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;

template <class Item>
void print_json(Console& console, std::string_view name, const std::vector<Item>& items) {
  json::array out;
  for (const auto& item : items) out.push_back(to_json(item));
  console.print(pretty(json::object{{name, std::move(out)}}));
}

Result<int> offers(Session& session, std::size_t limit, bool all) {
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(auto found, client->offers(limit));
  if (!all) std::erase_if(found, [](const market::Offer& offer) { return !offer.active; });
  Console& console = session.console();
  if (console.json()) {
    print_json(console, "offers", found);
    return kExitOk;
  }
  Table table({"OFFER", "WORKER", "TIER", "REGION", "FREE (CPU MEM DISK)", "CORE/H", "GIB/H", "LEASES", "STATE"});
  for (const auto& offer : found) {
    const auto& has = offer.spec.capacity;
    const market::Resources free{has.cpu_millis - std::min(has.cpu_millis, offer.used.cpu_millis),
                                 has.memory_mib - std::min(has.memory_mib, offer.used.memory_mib),
                                 has.disk_mib - std::min(has.disk_mib, offer.used.disk_mib)};
    table.add({std::to_string(offer.id), short_address(offer.worker), tier_text(offer.spec.tier), offer.spec.region,
               resources_text(free), price_per_hour(offer.spec.prices.cpu * uint256(1000)),
               price_per_hour(offer.spec.prices.memory * uint256(1024)), std::to_string(offer.running_leases),
               offer.active ? "active" : "closed"});
  }
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> orders(Session& session, std::size_t limit) {
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto found, client->orders(limit));
  Console& console = session.console();
  if (console.json()) {
    print_json(console, "orders", found);
    return kExitOk;
  }
  Table table({"ORDER", "USER", "IMAGE", "WANTS (CPU MEM DISK)", "REPLICAS", "AT MOST", "LEFT", "STATE"});
  for (const auto& order : found)
    table.add({std::to_string(order.id), short_address(order.user), printable(order.spec.image),
               resources_text(order.spec.resources), fmt::format("{}/{}", order.live_replicas, order.spec.replicas),
               price_per_hour(order.spec.max_price_per_second), short_bnc(order.escrow) + " BNC",
               std::string(to_string(order.state))});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> leases(Session& session, std::size_t limit) {
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto found, client->leases(limit));
  Console& console = session.console();
  if (console.json()) {
    print_json(console, "leases", found);
    return kExitOk;
  }
  const UnixSeconds now = runtime::system_clock().unix_s();
  Table table({"LEASE", "ORDER", "USER", "WORKER", "PRICE", "PAID", "AGE", "STATE"});
  for (const auto& lease : found)
    table.add({std::to_string(lease.id), std::to_string(lease.order_id), short_address(lease.user),
               short_address(lease.worker), price_per_hour(lease.price_per_second),
               short_bnc(lease.paid_total) + " BNC", age(lease.matched_at, now),
               lease.state == market::LeaseState::kEnded ? fmt::format("ended: {}", to_string(lease.reason))
                                                         : std::string(to_string(lease.state))});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> explain(Session& session, const OrderOptions& options) {
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(auto spec, order_spec(options));
  Address user;
  if (const auto wallet = session.wallet()) user = wallet->address;
  spec.max_price_per_second = TRY(max_price_of(options));
  TRY_ASSIGN(const uint256 deposit, deposit_of(options, uint256()));
  TRY_ASSIGN(const auto found, preflight(*client, spec, deposit, user));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(to_json(found)));
  } else {
    console.print(explanation_text(found, spec));
  }
  return kExitOk;
}

Result<int> node_status(Session& session) {
  TRY_ASSIGN(const auto base, session.node_url());
  ApiRequest request;
  request.url = base + "/v1/status";
  TRY_ASSIGN(const auto status, api_call(request));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(status));
    return kExitOk;
  }
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) console.print(fmt::format("{:<12}{}", name, printable(value)));
  };
  const json::value& chain = json_member(status, "chain");
  const json::value& storage = json_member(status, "storage");
  std::string roles;
  if (const auto* list = json_member(status, "roles").if_array(); list != nullptr)
    for (const auto& role : *list)
      if (role.is_string()) roles += (roles.empty() ? "" : ", ") + std::string(role.get_string());
  line("node", json_text(status, "id"));
  line("account", json_text(status, "account"));
  line("version", json_text(status, "version"));
  line("roles", roles);
  line("chain", fmt::format("{} ({}), height {}, {} peers{}", json_text(chain, "name"), json_number(chain, "id"),
                            json_number(chain, "height"), json_number(chain, "peers"),
                            json_flag(chain, "syncing") ? ", catching up" : ""));
  line("block", fmt::format("{}  {}", utc_text(json_number(chain, "timestamp")), json_text(chain, "hash")));
  const json::value& worker = json_member(status, "worker");
  if (worker.is_object())
    line("worker", fmt::format("offer {}, {} leases, {} containers", json_number(worker, "offer"),
                               json_number(worker, "leases"), json_number(worker, "containers")));
  line("storage",
       fmt::format("{} blobs, {} of {}", json_number(storage, "blobs"), format_size(json_number(storage, "bytes")),
                   format_size(json_number(storage, "quota_bytes"))));
  for (const char* name : {"rpc", "api", "registry", "gateway"}) line(name, json_text(status, name));
  line("up", seconds_text(json_number(status, "uptime_s")));
  return kExitOk;
}

Result<int> node_peers(Session& session) {
  TRY_ASSIGN(const auto base, session.node_url());
  ApiRequest request;
  request.url = base + "/v1/peers";
  TRY_ASSIGN(const auto answer, api_call(request));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(answer));
    return kExitOk;
  }
  Table table({"NODE", "ENDPOINT", "STATE"});
  if (const auto* peers = json_member(answer, "peers").if_array(); peers != nullptr)
    for (const auto& peer : *peers)
      table.add({printable(json_text(peer, "id")).substr(0, 16), printable(json_text(peer, "endpoint")),
                 json_flag(peer, "connected") ? "connected" : "away"});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> node_list(Session& session) {
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto nodes, client->nodes(4096));
  Console& console = session.console();
  if (console.json()) {
    print_json(console, "nodes", nodes);
    return kExitOk;
  }
  const UnixSeconds now = runtime::system_clock().unix_s();
  Table table({"NODE", "ACCOUNT", "TIER", "REGION", "BOND", "HEARD", "BROKEN", "WEIGHT", "STATE"});
  for (const auto& node : nodes)
    table.add({short_hash(node.node_id), short_address(node.account), tier_text(node.tier), node.region,
               short_bnc(node.bond) + " BNC", age(node.last_heartbeat, now) + " ago",
               std::to_string(node.interruptions), fmt::format("{}%", node.penalty_bps / 100),
               node.active ? "active" : "left"});
  console.raw(table.to_string());
  return kExitOk;
}

}  // namespace

void add_market_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "market", "What is for rent and what is rented");
  const auto limit = std::make_shared<std::size_t>(50);
  const auto all = std::make_shared<bool>(false);
  const auto add_limit = [limit](CLI::App* leaf) {
    leaf->add_option("--limit", *limit, "At most so many, newest first")
        ->capture_default_str()
        ->check(CLI::Range(1, 100'000));
  };
  CLI::App* leaf = app.leaf(*group, "offers", "What workers offer",
                            [&session, limit, all] { return offers(session, *limit, *all); });
  add_limit(leaf);
  leaf->add_flag("-a,--all", *all, "Closed ones too");
  add_limit(app.leaf(*group, "orders", "What users asked for", [&session, limit] { return orders(session, *limit); }));
  add_limit(
      app.leaf(*group, "leases", "Who runs what for whom", [&session, limit] { return leases(session, *limit); }));

  const auto options = std::make_shared<OrderOptions>();
  leaf = app.leaf(*group, "explain", "What would match, at what price, or what stands in the way",
                  [&session, options] { return explain(session, *options); });
  add_resource_options(app, *leaf, *options);
}

void add_node_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "node", "The node behind the commands, and all others");
  app.leaf(*group, "status", "What the node is and does", [&session] { return node_status(session); });
  app.leaf(*group, "peers", "The nodes it is connected to", [&session] { return node_peers(session); });
  app.leaf(*group, "list", "All registered nodes with their standing", [&session] { return node_list(session); });
}

}  // namespace bonus::cli
