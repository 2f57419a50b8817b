// Sessions of a device: the bounded table, what waits for one, and the data path's questions.
#include "bonus/net/tunnel/device.hpp"
#include "bonus/net/tunnel/device_peer.hpp"

namespace bonus::net::tunnel {

std::uint32_t Device::new_index() {
  while (true) {
    const auto index = static_cast<std::uint32_t>(random_.next_u64());
    if (!sessions_.contains(index) && !initiations_.contains(index)) return index;
  }
}

bool Device::make_room(bool confirmed) {
  if (sessions_.size() < options_.max_sessions) return true;
  // The oldest goes: sessions in use are made anew every two minutes, so it is among the least recently used. Who only
  // starts handshakes cannot push out a session in use: an unconfirmed one is made room for by its like.
  std::uint32_t victim = 0;
  if (!unconfirmed_.empty()) {
    victim = unconfirmed_.begin()->second;
  } else if (confirmed && !confirmed_.empty()) {
    victim = confirmed_.begin()->second;
  } else {
    return false;
  }
  const std::shared_ptr<Session> session = sessions_.at(victim).session;
  Peer* peer = get(session->peer);
  for (auto* slot : {&peer->current, &peer->previous, &peer->next}) {
    if (*slot == session) drop_session(*slot);
  }
  ++counters_.sessions_evicted;
  return true;
}

std::shared_ptr<Session> Device::add_session(Peer& peer, std::uint32_t local_index, const SessionKeys& keys,
                                             bool initiator, Instant now) {
  auto session = std::make_shared<Session>();
  session->peer_key = peer.remote.public_key;
  session->peer = peer.ref;
  session->local_index = local_index;
  session->remote_index = keys.remote_index;
  session->send_key = initiator ? keys.from_initiator : keys.from_responder;
  session->receive_key = initiator ? keys.from_responder : keys.from_initiator;
  session->created = now;
  session->is_initiator = initiator;
  session->rekey_after = options_.rekey_after_messages;
  session->reject_after = options_.reject_after_messages;
  session->activity = peer.activity;
  session->confirmed.store(initiator, std::memory_order_release);
  const std::uint64_t order = ++last_order_;
  sessions_.emplace(local_index, Entry{session, order});
  (initiator ? confirmed_ : unconfirmed_).emplace(order, local_index);
  changed();
  return session;
}

void Device::drop_session(std::shared_ptr<Session>& session) {
  if (!session) return;
  const auto found = sessions_.find(session->local_index);
  confirmed_.erase(found->second.order);
  unconfirmed_.erase(found->second.order);
  sessions_.erase(found);
  session.reset();
  changed();
}

void Device::confirm(Peer& peer, const std::shared_ptr<Session>& session, Instant now, Actions& actions) {
  const auto found = sessions_.find(session->local_index);
  if (found == sessions_.end() || found->second.session != session) return;  // dropped while the packet was decrypted
  unconfirmed_.erase(found->second.order);
  confirmed_.emplace(found->second.order, session->local_index);
  session->confirmed.store(true, std::memory_order_release);
  changed();
  if (peer.next != session) return;  // kept to receive with: both sides started at once
  drop_session(peer.previous);
  peer.previous = std::move(peer.current);
  peer.current = std::move(peer.next);
  peer.next.reset();
  forget_initiation(peer);
  peer.handshaking = false;
  ++counters_.handshakes_completed;
  session_ready(peer, now, actions);
}

void Device::session_ready(Peer& peer, Instant now, Actions& actions) {
  peer.last_handshake = now;
  peer.cookie_retried = false;
  actions.ready.push_back(peer.ref);
  // An initiator confirms the session by a packet at once; the responder may not send before.
  if (peer.queue.empty() && peer.current->is_initiator) send_keepalive(peer, now, actions);
  schedule(peer, now);
}

void Device::send_keepalive(Peer& peer, Instant now, Actions& actions) {
  if (!peer.current || !peer.current->may_send(now) || !peer.endpoint) {
    begin_handshake(peer, now, actions);
    return;
  }
  const auto session = peer.current;
  auto message = seal_transport(*session, {});
  if (!message) return;
  const bool wanted = session->note_sent(now, 1, message->size(), false);
  actions.send.push_back({*peer.endpoint, std::move(*message)});
  ++counters_.keepalives_sent;
  if (wanted) begin_handshake(peer, now, actions);
}

std::optional<Route> Device::route_of(const Peer& peer, Instant now) const {
  if (!peer.current || !peer.endpoint || !peer.current->may_send(now)) return std::nullopt;
  return Route{peer.current, *peer.endpoint, peer.ref};
}

std::optional<Route> Device::find_route(const Ipv6& destination, Instant now) const {
  return peer_route(routes_.find(destination), now);
}

std::optional<Route> Device::peer_route(PeerRef ref, Instant now) const {
  const Peer* peer = get(ref);
  return peer == nullptr ? std::nullopt : route_of(*peer, now);
}

std::optional<Route> Device::send_session(const Ipv6& destination, BytesView packet, Instant now, Actions& actions) {
  Peer* peer = get(routes_.find(destination));
  if (peer == nullptr) {
    if (options_.discover && is_overlay(destination)) {
      hold_unknown(destination, packet, now, actions);
    } else {
      ++counters_.dropped_no_route;
    }
    return std::nullopt;
  }
  if (auto route = route_of(*peer, now)) return route;
  enqueue(*peer, packet);
  begin_handshake(*peer, now, actions);
  schedule(*peer, now);
  return std::nullopt;
}

void Device::enqueue(Peer& peer, BytesView packet) {
  const auto drop_oldest = [&] {
    queued_bytes_ -= peer.queue.front().size();
    peer.queue.pop_front();
    ++counters_.dropped_queue;
  };
  while (!peer.queue.empty() && (peer.queue.size() >= options_.max_queued_packets ||
                                 queued_bytes_ + packet.size() > options_.max_queued_bytes)) {
    drop_oldest();
  }
  if (options_.max_queued_packets == 0 || queued_bytes_ + packet.size() > options_.max_queued_bytes) {
    ++counters_.dropped_queue;
    return;
  }
  peer.queue.emplace_back(packet.begin(), packet.end());
  queued_bytes_ += packet.size();
}

void Device::drop_queue(Peer& peer) {
  counters_.dropped_queue += peer.queue.size();
  for (const Bytes& packet : peer.queue) queued_bytes_ -= packet.size();
  peer.queue.clear();
}

std::vector<Bytes> Device::take_queued(PeerRef ref) {
  std::vector<Bytes> out;
  Peer* peer = get(ref);
  if (peer == nullptr) return out;
  for (Bytes& packet : peer->queue) {
    queued_bytes_ -= packet.size();
    out.push_back(std::move(packet));
  }
  peer->queue.clear();
  return out;
}

void Device::hold_unknown(const Ipv6& destination, BytesView packet, Instant now, Actions& actions) {
  auto found = held_.find(destination);
  if (found == held_.end()) {
    if (held_.size() >= options_.max_unknown_destinations) {
      ++counters_.dropped_no_route;
      return;
    }
    found = held_.emplace(destination, Held{{}, now + options_.unknown_hold}).first;
    if (!purge_at_) purge_at_ = found->second.until;
    actions.events.emplace_back(UnknownDestination{destination});
  }
  Held& held = found->second;
  if (held.packets.size() >= options_.max_packets_per_unknown ||
      queued_bytes_ + packet.size() > options_.max_queued_bytes) {
    ++counters_.dropped_queue;
    return;
  }
  held.packets.emplace_back(packet.begin(), packet.end());
  queued_bytes_ += packet.size();
}

void Device::release_held(const Prefix& prefix, Peer& peer, Instant now, Actions& actions) {
  std::vector<Ipv6> matching;
  if (prefix.bits == 128) {
    if (held_.contains(prefix.address)) matching.push_back(prefix.address);
  } else {
    for (const auto& entry : held_) {
      if (prefix.contains(entry.first) && routes_.find(entry.first) == peer.ref) matching.push_back(entry.first);
    }
  }
  for (const Ipv6& destination : matching) {
    auto node = held_.extract(destination);
    for (const Bytes& packet : node.mapped().packets) {
      queued_bytes_ -= packet.size();
      enqueue(peer, packet);
    }
    if (route_of(peer, now)) {
      actions.ready.push_back(peer.ref);
    } else {
      begin_handshake(peer, now, actions);
    }
  }
}

std::shared_ptr<Session> Device::session_by_index(std::uint32_t local_index) const {
  const auto found = sessions_.find(local_index);
  return found == sessions_.end() ? nullptr : found->second.session;
}

void Device::note_source(Peer& peer, const Endpoint& from, Actions& actions) {
  if (peer.activity->endpoint_tag.load(std::memory_order_relaxed) == from.tag() && peer.endpoint) return;
  peer.activity->endpoint_tag.store(from.tag(), std::memory_order_relaxed);
  const bool follow = options_.roam == DeviceOptions::Roam::kFollow;
  const bool seen = peer.seen && peer.seen->same_place(from), same = peer.endpoint && peer.endpoint->same_place(from);
  peer.seen = from;
  if ((same || follow || !peer.endpoint) && peer.endpoint != from) {
    peer.endpoint = from;
    changed();
  }
  if (follow ? same : seen) return;  // only our own address is another one, or nothing
  actions.events.emplace_back(EndpointSeen{peer.ref, from});
}

void Device::on_sent(const Session& session, Instant now, Actions& actions) {
  Peer* peer = get(session.peer);
  if (peer == nullptr) return;
  if (peer->current.get() == &session && session.rekey_due_sending(now)) begin_handshake(*peer, now, actions);
  schedule(*peer, now);
}

void Device::on_received(const std::shared_ptr<Session>& session, const Endpoint& from, Instant now, Actions& actions) {
  Peer* peer = get(session->peer);
  if (peer == nullptr) return;
  note_source(*peer, from, actions);
  if (!session->confirmed.load(std::memory_order_acquire)) confirm(*peer, session, now, actions);
  if (peer->current == session && session->rekey_due_receiving(now)) begin_handshake(*peer, now, actions);
  schedule(*peer, now);
}

}  // namespace bonus::net::tunnel
