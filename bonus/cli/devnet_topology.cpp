// The little Internet under a devnet: which machine is whose, and what the nodes are told about it.
#include <fmt/format.h>

#include "bonus/cli/devnet.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/net/topology/network.hpp"

namespace bonus::cli {
namespace {

namespace topology = net::topology;

constexpr std::string_view kPrefix = "bn";
constexpr std::uint16_t kTlsPort = 443;

/// The same for the same folder, so that a crash leaves nothing that the next start does not find.
std::string tag_of(const std::string& dir) { return "d" + to_hex(crypto::sha256(as_bytes(dir))).substr(0, 8); }

std::string name_of(std::size_t index) { return fmt::format("node-{}", index + 1); }

}  // namespace

std::size_t topology_nodes(const topology::Topology& topology) {
  std::size_t count = 0;
  while (topology.find_node(name_of(count))) ++count;
  return count;
}

Result<topology::Plan> plan_for_devnet(const DevnetOptions& options) {
  TRY_ASSIGN(auto parsed, topology::parse_topology(options.topology, options.topology_file));
  for (std::size_t i = 0; i < options.nodes; ++i) {
    const auto machine = parsed.find_node(name_of(i));
    if (!machine)
      return fail(ErrorCode::kInvalid, fmt::format("{} has no node-{} for a devnet of {} nodes: add it, or take fewer "
                                                   "--nodes",
                                                   options.topology_file, i + 1, options.nodes));
    const auto nat = parsed.nat_of(parsed.nodes[*machine]);
    if (i < kDevnetBookkeepers && nat != topology::NatKind::kOpen)
      return fail(ErrorCode::kInvalid,
                  fmt::format("{}: node-{} is {}, but the first {} nodes are bookkeepers, whose addresses stand in "
                              "genesis: they must be open (no nat, no lan)",
                              options.topology_file, i + 1, topology::to_string(nat), kDevnetBookkeepers));
  }
  TRY_ASSIGN(auto out, topology::Plan::make(std::move(parsed), std::string(kPrefix), tag_of(options.dir)));
  out.toml = options.topology;
  out.file_name = options.topology_file;
  return out;
}

std::size_t machine_of(const Devnet& net, const DevnetNode& node) {
  return net.topology->topology.find_node(node.name).value_or(0);  // plan_for_devnet() has seen to it
}

Result<> raise_topology(Devnet& net) {
  if (!net.topology) return {};
  const auto& plan = *net.topology;
  if (auto running = topology::Network::load(plan.prefix, plan.tag);
      running && running->plan().toml == plan.toml && running->stats()) {
    net.topology = running->plan();
    return {};
  }
  TRY_ASSIGN(const auto wire, find_program("bonus-wire"));
  TRY(topology::Network::down(plan.prefix, plan.tag));
  topology::UpOptions options;
  options.toml = plan.toml;
  options.file_name = plan.file_name;
  options.prefix = plan.prefix;
  options.tag = plan.tag;
  options.wire_program = wire;
  TRY_ASSIGN(const auto made, topology::Network::up(options));
  net.topology = made.plan();
  return {};
}

void refresh_topology(Devnet& net) {
  if (!net.topology) return;
  if (auto running = topology::Network::load(net.topology->prefix, net.topology->tag)) net.topology = running->plan();
}

Result<std::size_t> lower_topology(const Devnet& net) {
  if (!net.topology) return 0;
  return topology::Network::down(net.topology->prefix, net.topology->tag);
}

std::string topology_config(const Devnet& net, const DevnetNode& node) {
  const auto& plan = *net.topology;
  const std::size_t machine = machine_of(net, node);
  const auto& at = plan.topology.nodes[machine];
  const auto& region = plan.topology.regions[at.region];
  std::string out = fmt::format("\n[net]\nlisten = \"0.0.0.0:{}\"\nnamespace = \"{}\"\n", node.net_port,
                                plan.node_namespace(machine));
  if (!region.country.empty()) out += fmt::format("country = \"{}\"\n", region.country);
  if (at.router) return out;
  out +=
      fmt::format("advertise = \"{}:{}\"\nmap_ports = false\n", to_string(plan.public_address(machine)), node.net_port);
  // Genesis vouches for bookkeepers; others are dialled back. They carry what the homes cannot send one another.
  if (node.has_role("bookkeeper"))
    out += fmt::format("reachable = true\nrelay = true\ntls_listen = \"0.0.0.0:{}\"\n", kTlsPort);
  return out;
}

}  // namespace bonus::cli
