// Whom we talk to: records learned, addresses resolved, tunnels made and taken down.
#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"
#include "bonus/net/tunnel/config.hpp"

namespace bonus::net::overlay {

namespace {
constexpr std::size_t kMaxLookups = 256, kMaxWaiters = 64, kMaxTrafficLookups = 48;  // the DHT has 64
constexpr std::size_t kMaxGreeted = 64, kMaxInitiators = 256;
constexpr Duration kLookAgain = std::chrono::seconds(5), kLastLook = std::chrono::seconds(120);
constexpr Duration kGreeting = std::chrono::seconds(5);
constexpr std::uint32_t kEdgeMtu = 1280;
}  // namespace

void Overlay::Impl::learn(BytesView encoded, bool by_key) {
  const auto added = book.add(encoded, parts.clock.unix_s());
  if (!added || (*added == AddressBook::Added::kSame && !by_key)) return;
  const auto read = open_record(encoded, parts.clock.unix_s());
  if (!read || read->root == root.public_key()) return;
  const auto* known = book.find(read->id());
  if (known == nullptr) return;
  const bool shown = by_key && known->record.tunnel.key == read->tunnel.key && book.shown_by_key(read->id());
  if (*added == AddressBook::Added::kSame && !shown) return;
  if (shown) {
    // Whoever had only said that the key is its own gives it back.
    const auto held = tunnels.find(read->tunnel.key);
    if (held != tunnels.end() && held->second.node != read->id()) {
      log::warn("net", "foreign_tunnel_key", {{"claimed_by", to_hex(held->second.node)}, {"of", to_hex(read->id())}});
      disconnect(read->tunnel.key);
    }
    // An invitation for a node's key must not keep that node out.
    if (edges.contains(read->tunnel.key)) {
      drop_edge(read->tunnel.key);
      connect(*known);
    }
  }
  std::vector<kad::LookupId> answered;
  for (const auto& [wanted, id] : looking)
    if (book.owner_of(wanted) == known) answered.push_back(id);
  const bool tunnelled = std::ranges::any_of(tunnels, [&](const auto& t) { return t.second.node == read->id(); });
  if (tunnelled) connect(*known);
  if (shown)
    if (const auto initiator = initiators.extract(read->tunnel.key)) admit(*known, initiator.mapped().first);
  for (const auto id : answered) answer(id);
}

void Overlay::Impl::resolve(const Ipv6& wanted, Waiter waiter) {
  if (!is_overlay(wanted)) {
    waiter(fail(ErrorCode::kInvalid, to_string(wanted) + " is no overlay address: they begin with fd"));
    return;
  }
  if (owns(wanted)) {
    waiter(record);
    return;
  }
  if (const auto* known = book.owner_of(wanted)) {
    waiter(known->record);
    return;
  }
  if (const auto found = looking.find(wanted); found != looking.end()) {
    auto& waiters = lookups.at(found->second).waiters;
    if (waiters.size() < kMaxWaiters) {
      waiters.push_back(std::move(waiter));
    } else {
      waiter(fail(ErrorCode::kExhausted, "too many wait for this address already"));
    }
    return;
  }
  if (lookups.size() >= kMaxLookups) {
    waiter(fail(ErrorCode::kExhausted, "too many addresses are being looked up"));
    return;
  }
  if (ask_relay(wanted, waiter)) return;
  kad::Actions actions;
  const auto id = dht->find_address(wanted, now(), actions);
  if (!id) {
    waiter(fail(id.error()));
    return;
  }
  Lookup entry;
  entry.address = wanted;
  entry.waiters.push_back(std::move(waiter));
  lookups.emplace(*id, std::move(entry));
  looking[wanted] = *id;
  carry_out(actions);
  arm();
}

void Overlay::Impl::resolved(const kad::LookupDone& done) {
  if (!follow(done)) answer(done.id);
}

void Overlay::Impl::answer(kad::LookupId id) {
  const auto found = lookups.find(id);
  if (found == lookups.end()) return;
  const Lookup entry = std::move(found->second);
  lookups.erase(found);
  looking.erase(entry.address);
  if (const auto* known = book.owner_of(entry.address)) {
    const NodeRecord copy = known->record;  // a waiter may change the book
    for (const auto& waiter : entry.waiters) waiter(copy);
    return;
  }
  for (const auto& waiter : entry.waiters)
    waiter(fail(ErrorCode::kNotFound, to_string(entry.address) + " is not in the network: nobody published it"));
}

void Overlay::Impl::greet(const kad::Named& named) {
  const auto& [key, endpoint] = named.node;
  if (!lookups.contains(named.id) || tunnels.contains(key) || greeted.contains(key) || greeted.size() >= kMaxGreeted)
    return;
  nat::Actions actions;
  paths->meet(key, endpoint, now(), actions);
  if (actions.sends.empty()) return;  // not an endpoint that we would probe
  carry_out(actions);
  tunnel::PeerConfig config;
  config.key = key;
  config.endpoint = tunnel::Endpoint{endpoint, 0};
  engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& out) {
    if (device.find_peer(key) != tunnel::kNoPeer) return;  // a stock client's
    const auto set = device.set_peer(config, when, out);
    if (!set) return;
    greeted[key] = {*set, now() + kGreeting};
    device.initiate(*set, when, out);
  });
}

std::vector<Prefix> Overlay::Impl::allowed_of(const NodeRecord& other) const {
  std::vector<Prefix> out{Prefix{other.address(), 128}};
  for (const auto& id : other.containers) out.push_back(Prefix{container_address(other.root, id), 128});
  for (const auto& one : book.pointed(other.id())) out.push_back(Prefix{one, 128});
  for (const auto& one : behind)
    if (one.node == other.id()) out.insert(out.end(), one.prefixes.begin(), one.prefixes.end());
  return out;
}

void Overlay::Impl::update_tunnel(const KnownNode& known) {
  const auto& key = known.record.tunnel.key;
  tunnel::PeerRef ref = tunnel::kNoPeer;
  tunnel::PeerConfig config;
  config.key = key;
  config.allowed = allowed_of(known.record);
  engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
    if (const auto set = device.set_peer(config, when, actions)) ref = *set;
  });
  if (ref == tunnel::kNoPeer) {
    log::warn("net", "tunnel_refused", {{"node", to_hex(known.record.id())}});
    return;
  }
  greeted.erase(key);
  Tunnel& entry = tunnels[key];
  if (entry.ref == tunnel::kNoPeer) entry.active = now();
  entry.ref = ref;
  entry.node = known.record.id();
  by_ref[ref] = key;
  book.pin(entry.node, true);
  const std::unique_lock guard(identity_mutex);
  identities[known.record.address()] = entry.node;
}

void Overlay::Impl::connect(const KnownNode& known, bool at_once) {
  const NodeRecord copy = known.record;
  const auto& key = copy.tunnel.key;
  const auto* holder = book.by_tunnel(key);
  const bool shown = holder != nullptr && holder->record.root == copy.root;
  if ((holder != nullptr || edges.contains(key)) && !shown) {
    log::warn("net", "foreign_tunnel_key", {{"claimed_by", to_hex(copy.id())}});
    return;
  }
  if (edges.contains(key)) drop_edge(key);  // it was shown to be the node's
  // Nobody has shown whose the key is: the latest claim is followed, and its holder asked.
  if (const auto held = tunnels.find(key); held != tunnels.end() && held->second.node != copy.id()) disconnect(key);
  // A rotated key takes the place of the former one.
  std::vector<crypto::X25519Public> former;
  for (const auto& [other, tunnel] : tunnels)
    if (tunnel.node == copy.id() && other != key) former.push_back(other);
  for (const auto& other : former) disconnect(other);
  if (!tunnels.contains(key) && tunnels.size() >= options.max_tunnels) {
    log::warn("net", "too_many_tunnels", {{"limit", options.max_tunnels}});
    return;
  }
  update_tunnel(known);
  nat::Actions actions;
  if (const auto wanted = paths->connect(copy, now(), actions, at_once); !wanted)
    log::debug("net", "no_path_wanted", {{"node", to_hex(copy.id())}, {"error", wanted.error().message}});
  std::optional<UdpEndpoint> first;
  for (const auto& one : actions.sends)
    if (!first && one.to == key && one.path.via == 0) first = one.path.udp;
  carry_out(actions);
  const auto found = tunnels.find(key);
  if (found == tunnels.end() || found->second.path) return arm();
  if (const auto path = paths->path(key)) {
    on_path(*path);  // proven before anybody wanted it
  } else if (at_once && first) {
    // The handshake goes along with the first probe.
    engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& out) {
      device.set_endpoint(found->second.ref, tunnel::Endpoint{*first, 0}, when, out);
    });
  }
  arm();
}

void Overlay::Impl::admit(const KnownNode& known, const tunnel::Endpoint& from) {
  const auto key = known.record.tunnel.key;
  connect(known);
  const auto found = tunnels.find(key);
  if (found == tunnels.end() || found->second.path) return;
  engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
    device.set_endpoint(found->second.ref, from, when, actions);
  });
}

void Overlay::Impl::look_again(const crypto::X25519Public& key) {
  const auto found = tunnels.find(key);
  if (found == tunnels.end() || found->second.path) return;
  auto& at = found->second.look_again_at;
  if (at && now() < *at) return;
  at = now() + std::min<Duration>(kLookAgain * (1 << std::min(found->second.looks++, 5u)), kLastLook);
  const auto* known = book.find(found->second.node);
  if (known == nullptr) return;
  finder.again(known->record.root, now());
  const Ipv6 wanted = known->record.address();
  Waiter nobody = [](const Result<NodeRecord>&) {};
  if (looking.contains(wanted) || lookups.size() >= kMaxLookups || ask_relay(wanted, nobody)) return;
  kad::Actions actions;
  if (const auto id = dht->find_address(wanted, now(), actions)) {
    lookups[*id].address = wanted;
    looking[wanted] = *id;
  }
  carry_out(actions);
}

void Overlay::Impl::disconnect(const crypto::X25519Public& key) {
  const auto found = tunnels.find(key);
  if (found == tunnels.end()) return;
  const Tunnel entry = found->second;
  tunnels.erase(found);
  by_ref.erase(entry.ref);
  book.pin(entry.node, false);
  engine->with_device([&](tunnel::Device& device, Instant, tunnel::Actions&) { device.remove_peer(entry.ref); });
  engine->clear_path_mtu(entry.ref);
  {
    const std::unique_lock guard(identity_mutex);
    identities.erase(overlay_address(entry.node));
  }
  nat::Actions actions;
  paths->forget(key, actions);
  carry_out(actions);
}

void Overlay::Impl::on_path(const nat::Actions::PathChanged& changed) {
  const auto found = tunnels.find(changed.peer);
  if (found == tunnels.end()) {
    // Somebody who probed us: the tunnel is made when the handshake comes.
    return;
  }
  const bool moved = !found->second.path || found->second.path->path != changed.path;
  found->second.path = changed;
  found->second.looks = 0;
  engine->set_path_mtu(found->second.ref, changed.mtu);
  if (!moved) return;
  const tunnel::Endpoint endpoint{changed.path.udp, changed.path.via};
  engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
    device.set_endpoint(found->second.ref, endpoint, when, actions);
  });
  handshakes.proven(changed.peer, changed.rtt, now());
  dht->on_contact_rtt(changed.peer, changed.rtt, now());
  log::debug("net", "path",
             {{"node", to_hex(found->second.node).substr(0, 12)},
              {"endpoint", to_string(changed.path.udp)},
              {"kind", std::string(nat::to_string(changed.kind))},
              {"rtt_us", std::chrono::duration_cast<std::chrono::microseconds>(changed.rtt).count()}});
}

void Overlay::Impl::handle_event(const tunnel::Event& event) {
  if (const auto* unknown = std::get_if<tunnel::UnknownDestination>(&event)) {
    // Whoever sprays addresses (a container that scans) leaves some lookups to others.
    if (lookups.size() >= kMaxTrafficLookups) return;
    resolve(unknown->destination, [weak = weak_from_this()](const Result<NodeRecord>& found) {
      const auto impl = weak.lock();
      if (!impl || !found || found->root == impl->root.public_key()) return;
      if (const auto* known = impl->book.find(found->id())) impl->connect(*known, true);
    });
  } else if (const auto* stranger = std::get_if<tunnel::UnknownInitiator>(&event)) {
    // Their record comes with the probes of the path that the handshake takes, before it or after.
    if (const auto* known = book.by_tunnel(stranger->key)) {
      admit(*known, stranger->endpoint);
    } else if (initiators.size() < kMaxInitiators) {
      initiators[stranger->key] = {stranger->endpoint, now() + kGreeting};
    }
  } else if (const auto* seen = std::get_if<tunnel::EndpointSeen>(&event)) {
    const bool edge = std::ranges::any_of(edges, [&](const auto& e) { return e.second == seen->peer; });
    if (edge) {  // stock clients roam as WireGuard does; nodes are the path manager's
      engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
        device.set_endpoint(seen->peer, seen->endpoint, when, actions);
      });
    }
  } else if (const auto* failed = std::get_if<tunnel::HandshakeFailed>(&event)) {
    if (const auto found = by_ref.find(failed->peer); found != by_ref.end())
      log::debug("net", "handshake_failed", {{"node", to_hex(tunnels.at(found->second).node).substr(0, 12)}});
  }
}

void Overlay::Impl::check_handshakes() {
  while (const auto check = handshakes.take(now())) {
    const auto found = tunnels.find(check->peer);
    if (found == tunnels.end() || !found->second.path) continue;
    bool waits = false;
    engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
      device.retry(found->second.ref, check->sent_before, when, actions);
      const auto info = device.info(found->second.ref);
      waits = info && info->initiating;
    });
    if (waits) handshakes.again(*check, now());
  }
}

void Overlay::Impl::forget_greeted() {
  std::erase_if(initiators, [&](const auto& one) { return one.second.second <= now(); });
  std::vector<tunnel::PeerRef> gone;
  std::erase_if(greeted, [&](const auto& one) {
    if (one.second.until > now()) return false;
    gone.push_back(one.second.ref);
    return true;
  });
  if (gone.empty()) return;
  engine->with_device([&](tunnel::Device& device, Instant, tunnel::Actions&) {
    for (const auto ref : gone) device.remove_peer(ref);
  });
}

void Overlay::Impl::look_at_traffic() {
  std::map<tunnel::PeerRef, std::pair<std::uint64_t, std::uint64_t>> bytes;  // received, both ways
  engine->read_device([&](const tunnel::Device& device, Instant) {
    for (const auto& [ref, key] : by_ref)
      if (const auto info = device.info(ref))
        bytes[ref] = {info->received_bytes, info->sent_bytes + info->received_bytes};
  });
  nat::Actions actions;
  std::vector<crypto::X25519Public> idle;
  for (auto& [key, tunnel] : tunnels) {
    const auto found = bytes.find(tunnel.ref);
    if (found != bytes.end() && found->second.second != tunnel.bytes) {
      const bool received = found->second.first != tunnel.received;
      tunnel.received = found->second.first;
      tunnel.bytes = found->second.second;
      tunnel.active = now();
      paths->on_traffic(key, received, now(), actions);
    } else if (now() - tunnel.active > options.idle_peer) {
      idle.push_back(key);
    }
  }
  carry_out(actions);
  std::vector<crypto::X25519Public> pathless;
  for (const auto& [key, tunnel] : tunnels)
    if (!tunnel.path) pathless.push_back(key);
  for (const auto& key : pathless) look_again(key);
  for (const auto& key : idle) {
    const auto found = tunnels.find(key);
    const auto* known = found == tunnels.end() ? nullptr : book.find(found->second.node);
    // Bookkeepers and configured peers stay.
    if (known != nullptr && hints.contains(known->record.root)) continue;
    disconnect(key);
  }
}

void Overlay::Impl::drop_edge(const crypto::X25519Public& key) {
  const auto found = edges.find(key);
  log::warn("net", "client_has_a_nodes_key", {{"client", tunnel::format_key(key)}});
  engine->with_device([&](tunnel::Device& device, Instant, tunnel::Actions&) { device.remove_peer(found->second); });
  engine->clear_path_mtu(found->second);
  edges.erase(found);
}

void Overlay::Impl::set_edge_peers(std::vector<EdgePeer> peers) {
  std::erase_if(peers, [this](const EdgePeer& peer) {
    const bool refused = book.by_tunnel(peer.key) != nullptr;
    if (refused) log::warn("net", "client_has_a_nodes_key", {{"client", tunnel::format_key(peer.key)}});
    // Who only claims the key in a record has no right to it.
    if (!refused && tunnels.contains(peer.key)) disconnect(peer.key);
    return refused;
  });
  std::map<crypto::X25519Public, tunnel::PeerRef> next;
  engine->with_device([&](tunnel::Device& device, Instant when, tunnel::Actions& actions) {
    for (const auto& peer : peers) {
      tunnel::PeerConfig config;
      config.key = peer.key;
      config.preshared_key = peer.preshared_key;
      config.allowed = peer.allowed;
      if (const auto ref = device.set_peer(config, when, actions)) next[peer.key] = *ref;
    }
    for (const auto& [key, ref] : edges)
      if (!next.contains(key)) device.remove_peer(ref);
  });
  for (const auto& [key, ref] : edges)
    if (!next.contains(key)) engine->clear_path_mtu(ref);
  // Nobody probes the paths to stock clients: theirs is what every path carries, as their configuration says.
  for (const auto& [key, ref] : next) engine->set_path_mtu(ref, kEdgeMtu);
  edges = std::move(next);
}

void Overlay::Impl::set_behind(std::vector<Behind> routes) {
  behind = std::move(routes);
  for (const auto& one : behind) {
    if (const auto* known = book.find(one.node)) {
      connect(*known);
      continue;
    }
    resolve(overlay_address(one.node), [weak = weak_from_this()](const Result<NodeRecord>& found) {
      const auto impl = weak.lock();
      if (!impl || !found) return;
      if (const auto* known = impl->book.find(found->id())) impl->connect(*known);
    });
  }
  // Nodes that lost a route keep their tunnel without it.
  std::vector<NodeId> nodes;
  for (const auto& [key, tunnel] : tunnels) nodes.push_back(tunnel.node);
  for (const auto& node : nodes)
    if (const auto* known = book.find(node)) update_tunnel(*known);
}

}  // namespace bonus::net::overlay
