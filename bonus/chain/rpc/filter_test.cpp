// Polled filters, the mempool's methods, raw bytes, limits of time and size: the JSON-RPC core over an in-memory
// ledger.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/json.hpp>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/rpc/log_criteria.hpp"
#include "bonus/chain/rpc/pending_ring.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

class ManualClock final : public runtime::Clock {
 public:
  Instant now() const override { return now_; }
  UnixMillis unix_ms() const override { return 0; }
  void advance(Duration by) { now_ += by; }

 private:
  Instant now_{};
};

/// Each call takes a second.
class SlowClock final : public runtime::Clock {
 public:
  Instant now() const override { return Instant(std::chrono::seconds(++calls_)); }
  UnixMillis unix_ms() const override { return 0; }

 private:
  mutable std::int64_t calls_ = 0;
};

Hash32 hash(std::uint8_t last) {
  Hash32 out;
  out.bytes[31] = last;
  return out;
}

TransactionPtr some_tx(std::uint64_t nonce, std::uint8_t type = 2) {
  auto out = std::make_shared<SenderTransaction>();
  out->tx.type = type;
  out->tx.chain_id = 7;
  out->tx.nonce = nonce;
  out->tx.gas_limit = 21'000;
  out->tx.max_fee = uint256(9);
  out->tx.value = uint256(5);
  out->tx.to = kMarketAddress;
  out->sender = kNodesAddress;
  out->hash = out->tx.hash();
  return out;
}

class FilterTest : public ::testing::Test {
 protected:
  FilterTest() : ledger_(genesis()), mempool_(ledger_) {
    add_block({{kMarketAddress, {hash(1)}, Bytes{1}}});
    start({});
  }
  static Genesis genesis() {
    Genesis out;
    out.chain_id = 7;
    return out;
  }
  void start(RpcOptions options) {
    if (options.clock == nullptr) options.clock = &clock_;
    options.metrics = &metrics_;
    service_ = std::make_unique<RpcService>(ledger_, mempool_, options);
  }
  void add_block(std::vector<Log> logs = {}) {
    Receipt receipt;
    receipt.success = true;
    receipt.gas_used = 21'000;
    receipt.logs = std::move(logs);
    ledger_.add_block({some_tx(ledger_.head().number)}, {receipt}, uint256(1));
  }
  json::object call(std::string_view method, std::string_view params = "[]") {
    return json::parse(service_->dispatch(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) +
                                          R"(","params":)" + std::string(params) + "}"))
        .as_object();
  }
  json::value result(std::string_view method, std::string_view params = "[]") {
    auto out = call(method, params);
    EXPECT_TRUE(out.contains("result")) << method << json::serialize(out);
    return out["result"];
  }
  std::pair<std::int64_t, std::string> error(std::string_view method, std::string_view params = "[]") {
    auto out = call(method, params);
    if (!out.contains("error")) return {0, json::serialize(out)};
    return {out["error"].at("code").as_int64(), std::string(out["error"].at("message").as_string())};
  }
  std::string make(std::string_view method, std::string_view params = "[]") {
    return "[" + json::serialize(result(method, params)) + "]";
  }
  std::size_t changes(const std::string& id) { return result("eth_getFilterChanges", id).as_array().size(); }

  ManualClock clock_;
  Metrics metrics_;
  testing::FakeLedger ledger_;
  testing::FakeMempool mempool_;
  std::unique_ptr<RpcService> service_;
};

const std::pair<std::int64_t, std::string> kNotFound{-32000, "filter not found"};

TEST_F(FilterTest, BlocksSinceTheLastPoll) {
  const auto id = make("eth_newBlockFilter");
  EXPECT_EQ(changes(id), 0u);
  add_block();
  add_block();
  const auto seen = result("eth_getFilterChanges", id).as_array();
  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].as_string(), to_hex0x((*ledger_.block(2))->hash));
  EXPECT_EQ(changes(id), 0u);
  EXPECT_EQ(error("eth_getFilterLogs", id), kNotFound);
  EXPECT_EQ(result("eth_uninstallFilter", id), true);
  EXPECT_EQ(result("eth_uninstallFilter", id), false);
  EXPECT_EQ(error("eth_getFilterChanges", id), kNotFound);
}

TEST_F(FilterTest, LogsThatMatchAndAreInRange) {
  const auto all = make("eth_newFilter", R"([{"fromBlock":"0x0"}])");
  const auto some = make("eth_newFilter", R"([{"fromBlock":"0x3","address":")" + to_hex0x(kMarketAddress) + R"("}])");
  EXPECT_EQ(changes(all), 0u);
  add_block({{kMarketAddress, {hash(1)}, Bytes{2}}});
  add_block({{kMarketAddress, {hash(1)}, Bytes{3}}, {kNodesAddress, {hash(1)}, Bytes{4}}});
  EXPECT_EQ(changes(all), 3u);
  EXPECT_EQ(changes(all), 0u);
  const auto seen = result("eth_getFilterChanges", some).as_array();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].at("data"), "0x03");
  EXPECT_EQ(seen[0].at("blockNumber"), "0x3");
  EXPECT_EQ(seen[0].at("blockTimestamp"), json::value(uint256(ledger_.head().timestamp).to_quantity()));
  EXPECT_EQ(result("eth_getFilterLogs", all).as_array().size(), 4u);
  EXPECT_EQ(error("eth_newFilter", R"([{"fromBlock":"0x3","toBlock":"0x2"}])").first, -32602);
}

TEST_F(FilterTest, PendingTransactions) {
  const auto hashes = make("eth_newPendingTransactionFilter");
  const auto full = make("eth_newPendingTransactionFilter", "[true]");
  const auto tx = some_tx(1);
  ASSERT_TRUE(mempool_.add(tx));
  const auto seen = result("eth_getFilterChanges", hashes).as_array();
  ASSERT_EQ(seen.size(), 1u);
  EXPECT_EQ(seen[0].as_string(), to_hex0x(tx->hash));
  EXPECT_EQ(changes(hashes), 0u);
  EXPECT_EQ(result("eth_getFilterChanges", full).at(0).at("from").as_string(), to_hex0x(kNodesAddress));
}

TEST_F(FilterTest, UnusedFiltersAreForgotten) {
  const auto used = make("eth_newBlockFilter");
  const auto unused = make("eth_newBlockFilter");
  clock_.advance(std::chrono::minutes(3));
  EXPECT_EQ(changes(used), 0u);
  clock_.advance(std::chrono::minutes(3));
  EXPECT_EQ(changes(used), 0u);
  EXPECT_EQ(error("eth_getFilterChanges", unused), kNotFound);
  EXPECT_THAT(metrics_.expose(), HasSubstr("bonus_rpc_filters 1"));
}

TEST_F(FilterTest, FiltersAreLimited) {
  RpcOptions options;
  options.max_filters = 2;
  options.max_criteria_bytes = 100;
  start(options);
  const auto first = make("eth_newFilter", R"([{"topics":[")" + to_hex0x(hash(1)) + R"("]}])");
  EXPECT_EQ(error("eth_newFilter", R"([{"topics":[")" + to_hex0x(hash(1)) + R"("]}])").first, -32005);
  make("eth_newBlockFilter");
  EXPECT_EQ(error("eth_newBlockFilter").first, -32005);
  EXPECT_EQ(result("eth_uninstallFilter", first), true);
  make("eth_newBlockFilter");
}

TEST_F(FilterTest, LongPausesArePolledInSteps) {
  RpcOptions options;
  options.max_log_blocks = 3;
  start(options);
  const auto id = make("eth_newBlockFilter");
  for (int i = 0; i < 5; ++i) add_block();
  EXPECT_EQ(changes(id), 3u);
  EXPECT_EQ(changes(id), 2u);
  EXPECT_EQ(changes(id), 0u);
}

TEST_F(FilterTest, TimeRunsOut) {
  const SlowClock slow;
  RpcOptions options;
  options.clock = &slow;
  options.request_timeout = std::chrono::seconds(8);
  start(options);
  EXPECT_EQ(call("eth_getLogs", R"([{"fromBlock":"0x0"}])").contains("result"), true);
  for (int i = 0; i < 40; ++i) add_block({{kMarketAddress, {hash(1)}, Bytes{1}}});
  const std::pair<std::int64_t, std::string> late{-32002, "request timed out"};
  EXPECT_EQ(error("eth_getLogs", R"([{"fromBlock":"0x0"}])"), late);
  // The rest of a batch is answered so, too.
  std::string batch = "[";
  for (int i = 0; i < 20; ++i)
    batch += std::string(i == 0 ? "" : ",") + R"({"jsonrpc":"2.0","id":1,"method":"eth_chainId"})";
  const auto out = json::parse(service_->dispatch(batch + "]")).as_array();
  EXPECT_TRUE(out.front().as_object().contains("result"));
  EXPECT_EQ(out.back().at("error").at("code"), -32002);
  EXPECT_THAT(metrics_.expose(), HasSubstr("outcome=\"timeout\""));
}

TEST_F(FilterTest, AnswersHaveABound) {
  RpcOptions options;
  options.max_response_bytes = 200;
  start(options);
  EXPECT_EQ(error("eth_getBlockByNumber", R"(["0x1",false])"),
            (std::pair<std::int64_t, std::string>(-32003, "response too large")));
  EXPECT_EQ(result("eth_chainId"), "0x7");
}

TEST_F(FilterTest, TheMempoolIsShown) {
  ledger_.account_ref(kNodesAddress).nonce = 1;
  const auto first = some_tx(1), gapped = some_tx(3, 1);
  ASSERT_TRUE(mempool_.add(first));
  ASSERT_TRUE(mempool_.add(gapped));
  const std::string who = crypto::to_checksum(kNodesAddress);
  const auto content = result("txpool_content");
  EXPECT_EQ(content.at("pending").at(who).at("1").at("hash").as_string(), to_hex0x(first->hash));
  EXPECT_EQ(content.at("queued").at(who).at("3").at("type"), "0x1");
  EXPECT_TRUE(content.at("queued").at(who).at("3").at("blockHash").is_null());
  const auto from = result("txpool_contentFrom", "[\"" + who + "\"]");
  EXPECT_EQ(from.at("pending").as_object().size(), 1u);
  EXPECT_EQ(from.at("queued").as_object().size(), 1u);
  EXPECT_TRUE(result("txpool_contentFrom", "[\"" + to_hex0x(kMarketAddress) + "\"]").at("queued").as_object().empty());
  EXPECT_EQ(result("txpool_inspect").at("pending").at(who).at("1").as_string(),
            crypto::to_checksum(kMarketAddress) + ": 5 wei + 21000 gas × 9 wei");
  EXPECT_EQ(result("txpool_status").at("pending"), "0x2");
}

TEST_F(FilterTest, RawBytes) {
  const auto block = *ledger_.block(1);
  const auto header = *from_hex(std::string(result("debug_getRawHeader", R"(["0x1"])").as_string()).substr(2));
  EXPECT_EQ(crypto::keccak256(header), block->hash);
  const auto raw = *from_hex(std::string(result("debug_getRawBlock", R"(["0x1"])").as_string()).substr(2));
  const auto decoded = decode_ethereum_block(raw);
  ASSERT_TRUE(decoded) << decoded.error().message;
  EXPECT_EQ(decoded->block.header.hash(), block->hash);
  EXPECT_EQ(decoded->transactions.size(), 1u);
  EXPECT_EQ(result("debug_getRawReceipts", R"(["latest"])").as_array().size(), 1u);
  EXPECT_EQ(error("debug_getRawBlock", R"(["0x9"])").second, "block #9 not found");
  const auto& tx = block->block.transactions[0];
  const auto bytes = to_hex0x(tx->tx.encode());
  EXPECT_EQ(result("eth_getRawTransactionByHash", "[\"" + to_hex0x(tx->hash) + "\"]").as_string(), bytes);
  EXPECT_EQ(result("debug_getRawTransaction", "[\"" + to_hex0x(tx->hash) + "\"]").as_string(), bytes);
  EXPECT_EQ(result("eth_getRawTransactionByBlockNumberAndIndex", R"(["0x1","0x0"])").as_string(), bytes);
  EXPECT_EQ(result("eth_getRawTransactionByBlockNumberAndIndex", R"(["0x1","0x1"])"), "0x");
  EXPECT_EQ(result("eth_getHeaderByNumber", R"(["0x1"])").at("hash").as_string(), to_hex0x(block->hash));
  EXPECT_TRUE(result("eth_getUncleByBlockNumberAndIndex", R"(["0x1","0x0"])").is_null());
  EXPECT_EQ(result("rpc_modules").at("eth"), "1.0");
}

TEST_F(FilterTest, ConfigurationOfEip7910) {
  const auto current = result("eth_config").at("current").as_object();
  EXPECT_EQ(current.at("chainId"), "0x7");
  EXPECT_EQ(current.at("precompiles").at("ECREC"), "0x0000000000000000000000000000000000000001");
  EXPECT_EQ(current.at("precompiles").at("P256VERIFY"), "0x0000000000000000000000000000000000000100");
  EXPECT_EQ(current.at("precompiles").as_object().size(), 18u);
  EXPECT_THAT(std::string(current.at("forkId").as_string()), ::testing::MatchesRegex("0x[0-9a-f]{8}"));
  EXPECT_TRUE(result("eth_config").at("next").is_null());
}

TEST_F(FilterTest, NotificationsNeedAWebSocket) {
  EXPECT_EQ(error("eth_subscribe", R"(["newHeads"])"),
            (std::pair<std::int64_t, std::string>(-32601, "notifications not supported")));
  EXPECT_EQ(error("eth_unsubscribe", R"(["0x1"])").first, -32601);
}

TEST_F(FilterTest, MethodsInMetricsAreThoseThatExist) {
  call("eth_chainId");
  call("anything\\\"goes");
  const auto text = metrics_.expose();
  EXPECT_THAT(text, HasSubstr(R"(bonus_rpc_requests_total{method="eth_chainId",outcome="ok"} 1)"));
  EXPECT_THAT(text, HasSubstr(R"(bonus_rpc_requests_total{method="unknown",outcome="invalid"} 1)"));
  EXPECT_THAT(text, ::testing::Not(HasSubstr("anything")));
}

TEST(PendingRing, KeepsTheLastOnesAndTellsOfAGap) {
  PendingRing ring(3, 1 << 20);
  EXPECT_FALSE(ring.push(some_tx(0)));  // nobody is interested
  const auto from = ring.open();
  for (std::uint64_t nonce = 0; nonce < 3; ++nonce) EXPECT_TRUE(ring.push(some_tx(nonce)));
  EXPECT_EQ(ring.since(from, 10)->size(), 3u);
  EXPECT_EQ(ring.since(from, 2)->size(), 2u);
  EXPECT_EQ(ring.since(from + 3, 2)->size(), 0u);
  EXPECT_TRUE(ring.push(some_tx(3)));
  EXPECT_FALSE(ring.since(from, 10));
  EXPECT_EQ(ring.since(from + 1, 10)->at(2)->tx.nonce, 3u);
  ring.close();
  const auto again = ring.open();
  EXPECT_EQ(again, from + 4);
  EXPECT_EQ(ring.since(again, 10)->size(), 0u);
}

TEST(PendingRing, BoundsBytes) {
  PendingRing ring(100, 10'000);
  const auto from = ring.open();
  auto large = std::make_shared<SenderTransaction>();
  large->tx.data = Bytes(6'000);
  EXPECT_TRUE(ring.push(large));
  EXPECT_TRUE(ring.push(large));
  EXPECT_FALSE(ring.since(from, 10));
  EXPECT_EQ(ring.since(from + 1, 10)->size(), 1u);
}

TEST(LogMatch, AddressesAndTopics) {
  const Log log{kMarketAddress, {hash(1), hash(2)}, {}};
  LogFilter filter;
  EXPECT_TRUE(matches(filter, log));
  filter.addresses = {kNodesAddress, kMarketAddress};
  EXPECT_TRUE(matches(filter, log));
  filter.topics = {{}, {hash(3), hash(2)}};
  EXPECT_TRUE(matches(filter, log));
  filter.topics = {{hash(2)}};
  EXPECT_FALSE(matches(filter, log));
  filter.topics = {{}, {}, {}};
  EXPECT_FALSE(matches(filter, log));
  filter.topics.clear();
  filter.addresses = {kNodesAddress};
  EXPECT_FALSE(matches(filter, log));
}

}  // namespace
}  // namespace bonus::chain::rpc
