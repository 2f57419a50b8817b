// Peers of a device: adding, changing, removing, looking up.
#include "bonus/net/tunnel/device.hpp"

#include <fmt/format.h>

#include "bonus/net/tunnel/device_peer.hpp"

namespace bonus::net::tunnel {

Device::Device(const crypto::X25519Secret& secret, const DeviceOptions& options, runtime::Random& random, Instant now,
               UnixMillis wall_ms)
    : identity_(secret),
      options_(options),
      random_(random),
      started_(now),
      wall_at_start_(std::chrono::milliseconds(wall_ms)),
      routes_(2 * options.max_peers, std::max<std::size_t>(options.max_peers / 4, 4096)),
      cookies_(random),
      unproven_(options.handshakes_per_prefix, options.handshake_burst_per_prefix),
      proven_(options.handshakes_per_prefix, options.handshake_burst_per_prefix),
      cookie_limit_(options.cookies_per_prefix, options.cookie_burst_per_prefix, options.cookies_per_second),
      budget_(options.initiation_burst),
      budget_at_(now),
      loaded_until_(now) {}

Device::~Device() = default;

Duration Device::jitter() {
  // Whitepaper, section 6.1: so that two peers do not start over and over at the same moment.
  return std::chrono::milliseconds(random_.below(334));
}

void Device::note_wall_clock(Instant now, UnixMillis wall_ms) {
  wall_at_start_ = std::max(wall_at_start_, Duration(std::chrono::milliseconds(wall_ms)) - (now - started_));
}

void Device::set_private_key(const crypto::X25519Secret& secret, Instant now) {
  identity_ = Identity(secret);
  if (const PeerRef self = find_peer(identity_.public_key); self != kNoPeer) remove_peer(self);
  strangers_.clear();
  for (auto& [ref, peer] : peers_) {
    drop_session(peer->current);
    drop_session(peer->previous);
    drop_session(peer->next);
    forget_initiation(*peer);
    peer->handshaking = false;
    peer->initiation_sent.reset();
    peer->cookie.reset();
    // The peer's key was agreed with before: it is no low-order point.
    if (auto remote = make_remote(identity_, peer->remote.public_key, peer->remote.preshared_key)) {
      peer->remote = *remote;
    }
    schedule(*peer, now);
  }
  changed();
}

Result<PeerRef> Device::set_peer(const PeerConfig& config, Instant now, Actions& actions) {
  if (config.key == identity_.public_key) return fail(ErrorCode::kInvalid, "the peer's public key is our own");
  Peer* peer = nullptr;
  const auto known = by_key_.find(config.key);
  if (known != by_key_.end()) {
    peer = known->second;
    peer->remote.preshared_key = config.preshared_key;  // enters with the response only: an initiation stays good
  } else {
    if (peers_.size() >= options_.max_peers) {
      return fail(ErrorCode::kExhausted, fmt::format("the tunnel has {} peers and takes no more", options_.max_peers));
    }
    auto made = std::make_unique<Peer>();
    TRY_ASSIGN(made->remote, make_remote(identity_, config.key, config.preshared_key));
    made->ref = PeerRef{++last_peer_};
    made->new_handshake_jitter = jitter();
    peer = made.get();
    by_key_.emplace(config.key, peer);
    peers_.emplace(peer->ref, std::move(made));
  }
  if (auto set = set_allowed(*peer, config.allowed); !set) {
    const PeerRef ref = peer->ref;
    if (known == by_key_.end()) remove_peer(ref);
    return fail(std::move(set).error());
  }
  const Duration keepalive = std::chrono::seconds(config.keepalive_s);
  if (peer->keepalive != keepalive) {
    peer->keepalive = keepalive;
    peer->keepalive_at = now;  // one at once: the mapping of a NAT is to exist from now on
  }
  changed();
  const PeerRef ref = peer->ref;
  if (config.endpoint) set_endpoint(ref, *config.endpoint, now, actions);
  for (const Prefix& prefix : config.allowed) release_held(prefix, *peer, now, actions);
  if (const auto stranger = strangers_.find(config.key); stranger != strangers_.end()) {
    const Stranger waiting = stranger->second;
    strangers_.erase(stranger);
    if (now < waiting.until) on_initiation(waiting.from, waiting.message, now, actions);
  }
  schedule(*peer, now);
  return ref;
}

Result<> Device::set_allowed(Peer& peer, const std::vector<Prefix>& allowed) {
  for (const Prefix& prefix : peer.allowed) {
    if (std::ranges::find(allowed, prefix) == allowed.end()) routes_.erase(prefix, peer.ref);
  }
  peer.allowed.clear();
  for (const Prefix& prefix : allowed) {
    TRY(routes_.set(prefix, peer.ref));
    if (std::ranges::find(peer.allowed, prefix) == peer.allowed.end()) peer.allowed.push_back(prefix);
  }
  return {};
}

void Device::remove_peer(PeerRef ref) {
  Peer* peer = get(ref);
  if (peer == nullptr) return;
  for (const Prefix& prefix : peer->allowed) routes_.erase(prefix, ref);
  drop_session(peer->current);
  drop_session(peer->previous);
  drop_session(peer->next);
  forget_initiation(*peer);
  drop_queue(*peer);
  if (peer->timer) timers_.erase({*peer->timer, ref});
  by_key_.erase(peer->remote.public_key);
  peers_.erase(ref);
  changed();
}

Result<> Device::allow(PeerRef ref, const Prefix& prefix, Instant now, Actions& actions) {
  Peer* peer = get(ref);
  if (peer == nullptr) return fail(ErrorCode::kNotFound, "no such peer");
  TRY(routes_.set(prefix, ref));
  if (std::ranges::find(peer->allowed, prefix) == peer->allowed.end()) peer->allowed.push_back(prefix);
  changed();
  release_held(prefix, *peer, now, actions);
  schedule(*peer, now);
  return {};
}

void Device::disallow(PeerRef ref, const Prefix& prefix) {
  Peer* peer = get(ref);
  if (peer == nullptr) return;
  routes_.erase(prefix, ref);
  std::erase(peer->allowed, prefix);
  changed();
}

void Device::set_endpoint(PeerRef ref, const Endpoint& endpoint, Instant now, Actions& actions) {
  Peer* peer = get(ref);
  if (peer == nullptr || !endpoint.valid()) return;
  Endpoint to = endpoint;
  if (!to.local.known()) {
    if (peer->endpoint && peer->endpoint->same_place(to)) return;
    if (peer->seen && peer->seen->same_place(to)) to.local = peer->seen->local;
  }
  if (peer->endpoint == to) return;
  peer->endpoint = to;
  if (options_.roam == DeviceOptions::Roam::kFollow) peer->activity->endpoint_tag.store(to.tag());
  changed();
  // A handshake that had nowhere to go; or that went elsewhere, perhaps in vain: the path manager has found better.
  if (peer->handshaking && (!peer->initiation || options_.roam == DeviceOptions::Roam::kReport))
    send_initiation(*peer, now, actions);
  schedule(*peer, now);
}

void Device::forget_local(const Ipv6& address) {
  for (auto& [ref, peer] : peers_) {
    const auto has = [&](const std::optional<Endpoint>& endpoint) {
      return endpoint && endpoint->local.address == address;
    };
    if (has(peer->endpoint) || has(peer->seen)) clear_local(*peer);
  }
}

void Device::clear_local(Peer& peer) {
  for (auto* const endpoint : {&peer.endpoint, &peer.seen}) {
    if (!*endpoint || !(*endpoint)->local.known()) continue;
    (*endpoint)->local = {};
    peer.activity->endpoint_tag.store(0);  // so that the next packet is looked at
    changed();
  }
}

PeerRef Device::find_peer(const crypto::X25519Public& key) const {
  const auto found = by_key_.find(key);
  return found == by_key_.end() ? kNoPeer : found->second->ref;
}

std::optional<PeerInfo> Device::info(PeerRef ref) const {
  const Peer* peer = get(ref);
  if (peer == nullptr) return std::nullopt;
  const PeerActivity& activity = *peer->activity;
  PeerInfo out;
  out.peer = ref;
  out.key = peer->remote.public_key;
  out.has_preshared_key = !peer->remote.preshared_key.is_zero();
  out.endpoint = peer->endpoint;
  for (const Prefix& prefix : peer->allowed) {
    if (routes_.owner(prefix) == ref) out.allowed.push_back(prefix);  // not those another peer took over
  }
  out.keepalive_s =
      static_cast<std::uint16_t>(std::chrono::duration_cast<std::chrono::seconds>(peer->keepalive).count());
  out.last_handshake = peer->last_handshake;
  out.has_session = peer->current != nullptr;
  out.initiating = peer->handshaking;
  out.sent_bytes = activity.sent_bytes.load(std::memory_order_relaxed);
  out.received_bytes = activity.received_bytes.load(std::memory_order_relaxed);
  out.sent_packets = activity.sent_packets.load(std::memory_order_relaxed);
  out.received_packets = activity.received_packets.load(std::memory_order_relaxed);
  out.queued_packets = peer->queue.size();
  return out;
}

std::vector<PeerRef> Device::peers() const {
  std::vector<PeerRef> out;
  out.reserve(peers_.size());
  for (const auto& entry : peers_) out.push_back(entry.first);
  std::ranges::sort(out);
  return out;
}

}  // namespace bonus::net::tunnel
