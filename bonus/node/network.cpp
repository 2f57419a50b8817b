// Composition of namespace, overlay, policy and DNS; the policy follows containers and clients.
#include "bonus/node/network.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/json.hpp>

#include "bonus/base/log.hpp"
#include "bonus/net/record/pointer.hpp"
#include "bonus/net/rpc/grpc_transport.hpp"

namespace bonus::node {

namespace host = net::host;
namespace dns = net::dns;

namespace {

constexpr std::uint16_t kDnsPort = 53;
constexpr Duration kUpstreamTimeout = std::chrono::seconds(3);

/// Sockets to DNS servers of the Internet come from the helper outside.
class HelperUpstream final : public dns::Upstream {
 public:
  HelperUpstream(runtime::Executor executor, host::Helper& helper) : executor_(std::move(executor)), helper_(helper) {}
  void connect(const net::UdpEndpoint& server, bool stream, SocketDone done) override {
    boost::asio::co_spawn(executor_, ask(helper_, server, stream, std::move(done)), boost::asio::detached);
  }

 private:
  static runtime::Task<> ask(host::Helper& helper, net::UdpEndpoint server, bool stream, SocketDone done) {
    const std::string address = net::to_string(server.address);
    auto asking = stream ? helper.connect_tcp(host::Purpose::kDnsUpstream, address, server.port, kUpstreamTimeout)
                         : helper.connect_udp(host::Purpose::kDnsUpstream, address, server.port, kUpstreamTimeout);
    auto socket = co_await std::move(asking);
    if (socket) {
      done(socket->release());
    } else {
      done(fail(std::move(socket).error()));
    }
  }
  runtime::Executor executor_;
  host::Helper& helper_;
};

net::overlay::OverlayOptions overlay_options(const Config& config, const Machine& machine) {
  net::overlay::OverlayOptions out;
  out.data_dir = config.node.data_dir;
  out.mtu = static_cast<std::uint32_t>(config.net.mtu);
  out.allow_private = config.net.allow_private;
  out.reachable = config.net.reachable;
  if (const auto endpoint = net::parse_endpoint(config.net.advertise)) out.advertise.push_back(*endpoint);
  if (const auto address = net::parse_ip(config.net.listen.host);
      address && !address->is_zero() && config.net.listen.host != "0.0.0.0")
    out.bound = *address;
  out.map_ports = config.net.map_ports;
  if (config.net.tls_listen.enabled())
    if (const auto endpoint = net::parse_endpoint(config.net.tls_listen.to_string())) out.tls_listen = *endpoint;
  out.relays = config.net.relay;
  out.exits = config.net.exit && machine.isolation() == host::Isolation::kPrivileged;
  out.gateway = config.node.gateway;
  out.region = config.worker.region;
  out.country = config.net.country;
  out.isp = config.net.isp;
  out.tier = config.worker.tier;
  out.subnets = config.net.subnets;
  return out;
}

}  // namespace

Network::Network(NetworkParts parts, const Config& config, const Identity& identity, Underlay underlay)
    : parts_(std::move(parts)),
      config_(config),
      identity_(identity),
      machine_(std::move(underlay.machine)),
      outside_(std::move(underlay.outside)),
      dns_upstreams_(std::move(underlay.dns_upstreams)),
      lan_(std::move(underlay.lan)),
      helper_(std::make_unique<host::Helper>(*std::move(underlay.helper))),
      upstream_(std::make_unique<HelperUpstream>(parts_.executor, *helper_)) {}

Network::~Network() { stop(); }

/// Ids are kept in the record as they are while they fit: "lease-42".
Bytes Network::record_id(const std::string& id) {
  const std::string_view cut = std::string_view(id).substr(0, net::kMaxContainerId);
  return {cut.begin(), cut.end()};
}

Result<std::unique_ptr<Network>> Network::open(NetworkParts parts, const Config& config, const Identity& identity,
                                               Underlay underlay) {
  auto tun = std::move(*underlay.tun);
  auto udp = std::move(underlay.udp);
  std::unique_ptr<Network> out(new Network(std::move(parts), config, identity, std::move(underlay)));
  net::overlay::OverlayParts overlay_parts{
      out->parts_.executor, out->parts_.pool,    out->parts_.clock,  out->parts_.random,
      out->parts_.disk,     out->parts_.metrics, out->helper_.get(), {}};
  if (out->machine_.isolation() == host::Isolation::kPrivileged)
    overlay_parts.outside = [network = out.get()](const std::function<Result<>()>& work) {
      return host::in_namespace(network->outside_.get(), work);
    };
  TRY_ASSIGN(out->overlay_,
             net::overlay::Overlay::open(overlay_parts, identity.node_key, overlay_options(config, out->machine_),
                                         std::move(tun), std::move(udp)));
  TRY(out->configure());
  return out;
}

Result<> Network::configure() {
  TRY_ASSIGN(auto netlink, host::Netlink::open());
  TRY(host::configure_overlay_device(netlink, "bonus0", address(), static_cast<std::uint32_t>(config_.net.mtu)));
  const std::scoped_lock guard(mutex_);
  auto policy = host::Policy::open();
  if (!policy) return fail(std::move(policy).error().wrap("the node's packet policy"));
  policy_.emplace(*std::move(policy));
  state_.node_addresses = {address()};
  state_.services = {{host::Protocol::kTcp, net::rpc::kNodePort, net::rpc::kNodePort, {}}};
  state_.for_containers = {{host::Protocol::kUdp, kDnsPort, kDnsPort, {}},
                           {host::Protocol::kTcp, kDnsPort, kDnsPort, {}}};
  return apply_policy();
}

void Network::start() { overlay_->start(); }

void Network::housekeep() {
  if (auto kept = host::keep_resolver(config_.node.data_dir); !kept)
    log::warn("net", "resolver_not_kept", {{"error", kept.error().message}});
}

Result<> Network::start_dns(dns::NameSource& names) {
  dns::ServerConfig server;
  server.core.own_address = address();
  server.core.upstreams = dns_upstreams_;
  server.core.access = [this](const net::Ipv6& source) {
    if (source == address()) return dns::Access::kAll;
    // net.dns_listen: for this machine and its network, never an open resolver.
    if (!net::is_overlay(source)) return net::is_global_unicast(source) ? dns::Access::kNames : dns::Access::kAll;
    const std::scoped_lock guard(mutex_);
    const bool exits = std::ranges::any_of(clients_,
                                           [&](const EdgeClient& client) {
                                             return client.exit && !client.peer.allowed.empty() &&
                                                    client.peer.allowed.front().address == source;
                                           }) ||
                       std::ranges::any_of(containers_, [&](const auto& one) {
                         return one.second.policy.internet && one.second.policy.address == source;
                       });
    return exits ? dns::Access::kAll : dns::Access::kNames;
  };
  // Inside the overlay a source is who it says; on a public listener nobody knows.
  server.core.may_be_forged = [](const net::Ipv6& source) { return net::is_global_unicast(source); };
  server.listen = {{address(), kDnsPort}};
  auto started = dns::Server::start(parts_.executor, server, names, *upstream_, parts_.clock, parts_.random);
  if (!started) return fail(std::move(started).error().wrap("the DNS server"));
  dns_ = *std::move(started);
  if (!config_.net.dns_listen.enabled()) return {};
  const auto where = net::parse_endpoint(config_.net.dns_listen.to_string());
  if (!where) return fail(ErrorCode::kInvalid, "net.dns_listen: " + where.error().message);
  server.listen = {*where};
  return machine_.run([&]() -> Result<> {
    auto outside = dns::Server::start(parts_.executor, server, names, *upstream_, parts_.clock, parts_.random);
    if (!outside) return fail(std::move(outside).error().wrap("net.dns_listen"));
    machine_dns_ = *std::move(outside);
    return {};
  });
}

void Network::stop() {
  if (machine_dns_) machine_dns_->stop();
  if (dns_) dns_->stop();
  if (overlay_) overlay_->stop();
  lan_.reset();
}

Result<> Network::apply_policy() {
  state_.containers.clear();
  for (const auto& [id, one] : containers_) state_.containers.push_back(one.policy);
  state_.transit.clear();
  state_.exits.clear();
  state_.services = {{host::Protocol::kTcp, net::rpc::kNodePort, net::rpc::kNodePort, {}}};
  std::vector<net::Prefix> exit_clients;
  for (const auto& client : clients_) {
    state_.transit.push_back(client.peer.allowed.front());
    if (client.exit) exit_clients.insert(exit_clients.end(), client.peer.allowed.begin(), client.peer.allowed.end());
  }
  if (!state_.transit.empty()) {
    for (const auto protocol : {host::Protocol::kUdp, host::Protocol::kTcp})
      state_.services.push_back({protocol, kDnsPort, kDnsPort, state_.transit});
  }
  state_.subnets.clear();
  if (lan_ && !accepted_.empty()) {
    std::vector<net::Prefix> peers;
    for (const auto& one : accepted_) peers.push_back(one.prefix);
    for (const auto& subnet : config_.net.subnets) state_.subnets.push_back({lan_->name(), subnet, peers});
  }
  for (const auto& [key, guest] : guests_.guests()) {
    if (key.first == identity_.id) continue;
    exit_clients.push_back({guest.address, 128});
    exit_clients.push_back({guest.ipv4, 128});
  }
  if (exit_)
    state_.exits.push_back({exit_->device, exit_->inside4, exit_->inside6, std::move(exit_clients), exit_private_});
  return policy_->apply(state_);
}

void Network::publish_containers() {
  // The first ones are named in the record, pointers lead to the others.
  constexpr std::size_t kLimit = net::kMaxRecordContainers + net::kMaxPointers;
  std::vector<Bytes> ids;
  for (const auto& [id, one] : containers_) ids.push_back(record_id(id));
  for (const auto& client : clients_) ids.push_back(client.id);
  if (ids.size() > kLimit) {
    log::warn("net", "too_many_containers_to_publish", {{"limit", kLimit}, {"left_out", ids.size() - kLimit}});
    ids.resize(kLimit);
  }
  overlay_->set_containers(std::move(ids));
}

net::Ipv6 Network::container_ip(const std::string& id) const {
  return net::container_address(identity_.node_key.public_key(), record_id(id));
}

Result<> Network::attach(const std::string& id, int namespace_fd, const std::vector<std::uint16_t>& ports,
                         bool internet) {
  if (internet && !config_.net.exit && !config_.net.use_exit)
    return fail(ErrorCode::kUnsupported,
                "this worker has no way to the Internet for containers: its operator has set neither net.exit nor "
                "net.use_exit");
  Attached one;
  host::ContainerLink link;
  link.address = container_ip(id);
  link.mtu = static_cast<std::uint32_t>(config_.net.mtu);
  one.policy.device = host::container_device(link.address);
  one.policy.address = link.address;
  one.policy.internet = internet;
  for (const std::uint16_t port : ports) one.policy.open.push_back({host::Protocol::kTcp, port, port, {}});
  if (internet) one.space.reset(::fcntl(namespace_fd, F_DUPFD_CLOEXEC, 3));
  std::function<Result<>()> ask;
  {
    const std::scoped_lock guard(mutex_);
    if (internet && config_.net.exit) {
      TRY_ASSIGN(const auto given,
                 guests_.give(identity_.node_key.public_key(), identity_.id, {{record_id(id)}}, std::nullopt));
      link.address4 = given.front();
    } else if (const auto before = containers_.find(id); internet && before != containers_.end()) {
      link.address4 = before->second.policy.address4;
    }
    one.policy.address4 = link.address4;
    TRY(host::attach_container(namespace_fd, link));
    containers_[id] = std::move(one);
    TRY(apply_policy());
    publish_containers();
    apply_behind();
    if (internet && !config_.net.exit) ask = ask_exit_;
  }
  if (!ask) return {};
  auto asked = ask();
  if (asked) return {};
  detach(id);
  return fail(std::move(asked).error().wrap("the way to the Internet through node " + to_hex(*config_.net.use_exit)));
}

void Network::detach(const std::string& id) {
  const std::scoped_lock guard(mutex_);
  if (auto done = host::detach_container(container_ip(id)); !done)
    log::warn("net", "container_link_not_removed", {{"container", id}, {"error", done.error().message}});
  if (containers_.erase(id) == 0) return;
  guests_.release(identity_.id, record_id(id));
  if (auto done = apply_policy(); !done) log::error("net", "policy_not_applied", {{"error", done.error().message}});
  publish_containers();
  apply_behind();
}

std::string Network::address_of(const std::string& id) const { return net::to_string(container_ip(id)); }
std::string Network::resolver() const { return host::resolver_file({address()}); }

Result<> Network::set_edge_clients(std::vector<EdgeClient> clients, const std::optional<net::Prefix>& pool) {
  const std::scoped_lock guard(mutex_);
  const auto same = [](const EdgeClient& a, const EdgeClient& b) {
    return a.peer.key == b.peer.key && a.peer.preshared_key == b.peer.preshared_key &&
           a.peer.allowed == b.peer.allowed && a.exit == b.exit;
  };
  if (std::ranges::equal(clients, clients_, same)) return {};
  clients_ = std::move(clients);
  std::vector<net::overlay::EdgePeer> peers;
  for (const auto& client : clients_) peers.push_back(client.peer);
  overlay_->set_edge_peers(std::move(peers));
  if (pool && !clients_.empty()) {
    TRY_ASSIGN(auto netlink, host::Netlink::open());
    host::Route route;
    route.destination = *pool;
    route.ipv4 = true;
    route.device = "bonus0";
    TRY(netlink.set_route(route));
  }
  publish_containers();
  return apply_policy();
}

void Network::set_accepted_routes(const std::vector<net::edge::AcceptedRoute>& routes) {
  const std::scoped_lock guard(mutex_);
  if (routes == accepted_) return;
  auto netlink = host::Netlink::open();
  if (!netlink) return;
  const auto kernel_route = [](const net::edge::AcceptedRoute& one) {
    host::Route route;
    route.destination = one.prefix;
    route.ipv4 = net::is_ipv4(one.prefix.address);
    route.device = "bonus0";
    return route;
  };
  for (const auto& one : accepted_)
    if (std::ranges::find(routes, one) == routes.end()) std::ignore = netlink->remove_route(kernel_route(one));
  for (const auto& one : routes) {
    if (auto set = netlink->set_route(kernel_route(one)); !set)
      log::warn("net", "route_refused", {{"prefix", net::to_string(one.prefix)}, {"error", set.error().message}});
  }
  accepted_ = routes;
  if (auto done = apply_policy(); !done) log::error("net", "policy_not_applied", {{"error", done.error().message}});
  apply_behind();
}

runtime::Task<Result<std::string>> Network::public_endpoint() {
  if (!config_.net.advertise.empty()) co_return config_.net.advertise;
  auto asking = overlay_->find(address());
  CO_TRY_ASSIGN(const auto record, co_await std::move(asking));
  using Kind = net::RecordEndpoint::Kind;
  for (const auto kind : {Kind::kMapped, Kind::kObserved, Kind::kLocal})
    for (const auto& one : record.endpoints)
      if (one.kind == kind) co_return net::to_string(one.address);
  co_return fail(ErrorCode::kUnavailable,
                 "this gateway has no address that a client could dial: set net.advertise, or forward a port to it");
}

boost::json::object Network::counters() {
  boost::json::object out;
  {
    const std::scoped_lock guard(mutex_);
    if (const auto counted = policy_->counters()) {
      out["policy"] = {{"input_denied", counted->input_denied},
                       {"forward_denied", counted->forward_denied},
                       {"spoofed", counted->spoofed},
                       {"container_to_node", counted->container_to_node},
                       {"egress_denied", counted->egress_denied}};
    }
  }
  if (dns_) {
    const auto counted = dns_->counters();
    out["dns"] = {{"queries", counted.queries},       {"local", counted.local},
                  {"forwarded", counted.forwarded},   {"nxdomain", counted.nxdomain},
                  {"servfail", counted.servfail},     {"refused", counted.refused},
                  {"cache_hits", counted.cache_hits}, {"rebinding_blocked", counted.rebinding_blocked}};
  }
  return out;
}

}  // namespace bonus::node
