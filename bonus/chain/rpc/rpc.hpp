// Ethereum JSON-RPC 2.0 over HTTP POST and WebSocket (execution-apis; error codes and texts as geth's where tools parse
// them).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::chain::rpc {

struct SyncStatus {
  std::uint64_t starting_block = 0, current_block = 0, highest_block = 0;
};

struct RpcOptions {
  std::string client_version = "BonusCloud/v0.1.0";
  std::size_t max_body_bytes = 5 << 20;       ///< Of one request or WebSocket message.
  std::size_t max_batch = 100;                ///< Calls in one batch.
  std::size_t max_response_bytes = 25 << 20;  ///< Of one answer; further calls of a batch are answered with an error.
  Duration request_timeout = std::chrono::seconds(30);  ///< From a request's arrival; then -32002.
  std::uint64_t max_log_blocks = 10'000;                ///< Blocks that one eth_getLogs may span.
  std::size_t max_logs = 10'000;                        ///< Logs that one eth_getLogs may return.
  std::uint64_t max_call_gas = 50'000'000;              ///< Of eth_call and eth_estimateGas.
  uint256 default_tip{1'000'000'000};                   ///< Wei per gas; suggested when no recent block shows a price.
  /// Access-Control-Allow-Origin; empty: no CORS headers. A WebSocket from a web page (its handshake has an Origin) is
  /// accepted when this is "*" or that origin.
  std::string cors_origin = "*";
  /// Host names served besides IP addresses and localhost; "*": any. Guards against DNS rebinding.
  std::vector<std::string> hosts;

  std::size_t max_websockets = 256;                   ///< At a time; 0: none are accepted.
  std::size_t max_in_flight = 8;                      ///< Messages of one WebSocket at a time; others wait unread.
  std::size_t max_queue_bytes = 8 << 20;              ///< Notifications that wait for one WebSocket; more closes it.
  std::size_t max_queue_total_bytes = 256 << 20;      ///< Texts that wait for all of them.
  Duration write_timeout = std::chrono::seconds(30);  ///< Of one WebSocket message.
  std::size_t max_subscriptions = 128;                ///< Of one WebSocket.
  std::size_t max_subscriptions_total = 10'000;
  std::size_t max_filters = 1'024;
  Duration filter_lifetime = std::chrono::minutes(5);  ///< Unused.
  std::size_t max_criteria_bytes = 32 << 20;           ///< Addresses and topics held by all subscriptions and filters.

  /// How eth_sendRawTransaction reads a transaction and finds its sender; unset: Transaction::decode() and recover().
  /// Whoever sets it bounds its size. Thread-safe.
  std::function<Result<TransactionPtr>(BytesView)> read_transaction;
  /// Methods beside those of this folder: the JSON text of the params array in, that of the result out. kInvalid is
  /// answered with -32602, any other error with -32000. Thread-safe.
  using ExtraMethod = std::function<Result<std::string>(std::string_view params)>;
  std::map<std::string, ExtraMethod, std::less<>> extra_methods;
  std::function<std::size_t()> peer_count;  ///< net_peerCount; unset: 0. Thread-safe.
  /// eth_syncing; unset or nothing: false. Thread-safe.
  std::function<std::optional<SyncStatus>()> sync_status;
  runtime::BlockingPool* pool = nullptr;  ///< Where dispatch() runs for handle(); null: on the connection's thread.
  Metrics* metrics = nullptr;             ///< Null: none are kept.
  const runtime::Clock* clock = nullptr;  ///< Null: the system's, as below.
  runtime::Random* random = nullptr;      ///< Makes the ids of subscriptions and filters.
};

class Subscriber;

/// Thread-safe.
class RpcService {
 public:
  /// `ledger`, `mempool` and what the options point to are borrowed; the mempool keeps a listener, which does nothing
  /// when the service is gone.
  RpcService(LedgerReader& ledger, Mempool& mempool, RpcOptions options = {});
  ~RpcService();
  RpcService(const RpcService&) = delete;
  RpcService& operator=(const RpcService&) = delete;

  /// One HTTP request: POST with a call or a batch, OPTIONS for CORS, GET that asks for a WebSocket. Suitable as an
  /// http::Handler.
  [[nodiscard]] runtime::Task<> handle(runtime::http::Exchange& exchange);
  /// One JSON text, a call or a batch, to the JSON text of the answer; empty when everything in it is a notification.
  [[nodiscard]] std::string dispatch(std::string_view json) const;

 private:
  friend class Connection;
  struct Impl;
  [[nodiscard]] std::string dispatch(std::string_view json, Instant arrived, Subscriber* subscriber) const;
  [[nodiscard]] bool host_allowed(const runtime::http::Request& request) const;
  [[nodiscard]] bool origin_allowed(const runtime::http::Request& request) const;
  [[nodiscard]] runtime::Task<> post(runtime::http::Exchange& exchange, runtime::http::Headers headers);
  [[nodiscard]] runtime::Task<> serve_websocket(runtime::http::Exchange& exchange);

  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::chain::rpc
