// The HTTP reverse proxy to leases. Streams in both directions; nothing is buffered whole.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <vector>

#include "bonus/net/api/gateway.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::net::gateway {

struct GatewayOptions {
  std::vector<std::string> domains = {"localhost"};      ///< Below these the first label is a lease.
  std::size_t max_requests = 512;                        ///< At once, upgraded connections included; more get 503.
  Duration dial_timeout = std::chrono::seconds(10);      ///< Finding the lease and connecting to it.
  Duration response_timeout = std::chrono::seconds(60);  ///< Until the head of the answer, and for each write.
  Duration body_timeout = std::chrono::minutes(60);      ///< Between pieces of the answer (event streams are quiet).
  bool trust_forwarded = false;                          ///< Another proxy of ours stands in front.
};

/// Thread-safe; `resolver` is borrowed. Answers of its own: 404 unknown lease, 502 target down, 503 lease starting or
/// ended or too many requests, 504 timeout.
class GatewayProxy {
 public:
  explicit GatewayProxy(LeaseResolver& resolver, GatewayOptions options = {});
  /// Suitable as an http::Handler; must outlive its requests.
  [[nodiscard]] runtime::Task<> handle(runtime::http::Exchange& exchange);
  [[nodiscard]] std::size_t active() const { return active_.load(); }

 private:
  LeaseResolver& resolver_;
  GatewayOptions options_;
  std::atomic<std::size_t> active_{0};
};

}  // namespace bonus::net::gateway
