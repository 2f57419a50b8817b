// The DNS server over real sockets, asked by real programs: dig, and getent in namespaces of its own.
#include "bonus/net/dns/server.hpp"

#include <gtest/gtest.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bonus/net/dns/dns_testing.hpp"
#include "bonus/net/dns/plain_upstream.hpp"
#include "bonus/net/dns/sockets.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::net::dns {
namespace {

using testing::ip;
using testing::name;

const UdpEndpoint kAnyPort{ip("127.0.0.1"), 0};

/// A DNS server of somebody else, on loopback: a few names, one of them only complete over TCP, one preceded by
/// forgeries.
class Responder {
 public:
  Responder() {
    udp_ = bind_socket(kAnyPort, false).value();
    endpoint_ = local_endpoint(udp_.get()).value();
    tcp_ = bind_socket(endpoint_, true).value();
    thread_ = std::thread([this] { run(); });
  }
  ~Responder() {
    stop_ = true;
    thread_.join();
  }
  [[nodiscard]] const UdpEndpoint& endpoint() const { return endpoint_; }
  std::atomic<int> over_udp = 0, over_tcp = 0;

 private:
  void run() {
    while (!stop_) {
      std::array<pollfd, 2> fds{pollfd{udp_.get(), POLLIN, 0}, pollfd{tcp_.get(), POLLIN, 0}};
      if (::poll(fds.data(), fds.size(), 20) <= 0) continue;
      if ((fds[0].revents & POLLIN) != 0) datagram();
      if ((fds[1].revents & POLLIN) != 0) connection();
    }
  }

  void datagram() {
    std::array<std::uint8_t, 4096> buffer;
    sockaddr_storage from;
    socklen_t size = sizeof from;
    const ssize_t got =
        ::recvfrom(udp_.get(), buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got <= 0) return;
    ++over_udp;
    const auto send = [&](const Bytes& wire) {
      EXPECT_GE(::sendto(udp_.get(), wire.data(), wire.size(), 0, reinterpret_cast<const sockaddr*>(&from), size), 0);
    };
    Message question = parse_message(BytesView(buffer.data(), static_cast<std::size_t>(got))).value();
    if (question.questions[0].name.equals(name("forged.test"))) {
      Message forged = answer(question, false);
      forged.header.id = static_cast<std::uint16_t>(forged.header.id + 1);
      forged.answers[0].rdata = {6, 6, 6, 6};
      send(encode_message(forged).value());
    }
    send(encode_message(answer(question, true)).value());
  }

  void connection() {
    const Fd fd(::accept(tcp_.get(), nullptr, nullptr));
    if (!fd) return;
    std::array<std::uint8_t, 4096> buffer;
    const ssize_t got = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
    if (got < 14) return;
    ++over_tcp;
    const Message question = parse_message(BytesView(buffer.data() + 2, static_cast<std::size_t>(got - 2))).value();
    const Bytes message = encode_message(answer(question, false)).value();
    Bytes wire{static_cast<std::uint8_t>(message.size() >> 8), static_cast<std::uint8_t>(message.size())};
    append(wire, message);
    for (const std::uint8_t byte : wire) {  // one by one: the reader must put the message together
      const ssize_t sent = ::send(fd.get(), &byte, 1, MSG_NOSIGNAL);
      if (sent != 1) return;
    }
  }

  static Message answer(const Message& question, bool udp) {
    Message out;
    out.header = {.id = question.header.id, .qr = true, .rd = true, .ra = true};
    out.questions = question.questions;
    const Question& asked = question.questions[0];
    const auto add = [&](std::uint16_t t, Bytes rdata) { out.answers.push_back({asked.name, t, kClassIn, 60, rdata}); };
    if (asked.name.equals(name("host.test")) || asked.name.equals(name("forged.test"))) {
      add(type::kA, {192, 0, 2, 7});
    } else if (asked.name.equals(name("big.test"))) {
      if (udp) {
        out.header.tc = true;
      } else {
        for (int i = 0; i < 10; ++i) add(type::kTxt, text_rdata(std::string(200, static_cast<char>('a' + i))));
      }
    } else if (asked.name.equals(name("rebind.test"))) {
      const Ipv6 inside = ip("fd00::1");
      add(type::kAaaa, {inside.bytes.begin(), inside.bytes.end()});
    } else {
      out.header.rcode = rcode::kNxDomain;
      out.authority.push_back(
          {name("test"), type::kSoa, kClassIn, 60, soa_rdata(name("a.test"), name("b.test"), 1, 2, 3, 4, 60)});
    }
    return out;
  }

  Fd udp_, tcp_;
  UdpEndpoint endpoint_;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
};

/// A server on loopback with a thread of its own.
class RunningServer {
 public:
  explicit RunningServer(ServerConfig config) {
    testing::fill(source);
    auto started = Server::start(context_.get_executor(), std::move(config), source, upstream, runtime::system_clock(),
                                 runtime::system_random());
    EXPECT_TRUE(started) << started.error().message;
    server = *std::move(started);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~RunningServer() {
    server->stop();
    guard_.reset();
    context_.stop();
    thread_.join();
    server.reset();  // before the context that its timers belong to
  }
  [[nodiscard]] std::uint16_t port() const { return server->addresses()[0].port; }

  testing::MemorySource source;
  PlainUpstream upstream;
  std::unique_ptr<Server> server;

 private:
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard_{context_.get_executor()};
  std::thread thread_;
};

ServerConfig local_config() {
  ServerConfig config;
  config.core.own_address = ip("fd00::53");
  config.listen = {kAnyPort};
  return config;
}

bool have(const std::string& program) {
  runtime::ProcessOptions options;
  options.argv = {"which", program};
  const auto found = runtime::run_process(options);
  return found && found->exit_code == 0;
}

std::string dig(std::uint16_t port, std::vector<std::string> arguments) {
  runtime::ProcessOptions options;
  options.argv = {"dig", "@127.0.0.1", "-p", std::to_string(port), "+tries=1", "+timeout=10", "+noidnout"};
  options.argv.insert(options.argv.end(), arguments.begin(), arguments.end());
  const auto result = runtime::run_process(options);
  if (!result) return "cannot run dig: " + result.error().message;
  return result->out + result->err;
}

bool contains(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

class DigTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!have("dig")) GTEST_SKIP() << "no dig here";
  }
};

TEST_F(DigTest, AnswersLocalNames) {
  RunningServer running(local_config());
  NodeId node;
  for (std::size_t i = 0; i < node.bytes.size(); ++i) node.bytes[i] = static_cast<std::uint8_t>(i * 7 + 1);
  EXPECT_EQ(dig(running.port(), {"+short", node_name(node), "AAAA"}), to_string(overlay_address(node)) + "\n");
  EXPECT_EQ(dig(running.port(), {"+short", "alice.bonus", "AAAA"}), "fd00::a11c:e\n");
  EXPECT_EQ(dig(running.port(), {"+short", "lease-7.bonus", "AAAA"}), "fd00::7\n");
  EXPECT_EQ(dig(running.port(), {"+short", "shop.bonus", "AAAA"}), "fd00::7\n");
  EXPECT_EQ(dig(running.port(), {"+short", "alice.bonus", "TXT"}), "\"v=1\"\n\"hello\"\n");
  EXPECT_EQ(dig(running.port(), {"+short", "_http._tcp.alice.bonus", "SRV"}), "10 5 8080 web.alice.bonus.\n");
  EXPECT_EQ(dig(running.port(), {"+short", "bob.bonus", "AAAA"}),
            "www.alice.bonus.\nweb.alice.bonus.\nfd00::80\nfd00::81\n");
  EXPECT_EQ(dig(running.port(), {"+short", "x.apps.alice.bonus", "AAAA"}), "fd00::ffff\n");
  EXPECT_EQ(dig(running.port(), {"+short", "bonus", "NS"}), "ns.bonus.\n");
  EXPECT_EQ(dig(running.port(), {"+short", "ns.bonus", "AAAA"}), "fd00::53\n");
  EXPECT_TRUE(contains(dig(running.port(), {"+short", "bonus", "SOA"}), "ns.bonus. hostmaster.bonus. 1 "));
}

TEST_F(DigTest, ReverseNames) {
  RunningServer running(local_config());
  EXPECT_EQ(dig(running.port(), {"+short", "-x", "fd00::a11c:e"}), "alice.bonus.\n");
  EXPECT_TRUE(contains(dig(running.port(), {"-x", "fd00::bad"}), "NXDOMAIN"));
  EXPECT_EQ(dig(running.port(), {"+short", "-x", "127.0.0.1"}), "localhost.\n");
}

TEST_F(DigTest, NegativeAnswersCarryTheirZone) {
  RunningServer running(local_config());
  const std::string missing = dig(running.port(), {"nobody.bonus", "AAAA"});
  EXPECT_TRUE(contains(missing, "status: NXDOMAIN") && contains(missing, "SOA\tns.bonus.")) << missing;
  const std::string no_data = dig(running.port(), {"alice.bonus", "A"});
  EXPECT_TRUE(contains(no_data, "status: NOERROR") && contains(no_data, "SOA\tns.bonus.")) << no_data;
  EXPECT_TRUE(contains(no_data, "flags: qr aa rd ra;")) << no_data;
}

TEST_F(DigTest, TransportsAndSizes) {
  RunningServer running(local_config());
  const std::string plain = dig(running.port(), {"+noedns", "+ignore", "big.bob.bonus", "TXT"});
  EXPECT_TRUE(contains(plain, "flags: qr aa tc rd ra; QUERY: 1, ANSWER: 0")) << plain;
  const std::string small = dig(running.port(), {"+bufsize=512", "+ignore", "big.bob.bonus", "TXT"});
  EXPECT_TRUE(contains(small, " tc ") && contains(small, "udp: 1232")) << small;
  // dig itself goes over to TCP then.
  const std::string retried = dig(running.port(), {"+bufsize=512", "big.bob.bonus", "TXT"});
  EXPECT_TRUE(contains(retried, "ANSWER: 12") && contains(retried, "Truncated, retrying in TCP mode")) << retried;
  const std::string stream = dig(running.port(), {"+tcp", "alice.bonus", "AAAA"});
  EXPECT_TRUE(contains(stream, "fd00::a11c:e")) << stream;
  const std::string version = dig(running.port(), {"+edns=1", "+noednsnegotiation", "alice.bonus", "AAAA"});
  EXPECT_TRUE(contains(version, "status: BADVERS")) << version;
  const std::string opcode = dig(running.port(), {"+opcode=STATUS", "alice.bonus"});
  EXPECT_TRUE(contains(opcode, "status: NOTIMP")) << opcode;
  const std::string chaos = dig(running.port(), {"-c", "CH", "version.bind", "TXT"});
  EXPECT_TRUE(contains(chaos, "status: REFUSED")) << chaos;
  const std::string transfer = dig(running.port(), {"bonus", "AXFR"});
  EXPECT_TRUE(contains(transfer, "Transfer failed")) << transfer;
  EXPECT_TRUE(contains(dig(running.port(), {"alice.bonus", "ANY"}), "\"RFC8482\" \"\""));
  const std::string cookies =
      dig(running.port(), {"+cookie=0102030405060708", "+nsid", "+dnssec", "alice.bonus", "AAAA"});
  EXPECT_TRUE(contains(cookies, "fd00::a11c:e") && contains(cookies, "flags: do;")) << cookies;
}

TEST_F(DigTest, KeepsTheCaseOfTheQuestion) {
  RunningServer running(local_config());
  const std::string out = dig(running.port(), {"aLiCe.BoNuS", "AAAA"});
  EXPECT_TRUE(contains(out, ";aLiCe.BoNuS.")) << out;
  EXPECT_TRUE(contains(out, "\naLiCe.BoNuS.")) << out;
}

TEST_F(DigTest, ForwardsOtherNames) {
  Responder responder;
  ServerConfig config = local_config();
  config.core.upstreams = {responder.endpoint()};
  RunningServer running(config);
  EXPECT_EQ(dig(running.port(), {"+short", "host.test", "A"}), "192.0.2.7\n");
  EXPECT_EQ(dig(running.port(), {"+short", "HOST.test", "A"}), "192.0.2.7\n");
  EXPECT_EQ(responder.over_udp, 1) << "the second one comes from the cache";
  EXPECT_EQ(dig(running.port(), {"+short", "forged.test", "A"}), "192.0.2.7\n");
  EXPECT_EQ(running.server->counters().upstream_mismatched, 1u);
  const std::string big = dig(running.port(), {"+tcp", "big.test", "TXT"});
  EXPECT_TRUE(contains(big, "ANSWER: 10")) << big;
  EXPECT_EQ(responder.over_tcp, 1);
  const std::string missing = dig(running.port(), {"missing.test", "A"});
  EXPECT_TRUE(contains(missing, "status: NXDOMAIN")) << missing;
  const std::string rebind = dig(running.port(), {"rebind.test", "AAAA"});
  EXPECT_TRUE(contains(rebind, "status: SERVFAIL") && contains(rebind, "EDE: 15")) << rebind;
  EXPECT_EQ(running.server->counters().rebinding_blocked, 1u);
}

TEST_F(DigTest, FailsOverToTheNextServer) {
  Responder responder;
  const Fd silent = bind_socket(kAnyPort, false).value();
  ServerConfig config = local_config();
  config.core.upstreams = {local_endpoint(silent.get()).value(), responder.endpoint()};
  config.core.upstream_timeout = std::chrono::milliseconds(200);
  RunningServer running(config);
  EXPECT_EQ(dig(running.port(), {"+short", "host.test", "A"}), "192.0.2.7\n");
  EXPECT_EQ(running.server->counters().upstream_timeouts, 1u);
  EXPECT_EQ(dig(running.port(), {"+short", "forged.test", "A"}), "192.0.2.7\n");
  EXPECT_EQ(running.server->counters().upstream_timeouts, 1u) << "the silent one comes last now";
}

TEST_F(DigTest, PolicyDecidesWhoMayAsk) {
  Responder responder;
  ServerConfig config = local_config();
  config.core.upstreams = {responder.endpoint()};
  config.core.access = [](const Ipv6&) { return Access::kNames; };
  RunningServer running(config);
  EXPECT_TRUE(contains(dig(running.port(), {"host.test", "A"}), "status: REFUSED"));
  EXPECT_EQ(dig(running.port(), {"+short", "alice.bonus", "AAAA"}), "fd00::a11c:e\n");
  EXPECT_EQ(responder.over_udp, 0);
}

TEST(ServerTest, TcpConnectionsAreBoundedAndPipelined) {
  ServerConfig config = local_config();
  config.max_connections = 2;
  config.max_connections_per_source = 8;
  RunningServer running(config);
  const auto open = [&] {
    Fd fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_storage address;
    const socklen_t size = to_sockaddr(running.server->addresses()[0], address);
    EXPECT_EQ(::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size), 0);
    return fd;
  };
  const auto ask = [](const Fd& fd, int count) {
    Bytes wire;
    for (int i = 0; i < count; ++i) {
      const Bytes message = testing::query("alice.bonus", type::kAaaa, std::nullopt, static_cast<std::uint16_t>(i));
      wire.push_back(0);
      wire.push_back(static_cast<std::uint8_t>(message.size()));
      append(wire, message);
    }
    return ::send(fd.get(), wire.data(), wire.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(wire.size());
  };
  const auto read_message = [](const Fd& fd) -> std::size_t {
    std::array<std::uint8_t, 2> length{};
    if (::recv(fd.get(), length.data(), 2, MSG_WAITALL) != 2) return 0;
    Bytes body(static_cast<std::size_t>(length[0]) << 8 | length[1]);
    return ::recv(fd.get(), body.data(), body.size(), MSG_WAITALL) > 0 ? body.size() : 0;
  };
  const Fd first = open();
  ASSERT_TRUE(ask(first, 200));
  for (int i = 0; i < 200; ++i) ASSERT_GT(read_message(first), 0u) << i;
  const Fd second = open();
  ASSERT_TRUE(ask(second, 1));
  ASSERT_GT(read_message(second), 0u);
  const Fd third = open();
  ASSERT_TRUE(ask(third, 1));
  ASSERT_GT(read_message(third), 0u);
  EXPECT_EQ(read_message(first), 0u) << "the one idle for longest made room";
  // Half-closed: the answer still comes, then the end.
  ASSERT_TRUE(ask(second, 1));
  ASSERT_EQ(::shutdown(second.get(), SHUT_WR), 0);
  EXPECT_GT(read_message(second), 0u);
  EXPECT_EQ(read_message(second), 0u);
}

TEST(ServerTest, RefusesWhatItCannotBind) {
  RunningServer running(local_config());
  boost::asio::io_context context;
  ServerConfig config = local_config();
  config.listen = {running.server->addresses()[0]};
  const auto second = Server::start(context.get_executor(), config, running.source, running.upstream,
                                    runtime::system_clock(), runtime::system_random());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kIo);
  config.listen.clear();
  EXPECT_FALSE(Server::start(context.get_executor(), config, running.source, running.upstream, runtime::system_clock(),
                             runtime::system_random()));
}

/// In a child with namespaces of its own: a loopback whose port 53 is free and a resolv.conf of its own.
int resolve_by_libc(const std::filesystem::path& resolv_conf) {
  const uid_t user = ::getuid();
  if (::unshare((user == 0 ? 0 : CLONE_NEWUSER) | CLONE_NEWNS | CLONE_NEWNET) != 0) return 77;
  if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
  if (::mount(resolv_conf.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0) return 77;
  const Fd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  ifreq request{};
  request.ifr_name[0] = 'l';
  request.ifr_name[1] = 'o';
  request.ifr_flags = IFF_UP | IFF_RUNNING;
  if (::ioctl(control.get(), SIOCSIFFLAGS, &request) != 0) return 77;
  ServerConfig config = local_config();
  config.listen = {UdpEndpoint{ip("127.0.0.1"), 53}};
  RunningServer running(config);
  const auto run = [](std::vector<std::string> argv) {
    runtime::ProcessOptions options;
    options.argv = std::move(argv);
    const auto result = runtime::run_process(options);
    return result ? result->out : result.error().message;
  };
  const std::string forward = run({"getent", "hosts", "alice.bonus"});
  if (!contains(forward, "fd00::a11c:e") || !contains(forward, "alice.bonus")) return 1;
  if (!contains(run({"getent", "hosts", "bob.bonus"}), "fd00::80")) return 2;
  if (!contains(run({"getent", "hosts", "fd00::a11c:e"}), "alice.bonus")) return 3;
  if (!run({"getent", "hosts", "nobody.bonus"}).empty()) return 4;
  return 0;
}

TEST(GetentTest, ResolvesThroughTheCLibrary) {
  const std::filesystem::path file =
      std::filesystem::temp_directory_path() / ("bnt-" + std::to_string(::getpid()) + "-resolv.conf");
  std::ofstream(file) << "nameserver 127.0.0.1\noptions timeout:5 attempts:1\n";
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) ::_exit(resolve_by_libc(file));
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  std::filesystem::remove(file);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) GTEST_SKIP() << "no namespaces here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

}  // namespace
}  // namespace bonus::net::dns
