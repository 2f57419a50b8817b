// The DHT's core: Kademlia with physical distance (design/net.md, docs/formats/net_dht.md). Sans-I/O: payloads, timers
// and requests go in, actions come out.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "bonus/net/kad/types.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::kad {

/// Not thread-safe: one strand drives it. Every call that may have something to send or to report appends to
/// `actions`; afterwards the caller reads next_timer() again. Collaborators must outlive it. Nothing that a peer sends
/// makes it fail, grow without bound or answer with more bytes than it got before the peer's address is proven.
class Kad {
 public:
  /// `unix_now` is the wall clock at `now`: it tells the epoch and the age of signatures.
  Kad(Config config, runtime::Random& random, const Checker& checker, Instant now, UnixSeconds unix_now);
  ~Kad();
  Kad(const Kad&) = delete;
  Kad& operator=(const Kad&) = delete;

  /// First contacts: asked who they are, then searched for our own position. May be called again at any time, e.g. when
  /// the table has run empty. `id` of a contact, where known, is checked against the certificate it shows.
  struct Seed {
    crypto::X25519Public key;
    UdpEndpoint endpoint;
    std::optional<NodeId> id;
  };
  void bootstrap(std::span<const Seed> seeds, Instant now, Actions& actions);

  /// `from` was authenticated by opening the datagram, `endpoint` is its source. kInvalid: malformed. kDenied: against
  /// a rule. Both are counted; the caller may ignore them.
  Result<> on_payload(const crypto::X25519Public& from, const UdpEndpoint& endpoint, BytesView payload, Instant now,
                      Actions& actions);
  void on_timer(Instant now, Actions& actions);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  /// The wall clock was set or drifted.
  void set_wall_clock(Instant now, UnixSeconds unix_now);
  /// A renewed certificate, or another tunnel key.
  void set_certificate(const TunnelCertificate& certificate);

  /// Publishes under the address of the node and those of its containers, now and every `republish`; replaces the one
  /// before. kInvalid, kDenied: the checker refuses it or it is another node's.
  Result<> set_own_record(Bytes record, Instant now, Actions& actions);
  /// Ends publishing; what is stored expires.
  void clear_own_record();
  /// Publishes pointers to this node under the addresses of these containers, which the record has no room for;
  /// replaces those before. They go out one after the other and again in turn, at most one a second. kInvalid: an id.
  /// kExhausted: more than kMaxPointers.
  Result<> set_own_pointers(std::span<const Bytes> containers, Instant now, Actions& actions);
  /// Publishes the record of a node that cannot do it itself: a relay for a client whose network blocks UDP. A newer
  /// record replaces the one before. kExhausted above kMaxProxied keys.
  Result<> publish_for(Bytes record, Instant now, Actions& actions);
  void withdraw_for(const Ed25519PublicKey& root);
  static constexpr std::size_t kMaxProxied = 1024;

  /// Exactly one LookupDone follows, at once if the answer is here. kExhausted: too many lookups are under way.
  Result<LookupId> lookup(const Hash32& key, LookupKind kind, Instant now, Actions& actions);
  /// The record of who has this overlay address, or a pointer to that node: rings 2, 1, 0 in turn.
  Result<LookupId> find_address(const Ipv6& address, Instant now, Actions& actions);
  /// Stores on the closest nodes and again every `republish` until it is replaced by a higher sequence or withdrawn.
  /// kInvalid, kDenied (signature), kConflict (a higher sequence is being published), kExhausted (64 values).
  Result<LookupId> put_value(const SignedValue& value, Instant now, Actions& actions);
  void withdraw_value(const Hash32& value_key);
  Result<LookupId> get_value(const Ed25519PublicKey& key, BytesView salt, Instant now, Actions& actions);
  /// No LookupDone will follow.
  void cancel(LookupId id);

  /// Somebody else measured the way to this node (a tunnel's handshake, a path probe).
  void on_contact_rtt(const crypto::X25519Public& key, Duration rtt, Instant now);
  /// Estimated by coordinates or measured; nothing when the node is unknown.
  [[nodiscard]] std::optional<Duration> rtt_of(const crypto::X25519Public& key) const;
  /// Puts a contact into the tables as if its certificate had been checked and its RTT measured: warm starts of
  /// simulations and contacts saved from an earlier run of ours. Refused entries return false.
  bool restore(const Contact& contact, const Ed25519PublicKey& root, Duration rtt, const Coordinate& coordinate,
               Instant now);
  void set_coordinate(const Coordinate& coordinate);
  /// Does one refresh of every bucket now instead of spreading it over the period.
  void refresh_now(Instant now, Actions& actions);

  [[nodiscard]] Status status(Instant now) const;
  [[nodiscard]] const Stats& stats() const;
  [[nodiscard]] std::vector<TableEntry> table(Instant now) const;
  /// The record held for this overlay address, if any.
  [[nodiscard]] std::optional<Bytes> held_record(const Ipv6& address) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Where a key lives in an epoch and ring: SHA-256("bonus/dht-key/v1" || key || epoch || beacon || ring || ring id).
[[nodiscard]] Hash32 key_at(const Hash32& key, std::uint64_t epoch, const Hash32& beacon, Ring ring = Ring::kGlobal,
                            std::uint64_t ring_id = 0);
/// Where a node of this root key stands: the head of key_at() of its own address. A node is thus the closest to its own
/// record, and whoever has it in a table can name it to who looks the record up.
[[nodiscard]] Position position_of(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon,
                                   Ring ring = Ring::kGlobal, std::uint64_t ring_id = 0);

}  // namespace bonus::net::kad
