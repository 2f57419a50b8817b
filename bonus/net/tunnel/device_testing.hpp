// For tests of net/tunnel: devices on a simulated network with loss, duplicates and reordering, on a virtual clock. It
// plays the shell: encrypts, decrypts, keeps the contract of the locks and timers.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "bonus/net/tunnel/device.hpp"
#include "bonus/net/tunnel/transport.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::tunnel::testing {

inline Ipv6 ip(std::string_view text) { return *parse_ip(text); }
inline Prefix prefix(std::string_view text) { return *parse_prefix(text); }
inline Endpoint endpoint(std::string_view text) { return {*parse_endpoint(text), 0}; }

/// An IPv6 packet with `payload` behind the header.
inline Bytes packet(const Ipv6& source, const Ipv6& destination, std::string_view payload) {
  Bytes out(40);
  out[0] = 0x60;
  out[4] = static_cast<std::uint8_t>(payload.size() >> 8);
  out[5] = static_cast<std::uint8_t>(payload.size());
  out[6] = 59;  // no next header
  out[7] = 64;
  std::ranges::copy(source.bytes, out.begin() + 8);
  std::ranges::copy(destination.bytes, out.begin() + 24);
  append(out, as_bytes(payload));
  return out;
}

class Network;

/// One machine: a device and what it received.
class Host {
 public:
  Host(Network& network, std::string_view address, std::string_view inner, DeviceOptions options = {});
  void send(const Ipv6& to, std::string_view payload);
  void on_datagram(const Endpoint& from, BytesView datagram);
  void on_timer();
  /// Carries out what the last calls asked for.
  void act();
  [[nodiscard]] PeerRef add(const Host& other, bool with_endpoint = true, const Hash32& psk = {},
                            std::uint16_t keepalive_s = 0);
  [[nodiscard]] Instant now() const;

  Network& network;
  Endpoint at;
  Ipv6 inner;
  crypto::X25519Secret secret;
  std::unique_ptr<runtime::sim::SeededRandom> random;
  std::unique_ptr<Device> device;
  Actions actions;
  std::vector<std::string> received;  ///< Payloads, keepalives left out.
  std::uint64_t keepalives = 0, replays = 0, spoofed = 0, unauthentic = 0;
  std::vector<Event> events;
  std::function<void(Event)> on_event;
};

struct Link {
  double loss = 0, duplicate = 0;
  Duration delay_low = std::chrono::milliseconds(10), delay_high = std::chrono::milliseconds(10);
};

class Network {
 public:
  explicit Network(std::uint64_t seed) : random(seed) {}
  void send(const Endpoint& from, const Endpoint& to, Bytes bytes);
  void run_for(Duration duration);
  /// By sent datagram type, to see what went over the wire.
  std::map<int, std::uint64_t> sent;
  std::function<bool(const Endpoint& from, const Endpoint& to, const Bytes& bytes)> drop;  ///< True: lost.

  runtime::sim::SeededRandom random;
  Instant now = Instant(std::chrono::seconds(1000));
  Link link;
  std::map<UdpEndpoint, Host*> hosts;

 private:
  struct Flight {
    Endpoint from, to;
    Bytes bytes;
  };
  std::multimap<Instant, Flight> flights_;
};

inline Host::Host(Network& net, std::string_view address, std::string_view inner_address, DeviceOptions options)
    : network(net), at(endpoint(address)), inner(ip(inner_address)) {
  net.random.fill(secret.bytes);
  random = std::make_unique<runtime::sim::SeededRandom>(net.random.fork());
  device = std::make_unique<Device>(secret, options, *random, net.now, 1'700'000'000'000);
  net.hosts[at.udp] = this;
}

inline Instant Host::now() const { return network.now; }

inline PeerRef Host::add(const Host& other, bool with_endpoint, const Hash32& psk, std::uint16_t keepalive_s) {
  PeerConfig config;
  config.key = other.device->public_key();
  config.preshared_key = psk;
  config.allowed = {Prefix{other.inner, 128}};
  if (with_endpoint) config.endpoint = other.at;
  config.keepalive_s = keepalive_s;
  const auto ref = device->set_peer(config, now(), actions);
  act();
  return *ref;
}

inline void Host::act() {
  // Handling may raise more: until nothing is left.
  while (!actions.empty()) {
    Actions todo;
    std::swap(todo, actions);
    for (auto& out : todo.send) network.send(at, out.to, std::move(out.bytes));
    for (const PeerRef peer : todo.ready) {
      const auto route = device->peer_route(peer, now());
      if (!route) continue;
      for (const Bytes& waiting : device->take_queued(peer)) {
        auto sealed = seal_transport(*route->session, waiting);
        if (!sealed) continue;
        network.send(at, route->endpoint, *sealed);
        if (route->session->note_sent(now(), 1, sealed->size(), true)) device->on_sent(*route->session, now(), actions);
      }
    }
    for (const Event& event : todo.events) {
      events.push_back(event);
      if (on_event) on_event(event);
    }
  }
}

inline void Host::send(const Ipv6& to, std::string_view payload) {
  const Bytes plain = packet(inner, to, payload);
  if (const auto route = device->send_session(to, plain, now(), actions)) {
    if (auto sealed = seal_transport(*route->session, plain)) {
      network.send(at, route->endpoint, *sealed);
      if (route->session->note_sent(now(), 1, sealed->size(), true)) device->on_sent(*route->session, now(), actions);
    }
  }
  act();
}

inline void Host::on_datagram(const Endpoint& from, BytesView datagram) {
  if (message_type(datagram) != MessageType::kTransport) {
    device->on_handshake_datagram(from, datagram, now(), actions);
    act();
    return;
  }
  const auto session = device->session_by_index(receiver_index(datagram));
  if (!session || session->expired(now())) return;
  auto plain = open_transport(*session, datagram);
  if (!plain) {
    ++(plain.error().code == ErrorCode::kExists ? replays : unauthentic);
    return;
  }
  const auto length = trim_packet(*plain);
  if (session->note_received(now(), from, 1, datagram.size(), !plain->empty())) {
    device->on_received(session, from, now(), actions);
  }
  if (plain->empty()) {
    ++keepalives;
  } else if (length) {
    plain->resize(*length);
    const auto addresses = packet_addresses(*plain);
    if (!addresses || !device->allowed_source(session->peer, addresses->source)) {
      ++spoofed;
    } else {
      received.emplace_back(as_text(BytesView(*plain).subspan(40)));
    }
  }
  act();
}

inline void Host::on_timer() {
  const auto due = device->next_timer();
  if (due && *due <= now()) {
    device->on_timer(now(), actions);
    act();
  }
}

inline void Network::send(const Endpoint& from, const Endpoint& to, Bytes bytes) {
  ++sent[bytes.empty() ? 0 : bytes[0]];
  if (drop && drop(from, to, bytes)) return;
  const int copies = random.chance(link.duplicate) ? 2 : 1;
  for (int i = 0; i < copies; ++i) {
    if (random.chance(link.loss)) continue;
    flights_.emplace(now + random.between(link.delay_low, link.delay_high), Flight{from, to, bytes});
  }
}

inline void Network::run_for(Duration duration) {
  const Instant end = now + duration;
  while (true) {
    Instant next = end;
    if (!flights_.empty()) next = std::min(next, flights_.begin()->first);
    for (auto& entry : hosts) {
      if (const auto due = entry.second->device->next_timer()) next = std::min(next, std::max(*due, now));
    }
    now = std::max(now, next);
    while (!flights_.empty() && flights_.begin()->first <= now) {
      Flight flight = std::move(flights_.begin()->second);
      flights_.erase(flights_.begin());
      if (const auto host = hosts.find(flight.to.udp); host != hosts.end()) {
        host->second->on_datagram(flight.from, flight.bytes);
      }
    }
    const auto all = hosts;  // hosts may move meanwhile
    for (const auto& entry : all) entry.second->on_timer();
    if (now >= end) return;
  }
}

}  // namespace bonus::net::tunnel::testing
