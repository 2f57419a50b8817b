// Handshakes of a device: what strangers may cost it, answering, starting.
#include "bonus/net/tunnel/device.hpp"
#include "bonus/net/tunnel/device_peer.hpp"

namespace bonus::net::tunnel {
namespace {

/// At least this between two initiations of one peer that are answered; wireguard-go and Linux have the same.
constexpr Duration kInitiationInterval = std::chrono::milliseconds(20);

Bytes to_bytes(BytesView in) { return {in.begin(), in.end()}; }

}  // namespace

void Device::on_handshake_datagram(const Endpoint& from, BytesView datagram, Instant now, Actions& actions) {
  const auto type = message_type(datagram);
  if (!type || *type == MessageType::kTransport) {
    ++counters_.dropped_malformed;
    return;
  }
  if (*type == MessageType::kCookieReply) {
    on_cookie_reply(datagram, now, actions);
    return;
  }
  if (*type == MessageType::kInitiation) ++counters_.initiations_received;
  // mac1 shows only that the sender knows our public key: scans and reflections end here, without a reply.
  if (!check_mac1(datagram, identity_.mac1_key)) {
    ++counters_.dropped_mac;
    return;
  }
  if (!admit(from, datagram, now, actions)) return;
  if (*type == MessageType::kInitiation) {
    on_initiation(from, datagram, now, actions);
  } else {
    on_response(from, datagram, now, actions);
  }
}

bool Device::loaded(Instant now) {
  const double passed = std::max(std::chrono::duration<double>(now - budget_at_).count(), 0.0);
  const double refill = passed * options_.initiations_per_second;
  budget_ = std::min(options_.initiation_burst, budget_ + refill);
  demand_ = std::max(0.0, demand_ - refill);
  budget_at_ = std::max(budget_at_, now);  // threads of the shell read their clocks apart
  // Stays so for a second: a flood comes in waves, and cookies given out are to be of use.
  if (demand_ > options_.initiation_burst / 2) loaded_until_ = now + std::chrono::seconds(1);
  return under_load_ || now < loaded_until_;
}

bool Device::admit(const Endpoint& from, BytesView message, Instant now, Actions& actions) {
  const bool proven = cookies_.check_mac2(message, from, now);
  const bool allowed = (proven ? proven_ : unproven_).allow(from.udp.address, now);
  // What is asked of us counts, not what we did of it: under a steady flood the load does not seem to end. What its
  // prefix may not ask does not count: a flood from one place is no reason to make others prove theirs.
  if (allowed) demand_ = std::min(demand_ + 1, options_.initiation_burst);
  const bool busy = loaded(now);
  if (allowed && (proven || !busy)) return true;
  if (proven || !cookie_limit_.allow(from.udp.address, now)) {
    ++counters_.dropped_rate;
    return false;
  }
  // Sources are easily forged until now: a prefix that somebody floods from, or in whose name, gets cookies, and who
  // really lives there comes back with one. 64 bytes, never more than what came.
  const CookieReplyBytes reply = cookies_.reply(message, from, identity_.cookie_key, now);
  actions.send.push_back({from, to_bytes(reply)});
  ++counters_.cookies_sent;
  return false;
}

void Device::on_initiation(const Endpoint& from, BytesView message, Instant now, Actions& actions) {
  (void)loaded(now);  // refills the budget
  if (budget_ < 1) {
    ++counters_.dropped_rate;
    return;
  }
  budget_ -= 1;
  ++counters_.key_agreements;
  auto received = open_initiation(identity_, message);
  if (!received) {
    ++counters_.dropped_authentication;
    return;
  }
  const auto known = by_key_.find(received->peer);
  if (known == by_key_.end()) {
    hold_stranger(*received, from, message, now, actions);
    return;
  }
  Peer& peer = *known->second;
  const auto timestamp = open_timestamp(*received, peer.remote);
  if (!timestamp) {
    ++counters_.dropped_authentication;
    return;
  }
  if (*timestamp <= peer.greatest_timestamp) {
    ++counters_.dropped_replay;
    return;
  }
  if (peer.initiation_consumed && now - *peer.initiation_consumed < kInitiationInterval) {
    ++counters_.dropped_rate;
    return;
  }
  peer.greatest_timestamp = *timestamp;
  peer.initiation_consumed = now;
  answer(peer, *received, from, now, actions);
}

void Device::answer(Peer& peer, ReceivedInitiation& received, const Endpoint& from, Instant now, Actions& actions) {
  drop_session(peer.next);
  if (!make_room(false)) {
    ++counters_.dropped_table_full;
    return;
  }
  crypto::X25519Secret ephemeral;
  random_.fill(ephemeral.bytes);
  const std::uint32_t index = new_index();
  ResponseBytes response;
  counters_.key_agreements += 2;
  const auto keys = create_response(received, peer.remote, index, ephemeral, response);
  if (!keys) {
    ++counters_.dropped_authentication;
    return;
  }
  const bool cookie_fresh = peer.cookie && now - peer.cookie_received < kCookieLifetime;
  peer.last_mac1 = add_macs(response, peer.remote.mac1_key, cookie_fresh ? peer.cookie : std::nullopt);
  peer.next = add_session(peer, index, *keys, false, now);
  // The endpoint does not move yet: a recorded initiation may have been sent to us after a restart. The first packet
  // of the new session proves that the peer is there.
  actions.send.push_back({from, to_bytes(response)});
  ++counters_.responses_sent;
  peer.activity->last_any.store(now.time_since_epoch().count());
  schedule(peer, now);
}

void Device::hold_stranger(ReceivedInitiation& received, const Endpoint& from, BytesView message, Instant now,
                           Actions& actions) {
  const auto known = strangers_.find(received.peer);
  if (!options_.discover || (known == strangers_.end() && strangers_.size() >= options_.max_unknown_initiators)) {
    ++counters_.dropped_unknown_key;
    return;
  }
  // One more key agreement tells whether the sender has the key that it names, so that nobody sends us looking for
  // records, or takes the waiting place of another, in a name that is not its own.
  budget_ -= 1;
  ++counters_.key_agreements;
  const auto remote = make_remote(identity_, received.peer, {});
  if (!remote || !open_timestamp(received, *remote)) {
    ++counters_.dropped_authentication;
    return;
  }
  Stranger stranger{.message = {}, .from = from, .until = now + options_.unknown_hold};
  std::ranges::copy(message, stranger.message.begin());
  const bool fresh = known == strangers_.end();
  strangers_[received.peer] = stranger;
  if (!purge_at_) purge_at_ = stranger.until;
  if (fresh) actions.events.emplace_back(UnknownInitiator{received.peer, from});
}

void Device::on_response(const Endpoint& from, BytesView message, Instant now, Actions& actions) {
  const auto mine = initiations_.find(receiver_index(message));
  Peer* peer = mine == initiations_.end() ? nullptr : get(mine->second);
  if (peer == nullptr || !peer->initiation) {
    ++counters_.dropped_authentication;
    return;
  }
  counters_.key_agreements += 2;
  const auto keys = open_response(identity_, peer->remote, *peer->initiation, message);
  if (!keys) {
    ++counters_.dropped_authentication;
    return;
  }
  ++counters_.responses_received;
  const std::uint32_t index = peer->initiation->local_index;
  forget_initiation(*peer);
  peer->handshaking = false;
  if (!make_room(true)) {
    ++counters_.dropped_table_full;
    schedule(*peer, now);
    return;
  }
  auto session = add_session(*peer, index, *keys, true, now);
  // When both sides started at once, the session that we answered stays to receive with: the peer may send on it.
  if (peer->next) {
    drop_session(peer->previous);
    drop_session(peer->current);
    peer->previous = std::move(peer->next);
    peer->next.reset();
  } else {
    drop_session(peer->previous);
    peer->previous = std::move(peer->current);
  }
  peer->current = std::move(session);
  ++counters_.handshakes_completed;
  peer->activity->last_any.store(now.time_since_epoch().count());
  peer->activity->unanswered_send.store(PeerActivity::kNever);
  note_source(*peer, from, actions);
  session_ready(*peer, now, actions);
}

void Device::on_cookie_reply(BytesView message, Instant now, Actions& actions) {
  // Of an initiation, or of a response that made a session.
  const std::uint32_t index = receiver_index(message);
  Peer* peer = nullptr;
  if (const auto mine = initiations_.find(index); mine != initiations_.end()) {
    peer = get(mine->second);
  } else if (const auto session = sessions_.find(index); session != sessions_.end()) {
    peer = get(session->second.session->peer);
  }
  if (peer == nullptr || !peer->last_mac1) {
    ++counters_.dropped_authentication;
    return;
  }
  const auto cookie = open_cookie_reply(message, peer->remote.cookie_key, *peer->last_mac1);
  if (!cookie) {
    ++counters_.dropped_authentication;
    return;
  }
  ++counters_.cookies_received;
  peer->cookie = cookie;
  peer->cookie_received = now;
  peer->last_mac1.reset();  // one reply a message
  // The whitepaper waits for the retry of kRekeyTimeout; a peer under load is reached sooner by one message at once,
  // and only one until then.
  if (peer->handshaking && peer->initiation && !peer->cookie_retried) {
    peer->cookie_retried = true;
    send_initiation(*peer, now, actions);
    schedule(*peer, now);
  }
}

void Device::initiate(PeerRef ref, Instant now, Actions& actions) {
  if (Peer* peer = get(ref)) {
    begin_handshake(*peer, now, actions);
    schedule(*peer, now);
  }
}

void Device::retry(PeerRef ref, Instant proven, Instant now, Actions& actions) {
  Peer* peer = get(ref);
  if (peer == nullptr || !peer->handshaking || !peer->initiation_sent || *peer->initiation_sent >= proven) return;
  send_initiation(*peer, now, actions);
  schedule(*peer, now);
}

void Device::begin_handshake(Peer& peer, Instant now, Actions& actions) {
  if (peer.handshaking) return;
  peer.handshaking = true;
  peer.attempt_began = now;
  peer.cookie_retried = false;
  if (peer.initiation_sent && now - *peer.initiation_sent < kRekeyTimeout) {
    peer.retry_at = *peer.initiation_sent + kRekeyTimeout + jitter();
    return;
  }
  send_initiation(peer, now, actions);
}

void Device::forget_initiation(Peer& peer) {
  if (!peer.initiation) return;
  initiations_.erase(peer.initiation->local_index);
  peer.initiation.reset();
}

void Device::send_initiation(Peer& peer, Instant now, Actions& actions) {
  forget_initiation(peer);
  peer.retry_at = now + kRekeyTimeout + jitter();
  if (!peer.endpoint) return;  // set_endpoint goes on
  crypto::X25519Secret ephemeral;
  random_.fill(ephemeral.bytes);
  InitiationBytes message;
  peer.initiation = create_initiation(identity_, peer.remote, new_index(), tai64n(wall_at_start_ + (now - started_)),
                                      ephemeral, message);
  if (!peer.initiation) return;  // a low-order key cannot be a peer's
  initiations_.emplace(peer.initiation->local_index, peer.ref);
  const bool cookie_fresh = peer.cookie && now - peer.cookie_received < kCookieLifetime;
  peer.last_mac1 = add_macs(message, peer.remote.mac1_key, cookie_fresh ? peer.cookie : std::nullopt);
  peer.initiation_sent = now;
  actions.send.push_back({*peer.endpoint, to_bytes(message)});
  ++counters_.initiations_sent;
  peer.activity->last_any.store(now.time_since_epoch().count());
}

}  // namespace bonus::net::tunnel
