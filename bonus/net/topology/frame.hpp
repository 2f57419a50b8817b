// A packet as TUN devices hand it over: a virtio-net header (virtio 1.2, section 5.1.6) and an IP packet, possibly a
// large one that stands for many segments of a flow.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::topology {

/// In the machine's byte order, as IFF_VNET_HDR has it.
struct VnetHeader {
  std::uint8_t flags = 0, gso_type = 0;
  std::uint16_t header_length = 0, gso_size = 0, csum_start = 0, csum_offset = 0;
};
static_assert(sizeof(VnetHeader) == 10);
inline constexpr std::uint8_t kNeedsCsum = 1;
inline constexpr std::uint8_t kGsoNone = 0, kGsoTcp4 = 1, kGsoTcp6 = 4, kGsoUdp = 5, kGsoEcn = 0x80;

struct Frame {
  VnetHeader vnet;
  Bytes data;
};

struct IpView {
  Ipv6 source, destination;
  std::uint8_t protocol = 0;  ///< IPv6: the first next header.
  std::size_t header = 0;     ///< Bytes.
  bool dont_fragment = true;
};
/// Nothing: neither IPv4 nor IPv6, or shorter than its header.
[[nodiscard]] std::optional<IpView> parse_packet(BytesView packet);

/// How many packets of the link the frame stands for, at least 1.
[[nodiscard]] std::size_t segment_count(const Frame& frame);
/// Bytes of the largest of them.
[[nodiscard]] std::size_t segment_bytes(const Frame& frame);
/// The packets it stands for; itself when it is one. Empty: the headers make no sense.
[[nodiscard]] std::vector<Frame> split(const Frame& frame);

/// "Packet Too Big" for a packet that does not fit (RFC 1191, RFC 8201), from `router` to its sender.
[[nodiscard]] std::optional<Frame> packet_too_big(BytesView packet, const Ipv6& router, std::uint32_t mtu);

}  // namespace bonus::net::topology
