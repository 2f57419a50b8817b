// What a path's MTU means for inner packets: Packet Too Big (RFC 4443, RFC 1191) and the MSS of TCP SYNs (RFC 9293).
#pragma once

#include <span>

#include "bonus/base/bytes.hpp"

namespace bonus::net::device {

/// Lowers the MSS option of a TCP SYN so that its segments fit packets of `mtu` bytes (RFC 4459, section 3.2); other
/// packets stay as they are. The packet's checksum must be complete.
void clamp_mss(std::span<std::uint8_t> packet, std::size_t mtu);

/// The answer to `packet`, which is larger than `mtu`: ICMPv6 Packet Too Big (RFC 4443, section 3.2) or ICMPv4
/// fragmentation needed (RFC 1191), from the packet's own destination. Empty when none may be sent: an IPv4 packet
/// without DF, an ICMP error, a multicast address, not an IP packet.
[[nodiscard]] Bytes packet_too_big(BytesView packet, std::size_t mtu);

}  // namespace bonus::net::device
