// For tests of what runs code over JSON-RPC: a small chain with funded accounts and contracts written as bytes.
#pragma once

#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc::testing {

namespace json = boost::json;
using chain::testing::FakeLedger;
using chain::testing::FakeMempool;

inline constexpr std::uint64_t kGwei = 1'000'000'000;

inline Genesis evm_genesis() {
  Genesis out;
  out.chain_id = 2013;
  out.timestamp = 1'700'000'000;
  out.base_fee = uint256(kGwei);
  out.min_base_fee = uint256(7);
  return out;
}
/// 0x00...00xx.
inline Address account(std::uint16_t low) { return system_address(low); }
inline std::string quote(std::string_view text) { return "\"" + std::string(text) + "\""; }
inline std::string quote(const Address& address) { return quote(to_hex0x(address)); }

class EvmChain {
 public:
  explicit EvmChain(RpcOptions options = {})
      : ledger(evm_genesis()), mempool(ledger), service(ledger, mempool, std::move(options)) {}

  void set_code(const Address& address, std::string_view hex) {
    Bytes code = from_hex(hex).value();
    const Hash32 hash = crypto::keccak256(code);
    ledger.account_ref(address).storage_root = kEmptyTrieRoot;
    ledger.set_code(address, std::move(code), hash);
  }
  void set_balance(const Address& address, const uint256& balance) {
    auto& found = ledger.account_ref(address);
    found.balance = balance;
    if (found.code_hash.is_zero()) {
      found.code_hash = kEmptyCodeHash;
      found.storage_root = kEmptyTrieRoot;
    }
  }
  json::object send(std::string_view method, std::string_view params) {
    const auto text = service.dispatch(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                       R"(","params":)" + std::string(params) + "}");
    return json::parse(text).as_object();
  }
  json::value result(std::string_view method, std::string_view params) {
    auto out = send(method, params);
    EXPECT_TRUE(out.contains("result")) << method << " " << params << "\n" << json::serialize(out);
    return out["result"];
  }
  /// The result as text; strings without their quotes.
  std::string text(std::string_view method, std::string_view params) {
    const auto out = result(method, params);
    return out.is_string() ? std::string(out.get_string()) : json::serialize(out);
  }
  struct Refusal {
    std::int64_t code = 0;
    std::string message;
    std::string data;
    friend bool operator==(const Refusal&, const Refusal&) = default;
    friend void PrintTo(const Refusal& r, std::ostream* out) { *out << r.code << " " << r.message << " " << r.data; }
  };
  Refusal error(std::string_view method, std::string_view params) {
    auto out = send(method, params);
    const auto* error = out.if_contains("error");
    EXPECT_NE(error, nullptr) << method << " " << params << "\n" << json::serialize(out);
    if (error == nullptr) return {};
    Refusal refusal{error->at("code").as_int64(), std::string(error->at("message").as_string()), {}};
    if (const auto* data = error->as_object().if_contains("data")) refusal.data = std::string(data->as_string());
    return refusal;
  }

  FakeLedger ledger;
  FakeMempool mempool;
  RpcService service;
};

}  // namespace bonus::chain::rpc::testing
