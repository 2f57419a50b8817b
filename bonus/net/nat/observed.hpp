// What peers say our address looks like from outside, and what kind of NAT follows from it.
#pragma once

#include <map>
#include <vector>

#include "bonus/net/nat/path_manager.hpp"

namespace bonus::net::nat {

/// Not thread-safe. Bounded; words older than ten minutes are forgotten.
class Observer {
 public:
  void set_local(std::vector<PathManager::LocalAddress> addresses, std::uint16_t port);
  /// `peer`, whose own address is `from`, saw the main socket as `seen`.
  void add(const crypto::X25519Public& peer, const Ipv6& from, const UdpEndpoint& seen, Instant now);
  void forget_all() { words_.clear(); }
  void expire(Instant now);
  /// Endpoints that peers in at least two networks agree on, those with most words first.
  [[nodiscard]] std::vector<UdpEndpoint> agreed() const;
  [[nodiscard]] NatKind kind() const;
  /// An address of an interface network of ours.
  [[nodiscard]] bool same_lan(const Ipv6& address) const;
  [[nodiscard]] bool is_own(const UdpEndpoint& endpoint) const;
  [[nodiscard]] const std::vector<PathManager::LocalAddress>& local() const { return local_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }

 private:
  struct Word {
    Ipv6 network;  // of who says so: /24, or /56 of IPv6
    UdpEndpoint seen;
    Instant at;
  };
  std::vector<PathManager::LocalAddress> local_;
  std::uint16_t port_ = 0;
  std::map<crypto::X25519Public, Word> words_;
};

}  // namespace bonus::net::nat
