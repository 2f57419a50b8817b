// The path manager: finds and keeps the best path to every wanted peer (design "Paths and NAT"; formats in
// docs/formats/net_path.md). One per node; owns the relay client, and the relay server of a node that relays.
//
// Life of a path: connect() probes the peer's published endpoints, asks a rendezvous that both know to introduce the
// two (each then opens its own NAT by probing the other), and opens a channel at one of the peer's relays. The first
// path that answers is announced; a better one replaces it only when it is clearly better, so it never flaps.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bonus/net/nat/actions.hpp"
#include "bonus/net/nat/relay.hpp"
#include "bonus/net/record/record.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::nat {

struct PathOptions {
  bool allow_private = false;          ///< Probe private and loopback addresses of strangers too: test networks.
  std::size_t max_peers = 1024;        ///< Wanted and passive peers together; wanted ones are never evicted.
  std::size_t home_relays = 2;         ///< Kept registered while nobody has proven us reachable; 0 for phones.
  std::size_t birthday_sockets = 256;  ///< 0: never; symmetric NATs are then crossed by relays only.
  bool probe_mtu = true;
  std::uint16_t max_mtu = 8920;
  Duration keepalive = std::chrono::seconds(20);  ///< Home relays and active peers. Under common NAT timeouts of 30 s.
  Duration active_for = std::chrono::seconds(120);  ///< A peer counts as active so long after its last traffic.
  std::optional<RelayLimits> relay;                 ///< Set: this node relays for others.
  /// Whether to take a relayed channel that this node asks for; unset: yes.
  std::function<bool(const NodeRecord&)> accept_relayed;
};

/// Not thread-safe; no clock, no I/O. `now` never goes back. `wall` serves expiry dates only.
class PathManager {
 public:
  PathManager(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
              const runtime::Clock& wall, PathOptions options);
  ~PathManager();
  PathManager(const PathManager&) = delete;
  PathManager& operator=(const PathManager&) = delete;

  /// Our own signed record, given to peers with the first probe. Call again whenever it changes.
  void set_self(BytesView record);
  /// Addresses of the machine's interfaces with their prefixes, and the port of the main socket. A change makes every
  /// active path be probed at once (roaming).
  struct LocalAddress {
    Ipv6 address;
    std::uint8_t bits = 128;  ///< As Prefix: for IPv4 counted from the mapped form.
  };
  void set_local_addresses(std::vector<LocalAddress> addresses, std::uint16_t port, Instant now, Actions& out);
  /// An external endpoint that a port mapper opened (or an operator configured), and its end.
  void add_mapping(const UdpEndpoint& external, Actions& out);
  void remove_mapping(const UdpEndpoint& external, Actions& out);
  /// Relays that may serve as home: records with kRelays, best first. Bounded to 16.
  void set_relays(std::vector<NodeRecord> relays, Instant now, Actions& out);
  /// Proven by dial-back (net/kad): no home relay is needed.
  void set_reachable(bool reachable, Instant now, Actions& out);

  /// Wants a path to this peer; again with a newer record. kExhausted when the table is full of wanted peers; kInvalid
  /// for ourselves. `at_once`: traffic of our own waits, so the first probe of an unproven endpoint brings our record.
  [[nodiscard]] Result<> connect(const NodeRecord& record, Instant now, Actions& out, bool at_once = false);
  /// The DHT says that the node which traffic of ours waits for has this key and is there; its record is not here yet.
  /// One probe with our record asks for it, few small ones follow. Whether it is the right node, its record tells.
  void meet(const crypto::X25519Public& peer, const UdpEndpoint& endpoint, Instant now, Actions& out);
  void forget(const crypto::X25519Public& peer, Actions& out);

  /// An opened kPath or kRelay payload. A link or socket is always named by the same PathEndpoint. `path` says where it
  /// came in: for a datagram out of a relay channel what on_relayed() returned, for an extra socket or a TLS link its
  /// `via`.
  void on_payload(DatagramKind kind, const crypto::X25519Public& from, const PathEndpoint& path, BytesView payload,
                  Instant now, Actions& out);
  /// Tunnel or DHT traffic with the peer: `received` was authenticated and came on its current path. At most a few
  /// times a second are needed.
  void on_traffic(const crypto::X25519Public& peer, bool received, Instant now, Actions& out);
  void on_timer(Instant now, Actions& out);
  [[nodiscard]] std::optional<Instant> next_timer() const;

  /// A kRelayed frame from `from` (main socket or TLS link).
  struct Relayed {
    enum class What : std::uint8_t {
      kDrop,
      kForward,  ///< We relay: send `frame`, whose token was rewritten, to `path`.
      kDeliver,  ///< For us: handle `inner` as a datagram that came on `path`.
    } what = What::kDrop;
    PathEndpoint path;
    BytesView inner;
  };
  [[nodiscard]] Relayed on_relayed(std::span<std::uint8_t> frame, const PathEndpoint& from, Instant now);
  /// For a path with is_channel(via): the header that goes before the datagram, and where the whole goes (main socket
  /// or TLS link). Nothing: the channel is closed.
  [[nodiscard]] std::optional<PathEndpoint> wrap(const PathEndpoint& path,
                                                 std::span<std::uint8_t, kRelayHeader> header) const;

  /// A link that was wanted is up (`via` = kViaLink | n; `root` is the key of its certificate) or gone. Links that a
  /// relay accepts need no report but their end.
  void link_up(const crypto::X25519Public& relay, const PathEndpoint& link, const Ed25519PublicKey& root, Instant now,
               Actions& out);
  void link_down(std::uint32_t via, Instant now, Actions& out);

  /// What our record should list: local, observed, mapped, home relays; best first, at most kMaxRecordEndpoints.
  [[nodiscard]] std::vector<RecordEndpoint> endpoints() const;
  [[nodiscard]] NatKind nat_kind() const;
  /// Seen by at least two peers of different networks; the most trusted first.
  [[nodiscard]] std::vector<UdpEndpoint> observed() const;
  struct PeerStatus {
    crypto::X25519Public peer;
    bool wanted = false;
    std::optional<Actions::PathChanged> path;
    std::size_t candidates = 0;
    std::uint64_t switches = 0;  ///< Changes of the path since the peer is known.
    double loss = 0;             ///< Of the last 32 probes on the path.
  };
  [[nodiscard]] std::vector<PeerStatus> peers() const;
  [[nodiscard]] std::optional<Actions::PathChanged> path(const crypto::X25519Public& peer) const;
  [[nodiscard]] RelayServer* relay_server();  ///< Null unless this node relays.

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::net::nat
