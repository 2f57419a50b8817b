// The path manager's inside; its parts are in manager.cpp (peers, dispatch), introduce.cpp (rendezvous) and
// birthday.cpp (symmetric NATs).
#pragma once

#include <deque>
#include <map>
#include <set>

#include "bonus/net/nat/path_set.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::nat {

class PathManager::Impl {
 public:
  Impl(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
       const runtime::Clock& wall, PathOptions options);

  using Key = crypto::X25519Public;
  struct Peer {
    Peer(PathContext& context, const Key& k, const Ipv6& from, Instant now)
        : key(k), network(from), paths(context, k, now), made(now) {}
    Key key;
    Ipv6 network;  // where it was first heard or named: /24, or /56 of IPv6
    PathSet paths;
    std::optional<NodeRecord> record;
    bool shown = false;  // the holder of the key has shown a record of this root: both have agreed
    bool wanted = false;
    Instant made;
    NatKind nat = NatKind::kUnknown;  // as the peer itself says
    // The search for a (better) path.
    int cycle = 0;
    std::optional<Instant> cycle_at, channel_at, introduce_at;
    Instant search_until;  // although there is a direct path: our address has changed
    std::size_t relay_turn = 0;
    std::uint64_t nonce = 0;
    int introduce_tries = 0;
    bool introduced = false, had_path = false;
    /// Where relays of our own choice reach the peer.
    std::map<Key, std::pair<UdpEndpoint, Instant>> attested;
    Instant spray_after;
    std::optional<Instant> spray_at;  // when birthday probing is considered, after plain punching had its chance
    std::optional<Instant> due;       // its place in due_
  };

  // manager.cpp, path_manager.cpp
  void set_self(BytesView record);
  void set_local(std::vector<LocalAddress> addresses, std::uint16_t port, Instant now, Actions& out);
  void set_relays(std::vector<NodeRecord> relays, Instant now, Actions& out);
  [[nodiscard]] Result<> connect(const NodeRecord& record, Instant now, Actions& out, bool at_once);
  void meet(const Key& key, const UdpEndpoint& endpoint, Instant now, Actions& out);
  void forget(const Key& key, Actions& out);
  void on_payload(DatagramKind kind, const Key& from, const PathEndpoint& path, BytesView payload, Instant now,
                  Actions& out);
  void on_traffic(const Key& key, bool received, Instant now, Actions& out);
  void on_timer(Instant now, Actions& out);
  [[nodiscard]] std::optional<Instant> next_timer() const;
  [[nodiscard]] Relayed on_relayed(std::span<std::uint8_t> frame, const PathEndpoint& from, Instant now);
  void link_down(std::uint32_t via, Instant now, Actions& out);
  [[nodiscard]] std::vector<RecordEndpoint> endpoints() const;
  [[nodiscard]] NatKind nat_kind() const;
  void check_endpoints(Actions& out);
  void choose_home(Instant now, Actions& out);
  void take_events(RelayClient::Events events, Instant now, Actions& out);

  // Given to the public class.
  PathOptions options_;
  PathContext context_;
  std::unique_ptr<RelayServer> server_;
  std::map<Key, std::unique_ptr<Peer>> peers_;  // ordered, so that a seed gives the same run each time
  std::set<UdpEndpoint> mappings_;
  bool reachable_ = false;

 private:
  Peer* find(const Key& key);
  /// `by_us`: our own traffic wants it, so any passive peer may have to go; a stranger takes nobody's place that has
  /// proven itself, and no more than a quarter of the table for one network.
  Peer* find_or_add(const Key& key, const Ipv6& from, bool by_us, Instant now, Actions& out);
  [[nodiscard]] const Peer* dispensable(bool by_us, Instant now) const;
  void remove(const Key& key, Actions& out);
  void schedule(Peer& peer);
  /// Checks and keeps a record. Costs two signatures. `by_key`: the peer itself has sent it.
  bool learn(Peer& peer, BytesView encoded, bool by_key, Actions& out);
  void on_probe(const Key& from, const PathEndpoint& path, const Probe& m, Instant now, Actions& out);
  void on_ack(const Key& from, const PathEndpoint& path, const Ack& m, Instant now, Actions& out);
  void on_confirm(const Key& from, const PathEndpoint& path, const Confirm& m, Instant now, Actions& out);
  void saw_us(const Key& from, const PathEndpoint& path, const UdpEndpoint& observed, Instant now, Actions& out);
  void begin_cycle(Peer& peer, Instant now, Actions& out);
  void offer_record(Peer& peer, Instant now);
  void open_channel(Peer& peer, Instant now, Actions& out);
  void step(Peer& peer, Instant now, Actions& out);
  void sweep(Instant now, Actions& out);
  [[nodiscard]] std::vector<RecordEndpoint> relays_of(const Peer& peer) const;

  // introduce.cpp
  void ask_introduction(Peer& peer, Instant now, Actions& out);
  [[nodiscard]] std::vector<std::pair<Key, PathEndpoint>> rendezvous_for(const Peer& peer, Instant now);
  void send_rendezvous(const Key& through, const PathEndpoint& path, const Key& target, std::uint64_t nonce, bool reply,
                       Actions& out);
  void on_rendezvous(const Key& from, const PathEndpoint& path, const Rendezvous& m, Instant now, Actions& out);
  void on_introduce(const Key& from, const PathEndpoint& path, const Introduce& m, Instant now, Actions& out);

  // birthday.cpp
  struct Spray {
    Key peer;
    bool hard = false;  // our NAT is the symmetric one: many sockets to one port
    bool running = false;
    std::uint64_t nonce = 0, id = 0;
    UdpEndpoint target;
    std::size_t sent = 0;
    Instant next, until, began;
    std::vector<std::uint32_t> sockets;
    std::set<std::uint16_t> ports;
  };
  void consider_spray(Peer& peer, Instant now, Actions& out);
  void on_spray(const Key& from, const PathEndpoint& path, const nat::Spray& m, Instant now, Actions& out);
  bool spray_answer(const Key& from, const PathEndpoint& path, const Ack& m, Instant now, Actions& out);
  void step_spray(Instant now, Actions& out);
  void end_spray(Instant now, Actions& out);
  [[nodiscard]] std::optional<UdpEndpoint> attested_twice(const Peer& peer, bool with_port, Instant now) const;

  Key self_;
  const runtime::Clock& wall_;
  std::set<std::pair<Instant, Key>> due_;
  PrefixLimiter strangers_, newcomers_, rendezvous_limit_, introduce_limit_;
  std::vector<NodeRecord> known_relays_;
  std::map<Key, Instant> home_failed_;
  std::vector<RecordEndpoint> last_endpoints_;
  std::deque<std::pair<Key, std::uint64_t>> introductions_;  // seen lately
  std::optional<Spray> spray_;
  std::map<std::uint32_t, Key> sockets_;  // kept by a path
  std::uint32_t next_socket_ = 1;
  Instant swept_;
  std::optional<Instant> served_;  // no instant is served twice, so that an own bug cannot become a busy loop
};

}  // namespace bonus::net::nat
