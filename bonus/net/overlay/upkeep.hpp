// Decisions of the overlay's shell that need no shell: when our record is signed anew, which relays may become ours,
// for whom a link speaks, what is metered, when a handshake is tried again (docs/formats/net_path.md, net_record.md).
#pragma once

#include <map>
#include <optional>
#include <vector>

#include "bonus/net/overlay/book.hpp"

namespace bonus::net::overlay {

inline constexpr UnixSeconds kRecordLifeSeconds = 24 * 3600, kRecordRenewalSeconds = 6 * 3600;
inline constexpr UnixSeconds kCertificateLife = 365 * 24 * 3600, kCertificateRenewal = 30 * 24 * 3600;

/// By the wall clock, whichever way it went: a machine that slept has a record that is old or over, one whose clock was
/// wrong a record of another time.
[[nodiscard]] bool record_due(const NodeRecord& own, UnixSeconds now);
[[nodiscard]] bool certificate_due(const TunnelCertificate& own, UnixSeconds now);

/// At most `limit` of the known nodes that relay: those that `trusted` names (configured, on the chain) first, then
/// those that are ours already, then the others in the book's order, which strangers can change.
[[nodiscard]] std::vector<NodeRecord> choose_relays(const std::vector<const KnownNode*>& known,
                                                    const std::map<Ed25519PublicKey, UdpEndpoint>& trusted,
                                                    const std::vector<RecordEndpoint>& own_endpoints,
                                                    const Ed25519PublicKey& self, std::size_t limit);

/// Whom a relay publishes for, by link: one node on each, as long as it stands.
class LinkClients {
 public:
  /// Whose record is to be withdrawn, as the link speaks for another node from now on.
  [[nodiscard]] std::optional<Ed25519PublicKey> set(std::uint32_t via, const Ed25519PublicKey& root);
  /// Whose record is to be withdrawn as the link is gone; nothing if another link speaks for it.
  [[nodiscard]] std::optional<Ed25519PublicKey> gone(std::uint32_t via);
  [[nodiscard]] std::size_t size() const { return roots_.size(); }

 private:
  std::map<std::uint32_t, Ed25519PublicKey> roots_;
};

/// Bytes and packets that were relayed for pairs of nodes. Of the most that are kept the smallest goes, so that who
/// makes up many pairs does not hide what he has carried.
class Carried {
 public:
  using Pair = std::pair<NodeId, NodeId>;
  struct Sum {
    std::uint64_t bytes = 0, packets = 0;
  };
  explicit Carried(std::size_t limit = 4096) : limit_(limit) {}
  void add(const Pair& pair, std::uint64_t bytes, std::uint64_t packets);
  [[nodiscard]] const std::map<Pair, Sum>& all() const { return sums_; }
  [[nodiscard]] const Sum& forgotten() const { return forgotten_; }

 private:
  std::size_t limit_;
  std::map<Pair, Sum> sums_;
  Sum forgotten_;
};

/// Initiations of a first contact that were lost are sent again after a few round trips instead of WireGuard's five
/// seconds: once when the path was proven after they were sent, and twice more while no answer comes. Not thread-safe.
class HandshakeWatch {
 public:
  explicit HandshakeWatch(std::size_t limit) : limit_(limit) {}
  struct Check {
    crypto::X25519Public peer;
    Instant sent_before;  ///< An initiation that was sent earlier and has no answer is lost.
    Duration pause{};
    int left = 0;
  };
  void proven(const crypto::X25519Public& peer, Duration rtt, Instant now);
  [[nodiscard]] std::optional<Check> take(Instant now);
  /// Still no answer: looks again later, twice.
  void again(Check check, Instant now);
  [[nodiscard]] std::optional<Instant> next() const;

 private:
  std::size_t limit_;
  std::multimap<Instant, Check> checks_;
};

}  // namespace bonus::net::overlay
