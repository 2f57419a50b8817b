// Keys and endpoints of contacts, kept once however many tables (epochs, rings) name them.
#pragma once

#include <cstdint>
#include <unordered_set>
#include <vector>

#include "bonus/net/kad/types.hpp"

namespace bonus::net::kad {

struct Identity {
  crypto::X25519Public key;
  Ed25519PublicKey root;  ///< Proven by a certificate before it is kept here.
  UdpEndpoint endpoint;
  std::uint32_t references = 0;
  std::uint32_t cached_epoch = UINT32_MAX;  ///< Of `cached`: hashing once, not per table.
  Position cached = 0;
};

/// Not thread-safe. Ids are stable while referenced. Simulated nodes share one pool, a real node has its own.
class IdentityPool {
 public:
  using Id = std::uint32_t;
  IdentityPool() : index_(16, Hash{this}, Equal{this}) {}
  IdentityPool(const IdentityPool&) = delete;
  IdentityPool& operator=(const IdentityPool&) = delete;
  /// Adds a reference.
  Id acquire(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint);
  void release(Id id);
  [[nodiscard]] const Identity& operator[](Id id) const { return items_[id]; }
  /// The id of an identity that is kept already; UINT32_MAX otherwise.
  [[nodiscard]] Id find(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint);
  /// Position in the global ring; computed once an epoch.
  [[nodiscard]] Position position(Id id, std::uint32_t epoch, const Hash32& beacon, const Checker& checker);
  [[nodiscard]] std::size_t size() const { return index_.size(); }
  [[nodiscard]] std::size_t memory_bytes() const;

 private:
  static constexpr Id kProbe = UINT32_MAX;
  [[nodiscard]] const Identity& at(Id id) const { return id == kProbe ? probe_ : items_[id]; }
  struct Hash {
    const IdentityPool* pool;
    std::size_t operator()(Id id) const {
      const auto& one = pool->at(id);
      return std::hash<crypto::X25519Public>()(one.key) ^ std::hash<UdpEndpoint>()(one.endpoint);
    }
  };
  struct Equal {
    const IdentityPool* pool;
    bool operator()(Id a, Id b) const {
      if (a == b) return true;
      const auto &x = pool->at(a), &y = pool->at(b);
      return x.key == y.key && x.endpoint == y.endpoint && x.root == y.root;
    }
  };
  Identity probe_;  // what is being looked for
  std::vector<Identity> items_;
  std::vector<Id> free_;
  std::unordered_set<Id, Hash, Equal> index_;
};

}  // namespace bonus::net::kad
