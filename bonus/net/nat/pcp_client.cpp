// PCP over a connected UDP socket, IPv4 and IPv6.
#include "bonus/net/nat/pcp_client.hpp"

#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>

#include "bonus/base/os.hpp"
#include "bonus/net/nat/ipv4.hpp"
#include "bonus/net/nat/pcp.hpp"

namespace bonus::net::nat {
namespace {

sockaddr_in6 to_sockaddr6(const Ipv6& address, std::uint16_t port, unsigned scope) {
  sockaddr_in6 out{};
  out.sin6_family = AF_INET6;
  out.sin6_port = htons(port);
  out.sin6_scope_id = scope;
  std::ranges::copy(address.bytes, out.sin6_addr.s6_addr);
  return out;
}

/// Connects to the router; the address that it will see as ours.
Result<Ipv6> connect4(int fd, const PcpServer& server, std::uint16_t port) {
  sockaddr_in router{};
  router.sin_family = AF_INET;
  router.sin_port = htons(port);
  router.sin_addr.s_addr = to_in_addr(server.router.address);
  sockaddr_in own{};
  socklen_t own_size = sizeof own;
  if (::connect(fd, reinterpret_cast<sockaddr*>(&router), sizeof router) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0)
    return fail(ErrorCode::kUnavailable, "PCP: the router's address cannot be reached");
  return from_in_addr(own.sin_addr.s_addr);
}

/// The source must be the address to open: towards a router of link scope the system would choose another.
Result<Ipv6> connect6(int fd, const PcpServer& server, std::uint16_t port) {
  const unsigned scope = server.router.device.empty() ? 0 : ::if_nametoindex(server.router.device.c_str());
  const sockaddr_in6 own = to_sockaddr6(server.own, 0, 0);
  const sockaddr_in6 router = to_sockaddr6(server.router.address, port, scope);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own) != 0)
    return fail(ErrorCode::kUnavailable, "PCP: " + to_string(server.own) + " is no longer an address of this machine");
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&router), sizeof router) != 0)
    return fail(ErrorCode::kUnavailable, "PCP: the router's IPv6 address cannot be reached");
  return server.own;
}

}  // namespace

Result<PortMapping> pcp_map(const MappingRequest& request, const PcpServer& server, std::uint32_t lifetime_s,
                            const UdpEndpoint& suggested) {
  const bool v4 = is_ipv4(server.router.address);
  const Fd fd(::socket(v4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd.get() < 0) return fail(ErrorCode::kUnavailable, "PCP: no socket");
  PcpMap map;
  map.lifetime_s = lifetime_s;
  TRY_ASSIGN(map.client,
             v4 ? connect4(fd.get(), server, request.pcp_port) : connect6(fd.get(), server, request.pcp_port));
  map.nonce = request.nonce;
  map.internal_port = request.port;
  map.external = suggested;
  const Bytes datagram = encode_pcp_request(map);
  // Section 8.1.1 with shorter times: nobody waits half an hour for a router that does not speak PCP.
  int left = static_cast<int>(request.timeout_ms);
  for (int wait = 250; left > 0; wait *= 2) {
    if (::send(fd.get(), datagram.data(), datagram.size(), 0) < 0)
      return fail(ErrorCode::kUnavailable, "PCP: the router does not take part");
    for (int slice = std::min(wait, left); slice > 0; slice -= 50, left -= 50) {
      if (!readable(fd.get(), std::min(slice, 50))) continue;
      std::array<std::uint8_t, kPcpMaxSize> buffer{};
      const ssize_t size = ::recv(fd.get(), buffer.data(), buffer.size(), 0);
      if (size < 0) return fail(ErrorCode::kUnavailable, "PCP: the router does not take part");
      const auto answer = decode_pcp_answer(BytesView(buffer).first(static_cast<std::size_t>(size)));
      // A NAT-PMP router answers with version 0 and "unsupported version" (RFC 6887, appendix A).
      if (size >= 2 && buffer[0] == 0) return fail(ErrorCode::kUnavailable, "PCP: the router speaks NAT-PMP only");
      if (!answer) continue;
      if (answer->result != 0)
        return fail(ErrorCode::kDenied, "PCP: the router refused: " + pcp_result(answer->result));
      if (answer->map.nonce != request.nonce || answer->map.internal_port != request.port) continue;
      if (lifetime_s != 0 && is_ipv4(answer->map.external.address) != v4) continue;  // of the other family: no use
      return PortMapping{answer->map.external, "pcp", answer->map.lifetime_s};
    }
  }
  return fail(ErrorCode::kUnavailable, "PCP: the router did not answer");
}

}  // namespace bonus::net::nat
