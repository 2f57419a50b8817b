// A WireGuard device without I/O: peers, handshakes, timers and sessions (WireGuard whitepaper, sections 2 and 5 to 6;
// docs/formats/net_tunnel.md). A shell moves its datagrams and lends it a clock.
#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>
#include <variant>
#include <vector>

#include "bonus/net/record/sealed.hpp"
#include "bonus/net/tunnel/cookie_limit.hpp"
#include "bonus/net/tunnel/noise.hpp"
#include "bonus/net/tunnel/routing.hpp"
#include "bonus/net/tunnel/session.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::tunnel {

struct DeviceOptions {
  enum class Roam : std::uint8_t {
    kFollow,  ///< The authenticated source becomes the peer's endpoint: WireGuard's behaviour.
    kReport,  ///< Only EndpointSeen is raised; a path manager calls set_endpoint.
  };
  Roam roam = Roam::kFollow;
  /// Unknown keys and destinations raise UnknownInitiator and UnknownDestination instead of being dropped.
  bool discover = false;

  std::size_t max_peers = 65536;
  std::size_t max_sessions = 65536;          ///< Of all peers together; a peer has up to three.
  std::size_t max_queued_packets = 128;      ///< A peer, waiting for a session; the oldest goes.
  std::size_t max_queued_bytes = 16u << 20;  ///< Of all peers and unknown destinations together.
  std::size_t max_unknown_destinations = 256, max_packets_per_unknown = 16;
  std::size_t max_unknown_initiators = 1024;
  Duration unknown_hold = std::chrono::seconds(5);

  /// Handshakes by an underlay prefix (/24, /56), before any key agreement.
  double handshakes_per_prefix = 200, handshake_burst_per_prefix = 400;
  /// Key agreements for initiations, all sources together. When messages come faster for half a burst, the device is
  /// under load: who has no cookie gets one and nothing else.
  double initiations_per_second = 4000, initiation_burst = 1000;
  /// Cookie replies: each prefix its own, and what these leave of the rate for all to anyone (CookieLimit).
  double cookies_per_prefix = 16, cookie_burst_per_prefix = 40, cookies_per_second = 5000;

  std::uint64_t rekey_after_messages = kRekeyAfterMessages, reject_after_messages = kRejectAfterMessages;
};

struct PeerConfig {
  crypto::X25519Public key;
  Hash32 preshared_key;         ///< Zero: none.
  std::vector<Prefix> allowed;  ///< Inner addresses that are the peer's.
  std::optional<Endpoint> endpoint;
  std::uint16_t keepalive_s = 0;  ///< Persistent keepalive; 0: off.
};

struct SendDatagram {
  Endpoint to;
  Bytes bytes;
};
/// An authenticated packet came from elsewhere than the peer's endpoint (with Roam::kFollow it was moved there).
struct EndpointSeen {
  PeerRef peer;
  Endpoint endpoint;
};
/// A packet waits for a destination of the overlay (is_overlay) that no peer owns. Add the owner within
/// DeviceOptions::unknown_hold.
struct UnknownDestination {
  Ipv6 destination;
};
/// An initiation by a key that is no peer. Add the peer within DeviceOptions::unknown_hold and it is answered.
/// It holds the key; whether the message is fresh or a recorded one is not known yet.
struct UnknownInitiator {
  crypto::X25519Public key;
  Endpoint endpoint;
};
/// No answer for kRekeyAttemptTime; what was queued is dropped. The next packet starts anew.
struct HandshakeFailed {
  PeerRef peer;
};
using Event = std::variant<EndpointSeen, UnknownDestination, UnknownInitiator, HandshakeFailed>;

/// What the shell has to do after a call; appended to.
struct Actions {
  std::vector<SendDatagram> send;
  std::vector<PeerRef> ready;  ///< The peer has a session to send on: send_queued(take_queued(peer)).
  std::vector<Event> events;
  void clear() { send.clear(), ready.clear(), events.clear(); }
  [[nodiscard]] bool empty() const { return send.empty() && ready.empty() && events.empty(); }
};

/// What a packet is sent with.
struct Route {
  std::shared_ptr<Session> session;
  Endpoint endpoint;
  PeerRef peer = kNoPeer;
};

struct PeerInfo {
  PeerRef peer = kNoPeer;
  crypto::X25519Public key;
  bool has_preshared_key = false;
  std::optional<Endpoint> endpoint;
  std::vector<Prefix> allowed;
  std::uint16_t keepalive_s = 0;
  std::optional<Instant> last_handshake;
  bool has_session = false, initiating = false;
  std::uint64_t sent_bytes = 0, received_bytes = 0, sent_packets = 0, received_packets = 0;
  std::size_t queued_packets = 0;
};

/// Since the start; all of them only grow.
struct DeviceCounters {
  std::uint64_t initiations_sent = 0, initiations_received = 0, responses_sent = 0, responses_received = 0;
  std::uint64_t cookies_sent = 0, cookies_received = 0, keepalives_sent = 0;
  std::uint64_t handshakes_completed = 0, handshakes_failed = 0;
  std::uint64_t dropped_malformed = 0;       ///< Not a handshake message of the right size.
  std::uint64_t dropped_mac = 0;             ///< mac1 is wrong.
  std::uint64_t dropped_rate = 0;            ///< By the limits per prefix, in all, or per peer.
  std::uint64_t dropped_authentication = 0;  ///< Does not decrypt, or answers nothing that we asked.
  std::uint64_t dropped_replay = 0;          ///< A timestamp not above the peer's greatest.
  std::uint64_t dropped_unknown_key = 0;
  std::uint64_t dropped_no_route = 0, dropped_queue = 0, dropped_table_full = 0;
  std::uint64_t key_agreements = 0;  ///< X25519 operations caused by received messages.
  std::uint64_t sessions_evicted = 0;
};

/// Not thread-safe; the shell locks it. Const members may run at once with each other (a shared lock). Between calls
/// the data path may keep Routes and Sessions without the lock as long as version() stays the same.
class Device {
 public:
  /// `wall_ms`: the wall clock at `now`. Timestamps of initiations follow from it and from later `now`s, so that a wall
  /// clock set back cannot lock us out of our peers.
  Device(const crypto::X25519Secret& secret, const DeviceOptions& options, runtime::Random& random, Instant now,
         UnixMillis wall_ms);
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const crypto::X25519Public& public_key() const { return identity_.public_key; }
  /// The wall clock again: a machine without a battery starts in the past and is set right later, while its peers
  /// remember later timestamps. Only ever moves ours ahead.
  void note_wall_clock(Instant now, UnixMillis wall_ms);
  /// Sessions and half-done handshakes end. A peer with the same key as ours is removed.
  void set_private_key(const crypto::X25519Secret& secret, Instant now);

  /// Adds the peer, or changes the one with this key: preshared key, allowed addresses (replaced) and keepalive; the
  /// endpoint when one is given. Releases what waited for it. kInvalid: our own key, a low-order point; kExhausted: a
  /// table is full.
  [[nodiscard]] Result<PeerRef> set_peer(const PeerConfig& config, Instant now, Actions& actions);
  void remove_peer(PeerRef peer);
  /// Adds one address, or takes one away. kNotFound: no such peer; kExhausted.
  [[nodiscard]] Result<> allow(PeerRef peer, const Prefix& prefix, Instant now, Actions& actions);
  void disallow(PeerRef peer, const Prefix& prefix);
  /// Without a local address: the one that the peer's packets from there came to, or the system's choice.
  void set_endpoint(PeerRef peer, const Endpoint& endpoint, Instant now, Actions& actions);
  /// The own address is gone: who was sent to from it is sent to by the system's choice, until packets of it come
  /// again.
  void forget_local(const Ipv6& address);
  [[nodiscard]] PeerRef find_peer(const crypto::X25519Public& key) const;
  [[nodiscard]] std::optional<PeerInfo> info(PeerRef peer) const;
  [[nodiscard]] std::vector<PeerRef> peers() const;  ///< In order of adding.

  /// Handshake messages and cookie replies (types 1 to 3) from anyone. Never throws on any bytes.
  void on_handshake_datagram(const Endpoint& from, BytesView datagram, Instant now, Actions& actions);
  /// The shell's own judgement (CPU, receive queue): initiations and responses need a cookie then.
  void set_under_load(bool under_load) { under_load_ = under_load; }

  // The data path.
  /// Changes whenever a Route or the owner of an address may have changed. May be read without the lock.
  [[nodiscard]] std::uint64_t version() const { return version_.load(std::memory_order_acquire); }
  /// Nothing when no peer owns the address, or it has no session or no endpoint now.
  [[nodiscard]] std::optional<Route> find_route(const Ipv6& destination, Instant now) const;
  /// The same by peer.
  [[nodiscard]] std::optional<Route> peer_route(PeerRef peer, Instant now) const;
  /// find_route, or else: keeps a copy of the packet and starts a handshake (or asks whose the address is).
  [[nodiscard]] std::optional<Route> send_session(const Ipv6& destination, BytesView packet, Instant now,
                                                  Actions& actions);
  /// Null when there is none. May be a session that is not confirmed yet: receiving confirms it.
  [[nodiscard]] std::shared_ptr<Session> session_by_index(std::uint32_t local_index) const;
  /// Whether the peer may send from this inner address. The caller drops the packet otherwise and counts it.
  [[nodiscard]] bool allowed_source(PeerRef peer, const Ipv6& source) const { return routes_.find(source) == peer; }
  [[nodiscard]] PeerRef owner(const Ipv6& address) const { return routes_.find(address); }
  /// What waited for the peer's session, oldest first.
  [[nodiscard]] std::vector<Bytes> take_queued(PeerRef peer);
  /// When Session::note_sent / note_received said so.
  void on_sent(const Session& session, Instant now, Actions& actions);
  void on_received(const std::shared_ptr<Session>& session, const Endpoint& from, Instant now, Actions& actions);

  // Timers.
  /// When on_timer wants to be called; nothing: after the next call of anything else only. Changes with every call.
  [[nodiscard]] std::optional<Instant> next_timer() const;
  void on_timer(Instant now, Actions& actions);
  /// Starts a handshake unless one is under way or was begun less than kRekeyTimeout ago.
  void initiate(PeerRef peer, Instant now, Actions& actions);
  /// The path to the peer was proven at `proven`: an initiation that was sent earlier and has no answer by now was lost
  /// on the way to there. Another one at once, instead of after kRekeyTimeout.
  void retry(PeerRef peer, Instant proven, Instant now, Actions& actions);

  [[nodiscard]] const DeviceCounters& counters() const { return counters_; }
  [[nodiscard]] std::size_t session_count() const { return sessions_.size(); }

 private:
  struct Peer;
  struct Held {  // packets for a destination that nobody owns yet
    std::deque<Bytes> packets;
    Instant until;
  };
  struct Stranger {
    InitiationBytes message{};
    Endpoint from;
    Instant until;
  };
  struct Entry {
    std::shared_ptr<Session> session;
    std::uint64_t order = 0;  // key of confirmed_ or unconfirmed_
  };

  // device_handshake.cpp
  [[nodiscard]] bool admit(const Endpoint& from, BytesView message, Instant now, Actions& actions);
  void on_initiation(const Endpoint& from, BytesView message, Instant now, Actions& actions);
  void answer(Peer& peer, ReceivedInitiation& received, const Endpoint& from, Instant now, Actions& actions);
  void on_response(const Endpoint& from, BytesView message, Instant now, Actions& actions);
  void on_cookie_reply(BytesView message, Instant now, Actions& actions);
  void hold_stranger(ReceivedInitiation& received, const Endpoint& from, BytesView message, Instant now,
                     Actions& actions);
  [[nodiscard]] bool loaded(Instant now);
  void send_initiation(Peer& peer, Instant now, Actions& actions);
  void begin_handshake(Peer& peer, Instant now, Actions& actions);
  void forget_initiation(Peer& peer);

  // device_session.cpp
  [[nodiscard]] std::uint32_t new_index();
  [[nodiscard]] bool make_room(bool confirmed);
  [[nodiscard]] std::shared_ptr<Session> add_session(Peer& peer, std::uint32_t local_index, const SessionKeys& keys,
                                                     bool initiator, Instant now);
  void drop_session(std::shared_ptr<Session>& session);
  void confirm(Peer& peer, const std::shared_ptr<Session>& session, Instant now, Actions& actions);
  void clear_local(Peer& peer);
  void note_source(Peer& peer, const Endpoint& from, Actions& actions);
  [[nodiscard]] std::optional<Route> route_of(const Peer& peer, Instant now) const;
  void session_ready(Peer& peer, Instant now, Actions& actions);
  void send_keepalive(Peer& peer, Instant now, Actions& actions);
  void enqueue(Peer& peer, BytesView packet);
  void drop_queue(Peer& peer);
  void hold_unknown(const Ipv6& destination, BytesView packet, Instant now, Actions& actions);
  void release_held(const Prefix& prefix, Peer& peer, Instant now, Actions& actions);

  // device.cpp
  [[nodiscard]] Peer* get(PeerRef peer);
  [[nodiscard]] const Peer* get(PeerRef peer) const;
  [[nodiscard]] Result<> set_allowed(Peer& peer, const std::vector<Prefix>& allowed);
  void changed() { version_.fetch_add(1, std::memory_order_release); }
  [[nodiscard]] Duration jitter();

  // device_timer.cpp
  void schedule(Peer& peer, Instant now);
  void run_peer(Peer& peer, Instant now, Actions& actions);
  void run_activity(Peer& peer, Instant now, Actions& actions);
  void purge(Instant now);

  Identity identity_;
  DeviceOptions options_;
  runtime::Random& random_;
  Instant started_;
  Duration wall_at_start_;
  DeviceCounters counters_;
  std::atomic<std::uint64_t> version_{1};
  bool under_load_ = false;

  std::unordered_map<PeerRef, std::unique_ptr<Peer>> peers_;
  std::unordered_map<crypto::X25519Public, Peer*> by_key_;
  std::uint32_t last_peer_ = 0;
  RoutingTable routes_;

  std::unordered_map<std::uint32_t, Entry> sessions_;               // by local index
  std::map<std::uint64_t, std::uint32_t> confirmed_, unconfirmed_;  // by order of making: the oldest goes first
  std::unordered_map<std::uint32_t, PeerRef> initiations_;          // by local index
  std::uint64_t last_order_ = 0;

  CookieJar cookies_;
  PrefixLimiter unproven_, proven_;  // without and with a valid mac2
  CookieLimit cookie_limit_;
  double budget_;      // key agreements that may be made now
  double demand_ = 0;  // handshake messages not yet worked off at the rate of the budget
  Instant budget_at_, loaded_until_;
  std::map<Ipv6, Held> held_;
  std::map<crypto::X25519Public, Stranger> strangers_;
  std::optional<Instant> purge_at_;  // of held_ and strangers_
  std::size_t queued_bytes_ = 0;
  std::set<std::pair<Instant, PeerRef>> timers_;
};

}  // namespace bonus::net::tunnel
