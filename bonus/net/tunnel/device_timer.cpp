// Timers of a device (whitepaper, section 6). One entry a peer; what is due is worked out from its state each time.
#include "bonus/net/tunnel/device.hpp"
#include "bonus/net/tunnel/device_peer.hpp"

namespace bonus::net::tunnel {
namespace {

std::optional<Instant> instant_of(const std::atomic<std::int64_t>& value) {
  const std::int64_t at = value.load();
  if (at == PeerActivity::kNever) return std::nullopt;
  return Instant(Duration(at));
}

}  // namespace

void Device::schedule(Peer& peer, Instant now) {
  Instant due = Instant::max();
  const auto by = [&due](Instant at) { due = std::min(due, at); };

  if (peer.handshaking) by(peer.endpoint ? peer.retry_at : peer.attempt_began + kRekeyAttemptTime);
  for (const auto* session : {&peer.current, &peer.previous, &peer.next}) {
    if (*session) by((*session)->created + kRejectAfterTime);
  }
  if (peer.keepalive.count() > 0 && peer.endpoint) by(peer.keepalive_at);

  // The data path sets the marks without telling us while `watched` is set, and never one that is due within 10 s; so
  // look again within that time as long as there is any. See Session::note_sent for the order of the operations.
  PeerActivity& activity = *peer.activity;
  activity.watched.store(false);
  const auto received = instant_of(activity.unanswered_receive), sent = instant_of(activity.unanswered_send);
  if (received || sent) {
    activity.watched.store(true);
    if (received) by(*received + kKeepaliveTimeout);
    if (sent) by(*sent + kKeepaliveTimeout + kRekeyTimeout + peer.new_handshake_jitter);
    by(now + kKeepaliveTimeout);
  }

  if (due == Instant::max()) {
    if (peer.timer) timers_.erase({*peer.timer, peer.ref});
    peer.timer.reset();
  } else if (peer.timer != due) {
    if (peer.timer) timers_.erase({*peer.timer, peer.ref});
    timers_.emplace(due, peer.ref);
    peer.timer = due;
  }
}

std::optional<Instant> Device::next_timer() const {
  if (timers_.empty()) return purge_at_;
  const Instant first = timers_.begin()->first;
  return purge_at_ ? std::min(first, *purge_at_) : first;
}

void Device::on_timer(Instant now, Actions& actions) {
  if (purge_at_ && *purge_at_ <= now) purge(now);
  // Each peer at most once a call: a timer that is set again is later than now.
  while (!timers_.empty() && timers_.begin()->first <= now) {
    const PeerRef ref = timers_.begin()->second;
    timers_.erase(timers_.begin());
    Peer& peer = *get(ref);
    peer.timer.reset();
    run_peer(peer, now, actions);
    schedule(peer, now);
  }
}

void Device::run_peer(Peer& peer, Instant now, Actions& actions) {
  for (auto* session : {&peer.current, &peer.previous, &peer.next}) {
    if (*session && (*session)->expired(now)) drop_session(*session);
  }
  if (peer.handshaking && now >= peer.attempt_began + kRekeyAttemptTime) {
    forget_initiation(peer);
    peer.handshaking = false;
    peer.activity->unanswered_send.store(PeerActivity::kNever);
    drop_queue(peer);
    ++counters_.handshakes_failed;
    actions.events.emplace_back(HandshakeFailed{peer.ref});
  } else if (peer.handshaking && peer.endpoint && now >= peer.retry_at) {
    peer.cookie_retried = false;
    clear_local(peer);
    send_initiation(peer, now, actions);
  }
  run_activity(peer, now, actions);
}

void Device::run_activity(Peer& peer, Instant now, Actions& actions) {
  PeerActivity& activity = *peer.activity;
  // Data came and nothing was sent for a while: the peer would think us gone.
  if (const auto at = instant_of(activity.unanswered_receive); at && now >= *at + kKeepaliveTimeout) {
    activity.unanswered_receive.store(PeerActivity::kNever);
    if (peer.current) send_keepalive(peer, now, actions);
  }
  // Data was sent and not even a keepalive came: the peer lost the session, or the path broke.
  const Duration silence = kKeepaliveTimeout + kRekeyTimeout + peer.new_handshake_jitter;
  if (const auto at = instant_of(activity.unanswered_send); at && now >= *at + silence) {
    activity.unanswered_send.store(PeerActivity::kNever);
    peer.new_handshake_jitter = jitter();
    clear_local(peer);  // the machine may have moved to another network and still have its address of the former
    begin_handshake(peer, now, actions);
  }
  if (peer.keepalive.count() > 0 && peer.endpoint && now >= peer.keepalive_at) {
    const auto last = instant_of(activity.last_any);
    if (last && *last + peer.keepalive > now && peer.last_handshake) {
      peer.keepalive_at = *last + peer.keepalive;  // any authenticated packet counts
    } else {
      send_keepalive(peer, now, actions);
      peer.keepalive_at = now + peer.keepalive;
    }
  }
}

void Device::purge(Instant now) {
  purge_at_.reset();
  const auto keep = [&](Instant until) {
    if (until <= now) return false;
    purge_at_ = purge_at_ ? std::min(*purge_at_, until) : until;
    return true;
  };
  std::erase_if(held_, [&](const auto& entry) {
    if (keep(entry.second.until)) return false;
    counters_.dropped_queue += entry.second.packets.size();
    for (const Bytes& packet : entry.second.packets) queued_bytes_ -= packet.size();
    return true;
  });
  std::erase_if(strangers_, [&](const auto& entry) {
    if (keep(entry.second.until)) return false;
    ++counters_.dropped_unknown_key;
    return true;
  });
}

}  // namespace bonus::net::tunnel
