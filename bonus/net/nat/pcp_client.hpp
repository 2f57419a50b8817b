// One question to a PCP server: RFC 6887, sections 8.1 and 11; IPv6 pinholes are MAP requests whose internal address is
// an IPv6 address (section 11, "firewall control").
#pragma once

#include "bonus/net/nat/port_mapping.hpp"

namespace bonus::net::nat {

/// Where PCP is spoken.
struct PcpServer {
  Gateway router;
  /// IPv6: the address of ours that the request is about. A server opens only what the request comes from.
  Ipv6 own;
};
/// Blocking. `suggested`: the external endpoint; IPv6: our own. kUnavailable: nobody answered; kDenied: refused.
[[nodiscard]] Result<PortMapping> pcp_map(const MappingRequest& request, const PcpServer& server,
                                          std::uint32_t lifetime_s, const UdpEndpoint& suggested);

}  // namespace bonus::net::nat
