// State of the overlay's shell. Private to overlay*.cpp. Everything is the strand's unless it says otherwise.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <map>
#include <mutex>
#include <shared_mutex>
#include <unordered_map>

#include "bonus/net/kad/kad.hpp"
#include "bonus/net/nat/path_manager.hpp"
#include "bonus/net/nat/port_mapper.hpp"
#include "bonus/net/nat/tls_link.hpp"
#include "bonus/net/overlay/book.hpp"
#include "bonus/net/overlay/contact.hpp"
#include "bonus/net/overlay/extra_socket.hpp"
#include "bonus/net/overlay/overlay.hpp"
#include "bonus/net/overlay/upkeep.hpp"
#include "bonus/net/record/sealed.hpp"

namespace bonus::net::overlay {

inline constexpr std::size_t kMaxPosted = 8192;          // datagrams between the engine and the strand
inline constexpr std::size_t kMaxRelayBytes = 4u << 20;  // bulk of ours on its way to relays

using Strand = boost::asio::strand<runtime::Executor>;

struct Overlay::Impl final : device::EngineHooks, std::enable_shared_from_this<Overlay::Impl> {
  Impl(OverlayParts p, const crypto::Ed25519KeyPair& r, OverlayOptions o, const crypto::X25519Secret& tunnel_secret);

  using Waiter = std::function<void(Result<NodeRecord>)>;

  // ---- engine threads (overlay_engine.cpp)
  void on_foreign_datagram(const UdpEndpoint& from, BytesView datagram) override;
  void send_via(const tunnel::Endpoint& to, std::span<const BytesView> datagrams) override;
  void on_event(const tunnel::Event& event) override;
  void on_session_ready(tunnel::PeerRef peer) override;
  void on_foreign_source(tunnel::PeerRef peer, const Ipv6& source) override;

  // ---- datagrams (overlay_datagrams.cpp)
  void handle(const PathEndpoint& path, Bytes datagram, int depth = 0);
  void handle_relayed(const PathEndpoint& path, Bytes frame, int depth);
  void handle_contact(const PathEndpoint& from, const Sealer::Opened& opened);
  void handle_reply(const PathEndpoint& from, const Sealer::Opened& opened);
  void send(const PathEndpoint& path, BytesView datagram);
  void send_sealed(Sealer& sealer, DatagramKind kind, const crypto::X25519Public& to, const PathEndpoint& path,
                   BytesView payload);
  void carry_out(nat::Actions& actions);
  void carry_out(kad::Actions& actions);
  [[nodiscard]] runtime::Task<> open_extra_socket(std::uint32_t via);

  // ---- peers (overlay_peers.cpp)
  struct Tunnel {
    NodeId node;
    tunnel::PeerRef ref = tunnel::kNoPeer;
    std::uint64_t bytes = 0, received = 0;  // both ways, and only in, at the last look
    Instant active;
    std::optional<Instant> look_again_at;
    unsigned looks = 0;  // since it had a path
    std::optional<nat::Actions::PathChanged> path;
    Instant next_source;  // its next foreign source that is looked up
    Duration source_pause{};
  };
  /// `by_key`: the holder of the tunnel key that it names has shown it.
  void learn(BytesView record, bool by_key = false);
  void resolve(const Ipv6& address, Waiter waiter);
  void resolved(const kad::LookupDone& done);
  /// Who waits for the address has its answer.
  void answer(kad::LookupId id);
  /// Somebody says that this is the node which is being looked up: probes and a handshake begin before its record is
  /// here, but nothing passes until that proves the address.
  void greet(const kad::Named& named);
  /// Puts the node into the tunnel and looks for a path. `at_once`: traffic of ours waits for it.
  void connect(const KnownNode& known, bool at_once = false);
  /// A handshake of this key came from there; it is answered once its record is known.
  void admit(const KnownNode& known, const tunnel::Endpoint& from);
  void update_tunnel(const KnownNode& known);
  void disconnect(const crypto::X25519Public& key);
  /// No path to this peer: its record may name other endpoints and relays by now.
  void look_again(const crypto::X25519Public& key);
  [[nodiscard]] std::vector<Prefix> allowed_of(const NodeRecord& record) const;
  void on_path(const nat::Actions::PathChanged& changed);
  void handle_event(const tunnel::Event& event);
  void look_at_traffic();
  void forget_greeted();
  void check_handshakes();
  void set_edge_peers(std::vector<EdgePeer> peers);
  void drop_edge(const crypto::X25519Public& key);
  void set_behind(std::vector<Behind> routes);

  // ---- containers that records have no room for (overlay_pointers.cpp)
  [[nodiscard]] bool owns(const Ipv6& one) const;
  /// Names as many containers as the record has room for; the others are left to pointers.
  [[nodiscard]] Result<Bytes> sign_with_containers();
  void publish_pointers(kad::Actions& actions);
  /// The pointer's address is its node's from now on, if the node is known.
  void prove(const AddressPointer& pointer);
  void prove_by(BytesView encoded, const Ipv6& wanted);
  void allow_pointed(const NodeId& node);
  /// Learns what a lookup brought. True: it was a pointer, and the node that it names is being looked up now.
  [[nodiscard]] bool follow(const kad::LookupDone& done);
  /// The id of a container, ours or another's, that no record names; else empty.
  [[nodiscard]] Bytes pointed_container(const Ipv6& wanted) const;
  void keep_pointers();
  /// A peer sent from an address that is not known to be its: perhaps that of a container with a pointer.
  void look_at_source(tunnel::PeerRef peer, const Ipv6& source);

  // ---- ourselves (overlay.cpp)
  void begin();
  void arm();
  void tick();
  void publish_record();
  void housekeep();
  void want_hint(const Ed25519PublicKey& root, const UdpEndpoint& endpoint);
  [[nodiscard]] runtime::Task<> watch_addresses();
  [[nodiscard]] runtime::Task<> resolve_hint(Ed25519PublicKey root, std::string endpoint);
  void use_addresses(std::vector<nat::PathManager::LocalAddress> addresses);
  [[nodiscard]] Instant now() const { return parts.clock.now(); }
  void post(std::function<void(Impl&)> work);

  // ---- TLS links and the home router (overlay_links.cpp)
  [[nodiscard]] Result<> open_links();
  void start_mappers();
  /// Nobody answers by UDP: asks the first hints by TLS who they are, so that one of them can relay.
  void bootstrap_by_tls();
  /// We relay: a client on a TLS link cannot store its record in the DHT itself.
  void publish_for(std::uint32_t via, const crypto::X25519Public& asker, BytesView record);
  /// We are the client: gives the relays our record, now and whenever it changes.
  void introduce_to_relays();
  void handle_find(const PathEndpoint& from, const crypto::X25519Public& asker, const FindQuestion& question);
  void handle_found(const FindAnswer& answer);
  [[nodiscard]] bool ask_relay(const Ipv6& wanted, Waiter& waiter);
  void ask_relay_again();
  void on_mapping(std::optional<UdpEndpoint>& known, const std::optional<nat::PortMapping>& mapping);

  // ---- what people ask (overlay_status.cpp)
  [[nodiscard]] boost::json::object describe(const NodeRecord& record) const;
  [[nodiscard]] boost::json::object describe_tunnel(const crypto::X25519Public& key, const Tunnel& tunnel);
  [[nodiscard]] boost::json::object status();
  [[nodiscard]] boost::json::value relay_status();
  void publish_metrics();

  const OverlayParts parts;
  const crypto::Ed25519KeyPair root;
  const OverlayOptions options;
  const NodeId self;
  const Ipv6 address;
  Strand strand;
  boost::asio::steady_timer timer;
  std::unique_ptr<runtime::TaskGroup> tasks;
  std::atomic<bool> started{
      false};  // the engine's threads begin before we have the engine: until then they are not heard
  std::atomic<bool> stopped{false};

  Sealer sealer, contact_sealer;
  PrefixLimiter strangers{100, 200};  // key agreements a second for who is not known, per prefix
  PrefixLimiter contacts{10, 40};     // first contacts: a signature check and a record each
  ContactFinder finder;
  AddressBook book;
  TunnelCertificate certificate;
  std::shared_ptr<kad::Settings> kad_settings;  // shared by contract of kad::Config
  std::unique_ptr<kad::Kad> dht;
  std::unique_ptr<nat::PathManager> paths;
  std::unique_ptr<device::Engine> engine;
  std::unique_ptr<nat::TlsLinks> links;
  std::unique_ptr<nat::PortMapper> mapper, mapper6;  // of IPv6: a pinhole
  std::optional<UdpEndpoint> mapped, mapped6;
  std::map<std::uint32_t, std::shared_ptr<ExtraSocket>> extra_sockets;  // by via; shared with their own handlers

  NodeRecord record;
  Bytes encoded_record;
  bool record_stale = true;
  Instant looked;
  std::vector<nat::PathManager::LocalAddress> local;
  std::vector<Bytes> containers;
  std::map<Ipv6, Bytes> own_pointed;  // those that the record does not name
  std::size_t source_lookups = 0;
  std::vector<Behind> behind;
  std::map<crypto::X25519Public, tunnel::PeerRef> edges;
  std::map<Ed25519PublicKey, UdpEndpoint> hints;

  std::map<crypto::X25519Public, Tunnel> tunnels;
  std::map<tunnel::PeerRef, crypto::X25519Public> by_ref;
  struct Lookup {
    Ipv6 address;
    std::vector<Waiter> waiters;
  };
  std::map<kad::LookupId, Lookup> lookups;
  struct Greeted {
    tunnel::PeerRef ref = tunnel::kNoPeer;
    Instant until;
  };
  HandshakeWatch handshakes{options.max_tunnels};
  std::map<crypto::X25519Public, Greeted> greeted;                                  // in the tunnel without any address
  std::map<crypto::X25519Public, std::pair<tunnel::Endpoint, Instant>> initiators;  // whose record is not here yet
  std::map<Ipv6, kad::LookupId> looking;
  struct Question {
    Ipv6 address;
    std::vector<Waiter> waiters;
    Instant asked;
    unsigned attempts = 0;
  };
  std::map<std::uint64_t, Question> questions;          // to relays, by id
  std::map<Ed25519PublicKey, PathEndpoint> link_roots;  // relays that a link of ours leads to
  std::map<Ed25519PublicKey, std::uint32_t> tls_bootstrap;
  LinkClients proxied;                         // whom we publish for
  std::map<std::uint32_t, std::size_t> finds;  // of clients, under way, by link
  bool contact_answered = false;
  Carried carried;                               // since the start
  std::map<std::string, std::uint64_t> exposed;  // of each counter, what the metrics have
  Instant began;

  // any thread
  mutable std::shared_mutex identity_mutex;
  std::unordered_map<Ipv6, NodeId> identities;  // guarded by identity_mutex
  std::atomic<std::size_t> posted{0}, relay_bytes{0};
  std::atomic<std::uint64_t> dropped_posted{0}, dropped_strangers{0}, dropped_unreadable{0}, dropped_relay{0};
};

}  // namespace bonus::net::overlay
