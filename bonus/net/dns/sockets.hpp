// Socket addresses and sockets of the DNS shell.
#pragma once

#include <sys/socket.h>

#include <optional>
#include <utility>

#include "bonus/net/api/address.hpp"

namespace bonus::net::dns {

/// A descriptor that is closed by its owner.
class Fd {
 public:
  Fd() = default;
  explicit Fd(int fd) : fd_(fd) {}
  Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Fd();
  [[nodiscard]] int get() const { return fd_; }
  [[nodiscard]] bool valid() const { return fd_ >= 0; }
  [[nodiscard]] int release() { return std::exchange(fd_, -1); }

 private:
  int fd_ = -1;
};

/// sockaddr_in for mapped IPv4, sockaddr_in6 otherwise. Returns its size.
[[nodiscard]] socklen_t to_sockaddr(const UdpEndpoint& endpoint, sockaddr_storage& out);
/// Nothing for other families and for link-local addresses, which mean something only with a zone index.
[[nodiscard]] std::optional<UdpEndpoint> from_sockaddr(const sockaddr_storage& in);
/// Non-blocking, bound to `endpoint`; a stream one also listens. kIo.
[[nodiscard]] Result<Fd> bind_socket(const UdpEndpoint& endpoint, bool stream);
[[nodiscard]] Result<UdpEndpoint> local_endpoint(int fd);
/// Non-blocking, connected to `server`; a stream one may still be connecting. kUnavailable, kIo.
[[nodiscard]] Result<Fd> connect_socket(const UdpEndpoint& server, bool stream);

}  // namespace bonus::net::dns
