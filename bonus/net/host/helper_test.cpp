// The helper with real sockets: what it hands in, what it refuses, and its end.
#include "bonus/net/host/helper.hpp"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <fstream>
#include <optional>

#include "bonus/net/host/helper_wire.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::host {
namespace {

using testing::expect_in_child;
using testing::ip;
using testing::make_namespace;
using namespace std::chrono_literals;

template <class T>
Result<T> wait_for(runtime::Task<Result<T>> task) {
  boost::asio::io_context context;
  std::optional<Result<T>> out;
  boost::asio::co_spawn(context, std::move(task), [&](std::exception_ptr error, Result<T> result) {
    if (error == nullptr) out = std::move(result);
  });
  context.run();
  if (!out) return fail(ErrorCode::kInternal, "the task threw");
  return std::move(*out);
}

std::uint16_t port_of(int socket) {
  sockaddr_storage local{};
  socklen_t size = sizeof(local);
  ::getsockname(socket, reinterpret_cast<sockaddr*>(&local), &size);
  return ntohs(local.ss_family == AF_INET ? reinterpret_cast<sockaddr_in&>(local).sin_port
                                          : reinterpret_cast<sockaddr_in6&>(local).sin6_port);
}

struct Listener {
  Fd socket{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;
  Listener() {
    const auto local = testing::endpoint("127.0.0.1", 0);
    if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&local.storage), local.size) == 0 &&
        ::listen(socket.get(), 8) == 0)
      port = port_of(socket.get());
  }
};

bool alive(int pid) {
  std::ifstream in(fmt::format("/proc/{}/stat", pid));
  std::string text;
  std::getline(in, text);
  const auto at = text.rfind(')');
  return at != std::string::npos && text.size() > at + 2 && text[at + 2] != 'Z';
}

// The whole way: bonusd leaves for its own namespace, where nothing is reachable, and gets a socket from outside.
TEST(Helper, HandsConnectedSocketsIntoTheNamespace) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd machine, make_namespace());
    CHILD_CHECK(::setns(machine.get(), CLONE_NEWNET) == 0);
    const Listener server;
    HelperOptions options;
    options.allow = {{.purpose = Purpose::kImageMirror, .host = "127.0.0.1", .port = server.port}};
    TRY_ASSIGN(auto process, HelperProcess::start(options));
    TRY(enter_own_namespace());
    Helper helper(std::move(process));
    auto socket = wait_for(helper.connect_tcp(Purpose::kImageMirror, "127.0.0.1", server.port, 5s));
    if (!socket) return fail(socket.error());
    const Fd accepted(::accept(server.socket.get(), nullptr, nullptr));
    CHILD_CHECK(::write(socket->get(), "hello", 5) == 5);
    char text[8] = {};
    CHILD_CHECK(::read(accepted.get(), text, 5) == 5 && std::string(text) == "hello");
    CHILD_CHECK((::fcntl(socket->get(), F_GETFL) & O_NONBLOCK) != 0);
    CHILD_CHECK((::fcntl(socket->get(), F_GETFD) & FD_CLOEXEC) != 0);
    return {};
  });
}

TEST(Helper, RefusesWhatNoRuleAllows) {
  const Listener server;
  HelperOptions options;
  options.allow = {{.purpose = Purpose::kImageMirror, .host = "127.0.0.1", .port = server.port},
                   {.purpose = Purpose::kDnsUpstream, .host = "*", .port = server.port}};
  auto process = HelperProcess::start(options);
  ASSERT_TRUE(process);
  Helper helper(std::move(*process));
  const auto code = [&](Purpose purpose, const char* host, std::uint16_t port) {
    const auto result = wait_for(helper.connect_tcp(purpose, host, port, 5s));
    return result ? "" : std::string(to_string(result.error().code));
  };
  const std::string denied(to_string(ErrorCode::kDenied));
  EXPECT_EQ(code(Purpose::kImageMirror, "127.0.0.1", server.port), "");
  EXPECT_EQ(code(Purpose::kUnderlay, "127.0.0.1", server.port), denied) << "another purpose";
  EXPECT_EQ(code(Purpose::kImageMirror, "127.0.0.1", 1), denied) << "another port";
  EXPECT_EQ(code(Purpose::kImageMirror, "127.0.0.2", server.port), denied) << "another host";
  EXPECT_EQ(code(Purpose::kDnsUpstream, "127.0.0.1", server.port), denied) << "a wildcard does not lead inside";
  EXPECT_EQ(code(Purpose::kDnsUpstream, "localhost", server.port), denied) << "nor does a name";
  const auto udp = wait_for(helper.connect_udp(Purpose::kImageMirror, "127.0.0.1", server.port, 5s));
  ASSERT_FALSE(udp);
  EXPECT_EQ(udp.error().code, ErrorCode::kDenied);
  const auto bound = wait_for(helper.bind_udp(Purpose::kUnderlay, 0));
  ASSERT_FALSE(bound);
  EXPECT_EQ(bound.error().code, ErrorCode::kDenied);
  const auto exit = wait_for(helper.exit_up(ExitOptions{.id = "a1"}));
  ASSERT_FALSE(exit);
  EXPECT_EQ(exit.error().code, ErrorCode::kDenied);
  const auto malformed = wait_for(helper.connect_tcp(Purpose::kImageMirror, std::string(300, 'x'), 1, 1s));
  EXPECT_FALSE(malformed);
}

TEST(Helper, UdpSocketsAddressesAndNames) {
  HelperOptions options;
  options.allow = {
      {.purpose = Purpose::kDnsUpstream, .host = "localhost", .udp = true},
      {.purpose = Purpose::kUnderlay, .udp = true, .private_addresses = true},
  };
  auto process = HelperProcess::start(options);
  ASSERT_TRUE(process);
  Helper helper(std::move(*process));
  auto bound = wait_for(helper.bind_udp(Purpose::kUnderlay, 0));
  ASSERT_TRUE(bound) << bound.error().message;
  auto connected = wait_for(helper.connect_udp(Purpose::kUnderlay, "127.0.0.1", port_of(bound->get()), 5s));
  ASSERT_TRUE(connected) << connected.error().message;
  ASSERT_EQ(::send(connected->get(), "ping", 4, 0), 4);
  pollfd waiting{.fd = bound->get(), .events = POLLIN, .revents = 0};
  ASSERT_EQ(::poll(&waiting, 1, 5000), 1);
  char text[8] = {};
  EXPECT_EQ(::recv(bound->get(), text, sizeof(text), 0), 4);

  const auto found = wait_for(helper.resolve("localhost", 5s));
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_TRUE(std::ranges::find(*found, ip("127.0.0.1")) != found->end() ||
              std::ranges::find(*found, ip("::1")) != found->end());
  const auto addresses = wait_for(helper.addresses());
  ASSERT_TRUE(addresses) << addresses.error().message;
  for (const auto& address : *addresses) EXPECT_NE(address.address, ip("127.0.0.1"));
}

TEST(Helper, RefusedConnectionsAndSlowCallsAreErrors) {
  HelperOptions options;
  options.allow = {{.purpose = Purpose::kImageMirror, .host = "127.0.0.1"}};
  options.concurrent = 2;
  options.calls["sleep"] = [](const Bytes&) -> Result<Bytes> {
    ::sleep(30);
    return Bytes();
  };
  options.calls["echo"] = [](const Bytes& in) -> Result<Bytes> { return in; };
  options.calls["crash"] = [](const Bytes&) -> Result<Bytes> { ::_exit(7); };
  auto process = HelperProcess::start(options);
  ASSERT_TRUE(process);
  Helper helper(std::move(*process));
  std::uint16_t closed_port = 0;
  {
    const Listener server;
    closed_port = server.port;
  }
  const auto refused = wait_for(helper.connect_tcp(Purpose::kImageMirror, "127.0.0.1", closed_port, 5s));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::kUnavailable) << refused.error().message;
  const auto late = wait_for(helper.call("sleep", {}, 100ms));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, ErrorCode::kTimeout);
  const auto crashed = wait_for(helper.call("crash", {}, 5s));
  ASSERT_FALSE(crashed);
  EXPECT_EQ(crashed.error().code, ErrorCode::kInternal);
  const auto unknown = wait_for(helper.call("nothing", {}, 5s));
  ASSERT_FALSE(unknown);
  EXPECT_EQ(unknown.error().code, ErrorCode::kNotFound);
  const Bytes large(60 << 10, 0x5a);
  const auto echoed = wait_for(helper.call("echo", large, 5s));
  ASSERT_TRUE(echoed) << echoed.error().message;
  EXPECT_EQ(*echoed, large);
}

TEST(Helper, BusyIsSaidAndStoppingEndsWhatWaits) {
  HelperOptions options;
  options.concurrent = 2;
  options.calls["sleep"] = [](const Bytes&) -> Result<Bytes> {
    ::sleep(30);
    return Bytes();
  };
  auto process = HelperProcess::start(options);
  ASSERT_TRUE(process);
  std::optional<Helper> helper(std::move(*process));
  boost::asio::io_context context;
  int cancelled = 0;
  int exhausted = 0;
  const auto finished = [&](std::exception_ptr error, const Result<Bytes>& result) {
    if (error != nullptr || result) return;
    cancelled += result.error().code == ErrorCode::kCancelled ? 1 : 0;
    exhausted += result.error().code == ErrorCode::kExhausted ? 1 : 0;
    if (exhausted == 1) helper.reset();
  };
  for (int i = 0; i < 3; ++i) boost::asio::co_spawn(context, helper->call("sleep", {}, 20s), finished);
  context.run();
  EXPECT_EQ(exhausted, 1);
  EXPECT_EQ(cancelled, 2);
}

TEST(Helper, EndsWithItsOwner) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t owner = ::fork();
  if (owner == 0) {
    auto process = HelperProcess::start({});
    const int pid = process ? process->pid() : -1;
    (void)!::write(ends[1], &pid, sizeof(pid));
    ::pause();
    ::_exit(0);
  }
  int helper = -1;
  ASSERT_EQ(::read(ends[0], &helper, sizeof(helper)), static_cast<ssize_t>(sizeof(helper)));
  ASSERT_GT(helper, 0);
  EXPECT_TRUE(alive(helper));
  ::kill(owner, SIGKILL);
  ::waitpid(owner, nullptr, 0);
  for (int i = 0; i < 500 && alive(helper); ++i) ::usleep(10'000);
  EXPECT_FALSE(alive(helper));
  ::close(ends[0]);
  ::close(ends[1]);
}

// Rights and open files are gone: the effective capabilities of the helper are none, its ids nobody's.
TEST(Helper, KeepsNothingItDoesNotNeed) {
  if (::geteuid() != 0) GTEST_SKIP() << "needs root";
  const Fd secret(::open("/etc/passwd", O_RDONLY));  // not even close-on-exec
  auto process = HelperProcess::start({.allow = {{.purpose = Purpose::kUnderlay, .udp = true}}});
  ASSERT_TRUE(process);
  const int pid = process->pid();
  Helper helper(std::move(*process));
  ASSERT_TRUE(wait_for(helper.bind_udp(Purpose::kUnderlay, 0)));  // it has come up
  std::ifstream in(fmt::format("/proc/{}/status", pid));
  std::string text((std::istreambuf_iterator<char>(in)), {});
  EXPECT_NE(text.find("CapEff:\t0000000000000000"), std::string::npos) << text;
  EXPECT_NE(text.find("Uid:\t65534\t65534\t65534\t65534"), std::string::npos) << text;
  EXPECT_NE(text.find("NoNewPrivs:\t1"), std::string::npos) << text;
  int open = 0;
  for (int fd = 0; fd < 256; ++fd) {
    char target[256];
    if (::readlink(fmt::format("/proc/{}/fd/{}", pid, fd).c_str(), target, sizeof(target)) > 0) ++open;
  }
  EXPECT_EQ(open, 5);  // three standard ones, its socket, its signals
}

TEST(HelperWire, RoundTripsAndRefusesDamage) {
  wire::Request request;
  request.id = 7;
  request.kind = wire::Kind::kConnectTcp;
  request.purpose = Purpose::kImageMirror;
  request.host = "registry.example";
  request.port = 443;
  request.timeout_ms = 1000;
  request.payload = {1, 2, 3};
  const Bytes encoded = wire::encode(request);
  const auto decoded = wire::decode_request(encoded);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->host, request.host);
  EXPECT_EQ(decoded->payload, request.payload);
  for (std::size_t size = 0; size < encoded.size(); ++size)
    EXPECT_FALSE(wire::decode_request(BytesView(encoded).first(size))) << size;
  Bytes longer = encoded;
  longer.push_back(0);
  EXPECT_FALSE(wire::decode_request(longer));
  ExitOptions exit{
      .id = "a1b2", .pool = {ip("10.9.0.0"), 112}, .ipv6 = false, .allow_private = {{ip("10.1.0.0"), 112}}};
  const auto options = wire::decode_exit_options(wire::encode(exit));
  ASSERT_TRUE(options);
  EXPECT_EQ(options->id, exit.id);
  EXPECT_EQ(options->allow_private, exit.allow_private);
  EXPECT_EQ(options->mtu, 1500u);
}

}  // namespace
}  // namespace bonus::net::host
