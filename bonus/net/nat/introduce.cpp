// Hole punching by rendezvous: a node that both ends know tells each of the other, and both probe at the same time.
#include <algorithm>

#include "bonus/net/nat/manager.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
constexpr auto kRetry = milliseconds(500);
constexpr int kTries = 4;
constexpr std::size_t kThrough = 3;  // rendezvous asked at a time
constexpr std::size_t kSeen = 256;
constexpr int kOwnWordProbes = 5;  // to the addresses that the introduced peer itself claims, together
constexpr std::size_t kMaxAttested = 4;
constexpr auto kAttestedKept = std::chrono::seconds(150);
constexpr auto kPunchFirst = std::chrono::seconds(2);  // before birthday probing

}  // namespace

std::vector<std::pair<PathManager::Impl::Key, PathEndpoint>> PathManager::Impl::rendezvous_for(const Peer& peer,
                                                                                               Instant now) {
  std::vector<std::pair<Key, PathEndpoint>> out;
  const auto add = [&](const Key& key, const PathEndpoint& path) {
    const bool listed = std::ranges::any_of(out, [&](const auto& entry) { return entry.first == key; });
    if (!listed && out.size() < kThrough && key != peer.key) out.emplace_back(key, path);
  };
  for (const RecordEndpoint& relay : relays_of(peer))
    if (const auto path = context_.relays.ready_path(relay.relay)) add(relay.relay, *path);
  for (const RecordEndpoint& relay : context_.relays.home_endpoints())
    if (const auto path = context_.relays.ready_path(relay.relay)) add(relay.relay, *path);
  // Any peer with a direct path may know the other as well; begin at a random one.
  std::vector<const Peer*> direct;
  for (const auto& [key, other] : peers_)
    if (other->paths.has_direct() && other->paths.confirmed(*other->paths.current(), now))
      direct.push_back(other.get());
  const std::size_t start = direct.empty() ? 0 : context_.random.below(direct.size());
  for (std::size_t i = 0; i < direct.size() && out.size() < kThrough; ++i) {
    const Peer* other = direct[(start + i) % direct.size()];
    add(other->key, *other->paths.current());
  }
  return out;
}

void PathManager::Impl::send_rendezvous(const Key& through, const PathEndpoint& path, const Key& target,
                                        std::uint64_t nonce, bool reply, Actions& out) {
  Rendezvous m;
  m.reply = reply;
  m.target = target;
  m.nonce = nonce;
  m.nat = nat_kind();
  for (const RecordEndpoint& endpoint : endpoints())
    if (endpoint.kind != RecordEndpoint::Kind::kRelay && m.endpoints.size() < kMaxIntroduced)
      m.endpoints.push_back(endpoint.address);
  out.sends.push_back({through, path, DatagramKind::kPath, encode(m)});
}

void PathManager::Impl::ask_introduction(Peer& peer, Instant now, Actions& out) {
  if (peer.introduced || peer.introduce_tries >= kTries) {
    peer.introduce_at.reset();
    return;
  }
  const auto through = rendezvous_for(peer, now);
  peer.introduce_at = now + kRetry;
  ++peer.introduce_tries;
  for (const auto& [key, path] : through) send_rendezvous(key, path, peer.key, peer.nonce, false, out);
}

void PathManager::Impl::on_rendezvous(const Key& from, const PathEndpoint& path, const Rendezvous& m, Instant now,
                                      Actions& out) {
  // Only for who has shown to be where it says: otherwise a replayed request would make us its mouthpiece.
  if (is_channel(path.via) || m.target == from || !rendezvous_limit_.allow(path.udp.address, now)) return;
  const Peer* asking = find(from);
  const bool client = server_ && server_->client_path(from) == path;
  if (!client && (asking == nullptr || !asking->paths.confirmed(path, now))) return;
  std::optional<PathEndpoint> to = server_ ? server_->client_path(m.target) : std::nullopt;
  if (!to) {
    const Peer* target = find(m.target);
    if (target != nullptr && target->paths.current() && !is_channel(target->paths.current()->via) &&
        target->paths.confirmed(*target->paths.current(), now))
      to = target->paths.current();
  }
  if (!to) {
    out.sends.push_back({from, path, DatagramKind::kPath, encode(Unknown{m.target, m.nonce})});
    return;
  }
  Introduce introduce;
  introduce.reply = m.reply;
  introduce.origin = from;
  introduce.nonce = m.nonce;
  introduce.nat = m.nat;
  if (!is_link(path.via)) introduce.attested = path.udp;
  introduce.endpoints = m.endpoints;
  out.sends.push_back({m.target, *to, DatagramKind::kPath, encode(introduce)});
}

void PathManager::Impl::on_introduce(const Key& from, const PathEndpoint& path, const Introduce& m, Instant now,
                                     Actions& out) {
  if (m.origin == self_ || m.origin == from || is_channel(path.via)) return;
  const bool known =
      context_.relays.ready_path(from) == path || (find(from) != nullptr && find(from)->paths.confirmed(path, now));
  if (!known || !introduce_limit_.allow(path.udp.address, now)) return;

  Peer* peer = find(m.origin);
  if (m.reply) {
    if (peer == nullptr || !peer->wanted || peer->nonce != m.nonce) return;
    peer->introduced = true;
  } else {
    if (peer == nullptr) peer = find_or_add(m.origin, path.udp.address, false, now, out);
    if (peer == nullptr) return;
    send_rendezvous(from, path, m.origin, m.nonce, true, out);
  }
  peer->nat = m.nat;
  if (m.nat == NatKind::kCone && nat_kind() == NatKind::kSymmetric && !peer->spray_at && !peer->paths.has_direct())
    peer->spray_at = now + kPunchFirst;
  const bool own_relay =
      std::ranges::any_of(known_relays_, [&](const NodeRecord& relay) { return relay.tunnel.key == from; });
  if (peer->attested.size() >= kMaxAttested)
    std::erase_if(peer->attested, [&](const auto& entry) { return entry.second.second + kAttestedKept <= now; });
  if (own_relay && m.attested.valid() && (peer->attested.size() < kMaxAttested || peer->attested.contains(from)))
    peer->attested[from] = {m.attested, now};

  const std::pair<Key, std::uint64_t> seen{m.origin, m.nonce};
  const bool again = std::ranges::find(introductions_, seen) != introductions_.end();
  if (!again) {
    introductions_.push_back(seen);
    if (introductions_.size() > kSeen) introductions_.pop_front();
    // A peer with a direct path that is introduced from elsewhere may have moved.
    if (!peer->paths.has_direct() || peer->paths.current()->udp != m.attested) {
      if (m.attested.valid() && context_.may_probe(m.attested))
        peer->paths.offer({m.attested, 0}, Word::kThird, 5, now);
      std::vector<UdpEndpoint> claimed;
      for (const UdpEndpoint& endpoint : m.endpoints)
        if (endpoint != m.attested && context_.may_probe(endpoint)) claimed.push_back(endpoint);
      if (claimed.size() > kOwnWordProbes) claimed.resize(kOwnWordProbes);
      const int each = claimed.empty() ? 0 : kOwnWordProbes / static_cast<int>(claimed.size());
      for (const UdpEndpoint& endpoint : claimed) peer->paths.offer({endpoint, 0}, Word::kThird, each, now);
    }
    // Its UDP is blocked: it can be met at the relay that introduces it.
    const Peer* through = find(from);
    if (!m.reply && m.nat == NatKind::kBlocked && !is_link(path.via) && !peer->paths.current() && through != nullptr &&
        through->record && through->record->has(kRelays))
      (void)context_.relays.open(from, path.udp, m.origin, now, out);
  }
  step(*peer, now, out);
  schedule(*peer);
}

}  // namespace bonus::net::nat
