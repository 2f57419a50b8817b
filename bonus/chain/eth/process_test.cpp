// The chain of execution-apis under its own genesis: every fork from Frontier to Osaka with its roots.
#include "bonus/chain/eth/process.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/memory_chain.hpp"
#include "bonus/codec/rlp.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::eth {
namespace {

constexpr const char* kFolder = "../shared/vectors/execution-apis";

struct Files {
  EthGenesis genesis;
  std::string chain;
  [[nodiscard]] std::vector<BytesView> blocks() const {
    std::vector<BytesView> out;
    rlp::Decoder d(as_bytes(chain));
    while (!d.at_end()) out.push_back(d.raw_item().value());
    return out;
  }
};

Files load() {
  return {EthGenesis::from_json(read_file(std::string(kFolder) + "/genesis.json").value()).value(),
          read_file(std::string(kFolder) + "/chain.rlp").value()};
}

TEST(ProcessBlock, EveryBlockOfTheExecutionApisChain) {
  BONUS_NEED_VECTORS(kFolder, 54);
  const Files files = load();
  MemoryChain chain(files.genesis.config, files.genesis.header, files.genesis.state);
  std::set<Revision> seen;
  for (const BytesView raw : files.blocks()) {
    const auto added = chain.add(raw);
    ASSERT_TRUE(added.has_value()) << "block " << chain.head().header.number + 1 << ": " << added.error().message;
    seen.insert(files.genesis.config.of(chain.head().header).revision);
  }
  EXPECT_EQ(chain.head().header.number, 54u);
  EXPECT_EQ(to_hex0x(chain.head().hash), "0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7");
  EXPECT_EQ(seen.size(), 14u);  // all but Frontier
}

}  // namespace
}  // namespace bonus::chain::eth
