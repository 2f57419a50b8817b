// The way to the Internet: the exit role, its guests, and this node's containers that use one.

#include "bonus/base/log.hpp"
#include "bonus/net/host/exit.hpp"
#include "bonus/node/network.hpp"

namespace bonus::node {

namespace host = net::host;

namespace {
/// Guests that were not asked for so long are forgotten; nodes ask every ten seconds.
constexpr Duration kGuestLife = std::chrono::seconds(60);
const net::Prefix& default4() {
  static const net::Prefix kAll = net::parse_prefix("0.0.0.0/0").value();
  return kAll;
}
/// All that is the Internet. Not ::/0: what is not found in the overlay must not end up at an exit.
const net::Prefix& internet6() {
  static const net::Prefix kAll = net::parse_prefix("2000::/3").value();
  return kAll;
}
Result<> route_into_overlay(host::Netlink& netlink, const net::Prefix& to) {
  host::Route route;
  route.ipv4 = net::is_ipv4(to.address);
  if (to != default4()) route.destination = to;
  route.device = "bonus0";
  return netlink.set_route(route);
}
}  // namespace

runtime::Task<Result<>> Network::start_exit(std::vector<net::Prefix> allow_private) {
  host::ExitOptions exit_options;
  exit_options.id = to_hex(identity_.id).substr(0, 8);
  exit_options.allow_private = allow_private;
  auto starting = helper_->exit_up(exit_options);
  CO_TRY_ASSIGN(const auto link, co_await std::move(starting));
  CO_TRY_ASSIGN(auto netlink, host::Netlink::open());
  CO_TRY(route_into_overlay(netlink, guest_pool()));
  const std::scoped_lock guard(mutex_);
  exit_ = link;
  exit_private_ = std::move(allow_private);
  log::info("net", "exit_up", {{"device", link.device}, {"inside", net::to_string(link.inside4)}});
  co_return apply_policy();
}

net::Prefix Network::guest_pool() { return net::parse_prefix("100.97.0.0/16").value(); }

Result<std::vector<net::Ipv6>> Network::admit_guests(const net::NodeRecord& owner,
                                                     const std::vector<ExitWish>& wishes) {
  const std::scoped_lock guard(mutex_);
  if (!exit_) return fail(ErrorCode::kUnsupported, "this node is no exit");
  TRY_ASSIGN(auto given, guests_.give(owner.root, owner.id(), wishes, parts_.clock.now() + kGuestLife));
  TRY(apply_policy());
  apply_behind();
  return given;
}

void Network::expire_guests() {
  const std::scoped_lock guard(mutex_);
  if (!guests_.expire(parts_.clock.now())) return;
  if (auto done = apply_policy(); !done) log::error("net", "policy_not_applied", {{"error", done.error().message}});
  apply_behind();
}

void Network::ask_exit_by(std::function<Result<>()> ask) {
  const std::scoped_lock guard(mutex_);
  ask_exit_ = std::move(ask);
}

std::vector<ExitWish> Network::exit_wishes() const {
  std::vector<ExitWish> out;
  const std::scoped_lock guard(mutex_);
  if (config_.net.exit) return out;  // our own containers use our own
  for (const auto& [id, one] : containers_)
    if (one.policy.internet && out.size() < net::kMaxRecordContainers)
      out.push_back({record_id(id), one.policy.address4});
  return out;
}

Result<> Network::set_exit_addresses(const std::map<Bytes, net::Ipv6>& given) {
  const std::scoped_lock guard(mutex_);
  for (auto& [id, one] : containers_) {
    const auto found = given.find(record_id(id));
    if (found == given.end() || !one.policy.internet || one.policy.address4 == found->second) continue;
    if (!guest_pool().contains(found->second))
      return fail(ErrorCode::kInvalid, net::to_string(found->second) + " is no address of an exit's");
    host::ContainerLink link;
    link.address = one.policy.address;
    link.address4 = found->second;
    link.mtu = static_cast<std::uint32_t>(config_.net.mtu);
    TRY(host::attach_container(one.space.get(), link));
    one.policy.address4 = found->second;
  }
  TRY_ASSIGN(auto netlink, host::Netlink::open());
  TRY(route_into_overlay(netlink, default4()));
  TRY(route_into_overlay(netlink, internet6()));
  apply_behind();
  return apply_policy();
}

void Network::apply_behind() {
  std::map<NodeId, std::vector<net::Prefix>> behind;
  for (const auto& one : accepted_) behind[one.node].push_back(one.prefix);
  for (const auto& [key, guest] : guests_.guests())
    if (key.first != identity_.id)
      // Its overlay address too: its node's new record may come later than its first packet.
      for (const auto& address : {guest.ipv4, guest.address}) behind[key.first].push_back({address, 128});
  const bool used = std::ranges::any_of(containers_, [](const auto& one) { return one.second.policy.internet; });
  if (used && config_.net.use_exit && !config_.net.exit)
    for (const auto& prefix : {default4(), internet6()}) behind[*config_.net.use_exit].push_back(prefix);
  if (behind == behind_) return;
  behind_ = behind;
  std::vector<net::overlay::Overlay::Behind> by_node;
  for (auto& [node, prefixes] : behind) by_node.push_back({node, std::move(prefixes)});
  overlay_->set_behind(std::move(by_node));
}

}  // namespace bonus::node
