// PCP, NAT-PMP and UPnP against miniupnpd: a home network and its router in two network namespaces. Skipped without
// privileges or without the program (tools/dev/packages-test.txt).
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bonus/net/nat/port_mapping.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::net::nat {
namespace {

constexpr const char* kExternal = "11.22.33.44";  // miniupnpd opens no ports on addresses that are not global
constexpr const char* kHome6 = "2a0e:b177::";

struct Outcome {
  int code = -1;
  std::string out;
};
Outcome run(std::vector<std::string> argv, const std::string& input = {}) {
  runtime::ProcessOptions options;
  options.argv = std::move(argv);
  options.input.assign(input.begin(), input.end());
  options.timeout = std::chrono::seconds(20);
  const auto done = runtime::run_process(options);
  if (!done) return {-1, done.error().message};
  return {done->exit_code, done->out + done->err};
}

class HomeRouter : public ::testing::Test {
 protected:
  void SetUp() override {
    if (::geteuid() != 0 || run({"sh", "-c", "command -v ip nft miniupnpd"}).code != 0)
      GTEST_SKIP() << "needs root, iproute2, nft and miniupnpd";
    if (const auto made = run({"ip", "netns", "add", router_}); made.code != 0)
      GTEST_SKIP() << "no network namespaces here: " << made.out;
    made_ = true;
    std::filesystem::create_directories(folder_);
    const std::string script = fmt::format(
        "set -e\n"
        "ip netns add {1}\n"
        "nsenter --net=/run/netns/{0} ip link add lan type veth peer name inner netns {1}\n"
        "nsenter --net=/run/netns/{0} ip link add wan type veth peer name beyond\n"
        "nsenter --net=/run/netns/{0} ip addr add 192.168.77.1/24 dev lan\n"
        "nsenter --net=/run/netns/{0} ip addr add {2}/24 dev wan\n"
        "for i in lo lan wan beyond; do nsenter --net=/run/netns/{0} ip link set $i up; done\n"
        "nsenter --net=/run/netns/{1} ip addr add 192.168.77.2/24 dev inner\n"
        "for i in lo inner; do nsenter --net=/run/netns/{1} ip link set $i up; done\n"
        "nsenter --net=/run/netns/{1} ip route add default via 192.168.77.1\n"
        "nsenter --net=/run/netns/{0} nft -f - <<'END'\n"
        "table inet filter {{\n"
        "  chain miniupnpd {{ }}\n"
        "  chain prerouting_miniupnpd {{ }}\n"
        "  chain postrouting_miniupnpd {{ }}\n"
        "  chain forward {{ type filter hook forward priority 0; jump miniupnpd; }}\n"
        "  chain prerouting {{ type nat hook prerouting priority -100; jump prerouting_miniupnpd; }}\n"
        "  chain postrouting {{ type nat hook postrouting priority 100; jump postrouting_miniupnpd; }}\n"
        "}}\n"
        "END\n",
        router_, home_, kExternal);
    const auto done = run({"sh", "-c", script});
    ASSERT_EQ(done.code, 0) << done.out;
    six_ = add_ipv6();
    std::ofstream(folder_ + "/conf") << "ext_ifname=wan\nlistening_ip=lan\nhttp_port=0\nenable_natpmp=yes\n"
                                        "enable_upnp=yes\nsecure_mode=yes\nsystem_uptime=yes\n"
                                        "uuid=00000000-0000-4000-8000-000000000001\n"
                                        "upnp_table_name=filter\nupnp_nat_table_name=filter\n"
                                        "allow 1024-65535 0.0.0.0/0 1024-65535\n";
    daemon_ = ::fork();
    if (daemon_ == 0) {
      const int log = ::open((folder_ + "/log").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      ::dup2(log, 1);
      ::dup2(log, 2);
      ::execlp("nsenter", "nsenter", ("--net=/run/netns/" + router_).c_str(), "miniupnpd", "-d", "-f",
               (folder_ + "/conf").c_str(), "-P", (folder_ + "/pid").c_str(), nullptr);
      ::_exit(127);
    }
    for (int i = 0; i < 100; ++i) {
      if (run({"nsenter", "--net=/run/netns/" + router_, "grep", ":14E7 ", "/proc/net/udp"}).code == 0) return;  // 5351
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
    GTEST_SKIP() << "miniupnpd does not start here: " << log();
  }
  /// Global addresses at home, a router of link scope. False: this machine has no IPv6.
  [[nodiscard]] bool add_ipv6() const {
    const std::string script = fmt::format(
        "set -e\n"
        "enable() {{ nsenter --net=/run/netns/$1 sysctl -qw net.ipv6.conf.$2.disable_ipv6=0; }}\n"
        "add() {{ nsenter --net=/run/netns/$1 ip addr add $2/64 dev $3 nodad; }}\n"
        "for i in all lan wan; do enable {0} $i; done\n"
        "for i in all inner; do enable {1} $i; done\n"
        "add {0} fe80::77 lan\n"
        "add {0} {2}1 lan\n"
        "add {0} 2a0e:b1ff::1 wan\n"
        "add {1} {2}2 inner\n"
        "nsenter --net=/run/netns/{1} ip route add default via fe80::77 dev inner\n",
        router_, home_, kHome6);
    return run({"sh", "-c", script}).code == 0;
  }
  void TearDown() override {
    if (!made_) return;
    if (daemon_ > 0) {
      ::kill(daemon_, SIGTERM);
      ::waitpid(daemon_, nullptr, 0);
    }
    (void)run({"ip", "netns", "del", router_});
    (void)run({"ip", "netns", "del", home_});
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  [[nodiscard]] std::string log() const {
    std::ifstream in(folder_ + "/log");
    return {std::istreambuf_iterator<char>(in), {}};
  }
  /// In the home network; sockets belong to the thread's namespace.
  template <class Work>
  void at_home(Work work) {
    std::thread([&] {
      const int fd = ::open(("/run/netns/" + home_).c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0 || ::setns(fd, CLONE_NEWNET) != 0) {
        ADD_FAILURE() << "the home namespace cannot be entered";
      } else {
        work();
      }
      if (fd >= 0) ::close(fd);
    }).join();
  }
  /// What the router would forward.
  [[nodiscard]] bool forwards(std::uint16_t port) const {
    const auto rules = run(
        {"nsenter", "--net=/run/netns/" + router_, "nft", "list", "chain", "inet", "filter", "prerouting_miniupnpd"});
    return rules.out.find(fmt::format("dport {} dnat ip to 192.168.77.2:51820", port)) != std::string::npos;
  }
  static MappingRequest request() {
    MappingRequest out;
    out.port = 51820;
    out.lifetime_s = 600;
    out.timeout_ms = 1000;
    out.nonce = {9, 8, 7, 6, 5, 4, 3, 2, 1, 0, 1, 2};
    out.pcp = out.nat_pmp = out.upnp = false;
    return out;
  }
  void open_and_close(const MappingRequest& asked, const std::string& protocol) {
    Result<PortMapping> mapping = fail(ErrorCode::kInternal, "not asked");
    at_home([&] { mapping = open_port(asked); });
    ASSERT_TRUE(mapping) << mapping.error().message << "\n" << log();
    EXPECT_EQ(mapping->protocol, protocol);
    EXPECT_EQ(to_string(mapping->external.address), kExternal);
    EXPECT_TRUE(forwards(mapping->external.port)) << log();
    // A renewal keeps the port.
    Result<PortMapping> again = fail(ErrorCode::kInternal, "not asked");
    at_home([&] { again = open_port(asked); });
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(again->external, mapping->external);
    Result<> closed;
    at_home([&] { closed = close_port(asked, *mapping); });
    EXPECT_TRUE(closed) << closed.error().message;
    EXPECT_FALSE(forwards(mapping->external.port));
  }

  std::string router_ = fmt::format("bnt-{}-r", ::getpid()), home_ = fmt::format("bnt-{}-h", ::getpid());
  std::string folder_ = std::filesystem::temp_directory_path() / fmt::format("bnt-{}-miniupnpd", ::getpid());
  pid_t daemon_ = -1;
  bool made_ = false, six_ = false;
};

TEST_F(HomeRouter, Pcp) {
  auto asked = request();
  asked.pcp = true;
  open_and_close(asked, "pcp");
}

TEST_F(HomeRouter, PcpOpensTheFirewallOfIpv6) {
  if (!six_) GTEST_SKIP() << "no IPv6 in network namespaces here";
  const auto open = [this] {
    const auto rules =
        run({"nsenter", "--net=/run/netns/" + router_, "nft", "list", "chain", "inet", "filter", "miniupnpd"}).out;
    // nft shows the address in hexadecimal: miniupnpd writes the rule by the header's offsets.
    return rules.find("dport 51820") != std::string::npos &&
           rules.find("0x2a0eb177000000000000000000000002") != std::string::npos;
  };
  auto asked = request();
  asked.pcp = asked.ipv6 = true;
  EXPECT_FALSE(open());
  Result<PortMapping> mapping = fail(ErrorCode::kInternal, "not asked"), again = mapping;
  Result<> closed;
  at_home([&] { mapping = open_port(asked); });
  ASSERT_TRUE(mapping) << mapping.error().message << "\n" << log();
  EXPECT_EQ(to_string(mapping->external), fmt::format("[{}2]:51820", kHome6));
  EXPECT_TRUE(open()) << log();
  at_home([&] { again = open_port(asked); });
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(again->external, mapping->external);
  at_home([&] { closed = close_port(asked, *mapping); });
  // miniupnpd 2.3.1 with nftables does not keep whose pinhole it is and refuses; it closes it when its time is over.
  if (closed) {
    EXPECT_FALSE(open()) << log();
  } else {
    EXPECT_EQ(closed.error().code, ErrorCode::kDenied) << closed.error().message;
  }
}

TEST_F(HomeRouter, NatPmp) {
  auto asked = request();
  asked.nat_pmp = true;
  open_and_close(asked, "nat-pmp");
}

TEST_F(HomeRouter, Upnp) {
  auto asked = request();
  asked.upnp = true;
  open_and_close(asked, "upnp");
}

TEST_F(HomeRouter, TheFirstProtocolThatWorksIsTaken) {
  auto asked = request();
  asked.pcp = asked.nat_pmp = asked.upnp = true;
  asked.pcp_port = 5999;  // nobody there: an ICMP error, not a timeout
  open_and_close(asked, "nat-pmp");
}

}  // namespace
}  // namespace bonus::net::nat
