// Ethereum JSON-RPC as the command line needs it: reading the chain, sending a signed transaction, waiting for it.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/types.hpp"

namespace bonus::cli {

struct TxReceipt {
  Hash32 hash, block_hash;
  std::uint64_t block = 0, gas_used = 0;
  bool success = false;
  uint256 gas_price;
  std::vector<chain::Log> logs;
};
struct Fees {
  uint256 max_fee, max_priority_fee;  ///< Wei per gas.
};
struct TxCall {
  std::optional<Address> to{};
  uint256 value{};
  Bytes data{};
};

/// Blocking; one thread. Errors: kUnavailable (no answer), the RPC's own message as kInvalid, reverts as kConflict with
/// the contract's reason.
class RpcClient {
 public:
  explicit RpcClient(std::string url) : url_(std::move(url)) {}

  [[nodiscard]] const std::string& url() const { return url_; }
  /// `params` as JSON text: `["0x..","latest"]`.
  [[nodiscard]] Result<boost::json::value> request(std::string_view method, std::string_view params);

  [[nodiscard]] Result<std::uint64_t> chain_id();
  [[nodiscard]] Result<std::uint64_t> block_number();
  [[nodiscard]] Result<uint256> balance(const Address& account);
  /// Counting those that wait in the mempool.
  [[nodiscard]] Result<std::uint64_t> next_nonce(const Address& account);
  [[nodiscard]] Result<Bytes> view(const Address& to, BytesView data, const Address& from = {});
  /// From eth_feeHistory: twice the next base fee and the usual tip; from eth_gasPrice where a node has no history.
  [[nodiscard]] Result<Fees> fees();
  /// More than eth_estimateGas says, for what the next blocks may change. kConflict: it would revert, with the reason.
  [[nodiscard]] Result<std::uint64_t> estimate_gas(const Address& from, const TxCall& call);

  /// Estimates, signs and sends a type-2 transaction; asks for a new nonce once when another one was faster.
  [[nodiscard]] Result<Hash32> send(const crypto::SecretKey256& key, const TxCall& call);
  [[nodiscard]] Result<std::optional<TxReceipt>> receipt(const Hash32& hash);
  /// Polls until the transaction stands in a block. kTimeout; kConflict when it failed there, with the reason.
  [[nodiscard]] Result<TxReceipt> wait(const Hash32& hash, Duration timeout);
  /// send() and wait().
  [[nodiscard]] Result<TxReceipt> execute(const crypto::SecretKey256& key, const TxCall& call, Duration timeout);

 private:
  std::string url_;
  std::uint64_t next_id_ = 1;
  std::uint64_t chain_id_ = 0;  ///< Once known.
};

/// The transaction object of eth_getTransactionByHash and the like. kInvalid names the field.
[[nodiscard]] Result<TxReceipt> receipt_from_json(const boost::json::value& value);
/// Sleeps this thread.
void sleep_blocking(Duration duration);

}  // namespace bonus::cli
