// Socket addresses and sockets of the DNS shell.
#include "bonus/net/dns/sockets.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include <fmt/format.h>

namespace bonus::net::dns {

namespace {

constexpr int kBacklog = 64;

Result<Fd> make_socket(const UdpEndpoint& endpoint, bool stream) {
  const int family = is_ipv4(endpoint.address) ? AF_INET : AF_INET6;
  Fd fd(::socket(family, (stream ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return fail(ErrorCode::kIo, fmt::format("socket: {}", std::strerror(errno)));
  return fd;
}

}  // namespace

socklen_t to_sockaddr(const UdpEndpoint& endpoint, sockaddr_storage& out) {
  std::memset(&out, 0, sizeof out);
  if (is_ipv4(endpoint.address)) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(endpoint.port);
    std::memcpy(&v4.sin_addr, endpoint.address.bytes.data() + 12, 4);
    std::memcpy(&out, &v4, sizeof v4);
    return sizeof v4;
  }
  sockaddr_in6 v6{};
  v6.sin6_family = AF_INET6;
  v6.sin6_port = htons(endpoint.port);
  std::memcpy(&v6.sin6_addr, endpoint.address.bytes.data(), 16);
  std::memcpy(&out, &v6, sizeof v6);
  return sizeof v6;
}

std::optional<UdpEndpoint> from_sockaddr(const sockaddr_storage& in) {
  UdpEndpoint out;
  if (in.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &in, sizeof v4);
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    std::memcpy(out.address.bytes.data() + 12, &v4.sin_addr, 4);
    out.port = ntohs(v4.sin_port);
    return out;
  }
  if (in.ss_family != AF_INET6) return std::nullopt;
  sockaddr_in6 v6;
  std::memcpy(&v6, &in, sizeof v6);
  std::memcpy(out.address.bytes.data(), &v6.sin6_addr, 16);
  if (out.address.bytes[0] == 0xfe && (out.address.bytes[1] & 0xc0) == 0x80) return std::nullopt;
  out.port = ntohs(v6.sin6_port);
  return out;
}

Result<Fd> bind_socket(const UdpEndpoint& endpoint, bool stream) {
  TRY_ASSIGN(Fd fd, make_socket(endpoint, stream));
  const int on = 1;
  if (stream) static_cast<void>(::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on));
  if (!is_ipv4(endpoint.address)) static_cast<void>(::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on));
  sockaddr_storage address;
  const socklen_t size = to_sockaddr(endpoint, address);
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 ||
      (stream && ::listen(fd.get(), kBacklog) != 0))
    return fail(ErrorCode::kIo, fmt::format("cannot listen for DNS on {} ({}): {}", to_string(endpoint),
                                            stream ? "TCP" : "UDP", std::strerror(errno)));
  return fd;
}

Result<UdpEndpoint> local_endpoint(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof address;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return fail(ErrorCode::kIo, fmt::format("getsockname: {}", std::strerror(errno)));
  const auto endpoint = from_sockaddr(address);
  if (!endpoint) return fail(ErrorCode::kIo, "a socket without an IP address");
  return *endpoint;
}

Result<Fd> connect_socket(const UdpEndpoint& server, bool stream) {
  TRY_ASSIGN(Fd fd, make_socket(server, stream));
  sockaddr_storage address;
  const socklen_t size = to_sockaddr(server, address);
  if (::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0 && errno != EINPROGRESS)
    return fail(ErrorCode::kUnavailable,
                fmt::format("cannot connect to the DNS server {}: {}", to_string(server), std::strerror(errno)));
  return fd;
}

}  // namespace bonus::net::dns
