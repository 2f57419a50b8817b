// Routing by host label and by path.
#include "bonus/net/gateway/route.hpp"

#include <algorithm>
#include <charconv>

namespace bonus::net::gateway {
namespace {

constexpr std::size_t kMaxLabel = 63;  // RFC 1035

/// "8080-web" names a port, "web" and "3-d-game-of-99999999" do not.
bool split_label(std::string_view label, Route& route) {
  std::string name(label);
  std::ranges::transform(name, name.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  const auto allowed = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_'; };
  if (name.empty() || name.size() > kMaxLabel || !std::ranges::all_of(name, allowed)) return false;
  unsigned port = 0;
  const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), port);
  const auto digits = static_cast<std::size_t>(stop - name.data());
  if (error == std::errc() && port >= 1 && port <= 65535 && digits + 1 < name.size() && name[digits] == '-' &&
      name[0] != '0') {
    route.port = static_cast<std::uint16_t>(port);
    name.erase(0, digits + 1);
  }
  route.lease = std::move(name);
  return true;
}

std::string_view without_port(std::string_view host) {
  const auto colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) == std::string_view::npos) host = host.substr(0, colon);
  if (host.ends_with('.')) host.remove_suffix(1);
  return host;
}

bool ends_with_domain(std::string_view host, std::string_view domain) {
  if (host.size() <= domain.size() + 1 || host[host.size() - domain.size() - 1] != '.') return false;
  return std::ranges::equal(host.substr(host.size() - domain.size()), domain,
                            [](char a, char b) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a + 32) : a) == b; });
}

}  // namespace

std::optional<Route> find_route(std::string_view host, std::string_view target,
                                const std::vector<std::string>& domains) {
  Route route;
  host = without_port(host);
  for (const auto& domain : domains) {
    if (!ends_with_domain(host, domain)) continue;
    if (!split_label(host.substr(0, host.size() - domain.size() - 1), route)) return std::nullopt;
    route.target = std::string(target);
    return route;
  }
  constexpr std::string_view kPrefix = "/l/";
  if (!target.starts_with(kPrefix)) return std::nullopt;
  const auto rest = target.substr(kPrefix.size());
  const auto end = std::min(rest.find_first_of("/?"), rest.size());
  if (!split_label(rest.substr(0, end), route)) return std::nullopt;
  route.prefix = std::string(target.substr(0, kPrefix.size() + end));
  route.target = std::string(rest.substr(end));
  route.needs_slash = !route.target.starts_with('/');
  if (route.needs_slash) route.target.insert(0, "/");
  return route;
}

}  // namespace bonus::net::gateway
