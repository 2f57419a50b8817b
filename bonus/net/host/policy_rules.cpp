// The rules of a node's namespace as text: a pure function of PolicyState. nft(8); RFC 4890 on ICMPv6 in firewalls.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "bonus/net/host/policy.hpp"
#include "bonus/net/host/prefixes.hpp"

namespace bonus::net::host {
namespace {

constexpr std::size_t kContainerLimit = 4096;
constexpr std::size_t kPortsLimit = 1024;
constexpr std::string_view kReject = "counter name egress_denied reject with icmpx type admin-prohibited";
constexpr std::string_view kRefuseConnection = "counter name input_denied reject with tcp reset";
constexpr std::string_view kEchoLimit = "limit rate 200/second burst 400 packets";

Result<> check_device(const std::string& name) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' ||
           c == '.';
  };
  if (name.empty() || name.size() > 15 || !std::ranges::all_of(name, good))
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a name of a network device for rules", name));
  return {};
}

std::string quoted(const std::string& device) { return fmt::format("\"{}\"", device); }

// "{ a, b }" of texts that are equal or disjoint.
std::string list(const std::vector<std::string>& items) {
  const std::set<std::string> unique(items.begin(), items.end());
  return fmt::format("{{ {} }}", fmt::join(unique, ", "));
}

Result<std::string> port_rules(const std::vector<OpenPort>& ports) {
  if (ports.size() > kPortsLimit) return fail(ErrorCode::kExhausted, "too many opened ports");
  std::string out;
  for (const auto& port : ports) {
    if (port.first == 0 || port.last < port.first)
      return fail(ErrorCode::kInvalid, fmt::format("{}-{} is not a range of ports", port.first, port.last));
    std::string sources;
    if (!port.sources.empty()) {
      const std::string set = nft_set(port.sources, false);
      if (set.empty()) continue;  // only IPv4 sources: nobody on the overlay
      sources = fmt::format("ip6 saddr {} ", set);
    }
    out += fmt::format("    {}{} dport {}-{} accept\n", sources, port.protocol == Protocol::kTcp ? "tcp" : "udp",
                       port.first, port.last);
  }
  return out;
}

// `statement` for each family that has prefixes; {} in it is the set.
std::string per_family(const std::vector<Prefix>& prefixes, std::string_view before, std::string_view after) {
  std::string out;
  for (const bool ipv4 : {false, true})
    if (const auto set = nft_set(prefixes, ipv4); !set.empty())
      out += fmt::format("    {}{}{} {}\n", ipv4 ? "ip " : "ip6 ", before, set, after);
  return out;
}

std::string prerouting_chain(const PolicyState& state) {
  std::vector<std::string> pairs, pairs4;
  std::vector<Prefix> ours;
  for (const auto& address : state.node_addresses) ours.push_back(Prefix{address, 128});
  for (const auto& container : state.containers) {
    pairs.push_back(fmt::format("{} . {}", quoted(container.device), to_string(container.address)));
    ours.push_back(Prefix{container.address, 128});
    if (!container.address4) continue;
    pairs4.push_back(fmt::format("{} . {}", quoted(container.device), to_string(*container.address4)));
  }
  std::string out = "  chain prerouting {\n    type filter hook prerouting priority raw; policy accept;\n";
  // Multicast listener reports of a device without a link-local address (RFC 3590): nobody forged them.
  out += "    iifname \"bc*\" ip6 saddr :: drop\n";
  const auto own_only = [&](std::string_view family, std::string_view source, const std::vector<std::string>& allowed) {
    const std::string unless = allowed.empty() ? "" : fmt::format("iifname . {} saddr != {} ", source, list(allowed));
    out += fmt::format("    iifname \"bc*\" meta nfproto {} {}counter name spoofed drop\n", family, unless);
  };
  own_only("ipv6", "ip6", pairs);
  own_only("ipv4", "ip", pairs4);
  // Nor does anything come from the overlay that claims to be from here.
  if (const auto set = nft_set(ours, false); !set.empty())
    out += fmt::format("    iifname {} ip6 saddr {} counter name spoofed drop\n", quoted(state.overlay_device), set);
  // An overlay address is who somebody is: only the tunnel proves one. A network behind this node has its own.
  std::map<std::string, std::vector<Prefix>> outer;
  for (const auto& exit : state.exits) outer[exit.device];
  for (const auto& subnet : state.subnets) outer[subnet.device].push_back(subnet.subnet);
  for (const auto& [device, own] : outer) {
    const std::string set = nft_set(own, false);
    const std::string unless = set.empty() ? "" : fmt::format("ip6 saddr != {} ", set);
    out += fmt::format("    iifname {} ip6 saddr fd00::/8 {}counter name spoofed drop\n", quoted(device), unless);
  }
  return out + "  }\n";
}

Result<std::string> input_chain(const PolicyState& state) {
  TRY_ASSIGN(const std::string for_containers, port_rules(state.for_containers));
  TRY_ASSIGN(const std::string services, port_rules(state.services));
  std::string out = fmt::format(
      "  chain input {{\n    type filter hook input priority filter; policy drop;\n"
      "    iifname \"lo\" accept\n"
      "    ct state invalid counter name input_denied drop\n"
      "    ct state established ct direction reply accept\n"
      "    ct state related accept\n"
      "    icmpv6 type {{ destination-unreachable, packet-too-big, time-exceeded, parameter-problem }} {0} accept\n"
      "    icmpv6 type echo-request {0} accept\n",
      kEchoLimit);
  for (const auto& exit : state.exits)
    out += fmt::format("    iifname {} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept\n",
                       quoted(exit.device));
  for (const auto& subnet : state.subnets)
    out += fmt::format("    iifname {} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept\n",
                       quoted(subnet.device));
  out += "    iifname \"bc*\" jump from_container_to_node\n";
  out += fmt::format("    iifname {} jump from_overlay_to_node\n", quoted(state.overlay_device));
  out += "    counter name input_denied drop\n  }\n";
  out += "  chain from_container_to_node {\n" + for_containers + "    counter name container_to_node drop\n  }\n";
  out += "  chain from_overlay_to_node {\n";
  if (state.bound_connections)
    out += fmt::format(
        "    meta l4proto tcp ct state new add @overlay_sources {{ ip6 saddr ct count over {} }} {}\n"
        "    meta l4proto tcp ct state new ct count over {} {}\n",
        kConnectionsPerSource, kRefuseConnection, kConnections, kRefuseConnection);
  return out + services + "  }\n";
}

// What a container may start; what it may not is told to it at once.
std::string sender_chain(const PolicyState& state) {
  std::vector<std::string> overlay, internet;
  std::string out = "  chain from_container {\n";
  for (const auto& container : state.containers) {
    if (container.overlay) overlay.push_back(quoted(container.device));
    if (container.internet) internet.push_back(quoted(container.device));
  }
  for (const auto& container : state.containers)
    out += per_family(container.reach, "daddr ", fmt::format("iifname {} return", quoted(container.device)));
  if (!overlay.empty()) out += fmt::format("    ip6 daddr fd00::/8 iifname {} return\n", list(overlay));
  out += per_family(private_prefixes(), "daddr ", kReject);
  out += fmt::format("    ip6 daddr != 2000::/3 {}\n", kReject);
  if (!internet.empty()) out += fmt::format("    iifname {} return\n", list(internet));
  return out + fmt::format("    {}\n  }}\n", kReject);
}

std::string exit_rules(const PolicyState& state, const ExitPolicy& exit, std::string& chains) {
  const std::string device = quoted(exit.device);
  std::string body = per_family(exit.clients, "saddr ", "jump exit_destinations_" + exit.device);
  chains += fmt::format("  chain exit_from_overlay_{} {{\n{}    {}\n  }}\n", exit.device, body, kReject);
  std::string destinations = per_family(exit.allow_private, "daddr ", "accept");
  destinations += per_family(private_prefixes(), "daddr ", kReject);
  destinations += fmt::format("    ip6 daddr != 2000::/3 {}\n", kReject);
  chains = fmt::format("  chain exit_destinations_{} {{\n{}    accept\n  }}\n", exit.device, destinations) + chains;
  return fmt::format("    iifname \"bc*\" oifname {0} accept\n    iifname {1} oifname {0} jump exit_from_overlay_{2}\n",
                     device, quoted(state.overlay_device), exit.device);
}

std::string subnet_rules(const PolicyState& state, const SubnetPolicy& subnet) {
  const bool ipv4 = is_ipv4(subnet.subnet.address);
  const std::string peers = nft_set(subnet.peers, ipv4);
  if (peers.empty()) return "";
  const std::string_view family = ipv4 ? "ip" : "ip6";
  const std::string overlay = quoted(state.overlay_device);
  const std::string device = quoted(subnet.device);
  const std::string net = to_string(subnet.subnet);
  return fmt::format(
      "    iifname {0} oifname {1} {2} saddr {3} {2} daddr {4} accept\n"
      "    iifname {1} oifname {0} {2} saddr {4} {2} daddr {3} accept\n",
      overlay, device, family, peers, net);
}

Result<std::string> forward_chain(const PolicyState& state) {
  const std::string overlay = quoted(state.overlay_device);
  std::string chains;
  std::vector<std::string> receivers;
  for (const auto& container : state.containers) {
    TRY_ASSIGN(const std::string open, port_rules(container.open));
    chains += fmt::format("  chain to_{} {{\n    icmpv6 type echo-request {} accept\n{}  }}\n", container.device,
                          kEchoLimit, open);
    receivers.push_back(fmt::format("{} : jump to_{}", quoted(container.device), container.device));
  }
  std::string out =
      "  chain forward {\n    type filter hook forward priority filter; policy drop;\n"
      "    ct state invalid counter name forward_denied drop\n"
      "    tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"
      "    ct state established ct direction reply accept\n"
      "    ct state related accept\n"
      "    iifname \"bc*\" jump from_container\n";
  // The first direction of a connection is asked every time: closing a port ends what goes on through it.
  if (!receivers.empty()) out += fmt::format("    oifname vmap {}\n", list(receivers));
  out += "    oifname \"bc*\" counter name forward_denied drop\n";
  for (const auto& exit : state.exits) out += exit_rules(state, exit, chains);
  for (const auto& subnet : state.subnets) out += subnet_rules(state, subnet);
  if (const auto set = nft_set(state.transit, false); !set.empty())
    out += fmt::format("    iifname {0} oifname {0} ip6 saddr {1} ip6 daddr fd00::/8 accept\n", overlay, set);
  out += fmt::format("    iifname \"bc*\" oifname {} accept\n", overlay);
  out += "    counter name forward_denied drop\n  }\n";
  return sender_chain(state) + chains + out;
}

// The node's own connections stay in the overlay, also where it leads others to the Internet.
std::string output_chain(const PolicyState& state) {
  std::string out = "  chain output {\n    type filter hook output priority filter; policy accept;\n";
  for (const auto& exit : state.exits) {
    const std::string device = quoted(exit.device);
    out += fmt::format("    oifname {} icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept\n", device);
    out += fmt::format("    oifname {} ct state related accept\n    oifname {} counter name egress_denied drop\n",
                       device, device);
  }
  return out + "  }\n";
}

std::string nat_chain(const PolicyState& state) {
  std::string out = "  chain postrouting {\n    type nat hook postrouting priority srcnat; policy accept;\n";
  for (const auto& exit : state.exits) {
    if (!exit.address4.is_zero())
      out += fmt::format("    oifname {} meta nfproto ipv4 snat ip to {}\n", quoted(exit.device),
                         to_string(exit.address4));
    if (!exit.address6.is_zero())
      out += fmt::format("    oifname {} meta nfproto ipv6 snat ip6 to {}\n", quoted(exit.device),
                         to_string(exit.address6));
  }
  return out + "  }\n";
}

}  // namespace

Result<std::string> policy_rules(const PolicyState& state) {
  TRY(check_device(state.overlay_device));
  if (state.containers.size() > kContainerLimit)
    return fail(ErrorCode::kExhausted, "too many containers for the rules");
  std::set<std::string> devices;
  for (const auto& container : state.containers) {
    TRY(check_device(container.device));
    if (!container.device.starts_with("bc") || container.device.find_first_of(".-") != std::string::npos ||
        !devices.insert(container.device).second)
      return fail(ErrorCode::kInvalid, fmt::format("'{}' is not one container's device", container.device));
    if (is_ipv4(container.address) || (container.address4 && !is_ipv4(*container.address4)))
      return fail(ErrorCode::kInvalid, "the families of a container's addresses are mixed up");
  }
  for (const auto& exit : state.exits) {
    TRY(check_device(exit.device));
    if (exit.device.find_first_of(".-") != std::string::npos || !devices.insert(exit.device).second)
      return fail(ErrorCode::kInvalid, fmt::format("'{}' is not one exit's device", exit.device));
  }
  for (const auto& subnet : state.subnets) TRY(check_device(subnet.device));
  TRY_ASSIGN(const std::string input, input_chain(state));
  TRY_ASSIGN(const std::string forward, forward_chain(state));
  std::string out = "table inet bonus\ndelete table inet bonus\ntable inet bonus {\n";
  for (const char* name : {"input_denied", "forward_denied", "spoofed", "container_to_node", "egress_denied"})
    out += fmt::format("  counter {} {{ }}\n", name);
  if (state.bound_connections) out += "  set overlay_sources { type ipv6_addr; size 65535; flags dynamic; }\n";
  return out + prerouting_chain(state) + input + forward + output_chain(state) + nat_chain(state) + "}\n";
}

}  // namespace bonus::net::host
