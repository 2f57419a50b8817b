// Sets of prefixes as nftables wants them.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "bonus/net/api/address.hpp"

namespace bonus::net::host {

[[nodiscard]] Ipv6 mapped_ipv4(const std::array<std::uint8_t, 4>& bytes);
/// Bits below the length cleared.
[[nodiscard]] Prefix masked(Prefix prefix);
/// Where an exit leads nobody: special-purpose IPv4 networks (RFC 6890), and IPv6 ones that wrap them.
[[nodiscard]] const std::vector<Prefix>& private_prefixes();
/// "{ a, b }" of one family, sorted, without what others contain; empty when there is none.
[[nodiscard]] std::string nft_set(const std::vector<Prefix>& prefixes, bool ipv4);

}  // namespace bonus::net::host
