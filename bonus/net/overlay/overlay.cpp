// Life of the overlay: keys, own record, timer, addresses, hints.
#include "bonus/net/overlay/overlay.hpp"

#include <fmt/format.h>

#include <boost/asio/bind_executor.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <future>

#include "bonus/base/log.hpp"
#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace {

constexpr Duration kHousekeeping = std::chrono::seconds(2), kAddressPoll = std::chrono::seconds(1);
constexpr Duration kMapperPatience = std::chrono::seconds(4);
constexpr std::size_t kMaxKnownRelays = 16;

/// tunnel.key: 64 hexadecimal digits, the secret of the WireGuard key. Made at the first start.
Result<crypto::X25519Secret> load_tunnel_key(runtime::Disk& disk, const std::string& path, bool rotate) {
  if (!rotate && disk.exists(path)) {
    TRY_ASSIGN(const auto raw, disk.read_file(path, 256));
    std::string_view text = as_text(raw);
    while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.remove_suffix(1);
    auto secret = fixed_from_hex<crypto::X25519Secret>(text);
    if (!secret)
      return fail(ErrorCode::kCorrupt,
                  path + " is no key: 64 hexadecimal digits are expected; delete it to make a new one");
    return secret;
  }
  crypto::X25519Secret secret{crypto::random_secret().bytes};
  const std::string text = to_hex(secret) + "\n";
  TRY(disk.write_file(path, as_bytes(text), 0600));
  return secret;
}

}  // namespace

Overlay::Impl::Impl(OverlayParts p, const crypto::Ed25519KeyPair& r, OverlayOptions o,
                    const crypto::X25519Secret& tunnel_secret)
    : parts(std::move(p)),
      root(r),
      options(std::move(o)),
      self(crypto::node_id(root.public_key())),
      address(overlay_address(self)),
      strand(boost::asio::make_strand(parts.executor)),
      timer(strand),
      tasks(std::make_unique<runtime::TaskGroup>(parts.executor)),
      sealer(tunnel_secret, parts.random),
      contact_sealer(contact_secret(root), parts.random),
      finder(parts.random) {
  const UnixSeconds unix_now = parts.clock.unix_s();
  certificate = certify_tunnel_key(root, sealer.public_key(), unix_now, unix_now + kCertificateLife);
  kad_settings = std::make_shared<kad::Settings>();
  kad_settings->allow_private = options.allow_private;
  kad_settings->assume_reachable = options.reachable;
  if (options.allow_private) kad_settings->limits = kad::without_prefix_caps(kad_settings->limits);
  kad::Config config;
  config.settings = kad_settings;
  config.root = root.public_key();
  config.certificate = certificate;
  config.serves_dht = options.serves_dht;
  config.country = options.country;
  if (!options.region.empty() && !options.isp.empty()) config.metro = options.region + "/" + options.isp;
  dht = std::make_unique<kad::Kad>(config, parts.random, kad::record_checker(), now(), unix_now);
  nat::PathOptions path_options;
  path_options.allow_private = options.allow_private;
  path_options.max_mtu = static_cast<std::uint16_t>(std::min<std::uint32_t>(options.mtu, 8920));
  if (options.relays) path_options.relay = nat::RelayLimits{};
  paths = std::make_unique<nat::PathManager>(root, sealer.public_key(), parts.random, parts.clock, path_options);
}

void Overlay::Impl::publish_record() {
  record_stale = false;
  if (const UnixSeconds unix_now = parts.clock.unix_s(); certificate_due(certificate, unix_now)) {
    certificate = certify_tunnel_key(root, sealer.public_key(), unix_now, unix_now + kCertificateLife);
    dht->set_certificate(certificate);
  }
  record.root = root.public_key();
  record.tunnel = certificate;
  record.endpoints = paths->endpoints();
  if (options.tls_listen && !record.endpoints.empty() && record.endpoints.size() < kMaxRecordEndpoints) {
    const Ipv6 where =
        options.advertise.empty() ? record.endpoints.front().address.address : options.advertise.front().address;
    record.endpoints.push_back({RecordEndpoint::Kind::kTls, {where, options.tls_listen->port}, {}});
  }
  record.region = options.region;
  record.country = options.country;
  record.isp = options.isp;
  record.asn = options.asn;
  record.tier = options.tier;
  const auto dht_status = dht->status(now());
  record.flags = (dht_status.serves ? kServesDht : 0u) | (options.relays ? kRelays : 0u) |
                 (options.exits ? kExits : 0u) | (options.gateway ? kGateway : 0u);
  record.subnets = options.subnets;
  // Grows across restarts without a file, and with every change within a second too.
  record.sequence = std::max<std::uint64_t>(record.sequence + 1, static_cast<std::uint64_t>(parts.clock.unix_ms()));
  record.expires = parts.clock.unix_s() + kRecordLifeSeconds;
  auto encoded = sign_with_containers();
  if (!encoded) {
    log::error("net", "record_refused", {{"error", encoded.error().message}});
    return;
  }
  encoded_record = *std::move(encoded);
  finder.set_self(encoded_record);
  paths->set_self(encoded_record);
  kad::Actions actions;
  if (const auto set = dht->set_own_record(encoded_record, now(), actions); !set)
    log::warn("net", "record_not_published", {{"error", set.error().message}});
  publish_pointers(actions);
  carry_out(actions);
  introduce_to_relays();
}

void Overlay::Impl::begin() {
  nat::Actions actions;
  for (const auto& endpoint : options.advertise) paths->add_mapping(endpoint, actions);
  if (options.reachable) paths->set_reachable(true, now(), actions);
  carry_out(actions);
  if (options.bound) use_addresses({{*options.bound, 128}});
  if (options.map_ports && parts.outside) start_mappers();
  publish_record();
  if (parts.helper != nullptr && !options.bound) tasks->spawn("addresses", watch_addresses());
  looked = began = now();
  tick();
}

void Overlay::Impl::use_addresses(std::vector<nat::PathManager::LocalAddress> addresses) {
  const auto same = [](const auto& a, const auto& b) { return a.address == b.address && a.bits == b.bits; };
  if (std::ranges::equal(addresses, local, same)) return;
  local = addresses;
  nat::Actions actions;
  paths->set_local_addresses(std::move(addresses), engine->local_port(), now(), actions);
  carry_out(actions);
  record_stale = true;
  arm();
}

runtime::Task<> Overlay::Impl::watch_addresses() {
  while (true) {
    auto asking = parts.helper->addresses();
    auto found = co_await std::move(asking);
    if (found) {
      std::vector<nat::PathManager::LocalAddress> addresses;
      for (const auto& one : *found)
        if (one.scope == 0) addresses.push_back({one.address, one.bits});
      post([addresses = std::move(addresses)](Impl& impl) mutable { impl.use_addresses(std::move(addresses)); });
    }
    auto pause = runtime::sleep_for(kAddressPoll);
    if (!co_await std::move(pause)) co_return;
  }
}

void Overlay::Impl::arm() {
  std::optional<Instant> next = dht->next_timer();
  for (const auto& other : {paths->next_timer(), finder.next_timer(), std::optional<Instant>(looked + kHousekeeping)})
    if (other && (!next || *other < *next)) next = other;
  if (const auto check = handshakes.next()) next = std::min(*next, *check);
  if (record_stale) next = now();
  const Duration pause = std::clamp<Duration>(*next - now(), std::chrono::milliseconds(1), kHousekeeping);
  timer.expires_after(pause);
  timer.async_wait([weak = weak_from_this()](const boost::system::error_code& error) {
    const auto impl = weak.lock();
    if (!error && impl && !impl->stopped) impl->tick();
  });
}

void Overlay::Impl::tick() {
  const Instant at = now();
  for (const auto& one : finder.on_timer(at))
    send_sealed(contact_sealer, DatagramKind::kContact, one.to, PathEndpoint{one.endpoint, 0}, one.payload);
  if (const auto next = dht->next_timer(); next && *next <= at) {
    kad::Actions actions;
    dht->on_timer(at, actions);
    carry_out(actions);
  }
  if (const auto next = paths->next_timer(); next && *next <= at) {
    nat::Actions actions;
    paths->on_timer(at, actions);
    carry_out(actions);
  }
  check_handshakes();
  if (at - looked >= kHousekeeping) housekeep();
  if (record_stale || record_due(record, parts.clock.unix_s())) publish_record();
  arm();
}

void Overlay::Impl::housekeep() {
  looked = now();
  look_at_traffic();
  keep_pointers();
  forget_greeted();
  bootstrap_by_tls();
  ask_relay_again();
  dht->set_wall_clock(now(), parts.clock.unix_s());
  const auto dht_status = dht->status(now());
  nat::Actions actions;
  paths->set_reachable(dht_status.reachable || options.reachable, now(), actions);
  paths->set_relays(choose_relays(book.all(), hints, paths->endpoints(), root.public_key(), kMaxKnownRelays), now(),
                    actions);
  carry_out(actions);
  if (auto* relay = paths->relay_server()) {
    for (const auto& one : relay->take_usage())
      carried.add({crypto::node_id(one.a), crypto::node_id(one.b)}, one.bytes, one.packets);
  }
  if (((record.flags & kServesDht) != 0) != dht_status.serves) record_stale = true;
}

void Overlay::Impl::want_hint(const Ed25519PublicKey& key, const UdpEndpoint& endpoint) {
  if (key == root.public_key() || !endpoint.valid() || is_overlay(endpoint.address)) return;
  if (!options.allow_private && !is_global_unicast(endpoint.address)) return;
  hints[key] = endpoint;
  if (const auto wanted = finder.want(key, endpoint, now()); !wanted)
    log::debug("net", "hint_refused", {{"endpoint", to_string(endpoint)}, {"error", wanted.error().message}});
  arm();
}

runtime::Task<> Overlay::Impl::resolve_hint(Ed25519PublicKey key, std::string endpoint) {
  const auto colon = endpoint.rfind(':');
  auto asking = parts.helper->resolve(endpoint.substr(0, colon), std::chrono::seconds(10));
  auto addresses = co_await std::move(asking);
  if (!addresses || addresses->empty()) {
    log::warn("net", "name_not_found", {{"endpoint", endpoint}});
    co_return;
  }
  const auto resolved_endpoint = parse_endpoint("0.0.0.0" + endpoint.substr(colon));
  if (!resolved_endpoint) co_return;
  const UdpEndpoint found{addresses->front(), resolved_endpoint->port};
  post([key, found](Impl& impl) { impl.want_hint(key, found); });
}

Overlay::Overlay(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
Overlay::~Overlay() { stop(); }

Result<std::unique_ptr<Overlay>> Overlay::open(OverlayParts parts, const crypto::Ed25519KeyPair& root,
                                               OverlayOptions options, device::Tun tun,
                                               std::unique_ptr<device::UdpSocket> udp) {
  TRY_ASSIGN(const auto secret, load_tunnel_key(parts.disk, options.data_dir + "/tunnel.key", options.rotate_key));
  auto impl = std::make_shared<Impl>(std::move(parts), root, std::move(options), secret);
  tunnel::DeviceOptions device_options;
  device_options.roam = tunnel::DeviceOptions::Roam::kReport;
  device_options.discover = true;
  auto device = std::make_unique<tunnel::Device>(secret, device_options, impl->parts.random, impl->now(),
                                                 impl->parts.clock.unix_ms());
  device::EngineOptions engine_options;
  engine_options.mtu = impl->options.mtu;
  TRY_ASSIGN(impl->engine, device::Engine::start(std::move(tun), std::move(udp), std::move(device), engine_options,
                                                 *impl, impl->parts.clock));
  TRY(impl->open_links());
  return std::unique_ptr<Overlay>(new Overlay(std::move(impl)));
}

void Overlay::start() {
  impl_->started = true;
  impl_->post([](Impl& impl) { impl.begin(); });
}

void Overlay::stop() {
  if (!impl_ || impl_->stopped.exchange(true)) return;
  impl_->tasks->stop();
  const auto on_strand = [this](const std::function<void()>& work) {
    std::promise<void> done;
    boost::asio::post(impl_->strand, [&] {
      work();
      done.set_value();
    });
    done.get_future().wait();
  };
  std::vector<std::future<void>> closing;
  const auto close = [&](nat::PortMapper& mapper) {
    auto stopping = mapper.stop();
    closing.push_back(boost::asio::co_spawn(impl_->strand, std::move(stopping), boost::asio::use_future));
  };
  on_strand([&] {
    if (impl_->mapper && impl_->mapped) close(*impl_->mapper);
    if (impl_->mapper6 && impl_->mapped6) close(*impl_->mapper6);
  });
  for (const auto& one : closing) one.wait_for(kMapperPatience);
  // The strand ends what is its own; nothing else is posted to it after `stopped`.
  on_strand([&] {
    impl_->timer.cancel();
    for (auto& [via, socket] : impl_->extra_sockets) socket->close();
    impl_->extra_sockets.clear();
    if (impl_->links) impl_->links->stop();
    impl_->mapper.reset();
    impl_->mapper6.reset();
  });
  impl_->engine->stop();
}

const Ipv6& Overlay::address() const { return impl_->address; }
std::uint16_t Overlay::port() const { return impl_->engine->local_port(); }

crypto::X25519Public Overlay::tunnel_key() const { return impl_->sealer.public_key(); }

std::map<crypto::X25519Public, Overlay::EdgeActivity> Overlay::edge_activity() const {
  std::map<crypto::X25519Public, EdgeActivity> out;
  impl_->engine->read_device([&](const tunnel::Device& device, Instant at) {
    for (const auto ref : device.peers()) {
      const auto info = device.info(ref);
      if (!info) continue;
      EdgeActivity& one = out[info->key];
      if (info->last_handshake)
        one.last_handshake_s = std::chrono::duration<double>(at - *info->last_handshake).count();
      one.received_bytes = info->received_bytes;
      one.sent_bytes = info->sent_bytes;
    }
  });
  return out;
}

Result<NodeId> Overlay::identify(const Ipv6& source) const {
  if (source == impl_->address) return impl_->self;
  const std::shared_lock guard(impl_->identity_mutex);
  const auto found = impl_->identities.find(source);
  if (found != impl_->identities.end()) return found->second;
  return fail(ErrorCode::kDenied, to_string(source) + " is no node that this one has a tunnel to");
}

void Overlay::add_hint(const Ed25519PublicKey& key, const std::string& endpoint) {
  if (const auto parsed = parse_endpoint(endpoint)) {
    impl_->post([key, at = *parsed](Impl& impl) { impl.want_hint(key, at); });
  } else if (impl_->parts.helper != nullptr && endpoint.contains(':')) {
    impl_->tasks->spawn("resolve hint", impl_->resolve_hint(key, endpoint));
  }
}

void Overlay::remove_hint(const Ed25519PublicKey& key) {
  impl_->post([key](Impl& impl) {
    impl.hints.erase(key);
    impl.finder.forget(key);
  });
}

void Overlay::set_containers(std::vector<Bytes> ids) {
  impl_->post([ids = std::move(ids)](Impl& impl) {
    if (impl.containers == ids) return;
    impl.containers = ids;
    impl.record_stale = true;
    impl.arm();
  });
}

void Overlay::set_edge_peers(std::vector<EdgePeer> peers) {
  impl_->post([peers = std::move(peers)](Impl& impl) { impl.set_edge_peers(peers); });
}

void Overlay::set_behind(std::vector<Behind> routes) {
  impl_->post([routes = std::move(routes)](Impl& impl) { impl.set_behind(routes); });
}

}  // namespace bonus::net::overlay
