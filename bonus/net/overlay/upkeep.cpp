// Rules over plain data.
#include "bonus/net/overlay/upkeep.hpp"

#include <algorithm>

namespace bonus::net::overlay {

namespace {
constexpr UnixSeconds kSkew = 300;
constexpr Duration kAnswerSlack = std::chrono::milliseconds(20);
constexpr Duration kShortestPause = std::chrono::milliseconds(300), kLongestPause = std::chrono::seconds(2);
constexpr int kAgain = 2;

bool out_of(UnixSeconds made, UnixSeconds life, UnixSeconds now) { return now > made + life || now + kSkew < made; }
}  // namespace

bool record_due(const NodeRecord& own, UnixSeconds now) {
  return own.expires != 0 && out_of(own.expires - kRecordLifeSeconds, kRecordRenewalSeconds, now);
}

bool certificate_due(const TunnelCertificate& own, UnixSeconds now) {
  return out_of(own.not_before, kCertificateRenewal, now);
}

std::vector<NodeRecord> choose_relays(const std::vector<const KnownNode*>& known,
                                      const std::map<Ed25519PublicKey, UdpEndpoint>& trusted,
                                      const std::vector<RecordEndpoint>& own_endpoints, const Ed25519PublicKey& self,
                                      std::size_t limit) {
  const auto rank = [&](const NodeRecord& record) {
    if (trusted.contains(record.root)) return 0;
    const auto ours = [&](const RecordEndpoint& e) {
      return e.kind == RecordEndpoint::Kind::kRelay && e.relay == record.tunnel.key;
    };
    return std::ranges::any_of(own_endpoints, ours) ? 1 : 2;
  };
  std::vector<NodeRecord> out;
  for (const int wanted : {0, 1, 2})
    for (const auto* one : known)
      if (out.size() < limit && one->record.has(kRelays) && one->record.root != self && rank(one->record) == wanted)
        out.push_back(one->record);
  return out;
}

std::optional<Ed25519PublicKey> LinkClients::set(std::uint32_t via, const Ed25519PublicKey& root) {
  const auto found = roots_.find(via);
  std::optional<Ed25519PublicKey> out;
  if (found != roots_.end() && found->second != root) out = gone(via);
  roots_[via] = root;
  return out;
}

std::optional<Ed25519PublicKey> LinkClients::gone(std::uint32_t via) {
  const auto found = roots_.find(via);
  if (found == roots_.end()) return std::nullopt;
  const auto root = found->second;
  roots_.erase(found);
  if (std::ranges::any_of(roots_, [&](const auto& one) { return one.second == root; })) return std::nullopt;
  return root;
}

void Carried::add(const Pair& pair, std::uint64_t bytes, std::uint64_t packets) {
  Sum& sum = sums_[pair];
  sum.bytes += bytes;
  sum.packets += packets;
  if (sums_.size() <= limit_) return;
  const auto smallest = std::ranges::min_element(sums_, {}, [](const auto& one) { return one.second.bytes; });
  forgotten_.bytes += smallest->second.bytes;
  forgotten_.packets += smallest->second.packets;
  sums_.erase(smallest);
}

void HandshakeWatch::proven(const crypto::X25519Public& peer, Duration rtt, Instant now) {
  if (checks_.size() >= limit_) return;
  // An answer to an initiation that went along with the probes comes with theirs, or hardly later.
  checks_.emplace(now + rtt / 2 + kAnswerSlack,
                  Check{peer, now, std::clamp<Duration>(3 * rtt, kShortestPause, kLongestPause), kAgain});
}

std::optional<HandshakeWatch::Check> HandshakeWatch::take(Instant now) {
  if (checks_.empty() || checks_.begin()->first > now) return std::nullopt;
  const Check out = checks_.begin()->second;
  checks_.erase(checks_.begin());
  return out;
}

void HandshakeWatch::again(Check check, Instant now) {
  if (check.left-- == 0 || checks_.size() >= limit_) return;
  // One that was sent just now will have waited for the whole pause.
  check.sent_before = now + Duration(1);
  const Instant at = now + check.pause;
  check.pause = std::min<Duration>(2 * check.pause, kLongestPause);
  checks_.emplace(at, check);
}

std::optional<Instant> HandshakeWatch::next() const {
  if (checks_.empty()) return std::nullopt;
  return checks_.begin()->first;
}

}  // namespace bonus::net::overlay
