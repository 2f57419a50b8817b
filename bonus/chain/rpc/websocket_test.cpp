// JSON-RPC over WebSocket and subscriptions, over a real server and client on loopback.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <boost/json.hpp>
#include <thread>

#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"

namespace bonus::chain::rpc {
namespace {

namespace http = runtime::http;
namespace json = boost::json;
namespace net = boost::asio;
using ::testing::HasSubstr;

class Client {
 public:
  Client(net::io_context& context, std::unique_ptr<http::WebSocket> socket)
      : context_(context), socket_(std::move(socket)) {}
  void send(std::string text) {
    Bytes bytes(text.begin(), text.end());
    auto task = write(socket_.get(), std::move(bytes));
    EXPECT_TRUE(net::co_spawn(context_, std::move(task), net::use_future).get());
  }
  Result<std::string> read() {
    auto task = read_one(socket_.get());
    return net::co_spawn(context_, std::move(task), net::use_future).get();
  }
  json::object next() {
    auto text = read();
    EXPECT_TRUE(text) << text.error().message;
    return text ? json::parse(*text).as_object() : json::object();
  }
  json::value call(std::string_view method, std::string_view params = "[]") {
    send(R"({"jsonrpc":"2.0","id":1,"method":")" + std::string(method) + R"(","params":)" + std::string(params) + "}");
    auto out = next();
    return out.contains("result") ? out["result"] : out["error"];
  }
  std::string subscribe(std::string_view params) { return std::string(call("eth_subscribe", params).as_string()); }
  /// The result of the next notification, which must belong to `id`.
  json::value event(std::string_view id) {
    const auto out = next();
    EXPECT_EQ(out.at("jsonrpc"), "2.0");
    EXPECT_EQ(out.at("method"), "eth_subscription");
    EXPECT_FALSE(out.contains("id"));
    const auto& params = out.at("params").as_object();
    EXPECT_EQ(params.at("subscription").as_string(), id);
    EXPECT_EQ(params.size(), 2u);
    return params.at("result");
  }
  http::WebSocket& socket() { return *socket_; }

 private:
  static runtime::Task<Result<>> write(http::WebSocket* socket, Bytes bytes) {
    co_return co_await socket->write(bytes, true);
  }
  static runtime::Task<Result<std::string>> read_one(http::WebSocket* socket) {
    CO_TRY_ASSIGN(auto message, co_await socket->read());
    co_return std::string(as_text(message.data));
  }
  net::io_context& context_;
  std::unique_ptr<http::WebSocket> socket_;
};

class RpcWebSocketTest : public ::testing::Test {
 protected:
  RpcWebSocketTest() : ledger_(genesis()), mempool_(ledger_), work_(context_.get_executor()) {
    thread_ = std::thread([this] { context_.run(); });
  }
  ~RpcWebSocketTest() override {
    stop();
    work_.reset();
    context_.stop();
    thread_.join();
  }
  void start(RpcOptions options = {}) {
    options.pool = &pool_;
    options.metrics = &metrics_;
    service_ = std::make_unique<RpcService>(ledger_, mempool_, options);
    auto server = http::Server::listen(context_.get_executor(), {},
                                       [this](http::Exchange& exchange) { return service_->handle(exchange); });
    ASSERT_TRUE(server);
    server_ = std::move(*server);
  }
  void stop() {
    if (!server_) return;
    server_->stop();
    net::co_spawn(context_, server_->join(), net::use_future).get();
    server_.reset();
  }
  static Genesis genesis() {
    Genesis out;
    out.chain_id = 7;
    return out;
  }
  Result<std::unique_ptr<http::WebSocket>> try_connect(http::Headers headers = {}) {
    auto task = http::connect_websocket("ws://127.0.0.1:" + std::to_string(server_->port()) + "/", std::move(headers),
                                        64 << 20);
    return net::co_spawn(context_, std::move(task), net::use_future).get();
  }
  std::unique_ptr<Client> connect() {
    auto socket = try_connect();
    EXPECT_TRUE(socket) << socket.error().message;
    return std::make_unique<Client>(context_, std::move(*socket));
  }
  static Hash32 topic(std::uint8_t last) {
    Hash32 out;
    out.bytes[31] = last;
    return out;
  }
  static TransactionPtr some_tx(std::uint8_t nonce) {
    auto tx = std::make_shared<SenderTransaction>();
    tx->tx.chain_id = 7;
    tx->tx.nonce = nonce;
    tx->tx.to = kMarketAddress;
    tx->hash = topic(nonce);
    return tx;
  }
  /// A block with one transaction and these logs.
  void add_block(std::vector<Log> logs = {}) {
    Receipt receipt;
    receipt.success = true;
    receipt.gas_used = 21'000;
    receipt.logs = std::move(logs);
    ledger_.add_block({some_tx(static_cast<std::uint8_t>(ledger_.head().number))}, {receipt}, uint256(1));
  }

  Metrics metrics_;
  net::io_context context_;
  runtime::BlockingPool pool_{2, 16};
  testing::FakeLedger ledger_;
  testing::FakeMempool mempool_;
  std::unique_ptr<RpcService> service_;
  net::executor_work_guard<net::io_context::executor_type> work_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

TEST_F(RpcWebSocketTest, CallsAndBatches) {
  start();
  const auto client = connect();
  EXPECT_EQ(client->call("eth_chainId"), "0x7");
  client->send(R"([{"jsonrpc":"2.0","id":"a","method":"eth_chainId"},{"jsonrpc":"2.0","id":2,"method":"nope"}])");
  const auto text = client->read();
  ASSERT_TRUE(text);
  EXPECT_EQ(json::parse(*text).as_array().size(), 2u);
  client->send("{");
  EXPECT_EQ(client->next().at("error").at("code"), -32700);
  // A notification has no answer; the next call has.
  client->send(R"({"jsonrpc":"2.0","method":"eth_chainId"})");
  EXPECT_EQ(client->call("net_version"), "7");
}

TEST_F(RpcWebSocketTest, NewHeadsInOrder) {
  start();
  add_block();
  const auto client = connect();
  const auto id = client->subscribe(R"(["newHeads"])");
  EXPECT_THAT(id, ::testing::MatchesRegex("0x[1-9a-f][0-9a-f]{0,31}"));
  for (int i = 0; i < 20; ++i) add_block();
  for (std::uint64_t number = 2; number <= 21; ++number) {
    const auto head = client->event(id).as_object();
    EXPECT_EQ(head.at("number").as_string(), uint256(number).to_quantity());
    const auto block = ledger_.block(number);
    ASSERT_TRUE(block);
    EXPECT_EQ(head.at("hash").as_string(), to_hex0x((*block)->hash));
    for (const auto* name : {"parentHash",
                             "sha3Uncles",
                             "miner",
                             "stateRoot",
                             "transactionsRoot",
                             "receiptsRoot",
                             "logsBloom",
                             "difficulty",
                             "gasLimit",
                             "gasUsed",
                             "timestamp",
                             "extraData",
                             "mixHash",
                             "nonce",
                             "baseFeePerGas",
                             "withdrawalsRoot",
                             "blobGasUsed",
                             "excessBlobGas",
                             "parentBeaconBlockRoot",
                             "requestsHash"})
      EXPECT_TRUE(head.contains(name)) << name;
    for (const auto* name : {"transactions", "uncles", "size", "withdrawals"}) EXPECT_FALSE(head.contains(name));
  }
  EXPECT_EQ(client->call("eth_unsubscribe", "[\"" + id + "\"]"), true);
  add_block();
  EXPECT_EQ(client->call("eth_unsubscribe", "[\"" + id + "\"]").at("message"), "subscription not found");
}

TEST_F(RpcWebSocketTest, LogsAreFiltered) {
  start();
  const auto client = connect();
  const auto all = client->subscribe(R"(["logs",{}])");
  const auto some = client->subscribe(R"(["logs",{"address":")" + to_hex0x(kNodesAddress) + R"(","topics":[null,")" +
                                      to_hex0x(topic(2)) + R"("]}])");
  add_block({{kMarketAddress, {topic(1), topic(2)}, Bytes{1}}, {kNodesAddress, {topic(1)}, Bytes{2}}});
  add_block({{kNodesAddress, {topic(1), topic(2)}, Bytes{3}}});
  std::map<std::string, std::vector<std::string>> seen;
  for (int i = 0; i < 4; ++i) {
    const auto out = client->next();
    const auto& params = out.at("params").as_object();
    const auto& log = params.at("result").as_object();
    EXPECT_EQ(log.at("removed"), false);
    EXPECT_TRUE(log.contains("blockHash") && log.contains("transactionHash") && log.contains("logIndex"));
    seen[std::string(params.at("subscription").as_string())].emplace_back(log.at("data").as_string());
  }
  EXPECT_EQ(seen[all], (std::vector<std::string>{"0x01", "0x02", "0x03"}));
  EXPECT_EQ(seen[some], (std::vector<std::string>{"0x03"}));
}

TEST_F(RpcWebSocketTest, PendingTransactions) {
  start();
  const auto client = connect();
  const auto hashes = client->subscribe(R"(["newPendingTransactions"])");
  ASSERT_TRUE(mempool_.add(some_tx(1)));
  EXPECT_EQ(client->event(hashes).as_string(), to_hex0x(topic(1)));
  EXPECT_EQ(client->call("eth_unsubscribe", "[\"" + hashes + "\"]"), true);
  const auto full = client->subscribe(R"(["newPendingTransactions",true])");
  ASSERT_TRUE(mempool_.add(some_tx(2)));
  const auto tx = client->event(full).as_object();
  EXPECT_EQ(tx.at("hash").as_string(), to_hex0x(topic(2)));
  EXPECT_TRUE(tx.at("blockHash").is_null());
}

TEST_F(RpcWebSocketTest, SyncingTellsChanges) {
  std::atomic<bool> syncing{true};
  RpcOptions options;
  options.sync_status = [&] { return syncing ? std::optional(SyncStatus{0, 5, 16}) : std::nullopt; };
  start(options);
  const auto client = connect();
  const auto id = client->subscribe(R"(["syncing"])");
  const auto first = client->event(id).as_object();
  EXPECT_EQ(first.at("syncing"), true);
  EXPECT_EQ(first.at("status").at("highestBlock"), "0x10");
  syncing = false;
  EXPECT_EQ(client->event(id), false);
}

TEST_F(RpcWebSocketTest, RefusedSubscriptions) {
  RpcOptions options;
  options.max_subscriptions = 2;
  start(options);
  const auto client = connect();
  EXPECT_EQ(client->call("eth_subscribe", R"(["moon"])").at("message"), "no \"moon\" subscription in eth namespace");
  EXPECT_EQ(client->call("eth_subscribe").at("code"), -32602);
  EXPECT_EQ(client->call("eth_subscribe", R"(["logs",{"address":"0x1"}])").at("code"), -32602);
  client->subscribe(R"(["newHeads"])");
  const auto second = client->subscribe(R"(["logs"])");
  EXPECT_EQ(client->call("eth_subscribe", R"(["newHeads"])").at("code"), -32005);
  client->call("eth_unsubscribe", "[\"" + second + "\"]");
  client->subscribe(R"(["newHeads"])");
  EXPECT_THAT(metrics_.expose(), HasSubstr("bonus_rpc_subscriptions{kind=\"newHeads\"} 2"));
}

TEST_F(RpcWebSocketTest, OriginsAndConnectionsAreLimited) {
  RpcOptions options;
  options.cors_origin = "https://wallet.example";
  options.max_websockets = 1;
  start(options);
  http::Headers good, bad, host;
  good.set("Origin", "https://wallet.example");
  bad.set("Origin", "https://evil.example");
  host.set("Host", "evil.example");
  EXPECT_EQ(try_connect(bad).error().code, ErrorCode::kDenied);
  EXPECT_EQ(try_connect(host).error().code, ErrorCode::kDenied);
  const auto open = try_connect(good);
  ASSERT_TRUE(open);
  const auto refused = try_connect();
  ASSERT_FALSE(refused);
  EXPECT_THAT(refused.error().message, HasSubstr("503"));
}

TEST_F(RpcWebSocketTest, LongMessagesEndTheConnection) {
  RpcOptions options;
  options.max_body_bytes = 1000;
  start(options);
  const auto client = connect();
  client->send(std::string(1001, ' '));
  EXPECT_FALSE(client->read());
}

TEST_F(RpcWebSocketTest, SlowConsumersAreDropped) {
  RpcOptions options;
  options.max_queue_bytes = 1 << 20;
  start(options);
  const auto client = connect();
  const auto id = client->subscribe(R"(["logs"])");
  // It reads nothing while more is sent than the queue and the socket's buffers can hold.
  const std::string dropped = "bonus_rpc_websockets_closed_total{reason=\"slow\"} 1";
  std::size_t sent = 0;
  while (metrics_.expose().find(dropped) == std::string::npos) {
    ASSERT_LT(sent, 20'000u) << "it is never dropped";
    add_block({{kMarketAddress, {topic(1)}, Bytes(64 << 10)}});
    ++sent;
  }
  std::size_t seen = 0;
  while (client->read()) ++seen;
  EXPECT_LT(seen, sent);
  const auto other = connect();
  EXPECT_EQ(other->call("eth_chainId"), "0x7");
}

TEST_F(RpcWebSocketTest, ManyRequestsWithoutReadingWaitInTheSocket) {
  RpcOptions options;
  options.max_in_flight = 2;
  start(options);
  const auto client = connect();
  for (int i = 0; i < 100; ++i) client->send(R"({"jsonrpc":"2.0","id":1,"method":"eth_chainId"})");
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client->next().at("result"), "0x7");
}

TEST_F(RpcWebSocketTest, StoppingClosesConnections) {
  start();
  const auto client = connect();
  client->subscribe(R"(["newHeads"])");
  stop();
  EXPECT_FALSE(client->read());
  add_block();
}

TEST_F(RpcWebSocketTest, BlocksWhileSubscribingComeOnce) {
  start();
  const auto client = connect();
  // The writer is at work before the subscription and until enough was seen, however fast either side is.
  std::atomic<bool> enough{false};
  std::thread writer([&] {
    while (!enough) {
      add_block();
      std::this_thread::sleep_for(std::chrono::microseconds(200));
    }
  });
  const auto id = client->subscribe(R"(["newHeads"])");
  std::uint64_t expected = 0;
  for (int seen = 0; seen < 200; ++seen) {
    const auto text = std::string(client->event(id).at("number").as_string());
    const std::uint64_t number = std::stoull(text, nullptr, 16);
    if (expected != 0) EXPECT_EQ(number, expected);
    expected = number + 1;
  }
  enough = true;
  writer.join();
}

}  // namespace
}  // namespace bonus::chain::rpc
