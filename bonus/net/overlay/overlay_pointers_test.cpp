// Three nodes with real engines: the 40th container of one is reached by another, and reaches a third that has never
// heard of it; a client's key that is a node's. Skipped where TUN devices or namespaces cannot be made.
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_future.hpp>
#include <filesystem>
#include <thread>

#include "bonus/net/host/netlink.hpp"
#include "bonus/net/overlay/contact.hpp"
#include "bonus/net/overlay/overlay.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::overlay {
namespace {

using namespace std::chrono_literals;

sockaddr_in6 to_sockaddr(const Ipv6& address) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(7000);
  std::copy_n(address.bytes.data(), 16, out.sin6_addr.s6_addr);
  return out;
}

std::vector<Bytes> ids() {
  std::vector<Bytes> out;
  for (int i = 0; i < 40; ++i) {
    const auto text = "lease-" + std::to_string(i);
    out.emplace_back(text.begin(), text.end());
  }
  return out;
}

/// The wall clock of a machine that slept.
struct JumpingClock final : runtime::Clock {
  [[nodiscard]] Instant now() const override { return runtime::system_clock().now(); }
  [[nodiscard]] UnixMillis unix_ms() const override { return runtime::system_clock().unix_ms() + slept_s * 1000; }
  std::atomic<UnixMillis> slept_s = 0;
};

class OverlayPointers : public ::testing::Test {
 protected:
  struct Node {
    explicit Node(std::uint8_t seed)
        : root(crypto::Ed25519KeyPair::from_seed([&] {
            crypto::Ed25519Seed bytes;
            bytes.bytes.fill(seed);
            return bytes;
          }())),
          directory(::testing::TempDir() + "overlay-" + std::to_string(::getpid()) + "-" + std::to_string(seed)) {
      std::filesystem::create_directories(directory);
    }
    ~Node() {
      overlay.reset();
      std::filesystem::remove_all(directory);
    }
    [[nodiscard]] Ipv6 last_container() const { return container_address(root.public_key(), ids().back()); }
    crypto::Ed25519KeyPair root;
    std::string directory;
    Metrics metrics;
    JumpingClock clock;
    Fd own, container;  // UDP sockets in the namespace, bound to the node's and its last container's address
    std::unique_ptr<Overlay> overlay;
  };

  ~OverlayPointers() override { pool_.join(); }

  void make(Node& node) {
    std::optional<device::Tun> tun;
    std::string trouble;
    const Ipv6 addresses[] = {overlay_address(crypto::node_id(node.root.public_key())), node.last_container()};
    std::thread inside([&] {
      if (::unshare(CLONE_NEWNET) != 0) {
        trouble = "network namespaces cannot be made here";
        return;
      }
      auto opened = device::Tun::open({.name = "bonus0", .offload = true, .multi_queue = false});
      auto netlink = host::Netlink::open();
      if (!opened || !netlink) {
        trouble = opened ? netlink.error().message : opened.error().message;
        return;
      }
      tun = std::move(*opened);
      const auto set_up = [&]() -> Result<> {
        TRY(netlink->set_up("lo"));
        TRY(netlink->set_mtu("bonus0", 1420));
        TRY(netlink->set_up("bonus0"));
        TRY(netlink->add_address("bonus0", {.address = addresses[0], .bits = 8}));
        return netlink->add_address("bonus0", {.address = addresses[1], .bits = 128});
      };
      if (auto done = set_up(); !done) trouble = done.error().message;
      for (auto* socket : {&node.own, &node.container}) {
        socket->reset(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
        const auto where = to_sockaddr(addresses[socket == &node.container]);
        int bound = -1;
        for (int i = 0; i < 500 && bound != 0; ++i) {  // a new IPv6 address becomes usable in the background
          bound = ::bind(socket->get(), reinterpret_cast<const sockaddr*>(&where), sizeof where);
          if (bound != 0) std::this_thread::sleep_for(20ms);
        }
        if (bound != 0) trouble = "bind";
      }
    });
    inside.join();
    if (!trouble.empty()) GTEST_SKIP() << trouble;
    device::UdpOptions udp_options;
    udp_options.bind = parse_endpoint("127.0.0.1:1")->address;
    auto udp = device::UdpSocket::open(udp_options);
    ASSERT_TRUE(udp) << udp.error().message;
    OverlayOptions options;
    options.data_dir = node.directory;
    options.allow_private = options.reachable = true;
    options.map_ports = false;
    options.bound = udp_options.bind;
    OverlayParts parts{pool_.get_executor(),   blocking_,    node.clock, runtime::system_random(),
                       runtime::system_disk(), node.metrics, nullptr,    {}};
    auto opened = Overlay::open(parts, node.root, options, std::move(*tun), std::move(*udp));
    ASSERT_TRUE(opened) << opened.error().message;
    node.overlay = std::move(*opened);
    node.overlay->start();
  }
  static bool say(const Fd& from, const Ipv6& to) {
    const auto where = to_sockaddr(to);
    return ::sendto(from.get(), "hello", 5, 0, reinterpret_cast<const sockaddr*>(&where), sizeof where) == 5;
  }
  static bool hear(const Fd& at, const Ipv6& from) {
    pollfd wait{.fd = at.get(), .events = POLLIN, .revents = 0};
    while (::poll(&wait, 1, 200) > 0) {
      char bytes[16];
      sockaddr_in6 sender{};
      socklen_t size = sizeof sender;
      if (::recvfrom(at.get(), bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&sender), &size) != 5) continue;
      if (std::equal(from.bytes.begin(), from.bytes.end(), sender.sin6_addr.s6_addr)) return true;
    }
    return false;
  }
  static bool passes(const Fd& from, const Ipv6& source, const Fd& at, const Ipv6& to) {
    for (int i = 0; i < 300; ++i) {
      (void)say(from, to);
      if (hear(at, source)) return true;
    }
    return false;
  }

  /// Somebody with a root key of his own and a UDP socket: says something and returns the first answer, opened.
  static Bytes ask(const Node& node, const std::vector<Bytes>& payloads) {
    crypto::Ed25519Seed seed;
    seed.bytes.fill(99);
    Sealer sealer(contact_secret(crypto::Ed25519KeyPair::from_seed(seed)), runtime::system_random());
    const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(node.overlay->port());
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    for (const auto& payload : payloads) {
      const auto sealed =
          sealer.seal(DatagramKind::kContact, contact_key(node.root.public_key()).value(), payload).value();
      (void)::sendto(socket.get(), sealed.data(), sealed.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof to);
    }
    pollfd wait{.fd = socket.get(), .events = POLLIN, .revents = 0};
    if (::poll(&wait, 1, 1000) != 1) return {};
    Bytes answer(2048);
    const auto size = ::recv(socket.get(), answer.data(), answer.size(), 0);
    if (size <= 0) return {};
    answer.resize(static_cast<std::size_t>(size));
    const auto opened = sealer.open(answer);
    return opened ? opened->payload : Bytes{};
  }
  static Bytes request() {
    ContactFinder finder(runtime::system_random());
    return finder.introduction();
  }

  boost::asio::thread_pool pool_{2};
  runtime::BlockingPool blocking_{1, 16};
};

TEST_F(OverlayPointers, TheFortiethContainerIsReachedAndReachesOthers) {
  Node a(1), b(2), c(3);
  for (auto* node : {&a, &b, &c}) {
    make(*node);
    if (IsSkipped() || HasFatalFailure()) return;
  }
  const auto at = [](const Node& node) { return "127.0.0.1:" + std::to_string(node.overlay->port()); };
  for (auto* node : {&a, &b, &c})
    for (const auto* other : {&a, &b, &c})
      if (other != node) node->overlay->add_hint(other->root.public_key(), at(*other));
  a.overlay->set_containers(ids());
  EXPECT_TRUE(passes(b.own, b.overlay->address(), a.container, a.last_container()));
  EXPECT_TRUE(passes(a.container, a.last_container(), b.own, b.overlay->address())) << "the way back";
  EXPECT_TRUE(passes(a.container, a.last_container(), c.own, c.overlay->address())) << "to one that never asked";
}

TEST_F(OverlayPointers, AnInvitationForANodesKeyDoesNotShutTheNodeOut) {
  Node a(4), b(5), c(6);
  for (auto* node : {&a, &b, &c}) {
    make(*node);
    if (IsSkipped() || HasFatalFailure()) return;
  }
  const auto invite = [&](const Node& node) {
    EdgePeer peer;
    peer.key = node.overlay->tunnel_key();
    peer.preshared_key.bytes.fill(7);
    peer.allowed = {Prefix{container_address(a.root.public_key(), as_bytes("edge")), 128}};
    a.overlay->set_edge_peers({peer});
    return boost::asio::co_spawn(pool_, a.overlay->is_node_key(peer.key), boost::asio::use_future).get();
  };
  const auto know = [](Node& node, Node& other) {
    node.overlay->add_hint(other.root.public_key(), "127.0.0.1:" + std::to_string(other.overlay->port()));
  };
  know(a, b);
  know(b, a);
  ASSERT_TRUE(passes(a.own, a.overlay->address(), b.own, b.overlay->address()));
  EXPECT_TRUE(invite(b));
  EXPECT_TRUE(passes(a.own, a.overlay->address(), b.own, b.overlay->address())) << "the tunnel is still the node's";
  EXPECT_FALSE(invite(c)) << "nobody knows yet whose it is";
  know(a, c);
  know(c, a);
  EXPECT_TRUE(passes(c.own, c.overlay->address(), a.own, a.overlay->address())) << "it has shown to be a node";
}

TEST_F(OverlayPointers, AQuestionByUdpDoesNotMakeANodeSearch) {
  Node a(4);
  make(a);
  if (IsSkipped() || HasFatalFailure()) return;
  Bytes answer;
  for (int i = 0; i < 100 && answer.empty(); ++i) answer = ask(a, {encode_find({7, a.overlay->address()}), request()});
  ASSERT_GT(answer.size(), 10u);
  EXPECT_FALSE(decode_found(answer)) << "only a client on its TLS link is searched for";
  EXPECT_EQ(answer[1], 2) << "the request that came after it is answered";
}

TEST_F(OverlayPointers, AfterASleepItsRecordIsValidAgainAtOnce) {
  Node a(5);
  make(a);
  if (IsSkipped() || HasFatalFailure()) return;
  const auto valid_at = [&](UnixSeconds at) {
    const auto answer = ask(a, {request()});
    return answer.size() > 10 && open_record(BytesView(answer).subspan(10), at).has_value();
  };
  bool valid = false;
  for (int i = 0; i < 100 && !valid; ++i) valid = valid_at(a.clock.unix_s());
  ASSERT_TRUE(valid);
  a.clock.slept_s = 60 * 3600;  // over the weekend
  valid = false;
  for (int i = 0; i < 60 && !valid; ++i) {
    valid = valid_at(a.clock.unix_s());
    if (!valid) std::this_thread::sleep_for(100ms);
  }
  EXPECT_TRUE(valid);
}

TEST_F(OverlayPointers, WhatOnlyGrowsIsACounter) {
  Node a(7), b(8);
  for (auto* node : {&a, &b}) {
    make(*node);
    if (IsSkipped() || HasFatalFailure()) return;
  }
  a.overlay->add_hint(b.root.public_key(), "127.0.0.1:" + std::to_string(b.overlay->port()));
  ASSERT_TRUE(passes(a.own, a.overlay->address(), b.own, b.overlay->address()));
  const auto exposed = [&] {
    boost::asio::co_spawn(pool_, a.overlay->publish_metrics(), boost::asio::use_future).get();
    return a.metrics.expose();
  };
  const auto value = [](const std::string& text, const std::string& name) {
    const auto at = text.find("\n" + name + " ");
    return at == std::string::npos ? -1.0 : std::stod(text.substr(at + name.size() + 2));
  };
  const auto first = exposed(), second = exposed();
  EXPECT_NE(first.find("# TYPE bonus_net_tunnel_sent_bytes_total counter"), std::string::npos) << first;
  const double sent = value(first, "bonus_net_tunnel_sent_bytes_total");
  EXPECT_GT(sent, 0);
  EXPECT_LT(value(second, "bonus_net_tunnel_sent_bytes_total"), 2 * sent) << "asking adds nothing";
}

}  // namespace
}  // namespace bonus::net::overlay
