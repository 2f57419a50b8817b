// Socket addresses and sockets of the DNS shell.
#pragma once

#include <sys/socket.h>

#include <optional>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::dns {

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
