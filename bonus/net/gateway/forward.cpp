// Hop-by-hop fields end here; what the container must know of the client is added.
#include "bonus/net/gateway/forward.hpp"

#include <algorithm>
#include <array>

namespace bonus::net::gateway {
namespace {

using runtime::http::Headers;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; }
bool same(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) { return lower(x) == lower(y); });
}

constexpr auto kHopByHop =
    std::to_array<std::string_view>({"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authenticate",
                                     "Proxy-Authorization", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect"});

/// The names that Connection fields list: they belong to this hop too.
std::vector<std::string> listed(const Headers& headers) {
  std::vector<std::string> out;
  for (const auto& [name, value] : headers.all()) {
    if (!same(name, "Connection")) continue;
    std::string_view rest = value;
    while (!rest.empty()) {
      const auto comma = std::min(rest.find(','), rest.size());
      auto item = rest.substr(0, comma);
      rest = rest.substr(std::min(comma + 1, rest.size()));
      while (item.starts_with(' ')) item.remove_prefix(1);
      while (item.ends_with(' ')) item.remove_suffix(1);
      // Content-Length and Host decide where the message ends and goes: nobody may make us drop them.
      if (!item.empty() && !same(item, "Content-Length") && !same(item, "Host")) out.emplace_back(item);
    }
  }
  return out;
}

Headers end_to_end(const Headers& headers) {
  const auto extra = listed(headers);
  const auto here = [&](std::string_view name) {
    const auto is = [name](std::string_view other) { return same(name, other); };
    return std::ranges::any_of(kHopByHop, is) || std::ranges::any_of(extra, is);
  };
  Headers out;
  for (const auto& [name, value] : headers.all())
    if (!here(name)) out.add(name, value);
  return out;
}

}  // namespace

Headers request_headers(const runtime::http::Request& request, const Route& route, bool upgrade, bool trust_forwarded) {
  Headers out = end_to_end(request.headers);
  // What the client says of itself is believed only behind a proxy that is trusted (RFC 7239, section 8.1).
  if (!trust_forwarded)
    for (const std::string_view name : {"Forwarded", "X-Real-IP"}) out.erase(name);
  if (upgrade) {
    out.set("Connection", "Upgrade");
    out.set("Upgrade", request.headers.get("Upgrade").value_or(""));
  }
  std::string client = request.peer.substr(0, request.peer.rfind(':'));
  if (client.starts_with('[') && client.ends_with(']')) client = client.substr(1, client.size() - 2);
  if (const auto before = out.get("X-Forwarded-For"); trust_forwarded && before) client = *before + ", " + client;
  out.set("X-Forwarded-For", std::move(client));
  if (!trust_forwarded || !out.get("X-Forwarded-Host"))
    out.set("X-Forwarded-Host", request.headers.get("Host").value_or(""));
  if (!trust_forwarded || !out.get("X-Forwarded-Proto")) out.set("X-Forwarded-Proto", "http");
  out.erase("X-Forwarded-Prefix");
  if (!route.prefix.empty()) out.set("X-Forwarded-Prefix", route.prefix);
  return out;
}

Headers response_headers(const Headers& headers, const Route& route, bool upgrade) {
  Headers out = end_to_end(headers);
  if (upgrade) {
    if (const auto protocol = headers.get("Upgrade")) out.set("Upgrade", *protocol);
  }
  // Under /l/<lease>/ all leases are one origin to a browser: none may answer for the others.
  if (!route.prefix.empty())
    for (const std::string_view name : {"Service-Worker-Allowed", "Clear-Site-Data"}) out.erase(name);
  if (const auto location = out.get("Location");
      location && !route.prefix.empty() && location->starts_with('/') && !location->starts_with("//"))
    out.set("Location", route.prefix + *location);
  return out;
}

}  // namespace bonus::net::gateway
