// From the address that a client asked for to a lease and a port. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace bonus::net::gateway {

struct Route {
  std::string lease;                  ///< Name or decimal id, lower case.
  std::optional<std::uint16_t> port;  ///< Container port, when the address names one.
  std::string prefix;                 ///< "/l/web" when routed by path; empty by host.
  std::string target;                 ///< Path and query for the container.
  bool needs_slash = false;           ///< "/l/web": redirect to "/l/web/", or relative links break.
};

/// Nothing when neither the host nor the path names a lease. `domains`: suffixes whose first label is a lease
/// ("localhost").
[[nodiscard]] std::optional<Route> find_route(std::string_view host, std::string_view target,
                                              const std::vector<std::string>& domains);

}  // namespace bonus::net::gateway
