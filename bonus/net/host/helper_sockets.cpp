// Connecting and binding outside, by the rules that bonusd was started with.
#include "bonus/net/host/helper_sockets.hpp"

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace bonus::net::host {
namespace {

constexpr std::size_t kAddressLimit = 16;

bool matches_host(const AllowRule& rule, std::string_view host) {
  if (rule.host == "*") return true;
  if (rule.host.starts_with("*.")) return host.ends_with(std::string_view(rule.host).substr(1));
  return rule.host == host;
}

bool is_udp(wire::Kind kind) { return kind == wire::Kind::kConnectUdp || kind == wire::Kind::kBindUdp; }

bool matches(const AllowRule& rule, const wire::Request& request) {
  if (request.kind == wire::Kind::kResolve) return matches_host(rule, request.host);
  if (rule.purpose != request.purpose || rule.udp != is_udp(request.kind)) return false;
  if (request.kind == wire::Kind::kBindUdp) return rule.host == "*" && (rule.port == 0 || rule.port == request.port);
  return matches_host(rule, request.host) && (rule.port == 0 || rule.port == request.port);
}

Result<std::vector<sockaddr_storage>> look_up(const std::string& host, std::uint16_t port, int type) {
  addrinfo hints{};
  hints.ai_socktype = type;
  addrinfo* raw = nullptr;
  const int code = ::getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &raw);
  if (code != 0)
    return fail(ErrorCode::kUnavailable, fmt::format("resolving {}: {}", host,
                                                     code == EAI_SYSTEM ? std::strerror(errno) : ::gai_strerror(code)));
  std::vector<sockaddr_storage> out;
  for (const addrinfo* at = raw; at != nullptr && out.size() < kAddressLimit; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    std::memcpy(&out.emplace_back(), at->ai_addr, at->ai_addrlen);
  }
  ::freeaddrinfo(raw);
  return out;
}

Ipv6 address_of(const sockaddr_storage& in) {
  Ipv6 out;
  if (in.ss_family == AF_INET6) {
    std::memcpy(out.bytes.data(), &reinterpret_cast<const sockaddr_in6&>(in).sin6_addr, 16);
  } else {
    out.bytes[10] = out.bytes[11] = 0xff;
    std::memcpy(out.bytes.data() + 12, &reinterpret_cast<const sockaddr_in&>(in).sin_addr, 4);
  }
  return out;
}

// A name under a wildcard is chosen by whoever asks; it must not lead into the operator's own network.
bool may_reach(const std::vector<AllowRule>& rules, const wire::Request& request, const Ipv6& address) {
  return std::ranges::any_of(rules, [&](const AllowRule& rule) {
    if (!matches(rule, request)) return false;
    return !rule.host.starts_with('*') || rule.private_addresses || is_global_unicast(address);
  });
}

Result<Fd> connect_one(const sockaddr_storage& to, int type, int timeout_ms) {
  Fd out(::socket(to.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!out) return fail(os_error("opening", "a socket"));
  const socklen_t size = to.ss_family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  if (::connect(out.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0) return out;
  if (errno != EINPROGRESS) return fail(os_error("connecting to", to_string(address_of(to))));
  pollfd waiting{.fd = out.get(), .events = POLLOUT, .revents = 0};
  int ready = 0;
  do ready = ::poll(&waiting, 1, timeout_ms);
  while (ready < 0 && errno == EINTR);
  if (ready == 0) return fail(os_error("connecting to", to_string(address_of(to)), ETIMEDOUT));
  int code = 0;
  socklen_t length = sizeof(code);
  if (::getsockopt(out.get(), SOL_SOCKET, SO_ERROR, &code, &length) != 0) code = errno;
  if (code != 0) return fail(os_error("connecting to", to_string(address_of(to)), code));
  return out;
}

Result<Served> connect_any(const std::vector<AllowRule>& rules, const wire::Request& request) {
  const int type = is_udp(request.kind) ? SOCK_DGRAM : SOCK_STREAM;
  if (request.port == 0) return fail(ErrorCode::kInvalid, "port 0 cannot be connected to");
  TRY_ASSIGN(auto addresses, look_up(request.host, request.port, type));
  const std::size_t found = addresses.size();
  std::erase_if(addresses, [&](const auto& to) { return !may_reach(rules, request, address_of(to)); });
  if (addresses.empty())
    return fail(found == 0 ? ErrorCode::kUnavailable : ErrorCode::kDenied,
                fmt::format("{} has no address that may be reached for {}", request.host, to_string(request.purpose)));
  const int share = std::max(1, static_cast<int>(request.timeout_ms) / static_cast<int>(addresses.size()));
  Error last;
  for (const auto& to : addresses) {
    auto connected = connect_one(to, type, share);
    if (connected) return Served{.payload = {}, .descriptor = std::move(*connected)};
    last = std::move(connected).error();
  }
  return fail(std::move(last));
}

Result<Served> bind_udp_socket(std::uint16_t port) {
  Fd out(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (out) {
    const int off = 0;
    sockaddr_in6 local{};
    local.sin6_family = AF_INET6;
    local.sin6_port = htons(port);
    if (::setsockopt(out.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) != 0 ||
        ::bind(out.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)) != 0)
      return fail(os_error("binding", fmt::format("UDP port {}", port)));
    return Served{.payload = {}, .descriptor = std::move(out)};
  }
  // A machine without IPv6.
  out.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in local{};
  local.sin_family = AF_INET;
  local.sin_port = htons(port);
  if (!out || ::bind(out.get(), reinterpret_cast<const sockaddr*>(&local), sizeof(local)) != 0)
    return fail(os_error("binding", fmt::format("UDP port {}", port)));
  return Served{.payload = {}, .descriptor = std::move(out)};
}

bool is_loopback_or_link_local(const Ipv6& address) {
  const auto& b = address.bytes;
  if (is_ipv4(address)) return b[12] == 127 || (b[12] == 169 && b[13] == 254);
  const bool loopback = std::ranges::all_of(b.begin(), b.end() - 1, [](auto x) { return x == 0; }) && b[15] == 1;
  return loopback || (b[0] == 0xfe && (b[1] & 0xc0) == 0x80);
}

Result<Served> list_addresses() {
  TRY_ASSIGN(auto netlink, Netlink::open());
  TRY_ASSIGN(auto addresses, netlink.addresses());
  TRY_ASSIGN(const auto links, netlink.links());
  std::erase_if(addresses, [&](const LinkAddress& address) {
    const auto link = std::ranges::find(links, address.index, &Link::index);
    return is_loopback_or_link_local(address.address) || link == links.end() || !link->up;
  });
  return Served{.payload = wire::encode(addresses), .descriptor = Fd()};
}

Result<Served> resolve_name(const wire::Request& request) {
  TRY_ASSIGN(const auto found, look_up(request.host, 0, SOCK_STREAM));
  std::vector<Ipv6> addresses;
  for (const auto& at : found) addresses.push_back(address_of(at));
  return Served{.payload = wire::encode(addresses), .descriptor = Fd()};
}

}  // namespace

Result<> check_allowed(const std::vector<AllowRule>& rules, const wire::Request& request) {
  if (request.kind == wire::Kind::kAddresses) return {};
  if (std::ranges::any_of(rules, [&](const AllowRule& rule) { return matches(rule, request); })) return {};
  return fail(ErrorCode::kDenied, fmt::format("no rule lets this node reach {}:{} outside for {}", request.host,
                                              request.port, to_string(request.purpose)));
}

Result<Served> serve_sockets(const std::vector<AllowRule>& rules, const wire::Request& request) {
  TRY(check_allowed(rules, request));
  switch (request.kind) {
    case wire::Kind::kConnectTcp:
    case wire::Kind::kConnectUdp:
      return connect_any(rules, request);
    case wire::Kind::kBindUdp:
      return bind_udp_socket(request.port);
    case wire::Kind::kAddresses:
      return list_addresses();
    case wire::Kind::kResolve:
      return resolve_name(request);
    default:
      return fail(ErrorCode::kInternal, "not a request for a socket");
  }
}

}  // namespace bonus::net::host
