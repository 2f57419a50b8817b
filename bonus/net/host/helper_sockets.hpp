// What the helper does for a request, in a process of its own: may block, is killed when its time is over.
#pragma once

#include <vector>

#include "bonus/net/host/helper_wire.hpp"

namespace bonus::net::host {

struct Served {
  Bytes payload;
  Fd descriptor;
};

/// Whether a rule lets the request through, before anything is done. kDenied.
[[nodiscard]] Result<> check_allowed(const std::vector<AllowRule>& rules, const wire::Request& request);
/// Sockets, addresses and names. Addresses that only a "*" rule admits are held to its private_addresses.
[[nodiscard]] Result<Served> serve_sockets(const std::vector<AllowRule>& rules, const wire::Request& request);

}  // namespace bonus::net::host
