// DNS rebinding: an answer from outside must not lead a browser into the overlay (docs/formats/net_names.md).
#pragma once

#include "bonus/net/dns/message.hpp"

namespace bonus::net::dns {

/// True when a record of any section carries an address of fd00::/8: AAAA, or an ipv6hint of SVCB/HTTPS (RFC 9460). A
/// service record that cannot be read counts as one that does.
[[nodiscard]] bool names_overlay(const Message& message);

}  // namespace bonus::net::dns
