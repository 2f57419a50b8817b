// Ethereum's block tests: ethereum/tests BlockchainTests and the blockchain_tests and blockchain_tests_engine of
// execution-spec-tests.
#pragma once

#include <string>
#include <vector>

#include "bonus/chain/eth/genesis.hpp"

namespace bonus::chain::eth {

struct BlockTest {
  std::string name, network;
  ChainConfig config;
  bool known_network = true;  ///< False: the rules of the network are not known here; the test cannot run.
  Header genesis;
  Hash32 genesis_hash;
  Alloc pre;
  struct Item {
    Bytes rlp;             ///< Empty: `unbuildable`.
    bool invalid = false;  ///< Must be refused.
    std::string expected;  ///< The exception that the file names, for messages.
    /// Why the item cannot be a block at all (the engine form only): it counts as refused.
    std::string unbuildable;
  };
  std::vector<Item> blocks;
  Hash32 last_hash;
  std::optional<Alloc> post;
  std::optional<Hash32> post_root;
};

/// All tests of a file. kInvalid names the test and field.
[[nodiscard]] Result<std::vector<BlockTest>> read_block_tests(std::string_view text);
/// Nothing when the test passes, else why it fails, naming the block.
[[nodiscard]] std::optional<std::string> run_block_test(const BlockTest& test);

/// A header as test files write it ("coinbase", "transactionsTrie", "bloom", ...); its form follows from its fields.
[[nodiscard]] Result<Header> read_test_header(const boost::json::object& object);
/// An engine_newPayload call as a block; its error says why it is none. `params` as in the call.
[[nodiscard]] Result<Bytes> block_of_payload(const boost::json::array& params, std::uint64_t version,
                                             const ChainConfig& config);

}  // namespace bonus::chain::eth
