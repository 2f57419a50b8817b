// Addresses of the two worlds: overlay addresses that follow from keys, and UDP endpoints of the underlay
// (docs/formats/net_record.md).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bonus/base/bytes.hpp"

namespace bonus::net {

/// In network byte order. IPv4 is kept as ::ffff:a.b.c.d (RFC 4291, section 2.5.5.2).
using Ipv6 = FixedBytes<16, struct Ipv6Tag>;

/// RFC 5952 text; mapped IPv4 as a dotted quad.
[[nodiscard]] std::string to_string(const Ipv6& address);
/// Both families. kInvalid.
[[nodiscard]] Result<Ipv6> parse_ip(std::string_view text);
[[nodiscard]] bool is_ipv4(const Ipv6& address);
/// fd00::/8, where everything of the overlay lives.
[[nodiscard]] inline bool is_overlay(const Ipv6& address) { return address.bytes[0] == 0xfd; }
/// Loopback, private, link-local, multicast, unspecified, documentation: nothing a stranger may make us send to
/// (RFC 6890).
[[nodiscard]] bool is_global_unicast(const Ipv6& address);

/// An underlay UDP endpoint.
struct UdpEndpoint {
  Ipv6 address;
  std::uint16_t port = 0;
  friend auto operator<=>(const UdpEndpoint&, const UdpEndpoint&) = default;
  [[nodiscard]] bool valid() const { return port != 0 && !address.is_zero(); }
};
/// "192.0.2.1:51820", "[2001:db8::1]:51820".
[[nodiscard]] std::string to_string(const UdpEndpoint& endpoint);
[[nodiscard]] Result<UdpEndpoint> parse_endpoint(std::string_view text);

/// A CIDR prefix. For IPv4 `bits` counts from the mapped form: 10.0.0.0/8 has 104.
struct Prefix {
  Ipv6 address;
  std::uint8_t bits = 128;
  friend auto operator<=>(const Prefix&, const Prefix&) = default;
  [[nodiscard]] bool contains(const Ipv6& ip) const;
};
/// In the family's own notation: "10.0.0.0/8".
[[nodiscard]] std::string to_string(const Prefix& prefix);
/// "10.0.0.0/8", "fd00::/8", a bare address. kInvalid when bits are set below the prefix's length.
[[nodiscard]] Result<Prefix> parse_prefix(std::string_view text);

/// 0xfd || NodeId[0..15) (architecture "Identity").
[[nodiscard]] Ipv6 overlay_address(const NodeId& node);
/// 0xfd || SHA-256("bonus/container/v1" || root key || id)[0..15): an address that only this root key can have.
/// `id`: 1 to 16 bytes.
[[nodiscard]] Ipv6 container_address(const Ed25519PublicKey& root, BytesView id);

}  // namespace bonus::net

template <>
struct std::hash<bonus::net::UdpEndpoint> {
  std::size_t operator()(const bonus::net::UdpEndpoint& e) const noexcept {
    return std::hash<bonus::net::Ipv6>()(e.address) ^ (static_cast<std::size_t>(e.port) * 0x9e3779b97f4a7c15ull);
  }
};
