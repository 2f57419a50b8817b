// Fork schedules: by network names and by geth's genesis files.
#include "bonus/chain/eth/config.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/eth/genesis.hpp"

namespace bonus::chain::eth {
namespace {

Revision at(std::string_view network, std::uint64_t number, UnixSeconds timestamp, bool proof_of_stake) {
  return ChainConfig::of_network(network).value().at(number, timestamp, proof_of_stake).revision;
}

TEST(ChainConfig, Networks) {
  EXPECT_EQ(at("Frontier", 9, 9, false), Revision::kFrontier);
  EXPECT_EQ(at("ConstantinopleFix", 0, 0, false), Revision::kPetersburg);
  EXPECT_EQ(at("Constantinople", 0, 0, false), Revision::kConstantinople);
  EXPECT_EQ(at("HomesteadToEIP150At3", 2, 0, false), Revision::kHomestead);
  EXPECT_EQ(at("HomesteadToEIP150At3", 3, 0, false), Revision::kTangerineWhistle);
  EXPECT_EQ(at("ByzantiumToConstantinopleFixAt5", 5, 0, false), Revision::kPetersburg);
  EXPECT_EQ(at("Merge", 1, 1, true), Revision::kParis);
  EXPECT_EQ(at("ParisToShanghaiAtTime15k", 1, 14'999, true), Revision::kParis);
  EXPECT_EQ(at("ParisToShanghaiAtTime15k", 1, 15'000, true), Revision::kShanghai);
  EXPECT_EQ(at("Osaka", 1, 1, true), Revision::kOsaka);
  EXPECT_EQ(ChainConfig::of_network("Olympic").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ChainConfig::of_network("BerlinToLondonAtNoon").error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ChainConfig::of_network("ArrowGlacierToParisAtDiffC0000").value().terminal_total_difficulty,
            uint256(0xC0000));
}

TEST(ChainConfig, BlobSchedules) {
  const auto config = ChainConfig::of_network("OsakaToBPO1AtTime15k").value();
  EXPECT_EQ(config.at(1, 14'999, true).blobs.max, 9u);
  EXPECT_EQ(config.at(1, 15'000, true).blobs.max, 15u);
  EXPECT_EQ(config.at(1, 15'000, true).blobs.max_transaction, 6u);
  EXPECT_EQ(config.at(1, 15'000, true).revision, Revision::kOsaka);
  EXPECT_EQ(ChainConfig::of_network("Cancun").value().at(1, 1, true).blobs.max_transaction, 6u);
  EXPECT_EQ(ChainConfig::of_network("BPO2").value().at(1, 1, true).blobs.target, 14u);
}

TEST(ChainConfig, MainnetsFile) {
  // The difficulty as a number without quotes, as geth writes it: more digits than a parsed JSON number keeps.
  const auto genesis = EthGenesis::from_json(R"({"config":{"chainId":1,"homesteadBlock":1150000,"eip150Block":2463000,
    "eip155Block":2675000,"eip158Block":2675000,"byzantiumBlock":4370000,"constantinopleBlock":7280000,
    "petersburgBlock":7280000,"istanbulBlock":9069000,"muirGlacierBlock":9200000,"berlinBlock":12244000,
    "londonBlock":12965000,"arrowGlacierBlock":13773000,"grayGlacierBlock":15050000,
    "terminalTotalDifficulty":58750000000000000000000,"shanghaiTime":1681338455,"cancunTime":1710338135,
    "pragueTime":1746612311,"osakaTime":1764798551,"bpo1Time":1765290071,"bpo2Time":1767747671,"ethash":{}},
    "nonce":"0x42","timestamp":"0x0","extraData":"0x11bbe8db4e347b4e8c937c1c8370e4b5ed33adb3db69cbdb7a38e1e50b1b82fa",
    "gasLimit":"0x1388","difficulty":"0x400000000","alloc":{}})");
  ASSERT_TRUE(genesis.has_value()) << genesis.error().message;
  const ChainConfig& config = genesis->config;
  EXPECT_EQ(config.terminal_total_difficulty->to_decimal(), "58750000000000000000000");
  EXPECT_EQ(config.at(7'280'000, 0, false).revision, Revision::kPetersburg);
  EXPECT_EQ(config.at(9'100'000, 0, false).bomb_delay, 5'000'000u);
  EXPECT_EQ(config.at(9'200'000, 0, false).bomb_delay, 9'000'000u);
  EXPECT_EQ(config.at(15'537'394, 1'663'224'179, true).revision, Revision::kParis);
  EXPECT_EQ(config.at(24'000'000, 1'767'747'671, true).blobs.max, 21u);
  EXPECT_EQ(genesis->header.form, HeaderForm::kFrontier);
}

TEST(EthGenesis, MistakesAreNamed) {
  const auto message = [](std::string_view text) { return EthGenesis::from_json(text).error().message; };
  EXPECT_EQ(message("["), "genesis: not JSON: incomplete JSON");
  EXPECT_EQ(message("{}"), "genesis: config is missing");
  EXPECT_NE(message(R"({"config":{"chainId":"x"}})").find("genesis: config: chainId: "), std::string::npos);
  EXPECT_NE(message(R"({"config":{},"gasLimit":"-1"})").find("gasLimit"), std::string::npos);
  EXPECT_NE(message(R"({"config":{},"alloc":{"0x01":{"balance":[]}}})").find("alloc: account 0x01: balance"),
            std::string::npos);
}

TEST(Alloc, RoundTrip) {
  Alloc alloc;
  alloc[Address{{1}}] = {3, uint256(7), {0x60, 0}, {{uint256(1), uint256(2)}}};
  alloc[Address{{2}}] = {0, uint256(), {}, {}};
  const auto back = read_alloc(write_alloc(alloc)).value();
  EXPECT_EQ(write_alloc(back), write_alloc(alloc));
  EXPECT_EQ(make_genesis_state(back)->root, make_genesis_state(alloc)->root);
}

}  // namespace
}  // namespace bonus::chain::eth
