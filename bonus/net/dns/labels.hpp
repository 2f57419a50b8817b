// Names that follow from numbers: base32 of node ids and the reverse tree of addresses. Pure, no trust needed.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "bonus/net/api/address.hpp"

namespace bonus::net::dns {

inline constexpr std::size_t kNodeLabelChars = 52;

/// RFC 4648 base32, lower case, without padding: 52 characters.
[[nodiscard]] std::string node_label(const NodeId& id);
/// Both cases. Nothing unless it is the one encoding of 32 bytes (the four bits left over must be zero).
[[nodiscard]] std::optional<NodeId> parse_node_label(std::string_view label);
/// "<label>.bonus".
[[nodiscard]] std::string node_name(const NodeId& id);

/// "lease-<id>": the decimal id without leading zeros.
[[nodiscard]] std::optional<std::uint64_t> parse_lease_label(std::string_view label);

/// 1 to 63 of a-z, 0-9 and '-', no '-' at either end: what a lease may be called, and a little more than what may be
/// registered on chain (chain::names::check_name).
[[nodiscard]] bool is_host_label(std::string_view label);

/// "<32 nibbles>.ip6.arpa" (RFC 3596, section 2.5), or "d.c.b.a.in-addr.arpa" for a mapped IPv4.
[[nodiscard]] std::string reverse_name(const Ipv6& address);
/// The address of a complete ip6.arpa name, without final dot, both cases.
[[nodiscard]] std::optional<Ipv6> parse_reverse_name(std::string_view name);

}  // namespace bonus::net::dns
