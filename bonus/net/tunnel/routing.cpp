// Cryptokey routing.
#include "bonus/net/tunnel/routing.hpp"

#include <fmt/format.h>

namespace bonus::net::tunnel {
namespace {

constexpr std::uint8_t kMappedBits = 96;

Ipv6 masked(const Ipv6& address, std::uint8_t bits) {
  Ipv6 out = address;
  const std::size_t whole = bits / 8u;
  if (whole < 16) {
    out.bytes[whole] &= static_cast<std::uint8_t>(0xff00u >> (bits % 8u));
    for (std::size_t i = whole + 1; i < 16; ++i) out.bytes[i] = 0;
  }
  return out;
}

}  // namespace

Result<> RoutingTable::set(const Prefix& prefix, PeerRef peer) {
  if (prefix.bits > 128) return fail(ErrorCode::kInvalid, "a prefix has at most 128 bits");
  if (prefix.bits == 128) {
    if (addresses_.size() >= max_addresses_ && !addresses_.contains(prefix.address)) {
      return fail(ErrorCode::kExhausted,
                  fmt::format("the tunnel routes {} addresses and takes no more", max_addresses_));
    }
    addresses_[prefix.address] = peer;
    return {};
  }
  const auto at = std::ranges::lower_bound(levels_, prefix.bits, std::greater<>(), &Level::bits);
  const bool has_level = at != levels_.end() && at->bits == prefix.bits;
  const Ipv6 key = masked(prefix.address, prefix.bits);
  if (prefixes_ >= max_prefixes_ && !(has_level && at->routes.contains(key))) {
    return fail(ErrorCode::kExhausted, fmt::format("the tunnel routes {} subnets and takes no more", max_prefixes_));
  }
  Level& level = has_level ? *at : *levels_.insert(at, Level{prefix.bits, {}});
  if (level.routes.insert_or_assign(key, peer).second) ++prefixes_;
  return {};
}

void RoutingTable::erase(const Prefix& prefix, PeerRef peer) {
  if (prefix.bits >= 128) {
    const auto found = addresses_.find(prefix.address);
    if (found != addresses_.end() && found->second == peer) addresses_.erase(found);
    return;
  }
  const auto at = std::ranges::lower_bound(levels_, prefix.bits, std::greater<>(), &Level::bits);
  if (at == levels_.end() || at->bits != prefix.bits) return;
  const auto found = at->routes.find(masked(prefix.address, prefix.bits));
  if (found == at->routes.end() || found->second != peer) return;
  at->routes.erase(found);
  --prefixes_;
  if (at->routes.empty()) levels_.erase(at);
}

PeerRef RoutingTable::find(const Ipv6& address) const {
  if (const auto found = addresses_.find(address); found != addresses_.end()) return found->second;
  const bool v4 = is_ipv4(address);
  for (const Level& level : levels_) {
    if (v4 && level.bits < kMappedBits) break;  // ::/0 is no route for IPv4
    if (const auto found = level.routes.find(masked(address, level.bits)); found != level.routes.end()) {
      return found->second;
    }
  }
  return kNoPeer;
}

PeerRef RoutingTable::owner(const Prefix& prefix) const {
  if (prefix.bits >= 128) {
    const auto found = addresses_.find(prefix.address);
    return found == addresses_.end() ? kNoPeer : found->second;
  }
  const auto at = std::ranges::lower_bound(levels_, prefix.bits, std::greater<>(), &Level::bits);
  if (at == levels_.end() || at->bits != prefix.bits) return kNoPeer;
  const auto found = at->routes.find(masked(prefix.address, prefix.bits));
  return found == at->routes.end() ? kNoPeer : found->second;
}

}  // namespace bonus::net::tunnel
