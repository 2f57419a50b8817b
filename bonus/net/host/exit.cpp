// The exit role and its client side by netlink and nftables; see exit.hpp.
#include "bonus/net/host/exit.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/net/host/namespace.hpp"
#include "bonus/net/host/netlink.hpp"

namespace bonus::net::host {

namespace {
constexpr std::uint32_t kExitSlots = 4096;
constexpr std::uint32_t kRulePriority = 20'000;
}  // namespace

Result<std::string> exit_table(const std::string& id) {
  const bool good = !id.empty() && id.size() <= 8 &&
                    std::ranges::all_of(id, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z'); });
  if (!good) return fail(ErrorCode::kInvalid, "the id of an exit is 1 to 8 digits and small letters");
  return "bonus_exit_" + id;
}

Result<> configure_exit_inside(Netlink& netlink, const ExitLink& link) {
  TRY(netlink.set_up("lo"));
  TRY(netlink.add_address(link.device, Prefix{link.inside4, 126}));
  TRY(netlink.set_up(link.device));
  Route out;
  out.ipv4 = true;
  out.device = link.device;
  out.via = link.outside4;
  out.metric = 1024;
  TRY(netlink.set_route(out));
  if (link.inside6.is_zero()) return {};
  TRY(netlink.add_address(link.device, Prefix{link.inside6, 126}));
  out.ipv4 = false;
  out.via = link.outside6;
  return netlink.set_route(out);
}

Result<> apply_exit_routes(Netlink& netlink, const std::vector<ExitRoute>& routes) {
  std::vector<Rule> wanted;
  for (const auto& route : routes) {
    if (route.slot >= kExitSlots) return fail(ErrorCode::kInvalid, "too many exits in use");
    const std::uint32_t table = kExitTables + route.slot;
    for (const bool ipv4 : {true, false}) {
      Route way;
      way.ipv4 = ipv4;
      way.device = route.device;
      way.table = table;
      way.metric = 1;
      TRY(netlink.set_route(way));
    }
    for (const auto& source : route.sources)
      wanted.push_back(Rule{.from = Prefix{source, 128}, .table = table, .priority = kRulePriority});
  }
  const auto same = [](const Rule& a, const Rule& b) { return a.from == b.from && a.table == b.table; };
  TRY_ASSIGN(const auto present, netlink.rules());
  // New ones first: a source that changes its exit is never without one.
  for (const auto& rule : wanted) TRY(netlink.add_rule(rule));
  for (const auto& rule : present) {
    if (rule.table < kExitTables || rule.table >= kExitTables + kExitSlots) continue;
    if (std::ranges::none_of(wanted, [&](const Rule& other) { return same(rule, other); }))
      TRY(netlink.remove_rule(rule));
  }
  TRY_ASSIGN(const auto all, netlink.routes(0));
  for (const auto& route : all) {
    if (route.table < kExitTables || route.table >= kExitTables + kExitSlots) continue;
    const auto used = [&](const ExitRoute& other) { return kExitTables + other.slot == route.table; };
    if (std::ranges::none_of(routes, used)) TRY(netlink.remove_route(route));
  }
  return {};
}

}  // namespace bonus::net::host
