// Which header fields pass a proxy, and which it adds (RFC 9110, section 7.6; the X-Forwarded-* convention). Pure.
#pragma once

#include "bonus/net/gateway/route.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::net::gateway {

/// The fields for the container. `upgrade`: Connection and Upgrade pass. Forwarded fields of the client are believed
/// only when `trust_forwarded`.
[[nodiscard]] runtime::http::Headers request_headers(const runtime::http::Request& request, const Route& route,
                                                     bool upgrade, bool trust_forwarded);
/// The fields for the client. A Location on the container's root is put below the route's prefix.
[[nodiscard]] runtime::http::Headers response_headers(const runtime::http::Headers& headers, const Route& route,
                                                      bool upgrade);

}  // namespace bonus::net::gateway
