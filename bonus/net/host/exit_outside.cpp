// The outside half of the exit role; runs in the helper. RFC 6890 (special-purpose addresses), nft(8).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "bonus/net/host/exit.hpp"
#include "bonus/net/host/netlink.hpp"
#include "bonus/net/host/nft.hpp"
#include "bonus/net/host/prefixes.hpp"

namespace bonus::net::host {
namespace {

constexpr std::uint8_t kLinkBits = 126;  // /30 in mapped form, /126
constexpr std::string_view kOutsidePrefix = "bxo";
constexpr std::string_view kInsidePrefix = "bxi";

Ipv6 offset(const Ipv6& base, std::uint32_t by) {
  Ipv6 out = base;
  for (std::size_t i = 16; i-- > 12 && by != 0;) {
    by += out.bytes[i];
    out.bytes[i] = static_cast<std::uint8_t>(by);
    by >>= 8;
  }
  return out;
}

bool overlap(const Prefix& a, const Prefix& b) { return a.contains(b.address) || b.contains(a.address); }

// Shorter prefixes lead to the Internet: default routes, and the halves and quarters of it that VPNs and providers use.
constexpr std::uint8_t kShortest4 = 96 + 8, kShortest6 = 16;

// Networks of the machine itself: what its devices' addresses and routes stand for, without default routes.
Result<std::vector<Prefix>> machine_networks(Netlink& netlink) {
  std::vector<Prefix> out;
  for (const auto& address : TRY(netlink.addresses()))
    out.push_back(masked(Prefix{.address = address.address, .bits = address.bits}));
  for (const auto& route : TRY(netlink.routes(0)))
    if (route.destination.bits >= (route.ipv4 ? kShortest4 : kShortest6)) out.push_back(route.destination);
  return out;
}

// The first /30 of the pool, from a place that the id gives, that overlaps nothing: the same again when it can be.
Result<Ipv6> free_block(const Prefix& wanted, const std::string& id, const std::vector<Prefix>& taken) {
  Prefix pool = wanted;
  if (pool.address.is_zero()) pool = Prefix{.address = mapped_ipv4({10, 187, 0, 0}), .bits = 112};
  if (!is_ipv4(pool.address) || pool.bits < 104 || pool.bits > kLinkBits || masked(pool) != pool)
    return fail(ErrorCode::kInvalid, fmt::format("{} is no IPv4 network of /8 to /30 for exits", to_string(pool)));
  const std::uint32_t blocks = 1u << (kLinkBits - pool.bits);
  std::uint32_t start = std::accumulate(id.begin(), id.end(), 2166136261u, [](std::uint32_t hash, char c) {
    return (hash ^ static_cast<std::uint8_t>(c)) * 16777619u;  // FNV-1a
  });
  for (std::uint32_t i = 0; i < std::min(blocks, 65'536u); ++i) {
    const Prefix block{.address = offset(pool.address, ((start + i) % blocks) * 4), .bits = kLinkBits};
    if (std::ranges::none_of(taken, [&](const Prefix& other) { return overlap(block, other); })) return block.address;
  }
  return fail(ErrorCode::kExhausted, fmt::format("every network of {} is in use on this machine", to_string(pool)));
}

// Per device: the machine does not become a router between its other networks.
Result<> forward_between(const std::string& device, const std::set<std::string>& uplinks, bool ipv6) {
  std::set<std::string> devices = uplinks;
  devices.insert(device);
  for (const auto& name : devices) TRY(set_sysctl(fmt::format("net/ipv4/conf/{}/forwarding", name), "1"));
  if (!ipv6) return {};
  // Linux 6.17 brought the same for IPv6.
  if (sysctl(fmt::format("net/ipv6/conf/{}/force_forwarding", device))) {
    for (const auto& name : devices) TRY(set_sysctl(fmt::format("net/ipv6/conf/{}/force_forwarding", name), "1"));
    return {};
  }
  if (TRY(sysctl("net/ipv6/conf/all/forwarding")) == "1") return {};
  // A router ignores advertisements: the machine would lose its own default route.
  for (const auto& name : uplinks) {
    const std::string accept = fmt::format("net/ipv6/conf/{}/accept_ra", name);
    if (const auto value = sysctl(accept); value && *value == "1") TRY(set_sysctl(accept, "2"));
  }
  return set_sysctl("net/ipv6/conf/all/forwarding", "1");
}

std::string rules(const std::string& table, const std::string& device, const ExitLink& link,
                  std::vector<Prefix> refused, const std::vector<Prefix>& allowed) {
  const auto privates = private_prefixes();
  refused.insert(refused.end(), privates.begin(), privates.end());
  std::string from_node;
  const auto both = [&](const std::vector<Prefix>& prefixes, std::string_view verdict) {
    if (const auto set = nft_set(prefixes, true); !set.empty())
      from_node += fmt::format("    ip daddr {} {}\n", set, verdict);
    if (const auto set = nft_set(prefixes, false); !set.empty())
      from_node += fmt::format("    ip6 daddr {} {}\n", set, verdict);
  };
  both(allowed, "accept");
  both(refused, "counter reject with icmpx type admin-prohibited");
  from_node += "    ip6 daddr != 2000::/3 counter reject with icmpx type admin-prohibited\n";
  std::string translate =
      fmt::format("    oifname != \"{}\" ip saddr {} masquerade\n", device, to_string(link.inside4));
  std::string sources = fmt::format("    ip saddr != {} drop\n", to_string(link.inside4));
  if (!link.inside6.is_zero()) {
    translate += fmt::format("    oifname != \"{}\" ip6 saddr {} masquerade\n", device, to_string(link.inside6));
    sources += fmt::format("    ip6 saddr != {} drop\n", to_string(link.inside6));
  }
  return fmt::format(
      "table inet {0}\ndelete table inet {0}\ntable inet {0} {{\n"
      "  chain input {{ type filter hook input priority filter - 5; policy accept;\n"
      "    iifname \"{1}\" icmpv6 type {{ nd-neighbor-solicit, nd-neighbor-advert }} accept\n"
      "    iifname \"{1}\" counter drop\n  }}\n"
      "  chain forward {{ type filter hook forward priority filter - 5; policy accept;\n"
      "    iifname \"{1}\" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"
      "    oifname \"{1}\" tcp flags & (syn | rst) == syn tcp option maxseg size set rt mtu\n"
      "    iifname \"{1}\" jump from_node\n"
      "    oifname \"{1}\" ct state established,related accept\n"
      "    oifname \"{1}\" counter drop\n  }}\n"
      "  chain from_node {{\n    oifname \"{1}\" drop\n{2}{3}    accept\n  }}\n"
      "  chain postrouting {{ type nat hook postrouting priority srcnat; policy accept;\n{4}  }}\n}}\n",
      table, device, sources, from_node, translate);
}

Result<ExitLink> build(const ExitOptions& options, const std::string& table, int inside_namespace) {
  const std::string device = fmt::format("{}{}", kOutsidePrefix, options.id);
  TRY_ASSIGN(auto netlink, Netlink::open());
  TRY_ASSIGN(const auto taken, machine_networks(netlink));
  TRY_ASSIGN(const Ipv6 base, free_block(options.pool, options.id, taken));
  ExitLink link;
  link.device = fmt::format("{}{}", kInsidePrefix, options.id);
  link.outside4 = offset(base, 1);
  link.inside4 = offset(base, 2);
  const bool ipv6 = options.ipv6 && sysctl("net/ipv6/conf/all/forwarding").has_value();
  if (ipv6) {
    // fc00::/8: never the overlay's fd00::/8, and seen by nobody outside this machine.
    Ipv6 base6;
    base6.bytes[0] = 0xfc;
    base6.bytes[3] = 0xb0;
    std::copy_n(base.bytes.begin() + 12, 4, base6.bytes.begin() + 12);
    link.outside6 = offset(base6, 1);
    link.inside6 = offset(base6, 2);
  }
  std::set<std::string> uplinks;
  for (const auto& route : TRY(netlink.routes()))
    if (route.destination.bits == (route.ipv4 ? 96 : 0) && !route.device.empty()) uplinks.insert(route.device);

  // Rules first: the device never exists without them.
  TRY_ASSIGN(auto nft, Nft::open());
  TRY(nft.run(rules(table, device, link, taken, options.allow_private)));
  TRY(netlink.add_veth({.name = device, .peer = link.device, .peer_namespace = inside_namespace, .mtu = options.mtu}));
  TRY(netlink.add_address(device, Prefix{link.outside4, kLinkBits}));
  TRY(netlink.set_up(device));
  if (ipv6) {
    TRY(netlink.add_address(device, Prefix{link.outside6, kLinkBits}));
    // What is forwarded asks for neighbours from a link-local address, which the machine may not have made (RFC
    // 4861, 7.2.2).
    Ipv6 link_local;
    link_local.bytes[0] = 0xfe;
    link_local.bytes[1] = 0x80;
    link_local.bytes[15] = 1;
    TRY(netlink.add_address(device, Prefix{link_local, 64}));
  }
  TRY(forward_between(device, uplinks, ipv6));
  return link;
}

}  // namespace

Result<ExitLink> make_exit_outside(const ExitOptions& options, int inside_namespace) {
  TRY_ASSIGN(const std::string table, exit_table(options.id));
  if (options.mtu < 1280 || options.mtu > 65'535)
    return fail(ErrorCode::kInvalid, "the MTU of an exit is 1280 to 65535");
  TRY(remove_exit_outside(options.id));
  auto link = build(options, table, inside_namespace);
  if (!link) (void)remove_exit_outside(options.id);
  return link;
}

Result<> remove_exit_outside(const std::string& id) {
  TRY_ASSIGN(const std::string table, exit_table(id));
  TRY_ASSIGN(auto netlink, Netlink::open());
  auto removed = netlink.remove(fmt::format("{}{}", kOutsidePrefix, id));
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  TRY_ASSIGN(auto nft, Nft::open());
  TRY(nft.run(fmt::format("table inet {0}\ndelete table inet {0}\n", table)));
  return {};
}

}  // namespace bonus::net::host
