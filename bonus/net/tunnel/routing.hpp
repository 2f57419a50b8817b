// Cryptokey routing (WireGuard whitepaper, section 2): which peer an inner address belongs to. An exact-match table for
// whole addresses, of which an overlay has many, and a longest-prefix match for the few delegated subnets.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "bonus/net/api/address.hpp"
#include "bonus/net/tunnel/session.hpp"

namespace bonus::net::tunnel {

/// Const members may be called at once from several threads; the rest alone. IPv4 prefixes in their mapped form.
class RoutingTable {
 public:
  explicit RoutingTable(std::size_t max_addresses = 1 << 17, std::size_t max_prefixes = 4096)
      : max_addresses_(max_addresses), max_prefixes_(max_prefixes) {}
  /// Takes the prefix over from whoever had it, as WireGuard does. kExhausted: the table is full.
  [[nodiscard]] Result<> set(const Prefix& prefix, PeerRef peer);
  /// When it is this peer's.
  void erase(const Prefix& prefix, PeerRef peer);
  /// kNoPeer when nobody has it.
  [[nodiscard]] PeerRef find(const Ipv6& address) const;
  [[nodiscard]] PeerRef owner(const Prefix& prefix) const;
  [[nodiscard]] std::size_t size() const { return addresses_.size() + prefixes_; }

 private:
  struct Level {  // one prefix length
    std::uint8_t bits = 0;
    std::unordered_map<Ipv6, PeerRef> routes;
  };
  std::size_t max_addresses_, max_prefixes_, prefixes_ = 0;
  std::unordered_map<Ipv6, PeerRef> addresses_;
  std::vector<Level> levels_;  // longest first; only lengths in use
};

}  // namespace bonus::net::tunnel
