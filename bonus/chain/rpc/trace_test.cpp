// debug_trace*: what the tracers show of small programs.
#include <gmock/gmock.h>

#include "bonus/chain/rpc/testing/evm_chain.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::rpc {
namespace {

using testing::account;
using testing::EvmChain;
using ::testing::HasSubstr;
using testing::kGwei;
using testing::quote;
namespace json = boost::json;

const Address kTarget = account(0x2001);
const Address kOther = account(0x2002);

crypto::SecretKey256 key() {
  crypto::SecretKey256 out;
  out.bytes[31] = 1;
  return out;
}

std::string word(std::uint64_t value) { return to_hex0x(uint256(value).to_be()); }

class TraceTest : public ::testing::Test {
 protected:
  TraceTest() : sender_(crypto::address_of(key()).value()) {
    chain_.set_balance(sender_, uint256(1'000'000) * uint256(kGwei));
  }
  /// Puts a transaction to kTarget into a block; its hash.
  std::string mine(Bytes data = {}, std::uint64_t nonce = 0) {
    Transaction tx;
    tx.chain_id = 2013;
    tx.nonce = nonce;
    tx.max_fee = uint256(2 * kGwei);
    tx.max_priority_fee = uint256(1);
    tx.gas_limit = 100'000;
    tx.to = kTarget;
    tx.data = std::move(data);
    EXPECT_TRUE(sign_transaction(tx, key()));
    const auto item = recover(tx).value();
    Receipt receipt;
    receipt.success = true;
    receipt.gas_used = 21'000;
    chain_.ledger.add_block({item}, {receipt}, uint256(kGwei));
    return to_hex0x(item->hash);
  }
  json::value trace_call(std::string_view options, std::string_view gas = "0x186a0") {
    return chain_.result("debug_traceCall", "[{\"from\":" + quote(sender_) + ",\"to\":" + quote(kTarget) + ",\"gas\":" +
                                                quote(gas) + "},\"latest\"," + std::string(options) + "]");
  }

  EvmChain chain_;
  const Address sender_;
};

TEST_F(TraceTest, StructLogs) {
  chain_.set_code(kTarget, "602a60015560015450602a60005260206000f3");
  const auto out = chain_.result("debug_traceTransaction", "[" + quote(mine()) + "]");
  EXPECT_EQ(out.at("failed"), false);
  EXPECT_EQ(out.at("returnValue"), json::value(word(42)));
  // 21,000 + pushes, a new slot (2,100 + 20,000), a warm read, a word of memory.
  EXPECT_EQ(out.at("gas"), 21'000 + 3 * 2 + 22'100 + 3 + 100 + 2 + 3 * 2 + 6 + 3 * 2);
  const auto& steps = out.at("structLogs").as_array();
  ASSERT_EQ(steps.size(), 12u);
  EXPECT_EQ(json::serialize(steps[0]), R"({"pc":0,"op":"PUSH1","gas":79000,"gasCost":3,"depth":1,"stack":[]})");
  EXPECT_EQ(json::serialize(steps[2]), R"({"pc":4,"op":"SSTORE","gas":78994,"gasCost":22100,"depth":1,)"
                                       R"("stack":["0x2a","0x1"],"storage":{)" +
                                           quote(word(1)) + ":" + quote(word(42)) + "}}");
  EXPECT_EQ(steps[4].at("op"), "SLOAD");
  EXPECT_EQ(steps[4].at("storage").at(word(1)), json::value(word(42)));
  EXPECT_EQ(steps[11].at("op"), "RETURN");
}

TEST_F(TraceTest, StructOptions) {
  chain_.set_code(kTarget, "602a60005260005460206000f3");
  const auto full = trace_call(R"({"enableMemory":true})").at("structLogs").as_array();
  EXPECT_EQ(full.at(3).at("memory"), json::parse("[" + quote(word(42)) + "]"));
  EXPECT_FALSE(full.at(0).as_object().contains("memory"));
  const auto bare = trace_call(R"({"disableStack":true,"disableStorage":true,"limit":5})").at("structLogs").as_array();
  EXPECT_EQ(bare.size(), 5u);
  EXPECT_FALSE(bare.at(4).as_object().contains("stack"));
  EXPECT_FALSE(bare.at(4).as_object().contains("storage"));
  // RETURNDATASIZE after a call that returned a word.
  chain_.set_code(kOther, "602a60005260206000f3");
  chain_.set_code(kTarget, "600060006000600060006120025af13d00");
  const auto returned = trace_call(R"({"enableReturnData":true})").at("structLogs").as_array();
  EXPECT_EQ(returned.back().at("returnData"), json::value(word(42)));
  EXPECT_EQ(returned.at(8).at("depth"), 2);
}

TEST_F(TraceTest, FaultsAreNamed) {
  chain_.set_code(kTarget, "600101");
  auto out = trace_call("{}");
  EXPECT_EQ(out.at("failed"), true);
  EXPECT_EQ(out.at("returnValue"), "0x");
  EXPECT_EQ(out.at("structLogs").at(1).at("error"), "stack underflow (1 <=> 2)");
  EXPECT_EQ(out.at("structLogs").at(1).at("gasCost"), 3);
  EXPECT_EQ(trace_call(R"({"tracer":"callTracer"})").at("error"), "stack underflow (1 <=> 2)");
  chain_.set_code(kTarget, "5b600056");
  EXPECT_EQ(trace_call("{}").at("gas"), 100'000);
  EXPECT_EQ(trace_call(R"({"tracer":"callTracer"})").at("error"), "out of gas");
}

TEST_F(TraceTest, CallTree) {
  chain_.set_code(kOther, "60006000a060206000fd");  // A log, then REVERT with a word of zeros.
  // STATICCALL fails for the log; CALL with value 1 reverts; LOG1.
  chain_.set_code(kTarget, "60006000600060006120026103e8fa506000600060006000600161200261ea60f150602a60006000a100");
  chain_.set_balance(kTarget, uint256(5));
  const auto id = mine(Bytes{1, 2});
  const auto out = chain_.result("debug_traceTransaction",
                                 "[" + quote(id) + R"(,{"tracer":"callTracer","tracerConfig":{"withLog":true}}])");
  EXPECT_EQ(out.at("type"), "CALL");
  EXPECT_EQ(out.at("from"), json::value(to_hex0x(sender_)));
  EXPECT_EQ(out.at("to"), json::value(to_hex0x(kTarget)));
  EXPECT_EQ(out.at("gas"), "0x186a0");
  EXPECT_EQ(out.at("value"), "0x0");
  EXPECT_EQ(out.at("input"), "0x0102");
  EXPECT_FALSE(out.as_object().contains("output"));
  EXPECT_FALSE(out.as_object().contains("error"));
  const auto& calls = out.at("calls").as_array();
  ASSERT_EQ(calls.size(), 2u);
  EXPECT_EQ(calls[0].at("type"), "STATICCALL");
  EXPECT_EQ(calls[0].at("error"), "write protection");
  EXPECT_EQ(calls[0].at("gas"), calls[0].at("gasUsed"));
  EXPECT_FALSE(calls[0].as_object().contains("value"));
  EXPECT_EQ(calls[1].at("type"), "CALL");
  EXPECT_EQ(calls[1].at("value"), "0x1");
  EXPECT_EQ(calls[1].at("gas"), json::value(uint256(60'000 + 2'300).to_quantity()));
  EXPECT_EQ(calls[1].at("error"), "execution reverted");
  EXPECT_EQ(calls[1].at("output"), json::value(word(0)));
  EXPECT_FALSE(calls[1].as_object().contains("logs"));  // Undone.
  const auto& logs = out.at("logs").as_array();
  ASSERT_EQ(logs.size(), 1u);
  EXPECT_EQ(logs[0].at("topics"), json::parse("[" + quote(word(42)) + "]"));
  EXPECT_EQ(logs[0].at("position"), "0x2");
  const auto top = chain_.result("debug_traceTransaction",
                                 "[" + quote(id) + R"(,{"tracer":"callTracer","tracerConfig":{"onlyTopCall":true}}])");
  EXPECT_FALSE(top.as_object().contains("calls"));
  EXPECT_FALSE(top.as_object().contains("logs"));

  const auto flat = chain_.result("debug_traceTransaction", "[" + quote(id) + R"(,{"tracer":"flatCallTracer"}])");
  ASSERT_EQ(flat.as_array().size(), 3u);
  EXPECT_EQ(flat.at(0).at("subtraces"), 2);
  EXPECT_EQ(json::serialize(flat.at(2).at("traceAddress")), "[1]");
  EXPECT_EQ(flat.at(1).at("action").at("callType"), "staticcall");
}

TEST_F(TraceTest, CreationsAndRevertReasons) {
  // CREATE with the init code 60016000f3, which returns one zero byte.
  chain_.set_code(kTarget, "6460016000f36000526005601b6000f000");
  auto out = trace_call(R"({"tracer":"callTracer"})");
  const auto& made = out.at("calls").at(0);
  EXPECT_EQ(made.at("type"), "CREATE");
  EXPECT_EQ(made.at("input"), "0x60016000f3");
  EXPECT_EQ(made.at("output"), "0x00");
  EXPECT_TRUE(made.as_object().contains("to"));

  const Bytes reason = abi::encode_revert("no offer fits");
  const std::string size = to_hex(Bytes{static_cast<std::uint8_t>(reason.size())});
  chain_.set_code(kTarget, "60" + size + "600c60003960" + size + "6000fd" + to_hex(reason));
  out = trace_call(R"({"tracer":"callTracer"})");
  EXPECT_EQ(out.at("error"), "execution reverted");
  EXPECT_EQ(out.at("revertReason"), "no offer fits");
  EXPECT_EQ(out.at("output"), json::value(to_hex0x(reason)));
}

TEST_F(TraceTest, Prestate) {
  // SLOAD 1; SSTORE 2 = 9; BALANCE of another account.
  chain_.ledger.set_storage(kTarget, uint256(1), uint256(7));
  chain_.set_code(kTarget, "60015450600960025561200231" + std::string("00"));
  chain_.set_balance(kOther, uint256(77));
  const auto id = mine();
  const auto pre = chain_.result("debug_traceTransaction", "[" + quote(id) + R"(,{"tracer":"prestateTracer"}])");
  EXPECT_EQ(pre.at(to_hex0x(kOther)).at("balance"), "0x4d");
  EXPECT_EQ(pre.at(to_hex0x(sender_)).at("balance"), json::value((uint256(1'000'000) * uint256(kGwei)).to_quantity()));
  const auto& target = pre.at(to_hex0x(kTarget));
  EXPECT_EQ(target.at("code"),
            "0x60015450600960025561200231"
            "00");
  EXPECT_EQ(json::serialize(target.at("storage")),
            "{" + quote(word(1)) + ":" + quote(word(7)) + "," + quote(word(2)) + ":" + quote(word(0)) + "}");
  const auto diff = chain_.result(
      "debug_traceTransaction",
      "[" + quote(id) + R"(,{"tracer":"prestateTracer","tracerConfig":{"diffMode":true,"disableCode":true}}])");
  EXPECT_EQ(json::serialize(diff.at("post").at(to_hex0x(kTarget))),
            "{\"storage\":{" + quote(word(2)) + ":" + quote(word(9)) + "}}");
  EXPECT_FALSE(diff.at("pre").as_object().contains(to_hex0x(kOther)));
  EXPECT_EQ(diff.at("post").at(to_hex0x(sender_)).at("nonce"), 1);
  EXPECT_FALSE(diff.at("pre").at(to_hex0x(kTarget)).as_object().contains("code"));
}

TEST_F(TraceTest, SmallTracers) {
  chain_.set_code(kTarget, "00");
  const auto id = quote(mine(Bytes{1, 2, 3, 4, 5}));
  EXPECT_EQ(json::serialize(chain_.result("debug_traceTransaction", "[" + id + R"(,{"tracer":"4byteTracer"}])")),
            R"({"0x01020304-1":1})");
  EXPECT_EQ(json::serialize(chain_.result("debug_traceTransaction", "[" + id + R"(,{"tracer":"noopTracer"}])")), "{}");
  const auto mux = chain_.result(
      "debug_traceTransaction",
      "[" + id + R"(,{"tracer":"muxTracer","tracerConfig":{"4byteTracer":null,"callTracer":{"onlyTopCall":true}}}])");
  EXPECT_EQ(mux.at("callTracer").at("type"), "CALL");
  EXPECT_EQ(mux.at("4byteTracer").at("0x01020304-1"), 1);
  EXPECT_EQ(chain_.error("debug_traceTransaction", "[" + id + R"(,{"tracer":"jsTracer"}])").code, -32000);
}

TEST_F(TraceTest, Blocks) {
  chain_.set_code(kTarget, "00");
  const auto id = mine();
  for (const auto& [method, name] :
       {std::pair<std::string, std::string>{"debug_traceBlockByNumber", "\"0x1\""},
        {"debug_traceBlockByHash", quote(to_hex0x(chain_.ledger.head_hash()))},
        {"debug_traceBlock", quote(to_hex0x((*chain_.ledger.block(1))->block.encode()))}}) {
    const auto out = chain_.result(method, "[" + name + R"(,{"tracer":"callTracer"}])");
    ASSERT_EQ(out.as_array().size(), 1u) << method;
    EXPECT_EQ(out.at(0).at("txHash"), json::value(id));
    EXPECT_EQ(out.at(0).at("result").at("gasUsed"), "0x5208");
  }
  EXPECT_EQ(chain_.error("debug_traceBlockByNumber", "[\"0x0\"]").message, "genesis is not traceable");
  EXPECT_EQ(chain_.error("debug_traceBlockByNumber", "[\"0x9\"]").message, "block #9 not found");
  EXPECT_EQ(chain_.error("debug_traceBlock", "[\"0x80\"]").code, -32000);
  EXPECT_EQ(chain_.error("debug_traceTransaction", "[" + quote(word(1)) + "]").message, "transaction not found");
  EXPECT_EQ(chain_.text("debug_getBadBlocks", "[]"), "[]");
}

TEST_F(TraceTest, TracesAreBounded) {
  RpcOptions options;
  options.max_response_bytes = 100'000;
  EvmChain small(options);
  small.set_code(kTarget, "5b600056");
  const auto refused = small.error("debug_traceCall", "[{\"to\":" + quote(kTarget) + "},\"latest\",{}]");
  EXPECT_EQ(refused.code, -32003);
  EXPECT_THAT(refused.message, HasSubstr("trace is too large"));
  EXPECT_EQ(
      small.result("debug_traceCall", "[{\"to\":" + quote(kTarget) + R"(,"gas":"0x186a0"},"latest",{"limit":10}])")
          .at("structLogs")
          .as_array()
          .size(),
      10u);
  EXPECT_THAT(
      small.error("debug_traceCall", "[{\"to\":" + quote(kTarget) + R"(},"latest",{"timeout":"soon"}])").message,
      HasSubstr("invalid duration"));
}

TEST_F(TraceTest, CallsWithOverrides) {
  const std::string code = ":{\"code\":\"0x4300\"}}";
  const auto out =
      trace_call("{\"stateOverrides\":{" + quote(kTarget) + code + R"(,"blockOverrides":{"number":"0x4d2"}})");
  EXPECT_EQ(out.at("structLogs").at(1).at("stack"), json::parse("[\"0x4d2\"]"));
}

}  // namespace
}  // namespace bonus::chain::rpc
