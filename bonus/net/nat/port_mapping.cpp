// PCP by our own client, NAT-PMP and UPnP-IGD by their libraries.
#include "bonus/net/nat/port_mapping.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <miniupnpc/upnperrors.h>
#include <natpmp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <charconv>
#include <fstream>
#include <memory>
#include <sstream>

#include "bonus/base/os.hpp"
#include "bonus/net/nat/ipv4.hpp"
#include "bonus/net/nat/pcp_client.hpp"

namespace bonus::net::nat {
namespace {

struct NatPmp {
  NatPmp() = default;
  ~NatPmp() {
    if (open) ::closenatpmp(&state);
  }
  NatPmp(const NatPmp&) = delete;
  NatPmp& operator=(const NatPmp&) = delete;
  natpmp_t state{};
  bool open = false;
};

Result<natpmpresp_t> natpmp_wait(natpmp_t& state, std::uint32_t timeout_ms) {
  int left = static_cast<int>(timeout_ms);
  natpmpresp_t response{};
  while (left > 0) {
    timeval wait{};
    if (::getnatpmprequesttimeout(&state, &wait) != 0) break;
    const int ms = std::clamp(static_cast<int>(wait.tv_sec * 1000 + wait.tv_usec / 1000), 10, left);
    (void)readable(state.s, ms);
    left -= ms;
    const int result = ::readnatpmpresponseorretry(&state, &response);
    if (result == 0) return response;
    if (result == NATPMP_TRYAGAIN) continue;
    if (result == NATPMP_ERR_NOTAUTHORIZED || result == NATPMP_ERR_OUTOFRESOURCES ||
        result == NATPMP_ERR_NETWORKFAILURE)
      return fail(ErrorCode::kDenied, fmt::format("NAT-PMP: the router refused (error {})", result));
    return fail(ErrorCode::kUnavailable, fmt::format("NAT-PMP: the router does not take part (error {})", result));
  }
  return fail(ErrorCode::kUnavailable, "NAT-PMP: the router did not answer");
}

Result<PortMapping> natpmp_map(const MappingRequest& request, const Ipv6& gateway, std::uint32_t lifetime_s,
                               std::uint16_t external) {
  NatPmp client;
  if (::initnatpmp(&client.state, 1, to_in_addr(gateway)) != 0)
    return fail(ErrorCode::kUnavailable, "NAT-PMP: no socket");
  client.open = true;
  PortMapping out;
  out.protocol = "nat-pmp";
  if (lifetime_s != 0) {
    if (::sendpublicaddressrequest(&client.state) < 0)
      return fail(ErrorCode::kUnavailable, "NAT-PMP: the router's address cannot be reached");
    TRY_ASSIGN(const auto address, natpmp_wait(client.state, request.timeout_ms));
    out.external.address = from_in_addr(address.pnu.publicaddress.addr.s_addr);
  }
  if (::sendnewportmappingrequest(&client.state, NATPMP_PROTOCOL_UDP, request.port, external, lifetime_s) < 0)
    return fail(ErrorCode::kUnavailable, "NAT-PMP: the router's address cannot be reached");
  TRY_ASSIGN(const auto mapping, natpmp_wait(client.state, request.timeout_ms));
  out.external.port = mapping.pnu.newportmapping.mappedpublicport;
  out.lifetime_s = mapping.pnu.newportmapping.lifetime;
  if (lifetime_s != 0 && !out.external.valid())
    return fail(ErrorCode::kDenied, "NAT-PMP: the router has no external address");
  return out;
}

struct Igd {
  Igd() = default;
  ~Igd() {
    ::FreeUPNPUrls(&urls);
    ::freeUPNPDevlist(devices);
  }
  Igd(const Igd&) = delete;
  Igd& operator=(const Igd&) = delete;
  UPNPDev* devices = nullptr;
  UPNPUrls urls{};
  IGDdatas data{};
  std::array<char, 64> own{};
};

Result<> find_igd(Igd& igd, std::uint32_t timeout_ms) {
  int error = 0;
  igd.devices = ::upnpDiscover(static_cast<int>(timeout_ms), nullptr, nullptr, 0, 0, 2, &error);
  if (igd.devices == nullptr) return fail(ErrorCode::kUnavailable, "UPnP: no device answered");
#if MINIUPNPC_API_VERSION >= 18
  const int found = ::UPNP_GetValidIGD(igd.devices, &igd.urls, &igd.data, igd.own.data(),
                                       static_cast<int>(igd.own.size()), nullptr, 0);
#else
  const int found =
      ::UPNP_GetValidIGD(igd.devices, &igd.urls, &igd.data, igd.own.data(), static_cast<int>(igd.own.size()));
#endif
  if (found != 1) return fail(ErrorCode::kUnavailable, "UPnP: no connected Internet gateway answered");
  return {};
}

std::string upnp_error(int code) {
  const char* text = ::strupnperror(code);
  return text != nullptr ? text : "error " + std::to_string(code);
}

Result<PortMapping> upnp_map(const MappingRequest& request) {
  Igd igd;
  TRY(find_igd(igd, request.timeout_ms));
  std::array<char, 64> address{};
  const char* control = igd.urls.controlURL;
  const char* service = igd.data.first.servicetype;
  if (const int code = ::UPNP_GetExternalIPAddress(control, service, address.data()); code != UPNPCOMMAND_SUCCESS)
    return fail(ErrorCode::kDenied, "UPnP: the gateway names no external address: " + upnp_error(code));
  address.back() = 0;
  TRY_ASSIGN(const auto external, parse_ip(address.data()));
  const std::string inside = std::to_string(request.port);
  std::uint32_t lifetime = request.lifetime_s;
  std::uint16_t outside = request.port;
  int code = 0;
  for (int tries = 0; tries < 6; ++tries) {
    code = ::UPNP_AddPortMapping(control, service, std::to_string(outside).c_str(), inside.c_str(), igd.own.data(),
                                 "BonusNet", "UDP", nullptr, std::to_string(lifetime).c_str());
    if (code == UPNPCOMMAND_SUCCESS) return PortMapping{{external, outside}, "upnp", lifetime};
    if (code == 725) {  // OnlyPermanentLeasesSupported
      lifetime = 0;
    } else if (code == 718) {  // ConflictInMappingEntry: the next guess follows from the nonce
      const std::size_t at = static_cast<std::size_t>(tries) * 2;
      outside = static_cast<std::uint16_t>(1024 + (request.nonce[at] << 8 | request.nonce[at + 1]) % 64000);
    } else {
      break;
    }
  }
  return fail(ErrorCode::kDenied, "UPnP: the gateway refused: " + upnp_error(code));
}

Result<> upnp_unmap(const MappingRequest& request, const PortMapping& mapping) {
  Igd igd;
  TRY(find_igd(igd, request.timeout_ms));
  const int code = ::UPNP_DeletePortMapping(igd.urls.controlURL, igd.data.first.servicetype,
                                            std::to_string(mapping.external.port).c_str(), "UDP", nullptr);
  if (code != UPNPCOMMAND_SUCCESS) return fail(ErrorCode::kDenied, "UPnP: " + upnp_error(code));
  return {};
}

}  // namespace

Result<Ipv6> parse_routes(std::string_view text) {
  // Iface Destination Gateway Flags RefCnt Use Metric Mask ...; addresses in hexadecimal of the machine's byte order.
  std::istringstream lines{std::string(text)};
  std::string line;
  std::optional<std::pair<unsigned long, in_addr_t>> best;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string interface, destination, gateway, flags, count, use, metric, mask;
    if (!(fields >> interface >> destination >> gateway >> flags >> count >> use >> metric >> mask)) continue;
    const auto hex = [](const std::string& field) -> std::optional<std::uint32_t> {
      std::uint32_t value = 0;
      const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value, 16);
      if (error != std::errc() || end != field.data() + field.size()) return std::nullopt;
      return value;
    };
    const auto to = hex(destination), through = hex(gateway), set = hex(flags), under = hex(mask);
    constexpr std::uint32_t kUp = 1, kGateway = 2;  // RTF_UP, RTF_GATEWAY
    if (to != 0U || under != 0U || !through || !set || (*set & (kUp | kGateway)) != (kUp | kGateway)) continue;
    const unsigned long cost = std::strtoul(metric.c_str(), nullptr, 10);
    if (!best || cost < best->first) best = {cost, *through};
  }
  if (!best) return fail(ErrorCode::kNotFound, "there is no default route, so no router to ask for a port");
  return from_in_addr(best->second);
}

Result<Gateway> parse_routes6(std::string_view text) {
  // Destination, its length, source, its length, next hop, metric, references, uses, flags, device; all hexadecimal.
  std::istringstream lines{std::string(text)};
  std::string line;
  std::optional<std::pair<unsigned long, Gateway>> best;
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string to, to_bits, from, from_bits, hop, metric, references, uses, flags;
    Gateway router;
    if (!(fields >> to >> to_bits >> from >> from_bits >> hop >> metric >> references >> uses >> flags >>
          router.device))
      continue;
    const auto address = from_hex(hop);
    constexpr unsigned long kUp = 1, kGateway = 2;  // RTF_UP, RTF_GATEWAY
    const unsigned long set = std::strtoul(flags.c_str(), nullptr, 16),
                        cost = std::strtoul(metric.c_str(), nullptr, 16);
    if (to_bits != "00" || from_bits != "00" || !address || address->size() != 16 ||
        (set & (kUp | kGateway)) != (kUp | kGateway))
      continue;
    std::ranges::copy(*address, router.address.bytes.begin());
    if (!best || cost < best->first) best = {cost, router};
  }
  if (!best) return fail(ErrorCode::kNotFound, "there is no IPv6 default route");
  return best->second;
}

namespace {

/// Of a file of /proc, as the calling thread's network namespace has it.
std::string routes_of(const char* path) {
  std::ifstream file(path);
  std::string text, line;
  for (int lines = 0; lines < 4096 && std::getline(file, line); ++lines) text += line + "\n";
  return text;
}

/// The address that this machine would use on the Internet: the stable one of those that it has (RFC 5014).
Result<Ipv6> own_global_address() {
  const Fd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  constexpr int kAddressPreferences = 72, kPreferPublic = 2;  // linux/in6.h, which glibc's headers exclude
  std::ignore = ::setsockopt(fd.get(), IPPROTO_IPV6, kAddressPreferences, &kPreferPublic, sizeof kPreferPublic);
  sockaddr_in6 anywhere{}, own{};
  anywhere.sin6_family = AF_INET6;
  anywhere.sin6_port = htons(9);
  anywhere.sin6_addr.s6_addr[0] = 0x20;  // 2000::, an address of the Internet; nothing is sent
  socklen_t size = sizeof own;
  Ipv6 out;
  if (fd.get() < 0 || ::connect(fd.get(), reinterpret_cast<sockaddr*>(&anywhere), sizeof anywhere) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
    return fail(ErrorCode::kNotFound, "there is no way to the IPv6 Internet");
  std::ranges::copy(own.sin6_addr.s6_addr, out.bytes.begin());
  if (!is_global_unicast(out)) return fail(ErrorCode::kNotFound, "this machine has no global IPv6 address");
  return out;
}

Result<PcpServer> pinhole_server(const MappingRequest& request, const Ipv6& own) {
  PcpServer out{{request.gateway, {}}, own};
  if (out.router.address.is_zero()) {
    TRY_ASSIGN(out.router, default_gateway6());
  }
  if (out.own.is_zero()) {
    TRY_ASSIGN(out.own, own_global_address());
  }
  return out;
}

}  // namespace

Result<Ipv6> default_gateway() { return parse_routes(routes_of("/proc/thread-self/net/route")); }
Result<Gateway> default_gateway6() { return parse_routes6(routes_of("/proc/thread-self/net/ipv6_route")); }

Result<PortMapping> open_port(const MappingRequest& request) {
  if (request.ipv6) {
    TRY_ASSIGN(const auto server, pinhole_server(request, request.own));
    return pcp_map(request, server, request.lifetime_s, {server.own, request.port});
  }
  std::string reasons;
  bool refused = false;
  const auto note = [&](const Error& error) {
    reasons += (reasons.empty() ? "" : "; ") + error.message;
    refused = refused || error.code == ErrorCode::kDenied;
  };
  Ipv6 gateway = request.gateway;
  if (gateway.is_zero() && (request.pcp || request.nat_pmp)) {
    auto found = default_gateway();
    if (!found) return fail(found.error());
    gateway = *found;
  }
  if (request.pcp) {
    auto mapping = pcp_map(request, {{gateway, {}}, {}}, request.lifetime_s, {{}, request.port});
    if (mapping) return mapping;
    note(mapping.error());
  }
  if (request.nat_pmp) {
    auto mapping = natpmp_map(request, gateway, request.lifetime_s, request.port);
    if (mapping) return mapping;
    note(mapping.error());
  }
  if (request.upnp) {
    auto mapping = upnp_map(request);
    if (mapping) return mapping;
    note(mapping.error());
  }
  return fail(refused ? ErrorCode::kDenied : ErrorCode::kUnavailable, reasons);
}

Result<> close_port(const MappingRequest& request, const PortMapping& mapping) {
  if (mapping.protocol == "upnp") return upnp_unmap(request, mapping);
  if (request.ipv6) {
    // What it was opened for; meanwhile the machine may prefer another address.
    TRY_ASSIGN(const auto server,
               pinhole_server(request, request.own.is_zero() ? mapping.external.address : request.own));
    const auto done = pcp_map(request, server, 0, mapping.external);
    if (!done) return fail(done.error());
    return {};
  }
  Ipv6 gateway = request.gateway;
  if (gateway.is_zero()) {
    auto found = default_gateway();
    if (!found) return fail(found.error());
    gateway = *found;
  }
  const auto done = mapping.protocol == "pcp" ? pcp_map(request, {{gateway, {}}, {}}, 0, mapping.external)
                                              : natpmp_map(request, gateway, 0, 0);
  if (!done) return fail(done.error());
  return {};
}

}  // namespace bonus::net::nat
