// Routes, rules and neighbours by rtnetlink(7).
#include <fmt/format.h>
#include <linux/fib_rules.h>
#include <linux/rtnetlink.h>
#include <netlink/route/neighbour.h>
#include <netlink/route/nexthop.h>
#include <netlink/route/route.h>
#include <netlink/route/rule.h>

#include <map>

#include "bonus/net/host/netlink.hpp"
#include "bonus/net/host/netlink_detail.hpp"

namespace bonus::net::host {
namespace {

using detail::netlink_error;
using NlRoute = detail::Owned<rtnl_route, rtnl_route_put>;
using NlRule = detail::Owned<rtnl_rule, rtnl_rule_put>;
using NlNeighbour = detail::Owned<rtnl_neigh, rtnl_neigh_put>;

Error no_memory() { return Error{ErrorCode::kExhausted, "no memory for a netlink message"}; }

bool family_is_4(const Route& route) {
  return route.ipv4 || is_ipv4(route.destination.address) || (route.via && is_ipv4(*route.via));
}

std::string name_of(const Route& route) {
  return fmt::format(
      "{} (table {})",
      family_is_4(route) && !is_ipv4(route.destination.address) ? "0.0.0.0/0" : to_string(route.destination),
      route.table);
}

Result<NlRoute> to_nl(const Route& route, int device_index) {
  NlRoute out(rtnl_route_alloc());
  const bool ipv4 = family_is_4(route);
  const auto destination = detail::to_nl(route.destination, ipv4);
  if (out == nullptr || destination == nullptr) return fail(no_memory());
  rtnl_route* const raw = out.get();
  if (rtnl_route_set_family(raw, ipv4 ? AF_INET : AF_INET6) < 0 || rtnl_route_set_dst(raw, destination.get()) < 0)
    return fail(ErrorCode::kInvalid, fmt::format("the route to {} is malformed", name_of(route)));
  rtnl_route_set_table(raw, route.table);
  rtnl_route_set_protocol(raw, RTPROT_STATIC);
  if (route.metric != 0) rtnl_route_set_priority(raw, route.metric);
  if (route.mtu != 0) rtnl_route_set_metric(raw, RTAX_MTU, route.mtu);
  if (route.source) {
    const auto source = detail::to_nl(Prefix{*route.source, 128});
    if (rtnl_route_set_pref_src(raw, source.get()) < 0)
      return fail(ErrorCode::kInvalid,
                  fmt::format("the source of the route to {} is of another family", name_of(route)));
  }
  if (route.unreachable) {
    (void)rtnl_route_set_type(raw, RTN_UNREACHABLE);
    return out;
  }
  (void)rtnl_route_set_type(raw, RTN_UNICAST);
  rtnl_nexthop* hop = rtnl_route_nh_alloc();
  if (hop == nullptr) return fail(no_memory());
  if (device_index != 0) rtnl_route_nh_set_ifindex(hop, device_index);
  if (route.via) {
    const auto gateway = detail::to_nl(Prefix{*route.via, 128});
    rtnl_route_nh_set_gateway(hop, gateway.get());
  }
  if (route.onlink) {
    rtnl_route_nh_set_flags(hop, RTNH_F_ONLINK);
    rtnl_route_set_flags(raw, RTNH_F_ONLINK);  // for a single hop the kernel reads the route's flags
  }
  rtnl_route_add_nexthop(raw, hop);  // owned by the route now
  return out;
}

Result<NlRule> to_nl(const Rule& rule) {
  NlRule out(rtnl_rule_alloc());
  const auto source = detail::to_nl(rule.from);
  if (out == nullptr || source == nullptr) return fail(no_memory());
  rtnl_rule_set_family(out.get(), is_ipv4(rule.from.address) ? AF_INET : AF_INET6);
  if (rtnl_rule_set_src(out.get(), source.get()) < 0) return fail(no_memory());
  rtnl_rule_set_table(out.get(), rule.table);
  rtnl_rule_set_prio(out.get(), rule.priority);
  rtnl_rule_set_action(out.get(), FR_ACT_TO_TBL);
  return out;
}

}  // namespace

Result<> Netlink::set_route(const Route& route) {
  const int device_index = route.device.empty() ? 0 : TRY(index(route.device));
  TRY_ASSIGN(const NlRoute wanted, to_nl(route, device_index));
  const int code = rtnl_route_add(socket_.get(), wanted.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (code < 0) return fail(netlink_error("setting the route to", name_of(route), code));
  return {};
}

// The kernel wants to be told the scope, type and more of what it shall delete: it is asked for the route first.
Result<> Netlink::remove_route(const Route& route) {
  const int device_index = route.device.empty() ? 0 : TRY(index(route.device));
  nl_cache* raw = nullptr;
  const int listed = rtnl_route_alloc_cache(socket_.get(), family_is_4(route) ? AF_INET : AF_INET6, 0, &raw);
  if (listed < 0) return fail(netlink_error("listing", "routes", listed));
  const detail::NlCache cache(raw);
  for (auto* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
    auto* found = reinterpret_cast<rtnl_route*>(object);
    Prefix destination;
    if (!detail::from_nl(rtnl_route_get_dst(found), destination) || rtnl_route_get_table(found) != route.table)
      continue;
    const bool any = route.destination.bits == (is_ipv4(route.destination.address) ? 96 : 0);
    if (any ? destination.bits != (family_is_4(route) ? 96 : 0) : destination != route.destination) continue;
    if (route.metric != 0 && rtnl_route_get_priority(found) != route.metric) continue;
    rtnl_nexthop* hop = rtnl_route_get_nnexthops(found) > 0 ? rtnl_route_nexthop_n(found, 0) : nullptr;
    if (device_index != 0 && (hop == nullptr || rtnl_route_nh_get_ifindex(hop) != device_index)) continue;
    const int code = rtnl_route_delete(socket_.get(), found, 0);
    if (code < 0) return fail(netlink_error("removing the route to", name_of(route), code));
    return {};
  }
  return fail(ErrorCode::kNotFound, fmt::format("there is no route to {}", name_of(route)));
}

Result<std::vector<Route>> Netlink::routes(std::uint32_t table) {
  std::map<int, std::string> names;
  for (auto& link : TRY(links())) names[link.index] = link.name;
  nl_cache* raw = nullptr;
  const int code = rtnl_route_alloc_cache(socket_.get(), AF_UNSPEC, 0, &raw);
  if (code < 0) return fail(netlink_error("listing", "routes", code));
  const detail::NlCache cache(raw);
  std::vector<Route> out;
  for (auto* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
    auto* found = reinterpret_cast<rtnl_route*>(object);
    if (table != 0 && rtnl_route_get_table(found) != table) continue;
    Route route;
    route.ipv4 = rtnl_route_get_family(found) == AF_INET;
    if (!detail::from_nl(rtnl_route_get_dst(found), route.destination)) continue;
    route.table = rtnl_route_get_table(found);
    route.metric = rtnl_route_get_priority(found);
    route.unreachable = rtnl_route_get_type(found) == RTN_UNREACHABLE;
    Prefix address;
    if (detail::from_nl(rtnl_route_get_pref_src(found), address)) route.source = address.address;
    std::uint32_t mtu = 0;
    if (rtnl_route_get_metric(found, RTAX_MTU, &mtu) == 0) route.mtu = mtu;
    if (rtnl_route_get_nnexthops(found) > 0) {
      auto* hop = rtnl_route_nexthop_n(found, 0);
      if (const auto name = names.find(rtnl_route_nh_get_ifindex(hop)); name != names.end())
        route.device = name->second;
      if (detail::from_nl(rtnl_route_nh_get_gateway(hop), address)) route.via = address.address;
      route.onlink = (rtnl_route_nh_get_flags(hop) & RTNH_F_ONLINK) != 0;
    }
    out.push_back(std::move(route));
  }
  return out;
}

Result<> Netlink::add_rule(const Rule& rule) {
  TRY_ASSIGN(const NlRule wanted, to_nl(rule));
  const int code = rtnl_rule_add(socket_.get(), wanted.get(), NLM_F_CREATE | NLM_F_EXCL);
  if (code < 0 && code != -NLE_EXIST) return fail(netlink_error("adding the rule for", to_string(rule.from), code));
  return {};
}

Result<> Netlink::remove_rule(const Rule& rule) {
  TRY_ASSIGN(const NlRule wanted, to_nl(rule));
  const int code = rtnl_rule_delete(socket_.get(), wanted.get(), 0);
  if (code < 0) return fail(netlink_error("removing the rule for", to_string(rule.from), code));
  return {};
}

Result<std::vector<Rule>> Netlink::rules() {
  nl_cache* raw = nullptr;
  const int code = rtnl_rule_alloc_cache(socket_.get(), AF_UNSPEC, &raw);
  if (code < 0) return fail(netlink_error("listing", "rules", code));
  const detail::NlCache cache(raw);
  std::vector<Rule> out;
  for (auto* object = nl_cache_get_first(raw); object != nullptr; object = nl_cache_get_next(object)) {
    auto* found = reinterpret_cast<rtnl_rule*>(object);
    Rule rule;
    if (!detail::from_nl(rtnl_rule_get_src(found), rule.from)) continue;
    rule.table = rtnl_rule_get_table(found);
    rule.priority = rtnl_rule_get_prio(found);
    out.push_back(rule);
  }
  return out;
}

Result<> Netlink::set_neighbour(std::string_view device, const Ipv6& address, BytesView mac) {
  if (mac.size() != 6) return fail(ErrorCode::kInvalid, "a hardware address has 6 bytes");
  TRY_ASSIGN(const int device_index, index(device));
  const NlNeighbour wanted(rtnl_neigh_alloc());
  const auto destination = detail::to_nl(Prefix{address, 128});
  const detail::NlAddr hardware(nl_addr_build(AF_LLC, mac.data(), mac.size()));
  if (wanted == nullptr || destination == nullptr || hardware == nullptr) return fail(no_memory());
  rtnl_neigh_set_ifindex(wanted.get(), device_index);
  rtnl_neigh_set_lladdr(wanted.get(), hardware.get());
  rtnl_neigh_set_state(wanted.get(), NUD_PERMANENT);
  if (rtnl_neigh_set_dst(wanted.get(), destination.get()) < 0) return fail(no_memory());
  const int code = rtnl_neigh_add(socket_.get(), wanted.get(), NLM_F_CREATE | NLM_F_REPLACE);
  if (code < 0) return fail(netlink_error("setting the neighbour", to_string(address), code));
  return {};
}

}  // namespace bonus::net::host
