// `bonus net status|peers|lookup|path|map`: what the node knows of the overlay.
#include "bonus/cli/net_commands.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <set>

#include "bonus/cli/format.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kIdDigits = 12;

void line(Console& console, std::string_view label, const std::string& value) {
  if (!value.empty() && value != "-") console.print(fmt::format("  {:<14}{}", label, value));
}

const json::array& list_of(const json::value& object, std::string_view name) {
  static const json::array none;
  const auto* list = json_member(object, name).if_array();
  return list == nullptr ? none : *list;
}

/// Prints the node's own answer for programs; false when a person reads.
bool as_json(Session& session, const json::value& answer) {
  if (!session.console().json()) return false;
  session.console().print(pretty(answer));
  return true;
}

std::string dht_text(const json::value& dht) {
  if (!dht.is_object()) return {};
  std::string out =
      fmt::format("{}, {} contacts, {} siblings, {} records", json_flag(dht, "serves") ? "serves" : "client",
                  json_number(dht, "contacts"), json_number(dht, "siblings"), json_number(dht, "records"));
  if (const auto quality = json_real(dht, "near_quality"))
    out += fmt::format(", near slots at {:.2f} of the best possible", *quality);
  return out;
}

std::string drops_text(const json::value& drops) {
  const auto* reasons = drops.if_object();
  if (reasons == nullptr) return {};
  std::string out;
  for (const auto& item : *reasons) {
    const std::uint64_t count = json_number(drops, item.key());
    if (count == 0) continue;
    if (!out.empty()) out += ", ";
    out += fmt::format("{} {}", printable(item.key()), count);
  }
  return out;
}

Result<int> status(Session& session) {
  TRY_ASSIGN(const auto answer, net_get(session, "status"));
  if (as_json(session, answer)) return kExitOk;
  Console& console = session.console();
  const std::string name = cell(answer, "name");
  console.print(
      fmt::format("node {}{}", console.paint(Colour::kBold, cell(answer, "id")), name == "-" ? "" : "  " + name));
  line(console, "address", cell(answer, "address"));
  line(console, "port", std::to_string(json_number(answer, "port")));
  line(console, "version", cell(answer, "version"));
  line(console, "NAT",
       fmt::format("{}; {}", cell(answer, "nat"),
                   json_flag(answer, "reachable") ? console.paint(Colour::kGreen, "reachable from outside")
                                                  : "not reachable from outside without help"));
  line(console, "public", list_cell(answer, "public_endpoints"));
  for (const auto& relay : list_of(answer, "relays"))
    line(console, "relay",
         fmt::format("{}  {}  {}", id_cell(relay), cell(relay, "endpoint"), ms_text(relay, "rtt_ms")));
  line(console, "peers", fmt::format("{}, {} sessions", json_number(answer, "peers"), json_number(answer, "sessions")));
  line(console, "DHT", dht_text(json_member(answer, "dht")));
  if (const json::value& traffic = json_member(answer, "traffic"); traffic.is_object()) {
    const std::uint64_t relayed = json_number(traffic, "relayed_bytes");
    line(console, "traffic",
         fmt::format("{} in, {} out{}", bytes_text(json_number(traffic, "rx_bytes")),
                     bytes_text(json_number(traffic, "tx_bytes")),
                     relayed == 0 ? "" : fmt::format(", {} relayed for others", bytes_text(relayed))));
  }
  line(console, "dropped", drops_text(json_member(answer, "drops")));
  return kExitOk;
}

Result<int> peers(Session& session) {
  TRY_ASSIGN(const auto answer, net_get(session, "peers"));
  if (as_json(session, answer)) return kExitOk;
  const auto& list = list_of(answer, "peers");
  if (list.empty()) {
    session.console().print("no peer has a session with this node");
    return kExitOk;
  }
  Table table({"NODE", "NAME", "PATH", "ENDPOINT", "RTT", "LOSS", "MTU", "HANDSHAKE", "IN", "OUT", "REGION", "FLAGS"});
  for (const auto& peer : list)
    table.add({id_cell(peer), cell(peer, "name"), cell(peer, "kind"), cell(peer, "endpoint"), ms_text(peer, "rtt_ms"),
               share_text(peer, "loss"), cell(peer, "mtu"), ago_text(peer, "last_handshake_s"),
               bytes_text(json_number(peer, "rx_bytes")), bytes_text(json_number(peer, "tx_bytes")),
               cell(peer, "region"), list_cell(peer, "flags")});
  session.console().raw(table.to_string());
  return kExitOk;
}

Result<int> lookup(Session& session, const std::string& name) {
  TRY_ASSIGN(const auto answer, net_get(session, "lookup?name=" + url_escape(name)));
  if (as_json(session, answer)) return kExitOk;
  Console& console = session.console();
  console.print(fmt::format("{}  {}", console.paint(Colour::kBold, cell(answer, "name")), cell(answer, "address")));
  line(console, "node", cell(answer, "id"));
  line(console, "found by", cell(answer, "source"));
  const auto& records = list_of(answer, "records");
  if (!records.empty()) {
    Table table({"NAME", "TYPE", "TTL", "VALUE"});
    for (const auto& record : records)
      table.add({cell(record, "name"), cell(record, "type"),
                 json_real(record, "ttl") ? seconds_text(json_number(record, "ttl")) : "-", cell(record, "value")});
    console.raw(table.to_string());
  }
  for (const auto& step : list_of(answer, "steps"))
    console.note(fmt::format("  {:<14}{}  {}", cell(step, "what"), ms_text(step, "took_ms"), cell(step, "detail")));
  return kExitOk;
}

Result<int> path(Session& session, const std::string& target) {
  TRY_ASSIGN(const auto answer, net_get(session, "path?target=" + url_escape(target)));
  if (as_json(session, answer)) return kExitOk;
  Console& console = session.console();
  console.print(fmt::format("{}  {}  MTU {}", console.paint(Colour::kBold, id_cell(answer)), cell(answer, "address"),
                            cell(answer, "mtu")));
  const json::value& current = json_member(answer, "current");
  if (!current.is_object()) console.print("  no path is up");
  Table table({"", "PATH", "ENDPOINT", "RELAY", "STATE", "RTT", "LOSS", "PROBED"});
  for (const auto& candidate : list_of(answer, "candidates")) {
    const bool used = json_text(candidate, "state") == "active";
    table.add({used ? "*" : "", cell(candidate, "kind"), cell(candidate, "endpoint"), id_cell(candidate, "relay"),
               cell(candidate, "state"), ms_text(candidate, "rtt_ms"), share_text(candidate, "loss"),
               json_real(candidate, "last_probe_s") ? ago_text(candidate, "last_probe_s") : "-"});
  }
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> map(Session& session) {
  TRY_ASSIGN(const auto answer, net_get(session, "map"));
  if (as_json(session, answer)) return kExitOk;
  std::vector<const json::value*> nodes;
  for (const auto& node : list_of(answer, "nodes")) nodes.push_back(&node);
  std::ranges::sort(nodes, {}, [](const json::value* node) {
    return json_real(*node, "rtt_ms").value_or(std::numeric_limits<double>::infinity());
  });
  const std::string self = json_text(answer, "self");
  Table table({"NODE", "ADDRESS", "REGION", "RTT", "COORDINATES (ms)", "FLAGS"});
  std::set<std::string> shown;  // a node of several rings is one line
  for (const auto* node : nodes) {
    if (!shown.insert(json_text(*node, "id")).second) continue;
    std::string where = "-";
    const auto& coordinates = list_of(*node, "coordinates");
    if (coordinates.size() == 3 && std::ranges::all_of(coordinates, [](const json::value& v) { return v.is_number(); }))
      where = fmt::format("{:.1f}, {:.1f}, height {:.1f}", coordinates[0].to_number<double>(),
                          coordinates[1].to_number<double>(), coordinates[2].to_number<double>());
    const bool own = json_text(*node, "id") == self;
    table.add({id_cell(*node), cell(*node, "address"), cell(*node, "region"),
               own ? "this node" : ms_text(*node, "rtt_ms"), where, list_cell(*node, "flags")});
  }
  session.console().raw(table.to_string());
  return kExitOk;
}

}  // namespace

Result<ApiRequest> net_request(Session& session, std::string_view route) {
  TRY_ASSIGN(const auto base, session.node_url());
  ApiRequest out;
  out.url = fmt::format("{}/v1/net/{}", base, route);
  return out;
}

Result<json::value> net_get(Session& session, std::string_view route) {
  TRY_ASSIGN(const auto request, net_request(session, route));
  return api_call(request);
}

std::string ms_text(const json::value& object, std::string_view name) {
  const auto value = json_real(object, name);
  if (!value || *value < 0) return "-";
  return *value < 10 ? fmt::format("{:.2f} ms", *value) : fmt::format("{:.1f} ms", *value);
}

std::string share_text(const json::value& object, std::string_view name) {
  const auto value = json_real(object, name);
  return value ? fmt::format("{:.1f}%", *value * 100) : "-";
}

std::string ago_text(const json::value& object, std::string_view name) {
  if (!json_real(object, name)) return "never";
  return seconds_text(json_number(object, name)) + " ago";
}

std::string bytes_text(std::uint64_t bytes) {
  if (bytes < 1024) return fmt::format("{} B", bytes);
  double value = static_cast<double>(bytes);
  std::string_view unit;
  for (const std::string_view next : {"KiB", "MiB", "GiB", "TiB", "PiB"}) {
    if (value < 1024) break;
    value /= 1024;
    unit = next;
  }
  return fmt::format("{:.1f} {}", value, unit);
}

std::string cell(const json::value& object, std::string_view name) {
  const json::value& value = json_member(object, name);
  if (value.is_null()) return "-";
  const std::string text = value.is_string() ? std::string(value.get_string()) : json::serialize(value);
  return text.empty() ? "-" : printable(text);
}

std::string id_cell(const json::value& object, std::string_view name) {
  return cell(object, name).substr(0, kIdDigits);
}

std::string list_cell(const json::value& object, std::string_view name) {
  std::string out;
  for (const auto& item : list_of(object, name)) {
    if (!item.is_string()) continue;
    if (!out.empty()) out += ", ";
    out += printable(item.get_string());
  }
  return out.empty() ? "-" : out;
}

void add_net_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "net", "The overlay network as the node sees it");
  app.leaf(*group, "status", "Address, NAT, relays, the DHT, traffic and what was dropped",
           [&session] { return status(session); });
  app.leaf(*group, "peers", "Nodes with a session: paths, round trips, loss", [&session] { return peers(session); });
  add_net_live_commands(app, *group);
  const auto name = std::make_shared<std::string>();
  CLI::App* leaf = app.leaf(*group, "lookup", "What a name, node id or address leads to, and how it was found",
                            [&session, name] { return lookup(session, *name); });
  app.complete(
      leaf->add_option("name", *name, "alice.bonus, lease-42.bonus, a node id, an overlay address")->required(),
      WordKind::kName);
  app.leaf(*group, "map", "Known nodes by distance", [&session] { return map(session); });
  const auto target = std::make_shared<std::string>();
  leaf = app.leaf(*group, "path", "All ways to a node, and the one in use",
                  [&session, target] { return path(session, *target); });
  app.complete(leaf->add_option("target", *target, "A name, a node id, an overlay address")->required(),
               WordKind::kName);
  add_net_invite_commands(app, *group);
}

}  // namespace bonus::cli
