// A simulated Internet with home routers for the tests of this folder: hosts behind NATs of five kinds, relays, delay,
// loss, blocked UDP, TLS links; everything on a virtual clock from one seed. The nodes are the production cores, and
// their datagrams are really sealed.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bonus/net/nat/path_manager.hpp"
#include "bonus/net/record/sealed.hpp"
#include "bonus/runtime/sim/events.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::nat::sim {

using runtime::sim::Events;
using runtime::sim::SeededRandom;

enum class Router : std::uint8_t { kOpen, kFullCone, kAddress, kPort, kSymmetric };
inline constexpr std::array<Router, 5> kRouters = {Router::kOpen, Router::kFullCone, Router::kAddress, Router::kPort,
                                                   Router::kSymmetric};
inline std::string_view name(Router kind) {
  constexpr std::array<std::string_view, 5> names = {"open", "full-cone", "address-restricted", "port-restricted",
                                                     "symmetric"};
  return names[static_cast<std::size_t>(kind)];
}

struct LinkModel {
  Duration delay = std::chrono::milliseconds(20);  ///< One way.
  Duration jitter = std::chrono::milliseconds(2);
  double loss = 0.01;
  std::size_t mtu = 1500;  ///< IP packets above it vanish.
};

inline Ipv6 v4(unsigned a, unsigned b, unsigned c, unsigned d) {
  Ipv6 out;
  out.bytes[10] = out.bytes[11] = 0xff;
  out.bytes[12] = static_cast<std::uint8_t>(a), out.bytes[13] = static_cast<std::uint8_t>(b);
  out.bytes[14] = static_cast<std::uint8_t>(c), out.bytes[15] = static_cast<std::uint8_t>(d);
  return out;
}

class Internet;

/// A router with one external address; mappings end without outgoing packets.
class Nat {
 public:
  Nat(Router kind, const Ipv6& external, SeededRandom random, Duration timeout)
      : kind_(kind), external_(external), random_(random), timeout_(timeout) {}
  UdpEndpoint out(const UdpEndpoint& inside, const UdpEndpoint& to, Instant now) {
    const Key key{inside, kind_ == Router::kSymmetric ? to : UdpEndpoint{}};
    auto found = by_inside_.find(key);
    if (found != by_inside_.end() && found->second->used + timeout_ <= now) {
      by_port_.erase(found->second->port);
      by_inside_.erase(found);
      found = by_inside_.end();
    }
    if (found == by_inside_.end()) {
      auto mapping = std::make_shared<Mapping>();
      do {
        mapping->port = static_cast<std::uint16_t>(1024 + random_.below(64512));
      } while (by_port_.contains(mapping->port));
      mapping->inside = inside;
      by_port_[mapping->port] = mapping;
      found = by_inside_.emplace(key, mapping).first;
    }
    found->second->used = now;
    found->second->sent_to.insert(to);
    found->second->sent_to_address.insert(to.address);
    return {external_, found->second->port};
  }
  std::optional<UdpEndpoint> in(std::uint16_t port, const UdpEndpoint& from, Instant now) const {
    const auto found = by_port_.find(port);
    if (found == by_port_.end() || found->second->used + timeout_ <= now) return std::nullopt;
    const Mapping& mapping = *found->second;
    const bool pass =
        kind_ == Router::kFullCone ||
        (kind_ == Router::kAddress ? mapping.sent_to_address.contains(from.address) : mapping.sent_to.contains(from));
    if (!pass) return std::nullopt;
    return mapping.inside;
  }
  void reboot() { by_inside_.clear(), by_port_.clear(); }
  void renumber(const Ipv6& external) { external_ = external, reboot(); }
  [[nodiscard]] const Ipv6& external() const { return external_; }

 private:
  struct Mapping {
    UdpEndpoint inside;
    std::uint16_t port = 0;
    Instant used;
    std::set<UdpEndpoint> sent_to;
    std::set<Ipv6> sent_to_address;
  };
  using Key = std::pair<UdpEndpoint, UdpEndpoint>;
  Router kind_;
  Ipv6 external_;
  SeededRandom random_;
  Duration timeout_;
  std::map<Key, std::shared_ptr<Mapping>> by_inside_;
  std::map<std::uint16_t, std::shared_ptr<Mapping>> by_port_;
};

/// One node: the path manager and the shell around it.
class Host {
 public:
  Host(Internet& internet, std::string label, const Ipv6& address, Nat* nat, PathOptions options, SeededRandom random);
  [[nodiscard]] const NodeRecord& record() const { return record_; }
  [[nodiscard]] const crypto::X25519Public& key() const { return sealer_.public_key(); }
  template <class Call>
  void act(Call call) {
    Actions out;
    call(out);
    perform(out);
  }
  void start();
  void set_address(const Ipv6& address, Nat* nat);  ///< Moves to another network.
  void connect(Host& peer);
  /// A marked payload on the announced path, as the tunnel would send it; false: no path.
  bool send_data(const Host& peer, std::uint32_t mark, std::size_t size = 100);
  void receive(const PathEndpoint& from, Bytes datagram);
  void send_raw(const PathEndpoint& to, const Bytes& datagram);
  void sign();
  /// The record with this node's signature.
  Bytes encode_record() {
    NodeRecord copy = record_;
    return sign_record(copy, root_).value();
  }

  PathManager& paths() { return *manager_; }
  Sealer& sealer() { return sealer_; }
  std::string label;
  Ipv6 address;
  Nat* nat;
  bool udp_blocked = false, powered = true;
  std::map<std::uint32_t, std::uint16_t> sockets;  // extra sockets: via -> port
  std::uint16_t port = 51820;
  std::map<std::uint32_t, std::pair<Host*, std::uint32_t>> links;  // via -> other end
  std::map<std::uint32_t, UdpEndpoint> link_remotes;
  std::set<crypto::X25519Public> dialling;  // relays that a link is being made to
  std::map<crypto::X25519Public, std::vector<std::pair<Instant, Actions::PathChanged>>> history;
  std::map<crypto::X25519Public, int> lost;
  std::vector<std::uint32_t> received_marks;
  std::vector<Bytes> learned, hearsay;  // records, shown by the key's holder or not
  std::size_t sent_packets = 0, sent_bytes = 0;
  inline static std::function<void(Host& host, const Actions& out)> trace;  ///< For looking into a failing seed.

 private:
  friend class Internet;
  void perform(Actions& out);
  void arm();
  Internet& internet_;
  crypto::Ed25519KeyPair root_;
  SeededRandom random_;
  Sealer sealer_;
  PathOptions options_;
  std::unique_ptr<PathManager> manager_;
  NodeRecord record_;
  std::uint64_t sequence_ = 0;
  std::optional<Events::Id> timer_;
  std::uint32_t next_link_ = 1;
};

class Internet {
 public:
  explicit Internet(std::uint64_t seed) : random(seed) {}
  Nat& add_nat(Router kind, const Ipv6& external, Duration timeout = std::chrono::seconds(30)) {
    nats_.push_back(std::make_unique<Nat>(kind, external, random.fork(), timeout));
    return *nats_.back();
  }
  Host& add_host(std::string label, const Ipv6& address, Nat* nat, PathOptions options = {}) {
    hosts_.push_back(std::make_unique<Host>(*this, std::move(label), address, nat, std::move(options), random.fork()));
    return *hosts_.back();
  }
  Host& add_relay(unsigned number) {
    PathOptions options;
    options.relay = RelayLimits{};
    Host& host = add_host("relay" + std::to_string(number), v4(9, 9, number, 1), nullptr, options);
    relays.push_back(&host);
    return host;
  }
  void run(Duration span) { events.run_until(events.now() + span); }
  /// From a host's socket into the net.
  void send(Host& host, std::uint16_t port, const UdpEndpoint& to, const Bytes& datagram) {
    if (host.udp_blocked || !host.powered) return;
    if (datagram.size() + 28 > link.mtu) return;
    ++host.sent_packets;
    host.sent_bytes += datagram.size();
    const UdpEndpoint inside{host.address, port};
    if (lan && host.nat != nullptr && to.address.bytes[12] == host.address.bytes[12]) {
      events.after(std::chrono::milliseconds(1), [=, this, nat = host.nat] { deliver(nat, to, inside, datagram); });
      return;
    }
    const UdpEndpoint from = host.nat != nullptr ? host.nat->out(inside, to, events.now()) : inside;
    if (tap) tap(from, to, datagram);
    if (random.chance(link.loss)) return;
    const UdpEndpoint source = rewrite ? rewrite(from) : from;
    events.after(random.between(link.delay, link.delay + link.jitter), [=, this] { arrive(source, to, datagram); });
  }
  void arrive(const UdpEndpoint& from, const UdpEndpoint& to, const Bytes& datagram) {
    for (const auto& nat : nats_) {
      if (nat->external() != to.address) continue;
      if (const auto inside = nat->in(to.port, from, events.now())) deliver(nat.get(), *inside, from, datagram);
      return;
    }
    deliver(nullptr, to, from, datagram);
  }
  void connect_link(Host& client, const Actions::WantLink& want) {
    for (const auto& host : hosts_) {
      if (host->key() != want.relay || !host->powered || !host->paths().relay_server()) continue;
      Host* server = host.get();
      Host* dialling = &client;
      const Ed25519PublicKey root = server->record().root;
      events.after(6 * link.delay, [=, this] {
        const std::uint32_t here = kViaLink | dialling->next_link_++, there = kViaLink | server->next_link_++;
        dialling->links[here] = {server, there};
        server->links[there] = {dialling, here};
        ++links_made;
        const PathEndpoint path{{server->address, 443}, here};
        dialling->link_remotes[here] = path.udp;
        dialling->dialling.erase(want.relay);
        server->link_remotes[there] = {dialling->address, 40000};
        dialling->act([&](Actions& out) { dialling->paths().link_up(want.relay, path, root, events.now(), out); });
      });
      return;
    }
  }
  void cut_link(Host& host, std::uint32_t via) {
    const auto found = host.links.find(via);
    if (found == host.links.end()) return;
    const auto [other, their] = found->second;
    host.links.erase(found);
    other->links.erase(their);
    for (auto [end, end_via] : {std::pair(&host, via), std::pair(other, their)})
      end->act([&](Actions& out) { end->paths().link_down(end_via, events.now(), out); });
  }

  Events events;
  SeededRandom random;
  LinkModel link;
  std::vector<Host*> relays;
  std::size_t links_made = 0;
  bool lan = false;  ///< Hosts behind the same router reach each other by their own addresses.
  std::function<void(const UdpEndpoint& from, const UdpEndpoint& to, const Bytes& datagram)> tap;
  std::function<UdpEndpoint(const UdpEndpoint& from)> rewrite;  ///< A man in the middle changes source addresses.

 private:
  void deliver(Nat* nat, const UdpEndpoint& to, const UdpEndpoint& from, const Bytes& datagram) {
    for (const auto& host : hosts_) {
      if (host->nat != nat || host->address != to.address || host->udp_blocked || !host->powered) continue;
      std::optional<std::uint32_t> via;
      if (to.port == host->port) via = 0;
      for (const auto& [number, port] : host->sockets)
        if (port == to.port) via = number;
      if (via) host->receive({from, *via}, datagram);
      return;
    }
  }
  std::vector<std::unique_ptr<Nat>> nats_;
  std::vector<std::unique_ptr<Host>> hosts_;
};

inline crypto::Ed25519KeyPair make_root(SeededRandom& random) {
  crypto::Ed25519Seed seed;
  random.fill(seed.bytes);
  return crypto::Ed25519KeyPair::from_seed(seed);
}
inline crypto::X25519Secret make_secret(SeededRandom& random) {
  crypto::X25519Secret secret;
  random.fill(secret.bytes);
  return secret;
}

inline Host::Host(Internet& internet, std::string text, const Ipv6& at, Nat* behind, PathOptions options,
                  SeededRandom random)
    : label(std::move(text)),
      address(at),
      nat(behind),
      internet_(internet),
      root_(make_root(random)),
      random_(random),
      sealer_(make_secret(random_), random_),
      options_(std::move(options)) {
  manager_ = std::make_unique<PathManager>(root_, sealer_.public_key(), random_, internet_.events, options_);
}

inline void Host::sign() {
  const UnixSeconds now = internet_.events.unix_s();
  record_ = {};
  record_.tunnel = certify_tunnel_key(root_, sealer_.public_key(), now - 10, now + 86400);
  record_.endpoints = manager_->endpoints();
  record_.flags = options_.relay ? kRelays : 0U;
  record_.sequence = ++sequence_;
  record_.expires = now + 86400;
  manager_->set_self(sign_record(record_, root_).value());
}

inline void Host::start() {
  act([&](Actions& out) {
    manager_->set_local_addresses({{address, static_cast<std::uint8_t>(nat != nullptr ? 120 : 128)}}, port,
                                  internet_.events.now(), out);
  });
  sign();
  if (options_.relay) return;
  std::vector<NodeRecord> relays;
  for (Host* relay : internet_.relays) relays.push_back(relay->record());
  act([&](Actions& out) { manager_->set_relays(relays, internet_.events.now(), out); });
}

inline void Host::set_address(const Ipv6& at, Nat* behind) {
  address = at;
  nat = behind;
  act([&](Actions& out) {
    manager_->set_local_addresses({{address, static_cast<std::uint8_t>(nat != nullptr ? 120 : 128)}}, port,
                                  internet_.events.now(), out);
  });
}

inline void Host::connect(Host& peer) {
  act([&](Actions& out) { (void)manager_->connect(peer.record(), internet_.events.now(), out); });
}

inline void Host::send_raw(const PathEndpoint& to, const Bytes& datagram) {
  if (is_channel(to.via)) {
    std::array<std::uint8_t, kRelayHeader> header{};
    const auto under = manager_->wrap(to, header);
    if (!under) return;
    Bytes frame(header.begin(), header.end());
    append(frame, datagram);
    send_raw(*under, frame);
    return;
  }
  if (is_link(to.via)) {
    const auto found = links.find(to.via);
    if (found == links.end()) return;
    const auto [other, via] = found->second;
    internet_.events.after(internet_.link.delay, [other, via, datagram] {
      if (other->links.contains(via)) other->receive({other->link_remotes[via], via}, datagram);
    });
    return;
  }
  std::uint16_t from = port;
  if (is_extra_socket(to.via)) {
    const auto found = sockets.find(to.via);
    if (found == sockets.end()) return;
    from = found->second;
  }
  internet_.send(*this, from, to.udp, datagram);
}

inline void Host::receive(const PathEndpoint& from, Bytes datagram) {
  if (datagram.empty() || !powered) return;
  const Instant now = internet_.events.now();
  if (datagram[0] == static_cast<std::uint8_t>(DatagramKind::kRelayed)) {
    const auto relayed = manager_->on_relayed(datagram, from, now);
    if (relayed.what == PathManager::Relayed::What::kForward) send_raw(relayed.path, datagram);
    if (relayed.what == PathManager::Relayed::What::kDeliver)
      receive(relayed.path, Bytes(relayed.inner.begin(), relayed.inner.end()));
    return;
  }
  if (datagram[0] == 4 && datagram.size() >= 37) {  // stands for a WireGuard transport message
    crypto::X25519Public sender;
    std::copy_n(datagram.begin() + 1, 32, sender.bytes.begin());
    received_marks.push_back(
        static_cast<std::uint32_t>(datagram[33] << 24 | datagram[34] << 16 | datagram[35] << 8 | datagram[36]));
    act([&](Actions& out) {
      const auto path = manager_->path(sender);
      if (path && path->path == from) manager_->on_traffic(sender, true, now, out);
    });
    return;
  }
  auto opened = sealer_.open(datagram);
  if (!opened) return;
  act([&](Actions& out) { manager_->on_payload(opened->kind, opened->from, from, opened->payload, now, out); });
}

inline bool Host::send_data(const Host& peer, std::uint32_t mark, std::size_t size) {
  const auto path = manager_->path(peer.key());
  if (!path) return false;
  Bytes datagram{4};
  append(datagram, key());
  for (int shift = 24; shift >= 0; shift -= 8) datagram.push_back(static_cast<std::uint8_t>(mark >> shift));
  datagram.resize(std::max(size, datagram.size()));
  send_raw(path->path, datagram);
  act([&](Actions& out) { manager_->on_traffic(peer.key(), false, internet_.events.now(), out); });
  return true;
}

inline void Host::perform(Actions& out) {
  if (trace) trace(*this, out);
  for (const std::uint32_t via : out.open_sockets) sockets[via] = static_cast<std::uint16_t>(20000 + (via & 0x3fff));
  if (out.endpoints_changed) sign();
  for (const auto& send : out.sends) {
    auto sealed = sealer_.seal(send.kind, send.to, send.payload);
    if (sealed) send_raw(send.path, *sealed);
  }
  for (const auto& changed : out.changed) history[changed.peer].emplace_back(internet_.events.now(), changed);
  for (const auto& peer : out.lost) ++lost[peer];
  for (auto& record : out.records) (record.by_key ? learned : hearsay).push_back(std::move(record.encoded));
  for (const auto& want : out.want_links)
    if (dialling.insert(want.relay).second) internet_.connect_link(*this, want);
  for (const std::uint32_t via : out.close) {
    sockets.erase(via);
    if (is_link(via) && links.contains(via))
      internet_.events.after(Duration(0), [this, via] { internet_.cut_link(*this, via); });
  }
  arm();
}

inline void Host::arm() {
  if (timer_) internet_.events.cancel(*timer_);
  timer_.reset();
  if (!powered) return;
  if (const auto next = manager_->next_timer())
    timer_ = internet_.events.schedule(*next, [this] {
      timer_.reset();
      act([&](Actions& out) { manager_->on_timer(internet_.events.now(), out); });
    });
}

/// Three relays and two nodes behind routers of the given kinds.
struct Pair {
  Pair(std::uint64_t seed, Router ka, Router kb, PathOptions options = {}) : net(seed) {
    for (unsigned i = 1; i <= 3; ++i) net.add_relay(i);
    for (Host* relay : net.relays) relay->start();
    a = &make("a", ka, 1, options);
    b = &make("b", kb, 2, options);
  }
  Host& make(const std::string& label, Router kind, unsigned number, const PathOptions& options) {
    if (kind == Router::kOpen) return net.add_host(label, v4(8, 8, number, 10), nullptr, options);
    Nat& nat = net.add_nat(kind, v4(8, 8, number, 1));
    return net.add_host(label, v4(192, 168, 1, 10 + number), &nat, options);
  }
  /// Registered at their relays, with records that say so.
  void settle() {
    a->start();
    b->start();
    net.run(std::chrono::seconds(3));
  }
  [[nodiscard]] std::optional<PathKind> kind(Host& from, Host& to) {
    const auto path = from.paths().path(to.key());
    if (!path) return std::nullopt;
    return path->kind;
  }
  Internet net;
  Host *a, *b;
};

}  // namespace bonus::net::nat::sim
