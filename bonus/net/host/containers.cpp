// Containers' veths. Nobody on the pair resolves neighbours: both sides know each other's hardware address for good, so
// a container cannot take another address by answering for it.
#include "bonus/net/host/containers.hpp"

#include <fmt/format.h>

#include "bonus/net/host/namespace.hpp"
#include "bonus/net/host/netlink.hpp"
#include "bonus/net/host/prefixes.hpp"

namespace bonus::net::host {
namespace {

constexpr std::string_view kInside = "eth0";
// Never on the wire: only names the node's end as the next hop.
const Ipv6& gateway6() {
  static const Ipv6 kAddress = [] {
    Ipv6 out;
    out.bytes[0] = 0xfe;
    out.bytes[1] = 0x80;
    out.bytes[15] = 1;
    return out;
  }();
  return kAddress;
}
Ipv6 gateway4() { return mapped_ipv4({169, 254, 1, 1}); }

// No link-local addresses and no advertisements: the container has the address that it was given.
Result<> quiet_ipv6(std::string_view device) {
  for (const auto& [name, value] : {std::pair{"addr_gen_mode", "1"}, {"accept_ra", "0"}, {"accept_dad", "0"}})
    TRY(set_sysctl(fmt::format("net/ipv6/conf/{}/{}", device, name), value));
  return {};
}

bool has_address(const std::vector<LinkAddress>& all, int index, const Ipv6& address) {
  for (const auto& at : all)
    if (at.index == index && at.address == address) return true;
  return false;
}

// Whether both ends are there, belong together as far as one can see, and the container has its address.
bool is_attached(Netlink& here, Netlink& there, const std::string& device, const ContainerLink& link) {
  const auto outer = here.link(device);
  const auto inner = there.link(kInside);
  const auto addresses = there.addresses();
  if (!outer || !inner || !addresses || outer->kind != "veth" || inner->kind != "veth") return false;
  return outer->up && inner->up && outer->peer_index == inner->index && inner->peer_index == outer->index &&
         has_address(*addresses, inner->index, link.address);
}

Result<> configure(Netlink& here, Netlink& there, int container_namespace, const std::string& device,
                   const ContainerLink& link) {
  TRY(here.set_mtu(device, link.mtu));
  TRY(there.set_mtu(kInside, link.mtu));
  TRY(quiet_ipv6(device));
  TRY(in_namespace(container_namespace, [] { return quiet_ipv6(kInside); }));
  TRY(there.set_up("lo"));
  TRY(there.add_address(kInside, Prefix{link.address, 128}));
  if (link.address4) TRY(there.add_address(kInside, Prefix{*link.address4, 128}));
  TRY(here.set_up(device));
  TRY(there.set_up(kInside));
  TRY_ASSIGN(const auto outer, here.link(device));
  TRY_ASSIGN(const auto inner, there.link(kInside));

  TRY(there.set_neighbour(kInside, gateway6(), outer.mac));
  Route out;
  out.device = kInside;
  out.via = gateway6();
  out.source = link.address;
  TRY(there.set_route(out));
  TRY(here.set_neighbour(device, link.address, inner.mac));
  TRY(here.set_route(Route{.destination = Prefix{link.address, 128}, .device = device}));
  if (!link.address4) return {};
  TRY(there.set_neighbour(kInside, gateway4(), outer.mac));
  out.ipv4 = true;
  out.via = gateway4();
  out.onlink = true;
  out.source = link.address4;
  TRY(there.set_route(out));
  TRY(here.set_neighbour(device, *link.address4, inner.mac));
  return here.set_route(Route{.destination = Prefix{*link.address4, 128}, .device = device});
}

}  // namespace

std::string container_device(const Ipv6& address) {
  constexpr std::string_view kDigits = "abcdefghijklmnopqrstuvwxyz234567";
  // 65 bits of the hash: two containers of a node do not share a name.
  std::string out = "bc";
  std::uint32_t bits = 0;
  unsigned have = 0;
  for (std::size_t at = 1; out.size() < 15; ++at) {
    bits = (bits << 8) | address.bytes[at];
    have += 8;
    for (; have >= 5 && out.size() < 15; have -= 5) out += kDigits[(bits >> (have - 5)) & 31];
  }
  return out;
}

Result<> attach_container(int container_namespace, const ContainerLink& link) {
  if (is_ipv4(link.address) || (link.address4 && !is_ipv4(*link.address4)) || link.mtu < 1280 || link.mtu > 65'535)
    return fail(ErrorCode::kInvalid, "the addresses or the MTU of a container's link are not possible");
  const std::string device = container_device(link.address);
  TRY_ASSIGN(auto here, Netlink::open());
  TRY_ASSIGN(auto there, Netlink::open_in(container_namespace));
  if (!is_attached(here, there, device, link)) {
    for (auto* const side : {&here, &there}) {
      const auto removed = side->remove(side == &here ? std::string_view(device) : kInside);
      if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
    }
    TRY(here.add_veth(
        {.name = device, .peer = std::string(kInside), .peer_namespace = container_namespace, .mtu = link.mtu}));
  }
  auto configured = configure(here, there, container_namespace, device, link);
  if (!configured) (void)here.remove(device);  // all or nothing
  return configured;
}

Result<> detach_container(const Ipv6& address) {
  TRY_ASSIGN(auto netlink, Netlink::open());
  auto removed = netlink.remove(container_device(address));
  if (!removed && removed.error().code != ErrorCode::kNotFound) return removed;
  return {};
}

}  // namespace bonus::net::host
