// The relay's side: registrations, permissions, forwarding and metering.
#include <algorithm>

#include "bonus/crypto/hash.hpp"
#include "bonus/net/nat/relay.hpp"
#include "bonus/net/nat/relay_message.hpp"
#include "bonus/net/nat/wire.hpp"

namespace bonus::net::nat {
namespace {

using std::chrono::seconds;
constexpr auto kClientLifetime = seconds(90);
constexpr auto kOfferLifetime = seconds(5);
constexpr auto kCookieEpoch = seconds(60);
constexpr auto kSweep = seconds(5);
constexpr UnixSeconds kMaxPermission = 3600;
constexpr std::size_t kShare = 8;  // in need a network (/24, IPv6 /56) has an eighth

std::uint64_t get_u64(BytesView in) {
  Reader r(in);
  return r.u64();
}

void put_u64(std::span<std::uint8_t> out, std::uint64_t value) {
  for (std::size_t i = 8; i-- > 0; value >>= 8) out[i] = static_cast<std::uint8_t>(value);
}

}  // namespace

Bytes permission_bytes(const crypto::X25519Public& relay, const crypto::X25519Public& a, const crypto::X25519Public& b,
                       UnixSeconds expires) {
  Writer w;
  return w.raw(as_bytes("bonus/relay/v1")).raw(relay).raw(std::min(a, b)).raw(std::max(a, b)).u64(expires).take();
}

bool RelayServer::Bucket::take(double amount, double rate, double burst, Instant now) {
  if (tokens < 0) {
    tokens = burst;
  } else {
    tokens = std::min(burst, tokens + rate * std::chrono::duration<double>(now - at).count());
  }
  at = now;
  if (tokens < amount) return false;
  tokens -= amount;
  return true;
}

RelayServer::RelayServer(const crypto::X25519Public& self, runtime::Random& random, const runtime::Clock& wall,
                         RelayLimits limits)
    : self_(self), random_(random), wall_(wall), limits_(limits) {
  random_.fill(cookie_key_.bytes);
}

std::uint64_t RelayServer::cookie(const crypto::X25519Public& from, const PathEndpoint& path, Instant now,
                                  int age) const {
  Writer w;
  w.raw(from).endpoint(path.udp).u32(path.via);
  w.u64(static_cast<std::uint64_t>(now.time_since_epoch() / kCookieEpoch - age));
  return get_u64(crypto::hmac_sha256(cookie_key_, w.take()).view());
}

std::uint64_t RelayServer::new_token() {
  std::uint64_t token = 0;
  do {
    token = random_.next_u64();
  } while (token == 0 || sides_.contains(token));
  return token;
}

void RelayServer::on_control(const crypto::X25519Public& from, const PathEndpoint& path, BytesView payload, Instant now,
                             Actions& out) {
  if (is_channel(path.via)) return;  // no relaying of relaying
  const auto reply = [&](Bytes answer) { out.sends.push_back({from, path, DatagramKind::kRelay, std::move(answer)}); };
  auto decoded = decode_relay(payload);
  if (!decoded) return;
  if (const auto* m = std::get_if<Register>(&*decoded)) {
    on_register(from, path, *m, now, out);
    return;
  }
  const auto found = clients_.find(from);
  if (found == clients_.end()) {
    if (const auto* keep = std::get_if<Keep>(&*decoded)) reply(encode(Refused{keep->id, RelayRefusal::kNotClient}));
    if (const auto* open = std::get_if<Open>(&*decoded)) reply(encode(Refused{open->nonce, RelayRefusal::kNotClient}));
    return;
  }
  Client& client = found->second;
  if (const auto* keep = std::get_if<Keep>(&*decoded)) {
    // From another address it proves nothing: datagrams can be replayed. A challenge makes the client register anew.
    if (client.path != path) return reply(encode(Challenge{keep->id, cookie(from, path, now, 0)}));
    client.until = now + kClientLifetime;
    reply(encode(Registered{keep->id, path.udp, static_cast<std::uint16_t>(kClientLifetime.count())}));
    return;
  }
  if (client.path != path) return;
  if (const auto* close = std::get_if<Close>(&*decoded)) {
    const auto side = sides_.find(close->token);
    if (side == sides_.end() || side->second.client != from) return;
    const auto other = clients_.find(side->second.peer);
    if (other != clients_.end())
      out.sends.push_back(
          {side->second.peer, other->second.path, DatagramKind::kRelay, encode(Close{side->second.peer_token})});
    close_channel(close->token);
    return;
  }
  if (!client.requests.take(1, limits_.requests_per_s, limits_.request_burst, now)) {
    ++stats_.over_limit;
    return;
  }
  if (const auto* open = std::get_if<Open>(&*decoded)) on_open(from, client, *open, now, out);
  if (const auto* accept = std::get_if<Accept>(&*decoded)) on_accept(from, client, *accept, now, out);
}

void RelayServer::on_register(const crypto::X25519Public& from, const PathEndpoint& path, const Register& m,
                              Instant now, Actions& out) {
  const auto reply = [&](Bytes answer) { out.sends.push_back({from, path, DatagramKind::kRelay, std::move(answer)}); };
  // A link has proven its address, but not that what comes over it is not somebody else's datagram, said again.
  const bool shown =
      m.cookie != 0 && (m.cookie == cookie(from, path, now, 0) || m.cookie == cookie(from, path, now, 1));
  if (!shown) return reply(encode(Challenge{m.id, cookie(from, path, now, 0)}));
  auto found = clients_.find(from);
  if (found == clients_.end()) {
    if (clients_.size() >= limits_.clients && !make_room(rate_prefix(path.udp.address)))
      return reply(encode(Refused{m.id, RelayRefusal::kFull}));
  } else if (!found->second.requests.take(1, limits_.requests_per_s, limits_.request_burst, now)) {
    ++stats_.over_limit;
    return;
  }
  auto record = open_record(m.record, wall_.unix_s());
  if (!record || record->tunnel.key != from) {
    ++stats_.refused;
    return reply(encode(Refused{m.id, RelayRefusal::kPermission}));
  }
  Client& client = clients_[from];
  client.path = path;
  client.record = std::move(*record);
  client.encoded = m.record;
  client.until = now + kClientLifetime;
  reply(encode(Registered{m.id, path.udp, static_cast<std::uint16_t>(kClientLifetime.count())}));
}

bool RelayServer::make_room(const Ipv6& network) {
  // Keys are free, networks are not: the largest crowd gives a place to one that has fewer.
  std::map<Ipv6, std::size_t> crowds;
  for (const auto& [key, client] : clients_) ++crowds[rate_prefix(client.path.udp.address)];
  const auto largest = std::ranges::max_element(crowds, {}, [](const auto& one) { return one.second; });
  if (largest == crowds.end() || largest->second <= crowds[network] + 1 ||
      largest->second < std::max<std::size_t>(2, limits_.clients / kShare))
    return false;
  const Client* gone = nullptr;
  crypto::X25519Public gone_key;
  for (const auto& [key, client] : clients_) {
    if (rate_prefix(client.path.udp.address) != largest->first) continue;
    if (gone == nullptr ||
        std::pair(client.channels.size(), client.until) < std::pair(gone->channels.size(), gone->until))
      gone = &client, gone_key = key;
  }
  drop_client(gone_key);
  return true;
}

bool RelayServer::crowded(const Client& asking, const Client& asked) const {
  const Ipv6 network = rate_prefix(asking.path.udp.address);
  const auto is_of = [&](const crypto::X25519Public& key) {
    const auto found = clients_.find(key);
    return found != clients_.end() && rate_prefix(found->second.path.udp.address) == network;
  };
  if (2 * asked.channels.size() >= limits_.channels_per_client) {
    const auto same = std::ranges::count_if(
        asked.channels, [&](std::uint64_t token) { return is_of(sides_.find(token)->second.peer); });
    if (static_cast<std::size_t>(same) >= std::max<std::size_t>(1, limits_.channels_per_client / kShare)) return true;
  }
  if (sides_.size() >= limits_.channels) {  // half: a channel has two sides
    std::size_t same = 0;
    for (const auto& [key, client] : clients_)
      if (rate_prefix(client.path.udp.address) == network) same += client.channels.size();
    if (same >= std::max<std::size_t>(1, limits_.channels / kShare)) return true;
  }
  return false;
}

void RelayServer::on_open(const crypto::X25519Public& from, Client& client, const Open& m, Instant now, Actions& out) {
  const auto refuse = [&](RelayRefusal why) {
    ++stats_.refused;
    out.sends.push_back({from, client.path, DatagramKind::kRelay, encode(Refused{m.nonce, why})});
  };
  const auto peer = clients_.find(m.peer);
  if (peer == clients_.end() || m.peer == from) return refuse(RelayRefusal::kNoPeer);
  const UnixSeconds unix_s = wall_.unix_s();
  if (m.expires <= unix_s || m.expires > unix_s + kMaxPermission ||
      !crypto::ed25519_verify(client.record.root, permission_bytes(self_, from, m.peer, m.expires), m.signature))
    return refuse(RelayRefusal::kPermission);
  const bool renewal = std::ranges::any_of(
      client.channels, [&](std::uint64_t token) { return sides_.find(token)->second.peer == m.peer; });
  if (!renewal && (sides_.size() / 2 >= limits_.channels || client.channels.size() >= limits_.channels_per_client ||
                   peer->second.channels.size() >= limits_.channels_per_client || crowded(client, peer->second)))
    return refuse(RelayRefusal::kFull);
  if (offers_.size() >= limits_.channels) return refuse(RelayRefusal::kFull);
  offers_[{from, m.peer}] = {m.expires, m.nonce, now + kOfferLifetime};
  out.sends.push_back({m.peer, peer->second.path, DatagramKind::kRelay,
                       encode(Offer{m.nonce, m.expires, m.signature, client.encoded})});
}

void RelayServer::on_accept(const crypto::X25519Public& from, Client& client, const Accept& m, Instant now,
                            Actions& out) {
  const auto offer = offers_.find({m.peer, from});
  const auto peer = clients_.find(m.peer);
  if (peer == clients_.end() || offer == offers_.end() || offer->second.nonce != m.nonce) {
    // Said again because our answer was lost?
    for (const std::uint64_t token : client.channels) {
      const Side& side = sides_.find(token)->second;
      if (side.peer != m.peer || side.nonce != m.nonce) continue;
      out.sends.push_back(
          {from, client.path, DatagramKind::kRelay, encode(Opened{m.peer, m.nonce, token, side.expires})});
      return;
    }
    ++stats_.refused;
    return;
  }
  const UnixSeconds expires = offer->second.expires;
  const bool live = offer->second.until > now && expires > wall_.unix_s();
  offers_.erase(offer);
  RelayRefusal why = RelayRefusal::kDeclined;
  if (!m.declined && live) {
    why = RelayRefusal::kPermission;
    if (crypto::ed25519_verify(client.record.root, permission_bytes(self_, from, m.peer, expires), m.signature)) {
      std::uint64_t mine = 0;
      for (const std::uint64_t token : client.channels)
        if (sides_.find(token)->second.peer == m.peer) mine = token;
      std::uint64_t theirs = mine != 0 ? sides_[mine].peer_token : 0;
      if (mine == 0) {
        mine = new_token();
        sides_[mine] = {};
        theirs = new_token();
        client.channels.insert(mine);
        peer->second.channels.insert(theirs);
      }
      const Instant until = now + seconds(expires - wall_.unix_s());
      Side& a = sides_[mine];
      a.client = from, a.peer = m.peer, a.peer_token = theirs, a.until = until, a.nonce = m.nonce, a.expires = expires;
      a.root = client.record.root, a.peer_root = peer->second.record.root;
      Side& b = sides_[theirs];
      b.client = m.peer, b.peer = from, b.peer_token = mine, b.until = until, b.nonce = m.nonce, b.expires = expires;
      b.root = a.peer_root, b.peer_root = a.root;
      out.sends.push_back({from, client.path, DatagramKind::kRelay, encode(Opened{m.peer, m.nonce, mine, expires})});
      out.sends.push_back(
          {m.peer, peer->second.path, DatagramKind::kRelay, encode(Opened{from, m.nonce, theirs, expires})});
      return;
    }
  }
  ++stats_.refused;
  out.sends.push_back({m.peer, peer->second.path, DatagramKind::kRelay, encode(Refused{m.nonce, why})});
}

std::optional<PathEndpoint> RelayServer::forward(std::span<std::uint8_t> frame, const PathEndpoint& from, Instant now) {
  if (frame.size() <= kRelayHeader || frame.size() > kMaxRelayed) return std::nullopt;
  const auto token = frame.subspan(2, 8);
  const auto side = sides_.find(get_u64(token));
  if (side == sides_.end() || side->second.until <= now) {
    ++stats_.refused;
    return std::nullopt;
  }
  const auto client = clients_.find(side->second.client);
  const auto peer = clients_.find(side->second.peer);
  if (client == clients_.end() || peer == clients_.end() || client->second.path != from) {
    ++stats_.refused;
    return std::nullopt;
  }
  const auto size = static_cast<double>(frame.size());
  if (!client->second.bytes.take(size, limits_.client_bytes_per_s, limits_.client_burst_bytes, now) ||
      !total_.take(size, limits_.total_bytes_per_s, limits_.total_burst_bytes, now)) {
    ++stats_.over_limit;
    return std::nullopt;
  }
  side->second.bytes += frame.size();
  ++side->second.packets;
  stats_.bytes += frame.size();
  ++stats_.packets;
  put_u64(token, side->second.peer_token);
  return peer->second.path;
}

void RelayServer::account(Side& side) {
  if (side.packets == 0) return;
  auto [low, high] = std::minmax(side.root, side.peer_root);
  Usage& usage = usage_[{low, high}];
  usage.a = low, usage.b = high;
  usage.bytes += std::exchange(side.bytes, 0);
  usage.packets += std::exchange(side.packets, 0);
}

void RelayServer::close_channel(std::uint64_t token) {
  for (int i = 0; i < 2; ++i) {
    const auto side = sides_.find(token);
    if (side == sides_.end()) return;
    account(side->second);
    const std::uint64_t other = side->second.peer_token;
    if (const auto client = clients_.find(side->second.client); client != clients_.end())
      client->second.channels.erase(token);
    sides_.erase(side);
    token = other;
  }
}

void RelayServer::drop_client(const crypto::X25519Public& key) {
  const auto found = clients_.find(key);
  if (found == clients_.end()) return;
  while (!found->second.channels.empty()) close_channel(*found->second.channels.begin());
  clients_.erase(found);
}

void RelayServer::link_down(std::uint32_t link) {
  std::vector<crypto::X25519Public> gone;
  for (const auto& [key, client] : clients_)
    if (client.path.via == link) gone.push_back(key);
  for (const auto& key : gone) drop_client(key);
}

void RelayServer::on_timer(Instant now) {
  if (now < swept_ + kSweep) return;
  swept_ = now;
  std::vector<crypto::X25519Public> gone;
  for (const auto& [key, client] : clients_)
    if (client.until <= now) gone.push_back(key);
  for (const auto& key : gone) drop_client(key);
  std::vector<std::uint64_t> expired;
  for (const auto& [token, side] : sides_)
    if (side.until <= now) expired.push_back(token);
  for (const std::uint64_t token : expired) close_channel(token);
  std::erase_if(offers_, [&](const auto& entry) { return entry.second.until <= now; });
}

std::optional<Instant> RelayServer::next_timer() const {
  if (clients_.empty()) return std::nullopt;
  return swept_ + kSweep;
}

std::optional<PathEndpoint> RelayServer::client_path(const crypto::X25519Public& client) const {
  const auto found = clients_.find(client);
  if (found == clients_.end()) return std::nullopt;
  return found->second.path;
}

std::vector<RelayServer::Usage> RelayServer::take_usage() {
  for (auto& [token, side] : sides_) account(side);
  std::vector<Usage> out;
  for (auto& [pair, usage] : usage_) out.push_back(usage);
  usage_.clear();
  return out;
}

RelayServer::Stats RelayServer::stats() const {
  Stats out = stats_;
  out.clients = clients_.size();
  out.channels = sides_.size() / 2;
  return out;
}

}  // namespace bonus::net::nat
