// Birthday probing: one side's NAT gives another port for each destination. That side opens many sockets towards the
// other's one port, the other guesses ports; with 256 sockets and 1024 guesses out of 64512 ports the chance is
// 1 - (1 - 256/64512)^1024 = 98 %.
//
// It sends many packets to one address, so the address must be known by more than the peer's word: two relays of our
// own choice must reach the peer there, and the peer itself must ask over an end-to-end sealed path. One at a time.
#include <algorithm>
#include <map>

#include "bonus/net/nat/manager.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr std::size_t kGuesses = 1024, kPerTick = 4;
constexpr auto kTick = milliseconds(20);
constexpr auto kLimit = seconds(9), kAnswerLimit = seconds(2);
constexpr auto kAgain = seconds(900), kRecheck = seconds(5);
constexpr auto kSocketDelay = milliseconds(500);  // for the shell to open the sockets
constexpr auto kGuessDelay = milliseconds(1000);
constexpr auto kAttestedFor = seconds(150);  // longer than between two introductions
constexpr std::size_t kMaxSockets = 256;
constexpr std::uint16_t kLowestPort = 1024;

}  // namespace

std::optional<UdpEndpoint> PathManager::Impl::attested_twice(const Peer& peer, bool with_port, Instant now) const {
  std::map<UdpEndpoint, int> votes;
  for (const auto& [relay, word] : peer.attested) {
    const auto& [endpoint, at] = word;
    if (at + kAttestedFor <= now) continue;
    const UdpEndpoint voted{endpoint.address, with_port ? endpoint.port : std::uint16_t{1}};
    if (++votes[voted] >= 2) return voted;
  }
  return std::nullopt;
}

void PathManager::Impl::consider_spray(Peer& peer, Instant now, Actions& out) {
  peer.spray_at.reset();
  if (options_.birthday_sockets == 0 || peer.paths.has_direct() || peer.nat != NatKind::kCone ||
      nat_kind() != NatKind::kSymmetric)
    return;
  const auto target = attested_twice(peer, true, now);
  if (spray_ || peer.spray_after > now || !peer.paths.current() || !is_channel(peer.paths.current()->via) || !target ||
      !context_.may_probe(*target)) {
    peer.spray_at = std::max(now + kRecheck, peer.spray_after);
    return;
  }
  peer.spray_after = now + kAgain;
  Spray spray;
  spray.peer = peer.key;
  spray.hard = true;
  spray.nonce = context_.random.next_u64();
  spray.id = context_.random.next_u64();
  spray.target = *target;
  spray.next = spray.until = now + kAnswerLimit;
  out.sends.push_back({peer.key, *peer.paths.current(), DatagramKind::kPath, encode(nat::Spray{false, spray.nonce})});
  spray_ = std::move(spray);
}

void PathManager::Impl::on_spray(const Key& from, const PathEndpoint& path, const nat::Spray& m, Instant now,
                                 Actions& out) {
  Peer* peer = find(from);
  if (peer == nullptr || !is_channel(path.via) || !peer->paths.confirmed(path, now)) return;
  if (m.accept) {
    if (!spray_ || !spray_->hard || spray_->running || spray_->peer != from || spray_->nonce != m.nonce) return;
    spray_->running = true;
    spray_->began = spray_->next = now + kSocketDelay;
    spray_->until = now + kLimit;
    const std::size_t count = std::min(options_.birthday_sockets, kMaxSockets);
    for (std::size_t i = 0; i < count; ++i) {
      spray_->sockets.push_back(kViaSocket | next_socket_);
      next_socket_ = next_socket_ % 0x3fff'fffe + 1;
    }
    out.open_sockets.insert(out.open_sockets.end(), spray_->sockets.begin(), spray_->sockets.end());
    return;
  }
  if (spray_ || peer->spray_after > now || peer->paths.has_direct() || options_.birthday_sockets == 0 ||
      nat_kind() != NatKind::kCone)
    return;
  const auto target = attested_twice(*peer, false, now);
  if (!target || !context_.may_probe(*target)) return;
  peer->spray_after = now + kAgain;
  Spray spray;
  spray.peer = from;
  spray.running = true;
  spray.nonce = m.nonce;
  spray.id = context_.random.next_u64();
  spray.target = *target;
  spray.began = spray.next = now + kGuessDelay;
  spray.until = now + kLimit;
  spray_ = std::move(spray);
  out.sends.push_back({from, path, DatagramKind::kPath, encode(nat::Spray{true, m.nonce})});
}

bool PathManager::Impl::spray_answer(const Key& from, const PathEndpoint& path, const Ack& m, Instant now,
                                     Actions& out) {
  if (!spray_ || !spray_->running || spray_->peer != from || spray_->id != m.id) return false;
  Peer* peer = find(from);
  if (peer == nullptr) return false;
  if (spray_->hard) {
    if (std::ranges::find(spray_->sockets, path.via) == spray_->sockets.end()) return false;
  } else if (path.via != 0 || path.udp.address != spray_->target.address) {
    return false;
  }
  peer->paths.proven(path, spray_->began, m, now, out);
  if (!spray_->hard) spray_->until = spray_->next = now;  // found: stop guessing
  return true;
}

void PathManager::Impl::step_spray(Instant now, Actions& out) {
  if (!spray_ || spray_->next > now) return;
  const Peer* peer = find(spray_->peer);
  if (peer == nullptr || spray_->until <= now || peer->paths.has_direct()) return end_spray(now, out);
  const std::size_t total = spray_->hard ? spray_->sockets.size() : kGuesses;
  for (std::size_t i = 0; i < kPerTick && spray_->sent < total; ++i, ++spray_->sent) {
    PathEndpoint path{spray_->target, 0};
    if (spray_->hard) {
      path.via = spray_->sockets[spray_->sent];
    } else {
      do {
        path.udp.port = static_cast<std::uint16_t>(kLowestPort + context_.random.below(65536 - kLowestPort));
      } while (!spray_->ports.insert(path.udp.port).second);
    }
    Probe probe;
    probe.id = spray_->id;
    probe.sequence = context_.self_sequence;
    out.sends.push_back({spray_->peer, path, DatagramKind::kPath, encode(probe)});
  }
  spray_->next = spray_->sent < total ? now + kTick : std::min(spray_->until, now + milliseconds(300));
}

void PathManager::Impl::end_spray(Instant now, Actions& out) {
  if (!spray_) return;
  Peer* peer = find(spray_->peer);
  for (const std::uint32_t socket : spray_->sockets) {
    const auto& current = peer != nullptr ? peer->paths.current() : std::optional<PathEndpoint>();
    if (current && current->via == socket) {
      sockets_[socket] = spray_->peer;
    } else {
      if (peer != nullptr) peer->paths.remove(socket, now, out);
      out.close.push_back(socket);
    }
  }
  spray_.reset();
}

}  // namespace bonus::net::nat
