// A small state test of our own: verdicts, refusals, unknown forks, traces. The published ones run as ctest
// statetest/*.
#include "bonus/chain/vectors/state_run.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "bonus/chain/vectors/eip3155.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::vectors {
namespace {

constexpr std::string_view kSender = "0xa94f5374fce5edbc8e2a8697c15331677e6ebf0b";
constexpr std::string_view kSecret = "0x45a915e4d060149eb4365960e6a7a45f334393093061116b197e3240065ff2d8";
constexpr std::string_view kNoLogs = "0x1dcc4de8dec75d7aab85b567b6ccd41ad312451b948a7413f0a142fd40d49347";
const std::string kZeros = "0x" + std::string(64, '0');

/// The contract stores 3 + 4 at slot 0 and the hash of block 5 at slot 1.
std::string suite(std::string_view fork, std::string_view root, std::string_view more, std::string_view transaction) {
  return fmt::format(
      R"({{"adds": {{"_info": {{"labels": {{"0": "sum"}}}}, "env": {{"currentCoinbase": "0x00000000000000000000000000000000000000cc",
      "currentGasLimit": "0x989680", "currentNumber": "0x09", "currentTimestamp": "0x03e8", "currentDifficulty": "0x0",
      "currentRandom": "0x00", "currentBaseFee": "0x07"}},
      "pre": {{"0x00000000000000000000000000000000000000aa": {{"nonce": "0x01", "balance": "0x00", "storage": {{"0x05": "0x06"}},
        "code": "0x60036004015f55600540600155"}},
        "{}": {{"nonce": "0x00", "balance": "0xde0b6b3a7640000", "code": "0x", "storage": {{}}}}}},
      "transaction": {{"nonce": "0x00", "gasPrice": "0x0a", "data": ["0x"], "gasLimit": ["0x0186a0"], "value": ["0x00"],
        "to": "0x00000000000000000000000000000000000000aa", {}}},
      "post": {{"{}": [{{"hash": "{}", "logs": "{}", "indexes": {{"data": 0, "gas": 0, "value": 0}} {}}}]}}}}}})",
      kSender, transaction, fork, root, kNoLogs, more);
}
std::string with_sender() { return fmt::format(R"("sender": "{}")", kSender); }

StateTest read_one(const std::string& text) {
  auto tests = read_state_tests(text);
  EXPECT_TRUE(tests.has_value()) << (tests ? "" : tests.error().message);
  return std::move(tests->at(0));
}

/// The root that must come out, worked out by hand: 21000 of the transaction, 2 cold stores, and the rest of the code.
Hash32 expected_root() {
  constexpr std::uint64_t kGas = 21'000 + 2 * 22'100 + 3 * 5 + 2 + 20;
  const auto address = [](std::string_view text) { return fixed_from_hex<Address>(text).value(); };
  Accounts accounts;
  PlainAccount& contract = accounts[address("0x00000000000000000000000000000000000000aa")];
  contract.nonce = 1;
  contract.code = from_hex("0x60036004015f55600540600155").value();
  contract.storage[uint256(5)] = uint256(6);
  contract.storage[uint256()] = uint256(7);
  contract.storage[uint256(1)] = uint256::from_be(crypto::keccak256(as_bytes("5")));
  PlainAccount& sender = accounts[address(kSender)];
  sender.nonce = 1;
  sender.balance = uint256(1'000'000'000'000'000'000 - kGas * 10);
  accounts[address("0x00000000000000000000000000000000000000cc")].balance = uint256(kGas * 3);
  return MemoryState(accounts).root();
}

TEST(StateRun, FindsTheStateRoot) {
  const StateTest test = read_one(suite("Cancun", to_hex0x(expected_root()), "", with_sender()));
  ASSERT_EQ(test.cases.size(), 1u);
  EXPECT_EQ(test.cases[0].label, "sum");
  for (const bool reference : {false, true}) {
    const StateRun run = run_case(test, test.cases[0], {.reference = reference});
    EXPECT_EQ(run.trouble, "");
    EXPECT_EQ(run.gas_used, 65'237u);
    EXPECT_TRUE(run.valid());
  }
}

TEST(StateRun, TheSenderMayComeFromTheKey) {
  const StateTest test =
      read_one(suite("Cancun", to_hex0x(expected_root()), "", fmt::format(R"("secretKey": "{}")", kSecret)));
  EXPECT_EQ(run_case(test, test.cases[0], {}).trouble, "");
}

TEST(StateRun, AWrongRootFails) {
  const StateTest test = read_one(suite("Cancun", kZeros, R"(, "state": {})", with_sender()));
  const StateRun run = run_case(test, test.cases[0], {});
  EXPECT_NE(run.trouble.find("state root"), std::string::npos) << run.trouble;
  EXPECT_NE(run.trouble.find("exists, expected none"), std::string::npos) << run.trouble;
}

TEST(StateRun, ARefusalLeavesTheStateAlone) {
  const std::string low = with_sender() + R"(, "maxFeePerGas": "0x06")";
  const auto test_with = [&](const std::string& root, std::string_view exception) {
    return read_one(suite("Cancun", root, fmt::format(R"(, "expectException": "{}")", exception), low));
  };
  const StateTest first = test_with(kZeros, "TransactionException.INSUFFICIENT_MAX_FEE_PER_GAS");
  const std::string root = to_hex0x(first.state->root());
  const StateTest test = test_with(root, "TransactionException.INSUFFICIENT_MAX_FEE_PER_GAS");
  EXPECT_EQ(run_case(test, test.cases[0], {.check_reason = true}).trouble, "");
  const StateTest other = test_with(root, "TransactionException.SENDER_NOT_EOA");
  EXPECT_EQ(run_case(other, other.cases[0], {}).trouble, "");
  EXPECT_NE(run_case(other, other.cases[0], {.check_reason = true}).trouble, "");
  const StateTest none = read_one(suite("Cancun", root, "", low));
  EXPECT_NE(run_case(none, none.cases[0], {}).trouble.find("refused"), std::string::npos);
  const StateTest valid =
      read_one(suite("Cancun", to_hex0x(expected_root()), R"(, "expectException": "X")", with_sender()));
  EXPECT_NE(run_case(valid, valid.cases[0], {}).trouble.find("is valid"), std::string::npos);
}

TEST(StateRun, AFieldThatIsNoneIsARefusal) {
  const StateTest test =
      read_one(suite("Cancun", kZeros, R"(, "expectException": "X")", with_sender() + R"(, "chainId": "0x:bigint 1")"));
  EXPECT_FALSE(run_case(test, test.cases[0], {}).valid());
}

TEST(StateRun, AnUnknownForkIsSkipped) {
  const StateTest test = read_one(suite("Atlantis", kZeros, "", with_sender()));
  EXPECT_TRUE(run_case(test, test.cases[0], {}).skipped);
}

TEST(StateRun, TracesAreThoseOfGeth) {
  const StateTest test = read_one(suite("Cancun", to_hex0x(expected_root()), "", with_sender()));
  std::vector<std::string> lines;
  TraceWriter writer([&](std::string_view line) { lines.emplace_back(line); });
  const StateRun run = run_case(test, test.cases[0], {.tracer = &writer});
  writer.finish(run, "Cancun");
  ASSERT_EQ(lines.size(), 12u);
  EXPECT_EQ(
      lines[2],
      R"({"pc":4,"op":1,"gas":"0x13492","gasCost":"0x3","memSize":0,"stack":["0x3","0x4"],"depth":1,"refund":0,"opName":"ADD"})");
  EXPECT_EQ(
      lines[4],
      R"({"pc":6,"op":85,"gas":"0x1348d","gasCost":"0x5654","memSize":0,"stack":["0x7","0x0"],"depth":1,"refund":0,"opName":"SSTORE"})");
  EXPECT_EQ(lines[10], R"({"output":"","gasUsed":"0xfed5"})");
  EXPECT_EQ(lines[11], fmt::format(R"({{"stateRoot":"{}","output":"","gasUsed":"0xfed5","pass":true,"fork":"Cancun"}})",
                                   to_hex0x(expected_root())));
}

/// EIP-161, "Addendum": of the touches in a call that failed only that of the empty RIPEMD-160 account counts.
TEST(StateRun, TheTouchOfRipemdOutlivesTheFailure) {
  const auto precompile = [](std::uint8_t number) {
    Address out;
    out.bytes[19] = number;
    return out;
  };
  const MemoryState state({{precompile(2), {}}, {precompile(3), {}}});
  for (const bool clears : {false, true}) {
    state::Journal journal(state);
    journal.begin_transaction();
    const auto before = journal.snapshot();
    journal.touch(precompile(2));
    journal.touch(precompile(3));
    journal.revert(before);
    journal.end_transaction(clears);
    EXPECT_TRUE(journal.exists(precompile(2)));
    EXPECT_EQ(journal.exists(precompile(3)), !clears);
  }
}

TEST(StateRun, BrokenFilesAreNamed) {
  for (const std::string_view text :
       {"", "[]", R"({"a": 1})", R"({"a": {}})", R"({"a": {"env": {}, "pre": {}, "transaction": {}, "post": {}}})",
        R"({"a": {"env": {"currentCoinbase": "0x12", "currentGasLimit": "0x1"}}})"}) {
    const auto tests = read_state_tests(text);
    ASSERT_FALSE(tests.has_value()) << text;
    EXPECT_EQ(tests.error().code, ErrorCode::kInvalid);
    EXPECT_FALSE(tests.error().message.empty());
  }
}

TEST(StateRun, ReasonsAreCompared) {
  EXPECT_TRUE(explains("nonce too low: 1", "TransactionException.NONCE_MISMATCH_TOO_LOW"));
  EXPECT_FALSE(explains("nonce too low: 1", "TransactionException.SENDER_NOT_EOA"));
  EXPECT_TRUE(
      explains("nonce too low: 1", "TransactionException.SENDER_NOT_EOA|TransactionException.NONCE_MISMATCH_TOO_LOW"));
  EXPECT_TRUE(explains("nonce too low: 1", "TR_SomethingElse"));
}

}  // namespace
}  // namespace bonus::chain::vectors
