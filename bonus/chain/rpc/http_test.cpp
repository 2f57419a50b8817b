// The HTTP shell: status codes, limits, CORS and the Host check, over a real server.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/use_future.hpp>
#include <thread>

#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"

namespace bonus::chain::rpc {
namespace {

namespace http = runtime::http;
using ::testing::HasSubstr;

class RpcHttpTest : public ::testing::TestWithParam<bool> {
 protected:
  RpcHttpTest() : ledger_(genesis()), mempool_(ledger_), work_(context_.get_executor()) {
    RpcOptions options;
    options.max_body_bytes = 1000;
    options.hosts = {"node.example"};
    if (GetParam()) options.pool = &pool_;
    service_ = std::make_unique<RpcService>(ledger_, mempool_, options);
    auto server = http::Server::listen(context_.get_executor(), {},
                                       [this](http::Exchange& exchange) { return service_->handle(exchange); });
    EXPECT_TRUE(server);
    server_ = std::move(*server);
    thread_ = std::thread([this] { context_.run(); });
  }
  ~RpcHttpTest() override {
    server_->stop();
    boost::asio::co_spawn(context_, server_->join(), boost::asio::use_future).get();
    server_.reset();
    work_.reset();
    context_.stop();
    thread_.join();
  }
  static Genesis genesis() {
    Genesis out;
    out.chain_id = 7;
    return out;
  }
  http::SimpleResponse send(std::string method, std::string body, http::Headers headers = {}) {
    http::ClientRequest request;
    request.method = std::move(method);
    request.url = "http://127.0.0.1:" + std::to_string(server_->port()) + "/";
    request.body.assign(body.begin(), body.end());
    request.headers = std::move(headers);
    auto out = http::send_blocking(std::move(request));
    EXPECT_TRUE(out) << out.error().to_string();
    return out ? *out : http::SimpleResponse();
  }

  testing::FakeLedger ledger_;
  testing::FakeMempool mempool_;
  runtime::BlockingPool pool_{1, 16};
  std::unique_ptr<RpcService> service_;
  boost::asio::io_context context_;
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::unique_ptr<http::Server> server_;
  std::thread thread_;
};

constexpr const char* kCall = R"({"jsonrpc":"2.0","id":1,"method":"eth_chainId"})";

TEST_P(RpcHttpTest, PostAnswers) {
  const auto out = send("POST", kCall);
  EXPECT_EQ(out.status, 200);
  EXPECT_EQ(out.headers.get("Content-Type"), "application/json");
  EXPECT_EQ(out.headers.get("Access-Control-Allow-Origin"), "*");
  EXPECT_EQ(as_text(out.body), R"({"jsonrpc":"2.0","id":1,"result":"0x7"})");
  EXPECT_EQ(send("POST", R"({"jsonrpc":"2.0","method":"eth_chainId"})").status, 204);
}

TEST_P(RpcHttpTest, OtherMethodsAndLimits) {
  EXPECT_EQ(send("GET", "").status, 405);
  EXPECT_EQ(send("POST", std::string(1001, ' ')).status, 413);
  http::Headers headers;
  headers.set("Origin", "http://a");
  headers.set("Access-Control-Request-Headers", "content-type");
  const auto preflight = send("OPTIONS", "", headers);
  EXPECT_EQ(preflight.status, 204);
  EXPECT_EQ(preflight.headers.get("Access-Control-Allow-Headers"), "content-type");
  EXPECT_THAT(preflight.headers.get("Access-Control-Allow-Methods").value_or(""), HasSubstr("POST"));
}

TEST_P(RpcHttpTest, HostsAreChecked) {
  for (const auto& [host, status] : {std::pair("localhost:8545", 200),
                                     {"[::1]:8545", 200},
                                     {"10.1.2.3", 200},
                                     {"node.example:80", 200},
                                     {"NODE.example", 200},
                                     {"evil.example", 403},
                                     {"localhost.evil.example", 403}}) {
    http::Headers headers;
    headers.set("Host", host);
    EXPECT_EQ(send("POST", kCall, headers).status, status) << host;
  }
}

INSTANTIATE_TEST_SUITE_P(Pool, RpcHttpTest, ::testing::Bool());

}  // namespace
}  // namespace bonus::chain::rpc
