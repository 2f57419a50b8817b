// Peers, their search for paths, and the dispatch of messages.
#include "bonus/net/nat/manager.hpp"

#include <algorithm>

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr auto kSweep = seconds(10);
constexpr auto kUnprovenLife = seconds(30);  // of a peer that only contacted us
constexpr auto kPassiveIdle = seconds(600);
constexpr auto kRelayHeadStart = milliseconds(250);  // of direct probes before a relay channel is asked for
constexpr auto kHomeRetry = seconds(120);
constexpr auto kMoved = milliseconds(250);  // for relays to hear of our new address first
constexpr std::size_t kMaxRelaysKnown = 16, kMaxRecordRelays = 2;
constexpr int kMeetProbes = 3;

Duration backoff(int cycle) { return seconds(std::min(120, 3 << std::min(cycle - 1, 6))); }

}  // namespace

PathManager::Impl::Impl(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
                        const runtime::Clock& wall, PathOptions options)
    : options_(std::move(options)),
      context_{options_, random, {}, {}, RelayClient(root, self, random, wall, options_), {}},
      self_(self),
      wall_(wall),
      strangers_(20, 50),
      newcomers_(20, 60),
      rendezvous_limit_(10, 40),
      introduce_limit_(20, 60) {
  if (options_.relay) server_ = std::make_unique<RelayServer>(self, random, wall, *options_.relay);
}

PathManager::Impl::Peer* PathManager::Impl::find(const Key& key) {
  const auto found = peers_.find(key);
  return found == peers_.end() ? nullptr : found->second.get();
}

const PathManager::Impl::Peer* PathManager::Impl::dispensable(bool by_us, Instant now) const {
  // A peer that has proven itself is never given up for one that has not.
  const Peer *unproven = nullptr, *idle = nullptr, *crowding = nullptr;
  std::map<Ipv6, std::size_t> crowds;
  std::size_t largest = 0;
  for (const auto& [key, peer] : peers_) {
    if (peer->wanted) continue;
    if (!peer->paths.any_confirmed() && (unproven == nullptr || peer->made < unproven->made)) unproven = peer.get();
    if (!peer->paths.active(now)) idle = peer.get();
    const std::size_t crowd = ++crowds[peer->network];
    if (crowd > largest) largest = crowd, crowding = peer.get();  // of the largest crowd the one counted last
  }
  if (unproven != nullptr) return unproven;
  if (idle != nullptr) return idle;
  return by_us ? crowding : nullptr;
}

PathManager::Impl::Peer* PathManager::Impl::find_or_add(const Key& key, const Ipv6& from, bool by_us, Instant now,
                                                        Actions& out) {
  if (Peer* known = find(key)) return known;
  if (key == self_) return nullptr;
  const Ipv6 network = rate_prefix(from);
  if (!by_us && !options_.allow_private && 2 * peers_.size() >= options_.max_peers) {
    const auto crowd = std::ranges::count_if(
        peers_, [&](const auto& entry) { return !entry.second->wanted && entry.second->network == network; });
    if (4 * static_cast<std::size_t>(crowd) >= options_.max_peers) {
      const Peer* own = nullptr;  // a crowd makes room among itself
      for (const auto& [k, peer] : peers_)
        if (!peer->wanted && peer->network == network && !peer->paths.any_confirmed() &&
            (own == nullptr || peer->made < own->made))
          own = peer.get();
      if (own == nullptr) return nullptr;
      remove(Key(own->key), out);
    }
  }
  if (peers_.size() >= options_.max_peers) {
    const Peer* gone = dispensable(by_us, now);
    if (gone == nullptr) return nullptr;
    remove(Key(gone->key), out);
  }
  return peers_.emplace(key, std::make_unique<Peer>(context_, key, network, now)).first->second.get();
}

void PathManager::Impl::remove(const Key& key, Actions& out) {
  const auto found = peers_.find(key);
  if (found == peers_.end()) return;
  if (found->second->paths.announced()) out.lost.push_back(key);
  if (found->second->due) due_.erase({*found->second->due, key});
  std::erase_if(sockets_, [&](const auto& entry) {
    if (entry.second == key) out.close.push_back(entry.first);
    return entry.second == key;
  });
  peers_.erase(found);
}

void PathManager::Impl::schedule(Peer& peer) {
  std::optional<Instant> next = peer.paths.next_timer();
  for (const auto& at : {peer.cycle_at, peer.channel_at, peer.introduce_at, peer.spray_at})
    if (at) next = next ? std::min(*next, *at) : *at;
  if (next == peer.due) return;
  if (peer.due) due_.erase({*peer.due, peer.key});
  peer.due = next;
  if (next) due_.insert({*next, peer.key});
}

void PathManager::Impl::set_self(BytesView record) {
  context_.self_record.assign(record.begin(), record.end());
  context_.relays.set_self(record);
  const auto opened = open_record(record, wall_.unix_s());
  if (opened) context_.self_sequence = opened->sequence;
}

void PathManager::Impl::set_local(std::vector<LocalAddress> addresses, std::uint16_t port, Instant now, Actions& out) {
  std::erase_if(addresses, [](const LocalAddress& a) { return is_overlay(a.address); });
  const auto same = [](const LocalAddress& a, const LocalAddress& b) {
    return a.address == b.address && a.bits == b.bits;
  };
  const bool first = context_.observer.port() == 0;
  const bool changed =
      port != context_.observer.port() || !std::ranges::is_permutation(addresses, context_.observer.local(), same);
  if (!changed) return;
  context_.observer.set_local(std::move(addresses), port);
  if (!first) {
    context_.observer.forget_all();
    context_.relays.moved(now, out);
    for (auto& [key, peer] : peers_) {
      peer->paths.moved(now);
      if (peer->wanted) peer->cycle = 0, peer->cycle_at = now + kMoved, peer->search_until = now + seconds(5);
      step(*peer, now, out);
      schedule(*peer);
    }
  }
  check_endpoints(out);
}

void PathManager::Impl::set_relays(std::vector<NodeRecord> relays, Instant now, Actions& out) {
  std::erase_if(relays, [&](const NodeRecord& r) { return r.tunnel.key == self_ || !r.has(kRelays); });
  if (relays.size() > kMaxRelaysKnown) relays.resize(kMaxRelaysKnown);
  known_relays_ = std::move(relays);
  choose_home(now, out);
}

void PathManager::Impl::choose_home(Instant now, Actions& out) {
  std::size_t wanted = options_.home_relays;
  if (server_) wanted = 0;
  // A reachable node keeps one: peers whose UDP is blocked reach it there.
  if (reachable_) wanted = std::min<std::size_t>(wanted, 1);
  std::erase_if(home_failed_, [&](const auto& entry) { return entry.second + kHomeRetry <= now; });
  std::vector<const NodeRecord*> order;
  // Those that serve us already first: the list may come in another order each time.
  const auto rank = [&](const NodeRecord& relay) {
    if (home_failed_.contains(relay.tunnel.key)) return 2;
    return context_.relays.is_home(relay.tunnel.key) ? 0 : 1;
  };
  for (int wanted_rank = 0; wanted_rank < 3; ++wanted_rank)
    for (const NodeRecord& relay : known_relays_)
      if (rank(relay) == wanted_rank) order.push_back(&relay);
  std::vector<std::pair<Key, UdpEndpoint>> home;
  for (const NodeRecord* relay : order) {
    if (home.size() >= wanted) break;
    for (const RecordEndpoint& endpoint : relay->endpoints) {
      if (endpoint.kind == RecordEndpoint::Kind::kRelay || endpoint.kind == RecordEndpoint::Kind::kTls ||
          !context_.may_probe(endpoint.address))
        continue;
      home.emplace_back(relay->tunnel.key, endpoint.address);
      break;
    }
  }
  context_.relays.set_home(home, now, out);
  for (const NodeRecord& relay : known_relays_) context_.relays.learn(relay);
}

Result<> PathManager::Impl::connect(const NodeRecord& record, Instant now, Actions& out, bool at_once) {
  const Key key = record.tunnel.key;
  if (key == self_) return fail(ErrorCode::kInvalid, "a node needs no path to itself");
  const Ipv6 from = record.endpoints.empty() ? Ipv6{} : record.endpoints.front().address.address;
  Peer* peer = find_or_add(key, from, true, now, out);
  if (peer == nullptr) return fail(ErrorCode::kExhausted, "the path manager is full of wanted peers");
  const bool other_root = peer->record && peer->record->root != record.root;
  if (other_root && peer->shown)
    return fail(ErrorCode::kDenied, "the record names a tunnel key that another node has shown to be its own");
  const bool newer = !peer->record || other_root || record.sequence > peer->record->sequence;
  if (newer) peer->record = record;
  if (record.has(kRelays)) context_.relays.learn(*peer->record);
  const bool fresh = !std::exchange(peer->wanted, true);
  if (fresh && at_once) peer->paths.hurry();
  if (fresh || (newer && !peer->paths.has_direct())) begin_cycle(*peer, now, out);
  step(*peer, now, out);
  schedule(*peer);
  return {};
}

void PathManager::Impl::meet(const Key& key, const UdpEndpoint& endpoint, Instant now, Actions& out) {
  if (key == self_ || !context_.may_probe(endpoint)) return;
  Peer* peer = find_or_add(key, endpoint.address, true, now, out);
  if (peer == nullptr || peer->wanted || peer->paths.current()) return;
  peer->paths.hurry();
  peer->paths.offer({endpoint, 0}, Word::kThird, kMeetProbes, now);
  step(*peer, now, out);
  schedule(*peer);
}

void PathManager::Impl::forget(const Key& key, Actions& out) {
  if (find(key) == nullptr) return;
  Actions quiet;
  remove(key, quiet);
  out.close.insert(out.close.end(), quiet.close.begin(), quiet.close.end());
}

void PathManager::Impl::offer_record(Peer& peer, Instant now) {
  if (!peer.record) return;
  for (const RecordEndpoint& endpoint : peer.record->endpoints) {
    if (endpoint.kind == RecordEndpoint::Kind::kRelay || endpoint.kind == RecordEndpoint::Kind::kTls) continue;
    if (context_.may_probe(endpoint.address)) peer.paths.offer({endpoint.address, 0}, Word::kRecord, 5, now);
  }
}

std::vector<RecordEndpoint> PathManager::Impl::relays_of(const Peer& peer) const {
  std::vector<RecordEndpoint> out;
  if (!peer.record) return out;
  for (const RecordEndpoint& endpoint : peer.record->endpoints)
    if (endpoint.kind == RecordEndpoint::Kind::kRelay && endpoint.relay != self_ && out.size() < kMaxRecordRelays)
      out.push_back(endpoint);
  // A relay that is our home as well needs no further registration.
  if (out.size() == 2 && !context_.relays.is_home(out[0].relay) && context_.relays.is_home(out[1].relay))
    std::swap(out[0], out[1]);
  return out;
}

void PathManager::Impl::begin_cycle(Peer& peer, Instant now, Actions& out) {
  ++peer.cycle;
  peer.cycle_at = now + backoff(peer.cycle);
  context_.relays.check(now);
  offer_record(peer, now);
  const auto relays = relays_of(peer);
  for (const RecordEndpoint& relay : relays) context_.relays.use(relay.relay, relay.address, now, out);
  // Where our UDP is blocked, a relay as peer is reached over its own link.
  if (peer.record && peer.record->has(kRelays) && context_.relays.udp_blocked())
    for (const RecordEndpoint& endpoint : peer.record->endpoints)
      if (endpoint.kind != RecordEndpoint::Kind::kRelay && endpoint.kind != RecordEndpoint::Kind::kTls) {
        context_.relays.use(peer.key, endpoint.address, now, out);
        context_.relays.learn(*peer.record);
        break;
      }
  peer.nonce = context_.random.next_u64();
  peer.introduce_tries = 0;
  peer.introduced = false;
  peer.introduce_at = now;
  peer.relay_turn = 0;
  const bool published = peer.record && std::ranges::any_of(peer.record->endpoints, [&](const RecordEndpoint& e) {
                           return e.kind != RecordEndpoint::Kind::kRelay && context_.may_probe(e.address) &&
                                  !context_.observer.same_lan(e.address.address);
                         });
  peer.channel_at = now + (published && !context_.relays.udp_blocked() ? kRelayHeadStart : Duration(0));
}

void PathManager::Impl::open_channel(Peer& peer, Instant now, Actions& out) {
  auto relays = relays_of(peer);
  // A peer that names none may still be registered where we are.
  if (relays.empty()) relays = context_.relays.home_endpoints();
  for (; peer.relay_turn < relays.size(); ++peer.relay_turn) {
    const RecordEndpoint& relay = relays[peer.relay_turn];
    if (context_.relays.open(relay.relay, relay.address, peer.key, now, out)) return;
  }
}

void PathManager::Impl::step(Peer& peer, Instant now, Actions& out) {
  peer.paths.on_timer(now, out);
  if (peer.spray_at && *peer.spray_at <= now) consider_spray(peer, now, out);
  const bool searching = peer.wanted && (!peer.paths.has_direct() || peer.search_until > now);
  if (!searching) {
    if (peer.paths.has_direct()) peer.cycle = 0, peer.search_until = {};
    peer.cycle_at.reset();
    peer.channel_at.reset();
    peer.introduce_at.reset();
    return;
  }
  if (std::exchange(peer.had_path, peer.paths.current().has_value()) && !peer.had_path)
    peer.cycle = 0, peer.cycle_at = now;  // lost: look at once
  if (!peer.cycle_at) peer.cycle_at = now + (peer.paths.current() ? Duration(seconds(2)) : Duration(0));
  if (*peer.cycle_at <= now) {
    if (peer.paths.current() && !peer.paths.active(now)) {
      peer.cycle_at = now + seconds(300);  // an idle peer stays on its relay
    } else {
      begin_cycle(peer, now, out);
      peer.paths.on_timer(now, out);
    }
  }
  if (peer.channel_at && *peer.channel_at <= now) {
    peer.channel_at.reset();
    if (!peer.paths.current()) open_channel(peer, now, out);
  }
  if (peer.introduce_at && *peer.introduce_at <= now) ask_introduction(peer, now, out);
}

bool PathManager::Impl::learn(Peer& peer, BytesView encoded, bool by_key, Actions& out) {
  auto record = open_record(encoded, wall_.unix_s());
  if (!record || record->tunnel.key != peer.key) return false;
  // Any root may certify any key: what the key's holder shows counts, and never changes. Until then it is hearsay.
  const bool other_root = peer.record && peer.record->root != record->root;
  if (other_root && (peer.shown || !by_key)) return false;
  const bool first = by_key && !std::exchange(peer.shown, true);
  const bool newer = !peer.record || other_root || peer.record->sequence < record->sequence;
  if (newer) {
    peer.record = std::move(*record);
    if (peer.record->has(kRelays)) context_.relays.learn(*peer.record, peer.shown);
  }
  if (by_key) peer.paths.set_record_known(true);
  if (newer || first) out.records.push_back({Bytes(encoded.begin(), encoded.end()), by_key});
  return true;
}

void PathManager::Impl::on_payload(DatagramKind kind, const Key& from, const PathEndpoint& path, BytesView payload,
                                   Instant now, Actions& out) {
  if (from == self_) return;
  if (is_channel(path.via) && context_.relays.peer_of(path.via) != from) return;
  if (kind == DatagramKind::kRelay) {
    RelayClient::Events events;
    if (server_) server_->on_control(from, path, payload, now, out);
    context_.relays.on_control(from, path, payload, now, out, events);
    take_events(std::move(events), now, out);
    return;
  }
  if (kind != DatagramKind::kPath) return;
  auto decoded = decode_path(payload);
  if (!decoded) return;
  if (const auto* probe = std::get_if<Probe>(&*decoded)) on_probe(from, path, *probe, now, out);
  if (const auto* ack = std::get_if<Ack>(&*decoded)) on_ack(from, path, *ack, now, out);
  if (const auto* confirm = std::get_if<Confirm>(&*decoded)) on_confirm(from, path, *confirm, now, out);
  if (const auto* m = std::get_if<Rendezvous>(&*decoded)) on_rendezvous(from, path, *m, now, out);
  if (const auto* m = std::get_if<Introduce>(&*decoded)) on_introduce(from, path, *m, now, out);
  if (const auto* m = std::get_if<nat::Spray>(&*decoded)) on_spray(from, path, *m, now, out);
  if (Peer* peer = find(from)) {
    step(*peer, now, out);
    schedule(*peer);
  }
}

void PathManager::Impl::on_probe(const Key& from, const PathEndpoint& path, const Probe& m, Instant now, Actions& out) {
  Peer* peer = find(from);
  if (peer == nullptr && !m.record.empty() && newcomers_.allow(path.udp.address, now)) {
    auto record = open_record(m.record, wall_.unix_s());
    if (record && record->tunnel.key == from) {
      peer = find_or_add(from, path.udp.address, false, now, out);
      if (peer != nullptr) (void)learn(*peer, m.record, true, out);
    }
  } else if (peer != nullptr && !m.record.empty() && (!peer->shown || peer->record->sequence < m.sequence)) {
    if (newcomers_.allow(path.udp.address, now)) (void)learn(*peer, m.record, true, out);
  }
  if (peer == nullptr) {
    // Somebody we know nothing about: one small answer that asks who it is.
    if (!strangers_.allow(path.udp.address, now)) return;
    Ack ack;
    ack.need_record = true;
    ack.id = m.id;
    ack.observed = path.udp;
    ack.size = static_cast<std::uint16_t>(std::min<std::size_t>(m.size, 0xffff));
    out.sends.push_back({from, path, DatagramKind::kPath, encode(ack)});
    return;
  }
  const bool needed = !peer->shown || peer->record->sequence < m.sequence;
  peer->paths.on_probe(path, m, needed, context_.self_record, now, out);
}

void PathManager::Impl::saw_us(const Key& from, const PathEndpoint& path, const UdpEndpoint& observed, Instant now,
                               Actions& out) {
  if (path.via != 0) return;
  context_.observer.add(from, path.udp.address, observed, now);
  check_endpoints(out);
}

void PathManager::Impl::on_ack(const Key& from, const PathEndpoint& path, const Ack& m, Instant now, Actions& out) {
  Peer* peer = find(from);
  if (peer == nullptr) return;
  if (!peer->paths.on_ack(path, m, now, out).matched && !spray_answer(from, path, m, now, out)) return;
  saw_us(from, path, m.observed, now, out);
  if (is_channel(path.via)) context_.relays.touch(path.via, now);
  if (!m.record.empty() && newcomers_.allow(path.udp.address, now)) (void)learn(*peer, m.record, true, out);
}

void PathManager::Impl::on_confirm(const Key& from, const PathEndpoint& path, const Confirm& m, Instant now,
                                   Actions& out) {
  Peer* peer = find(from);
  if (peer == nullptr || !peer->paths.on_confirm(path, m, now, out).matched) return;
  saw_us(from, path, m.observed, now, out);
  if (is_channel(path.via)) context_.relays.touch(path.via, now);
  if (is_extra_socket(path.via) && spray_ && spray_->peer == from) {
    spray_->sent = spray_->sockets.size();  // met: no more probes; the path is proven once more before the rest closes
    spray_->next = now + milliseconds(300);
  }
}

void PathManager::Impl::on_traffic(const Key& key, bool received, Instant now, Actions& out) {
  Peer* peer = find(key);
  if (peer == nullptr) return;
  const bool idle = !peer->paths.active(now);
  peer->paths.on_traffic(received, now);
  if (peer->paths.current() && is_channel(peer->paths.current()->via))
    context_.relays.touch(peer->paths.current()->via, now);
  if (idle && peer->wanted && !peer->paths.has_direct()) peer->cycle = 0, peer->cycle_at = now;
  step(*peer, now, out);
  schedule(*peer);
}

void PathManager::Impl::take_events(RelayClient::Events events, Instant now, Actions& out) {
  using Kind = RelayClient::Event::Kind;
  for (const auto& event : events) {
    switch (event.kind) {
      case Kind::kReady:
      case Kind::kObserved: {
        if (event.observed.valid()) saw_us(event.relay, event.path, event.observed, now, out);
        if (event.kind == Kind::kObserved) break;
        check_endpoints(out);
        for (auto& [key, peer] : peers_) {
          if (key == event.relay && is_link(event.path.via)) peer->paths.offer(event.path, Word::kChannel, 5, now);
          if (!peer->wanted || (peer->paths.has_direct() && peer->search_until <= now)) continue;
          if (event.path.via == 0 && peer->paths.current()) peer->cycle = 0, peer->cycle_at = now;  // UDP works (again)
          if (peer->introduce_tries < 3 && !peer->introduced) peer->introduce_at = now;
          if (!peer->paths.current() && !peer->channel_at) peer->channel_at = now;
          schedule(*peer);
        }
        break;
      }
      case Kind::kDown:
        check_endpoints(out);
        if (context_.relays.is_home(event.relay) && context_.relays.failures(event.relay) >= 2) {
          home_failed_[event.relay] = now;
          choose_home(now, out);
        }
        break;
      case Kind::kOpened:
        if (Peer* peer = find_or_add(event.peer, event.path.udp.address, false, now, out)) {
          peer->paths.offer(event.path, Word::kChannel, 5, now);
          step(*peer, now, out);
          schedule(*peer);
        }
        break;
      case Kind::kClosed:
        if (Peer* peer = find(event.peer)) {
          peer->paths.remove(event.path.via, now, out);
          step(*peer, now, out);
          schedule(*peer);
        }
        break;
      case Kind::kRefused:
        if (Peer* peer = find(event.peer)) {
          ++peer->relay_turn;
          if (peer->wanted && !peer->paths.current()) open_channel(*peer, now, out);
        }
        break;
      case Kind::kOffered:
        if (Peer* peer = find_or_add(event.peer, event.path.udp.address, false, now, out))
          (void)learn(*peer, event.record, false, out);
        break;
    }
  }
}

void PathManager::Impl::on_timer(Instant now, Actions& out) {
  served_ = now;
  while (!due_.empty() && due_.begin()->first <= now) {
    Peer* peer = find(due_.begin()->second);
    step(*peer, now, out);
    due_.erase({*peer->due, peer->key});
    peer->due.reset();
    const auto clamp = [&](std::optional<Instant>& at) {
      if (at && *at <= now) at = now + milliseconds(1);  // each instant is served once
    };
    clamp(peer->cycle_at), clamp(peer->channel_at), clamp(peer->introduce_at);
    schedule(*peer);
    if (peer->due && *peer->due <= now) {
      due_.erase({*peer->due, peer->key});
      peer->due = now + milliseconds(1);
      due_.insert({*peer->due, peer->key});
    }
  }
  RelayClient::Events events;
  context_.relays.on_timer(now, out, events);
  take_events(std::move(events), now, out);
  if (server_) server_->on_timer(now);
  step_spray(now, out);
  if (swept_ + kSweep <= now) sweep(now, out);
}

void PathManager::Impl::sweep(Instant now, Actions& out) {
  swept_ = now;
  std::vector<Key> gone;
  for (const auto& [key, peer] : peers_) {
    if (peer->wanted) continue;
    const bool unproven = !peer->paths.any_confirmed() && peer->made + kUnprovenLife <= now;
    if (unproven || (peer->made + kPassiveIdle <= now && !peer->paths.active(now))) gone.push_back(key);
  }
  for (const Key& key : gone) remove(key, out);
  // Extra sockets whose path died.
  std::erase_if(sockets_, [&](const auto& entry) {
    const Peer* peer = find(entry.second);
    const bool used = peer != nullptr && peer->paths.current() && peer->paths.current()->via == entry.first;
    if (!used) out.close.push_back(entry.first);
    return !used;
  });
  context_.observer.expire(now);
  check_endpoints(out);
}

std::optional<Instant> PathManager::Impl::next_timer() const {
  Instant next = swept_ + kSweep;
  if (!due_.empty()) next = std::min(next, due_.begin()->first);
  if (const auto at = context_.relays.next_timer()) next = std::min(next, *at);
  if (server_)
    if (const auto at = server_->next_timer()) next = std::min(next, *at);
  if (spray_) next = std::min(next, spray_->next);
  return served_ ? std::max(next, *served_ + milliseconds(1)) : next;
}

PathManager::Relayed PathManager::Impl::on_relayed(std::span<std::uint8_t> frame, const PathEndpoint& from,
                                                   Instant now) {
  Relayed out;
  if (frame.size() <= kRelayHeader || frame[0] != static_cast<std::uint8_t>(DatagramKind::kRelayed) ||
      frame[1] != kRelayVersion || is_channel(from.via))
    return out;
  if (const auto path = context_.relays.unwrap(frame, from, now)) {
    const BytesView inner = frame.subspan(kRelayHeader);
    // No relaying inside of relaying, and no control of relays through them.
    if (inner[0] == static_cast<std::uint8_t>(DatagramKind::kRelayed) ||
        inner[0] == static_cast<std::uint8_t>(DatagramKind::kRelay))
      return out;
    return {Relayed::What::kDeliver, *path, inner};
  }
  if (!server_) return out;
  const auto to = server_->forward(frame, from, now);
  if (to) out = {Relayed::What::kForward, *to, {}};
  return out;
}

void PathManager::Impl::link_down(std::uint32_t via, Instant now, Actions& out) {
  RelayClient::Events events;
  context_.relays.link_down(via, now, out, events);
  if (server_) server_->link_down(via);
  for (auto& [key, peer] : peers_) {
    peer->paths.remove(via, now, out);
    schedule(*peer);
  }
  take_events(std::move(events), now, out);
}

}  // namespace bonus::net::nat
