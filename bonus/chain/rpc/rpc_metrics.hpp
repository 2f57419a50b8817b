// Counts of what the service does. Internal to this folder.
#pragma once

#include <map>
#include <mutex>
#include <string>

#include "bonus/base/metrics.hpp"
#include "bonus/base/time.hpp"

namespace bonus::chain::rpc {

/// Thread-safe. The names of methods come from the table of methods only, so labels are bounded.
class RpcMetrics {
 public:
  /// Null: counts nothing.
  explicit RpcMetrics(Metrics* metrics) : metrics_(metrics) {}

  /// `method` is a name of the table, or "unknown". `code` of JSON-RPC; 0: it succeeded.
  void called(std::string_view method, int code, Duration took);
  void websockets(std::size_t open);
  /// `reason`: one of a few fixed words.
  void websocket_closed(std::string_view reason);

 private:
  struct OfMethod {
    Metrics::Histogram* seconds = nullptr;
    std::map<std::string_view, Metrics::Counter*> outcomes;
  };
  Metrics* const metrics_;
  std::mutex mutex_;
  std::map<std::string, OfMethod, std::less<>> methods_;  // guarded by mutex_
};

}  // namespace bonus::chain::rpc
