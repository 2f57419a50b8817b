// Golden files: what version 1 of the genesis file and of blocks looks like must never change without a new version.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/genesis.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

std::string golden(const std::string& name) {
  std::ifstream in("bonus/chain/api/testdata/" + name, std::ios::binary);
  EXPECT_TRUE(in.good()) << name;
  return {std::istreambuf_iterator<char>(in), {}};
}

TEST(Golden, GenesisFile) {
  const std::string text = golden("genesis_v1.json");
  EXPECT_EQ(Genesis::from_json(text).value().to_json(), text);
  EXPECT_EQ(to_hex(crypto::keccak256(as_bytes(text))),
            "645323c014dd85bc3a169e95078f6f99ff0d13a4b6de44a6e5bb8fdf32f308a8");
}

TEST(Golden, Block) {
  std::string text = golden("block_v1.hex");
  std::erase(text, '\n');
  const Bytes raw = from_hex(text).value();
  const Block block = Block::decode(raw).value();
  EXPECT_EQ(block.encode(), raw);
  EXPECT_EQ(to_hex(block.header.hash()), "08b80dba07f3a0aa06e46be98b303ec7d8bf266948bb33267f95d6691f07f0b0");
  EXPECT_EQ(block.transactions.at(0)->tx.type, 0);
  EXPECT_EQ(block.transactions.at(1)->tx.type, 2);
  const ExtraData extra = ExtraData::decode(block.header.extra_data).value();
  EXPECT_EQ(extra.encode(), block.header.extra_data);
  EXPECT_EQ(to_hex(system_log_hash(1)), "ed898ed9d61ad92b66d61aecf32ff8d5e30f4498421640608e04b780787300dd");
}

}  // namespace
}  // namespace bonus::chain
