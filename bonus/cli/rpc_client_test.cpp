// JSON-RPC and renting against a small HTTP server that answers as a node would.
#include "bonus/cli/rpc_client.hpp"

#include <gmock/gmock.h>

#include <boost/json.hpp>
#include <deque>
#include <mutex>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"
#include "bonus/cli/fake_node_testing.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/registry_client.hpp"
#include "bonus/cli/run_testing.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/crypto/keystore.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;
using ::testing::HasSubstr;

std::string result(json::value value);
std::string result(const std::string& text) { return result(json::value(json::string(text))); }
std::string result(const char* text) { return result(std::string(text)); }
std::string result(json::value value) {
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", 1}, {"result", value}});
}
std::string error(int code, std::string_view message, std::string_view data = "") {
  json::object body{{"code", code}, {"message", message}};
  if (!data.empty()) body["data"] = data;
  return json::serialize(json::object{{"jsonrpc", "2.0"}, {"id", 1}, {"error", std::move(body)}});
}

crypto::SecretKey256 user_key() {
  return crypto::account_key("test test test test test test test test test test test junk", 0).value();
}

/// The methods that sending needs; what was sent is kept.
struct FakeChain {
  std::mutex mutex;
  std::vector<chain::Transaction> sent;
  std::deque<std::string> refusals;  // messages for the next eth_sendRawTransaction
  std::string status = "0x1";
  json::array logs;
  std::string revert;                        // of eth_call and eth_estimateGas
  std::map<std::string, json::value> views;  // call data -> result

  std::string answer(const std::string& body) {
    const std::lock_guard lock(mutex);
    const json::value request = json::parse(body);
    const std::string method = json_text(request, "method");
    const auto& params = json_member(request, "params").as_array();
    if (method == "eth_chainId") return result("0x1e61");
    if (method == "eth_blockNumber") return result("0x10");
    if (method == "eth_getTransactionCount") return result(fmt::format("0x{:x}", sent.size() + 5));
    if (method == "eth_feeHistory") return result(json::object{{"baseFeePerGas", {"0x1", "0x64"}}});
    if (method == "eth_maxPriorityFeePerGas") return result("0x2");
    if (method == "eth_getBalance") return result("0xde0b6b3a7640000");
    if (method == "eth_call" || method == "eth_estimateGas") {
      const auto view = views.find(json_text(params.at(0), "data"));
      if (method == "eth_call" && view != views.end()) return result(view->second);
      if (!revert.empty()) return error(3, "execution reverted: " + revert, to_hex0x(abi::encode_revert(revert)));
      return result(method == "eth_call" ? "0x" : "0x186a0");
    }
    if (method == "eth_sendRawTransaction") {
      if (!refusals.empty()) {
        const std::string text = refusals.front();
        refusals.pop_front();
        return error(-32000, text);
      }
      sent.push_back(chain::Transaction::decode(from_hex(params.at(0).as_string()).value()).value());
      return result(to_hex0x(sent.back().hash()));
    }
    if (method == "eth_getTransactionByHash")
      return result(json::object{{"from", "0x00000000000000000000000000000000000000c1"},
                                 {"to", "0x00000000000000000000000000000000000000c2"},
                                 {"value", "0x0"},
                                 {"input", "0x12"}});
    if (method == "eth_getTransactionReceipt") {
      if (sent.empty()) return result(nullptr);
      return result(json::object{{"transactionHash", to_hex0x(sent.back().hash())},
                                 {"blockHash", "0x" + std::string(64, '1')},
                                 {"blockNumber", "0x11"},
                                 {"gasUsed", "0x5208"},
                                 {"status", status},
                                 {"effectiveGasPrice", "0x65"},
                                 {"logs", logs}});
    }
    return error(-32601, "no such method");
  }
};

TEST(RpcClient, SendsAType2TransactionWithFeesAndNonce) {
  FakeChain chain;
  const FakeNode node([&](const http::Request&, const std::string& body) { return Answer{200, chain.answer(body)}; });
  RpcClient rpc(node.url());
  TxCall call;
  call.to = crypto::parse_address("0x00000000000000000000000000000000000000c1").value();
  call.value = uint256(7);
  const auto done = rpc.execute(user_key(), call, std::chrono::seconds(10));
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_EQ(chain.sent.size(), 1u);
  const auto& tx = chain.sent[0];
  EXPECT_EQ(tx.type, 2);
  EXPECT_EQ(tx.chain_id, 7777u);
  EXPECT_EQ(tx.nonce, 5u);
  EXPECT_EQ(tx.max_priority_fee, uint256(2));
  EXPECT_EQ(tx.max_fee, uint256(202));
  EXPECT_EQ(tx.gas_limit, 300'000u);
  EXPECT_EQ(tx.value, uint256(7));
  EXPECT_EQ(tx.sender().value(), crypto::address_of(user_key()).value());
  EXPECT_EQ(done->block, 17u);
  EXPECT_EQ(done->hash, tx.hash());
}

TEST(RpcClient, AsksForANewNonceWhenAnotherTransactionWasFaster) {
  FakeChain chain;
  chain.refusals = {"nonce too low: next nonce 6, tx nonce 5"};
  const FakeNode node([&](const http::Request&, const std::string& body) { return Answer{200, chain.answer(body)}; });
  RpcClient rpc(node.url());
  EXPECT_TRUE(rpc.send(user_key(), {}));
  chain.refusals = {"insufficient funds for gas * price + value", "again"};
  const auto poor = rpc.send(user_key(), {});
  ASSERT_FALSE(poor);
  EXPECT_EQ(poor.error().code, ErrorCode::kExhausted);
  EXPECT_THAT(poor.error().message, HasSubstr("wallet balance"));
}

TEST(RpcClient, ShowsTheReasonOfARevert) {
  FakeChain chain;
  chain.revert = "order: it is closed";
  const FakeNode node([&](const http::Request&, const std::string& body) { return Answer{200, chain.answer(body)}; });
  RpcClient rpc(node.url());
  const auto before = rpc.send(user_key(), {});
  ASSERT_FALSE(before);
  EXPECT_EQ(before.error().code, ErrorCode::kConflict);
  EXPECT_EQ(before.error().message, "the contract refused: order: it is closed");
  chain.revert.clear();
  chain.status = "0x0";
  const auto hash = rpc.send(user_key(), {});
  ASSERT_TRUE(hash);
  chain.revert = "too late";
  const auto mined = rpc.wait(*hash, std::chrono::seconds(10));
  ASSERT_FALSE(mined);
  EXPECT_EQ(mined.error().code, ErrorCode::kConflict);
  EXPECT_THAT(mined.error().message, HasSubstr("failed in block 17: the contract refused: too late"));
}

TEST(RpcClient, AnswersThatAreNone) {
  std::string body;
  const FakeNode node([&](const http::Request&, const std::string&) { return Answer{200, body}; });
  RpcClient rpc(node.url());
  for (const char* text :
       {"", "[]", "{}", "<html>", R"({"result":7})", R"({"result":"0xzz"})", R"({"error":{"code":-1}})",
        R"({"result":"0x10000000000000000000000000000000000000000000000000000000000000000"})"}) {
    body = text;
    EXPECT_FALSE(rpc.block_number()) << text;
  }
  for (const char* text : {"{}", R"({"transactionHash":"0x12"})", R"({"logs":[{}]})"})
    EXPECT_FALSE(receipt_from_json(json::parse(text))) << text;
}

TEST(Registry, TagIndexDigestAndAbsence) {
  const std::string config = R"({"config":{"ExposedPorts":{"80/tcp":{},"53/udp":{},"0/tcp":{},"x":{},"443":{}}}})";
  const std::string config_digest = "sha256:" + to_hex(crypto::sha256(as_bytes(config)));
  const std::string manifest = R"({"schemaVersion":2,"config":{"digest":")" + config_digest + R"("}})";
#if defined(__aarch64__)
  const std::string arch = "arm64";
#else
  const std::string arch = "amd64";
#endif
  const std::string digest = "sha256:" + to_hex(crypto::sha256(as_bytes(manifest)));
  const std::string index = R"({"manifests":[{"platform":{"os":"linux","architecture":"s390x"},"digest":"sha256:)" +
                            std::string(64, '0') + R"("},{"platform":{"os":"linux","architecture":")" + arch +
                            R"("},"digest":")" + digest + R"("}]})";
  const FakeNode node([&](const http::Request& request, const std::string&) {
    Answer answer;
    if (request.path == "/v2/web/blobs/" + config_digest) {
      answer.body = config;
    } else if (request.path == "/v2/web/manifests/1" || request.path == "/v2/web/manifests/" + digest) {
      answer.body = manifest;
      answer.headers.set("Docker-Content-Digest", digest);
    } else if (request.path == "/v2/web/manifests/many") {
      answer.body = index;
    } else if (request.path == "/v2/web/manifests/forged") {
      answer.body = manifest + " ";
      answer.headers.set("Docker-Content-Digest", digest);
    } else {
      answer.status = 404;
    }
    return answer;
  });
  EXPECT_EQ("sha256:" + to_hex(resolve_image(node.url(), "web:1")->manifest_digest), digest);
  EXPECT_EQ("sha256:" + to_hex(resolve_image(node.url(), "web:many")->manifest_digest), digest);
  EXPECT_EQ(resolve_image(node.url(), "web:1")->name, "web:1");
  EXPECT_THAT(resolve_image(node.url(), "web:1")->exposed_ports, ::testing::UnorderedElementsAre(80, 443));
  EXPECT_THAT(resolve_image(node.url(), "web:many")->exposed_ports, ::testing::UnorderedElementsAre(80, 443));
  EXPECT_EQ(resolve_image(node.url(), "web:forged").error().code, ErrorCode::kCorrupt);
  const auto none = resolve_image(node.url(), "nothing");
  EXPECT_EQ(none.error().code, ErrorCode::kNotFound);
  EXPECT_THAT(none.error().message, HasSubstr("bonus image push SOURCE nothing:latest"));
  EXPECT_FALSE(resolve_image(node.url(), "UPPER:1"));
}

TEST(Run, WithoutAMatchNothingIsSpentAndTheDimensionNamed) {
  FakeChain chain;
  std::string url;
  market::Explanation none;
  none.offers = 2;
  none.dimension = "region";
  none.advice = "No fitting offer is in region \"atlantis\".";
  const std::string explained = to_hex0x(
      abi::encode(market::function(market::Call::kPreflight).function.outputs, market::one(market::to_value(none)))
          .value());
  std::mutex mutex;
  std::vector<std::string> asked;
  const FakeNode node([&](const http::Request& request, const std::string& body) {
    const std::lock_guard lock(mutex);
    asked.push_back(request.method + " " + request.path);
    if (request.path == "/v1/status")
      return Answer{
          200, json::serialize(json::object{{"id", "x"}, {"rpc", url + "/rpc"}, {"registry", url}, {"gateway", url}})};
    if (request.path == "/v1/routes")
      return Answer{200, R"({"routes":[{"order":9,"name":"taken","urls":[],"publish":[]}]})"};
    if (request.path == "/v2/web/manifests/1") return Answer{200, "{}"};
    if (request.path == "/rpc") {
      const json::value call = json::parse(body);
      if (json_text(call, "method") == "eth_call") return Answer{200, result(explained)};
      return Answer{200, chain.answer(body)};
    }
    return Answer{404, R"({"error":{"code":"not-found","message":"no"}})"};
  });
  url = node.url();
  const TemporaryFolder folder;
  const std::map<std::string, std::string> variables{{"BONUS_CONFIG_DIR", folder.path()}, {"BONUS_NODE", url}};
  ASSERT_EQ(run_bonus({"wallet", "new", "me", "--no-password"}, variables).code, kExitOk);

  const Ran refused = run_bonus({"run", "web:1", "--region", "atlantis", "--", "-x"}, variables);
  EXPECT_EQ(refused.code, kExitFailed);
  EXPECT_THAT(refused.err, HasSubstr("none of 2 offers matches: region"));
  EXPECT_THAT(refused.err, HasSubstr("no money spent"));
  EXPECT_TRUE(chain.sent.empty());
  EXPECT_THAT(asked, ::testing::Not(::testing::Contains("PUT /v1/blobs")));

  const Ran taken = run_bonus({"run", "web:1", "--name", "taken"}, variables);
  EXPECT_EQ(taken.code, kExitFailed);
  EXPECT_THAT(taken.err, HasSubstr("name of order 9 already"));
  for (const char* name : {"order-1", "lease-2", "77", "-x", "Web", "a_b"})
    EXPECT_NE(run_bonus({"run", "web:1", "--name", name}, variables).code, kExitOk) << name;
  EXPECT_EQ(run_bonus({"run", "web:2"}, variables).code, kExitNotFound);
  EXPECT_EQ(run_bonus({"logs", "nobody"}, variables).code, kExitNotFound);

  const Ran explain = run_bonus({"market", "explain", "--region", "atlantis", "--json"}, variables);
  EXPECT_EQ(explain.code, kExitOk);  // the question was answered
  EXPECT_EQ(json_text(json::parse(explain.out), "dimension"), "region");
  EXPECT_TRUE(chain.sent.empty());
}

}  // namespace
}  // namespace bonus::cli
