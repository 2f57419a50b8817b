// Bringing a wg-quick tunnel up, its log lines and its status text.
#include "bonus/net/device/quick.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>

#include <algorithm>

#include "bonus/base/log.hpp"
#include "bonus/base/parse.hpp"
#include "bonus/net/host/netlink.hpp"

namespace bonus::net::device {
namespace {

constexpr std::uint32_t kDefaultMtu = 1420;

Result<UdpEndpoint> resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_DGRAM;
  addrinfo* found = nullptr;
  const int code = ::getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (code != 0)
    return fail(ErrorCode::kUnavailable, fmt::format("cannot find the address of {}: {}", host, ::gai_strerror(code)));
  UdpEndpoint out;
  out.port = port;
  if (found->ai_family == AF_INET6) {
    const auto* address = reinterpret_cast<const sockaddr_in6*>(found->ai_addr);
    std::copy_n(address->sin6_addr.s6_addr, 16, out.address.bytes.begin());
  } else {
    const auto* address = reinterpret_cast<const sockaddr_in*>(found->ai_addr);
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    std::copy_n(reinterpret_cast<const std::uint8_t*>(&address->sin_addr), 4, &out.address.bytes[12]);
  }
  ::freeaddrinfo(found);
  return out;
}

bool is_default(const Prefix& prefix) { return prefix.bits == 0 || (is_ipv4(prefix.address) && prefix.bits == 96); }

Result<> set_up_link(const tunnel::TunnelConfig& config, const std::string& name, std::uint32_t mtu, bool routes) {
  TRY_ASSIGN(auto netlink, host::Netlink::open());
  TRY(netlink.set_mtu(name, mtu));
  for (const auto& address : config.addresses)
    TRY(netlink.add_address(name, {.address = address.address, .bits = address.bits}));
  TRY(netlink.set_up(name));
  if (!routes) return {};
  for (const auto& peer : config.peers) {
    for (const auto& prefix : peer.allowed_ips) {
      if (is_default(prefix)) {
        // Its own datagrams would take the same route; which way they shall go instead is the operator's decision.
        log::warn("tunnel", "default_route_left_alone",
                  {{"allowed_ips", to_string(prefix)}, {"peer", tunnel::format_key(peer.public_key)}});
        continue;
      }
      const bool on_link = std::ranges::any_of(config.addresses, [&](const auto& a) {
        return a.bits <= prefix.bits && is_ipv4(a.address) == is_ipv4(prefix.address) && [&] {
          Prefix network{.address = a.address, .bits = a.bits};
          for (std::size_t bit = a.bits; bit < 128; ++bit)
            network.address.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80 >> (bit % 8)));
          return network.contains(prefix.address);
        }();
      });
      if (on_link) continue;  // the address' own route covers it
      host::Route route;
      route.destination = prefix;
      route.ipv4 = is_ipv4(prefix.address);
      route.device = name;
      TRY(netlink.set_route(route));
    }
  }
  return {};
}

std::string size_text(std::uint64_t bytes) {
  const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto value = static_cast<double>(bytes);
  std::size_t unit = 0;
  for (; value >= 1024 && unit + 1 < std::size(units); ++unit) value /= 1024;
  return unit == 0 ? fmt::format("{} B", bytes) : fmt::format("{:.2f} {}", value, units[unit]);
}

}  // namespace

Result<std::unique_ptr<QuickTunnel>> QuickTunnel::up(const tunnel::TunnelConfig& config, const QuickOptions& options,
                                                     const runtime::Clock& clock, runtime::Random& random) {
  const std::uint32_t mtu = options.mtu != 0 ? options.mtu : config.mtu != 0 ? config.mtu : kDefaultMtu;
  TRY_ASSIGN(auto tun, Tun::open({.name = options.interface, .offload = options.offload, .multi_queue = false}));
  UdpOptions socket;
  socket.port = config.listen_port;
  socket.offload = options.offload;
  TRY_ASSIGN(auto udp, UdpSocket::open(socket));

  auto device = std::make_unique<tunnel::Device>(config.private_key, tunnel::DeviceOptions{}, random, clock.now(),
                                                 clock.unix_ms());
  std::unique_ptr<QuickTunnel> out(new QuickTunnel(clock));
  tunnel::Actions none;  // there is no session yet that anything could be sent on
  std::vector<tunnel::PeerRef> persistent;
  for (const auto& section : config.peers) {
    tunnel::PeerConfig peer;
    peer.key = section.public_key;
    peer.preshared_key = section.preshared_key;
    peer.allowed = section.allowed_ips;
    peer.keepalive_s = section.persistent_keepalive_s;
    if (section.endpoint_port != 0) {
      TRY_ASSIGN(const UdpEndpoint endpoint, resolve(section.endpoint_host, section.endpoint_port));
      peer.endpoint = tunnel::Endpoint{.udp = endpoint, .via = 0};
    }
    const std::string key = tunnel::format_key(section.public_key);
    auto added = device->set_peer(peer, clock.now(), none);
    if (!added) return fail(std::move(added).error().wrap("peer " + key));
    out->names_[*added] = key.substr(0, 8);
    if (peer.keepalive_s != 0 && peer.endpoint) persistent.push_back(*added);
  }
  TRY(set_up_link(config, tun.name(), mtu, options.routes));

  EngineOptions engine;
  engine.mtu = mtu;
  const std::string name = tun.name();
  const bool tcp = tun.has_tcp_offload(), gso = udp->has_offload();
  TRY_ASSIGN(out->engine_, Engine::start(std::move(tun), std::move(udp), std::move(device), engine, *out, clock));
  log::info("tunnel", "up",
            {{"interface", name},
             {"port", out->engine_->local_port()},
             {"mtu", mtu},
             {"peers", config.peers.size()},
             {"tun_offload", tcp},
             {"udp_offload", gso}});
  if (!none.empty() || !persistent.empty()) {
    out->engine_->with_device([&](tunnel::Device& d, Instant now, tunnel::Actions& actions) {
      std::ranges::move(none.send, std::back_inserter(actions.send));
      for (const auto peer : persistent) d.initiate(peer, now, actions);
    });
  }
  return out;
}

std::string QuickTunnel::name_of(tunnel::PeerRef peer) const {
  const std::lock_guard guard(names_mutex_);
  const auto found = names_.find(peer);
  return found == names_.end() ? "?" : found->second;
}

void QuickTunnel::on_event(const tunnel::Event& event) {
  if (const auto* seen = std::get_if<tunnel::EndpointSeen>(&event))
    log::info("tunnel", "peer_moved", {{"peer", name_of(seen->peer)}, {"endpoint", to_string(seen->endpoint.udp)}});
  else if (const auto* failed = std::get_if<tunnel::HandshakeFailed>(&event))
    log::warn("tunnel", "handshake_failed", {{"peer", name_of(failed->peer)}, {"after_s", 90}});
}

void QuickTunnel::on_session_ready(tunnel::PeerRef peer) {
  log::info("tunnel", "session_ready", {{"peer", name_of(peer)}});
}

std::string QuickTunnel::status() const {
  std::string out;
  engine_->read_device([&](const tunnel::Device& device, Instant now) {
    out += fmt::format("interface: {}\n  public key: {}\n  listening port: {}\n", engine_->tun_name(),
                       tunnel::format_key(device.public_key()), engine_->local_port());
    for (const auto ref : device.peers()) {
      const auto info = device.info(ref);
      if (!info) continue;
      out += fmt::format("\npeer: {}\n", tunnel::format_key(info->key));
      if (info->has_preshared_key) out += "  preshared key: (hidden)\n";
      if (info->endpoint) out += fmt::format("  endpoint: {}\n", to_string(info->endpoint->udp));
      std::string allowed;
      for (const auto& prefix : info->allowed) allowed += (allowed.empty() ? "" : ", ") + to_string(prefix);
      out += fmt::format("  allowed ips: {}\n", allowed.empty() ? "(none)" : allowed);
      if (info->last_handshake)
        out += fmt::format("  latest handshake: {} ago\n",
                           format_duration(std::chrono::floor<std::chrono::seconds>(now - *info->last_handshake)));
      out += fmt::format("  transfer: {} received, {} sent\n", size_text(info->received_bytes),
                         size_text(info->sent_bytes));
      if (info->keepalive_s != 0) out += fmt::format("  persistent keepalive: every {} seconds\n", info->keepalive_s);
    }
    const auto& c = device.counters();
    out += fmt::format(
        "\nhandshakes: {} completed, {} failed; initiations {} sent, {} received; cookies {} sent, {} received\n"
        "  dropped: {} malformed, {} mac, {} rate, {} authentication, {} replay, {} unknown key\n",
        c.handshakes_completed, c.handshakes_failed, c.initiations_sent, c.initiations_received, c.cookies_sent,
        c.cookies_received, c.dropped_malformed, c.dropped_mac, c.dropped_rate, c.dropped_authentication,
        c.dropped_replay, c.dropped_unknown_key);
  });
  const EngineStats s = engine_->stats();
  out += fmt::format(
      "packets: {} out, {} in; system calls: {} tun reads, {} tun writes, {} sends, {} receives\n"
      "  dropped: {} unknown session, {} authentication, {} replay, {} source, {} malformed, {} no session, {} control "
      "queue, {} send, {} tun; {} too big\n",
      s.sent_packets, s.received_packets, s.tun_reads, s.tun_writes, s.udp_sends, s.udp_receives,
      s.dropped_unknown_session, s.dropped_authentication, s.dropped_replay, s.dropped_source, s.dropped_malformed,
      s.dropped_no_session, s.dropped_control, s.dropped_send, s.dropped_tun, s.packet_too_big);
  return out;
}

std::string QuickTunnel::rates() {
  const EngineStats now = engine_->stats();
  const Instant at = clock_.now();
  const double seconds = std::max(std::chrono::duration<double>(at - last_at_).count(), 1e-3);
  const auto mbit = [&](std::uint64_t after, std::uint64_t before) {
    return static_cast<double>(after - before) * 8 / seconds / 1e6;
  };
  const auto per = [](std::uint64_t packets, std::uint64_t calls) {
    return calls == 0 ? 0.0 : static_cast<double>(packets) / static_cast<double>(calls);
  };
  const std::string out = fmt::format(
      "out {:.1f} Mbit/s, in {:.1f} Mbit/s; packets a call: tun read {:.1f}, send {:.1f}, receive {:.1f}, tun write "
      "{:.1f}",
      mbit(now.sent_bytes, last_.sent_bytes), mbit(now.received_bytes, last_.received_bytes),
      per(now.sent_packets - last_.sent_packets, now.tun_reads - last_.tun_reads),
      per(now.sent_packets - last_.sent_packets, now.udp_sends - last_.udp_sends),
      per(now.received_packets - last_.received_packets, now.udp_receives - last_.udp_receives),
      per(now.received_packets - last_.received_packets, now.tun_writes - last_.tun_writes));
  last_ = now;
  last_at_ = at;
  return out;
}

}  // namespace bonus::net::device
