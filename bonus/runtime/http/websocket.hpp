// WebSocket (RFC 6455) over a server's or a client's TCP connection. Internal to this folder.
#pragma once

#include "bonus/runtime/http/http.hpp"
#include "bonus/runtime/http/socket_stream.hpp"

namespace bonus::runtime::http {

/// kInvalid says which part of the opening handshake is missing.
[[nodiscard]] Result<> check_websocket_request(const Request& request);
/// Answers the handshake; `request` has passed check_websocket_request().
[[nodiscard]] Task<Result<std::unique_ptr<WebSocket>>> accept_websocket_on(std::shared_ptr<SocketStream> socket,
                                                                           Request request,
                                                                           std::size_t message_limit_bytes);

}  // namespace bonus::runtime::http
