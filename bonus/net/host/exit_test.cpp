// The exit role against a little Internet: a machine with an uplink, a LAN and a node that leaves for its own
// namespace.
#include "bonus/net/host/exit.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>

#include "bonus/net/host/containers.hpp"
#include "bonus/net/host/helper.hpp"
#include "bonus/net/host/nft.hpp"
#include "bonus/net/host/policy.hpp"
#include "bonus/net/host/prefixes.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::host {
namespace {

using testing::expect_in_child;
using testing::ip;
using testing::make_namespace;
using testing::socket_in;
using testing::tcp_reaches;
using testing::Wire;

constexpr const char* kServer4 = "203.0.113.5";
constexpr const char* kServer6 = "2001:db8:5::5";
constexpr const char* kLan = "192.168.7.1";
constexpr const char* kClient6 = "fd77::9";
constexpr const char* kClient4 = "10.66.0.9";

template <class T>
Result<T> wait_for(runtime::Task<Result<T>> task) {
  boost::asio::io_context context;
  Result<T> out = fail(ErrorCode::kInternal, "the task threw");
  boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, Result<T> result) {
    if (error == nullptr) out = std::move(result);
  });
  context.run();
  return out;
}

// An address with the length of its network, or a network.
Prefix prefix(const std::string& text) {
  const auto slash = text.find('/');
  const Ipv6 address = ip(text.substr(0, slash));
  if (slash == std::string::npos) return Prefix{address, 128};
  const int bits = std::stoi(text.substr(slash + 1)) + (is_ipv4(address) ? 96 : 0);
  return Prefix{address, static_cast<std::uint8_t>(bits)};
}

Result<> link(const Fd& a, const std::string& name_a, const std::vector<std::string>& addresses_a, const Fd& b,
              const std::string& name_b, const std::vector<std::string>& addresses_b) {
  TRY_ASSIGN(auto left, Netlink::open_in(a.get()));
  TRY_ASSIGN(auto right, Netlink::open_in(b.get()));
  TRY(left.add_veth({.name = name_a, .peer = name_b, .peer_namespace = b.get()}));
  for (const auto& text : addresses_a) TRY(left.add_address(name_a, prefix(text)));
  for (const auto& text : addresses_b) TRY(right.add_address(name_b, prefix(text)));
  TRY(left.set_up(name_a));
  return right.set_up(name_b);
}

Result<> default_routes(const Fd& space, const std::string& device, const std::string& via4, const std::string& via6) {
  TRY_ASSIGN(auto netlink, Netlink::open_in(space.get()));
  TRY(netlink.set_route(Route{.ipv4 = true, .device = device, .via = ip(via4)}));
  return netlink.set_route(Route{.device = device, .via = ip(via6)});
}

// internet (a server) -- machine (uplink, LAN) -- node (own namespace, exit) -- client on the overlay
struct Internet {
  Fd machine, internet, lan, client, node;
  std::unique_ptr<Wire> wire;
  std::unique_ptr<Helper> helper;
  std::vector<Fd> servers;

  static Result<std::unique_ptr<Internet>> make() {
    auto out = std::make_unique<Internet>();
    for (Fd* space : {&out->machine, &out->internet, &out->lan, &out->client}) {
      TRY_ASSIGN(*space, make_namespace());
    }
    TRY(link(out->machine, "up0", {"198.51.100.2/24", "2001:db8:1::2/64"}, out->internet, "net0",
             {"198.51.100.1/24", "2001:db8:1::1/64"}));
    TRY(link(out->machine, "lan0", {"192.168.7.2/24"}, out->lan, "lan0", {"192.168.7.1/24"}));
    TRY(default_routes(out->machine, "up0", "198.51.100.1", "2001:db8:1::1"));
    TRY_ASSIGN(auto internet, Netlink::open_in(out->internet.get()));
    TRY(internet.add_address("lo", prefix(kServer4)));
    TRY(internet.add_address("lo", prefix(kServer6)));
    TRY_ASSIGN(auto lan, Netlink::open_in(out->lan.get()));
    TRY(lan.set_route(Route{.ipv4 = true, .device = "lan0", .via = ip("192.168.7.2")}));

    if (::setns(out->machine.get(), CLONE_NEWNET) != 0) return fail(os_error("entering", "the machine"));
    TRY_ASSIGN(auto process, HelperProcess::start({.may_exit = true}));
    TRY(enter_own_namespace());
    TRY_ASSIGN(out->node, current_namespace());
    TRY(prepare_node_namespace());
    out->helper = std::make_unique<Helper>(std::move(process));
    TRY_ASSIGN(out->wire, Wire::make(out->node, "bonus0", out->client, "bonus0"));
    TRY_ASSIGN(auto here, Netlink::open());
    TRY(configure_overlay_device(here, "bonus0", ip("fd12::1"), 1280));
    TRY(here.set_route(Route{.destination = prefix("10.66.0.0/16"), .device = "bonus0"}));
    TRY_ASSIGN(auto there, Netlink::open_in(out->client.get()));
    TRY(configure_overlay_device(there, "bonus0", ip(kClient6), 1280));
    TRY(there.add_address("bonus0", prefix(kClient4)));
    TRY(apply_exit_routes(there, {ExitRoute{.slot = 3, .sources = {ip(kClient6), ip(kClient4)}}}));

    for (const char* host : {kServer4, kServer6}) {
      TRY_ASSIGN(out->servers.emplace_back(), socket_in(out->internet, SOCK_STREAM, host, 80));
    }
    TRY_ASSIGN(out->servers.emplace_back(), socket_in(out->lan, SOCK_STREAM, kLan, 80));
    TRY_ASSIGN(out->servers.emplace_back(), socket_in(out->machine, SOCK_STREAM, "0.0.0.0", 80));
    return out;
  }
};

PolicyState policy_of(const ExitLink& link, std::vector<Prefix> clients) {
  PolicyState out;
  out.node_addresses = {ip("fd12::1")};
  out.exits = {
      {.device = link.device, .address4 = link.inside4, .address6 = link.inside6, .clients = std::move(clients)}};
  return out;
}

std::string source_of(const Fd& listener) {
  sockaddr_storage from{};
  socklen_t size = sizeof(from);
  const Fd accepted(::accept(listener.get(), reinterpret_cast<sockaddr*>(&from), &size));
  char text[INET6_ADDRSTRLEN] = {};
  if (from.ss_family == AF_INET)
    ::inet_ntop(AF_INET, &reinterpret_cast<sockaddr_in&>(from).sin_addr, text, sizeof(text));
  else
    ::inet_ntop(AF_INET6, &reinterpret_cast<sockaddr_in6&>(from).sin6_addr, text, sizeof(text));
  return text;
}

TEST(Exit, LeadsClientsToTheInternetAndNowhereElse) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY_ASSIGN(auto rules, Policy::open());
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, kServer4, 80, 300));
    TRY_ASSIGN(const ExitLink link, wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    TRY(rules.apply(policy_of(link, {prefix(kClient4), prefix(kClient6)})));

    // The Internet sees the machine's own addresses.
    CHILD_CHECK(tcp_reaches(world->client, kClient4, kServer4, 80));
    CHILD_CHECK(source_of(world->servers[0]) == "198.51.100.2");
    CHILD_CHECK(tcp_reaches(world->client, kClient6, kServer6, 80));
    CHILD_CHECK(source_of(world->servers[1]) == "2001:db8:1::2");
    // The node itself stays in the overlay.
    CHILD_CHECK(!tcp_reaches(world->node, "", kServer4, 80, 300));
    CHILD_CHECK(!tcp_reaches(world->node, "", kServer6, 80, 300));
    // Neither the operator's network nor the machine itself.
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, kLan, 80, 300));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, "192.168.7.2", 80, 300));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, "198.51.100.2", 80, 300));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, "198.51.100.1", 80, 300));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, to_string(link.outside4), 80, 300));
    CHILD_CHECK(tcp_reaches(world->machine, "", kLan, 80));
    // Who is no client is told so, and nobody outside gets in.
    TRY(rules.apply(policy_of(link, {prefix(kClient6)})));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, kServer4, 80, 300));
    CHILD_CHECK(tcp_reaches(world->client, kClient6, kServer6, 80));
    TRY_ASSIGN(const Fd service, socket_in(world->node, SOCK_STREAM, "0.0.0.0", 9000));
    CHILD_CHECK(!tcp_reaches(world->machine, "", to_string(link.inside4), 9000, 300));
    TRY_ASSIGN(const auto counted, rules.counters());
    CHILD_CHECK(counted.egress_denied > 0);
    return {};
  });
}

// The outside refuses by itself, whatever the rules inside say: they are bonusd's to change.
TEST(Exit, PrivateDestinationsAreRefusedOutsideToo) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY_ASSIGN(const ExitLink link, wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    // As on a machine that is a router already: nothing but the rules keeps the exit from the LAN and the uplink's net.
    TRY(in_namespace(world->machine.get(), [] { return set_sysctl("net/ipv4/conf/lan0/forwarding", "1"); }));
    TRY_ASSIGN(const Fd router, socket_in(world->internet, SOCK_STREAM, "198.51.100.1", 80));
    TRY_ASSIGN(const Fd router6, socket_in(world->internet, SOCK_STREAM, "2001:db8:1::1", 80));
    CHILD_CHECK(tcp_reaches(world->machine, "", "198.51.100.1", 80));
    CHILD_CHECK(tcp_reaches(world->machine, "", "2001:db8:1::1", 80));
    CHILD_CHECK(!tcp_reaches(world->node, to_string(link.inside4), "198.51.100.1", 80, 300));
    CHILD_CHECK(!tcp_reaches(world->node, to_string(link.inside6), "2001:db8:1::1", 80, 300));
    CHILD_CHECK(tcp_reaches(world->node, to_string(link.inside4), kServer4, 80));
    CHILD_CHECK(tcp_reaches(world->node, to_string(link.inside6), kServer6, 80));
    CHILD_CHECK(!tcp_reaches(world->node, to_string(link.inside4), kLan, 80, 300));
    CHILD_CHECK(!tcp_reaches(world->node, to_string(link.inside4), "192.168.7.2", 80, 300));
    // Unless the operator says otherwise.
    TRY_ASSIGN(const ExitLink open,
               wait_for(world->helper->exit_up(ExitOptions{.id = "a1", .allow_private = {prefix("192.168.7.1")}})));
    CHILD_CHECK(open.inside4 == link.inside4);
    CHILD_CHECK(tcp_reaches(world->node, to_string(open.inside4), kLan, 80));
    CHILD_CHECK(!tcp_reaches(world->node, to_string(open.inside4), "192.168.7.2", 80, 300));
    return {};
  });
}

TEST(Exit, LeavesNothingBehind) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY(wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    TRY_ASSIGN(auto machine, Netlink::open_in(world->machine.get()));
    std::string tables;
    const auto list = [&] {
      return in_namespace(world->machine.get(), [&]() -> Result<> {
        TRY_ASSIGN(auto nft, Nft::open());
        TRY_ASSIGN(tables, nft.run("list tables"));
        return {};
      });
    };
    TRY(list());
    CHILD_CHECK(tables.find("bonus_exit_a1") != std::string::npos);
    CHILD_CHECK(machine.link("bxoa1").has_value());
    TRY(wait_for(world->helper->exit_down("a1")));
    TRY(list());
    CHILD_CHECK(tables.find("bonus_exit") == std::string::npos);
    CHILD_CHECK(!machine.link("bxoa1").has_value());
    // Left by a bonusd that ends without a word: the helper cleans up.
    TRY(wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    world->helper.reset();
    TRY(list());
    CHILD_CHECK(tables.find("bonus_exit") == std::string::npos);
    CHILD_CHECK(!machine.link("bxoa1").has_value());
    // Left by a helper that was killed as well: the next one replaces it.
    for (int i = 0; i < 2; ++i) {
      TRY(in_namespace(world->machine.get(), [&]() -> Result<> {
        TRY(make_exit_outside(ExitOptions{.id = "b2"}, world->node.get()));
        return {};
      }));
    }
    TRY(list());
    CHILD_CHECK(tables.find("bonus_exit_b2") != std::string::npos);
    return {};
  });
}

TEST(Exit, ForwardsOnItsOwnDevicesOnly) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY(in_namespace(world->machine.get(), [] { return set_sysctl("net/ipv4/ip_forward", "0"); }));
    TRY(wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    TRY(in_namespace(world->machine.get(), []() -> Result<> {
      CHILD_CHECK(TRY(sysctl("net/ipv4/conf/up0/forwarding")) == "1");
      CHILD_CHECK(TRY(sysctl("net/ipv4/conf/bxoa1/forwarding")) == "1");
      CHILD_CHECK(TRY(sysctl("net/ipv4/conf/lan0/forwarding")) == "0");
      CHILD_CHECK(TRY(sysctl("net/ipv4/ip_forward")) == "0");
      return {};
    }));
    return {};
  });
}

// Two exits on one machine, and a pool in which something is taken already.
TEST(Exit, NetworksDoNotCollide) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    const Prefix pool = prefix("10.99.0.0/28");
    std::vector<Ipv6> seen;
    TRY_ASSIGN(auto machine, Netlink::open_in(world->machine.get()));
    TRY(machine.add_address("lan0", prefix("10.99.0.9/30")));
    for (const char* id : {"a", "b", "c"}) {
      TRY_ASSIGN(const auto link, wait_for(world->helper->exit_up(ExitOptions{.id = id, .pool = pool})));
      CHILD_CHECK(pool.contains(link.inside4) && std::ranges::find(seen, link.inside4) == seen.end());
      CHILD_CHECK(!prefix("10.99.0.8/30").contains(link.inside4));
      seen.push_back(link.inside4);
    }
    const auto full = wait_for(world->helper->exit_up(ExitOptions{.id = "d", .pool = pool}));
    CHILD_CHECK(!full && full.error().code == ErrorCode::kExhausted);
    const auto bad = wait_for(world->helper->exit_up(ExitOptions{.id = "no good"}));
    CHILD_CHECK(!bad && bad.error().code == ErrorCode::kInvalid);
    return {};
  });
}

// OpenVPN's "def1" and providers whose default route is 2000::/3: not networks of the machine.
TEST(Exit, RoutesOfHalfTheInternetAreNoNetworksOfTheMachine) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY_ASSIGN(auto machine, Netlink::open_in(world->machine.get()));
    for (const char* half : {"0.0.0.0/1", "128.0.0.0/1"})
      TRY(machine.set_route(Route{.destination = prefix(half), .device = "up0", .via = ip("198.51.100.1")}));
    TRY(machine.set_route(Route{.destination = prefix("2000::/3"), .device = "up0", .via = ip("2001:db8:1::1")}));
    TRY_ASSIGN(const ExitLink link, wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    TRY_ASSIGN(auto rules, Policy::open());
    TRY(rules.apply(policy_of(link, {prefix(kClient6), prefix(kClient4)})));
    CHILD_CHECK(tcp_reaches(world->client, kClient4, kServer4, 80));
    CHILD_CHECK(tcp_reaches(world->client, kClient6, kServer6, 80));
    CHILD_CHECK(!tcp_reaches(world->client, kClient4, kLan, 80, 300));
    return {};
  });
}

// A container of another node: its packets go into the tunnel, towards the exit, by its source.
TEST(Exit, ContainersThatMayUseTheInternetReachIt) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, Internet::make());
    TRY_ASSIGN(const ExitLink link, wait_for(world->helper->exit_up(ExitOptions{.id = "a1"})));
    const ContainerLink container{.address = ip("fdc0:1111::1"), .address4 = ip("10.66.0.20")};
    TRY_ASSIGN(auto rules, Policy::open());
    TRY(rules.apply(policy_of(link, {Prefix{container.address, 128}, Prefix{*container.address4, 128}})));
    TRY_ASSIGN(const Fd inside, make_namespace());
    // The client's namespace is the other node now.
    std::string failure;
    std::optional<Policy> theirs;
    const auto apply = [&](bool internet) {
      return in_namespace(world->client.get(), [&]() -> Result<> {
        PolicyState state;
        state.node_addresses = {ip(kClient6)};
        state.containers = {{.device = container_device(container.address),
                             .address = container.address,
                             .address4 = container.address4,
                             .internet = internet}};
        TRY_ASSIGN(auto policy, Policy::open());
        return policy.apply(state);
      });
    };
    TRY(in_namespace(world->client.get(), [&]() -> Result<> {
      TRY(prepare_node_namespace());
      TRY(attach_container(inside.get(), container));
      TRY_ASSIGN(auto netlink, Netlink::open());
      const ExitRoute route{.slot = 1, .sources = {container.address, *container.address4}};
      TRY(apply_exit_routes(netlink, {route}));
      TRY(apply_exit_routes(netlink, {route}));  // nothing to do
      TRY_ASSIGN(const auto present, netlink.rules());
      CHILD_CHECK(std::ranges::count(present, kExitTables + 1, &Rule::table) == 2);
      CHILD_CHECK(std::ranges::count(present, kExitTables + 3, &Rule::table) == 0);
      TRY_ASSIGN(const auto former, netlink.routes(kExitTables + 3));
      CHILD_CHECK(former.empty());
      return {};
    }));
    TRY(apply(false));
    CHILD_CHECK(!tcp_reaches(inside, "", kServer4, 80, 300));
    CHILD_CHECK(!tcp_reaches(inside, "", kServer6, 80, 300));
    TRY(apply(true));
    CHILD_CHECK(tcp_reaches(inside, "", kServer4, 80));
    CHILD_CHECK(tcp_reaches(inside, "", kServer6, 80));
    CHILD_CHECK(!tcp_reaches(inside, "", kLan, 80, 300));
    return {};
  });
}

TEST(Exit, SetsOfPrefixesAreDisjoint) {
  EXPECT_EQ(nft_set({prefix("10.0.0.0/8"), prefix("10.1.0.0/16"), prefix("fd00::/8"), prefix("10.0.0.0/8")}, true),
            "{ 10.0.0.0/8 }");
  EXPECT_EQ(nft_set({prefix("10.0.0.0/8")}, false), "");
  EXPECT_EQ(nft_set({prefix("fd00::1"), prefix("fc00::/7")}, false), "{ fc00::/7 }");
  EXPECT_TRUE(exit_table("a1b2c3d4"));
  for (const char* id : {"", "a1b2c3d4e", "A", "a;b", "a b"}) EXPECT_FALSE(exit_table(id)) << id;
}

}  // namespace
}  // namespace bonus::net::host
