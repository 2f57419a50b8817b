// Blocks against their parents: the chain of execution-apis with its roots from Homestead to Osaka, and what happens
// when any field of a block is changed.
#include "bonus/chain/eth/process.hpp"

#include <gmock/gmock.h>

#include "bonus/chain/eth/chain_testing.hpp"

namespace bonus::chain::eth {
namespace {

using ::testing::HasSubstr;

TEST(ProcessBlock, EveryBlockOfTheExecutionApisChain) {
  BONUS_NEED_VECTORS(testing::kExecutionApis, testing::kExecutionApisFiles);
  const auto files = testing::load_execution_apis();
  MemoryChain chain(files.genesis.config, files.genesis.header, files.genesis.state);
  std::set<Revision> seen;
  for (const Bytes& raw : files.blocks()) {
    const auto added = chain.add(raw);
    ASSERT_TRUE(added.has_value()) << "block " << chain.head().header.number + 1 << ": " << added.error().message;
    seen.insert(files.genesis.config.of(chain.head().header).revision);
  }
  EXPECT_EQ(chain.head().header.number, 54u);
  EXPECT_EQ(to_hex0x(chain.head().hash), "0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7");
  EXPECT_EQ(seen.size(), 14u);  // all but Frontier
}

struct Change {
  const char* field;
  void (*apply)(Header&);
};
constexpr std::array kChanges{
    Change{"parentHash", [](Header& h) { h.parent_hash.bytes[0] ^= 1; }},
    Change{"sha3Uncles", [](Header& h) { h.ommers_hash.bytes[0] ^= 1; }},
    Change{"stateRoot", [](Header& h) { h.state_root.bytes[0] ^= 1; }},
    Change{"transactionsRoot", [](Header& h) { h.transactions_root.bytes[0] ^= 1; }},
    Change{"receiptsRoot", [](Header& h) { h.receipts_root.bytes[0] ^= 1; }},
    Change{"logsBloom", [](Header& h) { h.logs_bloom.bytes[0] ^= 1; }},
    Change{"difficulty", [](Header& h) { h.difficulty += uint256(1); }},
    Change{"number", [](Header& h) { ++h.number; }},
    Change{"gasLimit", [](Header& h) { h.gas_limit += h.gas_limit / 1000; }},
    Change{"gasLimit", [](Header& h) { h.gas_limit = 4999; }},
    Change{"gasUsed", [](Header& h) { h.gas_used = h.gas_limit + 1; }},
    Change{"gasUsed", [](Header& h) { ++h.gas_used; }},
    Change{"timestamp", [](Header& h) { h.timestamp = 0; }},
    Change{"extraData", [](Header& h) { h.extra_data.resize(33); }},
    Change{"nonce", [](Header& h) { h.nonce = 1; }},
    Change{"baseFeePerGas", [](Header& h) { h.base_fee += uint256(1); }},
    Change{"withdrawalsRoot", [](Header& h) { h.withdrawals_root.bytes[0] ^= 1; }},
    Change{"blobGasUsed", [](Header& h) { h.blob_gas_used += kGasPerBlob; }},
    Change{"blobGasUsed", [](Header& h) { ++h.blob_gas_used; }},
    Change{"excessBlobGas", [](Header& h) { ++h.excess_blob_gas; }},
    Change{"stateRoot", [](Header& h) { h.parent_beacon_root.bytes[0] ^= 1; }},  // it goes into the state
    Change{"requestsHash", [](Header& h) { h.requests_hash.bytes[0] ^= 1; }},
    Change{"fields", [](Header& h) { h.form = HeaderForm::kCancun; }},
};

TEST(ProcessBlock, EveryChangedFieldIsNamed) {
  BONUS_NEED_VECTORS(testing::kExecutionApis, testing::kExecutionApisFiles);
  const auto files = testing::load_execution_apis();
  MemoryChain chain(files.genesis.config, files.genesis.header, files.genesis.state);
  const auto blocks = files.blocks();
  for (std::size_t i = 0; i + 1 < blocks.size(); ++i) ASSERT_TRUE(chain.add(blocks[i]).has_value());
  const Block last = with_senders(decode_ethereum_block(blocks.back()).value(), chain.config()).value();
  for (const Change& change : kChanges) {
    Block block = last;
    change.apply(block.header);
    const auto added = chain.add(encode_ethereum_block(block));
    ASSERT_FALSE(added.has_value()) << change.field;
    EXPECT_EQ(added.error().code, ErrorCode::kInvalid);
    EXPECT_THAT(added.error().message, HasSubstr(change.field));
  }
  EXPECT_TRUE(chain.add(blocks.back()).has_value());
}

/// A chain without forks whose first block stands on `alloc`.
MemoryChain young_chain(std::string_view network, const Alloc& alloc = {}) {
  const ChainConfig config = ChainConfig::of_network(network).value();
  const auto state = make_genesis_state(alloc).value();
  Header genesis;
  genesis.ommers_hash = kEmptyOmmersHash;
  genesis.transactions_root = genesis.receipts_root = kEmptyTrieRoot;
  genesis.state_root = state.root;
  genesis.gas_limit = 30'000'000;
  genesis.difficulty = config.terminal_total_difficulty == uint256() ? uint256() : uint256(200'000);
  genesis.form = config.of(genesis).form;
  genesis.base_fee = genesis.has(HeaderForm::kLondon) ? uint256(1'000'000'000) : uint256();
  return {config, genesis, state};
}

uint256 balance(const MemoryChain& chain, const Address& address) {
  const NodeView view(chain.nodes(), chain.head().header.state_root);
  return view.account(address).balance;
}

constexpr Address kSomebody = {{1, 2, 3}};

TEST(ProcessBlock, OmmersAreCheckedAndPaid) {
  MemoryChain chain = young_chain("Byzantium");
  ASSERT_TRUE(chain.add(encode_ethereum_block(testing::next_block(chain))).has_value());
  Header ommer = testing::next_block(chain).header;  // a brother of block 2
  ommer.beneficiary = kSomebody;
  ASSERT_TRUE(chain.add(encode_ethereum_block(testing::next_block(chain))).has_value());
  const Block good = testing::next_block(chain, {}, {}, {ommer});

  Header twisted = ommer;
  twisted.difficulty += uint256(1);
  Header own = chain.head().header;
  Header stranger = ommer;
  stranger.parent_hash.bytes[0] ^= 1;
  for (const auto& ommers : {std::vector{ommer, ommer}, {twisted}, {own}, {stranger}, {ommer, ommer, ommer}})
    EXPECT_FALSE(chain.add(encode_ethereum_block(testing::next_block(chain, {}, {}, ommers))).has_value());
  const uint256 before = balance(chain, Address());
  ASSERT_TRUE(chain.add(encode_ethereum_block(good)).has_value());
  const uint256 ether(1'000'000'000'000'000'000);
  EXPECT_EQ(balance(chain, kSomebody), uint256(3) * ether * uint256(7) / uint256(8));
  EXPECT_EQ(balance(chain, Address()) - before, uint256(3) * ether + uint256(3) * ether / uint256(32));
  // Once only.
  EXPECT_FALSE(chain.add(encode_ethereum_block(testing::next_block(chain, {}, {}, {ommer}))).has_value());
}

TEST(ProcessBlock, WithdrawalsArePaidInGwei) {
  MemoryChain chain = young_chain("Shanghai");
  const Block block = testing::next_block(chain, {}, {{0, 7, kSomebody, 3}, {1, 8, kSomebody, 4}});
  ASSERT_TRUE(chain.add(encode_ethereum_block(block)).has_value());
  EXPECT_EQ(balance(chain, kSomebody), uint256(7'000'000'000));
}

TEST(ProcessBlock, PragueNeedsItsRequestContracts) {
  MemoryChain chain = young_chain("Prague");
  Block block;
  block.header = chain.head().header;
  block.header.parent_hash = chain.head().hash;
  ++block.header.number;
  ++block.header.timestamp;
  block.header.base_fee = next_base_fee(chain.head().header, chain.config().of(block.header));
  const auto added = chain.add(encode_ethereum_block(block));
  ASSERT_FALSE(added.has_value());
  EXPECT_THAT(added.error().message, HasSubstr("contract is missing"));
}

TEST(ProcessBlock, LondonDoublesTheGasLimitAndTheMergeEndsTheWork) {
  MemoryChain london = young_chain("BerlinToLondonAt5");
  for (int i = 0; i < 6; ++i) ASSERT_TRUE(london.add(encode_ethereum_block(testing::next_block(london))).has_value());
  EXPECT_EQ(london.head().header.gas_limit, 60'000'000u);
  EXPECT_LT(london.head().header.base_fee, uint256(1'000'000'000));

  MemoryChain merge = young_chain("ArrowGlacierToParisAtDiff80000");
  int mined = 0;
  for (int i = 0; i < 8; ++i) {
    const Block block = testing::next_block(merge);
    mined += block.header.difficulty.is_zero() ? 0 : 1;
    ASSERT_TRUE(merge.add(encode_ethereum_block(block)).has_value());
  }
  EXPECT_EQ(mined, 2);  // 200,000 of the genesis block and two more pass 0x80000
}

TEST(NextDifficulty, FollowsEachForksFormula) {
  Header parent;
  parent.difficulty = uint256(2'048'000);
  parent.timestamp = 1000;
  parent.ommers_hash = kEmptyOmmersHash;
  const auto at = [&](const char* network, UnixSeconds timestamp) {
    return next_difficulty(parent, timestamp, ChainConfig::of_network(network).value().at(1, timestamp, false)).low64();
  };
  EXPECT_EQ(at("Frontier", 1012), 2'049'000u);
  EXPECT_EQ(at("Frontier", 1013), 2'047'000u);
  EXPECT_EQ(at("Homestead", 1009), 2'049'000u);
  EXPECT_EQ(at("Homestead", 1025), 2'047'000u);
  EXPECT_EQ(at("Homestead", 5000), 2'048'000u - 99'000u);
  EXPECT_EQ(at("Byzantium", 1009), 2'048'000u);
  parent.ommers_hash = Hash32();
  EXPECT_EQ(at("Byzantium", 1008), 2'050'000u);
  parent.number = 3'300'000 - 1;  // the bomb: period 33 without a delay, 3 with Byzantium's
  EXPECT_EQ(at("Homestead", 1009), 2'049'000u + (1ull << 31));
  EXPECT_EQ(at("Byzantium", 1008), 2'050'000u + 2);
  EXPECT_EQ(at("Constantinople", 1008), 2'050'000u);
}

}  // namespace
}  // namespace bonus::chain::eth
