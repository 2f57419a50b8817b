// Probing and choice. The times below keep a dead path under two seconds and never answer more than they were asked.
#include "bonus/net/nat/path_set.hpp"

#include <algorithm>
#include <array>
#include <bit>

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::size_t kMaxCandidates = 16, kMaxOutstanding = 8;
constexpr std::array<Duration, 5> kBurst = {milliseconds(0), milliseconds(100), milliseconds(150), milliseconds(250),
                                            milliseconds(500)};
constexpr auto kLive = seconds(10);  // after traffic: a heartbeat every second
constexpr auto kBeat = seconds(1);
constexpr auto kStandby = seconds(25);  // between probes of paths that are not in use
constexpr auto kFresh = seconds(60);    // how long a standby path counts as working
constexpr int kDead = 4;                // unanswered probes in a row
constexpr auto kSlowest = seconds(4);   // after which one counts as unanswered
constexpr auto kSettle = seconds(10);   // at least between two changes for the better of the same kind
constexpr auto kChallengeLife = seconds(5);
constexpr std::array<std::uint16_t, 3> kMtus = {1360, 1420, 8920};
constexpr int kMtuTries = 3;
constexpr auto kMtuRetry = milliseconds(300), kMtuSettle = milliseconds(500);
constexpr auto kMtuVerify = seconds(60), kMtuAgain = seconds(600);

bool is_multicast(const Ipv6& address) {
  return is_ipv4(address) ? address.bytes[12] >= 224 : address.bytes[0] == 0xff;
}

}  // namespace

bool PathContext::may_probe(const UdpEndpoint& endpoint) const {
  // Never into the overlay itself: the tunnel would run through itself.
  if (!endpoint.valid() || is_overlay(endpoint.address) || is_multicast(endpoint.address)) return false;
  if (observer.is_own(endpoint)) return false;
  return options.allow_private || is_global_unicast(endpoint.address) || observer.same_lan(endpoint.address);
}

PathKind PathContext::kind(const PathEndpoint& path) const {
  if (is_extra_socket(path.via) || path.via == 0) return PathKind::kDirect;
  if (is_link(path.via)) return PathKind::kTls;
  return relays.over_link(path.via) ? PathKind::kTls : PathKind::kRelayed;
}

PathSet::PathSet(PathContext& context, const crypto::X25519Public& peer, Instant now)
    : context_(context), peer_(peer), last_traffic_(now) {}

PathSet::Candidate* PathSet::find(const PathEndpoint& path) {
  const auto found = std::ranges::find(candidates_, path, &Candidate::path);
  return found == candidates_.end() ? nullptr : &*found;
}
const PathSet::Candidate* PathSet::find(const PathEndpoint& path) const {
  return const_cast<PathSet*>(this)->find(path);
}

PathSet::Candidate* PathSet::add(const PathEndpoint& path, Word word, Instant now) {
  if (Candidate* known = find(path)) return known;
  if (candidates_.size() >= kMaxCandidates) {
    // The oldest that never answered makes room; failing that, the one that has been silent longest.
    auto worst = candidates_.end();
    for (auto it = candidates_.begin(); it != candidates_.end(); ++it) {
      if (current_ == it->path) continue;
      if (worst == candidates_.end() || std::pair(it->proven, it->proven ? it->last_ok : it->added) <
                                            std::pair(worst->proven, worst->proven ? worst->last_ok : worst->added))
        worst = it;
    }
    if (worst == candidates_.end() || (worst->proven && word == Word::kReflexive)) return nullptr;
    candidates_.erase(worst);
  }
  Candidate c;
  c.path = path;
  c.word = word;
  c.added = now;
  candidates_.push_back(std::move(c));
  return &candidates_.back();
}

void PathSet::offer(const PathEndpoint& path, Word word, int burst, Instant now) {
  Candidate* c = add(path, word, now);
  if (c == nullptr) return;
  if (c->proven) {
    c->next = now;
    return;
  }
  if (c->word == Word::kReflexive || word == Word::kChannel) c->word = word;
  c->burst = std::clamp(burst, 1, static_cast<int>(kBurst.size()));
  c->burst_sent = 0;
  c->next = now;
}

void PathSet::remove(std::uint32_t via, Instant now, Actions& out) {
  std::erase_if(candidates_, [&](const Candidate& c) { return c.path.via == via; });
  if (current_ && current_->via == via) {
    current_.reset();
    for (Candidate& c : candidates_)
      if (c.proven) c.next = now;
    choose(now, out);
  }
}

void PathSet::moved(Instant now) {
  // Whether the old paths still work is unknown: all are asked at once, and four silent probes decide.
  roamed_until_ = now + seconds(5);
  for (Candidate& c : candidates_) {
    if (is_link(c.path.via)) continue;
    if (c.proven) {
      c.next = now;
      c.fails = std::max(c.fails, 1);
    } else if (c.word == Word::kRecord) {
      c.burst_sent = 0;
      c.next = now;
    }
  }
}

void PathSet::on_traffic(bool received, Instant now) {
  const bool woke = last_traffic_ + context_.options.active_for <= now;
  last_traffic_ = now;
  if (!current_) return;
  Candidate* c = find(*current_);
  if (c == nullptr) return;
  // What arrives says nothing about the way out: probes that are unanswered stay so.
  if (received && c->fails == 0) c->last_ok = now;
  const auto beat = heartbeat(*c, now);
  if (woke && !received) {
    c->next = now;  // nobody kept the routers' mappings alive
  } else if (beat && (!c->next || *c->next > now + *beat)) {
    c->next = std::max(now, c->last_ok + *beat);
  }
}

Duration PathSet::timeout(const Candidate& c) const {
  if (c.acks == 0) return seconds(1);
  // A full queue at a home router makes seconds of a round trip: slow is not dead.
  return std::clamp<Duration>(c.rtt + c.rtt / 2 + milliseconds(100), milliseconds(200), kSlowest);
}

std::optional<Duration> PathSet::heartbeat(const Candidate& c, Instant now) const {
  if (last_traffic_ + kLive > now) return kBeat;
  if (last_traffic_ + context_.options.active_for > now) return context_.options.keepalive;
  (void)c;
  return std::nullopt;
}

bool PathSet::active(Instant now) const { return last_traffic_ + context_.options.active_for > now; }

void PathSet::send_probe(Candidate& c, Instant now, Actions& out, std::uint16_t mtu) {
  Probe probe;
  probe.id = context_.random.next_u64();
  probe.sequence = context_.self_sequence;
  probe.roamed = roamed_until_ > now;
  probe.size = kMinProbePayload;
  if (mtu != 0) {
    probe.size = mtu + kWireGuardOverhead - kSealOverhead;
  } else if ((c.proven || c.word == Word::kChannel || std::exchange(hurried_, false)) &&
             (!known_to_peer_ || !record_known_)) {
    if (!known_to_peer_) probe.record = context_.self_record;
    probe.want_record = !record_known_;
    probe.size = kMaxPathPayload;
  }
  if (c.probes.size() >= kMaxOutstanding) c.probes.erase(c.probes.begin());
  c.probes.push_back({probe.id, now, probe.size, mtu, false});
  out.sends.push_back({peer_, c.path, DatagramKind::kPath, encode(probe), mtu != 0});
}

void PathSet::on_probe(const PathEndpoint& path, const Probe& m, bool needed, BytesView own_record, Instant now,
                       Actions& out) {
  // A replayed probe may come from any address: one answer, not larger, and nothing more until it is confirmed.
  Ack ack;
  ack.need_record = needed;
  ack.id = m.id;
  ack.observed = path.udp;
  ack.size = static_cast<std::uint16_t>(std::min<std::size_t>(m.size, 0xffff));
  if (Candidate* c = add(path, Word::kReflexive, now)) {
    if (c->challenge == 0 || c->challenge_at + kChallengeLife <= now) {
      c->challenge = context_.random.next_u64() | 1;
      c->challenge_at = now;
    }
    ack.challenge = c->challenge;
  }
  if (m.want_record) {
    ack.record.assign(own_record.begin(), own_record.end());
    if (encode(ack).size() > m.size) ack.record.clear();
  }
  out.sends.push_back({peer_, path, DatagramKind::kPath, encode(ack)});
}

void PathSet::send_confirm(const Candidate& c, const Ack& m, Actions& out) {
  if (m.challenge == 0) return;
  Confirm confirm;
  confirm.challenge = m.challenge;
  confirm.observed = c.path.udp;
  confirm.roamed = roamed_until_ > c.last_ok;
  confirm.need_record = !record_known_;
  out.sends.push_back({peer_, c.path, DatagramKind::kPath, encode(confirm)});
}

void PathSet::sample(Candidate& c, Duration rtt, Instant now) {
  c.rtt = c.acks == 0 ? rtt : c.rtt + (rtt - c.rtt) / 4;
  ++c.acks;
  c.proven = true;
  c.fails = 0;
  c.last_ok = now;
  if (c.path.via == 0 || is_extra_socket(c.path.via)) context_.budget.verified(c.path.udp.address, now);
  if (c.penalty_until <= now && c.deaths > 0 && c.penalty_until + seconds(600) < now) c.deaths = 0;
  const bool is_current = current_ == c.path;
  // A channel beside a direct path is left alone: it closes when it is not needed.
  const bool standby = !(is_channel(c.path.via) && has_direct());
  if (c.acks < 2 || (!is_current && c.penalty_until > Instant{} && c.penalty_until <= now && c.acks < 4)) {
    c.next = now + milliseconds(50);  // one answer may be luck: a second at once
  } else {
    const auto beat = is_current ? heartbeat(c, now) : std::optional<Duration>(kStandby);
    if (is_current || (active(now) && standby)) {
      c.next = beat ? std::optional(now + *beat) : std::nullopt;
    } else {
      c.next.reset();
    }
  }
}

PathSet::Answer PathSet::on_ack(const PathEndpoint& path, const Ack& m, Instant now, Actions& out) {
  Candidate* c = find(path);
  if (c == nullptr) return {};
  const auto probe = std::ranges::find(c->probes, m.id, &Outstanding::id);
  if (probe == c->probes.end()) return {};
  const Outstanding answered = *probe;
  c->probes.erase(probe);
  c->history = c->history << 1;
  sample(*c, now - answered.at, now);
  if (answered.mtu != 0) {
    if (m.size == answered.size) mtu_answer(*c, answered.mtu, now);
  } else if (m.need_record && !context_.self_record.empty()) {
    known_to_peer_ = false;
    c->next = now;  // the next one carries it
  } else {
    known_to_peer_ = true;
  }
  send_confirm(*c, m, out);
  choose(now, out);
  return {true};
}

void PathSet::proven(const PathEndpoint& path, Instant sent, const Ack& m, Instant now, Actions& out) {
  Candidate* c = add(path, Word::kThird, now);
  if (c == nullptr) return;
  sample(*c, now - sent, now);
  send_confirm(*c, m, out);
  choose(now, out);
}

PathSet::Answer PathSet::on_confirm(const PathEndpoint& path, const Confirm& m, Instant now, Actions& out) {
  Candidate* c = find(path);
  if (c == nullptr || c->challenge == 0 || c->challenge != m.challenge || c->challenge_at + kChallengeLife <= now)
    return {};
  c->challenge = 0;
  const bool fresh = !c->proven;
  sample(*c, now - c->challenge_at, now);
  known_to_peer_ = !m.need_record || context_.self_record.empty();
  if (!known_to_peer_) c->next = now;
  if (current_ && *current_ != path && context_.kind(*current_) == PathKind::kDirect &&
      context_.kind(path) == PathKind::kDirect) {
    Candidate* old = find(*current_);
    if (m.roamed && old != nullptr && old->path.via == 0 && path.via == 0) {
      // The peer itself says that its old address is void.
      old->proven = false;
      old->next.reset();
      current_.reset();
    } else if (fresh && old != nullptr) {
      old->next = now;  // is the old address still its own? Four silent probes decide
      old->fails = std::max(old->fails, 2);
    }
  }
  choose(now, out);
  return {true};
}

void PathSet::expire_probes(Candidate& c, Instant now) {
  for (Outstanding& probe : c.probes) {
    if (probe.lost || probe.at + timeout(c) > now) continue;
    probe.lost = true;
    if (probe.mtu != 0) continue;
    c.history = c.history << 1 | 1;
    if (!c.proven) continue;
    ++c.fails;
    if (current_ == c.path) c.next = now;
  }
  std::erase_if(c.probes, [&](const Outstanding& probe) { return probe.at + seconds(5) <= now; });
}

void PathSet::died(Candidate& c, Instant now) {
  c.proven = false;
  c.acks = c.fails = 0;
  c.next.reset();
  c.probes.clear();
  c.challenge = 0;
  c.mtu = 1280;
  c.mtu_next.reset();
  c.mtu_tries = 0;
  ++c.deaths;
  c.penalty_until = now + seconds(5 << std::min(c.deaths, 6));
  if (current_ != c.path) return;
  current_.reset();
  for (Candidate& other : candidates_)
    if (other.proven) other.next = now;
}

bool PathSet::better(const Candidate& a, const Candidate& b, Instant now) const {
  const bool a_shaky = a.penalty_until > now, b_shaky = b.penalty_until > now;
  if (a_shaky != b_shaky) return b_shaky;
  const PathKind ka = context_.kind(a.path), kb = context_.kind(b.path);
  if (ka != kb) return ka < kb;
  return a.rtt < b.rtt;
}

void PathSet::choose(Instant now, Actions& out) {
  const Candidate* best = nullptr;
  for (const Candidate& c : candidates_) {
    if (!c.proven || c.last_ok + kFresh <= now) continue;
    if (c.fails >= 2 && current_ != c.path) continue;
    if (best == nullptr || better(c, *best, now)) best = &c;
  }
  const Candidate* now_used = current_ ? find(*current_) : nullptr;
  bool change = false;
  if (best != nullptr && now_used == nullptr) {
    change = true;
  } else if (best != nullptr && best != now_used) {
    const bool kinder = context_.kind(best->path) < context_.kind(now_used->path);
    const Duration margin = std::max<Duration>(milliseconds(5), now_used->rtt / 5);
    change = kinder ? best->acks >= 2 && best->penalty_until <= now
                    : context_.kind(best->path) == context_.kind(now_used->path) && best->acks >= 4 &&
                          best->rtt + margin < now_used->rtt && switched_at_ + kSettle <= now;
  }
  if (change) {
    current_ = best->path;
    switched_at_ = now;
    Candidate* c = find(*current_);
    c->mtu_next = now + kMtuSettle;
    const auto beat = heartbeat(*c, now);
    if (beat && (!c->next || *c->next > now + *beat)) c->next = now + *beat;
  }
  announce(now, out);
}

void PathSet::announce(Instant now, Actions& out) {
  if (!current_) {
    if (announced_) {
      // Others may answer in a moment: lost only when nothing that worked is left.
      const bool hope = std::ranges::any_of(candidates_, [](const Candidate& c) { return c.proven; });
      if (hope) return;
      announced_.reset();
      out.lost.push_back(peer_);
    }
    return;
  }
  if (!known_to_peer_ || !record_known_) return;
  const Candidate& c = *find(*current_);
  const PathKind kind = context_.kind(c.path);
  const bool moved = !announced_ || announced_->path != c.path || announced_->kind != kind || announced_->mtu != c.mtu;
  const bool drifted = announced_ && announced_at_ + seconds(5) <= now &&
                       (c.rtt > announced_->rtt + announced_->rtt / 4 || c.rtt < announced_->rtt - announced_->rtt / 4);
  if (!moved && !drifted) return;
  if (!announced_ || announced_->path != c.path) ++switches_;
  announced_ = Actions::PathChanged{peer_, c.path, kind, c.rtt, c.mtu};
  announced_at_ = now;
  out.changed.push_back(*announced_);
}

void PathSet::mtu_answer(Candidate& c, std::uint16_t mtu, Instant now) {
  c.mtu_tries = 0;
  c.mtu_trying = 0;
  const bool higher = mtu > c.mtu;
  c.mtu = std::max(c.mtu, mtu);
  c.mtu_next = now + (higher ? Duration(milliseconds(10)) : Duration(kMtuVerify));
}

void PathSet::step_mtu(Candidate& c, Instant now, Actions& out) {
  if (!context_.options.probe_mtu || !c.mtu_next || *c.mtu_next > now || current_ != c.path || c.fails > 0) return;
  if (c.mtu_trying != 0 && c.mtu_tries >= kMtuTries) {
    if (c.mtu_trying == c.mtu) {  // what passed before does not any more
      c.mtu = 1280;
      c.mtu_next = now + kMtuSettle;
    } else {
      c.mtu_next = now + kMtuVerify;
    }
    c.mtu_trying = 0;
    c.mtu_tries = 0;
    announce(now, out);
    return;
  }
  if (c.mtu_trying == 0) {
    if (last_traffic_ + kLive <= now) {
      c.mtu_next = now + kMtuVerify;
      return;
    }
    // Up after a success, otherwise the present one again; the next higher one from time to time.
    std::uint16_t above = 0;
    for (const std::uint16_t size : kMtus)
      if (above == 0 && size > c.mtu && size <= context_.options.max_mtu) above = size;
    const bool up = above != 0 && (c.mtu_failed_at == Instant{} || c.mtu_failed_at + kMtuAgain <= now);
    c.mtu_trying = up ? above : c.mtu;
    if (!up && c.mtu == 1280) {
      c.mtu_next = now + kMtuVerify;
      c.mtu_trying = 0;
      return;
    }
  }
  ++c.mtu_tries;
  if (c.mtu_tries == kMtuTries && c.mtu_trying != c.mtu) c.mtu_failed_at = now;
  c.mtu_next = now + std::max<Duration>(kMtuRetry, timeout(c));  // not before the answer can be here
  send_probe(c, now, out, c.mtu_trying);
}

void PathSet::on_timer(Instant now, Actions& out) {
  bool hurry = false;
  for (Candidate& c : candidates_) {
    expire_probes(c, now);
    if (c.proven && c.fails >= kDead) {
      died(c, now);
      continue;
    }
    const bool is_current = current_ == c.path;
    if (is_current && c.fails >= 2) hurry = true;
    if (is_current) step_mtu(c, now, out);
    if (!c.next || *c.next > now) continue;
    if (c.proven) {
      const auto beat = is_current ? heartbeat(c, now) : std::optional<Duration>(kStandby);
      const bool waiting = std::ranges::any_of(c.probes, [](const auto& probe) { return probe.mtu == 0; });
      if (!is_current && !active(now) && !waiting && c.acks >= 2) {
        c.next.reset();
        continue;
      }
      send_probe(c, now, out);
      // Until it is answered the timeout sets the pace; the answer sets the next beat.
      c.next = beat || waiting || c.acks < 2 || c.fails > 0 ? std::optional(now + timeout(c)) : std::nullopt;
      continue;
    }
    if (c.burst_sent >= c.burst) {
      c.next.reset();
      continue;
    }
    if (c.word != Word::kChannel && !context_.budget.take(c.path.udp.address, c.word, now)) {
      c.next.reset();
      continue;
    }
    send_probe(c, now, out);
    ++c.burst_sent;
    if (c.burst_sent < c.burst) {
      c.next = now + kBurst[static_cast<std::size_t>(c.burst_sent)];
    } else {
      c.next.reset();
    }
  }
  if (hurry)
    for (Candidate& c : candidates_)
      if (c.proven && current_ != c.path && (!c.next || *c.next > now + milliseconds(200)) && c.probes.empty())
        c.next = now;
  choose(now, out);
}

std::optional<Instant> PathSet::next_timer() const {
  std::optional<Instant> next;
  const auto at = [&](Instant when) { next = next ? std::min(*next, when) : when; };
  for (const Candidate& c : candidates_) {
    if (c.next) at(*c.next);
    if (c.mtu_next && current_ == c.path && context_.options.probe_mtu && c.fails == 0) at(*c.mtu_next);
    for (const Outstanding& probe : c.probes)
      if (!probe.lost && c.proven) at(probe.at + timeout(c));
  }
  return next;
}

bool PathSet::confirmed(const PathEndpoint& path, Instant now) const {
  const Candidate* c = find(path);
  return c != nullptr && c->proven && c->last_ok + seconds(120) > now;
}

bool PathSet::any_confirmed() const {
  return std::ranges::any_of(candidates_, [](const Candidate& c) { return c.proven; });
}

double PathSet::loss() const {
  const Candidate* c = current_ ? find(*current_) : nullptr;
  return c == nullptr ? 0 : std::popcount(c->history) / 32.0;
}

}  // namespace bonus::net::nat
