// Where a datagram for a node goes: an underlay endpoint, and by what means it is reached.
#pragma once

#include "bonus/net/api/address.hpp"

namespace bonus::net {

/// `udp` is where the packet goes physically (for a relay channel: the relay). `via` says how:
///   0                    the node's main UDP socket,
///   1 .. 0x3fffffff      a relay channel (net/nat gives the numbers),
///   kViaLink | n         a TLS link of net/nat,
///   kViaSocket | n       one of the extra UDP sockets that crossing a symmetric NAT takes.
/// Opaque to who only sends: equal values mean the same path.
struct PathEndpoint {
  UdpEndpoint udp;
  std::uint32_t via = 0;
  friend auto operator<=>(const PathEndpoint&, const PathEndpoint&) = default;
  [[nodiscard]] bool valid() const { return udp.valid() || via != 0; }
};
inline constexpr std::uint32_t kViaLink = 0x4000'0000, kViaSocket = 0x8000'0000;
[[nodiscard]] constexpr bool is_channel(std::uint32_t via) { return via != 0 && via < kViaLink; }
[[nodiscard]] constexpr bool is_link(std::uint32_t via) { return (via & kViaLink) != 0; }
[[nodiscard]] constexpr bool is_extra_socket(std::uint32_t via) { return (via & kViaSocket) != 0; }

}  // namespace bonus::net

template <>
struct std::hash<bonus::net::PathEndpoint> {
  std::size_t operator()(const bonus::net::PathEndpoint& p) const noexcept {
    return std::hash<bonus::net::UdpEndpoint>()(p.udp) ^ (static_cast<std::size_t>(p.via) * 0xff51afd7ed558ccdull);
  }
};
