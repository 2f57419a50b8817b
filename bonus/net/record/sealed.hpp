// BonusNet datagrams: everything on the UDP socket that is not WireGuard. Sealed between two tunnel keys by their
// static-static secret (docs/formats/net_datagram.md): the sender is known before any content is looked at.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <unordered_map>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net {

/// First byte of a sealed datagram (0xB0..0xBF); the kind is authenticated with the rest. WireGuard has 1 to 4.
enum class DatagramKind : std::uint8_t {
  kDht = 0xB0,      ///< net/kad
  kPath = 0xB1,     ///< net/nat: probes, punching, observed addresses
  kRelay = 0xB2,    ///< net/nat: control of relays (sealed)
  kRelayed = 0xB3,  ///< net/nat: a datagram carried by a relay (not sealed: the payload is)
  kContact = 0xB4,  ///< net/overlay: first contact, sealed to the X25519 form of the root key
};
/// kind 1, sender's tunnel key 32, nonce 24, tag 16.
inline constexpr std::size_t kSealOverhead = 1 + 32 + 24 + 16;
inline constexpr std::size_t kMaxDatagram = 1232;  ///< Control datagrams fit the smallest IPv6 path: 1280 - 48.

/// Not thread-safe. Shared secrets of the last `cache` peers are kept: one X25519 a peer, not a datagram.
class Sealer {
 public:
  Sealer(const crypto::X25519Secret& secret, runtime::Random& random, std::size_t cache = 4096);
  ~Sealer();
  Sealer(const Sealer&) = delete;
  Sealer& operator=(const Sealer&) = delete;
  [[nodiscard]] const crypto::X25519Public& public_key() const { return public_; }

  /// XChaCha20-Poly1305; kind and sender are associated data. kInvalid: the peer's key is a low-order point.
  [[nodiscard]] Result<Bytes> seal(DatagramKind kind, const crypto::X25519Public& to, BytesView payload);
  struct Opened {
    DatagramKind kind = DatagramKind::kDht;
    crypto::X25519Public from;
    Bytes payload;
  };
  /// kCorrupt. Costs an X25519 for a sender not in the cache: limit strangers before (PrefixLimiter). Who has not
  /// sealed anything for us does not get into the cache.
  [[nodiscard]] Result<Opened> open(BytesView datagram);
  /// Whether opening a datagram costs no key agreement.
  [[nodiscard]] bool knows(BytesView datagram) const;

 private:
  struct Entry {
    crypto::X25519Public peer;
    Hash32 key;
  };
  /// The key and whether it was in the cache.
  [[nodiscard]] Result<std::pair<Hash32, bool>> key_for(const crypto::X25519Public& peer);
  void remember(const crypto::X25519Public& peer, const Hash32& key);
  crypto::X25519Secret secret_;
  crypto::X25519Public public_;
  runtime::Random& random_;
  std::size_t limit_;
  std::list<Entry> recent_;  // newest first
  std::unordered_map<crypto::X25519Public, std::list<Entry>::iterator> index_;
};

/// Token buckets per /24 (IPv4) or /56 (IPv6) of the underlay, for work that a stranger can cause. Not thread-safe;
/// holds at most `max_prefixes`, the least recently used goes.
class PrefixLimiter {
 public:
  PrefixLimiter(double per_second, double burst, std::size_t max_prefixes = 8192);
  /// Takes a token; false: refuse the work.
  [[nodiscard]] bool allow(const Ipv6& from, Instant now);

 private:
  struct Bucket {
    Ipv6 prefix;
    double tokens = 0;
    Instant at;
  };
  double rate_, burst_;
  std::size_t limit_;
  std::list<Bucket> recent_;
  std::unordered_map<Ipv6, std::list<Bucket>::iterator> index_;
};
/// The /24 or /56 (v6) that an underlay address is counted under.
[[nodiscard]] Ipv6 rate_prefix(const Ipv6& address);

}  // namespace bonus::net
