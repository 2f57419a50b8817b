// Ethereum JSON-RPC 2.0 over HTTP POST (execution-apis; error codes and texts as geth's where tools parse them).
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::chain::rpc {

struct SyncStatus {
  std::uint64_t starting_block = 0, current_block = 0, highest_block = 0;
};

struct RpcOptions {
  std::string client_version = "BonusCloud/v0.1.0";
  std::size_t max_body_bytes = 5 << 20;
  std::size_t max_batch = 100;                ///< Calls in one batch.
  std::size_t max_response_bytes = 25 << 20;  ///< Of one batch; further calls in it are answered with an error.
  std::uint64_t max_log_blocks = 10'000;      ///< Blocks that one eth_getLogs may span.
  std::size_t max_logs = 10'000;              ///< Logs that one eth_getLogs may return.
  std::uint64_t max_call_gas = 50'000'000;    ///< Of eth_call and eth_estimateGas.
  uint256 default_tip{1'000'000'000};         ///< Wei per gas; suggested when no recent block shows a price.
  std::string cors_origin = "*";              ///< Access-Control-Allow-Origin; empty: no CORS headers.
  /// Host names served besides IP addresses and localhost; "*": any. Guards against DNS rebinding.
  std::vector<std::string> hosts;
  std::function<std::size_t()> peer_count;  ///< net_peerCount; unset: 0. Thread-safe.
  /// eth_syncing; unset or nothing: false. Thread-safe.
  std::function<std::optional<SyncStatus>()> sync_status;
  runtime::BlockingPool* pool = nullptr;  ///< Where dispatch() runs for handle(); null: on the connection's thread.
};

/// Thread-safe: holds no state of its own.
class RpcService {
 public:
  /// `ledger`, `mempool` and options.pool are borrowed.
  RpcService(LedgerReader& ledger, Mempool& mempool, RpcOptions options = {});

  /// One HTTP request: POST with a call or a batch, OPTIONS for CORS. Suitable as an http::Handler.
  [[nodiscard]] runtime::Task<> handle(runtime::http::Exchange& exchange);
  /// One JSON text, a call or a batch, to the JSON text of the answer; empty when everything in it is a notification.
  [[nodiscard]] std::string dispatch(std::string_view json) const;

 private:
  [[nodiscard]] bool host_allowed(const runtime::http::Request& request) const;

  LedgerReader& ledger_;
  Mempool& mempool_;
  RpcOptions options_;
};

}  // namespace bonus::chain::rpc
