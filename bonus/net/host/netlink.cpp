// Links and addresses by rtnetlink(7).
#include "bonus/net/host/netlink.hpp"

#include <fmt/format.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <net/if.h>
#include <netlink/route/addr.h>
#include <netlink/route/link.h>
#include <netlink/route/link/inet6.h>
#include <netlink/route/link/veth.h>

#include <algorithm>
#include <cstring>

#include "bonus/net/host/namespace.hpp"
#include "bonus/net/host/netlink_detail.hpp"

namespace bonus::net::host {
namespace detail {

Error netlink_error(std::string_view doing, std::string_view subject, int code) {
  ErrorCode kind = ErrorCode::kIo;
  switch (-code) {
    case NLE_PERM:
    case NLE_NOACCESS:
      kind = ErrorCode::kDenied;
      break;
    case NLE_NODEV:
    case NLE_OBJ_NOTFOUND:
      kind = ErrorCode::kNotFound;
      break;
    case NLE_EXIST:
      kind = ErrorCode::kExists;
      break;
    case NLE_INVAL:
    case NLE_RANGE:
      kind = ErrorCode::kInvalid;
      break;
    default:
      break;
  }
  return Error{kind, fmt::format("{} {}: {}", doing, subject, nl_geterror(code))};
}

NlAddr to_nl(const Prefix& prefix, bool ipv4) {
  const auto& bytes = prefix.address.bytes;
  NlAddr out(ipv4 ? nl_addr_build(AF_INET, bytes.data() + 12, 4) : nl_addr_build(AF_INET6, bytes.data(), 16));
  if (out != nullptr) nl_addr_set_prefixlen(out.get(), ipv4 ? std::max(prefix.bits - 96, 0) : prefix.bits);
  return out;
}

bool from_nl(const nl_addr* address, Prefix& out) {
  if (address == nullptr) return false;
  const unsigned length = nl_addr_get_len(address);
  const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(address));
  const unsigned bits = nl_addr_get_prefixlen(address);
  const int family = nl_addr_get_family(address);
  out = Prefix{};
  if (family == AF_INET6 && (length == 16 || length == 0)) {
    std::copy_n(bytes, length, out.address.bytes.begin());
    out.bits = static_cast<std::uint8_t>(bits);
    return true;
  }
  if (family == AF_INET && (length == 4 || length == 0)) {
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    std::copy_n(bytes, length, out.address.bytes.begin() + 12);
    out.bits = static_cast<std::uint8_t>(96 + bits);
    return true;
  }
  return false;
}

}  // namespace detail

namespace {

using detail::netlink_error;
using NlLink = detail::Owned<rtnl_link, rtnl_link_put>;
using NlAddress = detail::Owned<rtnl_addr, rtnl_addr_put>;

Error no_memory() { return Error{ErrorCode::kExhausted, "no memory for a netlink message"}; }

Result<> check_name(std::string_view name) {
  if (name.empty() || name.size() >= IFNAMSIZ || name == "." || name == ".." ||
      name.find_first_of(std::string_view("/ \t\n:\0", 6)) != std::string_view::npos)
    return fail(ErrorCode::kInvalid, fmt::format("'{}' is not a name of a network device", name));
  return {};
}

Result<NlLink> find(nl_sock* socket, std::string_view name) {
  TRY(check_name(name));
  rtnl_link* raw = nullptr;
  const int code = rtnl_link_get_kernel(socket, 0, std::string(name).c_str(), &raw);
  if (code < 0) return fail(netlink_error("finding the device", name, code));
  return NlLink(raw);
}

Link describe(rtnl_link* link) {
  Link out;
  out.index = rtnl_link_get_ifindex(link);
  if (const char* name = rtnl_link_get_name(link)) out.name = name;
  if (const char* kind = rtnl_link_get_type(link)) out.kind = kind;
  out.mtu = rtnl_link_get_mtu(link);
  out.peer_index = rtnl_link_get_link(link);
  out.up = (rtnl_link_get_flags(link) & IFF_UP) != 0;
  if (nl_addr* mac = rtnl_link_get_addr(link); mac != nullptr && nl_addr_get_len(mac) == 6) {
    const auto* bytes = static_cast<const std::uint8_t*>(nl_addr_get_binary_addr(mac));
    out.mac.assign(bytes, bytes + 6);
  }
  return out;
}

template <class Change>
Result<> change_link(nl_sock* socket, std::string_view name, std::string_view doing, const Change& change) {
  TRY_ASSIGN(const NlLink link, find(socket, name));
  const NlLink wanted(rtnl_link_alloc());
  if (wanted == nullptr) return fail(no_memory());
  change(wanted.get());
  const int code = rtnl_link_change(socket, link.get(), wanted.get(), 0);
  if (code < 0) return fail(netlink_error(doing, name, code));
  return {};
}

}  // namespace

void Netlink::Free::operator()(nl_sock* socket) const { nl_socket_free(socket); }
Netlink::Netlink(nl_sock* socket) : socket_(socket) {}
Netlink::Netlink(Netlink&&) noexcept = default;
Netlink& Netlink::operator=(Netlink&&) noexcept = default;
Netlink::~Netlink() = default;

Result<Netlink> Netlink::open() {
  Netlink out(nl_socket_alloc());
  if (out.socket_ == nullptr) return fail(no_memory());
  const int code = nl_connect(out.socket_.get(), NETLINK_ROUTE);
  if (code < 0) return fail(netlink_error("opening", "a netlink socket", code));
  return out;
}

Result<Netlink> Netlink::open_in(int namespace_fd) {
  std::optional<Netlink> out;
  TRY(in_namespace(namespace_fd, [&]() -> Result<> {
    TRY_ASSIGN(out, open());
    return {};
  }));
  return std::move(*out);
}

Result<std::vector<Link>> Netlink::links() {
  nl_cache* raw = nullptr;
  const int code = rtnl_link_alloc_cache(socket_.get(), AF_UNSPEC, &raw);
  if (code < 0) return fail(netlink_error("listing", "devices", code));
  const detail::NlCache cache(raw);
  std::vector<Link> out;
  for (auto* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object))
    out.push_back(describe(reinterpret_cast<rtnl_link*>(object)));
  return out;
}

Result<Link> Netlink::link(std::string_view name) {
  TRY_ASSIGN(const NlLink found, find(socket_.get(), name));
  return describe(found.get());
}

Result<int> Netlink::index(std::string_view name) {
  TRY_ASSIGN(const NlLink found, find(socket_.get(), name));
  return rtnl_link_get_ifindex(found.get());
}

Result<> Netlink::set_up(std::string_view name, bool up) {
  return change_link(socket_.get(), name, up ? "taking up" : "taking down", [up](rtnl_link* link) {
    if (up)
      rtnl_link_set_flags(link, IFF_UP);
    else
      rtnl_link_unset_flags(link, IFF_UP);
  });
}

Result<> Netlink::set_mtu(std::string_view name, std::uint32_t mtu) {
  return change_link(socket_.get(), name, "setting the MTU of",
                     [mtu](rtnl_link* link) { rtnl_link_set_mtu(link, mtu); });
}

Result<> Netlink::no_link_local(std::string_view name) {
  return change_link(socket_.get(), name, "configuring",
                     [](rtnl_link* link) { (void)rtnl_link_inet6_set_addr_gen_mode(link, IN6_ADDR_GEN_MODE_NONE); });
}

Result<> Netlink::rename(std::string_view name, std::string_view to) {
  TRY(check_name(to));
  return change_link(socket_.get(), name, "renaming",
                     [to](rtnl_link* link) { rtnl_link_set_name(link, std::string(to).c_str()); });
}

Result<> Netlink::move(std::string_view name, int namespace_fd) {
  return change_link(socket_.get(), name, "moving",
                     [namespace_fd](rtnl_link* link) { rtnl_link_set_ns_fd(link, namespace_fd); });
}

Result<> Netlink::remove(std::string_view name) {
  TRY_ASSIGN(const NlLink found, find(socket_.get(), name));
  const int code = rtnl_link_delete(socket_.get(), found.get());
  if (code < 0) return fail(netlink_error("removing the device", name, code));
  return {};
}

Result<> Netlink::add_veth(const Veth& veth) {
  TRY(check_name(veth.name));
  TRY(check_name(veth.peer));
  const NlLink link(rtnl_link_veth_alloc());
  if (link == nullptr) return fail(no_memory());
  rtnl_link_set_name(link.get(), veth.name.c_str());
  const NlLink peer(rtnl_link_veth_get_peer(link.get()));  // counted
  rtnl_link_set_name(peer.get(), veth.peer.c_str());
  if (veth.mtu != 0) {
    rtnl_link_set_mtu(link.get(), veth.mtu);
    rtnl_link_set_mtu(peer.get(), veth.mtu);
  }
  if (veth.peer_namespace >= 0) rtnl_link_set_ns_fd(peer.get(), veth.peer_namespace);
  const int code = rtnl_link_add(socket_.get(), link.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (code < 0)
    return fail(netlink_error("making the veth pair", fmt::format("{} and {}", veth.name, veth.peer), code));
  return {};
}

Result<> Netlink::add_address(std::string_view device, const Prefix& address) {
  TRY_ASSIGN(const int device_index, index(device));
  const NlAddress wanted(rtnl_addr_alloc());
  const auto local = detail::to_nl(address);
  if (wanted == nullptr || local == nullptr) return fail(no_memory());
  rtnl_addr_set_ifindex(wanted.get(), device_index);
  if (rtnl_addr_set_local(wanted.get(), local.get()) < 0) return fail(no_memory());
  if (!is_ipv4(address.address)) rtnl_addr_set_flags(wanted.get(), IFA_F_NODAD);
  const int code = rtnl_addr_add(socket_.get(), wanted.get(), NLM_F_EXCL);
  if (code < 0 && code != -NLE_EXIST)
    return fail(netlink_error("adding to", fmt::format("{} the address {}", device, to_string(address)), code));
  return {};
}

Result<> Netlink::remove_address(std::string_view device, const Prefix& address) {
  TRY_ASSIGN(const int device_index, index(device));
  const NlAddress wanted(rtnl_addr_alloc());
  const auto local = detail::to_nl(address);
  if (wanted == nullptr || local == nullptr) return fail(no_memory());
  rtnl_addr_set_ifindex(wanted.get(), device_index);
  if (rtnl_addr_set_local(wanted.get(), local.get()) < 0) return fail(no_memory());
  const int code = rtnl_addr_delete(socket_.get(), wanted.get(), 0);
  if (code < 0)
    return fail(netlink_error("removing from", fmt::format("{} the address {}", device, to_string(address)), code));
  return {};
}

Result<std::vector<LinkAddress>> Netlink::addresses() {
  nl_cache* raw = nullptr;
  const int code = rtnl_addr_alloc_cache(socket_.get(), &raw);
  if (code < 0) return fail(netlink_error("listing", "addresses", code));
  const detail::NlCache cache(raw);
  std::vector<LinkAddress> out;
  for (auto* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
    auto* address = reinterpret_cast<rtnl_addr*>(object);
    Prefix prefix;
    if (!detail::from_nl(rtnl_addr_get_local(address), prefix)) continue;
    out.push_back(LinkAddress{.index = rtnl_addr_get_ifindex(address),
                              .address = prefix.address,
                              .bits = prefix.bits,
                              .scope = static_cast<std::uint8_t>(rtnl_addr_get_scope(address))});
  }
  return out;
}

}  // namespace bonus::net::host
