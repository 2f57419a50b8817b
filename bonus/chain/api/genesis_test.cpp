// The genesis file: round trip, defaults, and an error that names the key for each kind of mistake.
#include "bonus/chain/api/genesis.hpp"

#include <gtest/gtest.h>

#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

const char* const kSmall = R"({
  "version": 1, "chainId": 7667, "timestamp": 1700000000,
  "bookkeepers": [{"key": "0x0101010101010101010101010101010101010101010101010101010101010101",
                   "account": "0x00000000000000000000000000000000000000aa", "endpoint": "127.0.0.1:7000"}],
  "balances": {"0x00000000000000000000000000000000000000bb": "1000000000000000000"},
  "foundation": "0x00000000000000000000000000000000000000cc",
  "market": {"settleIntervalS": 5, "minWorkerBond": "0x10"}
})";

std::string with(std::string_view from, std::string_view to) {
  std::string text = kSmall;
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(Genesis, ReadsAndFillsDefaults) {
  const Genesis g = Genesis::from_json(kSmall).value();
  EXPECT_EQ(g.chain_id, 7667u);
  EXPECT_EQ(g.gas_limit, 60'000'000u);
  EXPECT_EQ(g.block_interval_ms, 1000u);
  EXPECT_EQ(g.bookkeepers.at(0).endpoint, "127.0.0.1:7000");
  EXPECT_EQ(g.balances.begin()->second, uint256(1'000'000'000'000'000'000ULL));
  EXPECT_EQ(g.market.settle_interval_s, 5u);
  EXPECT_EQ(g.market.min_worker_bond, uint256(16));
  EXPECT_EQ(g.market.foundation_fee_bps, 100u);
}

TEST(Genesis, RoundTripIsStable) {
  Genesis g = Genesis::from_json(kSmall).value();
  g.name = "a \"name\"";
  g.market.penalty_halflife_s = 77;
  const std::string text = g.to_json();
  EXPECT_EQ(Genesis::from_json(text).value().to_json(), text);
}

TEST(Genesis, MistakesAreNamed) {
  const auto message = [](const std::string& text) {
    const auto result = Genesis::from_json(text);
    EXPECT_FALSE(result.has_value()) << text;
    return result ? std::string() : result.error().message;
  };
  const auto names = [&](const std::string& text, std::string_view expected) {
    const std::string m = message(text);
    EXPECT_NE(m.find(expected), std::string::npos) << m;
  };
  names("{", "not JSON");
  names("[]", "must be an object");
  names(with("\"chainId\": 7667,", ""), "chainId: is missing");
  names(with("7667", "\"7667\""), "chainId");
  names(with("7667", "0"), "chainId");
  names(with("7667", "-5"), "chainId");
  names(with("\"version\": 1", "\"version\": 2"), "version");
  names(with("\"timestamp\"", "\"gasLimits\": 1, \"timestamp\""), "gasLimits: is not known");
  names(with("settleIntervalS", "settleInterval"), "market.settleInterval: is not known");
  names(with("\"settleIntervalS\": 5", "\"settleIntervalS\": 0"), "market.settleIntervalS");
  names(with("\"1000000000000000000\"", "1000000000000000000"), "string of wei");
  names(with("\"1000000000000000000\"", "\"1e18\""), "balances");
  names(with("0x00000000000000000000000000000000000000bb", "0xbb"), "balances[0xbb]");
  names(with("0x0101010101", "0x01010101"), "bookkeepers[0].key");
  names(with("\"endpoint\"", "\"endpont\""), "bookkeepers[0].endpont");
  names(with("00000000cc\"", "00000000c\""), "foundation");
  names(with("\"0x10\"", "16"), "market.minWorkerBond");
  names(std::string(200, '['), "not JSON");
}

TEST(Genesis, RefusesDuplicatesAndTooManyBookkeepers) {
  const auto start = std::string(kSmall).find("[{") + 1;
  const auto end = std::string(kSmall).find("}]") + 1;
  const std::string keeper = std::string(kSmall).substr(start, end - start);
  EXPECT_NE(Genesis::from_json(with(keeper, keeper + "," + keeper)).error().message.find("appears twice"),
            std::string::npos);
  EXPECT_FALSE(Genesis::from_json(with(keeper, "")).has_value());
  const std::string funds =
      "\"0x00000000000000000000000000000000000000BB\": \"1\", \"0x00000000000000000000000000000000000000bb\"";
  EXPECT_FALSE(Genesis::from_json(with("\"0x00000000000000000000000000000000000000bb\"", funds)).has_value());
  const std::string all(64, 'f');
  EXPECT_NE(Genesis::from_json(with("\"0x00000000000000000000000000000000000000bb\": \"1000000000000000000\"",
                                    "\"0x00000000000000000000000000000000000000bb\": \"0x" + all +
                                        "\", \"0x00000000000000000000000000000000000000ab\": \"1\""))
                .error()
                .message.find("sum"),
            std::string::npos);
}

TEST(Genesis, ValidatorsHash) {
  const Genesis g = Genesis::from_json(kSmall).value();
  rlp::Encoder e;
  e.begin_list().bytes(Bytes(32, 1)).end_list();
  EXPECT_EQ(g.validators_hash(), crypto::keccak256(e.take()));
}

}  // namespace
}  // namespace bonus::chain
