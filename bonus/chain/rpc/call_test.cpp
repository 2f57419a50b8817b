// eth_call, eth_estimateGas, eth_createAccessList and eth_getProof on contracts written as bytes.
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
/// [{to: kTarget, <more>}, "latest"<, rest>]
std::string to_target(std::string_view more = "", std::string_view rest = "") {
  return "[{\"from\":" + quote(kSender) + ",\"to\":" + quote(kTarget) + std::string(more) + "},\"latest\"" +
         std::string(rest) + "]";
}

class CallTest : public ::testing::Test {
 protected:
  CallTest() { chain_.set_balance(kSender, uint256(1'000'000) * uint256(kGwei)); }
  EvmChain chain_;
};

/// MSTORE of one word that `op` pushes, then RETURN.
std::string returns(std::string_view ops) { return std::string(ops) + "60005260206000f3"; }

TEST_F(CallTest, RunsCode) {
  chain_.set_code(kTarget, returns("600035600101"));  // calldata + 1
  EXPECT_EQ(chain_.text("eth_call", to_target(R"(,"input":")" + word(41) + "\"")), word(42));
  EXPECT_EQ(chain_.text("eth_call", to_target(R"(,"data":")" + word(1) + "\"")), word(2));
  // Init code runs where there is no `to`; what it returns is the answer.
  EXPECT_EQ(chain_.text("eth_call", R"([{"input":"0x)" + returns("602a") + "\"}]"), word(42));
  EXPECT_EQ(chain_.text("eth_getCode", "[" + quote(kTarget) + ",\"latest\"]"), "0x" + returns("600035600101"));
  EXPECT_EQ(chain_.text("eth_call", "[{\"to\":" + quote(kOther) + "}]"), "0x");
}

TEST_F(CallTest, PricesAreAsGeths) {
  chain_.set_code(kTarget, returns("48"));  // BASEFEE
  EXPECT_EQ(chain_.text("eth_call", to_target()), word(0));
  EXPECT_EQ(chain_.text("eth_call", to_target(R"(,"gas":"0x186a0","gasPrice":"0x77359400")")), word(kGwei));
  chain_.set_code(kTarget, returns("3a"));  // GASPRICE
  EXPECT_EQ(chain_.text("eth_call", to_target()), word(0));
  EXPECT_EQ(chain_.text("eth_call",
                        to_target(R"(,"gas":"0x186a0","maxFeePerGas":"0x77359400","maxPriorityFeePerGas":"0x1")")),
            word(kGwei + 1));
  const auto low = chain_.error("eth_call", to_target(R"(,"gas":"0x186a0","gasPrice":"0x1")"));
  EXPECT_EQ(low.code, -32000);
  EXPECT_THAT(low.message, HasSubstr("err: max fee per gas less than block base fee: address"));
  EXPECT_THAT(low.message, HasSubstr("(supplied gas 100000)"));
  const auto tip = chain_.error("eth_call", to_target(R"(,"maxFeePerGas":"0x1","maxPriorityFeePerGas":"0x2")"));
  EXPECT_THAT(tip.message, HasSubstr("max priority fee per gas higher than max fee per gas"));
  EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"gasPrice":"0x1","maxFeePerGas":"0x2")")),
            (Refusal{-32000, "both gasPrice and (maxFeePerGas or maxPriorityFeePerGas) specified", ""}));
  EXPECT_THAT(chain_.error("eth_call", to_target(R"(,"value":"0xffffffffffffffffffff")")).message,
              HasSubstr("insufficient funds for gas * price + value"));
  EXPECT_THAT(chain_.error("eth_call", to_target(R"(,"chainId":"0x1")")).message,
              HasSubstr("chainId does not match node's"));
}

TEST_F(CallTest, FailuresHaveGethsTexts) {
  struct Case {
    std::string code;
    Refusal want;
  };
  const Bytes reason = abi::encode_revert("no offer fits");
  const auto reverts = [](const Bytes& data) {
    const std::string size = to_hex(Bytes{static_cast<std::uint8_t>(data.size())});
    return "60" + size + "600c60003960" + size + "6000fd" + to_hex(data);
  };
  Bytes unpadded(reason.begin(), reason.begin() + 4 + 64 + 13);
  Bytes cut(reason.begin(), reason.begin() + 4 + 64 + 12);
  const std::string panic = "0x4e487b71" + to_hex(uint256(0x11).to_be());
  const std::vector<Case> cases{
      {"fe", {-32000, "invalid opcode: INVALID", ""}},
      {"0c", {-32000, "invalid opcode: opcode 0xc not defined", ""}},
      {"01", {-32000, "stack underflow (0 <=> 2)", ""}},
      {"5b60006000565b", {-32000, "stack limit reached 1024 (1023)", ""}},
      {"600256", {-32000, "invalid jump destination", ""}},
      {"6001600060003e", {-32000, "return data out of bounds", ""}},
      {"5b600056", {-32000, "out of gas", ""}},
      {"60006000fd", {3, "execution reverted", "0x"}},
      {reverts(reason), {3, "execution reverted: no offer fits", to_hex0x(reason)}},
      {reverts(unpadded), {3, "execution reverted: no offer fits", to_hex0x(unpadded)}},
      {reverts(cut), {3, "execution reverted", to_hex0x(cut)}},
      {"634e487b7160e01b6000526011600452602460" + std::string("00fd"),
       {3, "execution reverted: arithmetic underflow or overflow", panic}},
  };
  for (const auto& [code, want] : cases) {
    chain_.set_code(kTarget, code);
    EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"gas":"0x30d40")")), want) << code;
  }
}

TEST_F(CallTest, StateOverrides) {
  chain_.set_code(kTarget, returns("600054"));  // SLOAD 0
  chain_.ledger.set_storage(kTarget, uint256(0), uint256(7));
  chain_.ledger.set_storage(kTarget, uint256(1), uint256(8));
  const auto with = [&](std::string_view fields) {
    return to_target("", ",{" + quote(kTarget) + ":{" + std::string(fields) + "}}");
  };
  const std::string nine = quote(word(0)) + ":" + quote(word(9));
  const std::string other = quote(word(5)) + ":" + quote(word(9));
  EXPECT_EQ(chain_.text("eth_call", to_target()), word(7));
  EXPECT_EQ(chain_.text("eth_call", with("\"stateDiff\":{" + nine + "}")), word(9));
  EXPECT_EQ(chain_.text("eth_call", with("\"stateDiff\":{" + other + "}")), word(7));
  EXPECT_EQ(chain_.text("eth_call", with("\"state\":{" + other + "}")), word(0));
  EXPECT_EQ(chain_.text("eth_call", with(R"("code":"0x)" + returns("47") + R"(","balance":"0x2a")")), word(42));
  EXPECT_EQ(chain_.error("eth_call", with("\"state\":{},\"stateDiff\":{}")).code, -32000);
  EXPECT_EQ(chain_.error("eth_call", with("\"state\":{\"0x01\":\"0x02\"}")).code, -32602);
  EXPECT_EQ(chain_.text("eth_call", to_target()), word(7));  // Nothing stays.
}

TEST_F(CallTest, PrecompilesCanBeMoved) {
  const std::string identity = "\"0x0000000000000000000000000000000000000004\"";
  const std::string call = "{\"to\":" + quote(kOther) + R"(,"input":"0x1234"})";
  const std::string moved = "{" + identity + ":{\"movePrecompileToAddress\":" + quote(kOther) + "}}";
  EXPECT_EQ(chain_.text("eth_call", "[" + call + ",\"latest\"," + moved + "]"), "0x1234");
  // Where it was, there is none any more.
  EXPECT_EQ(chain_.text("eth_call", "[{\"to\":" + identity + R"(,"input":"0x1234"},"latest",)" + moved + "]"), "0x");
  EXPECT_THAT(chain_
                  .error("eth_call", "[" + call + ",\"latest\",{" + quote(kOther) +
                                         ":{\"movePrecompileToAddress\":" + identity + "}}]")
                  .message,
              HasSubstr("is not a precompile"));
  // Code put at a precompile's address runs in its stead.
  EXPECT_EQ(chain_.text("eth_call", "[{\"to\":" + identity + "},\"latest\",{" + identity + R"(:{"code":"0x)" +
                                        returns("602a") + "\"}}]"),
            word(42));
}

TEST_F(CallTest, BlockOverrides) {
  const auto with = [&](std::string_view fields) { return to_target("", ",null,{" + std::string(fields) + "}"); };
  chain_.set_code(kTarget, returns("43"));
  EXPECT_EQ(chain_.text("eth_call", with(R"("number":"0x4d2")")), word(1234));
  chain_.set_code(kTarget, returns("42"));
  EXPECT_EQ(chain_.text("eth_call", with(R"("time":"0x4d2")")), word(1234));
  chain_.set_code(kTarget, returns("45"));
  EXPECT_EQ(chain_.text("eth_call", with(R"("gasLimit":"0x4d2")")), word(1234));
  chain_.set_code(kTarget, returns("41"));
  EXPECT_EQ(chain_.text("eth_call", with("\"feeRecipient\":" + quote(account(0x4d2)))), word(1234));
  chain_.set_code(kTarget, returns("44"));
  EXPECT_EQ(chain_.text("eth_call", with("\"prevRandao\":" + quote(word(1234)))), word(1234));
  EXPECT_EQ(chain_.error("eth_call", with("\"withdrawals\":[]")).code, -32000);
}

TEST_F(CallTest, BlocksAreNamedInEveryWay) {
  chain_.ledger.add_block({}, {}, uint256(kGwei));
  chain_.set_code(kTarget, returns("43"));
  const std::string call = "[{\"to\":" + quote(kTarget) + "},";
  EXPECT_EQ(chain_.text("eth_call", call + "\"latest\"]"), word(1));
  EXPECT_EQ(chain_.text("eth_call", call + "\"0x0\"]"), word(0));
  EXPECT_EQ(chain_.text("eth_call", call + "\"pending\"]"), word(2));
  EXPECT_EQ(chain_.text("eth_call", call + "{\"blockHash\":" + quote(to_hex0x(chain_.ledger.head_hash())) + "}]"),
            word(1));
  EXPECT_EQ(chain_.error("eth_call", call + "\"0x9\"]"), (Refusal{-32000, "header not found", ""}));
}

TEST_F(CallTest, EstimatesAsGeth) {
  EXPECT_EQ(chain_.text("eth_estimateGas", to_target()), "0x5208");
  EXPECT_EQ(chain_.text("eth_estimateGas", to_target(R"(,"value":"0x1")")), "0x5208");
  // A store of a new slot: 20,000 + 2,100 and the pushes, found to within the ratio and never below.
  chain_.set_code(kTarget, "600160005500");
  const auto estimate = uint256::parse(chain_.text("eth_estimateGas", to_target())).value().low64();
  EXPECT_GE(estimate, 43'106u);
  EXPECT_LE(estimate, 43'106u + 43'106u * 2 / 100);
  EXPECT_EQ(chain_.error("eth_estimateGas", to_target(R"(,"gas":"0x7530")")),
            (Refusal{-32000, "gas required exceeds allowance (30000)", ""}));
  chain_.set_code(kTarget, "60006000fd");
  EXPECT_EQ(chain_.error("eth_estimateGas", to_target()), (Refusal{3, "execution reverted", "0x"}));
  chain_.set_code(kTarget, "fe");
  EXPECT_EQ(chain_.error("eth_estimateGas", to_target()), (Refusal{-32000, "invalid opcode: INVALID", ""}));
  chain_.set_code(kTarget, "00");
  EXPECT_EQ(chain_.error("eth_estimateGas", "[{\"from\":" + quote(kOther) + ",\"to\":" + quote(kTarget) +
                                                R"(,"value":"0x1","gasPrice":"0x77359400"}])"),
            (Refusal{-32000, "insufficient funds for transfer", ""}));
  // The sender's balance bounds the gas: a million gwei buy 500,000 gas at 2 gwei.
  chain_.set_code(kTarget, "5b600056");
  EXPECT_EQ(chain_.error("eth_estimateGas", to_target(R"(,"gasPrice":"0x77359400")")),
            (Refusal{-32000, "gas required exceeds allowance (500000)", ""}));
}

TEST_F(CallTest, EstimatesCountListsAndLooksAtRemainingGas) {
  const std::string entry = "{\"address\":" + quote(kOther) + ",\"storageKeys\":[" + quote(word(0)) + "]}";
  const auto listed = uint256::parse(chain_.text("eth_estimateGas", to_target(",\"accessList\":[" + entry + "]")));
  EXPECT_GE(listed->low64(), 21'000u + 2'400u + 1'900u);
  EXPECT_LE(listed->low64(), 25'300u * 102 / 100);
  // Fails with less than 100,000 gas left, and uses nearly nothing: GAS > 100,000 or INVALID.
  chain_.set_code(kTarget, "5a620186a010600a57fe5b00");
  const auto reserve = uint256::parse(chain_.text("eth_estimateGas", to_target())).value().low64();
  EXPECT_GE(reserve, 121'002u);
  EXPECT_LE(reserve, 121'002u + 121'002u * 2 / 100);
}

/// A system contract that charges 100,000 gas.
class Charging final : public NativeContract, public ContractRegistry {
 public:
  [[nodiscard]] Address address() const override { return kMarketAddress; }
  [[nodiscard]] CallOutcome call(Host& host, const CallInput&) const override {
    return host.charge(100'000) ? CallOutcome{true, Bytes(32, 7)} : CallOutcome{false, {}};
  }
  void end_block(Host&) const override {}
  [[nodiscard]] uint256 liabilities(const Host&) const override { return {}; }
  [[nodiscard]] const NativeContract* find(const Address& at) const override {
    return at == kMarketAddress ? this : nullptr;
  }
  [[nodiscard]] std::vector<const NativeContract*> in_order() const override { return {this}; }
};

TEST_F(CallTest, EstimatesOfSystemContractsLeaveRoom) {
  const Charging market;
  chain_.ledger.set_natives(&market);
  chain_.set_code(kMarketAddress, "fe");
  EXPECT_EQ(chain_.text("eth_call", "[{\"to\":" + quote(kMarketAddress) + "}]"), to_hex0x(Bytes(32, 7)));
  const auto direct =
      uint256::parse(chain_.text("eth_estimateGas", "[{\"to\":" + quote(kMarketAddress) + "}]")).value().low64();
  EXPECT_GE(direct, 121'000u + 121'000u / 2 + 50'000);
  EXPECT_LE(direct, (121'000u + 121'000u / 2) * 102 / 100 + 50'000);
  // Also when a contract makes the call: CALL(gas, market, 0, 0, 0, 0, 0).
  chain_.set_code(kTarget, "6000600060006000600061b0035af100");
  const auto inner = uint256::parse(chain_.text("eth_estimateGas", to_target())).value().low64();
  EXPECT_GT(inner, direct);
}

TEST_F(CallTest, AccessLists) {
  // SLOAD 3, BALANCE of another account, SLOAD 1.
  chain_.set_code(kTarget, "600354506120023150600154" + std::string("00"));
  const auto out = chain_.result("eth_createAccessList", to_target());
  EXPECT_EQ(json::serialize(out.at("accessList")), "[{\"address\":" + quote(kTarget) + ",\"storageKeys\":[" +
                                                       quote(word(3)) + "," + quote(word(1)) +
                                                       "]},{\"address\":" + quote(kOther) + ",\"storageKeys\":[]}]");
  EXPECT_FALSE(out.as_object().contains("error"));
  // The list costs 2 * 2,400 + 2 * 1,900; every read is warm then.
  EXPECT_EQ(out.at("gasUsed").as_string(), uint256(21'000 + 4'800 + 3'800 + 3 * 100 + 2 * 3 + 3 + 2 * 2).to_quantity());
  // The second read depends on the first: SLOAD(SLOAD(0)).
  chain_.ledger.set_storage(kTarget, uint256(0), uint256(5));
  chain_.set_code(kTarget, "6000545400");
  EXPECT_EQ(chain_.result("eth_createAccessList", to_target()).at("accessList").as_array().at(0).at("storageKeys"),
            json::parse("[" + quote(word(0)) + "," + quote(word(5)) + "]"));
  chain_.set_code(kTarget, "60005460006000fd");
  EXPECT_EQ(chain_.result("eth_createAccessList", to_target()).at("error"), "execution reverted");
  EXPECT_EQ(json::serialize(chain_.result("eth_createAccessList", "[{\"to\":" + quote(kOther) + "}]")),
            R"({"accessList":[],"gasUsed":"0x5208"})");
}

TEST_F(CallTest, ProofsAndStorage) {
  chain_.ledger.set_storage(kTarget, uint256(0), uint256(0x38));
  chain_.set_code(kTarget, "00");
  const auto proof =
      chain_.result("eth_getProof", "[" + quote(kTarget) + ",[\"0x0\",\"0x\",\"1\"," + quote(word(0)) + "]]");
  const auto& slots = proof.at("storageProof").as_array();
  ASSERT_EQ(slots.size(), 4u);
  EXPECT_EQ(slots[0].at("key"), "0x0");
  EXPECT_EQ(slots[0].at("value"), "0x38");
  EXPECT_EQ(slots[1].at("key"), "0x0");
  EXPECT_EQ(slots[2].at("key"), "0x1");
  EXPECT_EQ(slots[3].at("key"), json::value(word(0)));
  EXPECT_EQ(proof.at("nonce"), "0x0");
  EXPECT_EQ(chain_.error("eth_getProof", "[" + quote(kTarget) + ",[\"0xzz\"]]").code, -32602);
  EXPECT_EQ(chain_.error("eth_getProof", "[" + quote(kTarget) + ",[\"0x" + std::string(65, '0') + "\"]]").message,
            "storage key too long (want at most 32 bytes): \"0x" + std::string(65, '0') + "\"");
  EXPECT_EQ(chain_.text("eth_getStorageAt", "[" + quote(kTarget) + ",\"0x0\",\"latest\"]"), word(0x38));
  EXPECT_EQ(chain_.text("eth_getStorageAt", "[" + quote(kTarget) + ",\"0x1\"]"), word(0));
  EXPECT_EQ(chain_.error("eth_getStorageAt", "[" + quote(kTarget) + ",\"0xasdf\"]"),
            (Refusal{-32602, "invalid hex in storage key: \"0xasdf\"", ""}));
}

TEST_F(CallTest, ArgumentsAreReadStrictly) {
  EXPECT_EQ(chain_.error("eth_call", "[]").code, -32602);
  EXPECT_EQ(chain_.error("eth_call", "[1]").code, -32602);
  EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"gas":"0x01")")).code, -32602);
  EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"accessList":[{"storageKeys":[]}])")).code, -32602);
  EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"authorizationList":[{}])")).code, -32602);
  EXPECT_THAT(chain_.error("eth_call", to_target(R"(,"input":"0x01","data":"0x02")")).message,
              HasSubstr("both \"data\" and \"input\""));
  EXPECT_EQ(chain_.error("eth_call", to_target("", R"(,{"0x00":{}})")).code, -32602);
  EXPECT_EQ(chain_.error("eth_call", to_target(R"(,"blobVersionedHashes":[])")).code, -32000);
}

}  // namespace
}  // namespace bonus::chain::rpc
