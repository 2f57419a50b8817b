// eth_simulateV1: chained blocks, overrides, validation, transfers, refusals.
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
using Refusal = EvmChain::Refusal;
namespace json = boost::json;

const Address kSender = account(0x1001);
const Address kTarget = account(0x2001);
const Address kOther = account(0x2002);

std::string word(std::uint64_t value) { return to_hex0x(uint256(value).to_be()); }

class SimulateTest : public ::testing::Test {
 protected:
  SimulateTest() { chain_.set_balance(kSender, uint256(1000)); }
  json::value run(std::string_view blocks, std::string_view more = "") {
    return chain_.result("eth_simulateV1", request(blocks, more));
  }
  Refusal refuse(std::string_view blocks, std::string_view more = "") {
    return chain_.error("eth_simulateV1", request(blocks, more));
  }
  static std::string request(std::string_view blocks, std::string_view more) {
    return "[{\"blockStateCalls\":[" + std::string(blocks) + "]" + std::string(more) + "},\"latest\"]";
  }
  static std::string call(std::string_view more = "", const Address& to = kTarget) {
    return "{\"from\":" + quote(kSender) + ",\"to\":" + quote(to) + std::string(more) + "}";
  }
  static std::string calls(std::string_view list, std::string_view more = "") {
    return "{\"calls\":[" + std::string(list) + "]" + std::string(more) + "}";
  }

  EvmChain chain_;
};

TEST_F(SimulateTest, BlocksAreChained) {
  // The second block reads what the first one wrote, and the hash of the first one.
  chain_.set_code(kTarget, "602a60005500");
  chain_.set_code(kOther, "60014060005260206000f3");  // BLOCKHASH(1)
  const std::string reader = R"(,"stateOverrides":{)" + quote(kTarget) + R"(:{"code":"0x60005460005260206000f3"}})";
  const auto out = run(calls(call()) + "," + calls(call() + "," + call("", kOther), reader));
  const auto& blocks = out.as_array();
  ASSERT_EQ(blocks.size(), 2u);
  EXPECT_EQ(blocks[0].at("number"), "0x1");
  EXPECT_EQ(blocks[0].at("parentHash"), json::value(to_hex0x(chain_.ledger.head_hash())));
  EXPECT_EQ(blocks[1].at("number"), "0x2");
  EXPECT_EQ(blocks[1].at("parentHash"), blocks[0].at("hash"));
  EXPECT_EQ(blocks[0].at("baseFeePerGas"), "0x0");
  EXPECT_EQ(blocks[0].at("calls").at(0).at("status"), "0x1");
  EXPECT_EQ(blocks[0].at("gasUsed"), blocks[0].at("calls").at(0).at("gasUsed"));
  EXPECT_EQ(blocks[1].at("calls").at(0).at("returnData"), json::value(word(42)));
  EXPECT_EQ(blocks[1].at("calls").at(1).at("returnData"), blocks[0].at("hash"));
  EXPECT_EQ(blocks[1].at("transactions").as_array().size(), 2u);
  EXPECT_TRUE(blocks[1].at("transactions").at(0).is_string());
}

TEST_F(SimulateTest, GapsAreFilled) {
  const auto out = run(R"({"blockOverrides":{"number":"0x4","time":"0x70000000"}},{})");
  ASSERT_EQ(out.as_array().size(), 5u);
  EXPECT_EQ(out.at(2).at("number"), "0x3");
  EXPECT_EQ(out.at(3).at("timestamp"), "0x70000000");
  EXPECT_EQ(out.at(4).at("timestamp"), "0x70000001");
  EXPECT_EQ(refuse(R"({"blockOverrides":{"number":"0x3"}},{"blockOverrides":{"number":"0x2"}})"),
            (Refusal{-38020, "block numbers must be in order: 2 <= 3", ""}));
  EXPECT_EQ(refuse(R"({"blockOverrides":{"time":"0x1"}})").code, -38021);
  EXPECT_EQ(refuse(R"({"blockOverrides":{"number":"0x101"}})"), (Refusal{-38026, "too many blocks", ""}));
  EXPECT_EQ(run(R"({"blockOverrides":{"number":"0x100"}})").as_array().size(), 256u);
  EXPECT_EQ(chain_.error("eth_simulateV1", "[{},\"latest\"]"), (Refusal{-32602, "empty input", ""}));
}

TEST_F(SimulateTest, FailuresStayInTheirCall) {
  const Bytes reason = abi::encode_revert("no offer fits");
  const std::string size = to_hex(Bytes{static_cast<std::uint8_t>(reason.size())});
  chain_.set_code(kTarget, "60" + size + "600c60003960" + size + "6000fd" + to_hex(reason));
  chain_.set_code(kOther, "5b600056");
  const auto out = run(calls(call() + "," + call(R"(,"gas":"0x7530")", kOther)));
  const auto& results = out.at(0).at("calls");
  EXPECT_EQ(results.at(0).at("status"), "0x0");
  EXPECT_EQ(results.at(0).at("returnData"), "0x");
  EXPECT_EQ(results.at(0).at("error").at("code"), 3);
  EXPECT_EQ(results.at(0).at("error").at("message"), "execution reverted: no offer fits");
  EXPECT_EQ(results.at(0).at("error").at("data"), json::value(to_hex0x(reason)));
  EXPECT_EQ(results.at(1).at("error").at("code"), -32015);
  EXPECT_EQ(results.at(1).at("error").at("message"), "out of gas");
  EXPECT_EQ(results.at(1).at("gasUsed"), "0x7530");
}

TEST_F(SimulateTest, TransfersAsLogs) {
  // The target passes one wei on, then logs.
  chain_.set_code(kTarget, "600060006000600060016120025af15060006000a000");
  const auto out = run(calls(call(R"(,"value":"0x5")")), R"(,"traceTransfers":true,"returnFullTransactions":true)");
  const auto& logs = out.at(0).at("calls").at(0).at("logs").as_array();
  ASSERT_EQ(logs.size(), 3u);
  EXPECT_EQ(logs[0].at("address"), "0xeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
  EXPECT_EQ(logs[0].at("topics").at(0), json::value(to_hex0x(abi::event_topic("Transfer(address,address,uint256)"))));
  EXPECT_EQ(logs[0].at("data"), json::value(word(5)));
  EXPECT_EQ(logs[1].at("data"), json::value(word(1)));
  EXPECT_EQ(logs[2].at("address"), json::value(to_hex0x(kTarget)));
  EXPECT_EQ(logs[2].at("logIndex"), "0x2");
  EXPECT_EQ(logs[0].at("blockHash"), out.at(0).at("hash"));
  const auto& transaction = out.at(0).at("transactions").at(0);
  EXPECT_EQ(transaction.at("from"), json::value(to_hex0x(kSender)));
  EXPECT_EQ(transaction.at("type"), "0x2");
  EXPECT_EQ(transaction.at("hash"), logs[0].at("transactionHash"));
  // Undone transfers are not shown, and by default none is.
  chain_.set_code(kTarget, "60006000fd");
  EXPECT_EQ(json::serialize(
                run(calls(call(R"(,"value":"0x5")")), R"(,"traceTransfers":true)").at(0).at("calls").at(0).at("logs")),
            "[]");
}

TEST_F(SimulateTest, Validation) {
  const std::string_view checked = R"(,"validation":true)";
  EXPECT_EQ(refuse(calls(call(R"(,"nonce":"0x5")")), checked).code, -38011);
  EXPECT_EQ(run(calls(call(R"(,"nonce":"0x5")"))).at(0).at("calls").at(0).at("status"), "0x1");
  EXPECT_EQ(refuse(calls(call()), checked).code, -38012);
  EXPECT_EQ(refuse(calls(call(R"(,"maxFeePerGas":"0x77359400")")), checked).code, -38014);
  EXPECT_EQ(refuse(calls(call(R"(,"value":"0x3e9")"))).code, -38014);
  EXPECT_EQ(refuse(calls(call(R"(,"gas":"0x1")"))).code, -38013);
  EXPECT_EQ(refuse(calls(call(R"(,"gas":"0x5208")") + "," + call(R"(,"gas":"0x5208")"),
                         R"(,"blockOverrides":{"gasLimit":"0x5209"})")),
            (Refusal{-38015, "block gas limit reached: remaining: 1, required: 21000", ""}));
  const std::string rich = R"(,"stateOverrides":{)" + quote(kSender) + R"(:{"balance":"0xffffffffffffffffffff"}})";
  const auto out = run(calls(call(R"(,"maxFeePerGas":"0x77359400")"), rich), checked);
  EXPECT_EQ(out.at(0).at("baseFeePerGas"), "0x3b9aca00");
  EXPECT_EQ(refuse(calls("{\"input\":\"0x" + std::string(2 * 49'153, '0') + "\"}")).code, -38025);
}

}  // namespace
}  // namespace bonus::chain::rpc
