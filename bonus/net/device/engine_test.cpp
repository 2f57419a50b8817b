// Two engines between TUN devices of two network namespaces, their sockets outside on the loopback, as bonusd has it.
// Skipped where TUN devices or namespaces cannot be made.
#include "bonus/net/device/engine.hpp"

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>

#include <cstdio>
#include <mutex>
#include <thread>

#include "bonus/net/host/namespace.hpp"
#include "bonus/net/host/netlink.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::device {
namespace {

using namespace std::chrono_literals;

Ipv6 inner(std::uint8_t number) {
  Ipv6 out;
  out.bytes[0] = 0xfd;
  out.bytes[15] = number;
  return out;
}
UdpEndpoint loopback(std::uint16_t port) { return *parse_endpoint("127.0.0.1:" + std::to_string(port)); }

template <class Condition>
bool eventually(Condition condition) {
  for (int i = 0; i < 500; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(20ms);
  }
  return false;
}

// Events in the order they came; forwards relayed datagrams.
struct Hooks final : EngineHooks {
  std::mutex mutex;
  std::vector<tunnel::Event> events;
  std::vector<Bytes> foreign;
  std::atomic<int> ready{0}, relayed{0};
  std::function<void(const tunnel::Endpoint&, BytesView)> relay;
  void on_foreign_datagram(const UdpEndpoint&, BytesView datagram) override {
    const std::lock_guard guard(mutex);
    foreign.emplace_back(datagram.begin(), datagram.end());
  }
  void send_via(const tunnel::Endpoint& to, std::span<const BytesView> datagrams) override {
    for (const auto& datagram : datagrams) {
      ++relayed;
      relay(to, datagram);
    }
  }
  void on_event(const tunnel::Event& event) override {
    const std::lock_guard guard(mutex);
    events.push_back(event);
  }
  void on_session_ready(tunnel::PeerRef) override { ++ready; }
  template <class T>
  std::size_t count() {
    const std::lock_guard guard(mutex);
    return static_cast<std::size_t>(
        std::ranges::count_if(events, [](const auto& e) { return std::holds_alternative<T>(e); }));
  }
};

struct Node {
  std::uint8_t number = 0;
  Hooks hooks;
  crypto::X25519Secret secret;
  Fd inner_socket;  // in the namespace, bound to the inner address, port 7000
  std::unique_ptr<Engine> engine;
};

class EngineTest : public ::testing::Test {
 protected:
  void TearDown() override {
    if (!HasFailure()) return;
    for (const Node* node : {&a_, &b_}) {
      if (!node->engine) continue;
      const EngineStats s = node->engine->stats();
      node->engine->read_device([&](const tunnel::Device& device, Instant) {
        const auto& c = device.counters();
        std::printf(
            "node %d: %lu out, %lu in; dropped: %lu unknown session, %lu authentication, %lu replay, %lu source, "
            "%lu malformed, %lu no session, %lu tun; initiations %lu sent, %lu received; %lu completed; %lu queue\n",
            node->number, s.sent_packets, s.received_packets, s.dropped_unknown_session, s.dropped_authentication,
            s.dropped_replay, s.dropped_source, s.dropped_malformed, s.dropped_no_session, s.dropped_tun,
            c.initiations_sent, c.initiations_received, c.handshakes_completed, c.dropped_queue);
      });
    }
  }

  // Namespaces live as long as the sockets and devices inside.
  void make(Node& node, std::uint8_t number, bool discover = false, std::unique_ptr<UdpSocket> socket = nullptr) {
    node.number = number;
    node.secret.bytes.fill(number);
    std::optional<Tun> tun;
    std::string trouble;
    std::thread inside([&] {
      if (::unshare(CLONE_NEWNET) != 0) {
        trouble = "network namespaces cannot be made here";
        return;
      }
      auto opened = Tun::open({.name = "bonus0", .offload = true, .multi_queue = false});
      auto netlink = host::Netlink::open();
      if (!opened || !netlink) {
        trouble = opened ? netlink.error().message : opened.error().message;
        return;
      }
      tun = std::move(*opened);
      const auto set_up = [&]() -> Result<> {
        TRY(netlink->set_up("lo"));
        TRY(netlink->set_mtu("bonus0", 1420));
        TRY(netlink->add_address("bonus0", {.address = inner(number), .bits = 64}));
        return netlink->set_up("bonus0");
      };
      if (auto done = set_up(); !done) trouble = done.error().message;
      node.inner_socket.reset(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
      sockaddr_in6 address = to_sockaddr(number);
      if (::bind(node.inner_socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0)
        trouble = "bind";
    });
    inside.join();
    if (!trouble.empty()) GTEST_SKIP() << trouble;
    UdpOptions options;
    options.bind = loopback(1).address;
    auto udp = socket ? Result<std::unique_ptr<UdpSocket>>(std::move(socket)) : UdpSocket::open(options);
    ASSERT_TRUE(udp) << udp.error().message;
    tunnel::DeviceOptions device;
    device.discover = discover;
    auto& clock = runtime::system_clock();
    EngineOptions engine_options;
    engine_options.forget_keys_after = 50ms;
    auto engine = Engine::start(
        std::move(*tun), std::move(*udp),
        std::make_unique<tunnel::Device>(node.secret, device, runtime::system_random(), clock.now(), clock.unix_ms()),
        engine_options, node.hooks, clock);
    ASSERT_TRUE(engine) << engine.error().message;
    node.engine = std::move(*engine);
    // The kernel finishes a new IPv6 address in the background; until then it has no local route.
    ASSERT_TRUE(eventually([&] {
      const bool sent = say(node, number, 10, 0);
      const auto heard = hear(node, 100);
      return sent && heard;
    }));
  }

  static sockaddr_in6 to_sockaddr(std::uint8_t number) {
    sockaddr_in6 out{};
    out.sin6_family = AF_INET6;
    out.sin6_port = htons(7000);
    const Ipv6 address = inner(number);
    std::copy_n(address.bytes.data(), 16, out.sin6_addr.s6_addr);
    return out;
  }

  // `endpoint`: nothing for a peer that has to come to us.
  static tunnel::PeerRef add_peer(Node& node, const Node& other, std::optional<tunnel::Endpoint> endpoint) {
    tunnel::PeerRef out = tunnel::kNoPeer;
    node.engine->with_device([&](tunnel::Device& device, Instant now, tunnel::Actions& actions) {
      tunnel::PeerConfig config;
      config.key = crypto::x25519_public(other.secret);
      config.allowed = {{.address = inner(other.number), .bits = 128}};
      config.endpoint = endpoint;
      const auto added = device.set_peer(config, now, actions);
      EXPECT_TRUE(added) << added.error().message;
      out = added.value_or(tunnel::kNoPeer);
    });
    return out;
  }
  static tunnel::Endpoint direct(const Node& node) { return {.udp = loopback(node.engine->local_port()), .via = 0}; }
  static bool say(Node& from, std::uint8_t to, std::size_t size, std::uint8_t fill) {
    const Bytes bytes(size, fill);
    const sockaddr_in6 address = to_sockaddr(to);
    return ::sendto(from.inner_socket.get(), bytes.data(), bytes.size(), 0, reinterpret_cast<const sockaddr*>(&address),
                    sizeof address) == static_cast<ssize_t>(size);
  }
  static std::optional<Bytes> hear(Node& node, int timeout_ms = 10000) {
    pollfd wait{.fd = node.inner_socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, timeout_ms) <= 0) return std::nullopt;
    Bytes out(70000);
    const ssize_t size = ::recv(node.inner_socket.get(), out.data(), out.size(), 0);
    if (size < 0) return std::nullopt;
    out.resize(static_cast<std::size_t>(size));
    return out;
  }

  // Two namespaces on one cable: ours has two addresses of each family, the other asks the second of them and, as a
  // firewall would, lets in what comes from there only.
  struct Cable {
    std::unique_ptr<UdpSocket> asked, asks;
    Fd here, there;
  };
  static Result<Cable> make_cable(const std::string& asked) {
    Cable out;
    TRY_ASSIGN(out.here, host::testing::make_namespace());
    TRY_ASSIGN(out.there, host::testing::make_namespace());
    TRY_ASSIGN(auto here, host::Netlink::open_in(out.here.get()));
    TRY_ASSIGN(auto there, host::Netlink::open_in(out.there.get()));
    TRY(here.add_veth({.name = "v0", .peer = "v0", .peer_namespace = out.there.get(), .mtu = 1500}));
    for (const char* address : {"10.9.0.1", "10.9.0.2", "2001:db8::1", "2001:db8::2"})
      TRY(here.add_address("v0", {.address = *parse_ip(address), .bits = 120}));
    for (const char* address : {"10.9.0.9", "2001:db8::9"})
      TRY(there.add_address("v0", {.address = *parse_ip(address), .bits = 120}));
    TRY(here.set_up("v0"));
    TRY(there.set_up("v0"));
    TRY(host::in_namespace(out.here.get(), [&]() -> Result<> {
      TRY_ASSIGN(out.asked, UdpSocket::open({}));
      return {};
    }));
    TRY(host::in_namespace(out.there.get(), [&]() -> Result<> {
      const auto to = host::testing::endpoint(asked, out.asked->port());
      Fd fd(::socket(to.storage.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
      for (int i = 0; ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&to.storage), to.size) != 0; ++i) {
        if (i == 100) return fail(os_error("connecting to", asked));
        std::this_thread::sleep_for(20ms);  // until the kernel has made the routes of the new device
      }
      TRY_ASSIGN(out.asks, UdpSocket::adopt(std::move(fd), true));
      return {};
    }));
    return out;
  }
  std::optional<tunnel::Endpoint> endpoint_at(const Node& node, tunnel::PeerRef peer) {
    std::optional<tunnel::Endpoint> out;
    node.engine->read_device([&](const tunnel::Device& device, Instant) { out = device.info(peer)->endpoint; });
    return out;
  }
  void answer_from_the_asked_address(const std::string& asked);

  Node a_, b_;
};

void EngineTest::answer_from_the_asked_address(const std::string& asked) {
  auto cable = make_cable(asked);
  if (!cable) GTEST_SKIP() << cable.error().message;
  const UdpEndpoint second{.address = *parse_ip(asked), .port = cable->asked->port()};
  make(a_, 1, false, std::move(cable->asked));
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2, false, std::move(cable->asks));
  if (HasFatalFailure()) return;
  const auto peer = add_peer(a_, b_, std::nullopt);
  add_peer(b_, a_, tunnel::Endpoint{.udp = second});
  ASSERT_TRUE(say(b_, 1, 300, 7));
  EXPECT_EQ(hear(a_), Bytes(300, 7)) << "the answer to the handshake came back";
  for (std::uint8_t i = 0; i < 5; ++i) {
    ASSERT_TRUE(say(a_, 2, 30'000, i));
    EXPECT_EQ(hear(b_), Bytes(30'000, i)) << "messages of many datagrams, too";
  }
  const auto at_a = endpoint_at(a_, peer);
  ASSERT_TRUE(at_a);
  EXPECT_EQ(at_a->local.address, second.address);

  const Bytes question(60, 0xB1), answer(61, 0xB1);
  EXPECT_TRUE(b_.engine->send_datagram(second, question));
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard guard(a_.hooks.mutex);
    return !a_.hooks.foreign.empty();
  }));
  EXPECT_TRUE(a_.engine->send_datagram(at_a->udp, answer));
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard guard(b_.hooks.mutex);
    return b_.hooks.foreign == std::vector<Bytes>{answer};
  }));

  // The address goes: sending goes on, from the one that is left.
  auto netlink = host::Netlink::open_in(cable->here.get());
  ASSERT_TRUE(netlink);
  ASSERT_TRUE(netlink->remove_address("v0", {.address = second.address, .bits = 120}));
  ASSERT_TRUE(say(a_, 2, 30'000, 9));
  EXPECT_TRUE(eventually([&] { return !endpoint_at(a_, peer)->local.known(); }));
  EXPECT_TRUE(a_.engine->send_datagram(at_a->udp, answer));
  EXPECT_EQ(a_.engine->stats().dropped_send, 0u);
}

TEST_F(EngineTest, AnswersLeaveFromTheIpv4AddressThatWasAsked) { answer_from_the_asked_address("10.9.0.2"); }
TEST_F(EngineTest, AnswersLeaveFromTheIpv6AddressThatWasAsked) { answer_from_the_asked_address("2001:db8::1"); }
TEST_F(EngineTest, AnswersLeaveFromTheOtherIpv6AddressThatWasAsked) { answer_from_the_asked_address("2001:db8::2"); }

TEST_F(EngineTest, PacketsCrossAndForeignDatagramsAreHandedOver) {
  make(a_, 1);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2);
  if (HasFatalFailure()) return;
  add_peer(a_, b_, direct(b_));
  add_peer(b_, a_, std::nullopt);
  ASSERT_TRUE(say(a_, 2, 300, 7));
  EXPECT_EQ(hear(b_), Bytes(300, 7)) << "kept while there was no session";
  ASSERT_TRUE(say(b_, 1, 1300, 8));
  EXPECT_EQ(hear(a_), Bytes(1300, 8));
  EXPECT_TRUE(eventually([&] { return a_.hooks.ready >= 1 && b_.hooks.ready >= 1; }));

  const Bytes sealed(60, 0xB1), unknown(3, 9), short_handshake(20, 1);
  for (const auto& datagram : {sealed, unknown, short_handshake})
    EXPECT_TRUE(a_.engine->send_datagram(loopback(b_.engine->local_port()), datagram));
  EXPECT_TRUE(eventually([&] {
    const std::lock_guard guard(b_.hooks.mutex);
    return b_.hooks.foreign.size() == 2;
  }));
  EXPECT_EQ(b_.hooks.foreign, (std::vector<Bytes>{sealed, unknown}));
  EXPECT_TRUE(eventually([&] { return b_.engine->stats().dropped_malformed == 1u; }));
  EXPECT_FALSE(b_.engine->inject(3, loopback(1), unknown)) << "not WireGuard";

  const auto stats = a_.engine->stats();
  EXPECT_GE(stats.sent_packets, 1u);
  EXPECT_GE(stats.received_packets, 1u);
  a_.engine->stop();
  a_.engine->stop();
}

TEST_F(EngineTest, KeysOfEndedSessionsAreForgottenWithoutTraffic) {
  make(a_, 1);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2);
  if (HasFatalFailure()) return;
  const tunnel::PeerRef peers[] = {add_peer(a_, b_, direct(b_)), add_peer(b_, a_, std::nullopt)};
  for (std::uint8_t i = 0; i < 3; ++i) {
    ASSERT_TRUE(say(a_, 2, 300, i));
    EXPECT_TRUE(hear(b_));
    ASSERT_TRUE(say(b_, 1, 300, i));
    EXPECT_TRUE(hear(a_));
  }
  const Node* nodes[] = {&a_, &b_};
  for (std::size_t i = 0; i < 2; ++i) {
    std::weak_ptr<tunnel::Session> session;
    nodes[i]->engine->read_device([&](const tunnel::Device& device, Instant now) {
      const auto route = device.peer_route(peers[i], now);
      ASSERT_TRUE(route);
      session = route->session;
    });
    nodes[i]->engine->with_device(
        [&](tunnel::Device& device, Instant, tunnel::Actions&) { device.remove_peer(peers[i]); });
    EXPECT_TRUE(eventually([&] { return session.expired(); }));
  }
}

TEST_F(EngineTest, RelayedDatagramsAreAsGoodAsDirectOnes) {
  make(a_, 1);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2);
  if (HasFatalFailure()) return;
  a_.hooks.relay = [&](const tunnel::Endpoint& to, BytesView d) { b_.engine->inject(to.via + 1, loopback(1), d); };
  b_.hooks.relay = [&](const tunnel::Endpoint& to, BytesView d) { a_.engine->inject(to.via - 1, loopback(2), d); };
  add_peer(a_, b_, tunnel::Endpoint{.udp = {}, .via = 5});
  add_peer(b_, a_, std::nullopt);
  for (std::uint8_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(say(a_, 2, 500, i));
    EXPECT_EQ(hear(b_), Bytes(500, i));
    ASSERT_TRUE(say(b_, 1, 400, i));
    EXPECT_EQ(hear(a_), Bytes(400, i));
  }
  EXPECT_GE(a_.hooks.relayed, 20);
  EXPECT_EQ(a_.engine->stats().udp_sends, 0u);
  a_.engine->stop();  // before b_, which its hook uses
  b_.engine->stop();
}

TEST_F(EngineTest, APathsMtuIsToldToTheSender) {
  make(a_, 1);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2);
  if (HasFatalFailure()) return;
  const auto peer = add_peer(a_, b_, direct(b_));
  add_peer(b_, a_, std::nullopt);
  ASSERT_TRUE(say(a_, 2, 1350, 1));
  EXPECT_EQ(hear(b_), Bytes(1350, 1));
  a_.engine->set_path_mtu(peer, 1300);
  ASSERT_TRUE(say(a_, 2, 1350, 2));
  EXPECT_TRUE(eventually([&] { return a_.engine->stats().packet_too_big >= 1; }));
  ASSERT_TRUE(say(a_, 2, 1350, 3));
  EXPECT_EQ(hear(b_), Bytes(1350, 3)) << "the sender's stack fragments now";
  a_.engine->clear_path_mtu(peer);
}

TEST_F(EngineTest, UnknownDestinationsAndInitiatorsAreAskedFor) {
  make(a_, 1, true);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2, true);
  if (HasFatalFailure()) return;
  ASSERT_TRUE(say(a_, 2, 200, 1));
  ASSERT_TRUE(eventually([&] {
    const std::lock_guard guard(a_.hooks.mutex);
    return std::ranges::any_of(a_.hooks.events, [](const tunnel::Event& event) {
      const auto* unknown = std::get_if<tunnel::UnknownDestination>(&event);
      return unknown != nullptr && unknown->destination == inner(2);  // the kernel asks for multicast, too
    });
  }));
  add_peer(a_, b_, direct(b_));
  ASSERT_TRUE(eventually([&] { return b_.hooks.count<tunnel::UnknownInitiator>() >= 1; }));
  add_peer(b_, a_, std::nullopt);
  EXPECT_EQ(hear(b_), Bytes(200, 1)) << "kept through both questions";
}

TEST_F(EngineTest, ASourceThatIsNotThePeersIsDropped) {
  make(a_, 1);
  if (IsSkipped() || HasFatalFailure()) return;
  make(b_, 2);
  if (HasFatalFailure()) return;
  add_peer(a_, b_, direct(b_));
  const auto peer = add_peer(b_, a_, std::nullopt);
  ASSERT_TRUE(say(a_, 2, 100, 1));
  EXPECT_TRUE(hear(b_));
  b_.engine->with_device([&](tunnel::Device& device, Instant, tunnel::Actions&) {
    device.disallow(peer, {.address = inner(1), .bits = 128});
  });
  ASSERT_TRUE(say(a_, 2, 100, 2));
  EXPECT_TRUE(eventually([&] { return b_.engine->stats().dropped_source == 1; }));
  EXPECT_FALSE(hear(b_, 50));
}

}  // namespace
}  // namespace bonus::net::device
