// JSON-RPC 2.0: calls, notifications and batches.
#include "bonus/chain/rpc/rpc.hpp"

#include <fmt/format.h>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/base/log.hpp"
#include "bonus/chain/rpc/answer.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/chain/rpc/service.hpp"

namespace bonus::chain::rpc {

namespace json = boost::json;

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

namespace {

JsonReply run_extra(const RpcOptions::ExtraMethod& method, const json::array& params) {
  const auto text = method(json::serialize(params));
  if (!text)
    return failure(text.error().code == ErrorCode::kInvalid ? kInvalidParams : kServerError, text.error().message);
  boost::system::error_code error;
  auto value = json::parse(*text, error);
  if (error) return failure(-32603, "internal error");
  return value;
}

JsonReply run(const Context& context, Method method, std::string_view name, const json::value* params) {
  static const json::array empty;
  const json::array* list = &empty;
  if (params != nullptr && !params->is_null()) {
    list = params->if_array();
    if (list == nullptr) return failure(kInvalidParams, "non-array args");
  }
  if (method == nullptr) {
    const auto& extra = context.options.extra_methods;
    if (const auto found = extra.find(name); found != extra.end()) return run_extra(found->second, *list);
  }
  if (method == nullptr)
    return failure(kMethodNotFound, fmt::format("the method {} does not exist/is not available", name));
  TRY(context.in_time());
  try {
    return method(context, Params(*list));
  } catch (const std::exception& error) {
    // Boost.JSON reports lack of memory and our own mistakes this way.
    log::error("rpc", "method_failed", {{"method", name}, {"error", error.what()}});
    return failure(-32603, "internal error");
  }
}

/// The answer to one call; empty for a notification.
std::string answer(const Context& context, RpcMetrics& metrics, const runtime::Clock& clock, const json::value& call) {
  const auto* object = call.if_object();
  if (object == nullptr) return error_text(nullptr, {kInvalidRequest, "invalid request", {}});
  const auto* id = object->if_contains("id");
  const bool id_ok = id == nullptr || id->is_string() || id->is_number() || id->is_null();
  const auto* version = object->if_contains("jsonrpc");
  const auto* method = object->if_contains("method");
  if (!id_ok || version == nullptr || *version != "2.0" || method == nullptr || !method->is_string())
    return error_text(id_ok && id != nullptr ? *id : json::value(nullptr), {kInvalidRequest, "invalid request", {}});
  const std::string_view name(method->get_string().data(), method->get_string().size());
  const Method found = find_method(name);
  const Instant begin = clock.now();
  auto reply = run(context, found, name, object->if_contains("params"));
  std::string out;
  int code = reply ? 0 : reply.error().code;
  if (id != nullptr) {
    out = reply ? result_text(*id, *std::move(reply)) : error_text(*id, reply.error());
    if (out.size() > context.options.max_response_bytes) {
      code = kResponseTooLarge;
      out = error_text(*id, {kResponseTooLarge, "response too large", {}});
    }
  }
  metrics.called(found != nullptr ? name : "unknown", code, clock.now() - begin);
  return out;
}

}  // namespace

RpcService::RpcService(LedgerReader& ledger, Mempool& mempool, RpcOptions options)
    : impl_(std::make_unique<Impl>(ledger, mempool, std::move(options))) {}
RpcService::~RpcService() = default;

std::string RpcService::dispatch(std::string_view text) const { return dispatch(text, impl_->clock.now(), nullptr); }

std::string RpcService::dispatch(std::string_view text, Instant arrived, Subscriber* subscriber) const {
  const auto& options = impl_->options;
  boost::system::error_code error;
  const auto parsed = json::parse(text, error);
  if (error) return error_text(nullptr, {kParseError, "parse error: " + error.message(), {}});
  const Context context{
      impl_->ledger,   impl_->mempool, options,         Deadline{&impl_->clock, arrived + options.request_timeout},
      &impl_->filters, subscriber,     &impl_->programs};
  const auto one_answer = [&](const json::value& call) { return answer(context, impl_->metrics, impl_->clock, call); };
  const auto* batch = parsed.if_array();
  if (batch == nullptr) return one_answer(parsed);
  if (batch->empty()) return error_text(nullptr, {kInvalidRequest, "empty batch", {}});
  if (batch->size() > options.max_batch)
    return error_text(nullptr,
                      {kInvalidRequest, fmt::format("batch too large: at most {} calls", options.max_batch), {}});
  std::string out;
  for (const auto& call : *batch) {
    std::string one;
    if (out.size() > options.max_response_bytes) {
      const auto* object = call.if_object();
      const auto* id = object != nullptr ? object->if_contains("id") : nullptr;
      one = error_text(id != nullptr ? *id : json::value(nullptr), {kResponseTooLarge, "response too large", {}});
    } else {
      one = one_answer(call);
    }
    if (one.empty()) continue;
    out += out.empty() ? "[" : ",";
    out += one;
  }
  return out.empty() ? out : out + "]";
}

}  // namespace bonus::chain::rpc
