// Internal to net/tunnel: what a Device keeps of one peer.
#pragma once

#include "bonus/net/tunnel/device.hpp"

namespace bonus::net::tunnel {

struct Device::Peer {
  PeerRef ref = kNoPeer;
  Remote remote;
  std::vector<Prefix> allowed;
  std::optional<Endpoint> endpoint;
  std::optional<Endpoint> seen;  ///< Where its last authenticated packet came from that was looked at.
  Duration keepalive{0};
  std::shared_ptr<PeerActivity> activity = std::make_shared<PeerActivity>();

  /// `next` is a responder's session that its initiator did not use yet (whitepaper, section 6.3).
  std::shared_ptr<Session> current, previous, next;

  // Our own attempt to make a session.
  bool handshaking = false;
  std::optional<InitiatorState> initiation;  ///< The last message sent; nothing while there is no endpoint.
  Instant attempt_began, retry_at;
  std::optional<Instant> initiation_sent;

  // Initiations of the peer.
  Tai64n greatest_timestamp;
  std::optional<Instant> initiation_consumed;

  // For mac2 of what we send.
  std::optional<Mac16> cookie, last_mac1;
  Instant cookie_received;
  bool cookie_retried = false;

  std::deque<Bytes> queue;
  std::optional<Instant> last_handshake;
  Instant keepalive_at;  ///< Persistent.
  Duration new_handshake_jitter{0};
  std::optional<Instant> timer;  ///< Its place in Device::timers_.
};

inline Device::Peer* Device::get(PeerRef peer) {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : found->second.get();
}
inline const Device::Peer* Device::get(PeerRef peer) const {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : found->second.get();
}

}  // namespace bonus::net::tunnel
