// The state transition tool against what geth's `evm t8n` answers for the same input (its exit codes and roots are
// facts; the inputs here are our own where they need not be the same).
#include "bonus/chain/eth/transition_tool.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/eth/chain_testing.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

/// Two transfers by one key; the second has the nonce of the first. Geth's roots for Byzantium.
TransitionInput transfers(std::string_view network = "Byzantium") {
  TransitionInput input;
  input.config = ChainConfig::of_network(network).value();
  input.alloc = read_alloc(json::parse(R"({
    "a94f5374fce5edbc8e2a8697c15331677e6ebf0b": {"balance": "0x5ffd4878be161d74", "code": "0x", "nonce": "0xac"},
    "0x8a8eafb1cf62bfbeb1741769dae1a9dd47996192": {"balance": "0xfeedbead", "nonce": "0x00"}})")
                               .as_object())
                    .value();
  input.env = json::parse(R"({"currentCoinbase": "0xc94f5374fce5edbc8e2a8697c15331677e6ebf0b",
    "currentDifficulty": "0x20000", "currentGasLimit": "0x750a163df65e8a", "currentNumber": "1",
    "currentTimestamp": "1000"})");
  const json::value tx = json::parse(R"({"gas": "0x5208", "gasPrice": "0x2", "input": "0x", "nonce": "0x0",
    "r": "0x9500e8ba27d3c33ca7764e107410f44cbd8c19794bde214d694683a7aa998cdb",
    "s": "0x7235ae07e4bd6e0206d102b1f8979d6adab280466b6a82d2208ee08951f1f600",
    "to": "0x8a8eafb1cf62bfbeb1741769dae1a9dd47996192", "v": "0x1b", "value": "0x1"})");
  input.transactions = json::array{tx, tx};
  input.reward = uint256();
  return input;
}

TEST(Transition, AgreesWithGeth) {
  const auto out = run_transition(transfers());
  ASSERT_TRUE(out.has_value()) << out.error().message;
  EXPECT_EQ(out->result.at("stateRoot"), "0x84208a19bc2b46ada7445180c1db162be5b39b9abc8c0a54b05d32943eae4e13");
  EXPECT_EQ(out->result.at("txRoot"), "0xc4761fd7b87ff2364c7c60b6c5c8d02e522e815328aaea3f20e3b7b7ef52c42d");
  EXPECT_EQ(out->result.at("receiptsRoot"), "0x056b23fbba480696b65fe5a59b8f2148a1299103c4f57df839233af2cf4ca2d2");
  EXPECT_EQ(out->result.at("gasUsed"), "0x5208");
  EXPECT_EQ(out->result.at("currentDifficulty"), "0x20000");
  EXPECT_FALSE(out->result.contains("currentBaseFee"));
  const auto& rejected = out->result.at("rejected").as_array();
  ASSERT_EQ(rejected.size(), 1u);
  EXPECT_EQ(rejected[0].at("index").to_number<int>(), 1);
  EXPECT_THAT(std::string(rejected[0].at("error").as_string()), HasSubstr("nonce too low"));
  EXPECT_EQ(make_genesis_state(out->alloc)->root,
            fixed_from_hex<Hash32>("84208a19bc2b46ada7445180c1db162be5b39b9abc8c0a54b05d32943eae4e13").value());
}

TEST(Transition, TheBodyIsReadAgain) {
  auto input = transfers();
  const auto first = run_transition(input).value();
  input.transactions = json::value(to_hex0x(first.body));
  const auto second = run_transition(input).value();
  EXPECT_EQ(second.result.at("stateRoot"), first.result.at("stateRoot"));
  EXPECT_FALSE(second.result.contains("rejected"));
  EXPECT_EQ(second.body, first.body);
}

TEST(Transition, RewardsAndOmmers) {
  auto input = transfers();
  input.transactions = nullptr;
  input.reward = uint256(0x80);
  input.env.as_object()["ommers"] =
      json::parse(R"([{"delta": 1, "address": "0x00000000000000000000000000000000000000bb"},
                      {"delta": 2, "address": "0x00000000000000000000000000000000000000cc"}])");
  const auto out = run_transition(input).value();
  const auto balance = [&](std::string_view address) {
    return out.alloc.at(fixed_from_hex<Address>(address).value()).balance.low64();
  };
  EXPECT_EQ(balance("c94f5374fce5edbc8e2a8697c15331677e6ebf0b"), 0x80u + 2 * 0x80 / 32);
  EXPECT_EQ(balance("00000000000000000000000000000000000000bb"), 0x80u * 7 / 8);
  EXPECT_EQ(balance("00000000000000000000000000000000000000cc"), 0x80u * 6 / 8);
}

TEST(Transition, AForkSaysWhatItNeeds) {
  const auto error = [](std::string_view network, std::string_view remove = "", std::string_view env = "{}") {
    auto input = transfers(network);
    auto& object = input.env.as_object();
    for (const auto& item : json::parse(env).as_object()) object[item.key()] = item.value();
    if (!remove.empty()) object.erase(remove);
    const auto out = run_transition(input);
    return out ? std::string("none") : fmt::format("{}: {}", to_string(out.error().code), out.error().message);
  };
  EXPECT_THAT(error("London"), HasSubstr("currentBaseFee is missing"));
  EXPECT_THAT(error("Byzantium", "currentDifficulty"), HasSubstr("parentDifficulty"));
  EXPECT_THAT(error("Byzantium", "currentNumber"), HasSubstr("currentNumber is missing"));
  constexpr std::string_view kMerged = R"({"currentDifficulty": "0x0", "currentBaseFee": "0x7"})";
  EXPECT_THAT(error("Merge", "", kMerged), HasSubstr("currentRandom is missing"));
  constexpr std::string_view kRandom =
      R"({"currentDifficulty": "0x0", "currentBaseFee": "0x7", "currentRandom": "0x1"})";
  EXPECT_EQ(error("Merge", "", kRandom), "none");
  EXPECT_THAT(error("Shanghai", "", kRandom), HasSubstr("withdrawals is missing"));
}

TEST(Transition, DerivesFromTheParent) {
  auto input = transfers("London");
  input.transactions = nullptr;
  auto& env = input.env.as_object();
  env.erase("currentDifficulty");
  env["parentDifficulty"] = "0x200000";
  env["parentTimestamp"] = "990";
  env["parentBaseFee"] = "0x3b9aca00";
  env["parentGasUsed"] = "0x0";
  env["parentGasLimit"] = "0x1c9c380";
  const auto out = run_transition(input).value();
  EXPECT_EQ(out.result.at("currentBaseFee"), json::value(uint256(875'000'000).to_quantity()));
  EXPECT_EQ(out.result.at("currentDifficulty"), "0x200000");  // ten seconds: no step of EIP-100
}

TEST(Transition, DifficultyOfEachForkAsGethComputesIt) {
  const auto difficulty = [](std::string_view network, std::string_view env) {
    auto input = transfers(network);
    input.transactions = nullptr;
    input.env = json::parse(env);
    return std::string(run_transition(input).value().result.at("currentDifficulty").as_string());
  };
  constexpr std::string_view kOmmers = R"({"currentCoinbase": "0x0c", "currentGasLimit": "0x750a163df65e8a",
    "currentBaseFee": "0x500", "currentNumber": "12800000", "currentTimestamp": "100035", "parentTimestamp": "99999",
    "parentDifficulty": "0x2000000000000", "parentUncleHash": "0xbeef"})";
  EXPECT_EQ(difficulty("London", kOmmers), "0x1ff8020000000");
  EXPECT_EQ(difficulty("Berlin", kOmmers), "0x1ff9000000000");
  constexpr std::string_view kNone = R"({"currentCoinbase": "0x0c", "currentGasLimit": "0x750a163df65e8a",
    "currentBaseFee": "0x500", "currentNumber": "13000000", "currentTimestamp": "100015", "parentTimestamp": "99999",
    "parentDifficulty": "0x2000000000000"})";
  EXPECT_EQ(difficulty("ArrowGlacier", kNone), "0x2000000200000");
  EXPECT_EQ(difficulty("GrayGlacier", kNone), "0x2000000004000");
}

TEST(Transition, WithdrawalsAsGethPaysThem) {
  TransitionInput input;
  input.config = ChainConfig::of_network("Shanghai").value();
  input.alloc =
      read_alloc(json::parse(R"({"0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b": {"nonce": "0xac"}})").as_object())
          .value();
  input.env = json::parse(R"({"currentCoinbase": "0x0c", "currentDifficulty": null, "currentRandom": "0xdeadc0de",
    "currentGasLimit": "0x750a163df65e8a", "currentBaseFee": "0x500", "currentNumber": "1", "currentTimestamp": "1000",
    "withdrawals": [{"index": "0x42", "validatorIndex": "0x42",
                     "address": "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b", "amount": "0x2a"}]})");
  const auto out = run_transition(input).value();
  EXPECT_EQ(out.result.at("withdrawalsRoot"), "0x4921c0162c359755b2ae714a0978a1dad2eb8edce7ff9b38b9b6fc4cbc547eb5");
  EXPECT_EQ(out.alloc.begin()->second.balance, uint256(42'000'000'000));
}

TEST(Transition, MissingBlockHash) {
  auto input = transfers("Berlin");
  auto& env = input.env.as_object();
  env["currentNumber"] = "5";
  // PUSH1 1 BLOCKHASH PUSH1 0 SSTORE
  input.alloc[fixed_from_hex<Address>("8a8eafb1cf62bfbeb1741769dae1a9dd47996192").value()] = {};
  const crypto::SecretKey256 key = {{5}};
  input.alloc[crypto::address_of(key).value()].balance = uint256(1'000'000'000);
  input.alloc[Address{{0xaa}}].code = {0x60, 1, 0x40, 0x60, 0, 0x55};
  json::object tx;
  tx["to"] = to_hex0x(Address{{0xaa}});
  tx["gas"] = "0x186a0";
  tx["gasPrice"] = "0x1";
  tx["secretKey"] = to_hex0x(key);
  input.transactions = json::array{tx};
  EXPECT_EQ(run_transition(input).error().code, ErrorCode::kNotFound);
  env["blockHashes"] = json::object{{"1", to_hex0x(kEmptyCodeHash)}};
  const auto out = run_transition(input).value();
  EXPECT_EQ(out.alloc.at(Address{{0xaa}}).storage.at(uint256()), uint256::from_be(kEmptyCodeHash));
}

TEST(TestTransaction, SignsEveryType) {
  const crypto::SecretKey256 key = {{5}};
  const Address sender = crypto::address_of(key).value();
  for (const auto* text : {R"({"type":"0x0","gasPrice":"0x1"})", R"({"type":"0x0","gasPrice":"0x1","protected":false})",
                           R"({"type":"0x1","gasPrice":"0x1","accessList":[{"address":"0x01","storageKeys":["0x0"]}]})",
                           R"({"type":"0x2","maxFeePerGas":"0x2","maxPriorityFeePerGas":"0x1","to":"0x05"})"}) {
    auto object = json::parse(text).as_object();
    object["gas"] = "0x5208";
    object["secretKey"] = to_hex0x(key);
    const auto tx = read_test_transaction(object, 1);
    ASSERT_TRUE(tx.has_value()) << text << tx.error().message;
    EXPECT_EQ(tx->sender().value(), sender) << text;
    EXPECT_EQ(tx->chain_id, object.contains("protected") ? 0u : 1u);
  }
}

}  // namespace
}  // namespace bonus::chain::eth
