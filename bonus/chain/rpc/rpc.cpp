// JSON-RPC 2.0: calls, notifications and batches; and the HTTP shell around them.
#include "bonus/chain/rpc/rpc.hpp"

#include <fmt/format.h>

#include <boost/asio/ip/address.hpp>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/base/log.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;
namespace http = runtime::http;

std::string error_text(const json::value& id, const Failure& failure) {
  json::object error;
  error["code"] = failure.code;
  error["message"] = failure.message;
  if (failure.data) error["data"] = *failure.data;
  json::object out;
  out["jsonrpc"] = "2.0";
  out["id"] = id;
  out["error"] = std::move(error);
  return json::serialize(out);
}

std::string result_text(const json::value& id, json::value result) {
  json::object out;
  out["jsonrpc"] = "2.0";
  out["id"] = id;
  out["result"] = std::move(result);
  return json::serialize(out);
}

JsonReply run(const Context& context, std::string_view name, const json::value* params) {
  static const json::array empty;
  const json::array* list = &empty;
  if (params != nullptr && !params->is_null()) {
    list = params->if_array();
    if (list == nullptr) return failure(kInvalidParams, "non-array args");
  }
  const Method method = find_method(name);
  if (method == nullptr)
    return failure(kMethodNotFound, fmt::format("the method {} does not exist/is not available", name));
  try {
    return method(context, Params(*list));
  } catch (const std::exception& error) {
    // Boost.JSON reports lack of memory and our own mistakes this way.
    log::error("rpc", "method_failed", {{"method", name}, {"error", error.what()}});
    return failure(-32603, "internal error");
  }
}

/// The answer to one call; empty for a notification.
std::string answer(const Context& context, const json::value& call) {
  const auto* object = call.if_object();
  if (object == nullptr) return error_text(nullptr, {kInvalidRequest, "invalid request", {}});
  const auto* id = object->if_contains("id");
  const bool id_ok = id == nullptr || id->is_string() || id->is_number() || id->is_null();
  const auto* version = object->if_contains("jsonrpc");
  const auto* method = object->if_contains("method");
  if (!id_ok || version == nullptr || *version != "2.0" || method == nullptr || !method->is_string())
    return error_text(id_ok && id != nullptr ? *id : json::value(nullptr), {kInvalidRequest, "invalid request", {}});
  const auto& name = method->get_string();
  auto reply = run(context, std::string_view(name.data(), name.size()), object->if_contains("params"));
  if (id == nullptr) return {};
  return reply ? result_text(*id, *std::move(reply)) : error_text(*id, reply.error());
}

bool is_local_host(std::string_view host) {
  if (host == "localhost" || host.ends_with(".localhost")) return true;
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  boost::system::error_code error;
  boost::asio::ip::make_address(std::string(host), error);
  return !error;
}

}  // namespace

RpcService::RpcService(LedgerReader& ledger, Mempool& mempool, RpcOptions options)
    : ledger_(ledger), mempool_(mempool), options_(std::move(options)) {}

std::string RpcService::dispatch(std::string_view text) const {
  boost::system::error_code error;
  const auto parsed = json::parse(text, error);
  if (error) return error_text(nullptr, {kParseError, "parse error: " + error.message(), {}});
  const Context context{ledger_, mempool_, options_};
  const auto* batch = parsed.if_array();
  if (batch == nullptr) return answer(context, parsed);
  if (batch->empty()) return error_text(nullptr, {kInvalidRequest, "empty batch", {}});
  if (batch->size() > options_.max_batch)
    return error_text(nullptr,
                      {kInvalidRequest, fmt::format("batch too large: at most {} calls", options_.max_batch), {}});
  std::string out;
  for (const auto& call : *batch) {
    std::string one;
    if (out.size() > options_.max_response_bytes) {
      const auto* object = call.if_object();
      const auto* id = object != nullptr ? object->if_contains("id") : nullptr;
      one = error_text(id != nullptr ? *id : json::value(nullptr), {kResponseTooLarge, "response too large", {}});
    } else {
      one = answer(context, call);
    }
    if (one.empty()) continue;
    out += out.empty() ? "[" : ",";
    out += one;
  }
  return out.empty() ? out : out + "]";
}

bool RpcService::host_allowed(const http::Request& request) const {
  std::string host = request.headers.get("Host").value_or("");
  if (const auto colon = host.rfind(':'); colon != std::string::npos && host.find(']', colon) == std::string::npos)
    host.resize(colon);
  std::ranges::transform(host, host.begin(),
                         [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  if (host.empty() || is_local_host(host)) return true;
  return std::ranges::any_of(options_.hosts,
                             [&](const std::string& allowed) { return allowed == "*" || allowed == host; });
}

runtime::Task<> RpcService::handle(http::Exchange& exchange) {
  const auto& request = exchange.request();
  http::Headers headers;
  if (!options_.cors_origin.empty()) {
    headers.set("Access-Control-Allow-Origin", options_.cors_origin);
    if (options_.cors_origin != "*") headers.set("Vary", "Origin");
  }
  int status = 200;
  std::string body;
  headers.set("Content-Type", "text/plain; charset=utf-8");
  if (!host_allowed(request)) {
    status = 403;
    body = "invalid host specified\n";
  } else if (request.method == "OPTIONS") {
    status = 204;
    if (!options_.cors_origin.empty()) {
      headers.set("Access-Control-Allow-Methods", "POST, OPTIONS");
      headers.set("Access-Control-Allow-Headers",
                  request.headers.get("Access-Control-Request-Headers").value_or("Content-Type"));
      headers.set("Access-Control-Max-Age", "600");
    }
  } else if (request.method != "POST") {
    status = 405;
    headers.set("Allow", "POST, OPTIONS");
    body = "This is a JSON-RPC endpoint: send calls by POST.\n";
  } else {
    auto text = co_await exchange.read_all(options_.max_body_bytes);
    if (!text) {
      status = text.error().code == ErrorCode::kExhausted ? 413 : 400;
      body = text.error().message + "\n";
    } else {
      Result<std::string> out;
      if (options_.pool != nullptr) {
        std::function<Result<std::string>()> work = [this, text = std::move(*text)] {
          return Result<std::string>(dispatch(as_text(text)));
        };
        out = co_await runtime::offload<std::string>(*options_.pool, std::move(work));
      } else {
        out = dispatch(as_text(*text));
      }
      headers.set("Content-Type", "application/json");
      body =
          out ? std::move(*out) : error_text(nullptr, {kLimitExceeded, "the node is busy: " + out.error().message, {}});
      if (body.empty()) status = 204;
    }
  }
  Bytes bytes(body.begin(), body.end());
  if (auto sent = co_await exchange.respond(status, std::move(headers), std::move(bytes)); !sent)
    log::debug("rpc", "client_gone", {{"peer", request.peer}, {"error", sent.error().message}});
}

}  // namespace bonus::chain::rpc
