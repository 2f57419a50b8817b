// Leaving for an own namespace, with and without privileges, and what is visible inside.
#include "bonus/net/host/namespace.hpp"

#include <grp.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "bonus/net/host/policy.hpp"
#include "bonus/net/host/test_support.hpp"

namespace bonus::net::host {
namespace {

using testing::expect_in_child;
using testing::ip;
using testing::make_namespace;
using testing::open_tun;
namespace fs = std::filesystem;

std::string read_all(const std::string& path) {
  std::ifstream in(path);
  std::stringstream out;
  out << in.rdbuf();
  return out.str();
}

// A packet into the node's overlay leaves through the TUN device with the node's address as its source.
Result<> overlay_works() {
  const Fd tun = open_tun("bonus0");
  CHILD_CHECK(static_cast<bool>(tun));
  TRY_ASSIGN(auto netlink, Netlink::open());
  TRY(configure_overlay_device(netlink, "bonus0", ip("fd12::1"), 1280));
  TRY(configure_overlay_device(netlink, "bonus0", ip("fd12::1"), 1280));  // twice is once
  TRY_ASSIGN(const auto device, netlink.link("bonus0"));
  TRY_ASSIGN(const auto addresses, netlink.addresses());
  for (const auto& at : addresses) CHILD_CHECK(at.index != device.index || at.address == ip("fd12::1"));
  const Fd socket(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  const auto to = testing::endpoint("fd77::9", 9);
  // Usable at once: no waiting for duplicate address detection.
  CHILD_CHECK(::sendto(socket.get(), "marked", 6, 0, reinterpret_cast<const sockaddr*>(&to.storage), to.size) == 6);
  for (int i = 0; i < 16; ++i) {
    pollfd waiting{.fd = tun.get(), .events = POLLIN, .revents = 0};
    CHILD_CHECK(::poll(&waiting, 1, 5000) == 1);
    std::uint8_t packet[1500];
    const ssize_t n = ::read(tun.get(), packet, sizeof(packet));
    CHILD_CHECK(n >= 40);
    if (packet[6] != IPPROTO_UDP) continue;
    CHILD_CHECK(std::memcmp(packet + 8, ip("fd12::1").bytes.data(), 16) == 0);
    CHILD_CHECK(std::memcmp(packet + 24, ip("fd77::9").bytes.data(), 16) == 0);
    CHILD_CHECK(std::string(reinterpret_cast<char*>(packet) + 48, 6) == "marked");
    return {};
  }
  return fail(ErrorCode::kInternal, "no datagram came out of the TUN device");
}

TEST(Namespace, OwnNamespaceHasALoopbackAndCarriesTheOverlay) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    const auto before = fs::read_symlink("/proc/self/ns/net");
    TRY_ASSIGN(const auto isolation, enter_own_namespace());
    CHILD_CHECK(isolation == Isolation::kPrivileged);
    CHILD_CHECK(fs::read_symlink("/proc/self/ns/net") != before);
    TRY_ASSIGN(auto netlink, Netlink::open());
    TRY_ASSIGN(const auto links, netlink.links());
    for (const auto& link : links) CHILD_CHECK(link.name != "eth0");
    TRY_ASSIGN(const auto lo, netlink.link("lo"));
    CHILD_CHECK(lo.up);
    TRY(prepare_node_namespace());
    return overlay_works();
  });
}

TEST(Namespace, SocketsOpenedBeforeStayInTheFormerNamespace) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd machine, make_namespace());
    CHILD_CHECK(::setns(machine.get(), CLONE_NEWNET) == 0);
    TRY_ASSIGN(const Fd listener, testing::socket_in(machine, SOCK_STREAM, "127.0.0.1", 4711));
    TRY(enter_own_namespace());
    TRY_ASSIGN(const Fd own, current_namespace());
    CHILD_CHECK(testing::tcp_reaches(machine, "", "127.0.0.1", 4711));
    CHILD_CHECK(!testing::tcp_reaches(own, "", "127.0.0.1", 4711));
    return {};
  });
}

TEST(Namespace, EntersAConfiguredOneByPath) {
  SKIP_WITHOUT_NAMESPACES();
  expect_in_child([]() -> Result<> {
    TRY_ASSIGN(const Fd other, make_namespace());
    const auto path = fmt::format("/proc/self/fd/{}", other.get());
    TRY(enter_namespace(path));
    CHILD_CHECK(fs::read_symlink("/proc/self/ns/net") == fs::read_symlink(path));
    const auto missing = enter_namespace("bnt-no-such-namespace");
    CHILD_CHECK(!missing && missing.error().code == ErrorCode::kNotFound);
    const auto empty = enter_namespace("");
    CHILD_CHECK(!empty && empty.error().code == ErrorCode::kInvalid);
    const auto file = enter_namespace("/dev/null");
    CHILD_CHECK(!file);
    return {};
  });
}

TEST(Namespace, RefusesAProcessWithThreads) {
  expect_in_child([]() -> Result<> {
    int ends[2];
    CHILD_CHECK(::pipe(ends) == 0);
    std::thread other([&] {
      char byte = 0;
      (void)!::read(ends[0], &byte, 1);
    });
    const auto entered = enter_own_namespace();
    (void)!::write(ends[1], "x", 1);
    other.join();
    CHILD_CHECK(!entered && entered.error().code == ErrorCode::kConflict);
    return {};
  });
}

// As an ordinary user: either it works in a user namespace, or the message says what to do.
TEST(Namespace, WithoutPrivilegesAUserNamespaceOrAClearMessage) {
  expect_in_child([]() -> Result<> {
    if (::geteuid() == 0) {
      CHILD_CHECK(::setgroups(0, nullptr) == 0);
      CHILD_CHECK(::setresgid(65534, 65534, 65534) == 0 && ::setresuid(65534, 65534, 65534) == 0);
    }
    const auto isolation = enter_own_namespace();
    if (!isolation) {
      CHILD_CHECK(isolation.error().code == ErrorCode::kUnsupported);
      CHILD_CHECK(isolation.error().message.find("run bonusd as root") != std::string::npos);
      CHILD_CHECK(isolation.error().message.find("user namespaces") != std::string::npos);
      std::fprintf(stderr, "no user namespaces here: %s\n", isolation.error().message.c_str());
      return {};
    }
    CHILD_CHECK(*isolation == Isolation::kUserNamespace);
    CHILD_CHECK(::geteuid() != 0);
    TRY(overlay_works());
    TRY(prepare_node_namespace());
    TRY_ASSIGN(auto rules, Policy::open());
    return rules.apply(PolicyState{.node_addresses = {ip("fd12::1")}});
  });
}

TEST(Namespace, UserNamespacesCanBeForbidden) {
  expect_in_child([]() -> Result<> {
    if (::geteuid() == 0) CHILD_CHECK(::setresuid(65534, 65534, 65534) == 0);
    const auto isolation = enter_own_namespace({.allow_user_namespace = false});
    CHILD_CHECK(!isolation && isolation.error().code == ErrorCode::kUnsupported);
    return {};
  });
}

TEST(Resolver, OwnFileInsideAndTheMachinesUnchanged) {
  SKIP_WITHOUT_NAMESPACES();
  if (!fs::exists("/etc/resolv.conf")) GTEST_SKIP() << "this machine has no /etc/resolv.conf";
  const std::string before = read_all("/etc/resolv.conf");
  const fs::path folder = fs::temp_directory_path() / fmt::format("bnt-{}-resolver", ::getpid());
  fs::create_directories(folder / "mounted");
  expect_in_child([&]() -> Result<> {
    TRY(use_resolver(folder.string(), {ip("fd12::1")}));
    CHILD_CHECK(read_all("/etc/resolv.conf").find("nameserver fd12::1\n") != std::string::npos);
    CHILD_CHECK(!TRY(keep_resolver(folder.string())));
    CHILD_CHECK(::umount2("/etc/resolv.conf", MNT_DETACH) == 0);
    CHILD_CHECK(TRY(keep_resolver(folder.string())));
    CHILD_CHECK(read_all("/etc/resolv.conf").find("nameserver fd12::1\n") != std::string::npos);
    // A second time, as after a change of address.
    TRY(use_resolver(folder.string(), {ip("fd12::2")}));
    CHILD_CHECK(read_all("/etc/resolv.conf").find("fd12::2") != std::string::npos);
    return {};
  });
  EXPECT_EQ(read_all("/etc/resolv.conf"), before);
  const std::string mounts = read_all("/proc/self/mountinfo");
  EXPECT_EQ(mounts.find(folder.string()), std::string::npos);
  fs::remove_all(folder);
}

TEST(Resolver, RefusesWhatIsNotAFile) {
  EXPECT_FALSE(use_resolver("relative", {ip("fd12::1")}));
  EXPECT_FALSE(use_resolver("/tmp", {}));
  EXPECT_EQ(resolver_file({ip("fd12::1"), ip("127.0.0.1")}),
            "# Names inside this node's network namespace; the machine's own file is unchanged.\n"
            "nameserver fd12::1\nnameserver 127.0.0.1\noptions edns0\n");
}

}  // namespace
}  // namespace bonus::net::host
