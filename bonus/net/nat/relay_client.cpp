// Registrations and channels; messages in docs/formats/net_path.md.
#include "bonus/net/nat/relay_client.hpp"

#include <algorithm>
#include <array>

#include "bonus/net/nat/wire.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
constexpr std::size_t kMaxRelays = 32, kMaxChannels = 512, kMaxOpening = 64, kMaxClaims = 8;
constexpr std::array<Duration, 4> kRegisterRetries = {milliseconds(400), milliseconds(800), milliseconds(800),
                                                      milliseconds(1000)};
constexpr auto kOpenRetry = milliseconds(400);
constexpr int kOpenTries = 5;
constexpr auto kOpenLimit = milliseconds(2500);  // with the registration, if that is still to be made
constexpr auto kAnew = seconds(1);               // at least between two registrations that the relay asks for
constexpr auto kKeepRetry = milliseconds(700);
constexpr auto kUdpRetry = seconds(60);  // while on TLS
constexpr auto kIdle = seconds(60);
constexpr auto kChannelIdle = seconds(180);
constexpr UnixSeconds kPermission = 600;
constexpr int kOffersPerSecond = 20;
constexpr std::uint16_t kHttps = 443;

}  // namespace

RelayClient::RelayClient(const crypto::Ed25519KeyPair& root, const crypto::X25519Public& self, runtime::Random& random,
                         const runtime::Clock& wall, const PathOptions& options)
    : root_(root), self_(self), random_(random), wall_(wall), options_(options) {}

void RelayClient::learn(const NodeRecord& record, bool by_key) {
  const auto found = relays_.find(record.tunnel.key);
  if (found == relays_.end()) return;
  Relay& relay = found->second;
  auto claim = std::ranges::find(relay.claims, record.root, &Claim::root);
  if (relay.shown && claim == relay.claims.end()) return;
  if (by_key && !std::exchange(relay.shown, true)) {
    relay.claims.clear();
    claim = relay.claims.end();
  }
  if (claim == relay.claims.end()) {
    if (relay.claims.size() < kMaxClaims) {
      claim = relay.claims.insert(relay.claims.end(), Claim{record.root, {}});
    } else {
      claim = relay.claims.begin() + static_cast<std::ptrdiff_t>(random_.below(kMaxClaims));
      *claim = {record.root, {}};
    }
  }
  claim->tls.clear();
  for (const auto& endpoint : record.endpoints)
    if (endpoint.kind == RecordEndpoint::Kind::kTls) claim->tls.push_back(endpoint.address);
}

RelayClient::Relay* RelayClient::find_or_add(const crypto::X25519Public& key, const UdpEndpoint& address, Instant now,
                                             Actions& out) {
  const auto found = relays_.find(key);
  if (found != relays_.end()) {
    Relay& relay = found->second;
    relay.used = now;
    if (relay.address != address && relay.state == State::kFailed && address.valid()) {
      relay.address = address;
      relay.failures = 0;
      start(key, relay, {address, 0}, now, out);
    }
    return &relay;
  }
  if (relays_.size() >= kMaxRelays || key == self_ || !address.valid() || is_overlay(address.address)) return nullptr;
  if (!options_.allow_private && !is_global_unicast(address.address)) return nullptr;
  Relay& relay = relays_[key];
  relay.address = address;
  relay.used = now;
  start(key, relay, {address, 0}, now, out);
  return &relay;
}

void RelayClient::set_home(const std::vector<std::pair<crypto::X25519Public, UdpEndpoint>>& relays, Instant now,
                           Actions& out) {
  for (auto& [key, relay] : relays_) relay.home = false;
  for (const auto& [key, address] : relays)
    if (Relay* relay = find_or_add(key, address, now, out)) relay->home = true;
}

void RelayClient::use(const crypto::X25519Public& relay, const UdpEndpoint& address, Instant now, Actions& out) {
  (void)find_or_add(relay, address, now, out);
}

bool RelayClient::open(const crypto::X25519Public& key, const UdpEndpoint& address, const crypto::X25519Public& peer,
                       Instant now, Actions& out) {
  Relay* relay = find_or_add(key, address, now, out);
  if (relay == nullptr || relay->state == State::kFailed) return false;
  if (relay->opening.contains(peer)) return true;
  if (relay->opening.size() >= kMaxOpening) return false;
  Opening& opening = relay->opening[peer];
  opening.nonce = random_.next_u64();
  opening.next = now;
  opening.until = now + kOpenLimit;
  if (relay->state == State::kReady) send_open(key, *relay, peer, opening, now, out);
  return true;
}

void RelayClient::start(const crypto::X25519Public& key, Relay& relay, const PathEndpoint& path, Instant now,
                        Actions& out) {
  by_path_.erase(relay.path);
  relay.path = path;
  by_path_[path] = key;
  relay.state = State::kRegistering;
  relay.id = random_.next_u64();
  relay.tries = 0;
  relay.began = now;
  relay.next = now + kRegisterRetries[0];
  send_register(key, relay, path, 0, out);
}

void RelayClient::forgotten(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out) {
  if (relay.began + kAnew <= now) return start(key, relay, relay.path, now, out);
  relay.next = std::min(relay.next, relay.began + kAnew);  // asks by a Keep, and registers if it is still so
}

void RelayClient::send_register(const crypto::X25519Public& key, Relay& relay, const PathEndpoint& path,
                                std::uint64_t cookie, Actions& out) {
  if (self_record_.empty()) return;  // tried again when the timer comes round
  out.sends.push_back({key, path, DatagramKind::kRelay, encode(Register{relay.id, cookie, self_record_})});
}

void RelayClient::send_open(const crypto::X25519Public& key, Relay& relay, const crypto::X25519Public& peer,
                            Opening& opening, Instant now, Actions& out) {
  ++opening.tries;
  opening.next = now + kOpenRetry;
  const UnixSeconds expires = wall_.unix_s() + kPermission;
  const auto signature = root_.sign(permission_bytes(key, self_, peer, expires));
  out.sends.push_back({key, relay.path, DatagramKind::kRelay, encode(Open{peer, opening.nonce, expires, signature})});
}

void RelayClient::on_control(const crypto::X25519Public& from, const PathEndpoint& path, BytesView payload, Instant now,
                             Actions& out, Events& events) {
  const auto found = relays_.find(from);
  if (found == relays_.end() || is_channel(path.via)) return;
  Relay& relay = found->second;
  auto decoded = decode_relay(payload);
  if (!decoded) return;
  if (const auto* m = std::get_if<Challenge>(&*decoded)) {
    if (m->id != relay.id) return;
    if (path != relay.path) {
      // UDP works again while we are on TLS.
      if (!is_link(relay.path.via) || path.via != 0 || path.udp != relay.address) return;
      by_path_.erase(relay.path);
      relay.path = path;
      by_path_[path] = from;
      relay.announce = true;
    }
    relay.state = relay.state == State::kFailed ? State::kRegistering : relay.state;
    send_register(from, relay, path, m->cookie, out);
  } else if (const auto* registered = std::get_if<Registered>(&*decoded)) {
    if (registered->id != relay.id || path != relay.path) return;
    const bool fresh = relay.state != State::kReady || std::exchange(relay.announce, false);
    relay.state = State::kReady;
    relay.heard = now;
    relay.tries = relay.failures = 0;
    relay.next = now + options_.keepalive;
    if (is_link(path.via)) {
      if (fresh) relay.udp_retry = now + kUdpRetry;
    } else if (relay.link) {
      out.close.push_back(*relay.link);
      relay.link.reset();
      relay.link_wanted = false;
    }
    const UdpEndpoint observed = is_link(path.via) ? UdpEndpoint{} : registered->observed;
    events.push_back({fresh ? Event::Kind::kReady : Event::Kind::kObserved, from, {}, path, observed, {}});
    if (fresh)
      for (auto& [peer, opening] : relay.opening) send_open(from, relay, peer, opening, now, out);
  } else if (const auto* refused = std::get_if<Refused>(&*decoded)) {
    if (refused->id == relay.id) {
      if (refused->why == RelayRefusal::kNotClient) {
        forgotten(from, relay, now, out);
      } else {
        failed(from, relay, now, out, events);
      }
      return;
    }
    for (auto it = relay.opening.begin(); it != relay.opening.end(); ++it) {
      if (it->second.nonce != refused->id) continue;
      if (refused->why == RelayRefusal::kNotClient) {
        forgotten(from, relay, now, out);
      } else {
        events.push_back({Event::Kind::kRefused, from, it->first, {}, {}, {}});
        relay.opening.erase(it);
      }
      return;
    }
  } else if (const auto* offer = std::get_if<Offer>(&*decoded)) {
    on_offer(from, relay, *offer, now, out, events);
  } else if (const auto* opened = std::get_if<Opened>(&*decoded)) {
    on_opened(from, relay, *opened, now, events);
  } else if (const auto* closed = std::get_if<Close>(&*decoded)) {
    const auto token = tokens_.find({from, closed->token});
    if (token == tokens_.end()) return;
    const std::uint32_t via = token->second;
    events.push_back({Event::Kind::kClosed, from, channels_[via].peer, {relay.address, via}, {}, {}});
    channels_.erase(via);
    tokens_.erase(token);
  }
}

void RelayClient::on_offer(const crypto::X25519Public& from, Relay& relay, const Offer& m, Instant now, Actions& out,
                           Events& events) {
  if (relay.state != State::kReady) return;
  if (now >= relay.offers_since + seconds(1)) {
    relay.offers_since = now;
    relay.offers = 0;
  }
  if (++relay.offers > kOffersPerSecond) return;
  const UnixSeconds unix_s = wall_.unix_s();
  auto record = open_record(m.record, unix_s);
  if (!record || m.expires <= unix_s || record->tunnel.key == self_) return;
  const crypto::X25519Public peer = record->tunnel.key;
  const Bytes permission = permission_bytes(from, self_, peer, m.expires);
  if (!crypto::ed25519_verify(record->root, permission, m.signature)) return;
  const bool wanted = !options_.accept_relayed || options_.accept_relayed(*record);
  const bool room =
      channels_.size() < kMaxChannels && (relay.accepting.size() < kMaxOpening || relay.accepting.contains(peer));
  if (!wanted || !room) {
    out.sends.push_back({from, relay.path, DatagramKind::kRelay, encode(Accept{peer, m.nonce, true, {}})});
    return;
  }
  relay.used = now;
  Bytes accept = encode(Accept{peer, m.nonce, false, root_.sign(permission)});
  out.sends.push_back({from, relay.path, DatagramKind::kRelay, accept});
  relay.accepting[peer] = {std::move(accept), 1, now + kOpenRetry, m.nonce};
  events.push_back({Event::Kind::kOffered, from, peer, relay.path, {}, m.record});
}

void RelayClient::on_opened(const crypto::X25519Public& from, Relay& relay, const Opened& m, Instant now,
                            Events& events) {
  const UnixSeconds unix_s = wall_.unix_s();
  if (m.expires <= unix_s || m.token == 0) return;
  // Only what we have asked for or accepted, and not a second time: a relay cannot fill our table, and an answer that
  // somebody repeats does not bring back a former token.
  const auto opening = relay.opening.find(m.peer);
  const auto accepting = relay.accepting.find(m.peer);
  if ((opening == relay.opening.end() || opening->second.nonce != m.nonce) &&
      (accepting == relay.accepting.end() || accepting->second.nonce != m.nonce))
    return;
  relay.opening.erase(m.peer);
  relay.accepting.erase(m.peer);
  relay.used = now;
  const Instant until = now + seconds(std::min<UnixSeconds>(m.expires - unix_s, kPermission));
  for (auto& [via, channel] : channels_) {
    if (channel.relay != from || channel.peer != m.peer) continue;
    tokens_.erase({from, channel.token});
    channel.token = m.token;
    channel.until = until;
    channel.renewed = now;
    tokens_[{from, m.token}] = via;
    return;
  }
  if (channels_.size() >= kMaxChannels || tokens_.contains({from, m.token})) return;
  const std::uint32_t via = next_via_;
  next_via_ = next_via_ + 1 < kViaLink ? next_via_ + 1 : 1;
  channels_[via] = {from, m.peer, m.token, until, now, now};
  tokens_[{from, m.token}] = via;
  events.push_back({Event::Kind::kOpened, from, m.peer, {relay.address, via}, {}, {}});
}

void RelayClient::close(std::uint32_t via, Instant now, Actions& out, bool tell) {
  const auto found = channels_.find(via);
  if (found == channels_.end()) return;
  const auto relay = relays_.find(found->second.relay);
  if (tell && relay != relays_.end() && relay->second.state == State::kReady)
    out.sends.push_back({relay->first, relay->second.path, DatagramKind::kRelay, encode(Close{found->second.token})});
  if (relay != relays_.end()) relay->second.used = now;
  tokens_.erase({found->second.relay, found->second.token});
  channels_.erase(found);
}

void RelayClient::touch(std::uint32_t via, Instant now) {
  if (const auto found = channels_.find(via); found != channels_.end()) found->second.used = now;
}

void RelayClient::check(Instant now) {
  for (auto& [key, relay] : relays_)
    if (relay.state == State::kReady && relay.tries == 0 && relay.heard + seconds(1) <= now) relay.next = now;
}

void RelayClient::moved(Instant now, Actions& out) {
  for (auto& [key, relay] : relays_)
    if (!is_link(relay.path.via)) start(key, relay, {relay.address, 0}, now, out);
}

void RelayClient::drop_channels(const crypto::X25519Public& key, Events& events) {
  for (auto it = channels_.begin(); it != channels_.end();) {
    if (it->second.relay != key) {
      ++it;
      continue;
    }
    events.push_back({Event::Kind::kClosed, key, it->second.peer, {relays_[key].address, it->first}, {}, {}});
    tokens_.erase({key, it->second.token});
    it = channels_.erase(it);
  }
}

void RelayClient::failed(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out, Events& events) {
  relay.state = State::kFailed;
  relay.tries = 0;
  relay.next = now + seconds(std::min(300, 15 << std::min(relay.failures, 5)));
  ++relay.failures;
  if (relay.link) {  // the link did not help: back to UDP at the next try
    out.close.push_back(*relay.link);
    relay.link.reset();
    relay.link_wanted = false;
  } else {
    // Said again each time: the shell may have given up meanwhile, and knows what it tries already.
    relay.link_wanted = true;
    const Claim claim =
        relay.claims.empty() ? Claim{} : relay.claims[static_cast<std::size_t>(relay.dials++) % relay.claims.size()];
    std::vector<UdpEndpoint> endpoints = claim.tls;
    if (endpoints.empty()) endpoints = {{relay.address.address, kHttps}, relay.address};
    out.want_links.push_back({key, claim.root, std::move(endpoints)});
  }
  events.push_back({Event::Kind::kDown, key, {}, {}, {}, {}});
  for (const auto& [peer, opening] : relay.opening) events.push_back({Event::Kind::kRefused, key, peer, {}, {}, {}});
  relay.opening.clear();
  relay.accepting.clear();
  drop_channels(key, events);
}

bool RelayClient::used_by_channel(const crypto::X25519Public& key) const {
  return std::ranges::any_of(channels_, [&](const auto& entry) { return entry.second.relay == key; });
}

void RelayClient::step(const crypto::X25519Public& key, Relay& relay, Instant now, Actions& out, Events& events) {
  if (relay.next <= now) {
    switch (relay.state) {
      case State::kRegistering:
        ++relay.tries;
        if (static_cast<std::size_t>(relay.tries) >= kRegisterRetries.size()) {
          failed(key, relay, now, out, events);
          return;
        }
        relay.next = now + kRegisterRetries[static_cast<std::size_t>(relay.tries)];
        send_register(key, relay, relay.path, 0, out);
        break;
      case State::kReady:
        if (relay.tries >= 3) {
          start(key, relay, relay.path, now, out);
          break;
        }
        ++relay.tries;
        relay.id = random_.next_u64();
        relay.next = now + kKeepRetry;
        out.sends.push_back({key, relay.path, DatagramKind::kRelay, encode(Keep{relay.id})});
        break;
      case State::kFailed:
        start(key, relay, {relay.address, 0}, now, out);
        break;
    }
  }
  for (auto it = relay.opening.begin(); it != relay.opening.end();) {
    if (it->second.until > now && it->second.tries < kOpenTries + 1) {
      ++it;
      continue;
    }
    events.push_back({Event::Kind::kRefused, key, it->first, {}, {}, {}});
    it = relay.opening.erase(it);
  }
  if (relay.state != State::kReady) return;
  if (is_link(relay.path.via) && relay.udp_retry <= now) {
    relay.udp_retry = now + kUdpRetry;
    relay.id = random_.next_u64();
    send_register(key, relay, {relay.address, 0}, 0, out);
  }
  for (auto it = relay.accepting.begin(); it != relay.accepting.end();) {
    Accepting& accepting = it->second;
    if (accepting.next <= now && ++accepting.tries > kOpenTries) {
      it = relay.accepting.erase(it);
      continue;
    }
    if (accepting.next <= now) {
      accepting.next = now + kOpenRetry;
      out.sends.push_back({key, relay.path, DatagramKind::kRelay, accepting.message});
    }
    ++it;
  }
  for (auto it = relay.opening.begin(); it != relay.opening.end();) {
    if (it->second.next > now) {
      ++it;
    } else if (it->second.tries >= kOpenTries) {
      events.push_back({Event::Kind::kRefused, key, it->first, {}, {}, {}});
      it = relay.opening.erase(it);
    } else {
      send_open(key, relay, it->first, it->second, now, out);
      ++it;
    }
  }
}

void RelayClient::on_timer(Instant now, Actions& out, Events& events) {
  for (auto it = channels_.begin(); it != channels_.end();) {
    auto& [via, channel] = *it;
    if (channel.until <= now || channel.used + kChannelIdle <= now) {
      const auto relay = relays_.find(channel.relay);
      const UdpEndpoint address = relay == relays_.end() ? UdpEndpoint{} : relay->second.address;
      events.push_back({Event::Kind::kClosed, channel.relay, channel.peer, {address, via}, {}, {}});
      const std::uint32_t gone = via;
      ++it;
      close(gone, now, out);
      continue;
    }
    // Half of the time is left: either end renews.
    if (channel.until - now <= seconds(kPermission / 2) && channel.renewed + seconds(10) <= now) {
      channel.renewed = now;
      const auto relay = relays_.find(channel.relay);
      if (relay != relays_.end()) (void)open(channel.relay, relay->second.address, channel.peer, now, out);
    }
    ++it;
  }
  for (auto it = relays_.begin(); it != relays_.end();) {
    Relay& relay = it->second;
    if (!relay.home && relay.opening.empty() && relay.used + kIdle <= now && !used_by_channel(it->first)) {
      if (relay.link) out.close.push_back(*relay.link);
      if (relay.state == State::kReady) events.push_back({Event::Kind::kDown, it->first, {}, {}, {}, {}});
      by_path_.erase(relay.path);
      it = relays_.erase(it);
      continue;
    }
    step(it->first, relay, now, out, events);
    ++it;
  }
}

std::optional<Instant> RelayClient::next_timer() const {
  std::optional<Instant> next;
  const auto at = [&](Instant when) { next = next ? std::min(*next, when) : when; };
  for (const auto& [key, relay] : relays_) {
    at(relay.next);
    for (const auto& [peer, opening] : relay.opening) at(opening.until);
    if (!relay.home) at(std::max(relay.used + kIdle, relay.next));
    if (relay.state != State::kReady) continue;
    if (is_link(relay.path.via)) at(relay.udp_retry);
    for (const auto& [peer, opening] : relay.opening) at(opening.next);
    for (const auto& [peer, accepting] : relay.accepting) at(accepting.next);
  }
  for (const auto& [via, channel] : channels_) {
    at(std::min(channel.until, channel.used + kChannelIdle));
    at(std::max(channel.until - seconds(kPermission / 2), channel.renewed + seconds(10)));
  }
  return next;
}

void RelayClient::link_up(const crypto::X25519Public& key, const PathEndpoint& link, const Ed25519PublicKey& root,
                          Instant now, Actions& out) {
  const auto found = relays_.find(key);
  const auto claimed = [&](const Relay& relay) {
    return relay.claims.empty() || std::ranges::find(relay.claims, root, &Claim::root) != relay.claims.end();
  };
  const bool wanted = found != relays_.end() && found->second.link_wanted && claimed(found->second);
  if (!wanted || (found->second.state == State::kReady && !is_link(found->second.path.via))) {
    out.close.push_back(link.via);
    if (found != relays_.end()) found->second.link_wanted = false;
    return;
  }
  found->second.link = link.via;
  start(key, found->second, link, now, out);
}

void RelayClient::link_down(std::uint32_t via, Instant now, Actions& out, Events& events) {
  for (auto& [key, relay] : relays_) {
    if (relay.link != via) continue;
    relay.link.reset();  // the shell reconnects: link_wanted stays
    if (relay.path.via != via) return;
    events.push_back({Event::Kind::kDown, key, {}, {}, {}, {}});
    drop_channels(key, events);
    start(key, relay, {relay.address, 0}, now, out);
    return;
  }
}

std::optional<PathEndpoint> RelayClient::unwrap(BytesView frame, const PathEndpoint& from, Instant now) const {
  const auto relay = by_path_.find(from);
  if (relay == by_path_.end() || frame.size() <= kRelayHeader) return std::nullopt;
  Reader r(frame.subspan(2));
  const auto token = tokens_.find({relay->second, r.u64()});
  if (token == tokens_.end()) return std::nullopt;
  const Channel& channel = channels_.at(token->second);
  if (channel.until <= now) return std::nullopt;
  return PathEndpoint{relays_.at(relay->second).address, token->second};
}

std::optional<PathEndpoint> RelayClient::wrap(std::uint32_t via, std::span<std::uint8_t, kRelayHeader> header) const {
  const auto channel = channels_.find(via);
  if (channel == channels_.end()) return std::nullopt;
  const auto relay = relays_.find(channel->second.relay);
  if (relay == relays_.end()) return std::nullopt;
  header[0] = static_cast<std::uint8_t>(DatagramKind::kRelayed);
  header[1] = kRelayVersion;
  std::uint64_t token = channel->second.token;
  for (std::size_t i = 10; i-- > 2; token >>= 8) header[i] = static_cast<std::uint8_t>(token);
  return relay->second.path;
}

bool RelayClient::over_link(std::uint32_t via) const {
  const auto channel = channels_.find(via);
  if (channel == channels_.end()) return false;
  const auto relay = relays_.find(channel->second.relay);
  return relay != relays_.end() && is_link(relay->second.path.via);
}

std::optional<crypto::X25519Public> RelayClient::peer_of(std::uint32_t via) const {
  const auto channel = channels_.find(via);
  if (channel == channels_.end()) return std::nullopt;
  return channel->second.peer;
}

std::optional<PathEndpoint> RelayClient::ready_path(const crypto::X25519Public& key) const {
  const auto relay = relays_.find(key);
  if (relay == relays_.end() || relay->second.state != State::kReady) return std::nullopt;
  return relay->second.path;
}

int RelayClient::failures(const crypto::X25519Public& key) const {
  const auto relay = relays_.find(key);
  return relay == relays_.end() ? 0 : relay->second.failures;
}

bool RelayClient::is_home(const crypto::X25519Public& key) const {
  const auto relay = relays_.find(key);
  return relay != relays_.end() && relay->second.home;
}

std::vector<RecordEndpoint> RelayClient::home_endpoints() const {
  std::vector<RecordEndpoint> out;
  for (const auto& [key, relay] : relays_)
    if (relay.home && relay.state == State::kReady) out.push_back({RecordEndpoint::Kind::kRelay, relay.address, key});
  return out;
}

bool RelayClient::udp_blocked() const {
  bool tried = false;
  for (const auto& [key, relay] : relays_) {
    if (relay.state == State::kReady && !is_link(relay.path.via)) return false;
    tried = tried || relay.failures > 0 || relay.link.has_value();
  }
  return tried;
}

}  // namespace bonus::net::nat
