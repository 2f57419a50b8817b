// For tests of this folder: bodies that run in a forked child, which may leave its namespaces, and little networks of
// namespaces whose sockets are opened and used from one process.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#if __has_feature(address_sanitizer)
#include <sanitizer/lsan_interface.h>
#endif

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
    std::string text = result ? "+" : result.error().to_string();
#if __has_feature(address_sanitizer)
    if (result && __lsan_do_recoverable_leak_check() != 0) text = "memory leaks";
#endif
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

/// The same as an expectation.
inline void expect_in_child(const std::function<Result<>()>& body) {
  const std::string failure = in_child(body);
  EXPECT_EQ(failure, "");
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
    out.reset(::socket(local.storage.ss_family, type | SOCK_CLOEXEC, type == SOCK_RAW ? IPPROTO_ICMPV6 : 0));
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

/// A TCP connection from `space` (from address `from`, when not empty); empty when none is made within `timeout_ms`.
inline Fd tcp_connect(const Fd& space, const std::string& from, const std::string& to, std::uint16_t port,
                      int timeout_ms = 1500) {
  auto socket = socket_in(space, SOCK_STREAM, from, 0, to.find(':') != std::string::npos);
  if (!socket) return {};
  ::fcntl(socket->get(), F_SETFL, O_NONBLOCK);
  const auto remote = endpoint(to, port);
  if (::connect(socket->get(), reinterpret_cast<const sockaddr*>(&remote.storage), remote.size) == 0)
    return *std::move(socket);
  if (errno != EINPROGRESS) return {};
  pollfd waiting{.fd = socket->get(), .events = POLLOUT, .revents = 0};
  if (::poll(&waiting, 1, timeout_ms) != 1) return {};
  int code = 0;
  socklen_t length = sizeof(code);
  ::getsockopt(socket->get(), SOL_SOCKET, SO_ERROR, &code, &length);
  return code == 0 ? *std::move(socket) : Fd();
}
inline bool tcp_reaches(const Fd& space, const std::string& from, const std::string& to, std::uint16_t port,
                        int timeout_ms = 1500) {
  return static_cast<bool>(tcp_connect(space, from, to, port, timeout_ms));
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

inline Fd open_tun(const std::string& name) {
  Fd out(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  std::strncpy(request.ifr_name, name.c_str(), IFNAMSIZ - 1);
  if (out && ::ioctl(out.get(), TUNSETIFF, &request) != 0) out.reset();
  return out;
}

/// Two TUN devices and a thread that carries packets between them: stands in for the tunnel.
class Wire {
 public:
  static Result<std::unique_ptr<Wire>> make(const Fd& a, const std::string& name_a, const Fd& b,
                                            const std::string& name_b) {
    auto out = std::make_unique<Wire>();
    TRY(in_namespace(a.get(), [&]() -> Result<> {
      out->ends_[0] = open_tun(name_a);
      return {};
    }));
    TRY(in_namespace(b.get(), [&]() -> Result<> {
      out->ends_[1] = open_tun(name_b);
      return {};
    }));
    if (!out->ends_[0] || !out->ends_[1]) return fail(os_error("making", "TUN devices"));
    out->pump_ = std::thread([wire = out.get()] { wire->carry(); });
    return out;
  }
  ~Wire() {
    stop_ = true;
    if (pump_.joinable()) pump_.join();
  }

 private:
  void carry() {
    std::vector<std::uint8_t> packet(65'536);
    while (!stop_) {
      pollfd waiting[2] = {{.fd = ends_[0].get(), .events = POLLIN, .revents = 0},
                           {.fd = ends_[1].get(), .events = POLLIN, .revents = 0}};
      if (::poll(waiting, 2, 20) <= 0) continue;
      for (int i = 0; i < 2; ++i) {
        if ((waiting[i].revents & POLLIN) == 0) continue;
        const ssize_t n = ::read(ends_[i].get(), packet.data(), packet.size());
        if (n > 0) (void)!::write(ends_[1 - i].get(), packet.data(), static_cast<std::size_t>(n));
      }
    }
  }
  Fd ends_[2];
  std::atomic<bool> stop_ = false;
  std::thread pump_;
};

/// An ICMPv6 echo from `space` (RFC 4443) and whether it was answered.
inline bool ping(const Fd& space, const std::string& to, int timeout_ms = 2000) {
  auto socket = socket_in(space, SOCK_RAW, "", 0);
  if (!socket) return false;
  std::uint8_t request[12] = {128, 0, 0, 0, 0x42, 0x17, 0, 1, 'p', 'i', 'n', 'g'};
  const auto remote = endpoint(to, 0);
  if (::sendto(socket->get(), request, sizeof(request), 0, reinterpret_cast<const sockaddr*>(&remote.storage),
               remote.size) != static_cast<ssize_t>(sizeof(request)))
    return false;
  for (;;) {
    pollfd waiting{.fd = socket->get(), .events = POLLIN, .revents = 0};
    if (::poll(&waiting, 1, timeout_ms) != 1) return false;
    std::uint8_t reply[256];
    if (::recv(socket->get(), reply, sizeof(reply), 0) >= 8 && reply[0] == 129 && reply[4] == 0x42) return true;
  }
}

}  // namespace bonus::net::host::testing
