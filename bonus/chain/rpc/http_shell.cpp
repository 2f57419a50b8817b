// The HTTP shell: methods, CORS, the Host check, and work on the pool.
#include <algorithm>
#include <boost/asio/ip/address.hpp>

#include "bonus/base/log.hpp"
#include "bonus/chain/rpc/answer.hpp"
#include "bonus/chain/rpc/service.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::chain::rpc {
namespace {

namespace http = runtime::http;

bool is_local_host(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(host), error);
  return !error;
}

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return text;
}

runtime::Task<> send(http::Exchange& exchange, int status, http::Headers headers, std::string text) {
  Bytes bytes(text.begin(), text.end());
  if (auto sent = co_await exchange.respond(status, std::move(headers), std::move(bytes)); !sent)
    log::debug("rpc", "client_gone", {{"peer", exchange.request().peer}, {"error", sent.error().message}});
}

}  // namespace

bool RpcService::host_allowed(const http::Request& request) const {
  std::string host = request.headers.get("Host").value_or("");
  if (const auto colon = host.rfind(':'); colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  host = lower(std::move(host));
  if (host.empty() || is_local_host(host)) return true;
  return std::ranges::any_of(impl_->options.hosts,
                             [&](const std::string& allowed) { return allowed == "*" || allowed == host; });
}

bool RpcService::origin_allowed(const http::Request& request) const {
  const auto origin = request.headers.get("Origin");
  if (!origin) return true;  // not a web page
  const auto& allowed = impl_->options.cors_origin;
  return allowed == "*" || (!allowed.empty() && lower(*origin) == lower(allowed));
}

runtime::Task<> RpcService::post(http::Exchange& exchange, http::Headers headers) {
  const Instant arrived = impl_->clock.now();
  auto text = co_await exchange.read_all(impl_->options.max_body_bytes);
  if (!text) {
    const int status = text.error().code == ErrorCode::kExhausted ? 413 : 400;
    co_await send(exchange, status, std::move(headers), text.error().message + "\n");
    co_return;
  }
  Result<std::string> out;
  if (impl_->options.pool != nullptr) {
    std::function<Result<std::string>()> work = [this, arrived, text = std::move(*text)] {
      return Result<std::string>(dispatch(as_text(text), arrived, nullptr));
    };
    out = co_await runtime::offload<std::string>(*impl_->options.pool, std::move(work));
  } else {
    out = dispatch(as_text(*text), arrived, nullptr);
  }
  headers.set("Content-Type", "application/json");
  std::string body =
      out ? std::move(*out) : error_text(nullptr, {kLimitExceeded, "the node is busy: " + out.error().message, {}});
  const int status = body.empty() ? 204 : 200;
  co_await send(exchange, status, std::move(headers), std::move(body));
}

runtime::Task<> RpcService::handle(http::Exchange& exchange) {
  const auto& request = exchange.request();
  const auto& cors_origin = impl_->options.cors_origin;
  http::Headers headers;
  if (!cors_origin.empty()) {
    headers.set("Access-Control-Allow-Origin", cors_origin);
    if (cors_origin != "*") headers.set("Vary", "Origin");
  }
  headers.set("Content-Type", "text/plain; charset=utf-8");
  int status = 200;
  std::string body;
  if (!host_allowed(request)) {
    status = 403;
    body = "invalid host specified\n";
  } else if (request.method == "POST") {
    co_await post(exchange, std::move(headers));
    co_return;
  } else if (request.method == "OPTIONS") {
    status = 204;
    if (!cors_origin.empty()) {
      headers.set("Access-Control-Allow-Methods", "POST, OPTIONS");
      headers.set("Access-Control-Allow-Headers",
                  request.headers.get("Access-Control-Request-Headers").value_or("Content-Type"));
      headers.set("Access-Control-Max-Age", "600");
    }
  } else if (request.method == "GET" && exchange.wants_upgrade()) {
    if (impl_->options.max_websockets > 0 && origin_allowed(request)) {
      co_await serve_websocket(exchange);
      co_return;
    }
    status = 403;
    body = impl_->options.max_websockets > 0 ? "origin not allowed\n" : "WebSocket is switched off here\n";
  } else {
    status = 405;
    headers.set("Allow", "POST, OPTIONS");
    body = "This is a JSON-RPC endpoint: send calls by POST, or open a WebSocket.\n";
  }
  co_await send(exchange, status, std::move(headers), std::move(body));
}

}  // namespace bonus::chain::rpc
