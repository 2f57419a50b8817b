// Names, addresses and NAT scripts of a topology; the state file of a running one.
#include "bonus/net/topology/plan.hpp"

#include <fmt/format.h>

#include <boost/json.hpp>

namespace bonus::net::topology {
namespace {

namespace json = boost::json;

constexpr int kStateVersion = 1;
// Public addresses look like any others, so that nodes treat them as such; they never leave the closed namespaces.
// Each attachment has a /24 of its own (limits of the DHT count prefixes): 45.<100 + region>.<1 + attachment>.10,
// after a change of address 45.<116 + region + 16 g>.<...>.10.
constexpr std::size_t kFirstOctet = 45, kRegionBase = 100, kRoamedBase = 116, kRoams = 8, kHost = 10;

Ipv6 ip(const std::string& text) {
  const auto parsed = parse_ip(text);
  return parsed ? *parsed : Ipv6{};
}

Ipv6 made_address(std::size_t region, std::size_t attachment, std::uint32_t generation) {
  const std::size_t second =
      generation == 0 ? kRegionBase + region : kRoamedBase + region + kMaxRegions * ((generation - 1) % kRoams);
  return ip(fmt::format("{}.{}.{}.{}", kFirstOctet, second, 1 + attachment, kHost));
}

bool good_word(std::string_view word) {
  constexpr std::size_t kMax = 16;
  return !word.empty() && word.size() <= kMax &&
         word.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789") == std::string_view::npos;
}

double ms(Duration d) { return static_cast<double>(d.count()) / 1e6; }

std::string_view wan_of(const Plan& plan, std::size_t router) {
  return plan.topology.routers[router].carrier_router ? "carrier" : "wire";
}

}  // namespace

Result<Plan> Plan::make(Topology topology, std::string prefix, std::string tag) {
  if (!good_word(prefix) || !good_word(tag))
    return fail(ErrorCode::kInvalid, "the tag (and the prefix) has 1 to 16 of a-z and 0-9");
  Plan out;
  out.nodes.resize(topology.nodes.size());
  out.routers.resize(topology.routers.size());
  out.topology = std::move(topology);
  out.prefix = std::move(prefix);
  out.tag = std::move(tag);
  return out;
}

std::string Plan::node_namespace(std::size_t node) const {
  return fmt::format("{}-{}-{}", prefix, tag, topology.nodes[node].name);
}

std::string Plan::router_namespace(std::size_t router) const {
  const Router& r = topology.routers[router];
  // A point is in no name, so these never meet a machine's.
  return fmt::format("{}-{}-{}.{}", prefix, tag, r.name, r.carrier ? "c" : "r");
}

Ipv6 Plan::node_address(std::size_t node) const {
  const Node& n = topology.nodes[node];
  if (n.router) return ip(fmt::format("{}.{}", topology.routers[*n.router].subnet, kHost + node));
  if (n.access.address && nodes[node].generation == 0) return *n.access.address;
  return made_address(n.region, node, nodes[node].generation);
}

Ipv6 Plan::router_address(std::size_t router) const {
  const Router& r = topology.routers[router];
  if (r.carrier_router) return ip(fmt::format("{}.{}", topology.routers[*r.carrier_router].subnet, kHost + router));
  if (r.access.address && routers[router].generation == 0) return *r.access.address;
  return made_address(r.region, kMaxNodes + router, routers[router].generation);
}

Ipv6 Plan::public_address(std::size_t node) const {
  const auto& router = topology.nodes[node].router;
  return router ? router_address(outermost(*router)) : node_address(node);
}

Ipv6 Plan::inner_gateway(std::size_t router) const { return ip(topology.routers[router].subnet + ".1"); }
std::string Plan::port_name(std::size_t node) const { return fmt::format("m{}", node); }
std::string Plan::carrier_port_name(std::size_t router) const { return fmt::format("r{}", router); }

std::size_t Plan::outermost(std::size_t router) const {
  return topology.routers[router].carrier_router.value_or(router);
}

WireConfig Plan::wire() const {
  WireConfig out;
  out.seed = topology.seed;
  out.capture = capture;
  out.regions = topology.regions.size();
  out.paths = topology.paths;
  for (std::size_t i = 0; i < topology.nodes.size(); ++i) {
    const Node& node = topology.nodes[i];
    if (node.router) continue;
    Attachment a;
    a.name = node.name;
    a.network_namespace = node_namespace(i);
    a.device = kMachineDevice;
    a.region = node.region;
    a.access = node.access;
    a.addresses = {node_address(i)};
    a.udp_blocked = nodes[i].udp_blocked;
    a.cut = nodes[i].cut;
    out.attachments.push_back(std::move(a));
  }
  for (std::size_t i = 0; i < topology.routers.size(); ++i) {
    const Router& router = topology.routers[i];
    if (router.carrier_router) continue;
    Attachment a;
    a.name = router.name + (router.carrier ? ".c" : ".r");
    a.network_namespace = router_namespace(i);
    a.device = kWanDevice;
    a.region = router.region;
    a.access = router.access;
    a.addresses = {router_address(i)};
    out.attachments.push_back(std::move(a));
  }
  return out;
}

std::string nat_script(const Plan& plan, std::size_t index) {
  const Router& router = plan.topology.routers[index];
  const auto idle = std::chrono::duration_cast<std::chrono::seconds>(router.mapping_timeout).count();
  const bool cone = router.nat == NatKind::kFullCone, address = router.nat == NatKind::kAddressRestricted;
  // Masquerade keeps the port while it is free: endpoint-independent mapping, filtering by conntrack's exact flows.
  // fully-random takes another port for every flow. The cones let strangers in through what `learn` has seen leave.
  std::string out =
      "table ip bonus_nat {\n"
      "  set no_udp { type ipv4_addr; }\n"
      "  chain early {\n    type filter hook prerouting priority -300;\n"
      "    iifname \"lan0\" ip saddr @no_udp meta l4proto udp drop\n  }\n";
  out += fmt::format("  chain outward {{\n    type nat hook postrouting priority 100;\n    oifname \"wan0\" {}\n  }}\n",
                     router.nat == NatKind::kSymmetric ? "masquerade fully-random" : "masquerade");
  if (cone || address) {
    out +=
        "  map mappings { type inet_service : ipv4_addr . inet_service; flags dynamic,timeout; size 16384; }\n"
        "  set contacts { type inet_service . ipv4_addr; flags dynamic,timeout; size 65535; }\n";
    out += fmt::format(
        "  chain inward {{\n    type nat hook prerouting priority -100;\n"
        "    iifname \"wan0\" {} dnat to udp dport map @mappings\n  }}\n",
        address ? "udp dport . ip saddr @contacts" : "meta l4proto udp");
    // Behind the translation: the packet has its outer port, conntrack knows the inner one.
    out += fmt::format(
        "  chain learn {{\n    type filter hook postrouting priority 300;\n"
        "    oifname != \"wan0\" return\n"
        "    meta l4proto != udp return\n"
        "    ct direction original update @mappings {{ udp sport timeout {0}s : ct original ip saddr . ct original "
        "proto-src }}\n"
        "    ct direction reply update @mappings {{ udp sport timeout {0}s : ct reply ip saddr . ct reply proto-src "
        "}}\n"
        "    update @contacts {{ udp sport . ip daddr timeout {0}s }}\n  }}\n",
        idle);
  }
  out += "  chain through {\n    type filter hook forward priority 0; policy drop;\n";
  if (router.nat == NatKind::kUdpBlocked) out += "    meta l4proto udp drop\n";
  out +=
      "    ip daddr @no_udp meta l4proto udp drop\n"
      "    iifname \"lan0\" accept\n"
      "    ct state established,related accept\n"
      "    ct status dnat accept\n  }\n"
      // What comes too early must leave no trace in conntrack, or the port would be taken when the machine answers.
      "  chain local {\n    type filter hook input priority 0; policy accept;\n"
      "    iifname \"wan0\" meta l4proto != icmp drop\n  }\n"
      "}\n";
  // Tables that miniupnpd fills (as its nft_init.sh has them).
  if (router.port_mapping)
    out +=
        "table inet bonus_upnp {\n"
        "  chain forward {\n    type filter hook forward priority 0;\n    jump miniupnpd\n  }\n"
        "  chain miniupnpd { }\n"
        "  chain prerouting {\n    type nat hook prerouting priority -101;\n    jump prerouting_miniupnpd\n  }\n"
        "  chain postrouting {\n    type nat hook postrouting priority 99;\n    jump postrouting_miniupnpd\n  }\n"
        "  chain prerouting_miniupnpd { }\n"
        "  chain postrouting_miniupnpd { }\n"
        "}\n";
  return out;
}

std::string port_mapping_config(const Plan& plan, std::size_t router) {
  return fmt::format(
      "ext_ifname={}\nlistening_ip={}\nhttp_port=0\nenable_natpmp=yes\nenable_upnp=yes\nsecure_mode=yes\n"
      "uuid=5f8d2a10-0000-4000-8000-{:012x}\nmin_lifetime=120\nmax_lifetime=86400\n"
      "upnp_table_name=bonus_upnp\nupnp_nat_table_name=bonus_upnp\nupnp_forward_chain=miniupnpd\n"
      "upnp_nat_chain=prerouting_miniupnpd\nupnp_nat_postrouting_chain=postrouting_miniupnpd\n"
      "allow 1024-65535 {}.0/24 1024-65535\ndeny 0-65535 0.0.0.0/0 0-65535\n",
      kWanDevice, kLanDevice, router + 1, plan.topology.routers[router].subnet);
}

std::string Plan::to_state() const {
  json::array nodes_json, routers_json, paths_json;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto& router = topology.nodes[i].router;
    nodes_json.push_back(json::object{{"name", topology.nodes[i].name},
                                      {"router", router ? topology.routers[*router].name : ""},
                                      {"generation", nodes[i].generation},
                                      {"udp_blocked", nodes[i].udp_blocked},
                                      {"cut", nodes[i].cut}});
  }
  for (const auto& router : routers) routers_json.push_back(json::object{{"generation", router.generation}});
  for (const auto& path : topology.paths)
    paths_json.push_back(json::array{path.latency.count(), path.jitter.count(), path.loss});
  return json::serialize(json::object{{"version", kStateVersion},
                                      {"prefix", prefix},
                                      {"tag", tag},
                                      {"file", file_name},
                                      {"toml", toml},
                                      {"seed", topology.seed},
                                      {"capture", capture},
                                      {"wire_pid", wire_pid},
                                      {"wire_start_ticks", wire_start_ticks},
                                      {"nodes", std::move(nodes_json)},
                                      {"routers", std::move(routers_json)},
                                      {"paths", std::move(paths_json)}}) +
         "\n";
}

Result<Plan> Plan::from_state(std::string_view text) try {
  const json::value root = json::parse(json::string_view(text.data(), text.size()));
  if (root.at("version").to_number<int>() != kStateVersion)
    return fail(ErrorCode::kInvalid, "the state of another version");
  const auto word = [&](const char* key) { return std::string(root.at(key).as_string()); };
  TRY_ASSIGN(auto topology, parse_topology(word("toml"), word("file")));
  TRY_ASSIGN(Plan out, make(std::move(topology), word("prefix"), word("tag")));
  out.toml = word("toml");
  out.file_name = word("file");
  out.capture = word("capture");
  out.topology.seed = root.at("seed").to_number<std::uint64_t>();
  out.wire_pid = root.at("wire_pid").to_number<std::int64_t>();
  out.wire_start_ticks = root.at("wire_start_ticks").to_number<std::uint64_t>();
  const auto& nodes = root.at("nodes").as_array();
  const auto& routers = root.at("routers").as_array();
  const auto& paths = root.at("paths").as_array();
  if (nodes.size() != out.nodes.size() || routers.size() != out.routers.size() ||
      paths.size() != out.topology.paths.size())
    return fail(ErrorCode::kCorrupt, "the state does not fit its topology");
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    out.nodes[i].generation = nodes[i].at("generation").to_number<std::uint32_t>();
    out.nodes[i].udp_blocked = nodes[i].at("udp_blocked").as_bool();
    out.nodes[i].cut = nodes[i].at("cut").as_bool();
    const std::string router(nodes[i].at("router").as_string());
    out.topology.nodes[i].router = out.topology.find_router(router);
    if (const auto& at = out.topology.nodes[i].router) out.topology.nodes[i].region = out.topology.routers[*at].region;
  }
  for (std::size_t i = 0; i < routers.size(); ++i)
    out.routers[i].generation = routers[i].at("generation").to_number<std::uint32_t>();
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto& path = paths[i].as_array();
    out.topology.paths[i] = {Duration(path.at(0).to_number<std::int64_t>()),
                             Duration(path.at(1).to_number<std::int64_t>()), path.at(2).to_number<double>()};
  }
  return out;
} catch (const std::exception& error) {
  return fail(ErrorCode::kCorrupt, fmt::format("the state of a topology cannot be read: {}", error.what()));
}

std::string Plan::to_json(std::string_view folder) const {
  json::array nodes_json, routers_json, regions_json, links_json;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = topology.nodes[i];
    const Region& region = topology.regions[node.region];
    json::object item{{"name", node.name},
                      {"namespace", node_namespace(i)},
                      {"device", kMachineDevice},
                      {"region", region.name},
                      {"country", region.country},
                      {"nat", to_string(topology.nat_of(node))},
                      {"address", net::to_string(node_address(i))},
                      {"public", net::to_string(public_address(i))},
                      {"router", nullptr},
                      {"router_namespace", nullptr},
                      {"carrier", nullptr},
                      {"udp_blocked", nodes[i].udp_blocked},
                      {"cut", nodes[i].cut}};
    std::uint32_t mtu = node.access.mtu;
    if (node.router) {
      const Router& router = topology.routers[*node.router];
      mtu = router.access.mtu;
      item["router"] = router.name;
      item["router_namespace"] = router_namespace(*node.router);
      if (router.carrier_router) item["carrier"] = topology.routers[*router.carrier_router].name;
    }
    item["mtu"] = mtu;
    nodes_json.push_back(std::move(item));
  }
  for (std::size_t i = 0; i < routers.size(); ++i) {
    const Router& router = topology.routers[i];
    routers_json.push_back(json::object{{"name", router.name},
                                        {"namespace", router_namespace(i)},
                                        {"nat", to_string(router.nat)},
                                        {"region", topology.regions[router.region].name},
                                        {"carrier", router.carrier},
                                        {"port_mapping", router.port_mapping},
                                        {"wan", wan_of(*this, i)},
                                        {"address", net::to_string(router_address(i))},
                                        {"inner", net::to_string(inner_gateway(i))},
                                        {"subnet", router.subnet + ".0/24"}});
  }
  for (const auto& region : topology.regions)
    regions_json.push_back(json::object{{"name", region.name}, {"country", region.country}});
  for (std::size_t a = 0; a < topology.regions.size(); ++a)
    for (std::size_t b = a; b < topology.regions.size(); ++b) {
      const Path& path = topology.path(a, b);
      links_json.push_back(json::object{{"between", {topology.regions[a].name, topology.regions[b].name}},
                                        {"latency_ms", ms(path.latency)},
                                        {"jitter_ms", ms(path.jitter)},
                                        {"loss", path.loss}});
    }
  return json::serialize(json::object{{"prefix", prefix},
                                      {"tag", tag},
                                      {"folder", folder},
                                      {"file", file_name},
                                      {"seed", topology.seed},
                                      {"wire_pid", wire_pid},
                                      {"regions", std::move(regions_json)},
                                      {"links", std::move(links_json)},
                                      {"nodes", std::move(nodes_json)},
                                      {"routers", std::move(routers_json)}});
}

}  // namespace bonus::net::topology
