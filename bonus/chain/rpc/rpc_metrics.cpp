// Metrics of the JSON-RPC service.
#include "bonus/chain/rpc/rpc_metrics.hpp"

#include "bonus/chain/rpc/failure.hpp"

namespace bonus::chain::rpc {
namespace {

std::string_view outcome_of(int code) {
  switch (code) {
    case 0:
      return "ok";
    case kReverted:
      return "reverted";
    case kTimedOut:
      return "timeout";
    case kLimitExceeded:
    case kResponseTooLarge:
      return "limit";
    case kInvalidParams:
    case kInvalidRequest:
    case kMethodNotFound:
      return "invalid";
    default:
      return "error";
  }
}

}  // namespace

void RpcMetrics::called(std::string_view method, int code, Duration took) {
  if (metrics_ == nullptr) return;
  const auto outcome = outcome_of(code);
  Metrics::Histogram* seconds = nullptr;
  Metrics::Counter* count = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto found = methods_.find(method);
    if (found == methods_.end()) {
      found = methods_.emplace(method, OfMethod()).first;
      found->second.seconds = &metrics_->histogram("bonus_rpc_request_seconds", "Duration of JSON-RPC calls.",
                                                   {0.001, 0.01, 0.1, 1, 10}, {{"method", method}});
    }
    auto& known = found->second.outcomes[outcome];
    if (known == nullptr)
      known = &metrics_->counter("bonus_rpc_requests_total", "JSON-RPC calls by method and outcome.",
                                 {{"method", method}, {"outcome", outcome}});
    seconds = found->second.seconds;
    count = known;
  }
  seconds->observe(std::chrono::duration<double>(took).count());
  count->add();
}

void RpcMetrics::websockets(std::size_t open) {
  if (metrics_ != nullptr)
    metrics_->gauge("bonus_rpc_websockets", "WebSocket connections.").set(static_cast<double>(open));
}

void RpcMetrics::websocket_closed(std::string_view reason) {
  if (metrics_ != nullptr)
    metrics_
        ->counter("bonus_rpc_websockets_closed_total", "WebSocket connections that ended, by reason.",
                  {{"reason", reason}})
        .add();
}

}  // namespace bonus::chain::rpc
