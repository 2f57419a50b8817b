// Sockets first, the namespace after.
#include "bonus/node/underlay.hpp"

#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <thread>

#include "bonus/base/log.hpp"
#include "bonus/net/dns/plain_upstream.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

namespace host = net::host;

namespace {

constexpr std::string_view kDevice = "bonus0";
constexpr std::size_t kMaxResolvConf = 64 << 10;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t size = 0;
};
SocketAddress socket_address(const net::UdpEndpoint& endpoint) {
  SocketAddress out;
  if (net::is_ipv4(endpoint.address)) {
    auto* v4 = reinterpret_cast<sockaddr_in*>(&out.storage);
    v4->sin_family = AF_INET;
    v4->sin_port = htons(endpoint.port);
    std::memcpy(&v4->sin_addr, endpoint.address.bytes.data() + 12, 4);
    out.size = sizeof(sockaddr_in);
  } else {
    auto* v6 = reinterpret_cast<sockaddr_in6*>(&out.storage);
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(endpoint.port);
    std::memcpy(&v6->sin6_addr, endpoint.address.bytes.data(), 16);
    out.size = sizeof(sockaddr_in6);
  }
  return out;
}

Result<net::UdpEndpoint> endpoint_of(const ListenAddress& listen) {
  const std::string host = listen.host == "localhost" ? "127.0.0.1" : listen.host;
  auto address = net::parse_ip(host);
  if (!address) return fail(ErrorCode::kInvalid, fmt::format("{}: {}", listen.key, address.error().message));
  return net::UdpEndpoint{*address, listen.port};
}

Result<Fd> listen_tcp(const ListenAddress& listen) {
  TRY_ASSIGN(const auto endpoint, endpoint_of(listen));
  const auto where = socket_address(endpoint);
  Fd fd(::socket(where.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP));
  const int on = 1;
  if (!fd) return fail(os_error("opening", listen.key));
  std::ignore = ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&where.storage), where.size) != 0 ||
      ::listen(fd.get(), SOMAXCONN) != 0) {
    if (errno == EADDRINUSE)
      return fail(ErrorCode::kExists, fmt::format("{} is used by another program; change {} in the configuration (port "
                                                  "0: any free one)",
                                                  listen.to_string(), listen.key));
    return fail(os_error(fmt::format("{}: listening on", listen.key), listen.to_string()));
  }
  return fd;
}

}  // namespace

Result<Machine> Machine::open(const Config& config) {
  Machine out;
  TRY_ASSIGN(out.namespace_, host::current_namespace());
  std::vector<const ListenAddress*> wanted{&config.rpc.listen, &config.api, &config.metrics};
  if (config.node.gateway) wanted.insert(wanted.end(), {&config.registry, &config.gateway});
  for (const auto* listen : wanted) {
    if (!listen->enabled()) continue;
    TRY_ASSIGN(out.listeners_[listen->key], listen_tcp(*listen));
  }
  return out;
}

int Machine::take(const std::string& key) {
  const auto found = listeners_.find(key);
  return found == listeners_.end() ? -1 : found->second.release();
}

Result<> Machine::run(const std::function<Result<>()>& work) const {
  if (isolation_ == host::Isolation::kUserNamespace)
    return fail(ErrorCode::kUnsupported,
                "this node runs without privileges: it cannot open further ports of the machine");
  return host::in_namespace(namespace_.get(), work);
}

namespace {

/// A former bonusd that was killed holds its port until the last of its threads is gone.
Result<std::unique_ptr<net::device::UdpSocket>> open_port(const net::device::UdpOptions& options) {
  constexpr int kAttempts = 10;
  constexpr auto kPause = std::chrono::milliseconds(200);
  for (int attempt = 1;; ++attempt) {
    auto udp = net::device::UdpSocket::open(options);
    if (udp || udp.error().code != ErrorCode::kConflict || attempt == kAttempts) return udp;
    std::this_thread::sleep_for(kPause);
  }
}

}  // namespace

Result<Underlay> Underlay::prepare(const Config& config, const Identity& identity) {
  Underlay out;
  TRY_ASSIGN(out.machine, Machine::open(config));
  const net::Ipv6 own = net::overlay_address(identity.id);
  out.dns_upstreams = config.net.dns_upstreams;
  if (out.dns_upstreams.empty()) {
    if (const auto text = runtime::system_disk().read_file("/etc/resolv.conf", kMaxResolvConf))
      out.dns_upstreams = net::dns::parse_resolv_conf(as_text(*text), {own});
  }
  if (!config.net.name_space.empty()) {
    if (auto entered = host::enter_namespace(config.net.name_space); !entered)
      return fail(std::move(entered).error().wrap("net.namespace"));
  }
  TRY_ASSIGN(out.outside, host::current_namespace());
  TRY_ASSIGN(const auto listen, endpoint_of(config.net.listen));
  net::device::UdpOptions udp_options;
  const bool everywhere = listen.address.is_zero() || config.net.listen.host == "0.0.0.0";
  udp_options.bind = everywhere ? net::Ipv6() : listen.address;
  udp_options.port = listen.port;
  auto udp = open_port(udp_options);
  if (!udp) return fail(std::move(udp).error().wrap("net.listen"));
  out.udp = *std::move(udp);

  host::HelperOptions helper_options;
  using host::Purpose;
  helper_options.allow = {{Purpose::kDnsUpstream, "*", 53, true}, {Purpose::kDnsUpstream, "*", 53, false},
                          {Purpose::kUnderlay, "*", 0, true},     {Purpose::kUnderlay, "*", 0, false},
                          {Purpose::kGateway, "*", 0, true},      {Purpose::kGateway, "*", 0, false}};
  // On a network that is not the Internet relays have private addresses too.
  for (auto& rule : helper_options.allow)
    if (rule.purpose == Purpose::kUnderlay) rule.private_addresses = config.net.allow_private;
  for (const auto& server : out.dns_upstreams)
    for (const bool is_udp : {true, false})
      helper_options.allow.push_back({Purpose::kDnsUpstream, net::to_string(server.address), server.port, is_udp});
  helper_options.may_exit = config.net.exit;
  auto helper = host::HelperProcess::start(helper_options);
  if (!helper) return fail(std::move(helper).error().wrap("starting the helper"));
  out.helper.emplace(*std::move(helper));

  std::error_code error;
  std::filesystem::create_directories(config.node.data_dir, error);
  if (!config.net.subnet_device.empty()) {
    auto found = LanDevice::find(config.net.subnet_device, config.node.data_dir);
    if (!found) return fail(std::move(found).error().wrap("net.subnet_device"));
    out.lan = *std::move(found);
  }

  TRY_ASSIGN(const auto isolation, host::enter_own_namespace());
  out.machine.set_isolation(isolation);
  TRY(host::prepare_node_namespace());
  net::device::TunOptions tun_options;
  tun_options.name = kDevice;
  auto tun = net::device::Tun::open(tun_options);
  if (!tun) return fail(std::move(tun).error().wrap("the overlay device"));
  out.tun.emplace(*std::move(tun));
  if (out.lan) {
    if (auto taken = out.lan->take(); !taken) return fail(std::move(taken).error().wrap("net.subnet_device"));
  }
  if (auto done = host::use_resolver(config.node.data_dir, {own}); !done)
    return fail(std::move(done).error().wrap("resolv.conf of the node"));
  return out;
}

}  // namespace bonus::node
