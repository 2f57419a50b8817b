// Port mapping against a PCP router of our own on loopback; the libraries' protocols are tested against miniupnpd in
// tests/e2e.
#include "bonus/net/nat/port_mapper.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <future>
#include <memory>
#include <mutex>
#include <thread>

#include "bonus/net/nat/pcp.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;

/// Answers MAP requests as told; records what was asked.
class Router {
 public:
  explicit Router(std::function<std::vector<Bytes>(const Bytes& request)> answer, bool ipv6 = false)
      : answer_(std::move(answer)) {
    if (ipv6) {
      listen6();
      thread_ = std::thread([this] { serve(); });
      return;
    }
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::bind(fd_, reinterpret_cast<sockaddr*>(&at), sizeof at), 0);
    socklen_t size = sizeof at;
    EXPECT_EQ(::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size), 0);
    port = ntohs(at.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Router() {
    stop_ = true;
    thread_.join();
    ::close(fd_);
  }
  Router(const Router&) = delete;
  Router& operator=(const Router&) = delete;
  std::vector<Bytes> requests() {
    const std::lock_guard lock(mutex_);
    return requests_;
  }
  std::uint16_t port = 0;  ///< 0: this machine has no IPv6.

 private:
  void listen6() {
    fd_ = ::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    sockaddr_in6 at{};
    at.sin6_family = AF_INET6;
    at.sin6_addr = in6addr_loopback;
    socklen_t size = sizeof at;
    if (::bind(fd_, reinterpret_cast<sockaddr*>(&at), size) == 0 &&
        ::getsockname(fd_, reinterpret_cast<sockaddr*>(&at), &size) == 0)
      port = ntohs(at.sin6_port);
  }
  void serve() {
    while (!stop_) {
      pollfd entry{fd_, POLLIN, 0};
      if (::poll(&entry, 1, 20) != 1) continue;
      Bytes buffer(2000);
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got <= 0) continue;
      buffer.resize(static_cast<std::size_t>(got));
      {
        const std::lock_guard lock(mutex_);
        requests_.push_back(buffer);
      }
      for (const Bytes& reply : answer_(buffer))
        (void)::sendto(fd_, reply.data(), reply.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
    }
  }
  std::function<std::vector<Bytes>(const Bytes&)> answer_;
  int fd_ = -1;
  std::atomic<bool> stop_ = false;
  std::mutex mutex_;
  std::vector<Bytes> requests_;
  std::thread thread_;
};

/// RFC 6887, figure 3 and 10: a response that grants 203.0.113.7 and the port plus one.
Bytes grant(const Bytes& request, std::uint8_t result = 0) {
  Bytes out(24, 0);
  out[0] = 2, out[1] = 0x81, out[3] = result;
  std::copy_n(request.begin() + 4, 4, out.begin() + 4);
  out[11] = 9;                                                        // epoch
  out.insert(out.end(), request.begin() + 24, request.begin() + 42);  // nonce, protocol, reserved, internal port
  const unsigned port = static_cast<unsigned>(request[40] << 8 | request[41]) + 1;
  out.push_back(static_cast<std::uint8_t>(port >> 8)), out.push_back(static_cast<std::uint8_t>(port));
  append(out, parse_ip("203.0.113.7").value());
  return out;
}

MappingRequest request_to(const Router& router) {
  MappingRequest out;
  out.port = 51820;
  out.lifetime_s = 600;
  out.timeout_ms = 700;
  out.nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  out.nat_pmp = out.upnp = false;
  out.gateway = parse_ip("127.0.0.1").value();
  out.pcp_port = router.port;
  return out;
}

TEST(Pcp, RequestIsAsInTheRfc) {
  PcpMap map;
  map.lifetime_s = 7200;
  map.client = parse_ip("192.0.2.2").value();
  map.nonce = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  map.internal_port = 51820;
  map.external = {{}, 51821};
  EXPECT_EQ(to_hex(encode_pcp_request(map)),
            "02010000"
            "00001c20"
            "00000000000000000000ffffc0000202"
            "0102030405060708090a0b0c"
            "11000000"
            "ca6cca6d"
            "00000000000000000000ffff00000000");
}

TEST(Pcp, AnswersAreChecked) {
  PcpMap map;
  map.lifetime_s = 60;
  map.client = parse_ip("127.0.0.1").value();
  map.internal_port = 7;
  const Bytes good = grant(encode_pcp_request(map));
  const auto read = decode_pcp_answer(good);
  ASSERT_TRUE(read);
  EXPECT_EQ(to_string(read->map.external), "203.0.113.7:8");
  EXPECT_EQ(read->map.lifetime_s, 60U);
  for (std::size_t size = 0; size < good.size(); ++size)
    EXPECT_FALSE(decode_pcp_answer(BytesView(good).first(size))) << size;
  for (const std::size_t at : {0U, 1U, 36U}) {
    Bytes bad = good;
    bad[at] ^= 1;
    EXPECT_FALSE(decode_pcp_answer(bad)) << at;
  }
  Bytes error(24, 0);
  error[0] = 2, error[1] = 0x81, error[3] = 2;
  EXPECT_EQ(pcp_result(decode_pcp_answer(error).value().result), "not authorized");
}

TEST(PortMapping, AsksTwiceWhenAnAnswerIsLostAndIgnoresForeignOnes) {
  int asked = 0;
  Router router([&](const Bytes& request) -> std::vector<Bytes> {
    if (++asked == 1) return {};
    Bytes other = grant(request);
    other[24] ^= 1;  // another nonce
    return {Bytes{2, 0x81}, Bytes(1000, 7), other, grant(request)};
  });
  const auto mapping = open_port(request_to(router));
  ASSERT_TRUE(mapping) << mapping.error().message;
  EXPECT_EQ(to_string(mapping->external), "203.0.113.7:51821");
  EXPECT_EQ(mapping->protocol, "pcp");
  EXPECT_EQ(mapping->lifetime_s, 600U);
  EXPECT_EQ(asked, 2);
  ASSERT_TRUE(close_port(request_to(router), *mapping));
  const auto last = router.requests().back();
  EXPECT_EQ(to_hex(BytesView(last).subspan(4, 4)), "00000000");  // lifetime 0 deletes (section 15)
  EXPECT_EQ(to_hex(BytesView(last).subspan(24, 12)), "0102030405060708090a0b0c");
}

TEST(PortMapping, SaysWhatTheRouterSaid) {
  Router refusing([](const Bytes& request) { return std::vector<Bytes>{grant(request, 8)}; });
  const auto refused = open_port(request_to(refusing));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  EXPECT_NE(refused.error().message.find("no resources"), std::string::npos);
  Router old([](const Bytes&) { return std::vector<Bytes>{Bytes{0, 0x81, 0, 1, 0, 0, 0, 0}}; });
  const auto natpmp_only = open_port(request_to(old));
  ASSERT_FALSE(natpmp_only);
  EXPECT_EQ(natpmp_only.error().code, ErrorCode::kUnavailable);
  Router silent([](const Bytes&) { return std::vector<Bytes>{}; });
  const auto none = open_port(request_to(silent));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code, ErrorCode::kUnavailable);
  EXPECT_GE(silent.requests().size(), 2U);
}

TEST(PortMapping, FindsTheDefaultRoute) {
  const std::string head = "Iface Destination Gateway Flags RefCnt Use Metric Mask MTU Window IRTT\n";
  const std::string routes = head +
                             "eth0 0000A8C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
                             "wlan0 00000000 0101A8C0 0003 0 0 600 00000000 0 0 0\n"
                             "eth0 00000000 0100A8C0 0003 0 0 100 00000000 0 0 0\n";
  EXPECT_EQ(to_string(parse_routes(routes).value()), "192.168.0.1");
  EXPECT_EQ(parse_routes(head).error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(parse_routes("eth0 00000000 zz 0003 0 0 1 00000000\n\nx"));
}

TEST(PortMapping, FindsTheDefaultRouteOfIpv6) {
  const std::string zero(32, '0'), link = "fe80000000000000000000000000000";
  const auto line = [&](const std::string& to, const char* bits, const std::string& hop, const char* metric,
                        const char* flags, const char* device) {
    return fmt::format("{} {} {} 00 {} {} 00000001 00000000 {} {:>8}\n", to, bits, zero, hop, metric, flags, device);
  };
  const std::string others = line("2001" + std::string(28, '0'), "40", zero, "00000100", "00000001", "eth0") +
                             line(zero, "00", zero, "ffffffff", "00200200", "lo") +
                             line(zero, "00", zero, "00000001", "00000001", "ppp0");  // no router there
  EXPECT_EQ(parse_routes6(others).error().code, ErrorCode::kNotFound);
  const auto found = parse_routes6(others + line(zero, "00", link + "1", "00000400", "00000003", "wlan0") +
                                   line(zero, "00", link + "2", "00000064", "00450003", "eth0"));
  ASSERT_TRUE(found);
  EXPECT_EQ(to_string(found->address), "fe80::2");
  EXPECT_EQ(found->device, "eth0");
  EXPECT_FALSE(parse_routes6(line(zero, "00", "fe80", "00000001", "00000003", "eth0") + "0 0 x"));
}

/// A response that lets in what was asked for: of a firewall the external endpoint is the internal one.
Bytes let_in(const Bytes& request) {
  Bytes out = grant(request);
  out.resize(42);
  out.insert(out.end(), request.begin() + 40, request.begin() + 42);
  out.insert(out.end(), request.begin() + 8, request.begin() + 24);
  return out;
}

TEST(PortMapping, OpensTheFirewallOfIpv6) {
  Router router([](const Bytes& request) { return std::vector<Bytes>{grant(request), let_in(request)}; }, true);
  if (router.port == 0) GTEST_SKIP() << "no IPv6 on loopback here";
  MappingRequest request = request_to(router);
  request.ipv6 = true;
  request.gateway = request.own = parse_ip("::1").value();
  const auto mapping = open_port(request);
  ASSERT_TRUE(mapping) << mapping.error().message;
  EXPECT_EQ(to_string(mapping->external), "[::1]:51820");  // not the address of IPv4 that came first
  EXPECT_EQ(mapping->lifetime_s, 600U);
  EXPECT_EQ(to_hex(router.requests().front()),
            "02010000"
            "00000258"
            "00000000000000000000000000000001"
            "0102030405060708090a0b0c"
            "11000000"
            "ca6cca6c"
            "00000000000000000000000000000001");
  request.own = {};  // it is closed for the address that it was opened for
  ASSERT_TRUE(close_port(request, *mapping));
  EXPECT_EQ(to_hex(BytesView(router.requests().back()).subspan(4, 20)),
            "00000000"
            "00000000000000000000000000000001");
}

TEST(PortMapping, AnAddressThatIsGoneIsNotOpened) {
  Router router([](const Bytes& request) { return std::vector<Bytes>{let_in(request)}; }, true);
  if (router.port == 0) GTEST_SKIP() << "no IPv6 on loopback here";
  MappingRequest request = request_to(router);
  request.ipv6 = true;
  request.gateway = parse_ip("::1").value();
  request.own = parse_ip("2001:db8::7").value();
  const auto mapping = open_port(request);
  ASSERT_FALSE(mapping);
  EXPECT_NE(mapping.error().message.find("2001:db8::7"), std::string::npos);
  EXPECT_TRUE(router.requests().empty());
}

TEST(PortMapper, ReportsTheMappingAndRemovesItAtStop) {
  boost::asio::io_context io;
  runtime::BlockingPool pool(1, 8);
  runtime::sim::SeededRandom random(5);
  Router router([](const Bytes& request) { return std::vector<Bytes>{grant(request)}; });
  PortMapperOptions options;
  options.nat_pmp = options.upnp = false;
  options.gateway = parse_ip("127.0.0.1").value();
  options.pcp_port = router.port;
  std::atomic<int> entered = 0;
  options.enter = [&]() -> Result<> {
    ++entered;
    return {};
  };
  std::vector<std::optional<PortMapping>> seen;
  PortMapper mapper(io.get_executor(), pool, random, 51820, [&](auto mapping) { seen.push_back(mapping); }, options);
  mapper.start();
  for (int i = 0; i < 400 && seen.empty(); ++i) io.run_for(milliseconds(5));
  ASSERT_EQ(seen.size(), 1U);
  EXPECT_EQ(to_string(seen[0]->external), "203.0.113.7:51821");
  bool stopped = false;
  boost::asio::co_spawn(io, mapper.stop(), [&](std::exception_ptr) { stopped = true; });
  for (int i = 0; i < 400 && !stopped; ++i) io.run_for(milliseconds(5));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(seen.size(), 1U);
  EXPECT_EQ(entered, 2);
  EXPECT_EQ(to_hex(BytesView(router.requests().back()).subspan(4, 4)), "00000000");
}

TEST(PortMapper, ReportsALostMappingAndTriesAgain) {
  boost::asio::io_context io;
  runtime::BlockingPool pool(1, 8);
  runtime::sim::SeededRandom random(5);
  PortMapperOptions options;
  options.retry = milliseconds(10);
  std::atomic<int> asked = 0;
  options.open = [&](const MappingRequest&) -> Result<PortMapping> {
    if (++asked < 3) return fail(ErrorCode::kUnavailable, "no router");
    return PortMapping{{parse_ip("203.0.113.9").value(), 9}, "pcp", 600};
  };
  options.close = [](const MappingRequest&, const PortMapping&) -> Result<> { return {}; };
  std::vector<std::optional<PortMapping>> seen;
  PortMapper mapper(io.get_executor(), pool, random, 51820, [&](auto mapping) { seen.push_back(mapping); }, options);
  mapper.start();
  for (int i = 0; i < 400 && seen.empty(); ++i) io.run_for(milliseconds(5));
  ASSERT_EQ(seen.size(), 1U);  // nothing was there to be lost before
  EXPECT_EQ(seen[0]->external.port, 9);
  EXPECT_EQ(asked, 3);
}

// The router went away while its answer was waited for, and the node's patience at its end is shorter.
TEST(PortMapper, MayBeDestroyedWhileItStops) {
  boost::asio::io_context io;
  runtime::BlockingPool pool(1, 8);
  runtime::sim::SeededRandom random(5);
  std::promise<void> answer;
  std::atomic<int> closed = 0;
  PortMapperOptions options;
  options.open = [&, waiting = answer.get_future().share()](const MappingRequest&) -> Result<PortMapping> {
    waiting.wait();
    return PortMapping{{parse_ip("203.0.113.9").value(), 9}, "pcp", 600};
  };
  options.close = [&](const MappingRequest&, const PortMapping&) -> Result<> {
    ++closed;
    return {};
  };
  auto mapper = std::make_unique<PortMapper>(io.get_executor(), pool, random, 51820, [](const auto&) {}, options);
  mapper->start();
  io.run_for(milliseconds(20));
  bool stopped = false;
  boost::asio::co_spawn(io, mapper->stop(), [&](std::exception_ptr) { stopped = true; });
  io.run_for(milliseconds(20));
  EXPECT_FALSE(stopped);
  mapper.reset();
  answer.set_value();
  for (int i = 0; i < 400 && !stopped; ++i) io.run_for(milliseconds(5));
  EXPECT_TRUE(stopped);
  EXPECT_EQ(closed, 1);
}

}  // namespace
}  // namespace bonus::net::nat
