// Containers and the policy with real traffic: namespaces for the node, its containers and a peer on the overlay.
#include "bonus/net/host/containers.hpp"

#include <linux/errqueue.h>

#include "bonus/net/host/policy.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::host {
namespace {

using testing::expect_in_child;
using testing::ip;
using testing::make_namespace;
using testing::ping;
using testing::socket_in;
using testing::tcp_reaches;
using testing::Wire;

constexpr const char* kNode = "fd12::1";
constexpr const char* kPeer = "fd77::9";
constexpr const char* kFirst = "fdc0:1111:2222:3333::1";
constexpr const char* kSecond = "fdc0:5555:6666:7777::2";

// One stranger on the overlay, by two addresses, and a node with two containers.
struct World {
  Fd node, peer, first, second;
  std::unique_ptr<Wire> wire;

  // Enters the node's namespace.
  static Result<std::unique_ptr<World>> make() {
    auto out = std::make_unique<World>();
    TRY(enter_own_namespace());
    TRY_ASSIGN(out->node, current_namespace());
    TRY_ASSIGN(out->peer, make_namespace());
    TRY_ASSIGN(out->first, make_namespace());
    TRY_ASSIGN(out->second, make_namespace());
    TRY(out->connect());
    return out;
  }
  // The overlay between the node and the peer.
  Result<> connect() {
    TRY_ASSIGN(wire, Wire::make(node, "bonus0", peer, "bonus0"));
    TRY(in_namespace(node.get(), [] { return prepare_node_namespace(); }));
    TRY_ASSIGN(auto here, Netlink::open_in(node.get()));
    TRY(configure_overlay_device(here, "bonus0", ip(kNode), 1280));
    TRY_ASSIGN(auto there, Netlink::open_in(peer.get()));
    TRY(configure_overlay_device(there, "bonus0", ip(kPeer), 1280));
    return there.add_address("bonus0", Prefix{ip("fd77::a"), 128});
  }
  Result<> attach() {
    TRY(attach_container(first.get(), ContainerLink{.address = ip(kFirst)}));
    return attach_container(second.get(), ContainerLink{.address = ip(kSecond)});
  }
};

PolicyState policy() {
  PolicyState out;
  out.node_addresses = {ip(kNode)};
  out.containers = {{.device = container_device(ip(kFirst)), .address = ip(kFirst)},
                    {.device = container_device(ip(kSecond)), .address = ip(kSecond)}};
  return out;
}

OpenPort tcp(std::uint16_t port, std::vector<Prefix> sources = {}) {
  return OpenPort{.first = port, .last = port, .sources = std::move(sources)};
}

// Whether a datagram from this address comes out of `receiver`: no answer has to find its way back.
bool arrives(const Fd& space, const std::string& from, const Fd& receiver, const std::string& to, std::uint16_t port) {
  const auto sender = socket_in(space, SOCK_DGRAM, from, 0);
  const auto remote = testing::endpoint(to, port);
  if (!sender ||
      ::sendto(sender->get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&remote.storage), remote.size) != 1)
    return false;
  pollfd waiting{.fd = receiver.get(), .events = POLLIN, .revents = 0};
  char byte = 0;
  return ::poll(&waiting, 1, 400) == 1 && ::recv(receiver.get(), &byte, 1, 0) == 1;
}

TEST(Containers, AreReachedThroughOpenedPortsOnly) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    TRY(rules.apply(state));
    TRY(world->attach());
    TRY_ASSIGN(const Fd web, socket_in(world->first, SOCK_STREAM, kFirst, 8080));
    TRY_ASSIGN(const Fd other, socket_in(world->first, SOCK_STREAM, kFirst, 8081));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kFirst, 8080, 300));
    CHILD_CHECK(ping(world->peer, kFirst));
    state.containers[0].open = {tcp(8080)};
    TRY(rules.apply(state));
    CHILD_CHECK(tcp_reaches(world->peer, "", kFirst, 8080));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kFirst, 8081, 300));
    // For some keys only: by their addresses.
    state.containers[0].open = {tcp(8080, {Prefix{ip("fd77::a"), 128}})};
    TRY(rules.apply(state));
    CHILD_CHECK(!tcp_reaches(world->peer, kPeer, kFirst, 8080, 300));
    CHILD_CHECK(tcp_reaches(world->peer, "fd77::a", kFirst, 8080));
    // Containers of one node are strangers to each other.
    CHILD_CHECK(!tcp_reaches(world->second, "", kFirst, 8080, 300));
    state.containers[0].open.push_back(tcp(8081));
    TRY(rules.apply(state));
    CHILD_CHECK(tcp_reaches(world->second, "", kFirst, 8081));
    TRY_ASSIGN(const auto counted, rules.counters());
    CHILD_CHECK(counted.forward_denied >= 4 && counted.spoofed == 0);
    return {};
  });
}

TEST(Containers, ClosingAPortEndsItsConnections) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    state.containers[0].open = {tcp(8080)};
    TRY(rules.apply(state));
    TRY(world->attach());
    TRY_ASSIGN(const Fd web, socket_in(world->first, SOCK_STREAM, kFirst, 8080));
    TRY_ASSIGN(const Fd client, socket_in(world->peer, SOCK_STREAM, "", 0));
    const auto to = testing::endpoint(kFirst, 8080);
    CHILD_CHECK(::connect(client.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 0);
    const Fd served(::accept(web.get(), nullptr, nullptr));
    char byte = 0;
    CHILD_CHECK(::send(client.get(), "a", 1, 0) == 1 && ::recv(served.get(), &byte, 1, 0) == 1);
    state.services = {tcp(99)};  // another rule changes: the connection goes on
    TRY(rules.apply(state));
    CHILD_CHECK(::send(client.get(), "b", 1, 0) == 1 && ::recv(served.get(), &byte, 1, 0) == 1 && byte == 'b');
    state.containers[0].open = {};
    TRY(rules.apply(state));
    CHILD_CHECK(::send(client.get(), "c", 1, 0) == 1);
    pollfd waiting{.fd = served.get(), .events = POLLIN, .revents = 0};
    CHILD_CHECK(::poll(&waiting, 1, 400) == 0);
    TRY_ASSIGN(const auto counted, rules.counters());
    CHILD_CHECK(counted.forward_denied > 0);
    return {};
  });
}

TEST(Containers, SendFromTheirOwnAddressOnly) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    TRY(rules.apply(policy()));
    TRY(world->attach());
    TRY_ASSIGN(const Fd service, socket_in(world->peer, SOCK_DGRAM, kPeer, 7000));
    TRY_ASSIGN(auto inside, Netlink::open_in(world->first.get()));
    CHILD_CHECK(arrives(world->first, kFirst, service, kPeer, 7000));
    // Its host's, its neighbour's, anybody's.
    for (const char* address : {kNode, kSecond, "fdee::1"}) {
      TRY(inside.add_address("lo", Prefix{ip(address), 128}));
      TRY_ASSIGN(const auto before, rules.counters());
      CHILD_CHECK(!arrives(world->first, address, service, kPeer, 7000));
      TRY_ASSIGN(const auto after, rules.counters());
      CHILD_CHECK(after.spoofed > before.spoofed);
    }
    CHILD_CHECK(arrives(world->first, kFirst, service, kPeer, 7000));
    // From the overlay nobody is one of us.
    auto open = policy();
    open.services = {OpenPort{.protocol = Protocol::kUdp, .first = 7001, .last = 7001}};
    TRY(rules.apply(open));
    TRY_ASSIGN(const Fd ours, socket_in(world->node, SOCK_DGRAM, kNode, 7001));
    CHILD_CHECK(arrives(world->peer, kPeer, ours, kNode, 7001));
    TRY_ASSIGN(auto outside, Netlink::open_in(world->peer.get()));
    TRY(outside.add_address("lo", Prefix{ip(kSecond), 128}));
    TRY_ASSIGN(const auto before, rules.counters());
    CHILD_CHECK(!arrives(world->peer, kSecond, ours, kNode, 7001));
    TRY_ASSIGN(const auto after, rules.counters());
    CHILD_CHECK(after.spoofed > before.spoofed);
    return {};
  });
}

// A network behind the node, where anybody may write any source into a packet.
TEST(Containers, TakeNoOverlaySourceFromANetworkBehindTheNode) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(const Fd lan, make_namespace());
    TRY_ASSIGN(auto here, Netlink::open());
    TRY_ASSIGN(auto there, Netlink::open_in(lan.get()));
    TRY(here.add_veth({.name = "lan0", .peer = "lan0", .peer_namespace = lan.get()}));
    TRY(here.add_address("lan0", Prefix{ip("fd99::1"), 64}));
    for (const char* address : {"fd99::5", kPeer}) TRY(there.add_address("lan0", Prefix{ip(address), 64}));
    TRY(here.set_up("lan0"));
    TRY(there.set_up("lan0"));
    TRY(there.set_route(Route{.destination = Prefix{ip("fdc0::"), 16}, .device = "lan0", .via = ip("fd99::1")}));
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    const Prefix network{ip("fd99::"), 64};
    state.subnets = {{.device = "lan0", .subnet = network, .peers = {Prefix{ip(kPeer), 128}}}};
    state.containers[0].open = {
        OpenPort{.protocol = Protocol::kUdp, .first = 700, .last = 700, .sources = {Prefix{ip(kPeer), 128}, network}}};
    TRY(rules.apply(state));
    TRY(world->attach());
    TRY_ASSIGN(const Fd receiver, socket_in(world->first, SOCK_DGRAM, kFirst, 700));
    CHILD_CHECK(ping(world->peer, kFirst));  // the way is there
    CHILD_CHECK(arrives(world->peer, kPeer, receiver, kFirst, 700));
    CHILD_CHECK(arrives(lan, "fd99::5", receiver, kFirst, 700));
    CHILD_CHECK(!arrives(lan, kPeer, receiver, kFirst, 700));
    TRY_ASSIGN(const auto counted, rules.counters());
    CHILD_CHECK(counted.spoofed >= 1);
    return {};
  });
}

TEST(Containers, ReachNamesOfTheirNodeButNotItsServicesNorTheInternet) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    state.services = {tcp(9000), OpenPort{.first = 9100, .last = 9199, .sources = {Prefix{ip("fd77::a"), 128}}}};
    state.for_containers = {tcp(53)};
    TRY(rules.apply(state));
    TRY(world->attach());
    TRY_ASSIGN(const Fd grpc, socket_in(world->node, SOCK_STREAM, kNode, 9000));
    TRY_ASSIGN(const Fd admin, socket_in(world->node, SOCK_STREAM, kNode, 9150));
    TRY_ASSIGN(const Fd closed, socket_in(world->node, SOCK_STREAM, kNode, 9001));
    TRY_ASSIGN(const Fd dns, socket_in(world->node, SOCK_STREAM, kNode, 53));
    CHILD_CHECK(tcp_reaches(world->peer, kPeer, kNode, 9000));
    CHILD_CHECK(!tcp_reaches(world->peer, kPeer, kNode, 9150, 300));
    CHILD_CHECK(tcp_reaches(world->peer, "fd77::a", kNode, 9150));
    CHILD_CHECK(!tcp_reaches(world->peer, kPeer, kNode, 9001, 300));
    CHILD_CHECK(!tcp_reaches(world->peer, kPeer, kNode, 53, 300));
    CHILD_CHECK(tcp_reaches(world->first, "", kNode, 53));
    CHILD_CHECK(!tcp_reaches(world->first, "", kNode, 9000, 300));
    CHILD_CHECK(ping(world->first, kNode));
    TRY_ASSIGN(auto counted, rules.counters());
    CHILD_CHECK(counted.container_to_node > 0 && counted.input_denied > 0 && counted.egress_denied == 0);
    CHILD_CHECK(!tcp_reaches(world->first, "", "2001:db8:5::5", 80, 300));
    CHILD_CHECK(!tcp_reaches(world->first, "", "fec0::1", 80, 300));
    // Without the overlay it reaches nobody at all, but its names.
    TRY_ASSIGN(const Fd service, socket_in(world->peer, SOCK_STREAM, kPeer, 7000));
    CHILD_CHECK(tcp_reaches(world->first, "", kPeer, 7000));
    state.containers[0].overlay = false;
    TRY(rules.apply(state));
    CHILD_CHECK(!tcp_reaches(world->first, "", kPeer, 7000, 300));
    CHILD_CHECK(tcp_reaches(world->second, "", kPeer, 7000));
    TRY_ASSIGN(const auto later, rules.counters());
    CHILD_CHECK(later.egress_denied > 0);
    CHILD_CHECK(later.container_to_node >= counted.container_to_node);  // they outlive the table
    return {};
  });
}

// What traceroute and path MTU discovery live on: the node answers for what it does not forward, from its own address.
TEST(Containers, TheNodeAnswersWithErrorsOnTheWay) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    TRY(rules.apply(policy()));
    TRY(world->attach());
    for (const bool inbound : {true, false}) {
      TRY_ASSIGN(const Fd sender, socket_in(inbound ? world->peer : world->first, SOCK_DGRAM, "", 0));
      const int one = 1;
      ::setsockopt(sender.get(), IPPROTO_IPV6, IPV6_UNICAST_HOPS, &one, sizeof(one));
      ::setsockopt(sender.get(), IPPROTO_IPV6, IPV6_RECVERR, &one, sizeof(one));
      const auto to = testing::endpoint(inbound ? kFirst : kPeer, 33434);
      CHILD_CHECK(::sendto(sender.get(), "x", 1, 0, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 1);
      pollfd waiting{.fd = sender.get(), .events = 0, .revents = 0};
      CHILD_CHECK(::poll(&waiting, 1, 2000) == 1);
      alignas(cmsghdr) char control[512];
      sockaddr_in6 name{};
      msghdr message{};
      message.msg_name = &name;
      message.msg_namelen = sizeof(name);
      message.msg_control = control;
      message.msg_controllen = sizeof(control);
      CHILD_CHECK(::recvmsg(sender.get(), &message, MSG_ERRQUEUE) >= 0);
      const cmsghdr* header = CMSG_FIRSTHDR(&message);
      CHILD_CHECK(header != nullptr && header->cmsg_type == IPV6_RECVERR);
      const auto* error = reinterpret_cast<const sock_extended_err*>(CMSG_DATA(header));
      CHILD_CHECK(error->ee_origin == SO_EE_ORIGIN_ICMP6 && error->ee_type == 3);  // time exceeded
      const auto* offender = reinterpret_cast<const sockaddr_in6*>(SO_EE_OFFENDER(error));
      CHILD_CHECK(std::memcmp(&offender->sin6_addr, ip(kNode).bytes.data(), 16) == 0);
    }
    return {};
  });
}

TEST(Containers, AreAttachedAgainAfterTheNodeWasRestarted) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY(world->attach());
    TRY_ASSIGN(const Fd web, socket_in(world->first, SOCK_STREAM, "::", 8080));
    CHILD_CHECK(tcp_reaches(world->peer, "", kFirst, 8080));
    const auto device = container_device(ip(kFirst));
    TRY_ASSIGN(auto netlink, Netlink::open());
    TRY_ASSIGN(const auto before, netlink.link(device));
    // Again while it lives: the same pair, only what differs.
    const ContainerLink wider{.address = ip(kFirst), .address4 = ip("10.66.0.7"), .mtu = 1400};
    TRY(attach_container(world->first.get(), wider));
    TRY_ASSIGN(const auto after, netlink.link(device));
    CHILD_CHECK(after.index == before.index && after.mtu == 1400);
    CHILD_CHECK(tcp_reaches(world->peer, "", kFirst, 8080));

    // A new namespace, as of a bonusd started anew; the old one may still be there.
    TRY_ASSIGN(Fd fresh, make_namespace());
    world->wire.reset();
    std::swap(world->node, fresh);
    TRY(world->connect());
    for (int i = 0; i < 2; ++i)
      TRY(in_namespace(world->node.get(), [&] { return attach_container(world->first.get(), wider); }));
    CHILD_CHECK(tcp_reaches(world->peer, "", kFirst, 8080));
    TRY(in_namespace(world->node.get(), [] { return detach_container(ip(kFirst)); }));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kFirst, 8080, 300));
    TRY_ASSIGN(auto inside, Netlink::open_in(world->first.get()));
    CHILD_CHECK(!inside.link("eth0"));
    TRY(in_namespace(world->node.get(), [] { return detach_container(ip(kFirst)); }));
    return {};
  });
}

TEST(Containers, NamesOfDevicesFollowFromTheAddress) {
  const auto name = container_device(ip(kFirst));
  EXPECT_EQ(name.size(), 15u);
  EXPECT_EQ(name, container_device(ip(kFirst)));
  EXPECT_NE(name, container_device(ip(kSecond)));
  EXPECT_TRUE(name.starts_with("bc"));
  EXPECT_FALSE(attach_container(-1, ContainerLink{.address = ip("10.0.0.1")}));
  EXPECT_FALSE(attach_container(-1, ContainerLink{.address = ip(kFirst), .mtu = 100}));
}

TEST(PolicyRules, RefuseWhatIsNotAName) {
  auto state = policy();
  EXPECT_TRUE(policy_rules(state));
  state.overlay_device = "x\" accept; #";
  EXPECT_FALSE(policy_rules(state));
  state = policy();
  state.containers[0].device = "eth0";
  EXPECT_FALSE(policy_rules(state));
  state = policy();
  state.containers[1].device = state.containers[0].device;
  EXPECT_FALSE(policy_rules(state));
  state = policy();
  state.services = {OpenPort{.first = 10, .last = 9}};
  EXPECT_FALSE(policy_rules(state));
  state.services = {OpenPort{.first = 0, .last = 9}};
  EXPECT_FALSE(policy_rules(state));
  state = policy();
  state.containers[0].address = ip("10.0.0.1");
  EXPECT_FALSE(policy_rules(state));
}

// One transaction of thousands of rules; a host of this size is the largest expected.
TEST(PolicyRules, ManyContainersAreOneTransaction) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    for (std::uint16_t i = 1; i <= 1000; ++i) {
      Ipv6 address = ip("fdab::1");
      address.bytes[4] = static_cast<std::uint8_t>(i >> 8);
      address.bytes[5] = static_cast<std::uint8_t>(i);
      state.containers.push_back(ContainerPolicy{.device = container_device(address),
                                                 .address = address,
                                                 .open = {tcp(80), tcp(443), tcp(i, {Prefix{ip(kPeer), 128}})},
                                                 .internet = i % 2 == 0});
    }
    state.containers[0].open = {tcp(8080)};
    TRY(rules.apply(state));
    TRY(rules.apply(state));
    TRY(world->attach());
    TRY_ASSIGN(const Fd web, socket_in(world->first, SOCK_STREAM, kFirst, 8080));
    CHILD_CHECK(tcp_reaches(world->peer, "", kFirst, 8080));
    state.containers.resize(2);
    state.containers[0].open = {};
    TRY(rules.apply(state));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kFirst, 8080, 300));
    return {};
  });
}

TEST(PolicyRules, AFailedApplyLeavesTheFormerRules) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    state.services = {tcp(9000)};
    // Overlapping and repeated sources are one set.
    state.services[0].sources = {Prefix{ip("fd77::"), 16}, Prefix{ip(kPeer), 128}, Prefix{ip("fd77::"), 16}};
    TRY(rules.apply(state));
    TRY_ASSIGN(const Fd grpc, socket_in(world->node, SOCK_STREAM, kNode, 9000));
    CHILD_CHECK(tcp_reaches(world->peer, "", kNode, 9000));
    auto wrong = state;
    wrong.containers[0].device = "no";
    CHILD_CHECK(!rules.apply(wrong));
    CHILD_CHECK(tcp_reaches(world->peer, "", kNode, 9000));
    return {};
  });
}

TEST(PolicyRules, OneSourceTakesNotAllConnections) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    state.services = {tcp(9000)};
    TRY(rules.apply(state));
    TRY_ASSIGN(const Fd service, socket_in(world->node, SOCK_STREAM, kNode, 9000));
    std::vector<Fd> theirs, ours;
    for (unsigned i = 0; i < kConnectionsPerSource; ++i) {
      theirs.push_back(testing::tcp_connect(world->peer, kPeer, kNode, 9000));
      CHILD_CHECK(theirs.back());
      ours.emplace_back(::accept4(service.get(), nullptr, nullptr, SOCK_CLOEXEC));
    }
    CHILD_CHECK(!tcp_reaches(world->peer, kPeer, kNode, 9000));
    CHILD_CHECK(tcp_reaches(world->peer, "fd77::a", kNode, 9000));
    state.bound_connections = false;
    TRY(rules.apply(state));
    CHILD_CHECK(tcp_reaches(world->peer, kPeer, kNode, 9000));
    return {};
  });
}

TEST(PolicyRules, AreBackAfterSomebodyFlushedThem) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const auto world, World::make());
    TRY_ASSIGN(auto rules, Policy::open());
    auto state = policy();
    TRY(rules.apply(state));
    TRY_ASSIGN(const Fd grpc, socket_in(world->node, SOCK_STREAM, kNode, 9000));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kNode, 9000, 300));
    TRY_ASSIGN(const auto before, rules.counters());
    CHILD_CHECK(before.input_denied > 0);
    TRY_ASSIGN(auto nft, Nft::open());
    TRY(nft.run("flush ruleset"));
    CHILD_CHECK(rules.counters().has_value());
    state.services = {tcp(9001)};
    TRY(rules.apply(state));
    CHILD_CHECK(!tcp_reaches(world->peer, "", kNode, 9000, 300));
    return {};
  });
}

}  // namespace
}  // namespace bonus::net::host
