// For tests of this folder: bodies that run in a forked child, which may leave its namespaces, and little networks of
// namespaces whose sockets are opened and used from one process.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <string>
#include <thread>

#include "bonus/net/host/namespace.hpp"
#include "bonus/net/host/netlink.hpp"

#define CHILD_CHECK(...)                                                                                         \
  do {                                                                                                           \
    if (!(__VA_ARGS__))                                                                                          \
      return ::bonus::fail(::bonus::ErrorCode::kInternal,                                                        \
                           fmt::format("line {}: {} (errno {})", __LINE__, #__VA_ARGS__, std::strerror(errno))); \
  } while (false)

#define SKIP_WITHOUT_NAMESPACES()                                                                 \
  do {                                                                                            \
    const auto probed = ::bonus::net::host::probe_own_namespace({.allow_user_namespace = false}); \
    if (!probed) GTEST_SKIP() << "needs root and namespaces: " << probed.error().message;         \
  } while (false)

namespace bonus::net::host::testing {

/// Runs `body` in a child process of one thread; empty when it returned well, its error otherwise.
inline std::string in_child(const std::function<Result<>()>& body) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "no pipe";
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(ends[0]);
    ::alarm(120);
    const auto result = body();
    const std::string text = result ? "+" : result.error().to_string();
    ::_exit(::write(ends[1], text.data(), text.size()) > 0 ? 0 : 1);
  }
  ::close(ends[1]);
  std::string out(4096, '\0');
  ssize_t n = 0;
  do n = ::read(ends[0], out.data(), out.size());
  while (n < 0 && errno == EINTR);
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (n <= 0) return fmt::format("the child ended without a result (status {})", status);
  out.resize(static_cast<std::size_t>(n));
  return out == "+" ? "" : out;
}

/// A new, empty network namespace with its loopback up. It lives as long as the descriptor.
inline Result<Fd> make_namespace() {
  Result<Fd> out = fail(ErrorCode::kInternal, "not made");
  std::thread inside([&] {
    if (::unshare(CLONE_NEWNET) != 0) {
      out = fail(os_error("making", "a namespace"));
      return;
    }
    out = current_namespace();
    if (auto netlink = Netlink::open(); netlink) (void)netlink->set_up("lo");
  });
  inside.join();
  return out;
}

struct Endpoint {
  sockaddr_storage storage{};
  socklen_t size = 0;
};
inline Endpoint endpoint(const std::string& host, std::uint16_t port) {
  Endpoint out;
  if (host.find(':') == std::string::npos) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    ::inet_pton(AF_INET, host.c_str(), &address.sin_addr);
    std::memcpy(&out.storage, &address, sizeof(address));
    out.size = sizeof(address);
  } else {
    sockaddr_in6 address{};
    address.sin6_family = AF_INET6;
    address.sin6_port = htons(port);
    ::inet_pton(AF_INET6, host.c_str(), &address.sin6_addr);
    std::memcpy(&out.storage, &address, sizeof(address));
    out.size = sizeof(address);
  }
  return out;
}

/// A socket that lives in `space`, bound to host:port; listening when a stream. Empty host: unbound.
inline Result<Fd> socket_in(const Fd& space, int type, const std::string& host, std::uint16_t port,
                            bool ipv6_when_unbound = true) {
  Fd out;
  TRY(in_namespace(space.get(), [&]() -> Result<> {
    const auto local = endpoint(host.empty() ? (ipv6_when_unbound ? "::" : "0.0.0.0") : host, port);
    out.reset(::socket(local.storage.ss_family, type | SOCK_CLOEXEC, 0));
    if (!out) return fail(os_error("opening", "a socket"));
    const int on = 1;
    ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    if (!host.empty() || port != 0)
      if (::bind(out.get(), reinterpret_cast<const sockaddr*>(&local.storage), local.size) != 0)
        return fail(os_error("binding", host));
    if (type == SOCK_STREAM && port != 0 && ::listen(out.get(), 8) != 0) return fail(os_error("listening", host));
    return {};
  }));
  return out;
}

/// Whether a TCP connection from `space` (from address `from`, when not empty) gets through within `timeout_ms`.
inline bool tcp_reaches(const Fd& space, const std::string& from, const std::string& to, std::uint16_t port,
                        int timeout_ms = 1500) {
  auto socket = socket_in(space, SOCK_STREAM, from, 0, to.find(':') != std::string::npos);
  if (!socket) return false;
  ::fcntl(socket->get(), F_SETFL, O_NONBLOCK);
  const auto remote = endpoint(to, port);
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&remote.storage), remote.size) == 0) return true;
  if (errno != EINPROGRESS) return false;
  pollfd waiting{.fd = socket->get(), .events = POLLOUT, .revents = 0};
  if (::poll(&waiting, 1, timeout_ms) != 1) return false;
  int code = 0;
  socklen_t length = sizeof(code);
  ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &code, &length);
  return code == 0;
}

inline Ipv6 ip(const std::string& text) {
  Ipv6 out;
  if (text.find(':') != std::string::npos) {
    ::inet_pton(AF_INET6, text.c_str(), out.bytes.data());
  } else {
    out.bytes[10] = out.bytes[11] = 0xff;
    ::inet_pton(AF_INET, text.c_str(), out.bytes.data() + 12);
  }
  return out;
}

/// A veth pair between two namespaces with permanent neighbours for these addresses: stands in for the tunnel.
inline Result<> join(const Fd& a, const std::string& name_a, const Fd& b, const std::string& name_b,
                     std::uint32_t mtu = 1280) {
  TRY_ASSIGN(auto left, Netlink::open_in(a.get()));
  TRY(left.add_veth({.name = name_a, .peer = name_b, .peer_namespace = b.get(), .mtu = mtu}));
  TRY_ASSIGN(auto right, Netlink::open_in(b.get()));
  TRY(left.set_up(name_a));
  TRY(right.set_up(name_b));
  return {};
}

}  // namespace bonus::net::host::testing
