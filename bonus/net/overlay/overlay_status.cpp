// What people ask: status, peers, lookup, path, map (docs/formats/local_api.md, "Network").
#include <fmt/format.h>

#include <boost/asio/async_result.hpp>
#include <boost/asio/bind_executor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>

#include "bonus/net/overlay/overlay_impl.hpp"

namespace bonus::net::overlay {

namespace json = boost::json;

namespace {

/// Runs `work` on the strand and continues on the caller's executor with what it returns.
template <class T>
runtime::Task<T> on_strand(Strand strand, std::function<T()> work) {
  auto initiate = [strand](auto handler, std::function<T()> job) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto back = boost::asio::get_associated_executor(*shared);
    boost::asio::post(strand, [shared, back, job = std::move(job)] {
      auto result = std::make_shared<T>(job());
      boost::asio::post(back, [shared, result] { (*shared)(std::move(*result)); });
    });
  };
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(T)>(
      initiate, boost::asio::use_awaitable, std::move(work));
}

constexpr std::size_t kMaxShownPairs = 100;

double milliseconds(Duration duration) { return std::chrono::duration<double, std::milli>(duration).count(); }

std::string_view kind_name(RecordEndpoint::Kind kind) {
  switch (kind) {
    case RecordEndpoint::Kind::kLocal:
      return "local";
    case RecordEndpoint::Kind::kObserved:
      return "observed";
    case RecordEndpoint::Kind::kMapped:
      return "mapped";
    case RecordEndpoint::Kind::kRelay:
      return "relay";
    case RecordEndpoint::Kind::kTls:
      return "tls";
  }
  return "unknown";
}

json::array flags_of(const NodeRecord& record) {
  json::array out;
  for (const auto& [flag, name] : {std::pair{kServesDht, "dht"}, std::pair{kRelays, "relay"}, std::pair{kExits, "exit"},
                                   std::pair{kGateway, "gateway"}})
    if (record.has(flag)) out.emplace_back(name);
  return out;
}

}  // namespace

json::object Overlay::Impl::describe(const NodeRecord& other) const {
  json::array endpoints, container_addresses, subnets;
  for (const auto& one : other.endpoints)
    endpoints.push_back({{"kind", kind_name(one.kind)}, {"endpoint", to_string(one.address)}});
  for (const auto& id : other.containers)
    container_addresses.emplace_back(to_string(container_address(other.root, id)));
  for (const auto& one : other.subnets) subnets.emplace_back(to_string(one));
  return {{"id", to_hex(other.id())},          {"address", to_string(other.address())},
          {"endpoints", std::move(endpoints)}, {"containers", std::move(container_addresses)},
          {"subnets", std::move(subnets)},     {"region", other.region},
          {"country", other.country},          {"flags", flags_of(other)},
          {"sequence", other.sequence},        {"expires", other.expires}};
}

json::object Overlay::Impl::describe_tunnel(const crypto::X25519Public& key, const Tunnel& tunnel) {
  json::object out{{"id", to_hex(tunnel.node)}, {"address", to_string(overlay_address(tunnel.node))}};
  if (tunnel.path) {
    out["endpoint"] = to_string(tunnel.path->path.udp);
    out["kind"] = nat::to_string(tunnel.path->kind);
    out["rtt_ms"] = milliseconds(tunnel.path->rtt);
    out["mtu"] = tunnel.path->mtu;
  } else {
    out["endpoint"] = nullptr;
    out["kind"] = "none";
    out["rtt_ms"] = nullptr;
    out["mtu"] = nullptr;
  }
  out["loss"] = 0.0;
  for (const auto& one : paths->peers())
    if (one.peer == key) {
      out["loss"] = one.loss;
      out["switches"] = one.switches;
    }
  std::optional<tunnel::PeerInfo> info;
  Instant read_at;
  engine->read_device([&](const tunnel::Device& device, Instant at) {
    info = device.info(tunnel.ref);
    read_at = at;
  });
  out["last_handshake_s"] = nullptr;
  if (info) {
    if (info->last_handshake)
      out["last_handshake_s"] = std::chrono::duration<double>(read_at - *info->last_handshake).count();
    out["rx_bytes"] = info->received_bytes;
    out["tx_bytes"] = info->sent_bytes;
  }
  if (const auto* known = book.find(tunnel.node)) {
    out["region"] = known->record.region;
    out["flags"] = flags_of(known->record);
  }
  return out;
}

json::object Overlay::Impl::status() {
  const auto dht_status = dht->status(now());
  const auto& dht_stats = dht->stats();
  const auto engine_stats = engine->stats();
  json::array public_endpoints, relays;
  for (const auto& one : paths->observed()) public_endpoints.emplace_back(to_string(one));
  for (const auto& one : paths->endpoints())
    if (one.kind == RecordEndpoint::Kind::kRelay) {
      const auto* known = book.by_tunnel(one.relay);
      const auto rtt = dht->rtt_of(one.relay);
      relays.push_back({{"id", known == nullptr ? json::value(nullptr) : json::value(to_hex(known->record.id()))},
                        {"endpoint", to_string(one.address)},
                        {"rtt_ms", rtt ? json::value(milliseconds(*rtt)) : json::value(nullptr)}});
    }
  std::size_t sessions = 0;
  tunnel::DeviceCounters counters;
  engine->read_device([&](const tunnel::Device& device, Instant) {
    sessions = device.session_count();
    counters = device.counters();
  });
  return {{"id", to_hex(self)},
          {"address", to_string(address)},
          {"port", engine->local_port()},
          {"interface", engine->tun_name()},
          {"mtu", options.mtu},
          {"nat", nat::to_string(paths->nat_kind())},
          {"public_endpoints", std::move(public_endpoints)},
          {"mapped", mapped ? json::value(to_string(*mapped)) : json::value(nullptr)},
          {"mapped6", mapped6 ? json::value(to_string(*mapped6)) : json::value(nullptr)},
          {"reachable", dht_status.reachable},
          {"relays", std::move(relays)},
          {"peers", tunnels.size()},
          {"edge_clients", edges.size()},
          {"known_nodes", book.size()},
          {"sessions", sessions},
          {"dht",
           {{"serves", dht_status.serves},
            {"contacts", dht_status.contacts},
            {"siblings", dht_status.siblings},
            {"near", dht_status.near},
            {"near_rtt_ms", milliseconds(dht_status.near_rtt)},
            {"records", dht_status.records},
            {"lookups", dht_stats.lookups},
            {"lookups_found", dht_stats.lookups_found},
            {"nodes_estimate", dht_status.nodes_estimate},
            {"memory_bytes", dht_status.memory_bytes}}},
          {"traffic",
           {{"rx_bytes", engine_stats.received_bytes},
            {"tx_bytes", engine_stats.sent_bytes},
            {"rx_packets", engine_stats.received_packets},
            {"tx_packets", engine_stats.sent_packets},
            {"handshakes", counters.handshakes_completed}}},
          {"drops",
           {{"spoofed_source", engine_stats.dropped_source},
            {"replayed", engine_stats.dropped_replay},
            {"forged", engine_stats.dropped_authentication + counters.dropped_mac + counters.dropped_authentication},
            {"rate_limited", counters.dropped_rate + dropped_strangers.load()},
            {"unreadable", dropped_unreadable.load()},
            {"no_session", engine_stats.dropped_no_session},
            {"packet_too_big", engine_stats.packet_too_big},
            {"queue_full", engine_stats.dropped_control + engine_stats.dropped_injected + dropped_posted.load() +
                               dropped_relay.load()}}},
          {"relay", relay_status()},
          {"record", describe(record)}};
}

runtime::Task<json::object> Overlay::status() {
  auto impl = impl_;
  std::function<json::object()> work = [impl] { return impl->status(); };
  return on_strand<json::object>(impl->strand, std::move(work));
}

runtime::Task<json::array> Overlay::peers() {
  auto impl = impl_;
  std::function<json::array()> work = [impl] {
    json::array out;
    for (const auto& [key, tunnel] : impl->tunnels) out.push_back(impl->describe_tunnel(key, tunnel));
    return out;
  };
  return on_strand<json::array>(impl->strand, std::move(work));
}

runtime::Task<json::object> Overlay::map() {
  auto impl = impl_;
  std::function<json::object()> work = [impl] {
    json::array nodes;
    for (const auto& entry : impl->dht->table(impl->now())) {
      json::object one{{"id", to_hex(crypto::node_id(entry.root))},
                       {"address", to_string(overlay_address(crypto::node_id(entry.root)))},
                       {"endpoint", to_string(entry.endpoint)},
                       {"ring", static_cast<int>(entry.ring)},
                       {"bucket", entry.bucket},
                       {"slot", entry.slot == kad::Slot::kNear  ? "near"
                                : entry.slot == kad::Slot::kOld ? "oldest"
                                                                : "sibling"},
                       {"sibling", entry.sibling},
                       {"rtt_ms", milliseconds(entry.rtt)},
                       {"known_for_s", std::chrono::duration<double>(entry.known_for).count()},
                       {"coordinates", {entry.coordinate.x, entry.coordinate.y, entry.coordinate.height}}};
      if (const auto* known = impl->book.find(crypto::node_id(entry.root))) {
        one["region"] = known->record.region;
        one["flags"] = flags_of(known->record);
      }
      nodes.push_back(std::move(one));
    }
    const auto own = impl->dht->status(impl->now());
    return json::object{{"self", to_hex(impl->self)},
                        {"region", impl->options.region},
                        {"coordinates", {own.coordinate.x, own.coordinate.y, own.coordinate.height}},
                        {"nodes", std::move(nodes)}};
  };
  return on_strand<json::object>(impl->strand, std::move(work));
}

runtime::Task<Result<NodeRecord>> Overlay::find(Ipv6 wanted) {
  auto impl = impl_;
  auto initiate = [impl, wanted](auto handler) {
    auto shared = std::make_shared<decltype(handler)>(std::move(handler));
    auto back = boost::asio::get_associated_executor(*shared);
    impl->post([shared, back, wanted](Impl& self) {
      self.resolve(wanted, [shared, back](Result<NodeRecord> found) {
        boost::asio::post(back, [shared, found = std::move(found)]() mutable { (*shared)(std::move(found)); });
      });
    });
  };
  co_return co_await boost::asio::async_initiate<decltype(boost::asio::use_awaitable), void(Result<NodeRecord>)>(
      initiate, boost::asio::use_awaitable);
}

runtime::Task<Result<json::object>> Overlay::lookup(Ipv6 wanted) {
  const Instant begun = impl_->now();
  auto finding = find(wanted);
  CO_TRY_ASSIGN(const auto record, co_await std::move(finding));
  json::object out = impl_->describe(record);
  out["took_ms"] = milliseconds(impl_->now() - begun);
  co_return out;
}

runtime::Task<Result<json::object>> Overlay::path(Ipv6 wanted, Duration timeout) {
  auto impl = impl_;
  auto finding = find(wanted);
  CO_TRY_ASSIGN(const auto record, co_await std::move(finding));
  if (record.root == impl->root.public_key())
    co_return json::object{{"id", to_hex(record.id())}, {"address", to_string(wanted)}, {"kind", "self"}};
  std::function<json::object()> connect = [impl, id = record.id()] {
    if (const auto* known = impl->book.find(id)) impl->connect(*known);
    return json::object();
  };
  auto connecting = on_strand<json::object>(impl->strand, std::move(connect));
  co_await std::move(connecting);
  const Instant until = impl->now() + timeout;
  while (true) {
    std::function<json::object()> look = [impl, key = record.tunnel.key] {
      const auto found = impl->tunnels.find(key);
      if (found == impl->tunnels.end() || !found->second.path) return json::object();
      return impl->describe_tunnel(key, found->second);
    };
    auto looking = on_strand<json::object>(impl->strand, std::move(look));
    auto seen = co_await std::move(looking);
    if (!seen.empty()) co_return seen;
    if (impl->now() >= until)
      co_return fail(ErrorCode::kTimeout,
                     fmt::format("no path to {} yet: it may be offline, or both routers refuse and no relay is known",
                                 to_string(wanted)));
    auto pause = runtime::sleep_for(std::chrono::milliseconds(50));
    CO_TRY(co_await std::move(pause));
  }
}

void Overlay::Impl::publish_metrics() {
  auto& metrics = parts.metrics;
  const auto engine_stats = engine->stats();
  const auto dht_status = dht->status(now());
  const auto set = [&](std::string_view name, std::string_view help, double value) {
    metrics.gauge(name, help).set(value);
  };
  const auto number = [](auto value) { return static_cast<double>(value); };
  // What only grows is a counter: rate() and increase() are for these.
  const auto grow = [&](const std::string& name, std::string_view help, std::uint64_t value) {
    std::uint64_t& before = exposed[name];
    metrics.counter(name, help).add(number(value - std::min(before, value)));
    before = std::max(before, value);
  };
  set("bonus_net_tunnels_count", "Nodes that this one has a tunnel to", number(tunnels.size()));
  grow("bonus_net_tunnel_received_bytes_total", "Inner bytes received through the tunnel", engine_stats.received_bytes);
  grow("bonus_net_tunnel_sent_bytes_total", "Inner bytes sent through the tunnel", engine_stats.sent_bytes);
  grow("bonus_net_spoofed_packets_total", "Packets dropped for an inner source that is not the sender's",
       engine_stats.dropped_source);
  grow("bonus_net_forged_packets_total", "Packets dropped because they did not authenticate",
       engine_stats.dropped_authentication);
  grow("bonus_net_replayed_packets_total", "Packets dropped as replays", engine_stats.dropped_replay);
  set("bonus_net_dht_contacts_count", "Nodes in the DHT's tables", number(dht_status.contacts));
  set("bonus_net_dht_records_count", "Records held for others", number(dht_status.records));
  set("bonus_net_dht_near_rtt_seconds", "Mean round trip to the near slots",
      std::chrono::duration<double>(dht_status.near_rtt).count());
  std::map<std::string, double, std::less<>> kinds{{"direct", 0}, {"relayed", 0}, {"tls", 0}, {"none", 0}};
  for (const auto& [key, tunnel] : tunnels)
    kinds[tunnel.path ? std::string(nat::to_string(tunnel.path->kind)) : "none"] += 1;
  for (const auto& [kind, count] : kinds)
    metrics.gauge("bonus_net_paths_count", "Tunnels by the kind of their path", {{"kind", kind}}).set(count);
  if (auto* relay = paths->relay_server()) {
    const auto stats = relay->stats();
    grow("bonus_net_relayed_bytes_total", "Bytes carried for others", stats.bytes);
    set("bonus_net_relay_clients_count", "Nodes that have this one as a relay", number(stats.clients));
  }
}

runtime::Task<> Overlay::publish_metrics() {
  auto impl = impl_;
  std::function<bool()> work = [impl] {
    impl->publish_metrics();
    return true;
  };
  auto publishing = on_strand<bool>(impl->strand, std::move(work));
  std::ignore = co_await std::move(publishing);
}

runtime::Task<bool> Overlay::is_node_key(crypto::X25519Public key) {
  auto impl = impl_;
  if (key == tunnel_key()) co_return true;
  std::function<bool()> work = [impl, key] { return impl->book.by_tunnel(key) != nullptr; };
  auto asking = on_strand<bool>(impl->strand, std::move(work));
  co_return co_await std::move(asking);
}

json::value Overlay::Impl::relay_status() {
  auto* relay = paths->relay_server();
  if (relay == nullptr) return nullptr;
  const auto counted = relay->stats();
  json::array pairs;
  for (const auto& [pair, amount] : carried.all()) {
    if (pairs.size() == kMaxShownPairs) break;
    pairs.push_back(json::object{
        {"a", to_hex(pair.first)}, {"b", to_hex(pair.second)}, {"bytes", amount.bytes}, {"packets", amount.packets}});
  }
  return json::object{{"clients", counted.clients}, {"channels", counted.channels},     {"bytes", counted.bytes},
                      {"packets", counted.packets}, {"over_limit", counted.over_limit}, {"refused", counted.refused},
                      {"pairs", std::move(pairs)}};
}

}  // namespace bonus::net::overlay
