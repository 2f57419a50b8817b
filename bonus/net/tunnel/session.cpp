// What the data path tells the core without taking its lock.
#include "bonus/net/tunnel/session.hpp"

#include <sodium.h>

namespace bonus::net::tunnel {

Session::~Session() {
  sodium_memzero(send_key.bytes.data(), send_key.bytes.size());
  sodium_memzero(receive_key.bytes.data(), receive_key.bytes.size());
}

bool Session::ask_rekey(Instant now) {
  // Once per kRekeyTimeout: the core has a handshake under way by then, or had to give one up.
  std::int64_t before = rekey_asked_.load(std::memory_order_relaxed);
  const std::int64_t at = now.time_since_epoch().count();
  if (before != PeerActivity::kNever && at - before < kRekeyTimeout.count()) return false;
  return rekey_asked_.compare_exchange_strong(before, at, std::memory_order_relaxed);
}

bool Session::note_sent(Instant now, std::uint64_t packets, std::uint64_t bytes, bool data) {
  PeerActivity& a = *activity;
  const std::int64_t at = now.time_since_epoch().count();
  a.sent_packets.fetch_add(packets, std::memory_order_relaxed);
  a.sent_bytes.fetch_add(bytes, std::memory_order_relaxed);
  a.last_any.store(at, std::memory_order_relaxed);
  if (a.unanswered_receive.load(std::memory_order_relaxed) != PeerActivity::kNever) {
    a.unanswered_receive.store(PeerActivity::kNever, std::memory_order_relaxed);
  }
  bool wanted = rekey_due_sending(now) && ask_rekey(now);
  if (data) {
    // Sequentially consistent with the core's "clear `watched`, then look again": one of us sees the other.
    if (a.unanswered_send.load(std::memory_order_relaxed) == PeerActivity::kNever) a.unanswered_send.store(at);
    wanted |= !a.watched.load();
  }
  return wanted;
}

bool Session::note_received(Instant now, const Endpoint& from, std::uint64_t packets, std::uint64_t bytes, bool data) {
  PeerActivity& a = *activity;
  const std::int64_t at = now.time_since_epoch().count();
  a.received_packets.fetch_add(packets, std::memory_order_relaxed);
  a.received_bytes.fetch_add(bytes, std::memory_order_relaxed);
  a.last_any.store(at, std::memory_order_relaxed);
  if (a.unanswered_send.load(std::memory_order_relaxed) != PeerActivity::kNever) {
    a.unanswered_send.store(PeerActivity::kNever, std::memory_order_relaxed);
  }
  bool wanted = !confirmed.load(std::memory_order_acquire);
  wanted |= a.endpoint_tag.load(std::memory_order_relaxed) != from.tag();
  wanted |= rekey_due_receiving(now) && ask_rekey(now);
  if (data) {
    if (a.unanswered_receive.load(std::memory_order_relaxed) == PeerActivity::kNever) a.unanswered_receive.store(at);
    wanted |= !a.watched.load();
  }
  return wanted;
}

}  // namespace bonus::net::tunnel
