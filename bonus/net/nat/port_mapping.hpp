// One attempt to open or close a port at the home router; blocking, for a pool thread or a helper process.
#pragma once

#include <array>
#include <string>

#include "bonus/net/api/address.hpp"

namespace bonus::net::nat {

/// The way out of a network.
struct Gateway {
  Ipv6 address;
  std::string device;  ///< Needed where the address is of link scope.
};
struct MappingRequest {
  std::uint16_t port = 0;  ///< UDP, of this machine; the same is suggested outside.
  std::uint32_t lifetime_s = 3600;
  std::uint32_t timeout_ms = 3000;       ///< For each protocol.
  std::array<std::uint8_t, 12> nonce{};  ///< Random, the same for the whole life of a mapping (RFC 6887, section 11.2).
  bool pcp = true, nat_pmp = true, upnp = true;
  Ipv6 gateway;  ///< Zero: the default route's.
  std::uint16_t pcp_port = 5351;
  /// Opens the router's IPv6 firewall for the port of an address of this machine instead; by PCP only.
  bool ipv6 = false;
  Ipv6 own;  ///< That address; zero: the stable one that this machine uses on the Internet.
};
struct PortMapping {
  UdpEndpoint external;
  std::string protocol;  ///< "pcp", "nat-pmp", "upnp".
  std::uint32_t lifetime_s = 0;
};
/// Tries the enabled protocols in the order PCP, NAT-PMP, UPnP-IGD. kNotFound: no default route; kUnavailable: no
/// router answered; kDenied: one did, and refused. The message says which did what. With `ipv6`: kNotFound too where
/// this machine has no global IPv6 address.
[[nodiscard]] Result<PortMapping> open_port(const MappingRequest& request);
/// Removes what open_port() has made. Best effort.
[[nodiscard]] Result<> close_port(const MappingRequest& request, const PortMapping& mapping);

/// The default IPv4 gateway in the calling thread's network namespace. kNotFound.
[[nodiscard]] Result<Ipv6> default_gateway();
/// Of a text like /proc/net/route: the gateway of the default route with the lowest metric. kNotFound.
[[nodiscard]] Result<Ipv6> parse_routes(std::string_view text);
/// The same of IPv6: /proc/net/ipv6_route. The router's address is usually of link scope.
[[nodiscard]] Result<Gateway> default_gateway6();
[[nodiscard]] Result<Gateway> parse_routes6(std::string_view text);

}  // namespace bonus::net::nat
