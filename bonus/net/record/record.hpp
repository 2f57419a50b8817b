// The node record: everything that others must know to reach a node, signed by its root key. It certifies itself: who
// withholds it can deny or delay, never impersonate (docs/formats/net_record.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net {

inline constexpr std::size_t kMaxRecordBytes = 1024;
inline constexpr std::size_t kMaxRecordEndpoints = 8, kMaxRecordContainers = 24, kMaxRecordSubnets = 8;
inline constexpr std::size_t kMaxContainerId = 16, kMaxAttribute = 32;

/// The root key's word that a rotatable X25519 key is its tunnel's.
struct TunnelCertificate {
  crypto::X25519Public key;
  UnixSeconds not_before = 0, expires = 0;
  Ed25519Signature signature;
};
[[nodiscard]] TunnelCertificate certify_tunnel_key(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& key,
                                                   UnixSeconds not_before, UnixSeconds expires);
/// Whether `root` gave this certificate and it is valid at `now` (five minutes of skew allowed).
[[nodiscard]] bool certificate_valid(const Ed25519PublicKey& root, const TunnelCertificate& certificate,
                                     UnixSeconds now);

struct RecordEndpoint {
  enum class Kind : std::uint8_t {
    kLocal = 1,     ///< An address of the machine itself.
    kObserved = 2,  ///< What at least two peers saw.
    kMapped = 3,    ///< Opened by UPnP, NAT-PMP, PCP or by hand.
    kRelay = 4,     ///< Through a relay: `relay` names it and `address` is the relay's own endpoint.
    kTls = 5,       ///< TCP port for the TLS fallback (relays only).
  };
  Kind kind = Kind::kLocal;
  UdpEndpoint address;
  crypto::X25519Public relay;  ///< Tunnel key of the relay; zero unless kRelay.
  friend bool operator==(const RecordEndpoint&, const RecordEndpoint&) = default;
};

enum RecordFlag : std::uint32_t {
  kServesDht = 1,  ///< Proven reachable by dial-back; otherwise a client.
  kRelays = 2,     ///< Relays datagrams for who both sides permit.
  kExits = 4,      ///< Forwards to the Internet.
  kGateway = 8,    ///< Accepts stock WireGuard clients.
};

struct NodeRecord {
  Ed25519PublicKey root;
  TunnelCertificate tunnel;
  std::vector<RecordEndpoint> endpoints;
  std::string region, country, isp;  ///< Free text, at most 32 bytes each.
  std::uint32_t asn = 0;
  std::uint8_t tier = 0;          ///< 0 Lite, 1 Normal, 2 Super.
  std::uint32_t flags = 0;        ///< RecordFlag.
  std::vector<Bytes> containers;  ///< Ids; the addresses follow from them and the root key.
  std::vector<Prefix> subnets;    ///< Announced behind this router; others accept them by configuration only.
  std::uint64_t sequence = 0;     ///< The higher one wins.
  UnixSeconds expires = 0;
  Ed25519Signature signature;  ///< Of the encoding without it, prefixed by "bonus/record/v1".

  [[nodiscard]] NodeId id() const { return crypto::node_id(root); }
  [[nodiscard]] Ipv6 address() const { return overlay_address(id()); }
  /// Its own address or that of one of its containers.
  [[nodiscard]] bool owns(const Ipv6& address) const;
  [[nodiscard]] bool has(RecordFlag flag) const { return (flags & flag) != 0; }
};

/// Fills `root` and `signature` and encodes. kInvalid when a bound is exceeded.
[[nodiscard]] Result<Bytes> sign_record(NodeRecord& record, const crypto::Ed25519KeyPair& root);
/// Decodes and checks sizes, both signatures and the times against `now` (five minutes of skew allowed). kInvalid: not
/// a record; kDenied: a signature or time is wrong.
[[nodiscard]] Result<NodeRecord> open_record(BytesView encoded, UnixSeconds now);

/// Where records of an overlay address live in the DHT, before epochs: SHA-256("bonus/addr/v1" || address).
[[nodiscard]] Hash32 address_key(const Ipv6& address);

}  // namespace bonus::net
