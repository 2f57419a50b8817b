// A gateway's signed word that an overlay address is used by the holder of a WireGuard key (docs/formats/net_edge.md).
#pragma once

#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::edge {

/// 16 bytes: "edge" and the first twelve of SHA-256("bonus/edge/client/v1" || key). With the gateway's root key it
/// gives the client's address, container_address(root, id): another key is another address.
[[nodiscard]] Bytes client_id(const crypto::X25519Public& key);
[[nodiscard]] Ipv6 client_address(const Ed25519PublicKey& gateway_root, const crypto::X25519Public& key);

struct ClientDelegation {
  Ed25519PublicKey gateway;  ///< Root key.
  crypto::X25519Public client;
  bool exit = false;  ///< May reach the Internet through this gateway.
  UnixSeconds not_before = 0, expires = 0;
  Ed25519Signature signature;

  [[nodiscard]] Ipv6 address() const { return client_address(gateway, client); }
};
inline constexpr std::size_t kClientDelegationBytes = 1 + 32 + 32 + 1 + 8 + 8 + 64;

/// Fills `gateway` and `signature`.
[[nodiscard]] Bytes sign_client(ClientDelegation& delegation, const crypto::Ed25519KeyPair& root);
/// kInvalid: not such a document; kDenied: wrong signature, or `now` is outside its time (five minutes of skew
/// allowed).
[[nodiscard]] Result<ClientDelegation> open_client(BytesView encoded, UnixSeconds now);

}  // namespace bonus::net::edge
