// Methods, encodings and errors of the JSON-RPC core over an in-memory ledger.
#include "bonus/chain/rpc/rpc.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/base/units.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;
using testing::FakeLedger;
using testing::FakeMempool;
using ::testing::HasSubstr;

constexpr std::uint64_t kGwei = 1'000'000'000;

crypto::SecretKey256 key(std::uint8_t last) {
  crypto::SecretKey256 out;
  out.bytes[31] = last;
  return out;
}

Genesis small_genesis() {
  Genesis genesis;
  genesis.chain_id = 2013;
  genesis.timestamp = 1'700'000'000;
  genesis.base_fee = uint256(kGwei);
  genesis.min_base_fee = uint256(7);
  genesis.balances[*crypto::address_of(key(1))] = uint256(1'000'000) * kWeiPerBnc;
  return genesis;
}

TransactionPtr transfer(std::uint8_t type, std::uint64_t nonce, std::uint64_t tip = kGwei) {
  Transaction tx;
  tx.type = type;
  tx.chain_id = 2013;
  tx.nonce = nonce;
  tx.max_fee = uint256(10 * kGwei);
  tx.max_priority_fee = type == 0 ? tx.max_fee : uint256(tip);
  tx.gas_limit = 50'000;
  tx.to = kMarketAddress;
  tx.value = uint256(5);
  tx.data = Bytes{0xab, 0xcd};
  if (type == 2) tx.access_list.push_back({kNodesAddress, {Hash32{}}});
  EXPECT_TRUE(sign_transaction(tx, key(1)));
  auto out = recover(tx);
  EXPECT_TRUE(out);
  return *out;
}

Receipt success(std::uint64_t gas, std::vector<Log> logs = {}) {
  Receipt out;
  out.success = true;
  out.gas_used = gas;
  out.effective_gas_price = uint256(2 * kGwei);
  out.logs = std::move(logs);
  return out;
}

class RpcTest : public ::testing::Test {
 protected:
  RpcTest() : ledger_(small_genesis()), mempool_(ledger_) {
    ledger_.account_ref(kMarketAddress).code_hash = system_code_hash();
    ledger_.set_storage(kMarketAddress, uint256(3), uint256(0x1234));
    const Log one{kMarketAddress, {topic(1), topic(2)}, Bytes{1}};
    const Log two{kNodesAddress, {topic(3)}, Bytes{}};
    legacy_ = transfer(0, 0);
    typed_ = transfer(2, 1);
    ledger_.add_block({legacy_, typed_}, {success(21'000, {one}), success(30'000, {two, one})}, uint256(kGwei));
    ledger_.add_block({}, {}, uint256(kGwei / 2));
    sender_ = legacy_->sender;
    ledger_.account_ref(sender_).nonce = 2;
  }
  static Hash32 topic(std::uint8_t last) {
    Hash32 out;
    out.bytes[31] = last;
    return out;
  }
  json::value send(std::string_view text, RpcOptions options = {}) {
    const RpcService service(ledger_, mempool_, std::move(options));
    const auto out = service.dispatch(text);
    return out.empty() ? json::value(nullptr) : json::parse(out);
  }
  json::value call(std::string_view method, std::string_view params, RpcOptions options = {}) {
    return send(
        R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":)" + std::string(params) + "}",
        std::move(options));
  }
  json::value result(std::string_view method, std::string_view params = "[]") {
    auto out = call(method, params);
    EXPECT_TRUE(out.as_object().contains("result")) << method << json::serialize(out);
    return out.as_object()["result"];
  }
  std::string text(std::string_view method, std::string_view params = "[]") {
    return json::serialize(result(method, params));
  }
  std::pair<std::int64_t, std::string> error(std::string_view method, std::string_view params,
                                             RpcOptions options = {}) {
    auto out = call(method, params, std::move(options));
    const auto* object = out.as_object().if_contains("error");
    if (object == nullptr) return {0, json::serialize(out)};
    return {object->at("code").as_int64(), std::string(object->at("message").as_string())};
  }
  static std::string list(std::initializer_list<std::string> items) {
    std::string out;
    for (const auto& item : items) out += (out.empty() ? "[" : ",") + item;
    return out + "]";
  }
  static std::string quoted(BytesView bytes) { return '"' + to_hex0x(bytes) + '"'; }

  FakeLedger ledger_;
  FakeMempool mempool_;
  TransactionPtr legacy_, typed_;
  Address sender_;
};

TEST_F(RpcTest, SimpleAnswers) {
  EXPECT_EQ(text("web3_clientVersion"), "\"BonusCloud/v0.1.0\"");
  EXPECT_EQ(text("web3_sha3", R"(["0x68656c6c6f20776f726c64"])"),
            "\"0x47173285a8d7341e5e972fc677286384f802f8ef42a5ec5f03bbfa254cb01fad\"");
  EXPECT_EQ(text("net_version"), "\"2013\"");
  EXPECT_EQ(text("net_listening"), "true");
  EXPECT_EQ(text("net_peerCount"), "\"0x0\"");
  EXPECT_EQ(text("eth_chainId"), "\"0x7dd\"");
  EXPECT_EQ(text("eth_syncing"), "false");
  EXPECT_EQ(text("eth_blockNumber"), "\"0x2\"");
  EXPECT_EQ(text("eth_accounts"), "[]");
  EXPECT_EQ(text("eth_mining"), "false");
  EXPECT_EQ(text("eth_hashrate"), "\"0x0\"");
}

TEST_F(RpcTest, HooksFeedPeersAndSync) {
  RpcOptions options;
  options.peer_count = [] { return std::size_t{3}; };
  options.sync_status = [] { return std::optional(SyncStatus{0, 5, 16}); };
  EXPECT_EQ(call("net_peerCount", "[]", options).at("result"), "0x3");
  EXPECT_EQ(call("eth_syncing", "[]", options).at("result").at("highestBlock"), "0x10");
}

TEST_F(RpcTest, BlocksHaveTheFieldsOfExecutionApis) {
  const auto block = result("eth_getBlockByNumber", R"(["0x1",false])").as_object();
  for (const auto* name : {"number",
                           "hash",
                           "parentHash",
                           "sha3Uncles",
                           "miner",
                           "stateRoot",
                           "transactionsRoot",
                           "receiptsRoot",
                           "logsBloom",
                           "difficulty",
                           "nonce",
                           "mixHash",
                           "extraData",
                           "gasLimit",
                           "gasUsed",
                           "timestamp",
                           "baseFeePerGas",
                           "size",
                           "uncles",
                           "transactions",
                           "withdrawals",
                           "withdrawalsRoot",
                           "blobGasUsed",
                           "excessBlobGas",
                           "parentBeaconBlockRoot",
                           "requestsHash"})
    EXPECT_TRUE(block.contains(name)) << name;
  EXPECT_FALSE(block.contains("totalDifficulty"));
  EXPECT_EQ(block.at("hash"), json::value(to_hex0x((*ledger_.block(1))->hash)));
  EXPECT_EQ(block.at("withdrawalsRoot"), json::value(to_hex0x(kEmptyTrieRoot)));
  EXPECT_EQ(block.at("requestsHash"), json::value(to_hex0x(kEmptyRequestsHash)));
  EXPECT_EQ(block.at("difficulty"), "0x0");
  EXPECT_EQ(block.at("nonce"), "0x0000000000000000");
  EXPECT_EQ(block.at("gasUsed"), "0xc738");
  EXPECT_EQ(block.at("transactions").as_array().at(1), json::value(to_hex0x(typed_->hash)));
  EXPECT_TRUE(block.at("withdrawals").as_array().empty());
}

TEST_F(RpcTest, BlocksByTagAndHash) {
  for (const auto* tag : {"latest", "safe", "finalized"})
    EXPECT_EQ(result("eth_getBlockByNumber", list({'"' + std::string(tag) + '"', "false"})).at("number"), "0x2");
  EXPECT_EQ(result("eth_getBlockByNumber", R"(["earliest",false])").at("number"), "0x0");
  EXPECT_EQ(text("eth_getBlockByNumber", R"(["0x3",false])"), "null");
  EXPECT_EQ(result("eth_getBlockByHash", list({quoted((*ledger_.block(1))->hash), "true"})).at("number"), "0x1");
  EXPECT_EQ(text("eth_getBlockByHash", list({quoted(Hash32{}), "true"})), "null");
  EXPECT_EQ(text("eth_getBlockTransactionCountByNumber", R"(["0x1"])"), "\"0x2\"");
  EXPECT_EQ(text("eth_getBlockTransactionCountByHash", list({quoted(Hash32{})})), "null");
  ASSERT_TRUE(mempool_.add(transfer(2, 2)));
  const auto pending = result("eth_getBlockByNumber", R"(["pending",true])").as_object();
  EXPECT_EQ(pending.at("number"), "0x3");
  EXPECT_TRUE(pending.at("hash").is_null());
  EXPECT_EQ(pending.at("transactions").as_array().size(), 1u);
}

TEST_F(RpcTest, TransactionsOfBothTypes) {
  const auto typed = result("eth_getTransactionByHash", list({quoted(typed_->hash)})).as_object();
  EXPECT_EQ(typed.at("type"), "0x2");
  EXPECT_EQ(typed.at("from"), json::value(to_hex0x(sender_)));
  EXPECT_EQ(typed.at("to"), json::value(to_hex0x(kMarketAddress)));
  EXPECT_EQ(typed.at("gas"), "0xc350");
  EXPECT_EQ(typed.at("gasPrice"), "0x77359400");  // 2 gwei: base fee and tip
  EXPECT_EQ(typed.at("maxFeePerGas"), "0x2540be400");
  EXPECT_EQ(typed.at("input"), "0xabcd");
  EXPECT_EQ(typed.at("chainId"), "0x7dd");
  EXPECT_EQ(typed.at("yParity"), typed.at("v"));
  EXPECT_EQ(typed.at("accessList").at(0).at("storageKeys").as_array().size(), 1u);
  EXPECT_EQ(typed.at("blockNumber"), "0x1");
  EXPECT_EQ(typed.at("transactionIndex"), "0x1");
  const auto legacy = result("eth_getTransactionByBlockNumberAndIndex", R"(["0x1","0x0"])").as_object();
  EXPECT_EQ(legacy.at("hash"), json::value(to_hex0x(legacy_->hash)));
  EXPECT_EQ(legacy.at("type"), "0x0");
  EXPECT_EQ(legacy.at("v"), json::value(uint256(2013 * 2 + 35 + legacy_->tx.signature.recovery).to_quantity()));
  EXPECT_FALSE(legacy.contains("maxFeePerGas"));
  EXPECT_EQ(text("eth_getTransactionByBlockNumberAndIndex", R"(["0x1","0x2"])"), "null");
  EXPECT_EQ(text("eth_getTransactionByHash", list({quoted(Hash32{})})), "null");
}

TEST_F(RpcTest, PendingTransactionsAreFound) {
  const auto tx = transfer(2, 2);
  const auto sent = text("eth_sendRawTransaction", list({quoted(tx->tx.encode())}));
  EXPECT_EQ(sent, quoted(tx->hash));
  const auto found = result("eth_getTransactionByHash", list({quoted(tx->hash)})).as_object();
  EXPECT_TRUE(found.at("blockHash").is_null());
  EXPECT_TRUE(found.at("blockNumber").is_null());
  EXPECT_TRUE(found.at("transactionIndex").is_null());
  EXPECT_EQ(text("eth_getTransactionReceipt", list({quoted(tx->hash)})), "null");
  EXPECT_EQ(text("eth_getTransactionCount", list({quoted(sender_), "\"pending\""})), "\"0x3\"");
  EXPECT_EQ(text("eth_getTransactionCount", list({quoted(sender_), "\"latest\""})), "\"0x2\"");
  EXPECT_EQ(error("eth_sendRawTransaction", list({quoted(tx->tx.encode())})),
            std::pair(std::int64_t{-32000}, std::string("already known")));
  EXPECT_EQ(error("eth_sendRawTransaction", list({quoted(legacy_->tx.encode())})),
            std::pair(std::int64_t{-32000}, std::string("nonce too low")));
  EXPECT_EQ(error("eth_sendRawTransaction", R"(["0x02c0"])").first, -32000);
  EXPECT_EQ(error("eth_sendRawTransaction", R"(["02c0"])").first, -32602);
}

TEST_F(RpcTest, ReceiptsAndTheirLogs) {
  const auto receipt = result("eth_getTransactionReceipt", list({quoted(typed_->hash)})).as_object();
  EXPECT_EQ(receipt.at("status"), "0x1");
  EXPECT_EQ(receipt.at("gasUsed"), "0x7530");
  EXPECT_EQ(receipt.at("cumulativeGasUsed"), "0xc738");
  EXPECT_EQ(receipt.at("effectiveGasPrice"), "0x77359400");
  EXPECT_TRUE(receipt.at("contractAddress").is_null());
  EXPECT_EQ(receipt.at("type"), "0x2");
  const auto& logs = receipt.at("logs").as_array();
  ASSERT_EQ(logs.size(), 2u);
  EXPECT_EQ(logs[0].at("logIndex"), "0x1");
  EXPECT_EQ(logs[1].at("logIndex"), "0x2");
  EXPECT_EQ(logs[1].at("removed"), false);
  EXPECT_EQ(result("eth_getBlockReceipts", R"(["0x1"])").as_array().size(), 2u);
  EXPECT_EQ(text("eth_getBlockReceipts", R"(["0x9"])"), "null");
}

TEST_F(RpcTest, LogFilters) {
  const auto count = [this](std::string filter) { return result("eth_getLogs", "[" + filter + "]").as_array().size(); };
  EXPECT_EQ(count(R"({"fromBlock":"0x0","toBlock":"latest"})"), 3u);
  EXPECT_EQ(count("{}"), 0u);  // the latest block only
  EXPECT_EQ(count(R"({"fromBlock":"earliest","address":)" + quoted(kNodesAddress) + "}"), 1u);
  EXPECT_EQ(count(R"({"fromBlock":"earliest","topics":[null,)" + quoted(topic(2)) + "]}"), 2u);
  EXPECT_EQ(count(R"({"fromBlock":"earliest","topics":[[)" + quoted(topic(1)) + "," + quoted(topic(3)) + "]]}"), 3u);
  EXPECT_EQ(count(R"({"blockHash":)" + quoted((*ledger_.block(1))->hash) + "}"), 3u);
  EXPECT_EQ(error("eth_getLogs", R"([{"fromBlock":"0x64","toBlock":"0x65"}])"),
            std::pair(std::int64_t{-32602}, std::string("block range extends beyond current head block")));
  EXPECT_EQ(error("eth_getLogs", R"([{"fromBlock":"0x2","toBlock":"0x1"}])"),
            std::pair(std::int64_t{-32602}, std::string("invalid block range params")));
  EXPECT_EQ(error("eth_getLogs", R"([{"blockHash":)" + quoted(Hash32{}) + "}]").second, "unknown block");
  RpcOptions options;
  options.max_logs = 2;
  EXPECT_EQ(error("eth_getLogs", R"([{"fromBlock":"0x0"}])", options),
            std::pair(std::int64_t{-32005}, std::string("query returned more than 2 results")));
  options.max_log_blocks = 2;
  EXPECT_EQ(error("eth_getLogs", R"([{"fromBlock":"0x0"}])", options).first, -32005);
}

TEST_F(RpcTest, StateOfAccounts) {
  EXPECT_EQ(text("eth_getBalance", list({quoted(sender_), "\"latest\""})), "\"0xd3c21bcecceda1000000\"");
  EXPECT_EQ(text("eth_getBalance", list({quoted(kNodesAddress)})), "\"0x0\"");
  EXPECT_EQ(text("eth_getCode", list({quoted(kMarketAddress), "\"latest\""})), "\"0xfe\"");
  EXPECT_EQ(text("eth_getCode", list({quoted(sender_), "\"latest\""})), "\"0x\"");
  EXPECT_EQ(text("eth_getStorageAt", list({quoted(kMarketAddress), "\"0x3\"", "\"latest\""})),
            '"' + to_hex0x(uint256(0x1234).to_be()) + '"');
  EXPECT_EQ(text("eth_getStorageAt", list({quoted(kMarketAddress), quoted(uint256(3).to_be())})),
            '"' + to_hex0x(uint256(0x1234).to_be()) + '"');
  EXPECT_EQ(error("eth_getBalance", list({quoted(sender_), "\"0x99\""})),
            std::pair(std::int64_t{-32000}, std::string("header not found")));
  EXPECT_EQ(
      text("eth_getBalance", list({quoted(sender_), R"({"blockHash":)" + quoted((*ledger_.block(1))->hash) + "}"})),
      "\"0xd3c21bcecceda1000000\"");
}

TEST_F(RpcTest, Fees) {
  const auto next = next_base_fee(ledger_.head(), ledger_.genesis());
  const auto tip = result("eth_maxPriorityFeePerGas");
  EXPECT_EQ(tip, "0x3b9aca00");  // the percentile of 1 and 9 gwei, rounded down
  EXPECT_EQ(result("eth_gasPrice"), json::value((next + uint256(kGwei)).to_quantity()));
  const auto history = result("eth_feeHistory", R"(["0x5","latest",[0,50,100]])").as_object();
  EXPECT_EQ(history.at("oldestBlock"), "0x0");
  EXPECT_EQ(history.at("baseFeePerGas").as_array().size(), 4u);
  EXPECT_EQ(history.at("baseFeePerGas").as_array().back(), json::value(next.to_quantity()));
  EXPECT_EQ(history.at("gasUsedRatio").as_array().size(), 3u);
  const auto& reward = history.at("reward").as_array();
  ASSERT_EQ(reward.size(), 3u);
  EXPECT_EQ(reward[0].at(0), "0x0");
  EXPECT_EQ(reward[1].at(0), "0x3b9aca00");
  EXPECT_EQ(reward[1].at(2), "0x218711a00");
  EXPECT_FALSE(result("eth_feeHistory", R"([1,"latest"])").as_object().contains("reward"));
  EXPECT_EQ(error("eth_feeHistory", R"(["0x1","0x9",[]])").second, "request beyond head block: requested 9, head 2");
  EXPECT_THAT(error("eth_feeHistory", R"(["0x1","latest",[50,20]])").second, HasSubstr("invalid reward percentile"));
  EXPECT_THAT(error("eth_feeHistory", R"(["0x1","latest",[101]])").second, HasSubstr("invalid reward percentile"));
}

TEST_F(RpcTest, ProtocolErrors) {
  const auto code = [](const json::value& out) { return out.at("error").at("code").as_int64(); };
  EXPECT_EQ(code(send("{")), -32700);
  EXPECT_EQ(code(send("")), -32700);
  EXPECT_EQ(code(send("1")), -32600);
  EXPECT_EQ(code(send("[]")), -32600);
  EXPECT_EQ(code(send(R"({"id":1,"method":"eth_chainId"})")), -32600);
  EXPECT_EQ(code(send(R"({"jsonrpc":"2.0","id":{},"method":"eth_chainId"})")), -32600);
  EXPECT_EQ(code(send(R"({"jsonrpc":"2.0","id":1,"method":5})")), -32600);
  EXPECT_EQ(error("eth_nothing", "[]"),
            std::pair(std::int64_t{-32601}, std::string("the method eth_nothing does not exist/is not available")));
  EXPECT_EQ(error("eth_getBalance", "[]"),
            std::pair(std::int64_t{-32602}, std::string("missing value for required argument 0")));
  EXPECT_EQ(error("eth_getBalance", R"(["0x12"])"),
            std::pair(std::int64_t{-32602}, std::string("invalid argument 0: hex string has length 2, want 40")));
  EXPECT_EQ(error("eth_getBalance", R"({"a":1})"), std::pair(std::int64_t{-32602}, std::string("non-array args")));
  EXPECT_EQ(error("eth_blockNumber", "[1]"),
            std::pair(std::int64_t{-32602}, std::string("too many arguments, want at most 0")));
  for (const auto& [bad, why] : {std::pair("\"0x01\"", "hex number with leading zero digits"),
                                 {"\"0x\"", "hex string \"0x\""},
                                 {"\"12\"", "hex string without 0x prefix"},
                                 {"\"0xzz\"", "invalid hex string"},
                                 {"\"0x11111111111111111\"", "hex number > 64 bits"},
                                 {"7", "a block is a tag, a hex number or a hash"}})
    EXPECT_EQ(error("eth_getBlockByNumber", list({bad, "false"})),
              std::pair(std::int64_t{-32602}, "invalid argument 0: " + std::string(why)));
}

TEST_F(RpcTest, BatchesAndNotifications) {
  EXPECT_TRUE(send(R"({"jsonrpc":"2.0","method":"eth_chainId"})").is_null());
  EXPECT_TRUE(send(R"([{"jsonrpc":"2.0","method":"eth_chainId"}])").is_null());
  const auto out =
      send(
          R"([{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","method":"eth_chainId"},7,{"jsonrpc":"2.0","id":null,"method":"nope"}])")
          .as_array();
  ASSERT_EQ(out.size(), 3u);
  EXPECT_EQ(out[0].at("id"), "a");
  EXPECT_EQ(out[0].at("result"), "0x7dd");
  EXPECT_EQ(out[1].at("error").at("code"), -32600);
  EXPECT_EQ(out[2].at("error").at("code"), -32601);
  std::string many = "[";
  for (int i = 0; i < 101; ++i)
    many += std::string(i == 0 ? "" : ",") + R"({"jsonrpc":"2.0","id":1,"method":"eth_chainId"})";
  EXPECT_EQ(send(many + "]").at("error").at("code"), -32600);
  RpcOptions options;
  options.max_response_bytes = 10;
  EXPECT_EQ(send(R"([{"jsonrpc":"2.0","id":1,"method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"eth_chainId"}])",
                 options)
                .at(1)
                .at("error")
                .at("code"),
            -32003);
}

}  // namespace
}  // namespace bonus::chain::rpc
