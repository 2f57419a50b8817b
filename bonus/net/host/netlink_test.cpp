// Netlink in namespaces made for the test: what is set is what the kernel then lists.
#include "bonus/net/host/netlink.hpp"

#include "bonus/net/host/policy.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::host {
namespace {

using testing::expect_in_child;
using testing::ip;
using testing::make_namespace;

const Route* find_route(const std::vector<Route>& routes, const Prefix& destination, std::uint32_t metric = 0) {
  for (const auto& route : routes)
    if (route.destination == destination && (metric == 0 || route.metric == metric)) return &route;
  return nullptr;
}

TEST(Netlink, LinksAreMadeChangedAndRemoved) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd a, make_namespace());
    TRY_ASSIGN(const Fd b, make_namespace());
    TRY_ASSIGN(auto left, Netlink::open_in(a.get()));
    TRY_ASSIGN(auto right, Netlink::open_in(b.get()));
    TRY(left.add_veth({.name = "one", .peer = "two", .peer_namespace = b.get(), .mtu = 1400}));
    TRY_ASSIGN(const auto one, left.link("one"));
    TRY_ASSIGN(const auto two, right.link("two"));
    CHILD_CHECK(one.kind == "veth" && one.mtu == 1400 && two.mtu == 1400 && !one.up && one.mac.size() == 6);
    CHILD_CHECK(one.peer_index == two.index);
    CHILD_CHECK(!left.link("two"));
    const auto again = left.add_veth({.name = "one", .peer = "three"});
    CHILD_CHECK(!again && again.error().code == ErrorCode::kExists);
    TRY(left.rename("one", "first"));
    TRY(left.set_mtu("first", 9000));
    TRY(left.set_up("first"));
    TRY_ASSIGN(const auto first, left.link("first"));
    CHILD_CHECK(first.up && first.mtu == 9000 && first.index == one.index);
    TRY(left.set_up("first", false));
    CHILD_CHECK(!TRY(left.link("first")).up);
    // Within one namespace, and moved afterwards.
    TRY(left.add_veth({.name = "x", .peer = "y"}));
    TRY(left.move("y", b.get()));
    CHILD_CHECK(right.link("y").has_value() && !left.link("y"));
    TRY(left.remove("x"));
    CHILD_CHECK(!right.link("y"));
    const auto missing = left.remove("x");
    CHILD_CHECK(!missing && missing.error().code == ErrorCode::kNotFound);
    for (const char* name : {"", "a/b", "sixteen-letters-", "a b", "."}) {
      const auto bad = left.set_up(name);
      CHILD_CHECK(!bad && bad.error().code == ErrorCode::kInvalid);
    }
    const auto loose = left.add_veth({.name = "p", .peer = "q", .peer_namespace = 0});
    CHILD_CHECK(!loose);
    return {};
  });
}

TEST(Netlink, AddressesRoutesAndRules) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd space, make_namespace());
    TRY_ASSIGN(auto netlink, Netlink::open_in(space.get()));
    TRY(netlink.add_veth({.name = "v0", .peer = "v1"}));
    TRY(netlink.set_up("v0"));
    TRY(netlink.set_up("v1"));
    TRY(netlink.add_address("v0", Prefix{ip("10.1.2.3"), 96 + 24}));
    TRY(netlink.add_address("v0", Prefix{ip("fd01::3"), 64}));
    TRY(netlink.add_address("v0", Prefix{ip("fd01::3"), 64}));  // twice is once
    TRY_ASSIGN(auto addresses, netlink.addresses());
    const auto has = [&](const char* text, std::uint8_t bits) {
      return std::ranges::any_of(addresses, [&](const auto& at) { return at.address == ip(text) && at.bits == bits; });
    };
    CHILD_CHECK(has("10.1.2.3", 120) && has("fd01::3", 64));

    // Default routes of both families, a gateway, replaced by another metric's neighbour and by themselves.
    TRY(netlink.set_route(Route{.ipv4 = true, .device = "v0", .via = ip("10.1.2.1"), .metric = 50}));
    TRY(netlink.set_route(Route{.device = "v0", .via = ip("fe80::1"), .metric = 60, .mtu = 1400}));
    TRY(netlink.set_route(Route{.device = "v0", .via = ip("fe80::2"), .metric = 60, .mtu = 1300}));
    const Prefix subnet{ip("192.168.0.0"), 112};
    TRY(netlink.set_route(
        Route{.destination = subnet, .device = "v0", .via = ip("169.254.1.1"), .onlink = true, .table = 77}));
    TRY(netlink.set_route(Route{.destination = Prefix{ip("fd99::"), 16}, .unreachable = true}));
    TRY_ASSIGN(const auto routes, netlink.routes());
    Prefix any4{ip("0.0.0.0"), 96};
    const Route* default4 = find_route(routes, any4, 50);
    CHILD_CHECK(default4 != nullptr && default4->ipv4 && default4->via == ip("10.1.2.1") && default4->device == "v0");
    const Route* default6 = find_route(routes, Prefix{{}, 0}, 60);
    CHILD_CHECK(default6 != nullptr && !default6->ipv4 && default6->via == ip("fe80::2") && default6->mtu == 1300);
    const Route* blocked = find_route(routes, Prefix{ip("fd99::"), 16});
    CHILD_CHECK(blocked != nullptr && blocked->unreachable);
    CHILD_CHECK(find_route(routes, subnet) == nullptr);
    TRY_ASSIGN(const auto other, netlink.routes(77));
    CHILD_CHECK(other.size() == 1 && other[0].via == ip("169.254.1.1") && other[0].onlink);
    TRY(netlink.remove_route(Route{.destination = subnet, .table = 77}));
    CHILD_CHECK(TRY(netlink.routes(77)).empty());
    const auto missing = netlink.remove_route(Route{.destination = subnet, .table = 77});
    CHILD_CHECK(!missing);

    const Rule rule{.from = Prefix{ip("fd01::3"), 128}, .table = 77, .priority = 100};
    TRY(netlink.add_rule(rule));
    TRY(netlink.add_rule(rule));
    TRY_ASSIGN(const auto rules, netlink.rules());
    CHILD_CHECK(rules.size() == 1 && rules[0].from == rule.from && rules[0].table == 77 && rules[0].priority == 100);
    TRY(netlink.remove_rule(rule));
    CHILD_CHECK(TRY(netlink.rules()).empty());

    TRY(netlink.remove_address("v0", Prefix{ip("10.1.2.3"), 96 + 24}));
    addresses = TRY(netlink.addresses());
    CHILD_CHECK(!has("10.1.2.3", 120));
    CHILD_CHECK(!netlink.set_neighbour("v0", ip("fd01::4"), Bytes(5)));
    TRY(netlink.set_neighbour("v0", ip("fd01::4"), Bytes{2, 0, 0, 0, 0, 1}));
    return {};
  });
}

TEST(Netlink, SysctlsBelongToTheNamespace) {
  EXPECT_FALSE(set_sysctl("kernel/hostname", "x"));
  EXPECT_FALSE(set_sysctl("net/../kernel/hostname", "x"));
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd space, make_namespace());
    TRY_ASSIGN(const auto before, sysctl("net/ipv6/conf/default/accept_dad"));
    TRY(in_namespace(space.get(), []() -> Result<> {
      TRY(prepare_node_namespace());
      CHILD_CHECK(TRY(sysctl("net/ipv6/conf/all/forwarding")) == "1");
      CHILD_CHECK(TRY(sysctl("net/ipv6/conf/default/accept_dad")) == "0");
      return {};
    }));
    CHILD_CHECK(TRY(sysctl("net/ipv6/conf/default/accept_dad")) == before);
    CHILD_CHECK(!set_sysctl("net/ipv6/conf/none/forwarding", "1"));
    return {};
  });
}

// The router role: a subnet behind this node, for some peers, and a gateway's edge clients in transit.
TEST(Policy, SubnetsAndTransitAreForwardedForTheirPeersOnly) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY(enter_own_namespace());
    TRY(prepare_node_namespace());
    TRY_ASSIGN(const Fd node, current_namespace());
    TRY_ASSIGN(const Fd peer, make_namespace());
    TRY_ASSIGN(const Fd office, make_namespace());
    TRY_ASSIGN(const auto wire, testing::Wire::make(node, "bonus0", peer, "bonus0"));
    TRY_ASSIGN(auto here, Netlink::open());
    TRY(configure_overlay_device(here, "bonus0", ip("fd12::1"), 1280));
    TRY(here.set_route(Route{.destination = Prefix{ip("10.66.0.0"), 112}, .device = "bonus0"}));
    TRY_ASSIGN(auto there, Netlink::open_in(peer.get()));
    TRY(configure_overlay_device(there, "bonus0", ip("fd77::9"), 1280));
    for (const char* address : {"fd77::a", "10.66.0.9", "10.66.0.10"})
      TRY(there.add_address("bonus0", Prefix{ip(address), 128}));
    TRY(there.set_route(Route{.destination = Prefix{ip("192.168.7.0"), 120}, .device = "bonus0"}));
    TRY_ASSIGN(auto inside, Netlink::open_in(office.get()));
    TRY(here.add_veth({.name = "lan0", .peer = "lan0", .peer_namespace = office.get()}));
    TRY(here.add_address("lan0", Prefix{ip("192.168.7.2"), 120}));
    TRY(inside.add_address("lan0", Prefix{ip("192.168.7.1"), 120}));
    TRY(here.set_up("lan0"));
    TRY(inside.set_up("lan0"));
    TRY(inside.set_route(Route{.ipv4 = true, .device = "lan0", .via = ip("192.168.7.2")}));

    TRY_ASSIGN(auto rules, Policy::open());
    PolicyState state;
    state.node_addresses = {ip("fd12::1")};
    TRY(rules.apply(state));
    TRY_ASSIGN(const Fd printer, testing::socket_in(office, SOCK_STREAM, "192.168.7.1", 631));
    TRY_ASSIGN(const Fd remote, testing::socket_in(peer, SOCK_STREAM, "10.66.0.9", 22));
    CHILD_CHECK(!testing::tcp_reaches(peer, "10.66.0.9", "192.168.7.1", 631, 300));
    state.subnets = {
        {.device = "lan0", .subnet = Prefix{ip("192.168.7.0"), 120}, .peers = {Prefix{ip("10.66.0.9"), 128}}}};
    TRY(rules.apply(state));
    CHILD_CHECK(testing::tcp_reaches(peer, "10.66.0.9", "192.168.7.1", 631));
    CHILD_CHECK(!testing::tcp_reaches(peer, "10.66.0.10", "192.168.7.1", 631, 300));
    CHILD_CHECK(testing::tcp_reaches(office, "", "10.66.0.9", 22));  // site to site
    CHILD_CHECK(!testing::tcp_reaches(office, "", "10.66.0.10", 22, 300));
    CHILD_CHECK(!testing::tcp_reaches(office, "", "192.168.7.2", 1, 300));
    // Overlay to overlay only for who is named: an echo to a third party returns to the peer's own wire.
    TRY_ASSIGN(const Fd third, testing::socket_in(peer, SOCK_DGRAM, "fd77::a", 7));
    TRY_ASSIGN(const auto before, rules.counters());
    TRY_ASSIGN(const Fd sender, testing::socket_in(peer, SOCK_DGRAM, "fd77::9", 0));
    TRY(there.set_route(Route{.destination = Prefix{ip("fd88::1"), 128}, .device = "bonus0"}));
    const auto to = testing::endpoint("fd88::1", 7);
    const auto send = [&] {
      return ::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 1;
    };
    CHILD_CHECK(send());
    ::usleep(200'000);
    TRY_ASSIGN(const auto dropped, rules.counters());
    CHILD_CHECK(dropped.forward_denied == before.forward_denied + 1);
    state.transit = {Prefix{ip("fd77::9"), 128}};
    TRY(rules.apply(state));
    CHILD_CHECK(send());
    ::usleep(200'000);
    TRY_ASSIGN(const auto passed, rules.counters());
    CHILD_CHECK(passed.forward_denied == dropped.forward_denied);
    return {};
  });
}

}  // namespace
}  // namespace bonus::net::host
