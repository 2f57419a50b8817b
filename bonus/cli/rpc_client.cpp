// JSON-RPC 2.0 over HTTP; quantities and byte strings as the execution API specification writes them.
#include "bonus/cli/rpc_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <thread>

#include "bonus/chain/api/gas.hpp"
#include "bonus/cli/console.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxAnswerBytes = 64 << 20;
constexpr std::uint64_t kSpareGas = 150'000;  // seven new storage slots (EIP-2929)
constexpr int kRevertedCode = 3;              // geth's code for a reverted call

std::unexpected<Error> malformed(std::string_view what) {
  return fail(ErrorCode::kInvalid, fmt::format("the node's answer has no usable {}", what));
}

Result<uint256> quantity(const json::value& value, std::string_view what) {
  const auto* text = value.if_string();
  if (text == nullptr) return malformed(what);
  auto number = uint256::parse(std::string_view(*text));
  if (!number) return malformed(what);
  return *number;
}

template <class Fixed>
Result<Fixed> fixed(const json::value& value, std::string_view what) {
  const auto* text = value.if_string();
  if (text == nullptr) return malformed(what);
  auto out = fixed_from_hex<Fixed>(std::string_view(*text));
  if (!out) return malformed(what);
  return *out;
}

Error rpc_error(const json::value& error) {
  const std::string message = printable(json_text(error, "message"));
  const json::value& code = json_member(error, "code");
  if (code.is_int64() && code.get_int64() == kRevertedCode) {
    if (auto raw = from_hex(json_text(error, "data"))) {
      const std::string reason = abi::decode_revert(*raw);
      if (!reason.empty()) return {ErrorCode::kConflict, fmt::format("the contract refused: {}", printable(reason))};
    }
    return {ErrorCode::kConflict, message};
  }
  if (message.find("insufficient funds") != std::string::npos)
    return {ErrorCode::kExhausted, message + "; see `bonus wallet balance`"};
  return {ErrorCode::kInvalid, message.empty() ? "the node refused without a reason" : message};
}

std::string call_object(const Address& from, const TxCall& call) {
  json::object out;
  if (!from.is_zero()) out["from"] = to_hex0x(from);
  if (call.to) out["to"] = to_hex0x(*call.to);
  if (!call.value.is_zero()) out["value"] = call.value.to_quantity();
  if (!call.data.empty()) out["data"] = to_hex0x(call.data);
  return json::serialize(out);
}

bool is_stale_nonce(const Error& error) {
  return error.message.find("nonce too low") != std::string::npos ||
         error.message.find("underpriced") != std::string::npos;
}

}  // namespace

void sleep_blocking(Duration duration) { std::this_thread::sleep_for(duration); }

Result<json::value> RpcClient::request(std::string_view method, std::string_view params) {
  runtime::http::ClientRequest wire;
  wire.method = "POST";
  wire.url = url_;
  wire.headers.set("Content-Type", "application/json");
  const std::string body =
      fmt::format(R"({{"jsonrpc":"2.0","id":{},"method":"{}","params":{}}})", next_id_++, method, params);
  wire.body.assign(body.begin(), body.end());
  auto response = runtime::http::send_blocking(std::move(wire), kMaxAnswerBytes);
  if (!response) {
    Error error = std::move(response).error();
    if (error.code != ErrorCode::kExhausted) error.code = ErrorCode::kUnavailable;
    return fail(std::move(error).wrap(fmt::format("asking the node ({})", method)));
  }
  boost::system::error_code bad;
  json::value root = json::parse(as_text(response->body), bad);
  if (bad || !root.is_object())
    return fail(ErrorCode::kUnavailable,
                fmt::format("{}: not a JSON-RPC answer to {} (HTTP {})", url_, method, response->status));
  json::object& object = root.get_object();
  if (const json::value* error = object.if_contains("error"); error != nullptr && !error->is_null())
    return fail(rpc_error(*error));
  json::value* result = object.if_contains("result");
  if (result == nullptr) return malformed("result");
  return std::move(*result);
}

Result<std::uint64_t> RpcClient::chain_id() {
  if (chain_id_ != 0) return chain_id_;
  TRY_ASSIGN(const auto value, request("eth_chainId", "[]"));
  TRY_ASSIGN(const auto number, quantity(value, "chain id"));
  chain_id_ = number.clamp_u64();
  return chain_id_;
}

Result<std::uint64_t> RpcClient::block_number() {
  TRY_ASSIGN(const auto value, request("eth_blockNumber", "[]"));
  TRY_ASSIGN(const auto number, quantity(value, "block number"));
  return number.clamp_u64();
}

Result<uint256> RpcClient::balance(const Address& account) {
  TRY_ASSIGN(const auto value, request("eth_getBalance", fmt::format(R"(["{}","latest"])", to_hex0x(account))));
  return quantity(value, "balance");
}

Result<std::uint64_t> RpcClient::next_nonce(const Address& account) {
  TRY_ASSIGN(const auto value,
             request("eth_getTransactionCount", fmt::format(R"(["{}","pending"])", to_hex0x(account))));
  TRY_ASSIGN(const auto number, quantity(value, "nonce"));
  return number.clamp_u64();
}

Result<Bytes> RpcClient::view(const Address& to, BytesView data, const Address& from) {
  TxCall call;
  call.to = to;
  call.data.assign(data.begin(), data.end());
  TRY_ASSIGN(const auto value, request("eth_call", fmt::format(R"([{},"latest"])", call_object(from, call))));
  const auto* text = value.if_string();
  if (text == nullptr) return malformed("call result");
  auto raw = from_hex(std::string_view(*text));
  if (!raw) return malformed("call result");
  return std::move(*raw);
}

Result<Fees> RpcClient::fees() {
  Fees out;
  auto history = request("eth_feeHistory", R"(["0x4","latest",[50]])");
  const json::value* base_fees = history ? &json_member(*history, "baseFeePerGas") : nullptr;
  if (base_fees == nullptr || !base_fees->is_array() || base_fees->get_array().empty()) {
    TRY_ASSIGN(const auto price, request("eth_gasPrice", "[]"));
    TRY_ASSIGN(out.max_fee, quantity(price, "gas price"));
    out.max_priority_fee = out.max_fee;
    return out;
  }
  TRY_ASSIGN(const auto next_base, quantity(base_fees->get_array().back(), "base fee"));
  if (auto tip = request("eth_maxPriorityFeePerGas", "[]")) {
    TRY_ASSIGN(out.max_priority_fee, quantity(*tip, "priority fee"));
  }
  // Twice the base fee holds for six full blocks in a row (EIP-1559: at most an eighth more per block).
  out.max_fee = next_base * uint256(2) + out.max_priority_fee;
  return out;
}

Result<std::uint64_t> RpcClient::estimate_gas(const Address& from, const TxCall& call) {
  TRY_ASSIGN(const auto value, request("eth_estimateGas", fmt::format("[{}]", call_object(from, call))));
  TRY_ASSIGN(const auto number, quantity(value, "gas estimate"));
  const std::uint64_t gas = number.clamp_u64();
  // A plain transfer is exact. A contract may write more in the block that includes the call than it would now (a lease
  // has started, a payment falls due); what is not used is not paid.
  if (gas <= chain::kTransactionGas) return gas;
  if (gas >= chain::kMaxTransactionGas) return gas;  // the node says what is wrong with it
  return std::min(gas + gas / 2 + kSpareGas, chain::kMaxTransactionGas);
}

Result<Hash32> RpcClient::send(const crypto::SecretKey256& key, const TxCall& call) {
  TRY_ASSIGN(const auto from, crypto::address_of(key));
  chain::Transaction tx;
  TRY_ASSIGN(tx.chain_id, chain_id());
  TRY_ASSIGN(tx.gas_limit, estimate_gas(from, call));
  TRY_ASSIGN(const auto fee, fees());
  tx.max_fee = fee.max_fee;
  tx.max_priority_fee = fee.max_priority_fee;
  tx.to = call.to;
  tx.value = call.value;
  tx.data = call.data;
  for (int attempt = 0;; ++attempt) {
    TRY_ASSIGN(tx.nonce, next_nonce(from));
    TRY(chain::sign_transaction(tx, key));
    auto sent = request("eth_sendRawTransaction", fmt::format(R"(["{}"])", to_hex0x(tx.encode())));
    if (sent) return tx.hash();
    if (attempt >= 2 || !is_stale_nonce(sent.error())) return fail(std::move(sent).error());
    sleep_blocking(std::chrono::milliseconds(300));
  }
}

Result<TxReceipt> receipt_from_json(const json::value& value) {
  TxReceipt out;
  TRY_ASSIGN(out.hash, fixed<Hash32>(json_member(value, "transactionHash"), "transactionHash"));
  TRY_ASSIGN(out.block_hash, fixed<Hash32>(json_member(value, "blockHash"), "blockHash"));
  TRY_ASSIGN(const auto block, quantity(json_member(value, "blockNumber"), "blockNumber"));
  TRY_ASSIGN(const auto gas, quantity(json_member(value, "gasUsed"), "gasUsed"));
  TRY_ASSIGN(const auto status, quantity(json_member(value, "status"), "status"));
  TRY_ASSIGN(out.gas_price, quantity(json_member(value, "effectiveGasPrice"), "effectiveGasPrice"));
  out.block = block.clamp_u64();
  out.gas_used = gas.clamp_u64();
  out.success = status == uint256(1);
  const json::value& logs = json_member(value, "logs");
  if (!logs.is_array()) return malformed("logs");
  for (const auto& item : logs.get_array()) {
    chain::Log log;
    TRY_ASSIGN(log.address, fixed<Address>(json_member(item, "address"), "log address"));
    const json::value& topics = json_member(item, "topics");
    if (!topics.is_array() || topics.get_array().size() > 4) return malformed("log topics");
    for (const auto& topic : topics.get_array()) {
      TRY_ASSIGN(log.topics.emplace_back(), fixed<Hash32>(topic, "log topic"));
    }
    auto data = from_hex(json_text(item, "data"));
    if (!data) return malformed("log data");
    log.data = std::move(*data);
    out.logs.push_back(std::move(log));
  }
  return out;
}

Result<std::optional<TxReceipt>> RpcClient::receipt(const Hash32& hash) {
  TRY_ASSIGN(const auto value, request("eth_getTransactionReceipt", fmt::format(R"(["{}"])", to_hex0x(hash))));
  if (value.is_null()) return std::nullopt;
  TRY_ASSIGN(auto out, receipt_from_json(value));
  return std::optional(std::move(out));
}

Result<TxReceipt> RpcClient::wait(const Hash32& hash, Duration timeout) {
  const Instant end = runtime::system_clock().now() + timeout;
  for (;;) {
    TRY_ASSIGN(auto found, receipt(hash));
    if (found && found->success) return std::move(*found);
    if (found) {
      // The receipt does not carry the reason; the same call on the state before the block does, as a rule.
      std::string reason = "it ran out of gas or the state changed";
      if (auto tx = request("eth_getTransactionByHash", fmt::format(R"(["{}"])", to_hex0x(hash)))) {
        json::object call;
        for (const char* name : {"from", "to", "value"})
          if (const auto& member = json_member(*tx, name); member.is_string()) call[name] = member;
        call["data"] = json_text(*tx, "input");
        auto again = request("eth_call", fmt::format(R"([{},"0x{:x}"])", json::serialize(call), found->block - 1));
        if (!again) reason = again.error().message;
      }
      return fail(ErrorCode::kConflict,
                  fmt::format("transaction {} failed in block {}: {}", to_hex0x(hash), found->block, reason));
    }
    if (runtime::system_clock().now() >= end)
      return fail(
          ErrorCode::kTimeout,
          fmt::format("transaction {} is in no block after {} s; look again with: bonus tx show {}", to_hex0x(hash),
                      std::chrono::duration_cast<std::chrono::seconds>(timeout).count(), to_hex0x(hash)));
    sleep_blocking(std::chrono::milliseconds(150));
  }
}

Result<TxReceipt> RpcClient::execute(const crypto::SecretKey256& key, const TxCall& call, Duration timeout) {
  TRY_ASSIGN(const auto hash, send(key, call));
  return wait(hash, timeout);
}

}  // namespace bonus::cli
