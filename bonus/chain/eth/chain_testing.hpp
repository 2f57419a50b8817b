// The chain of execution-apis for tests, and blocks made for a test. Included by tests only.
#pragma once

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/memory_chain.hpp"
#include "bonus/chain/eth/requests.hpp"
#include "bonus/codec/rlp.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain::eth::testing {

inline constexpr const char* kExecutionApis = "../shared/vectors/execution-apis";
inline constexpr std::size_t kExecutionApisFiles = 54;

struct ChainFiles {
  std::string genesis_json, chain_rlp;
  EthGenesis genesis;
  [[nodiscard]] std::vector<Bytes> blocks() const {
    std::vector<Bytes> out;
    for (rlp::Decoder d(as_bytes(chain_rlp)); !d.at_end();) {
      const auto raw = d.raw_item().value();
      out.emplace_back(raw.begin(), raw.end());
    }
    return out;
  }
};
inline ChainFiles load_execution_apis() {
  ChainFiles out;
  out.genesis_json = read_file(std::string(kExecutionApis) + "/genesis.json").value();
  out.chain_rlp = read_file(std::string(kExecutionApis) + "/chain.rlp").value();
  out.genesis = EthGenesis::from_json(out.genesis_json).value();
  return out;
}

/// A folder of its own, gone afterwards.
class TemporaryFolder {
 public:
  explicit TemporaryFolder(const std::string& name)
      : path_(std::filesystem::temp_directory_path() / (name + "-" + std::to_string(::getpid()))) {
    std::filesystem::remove_all(path_);
  }
  ~TemporaryFolder() { std::filesystem::remove_all(path_); }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] std::string str() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

/// A valid block after the head of `chain`, twelve seconds later, with these transactions, ommers and withdrawals.
inline Block next_block(const MemoryChain& chain, std::vector<TransactionPtr> transactions = {},
                        std::vector<Withdrawal> withdrawals = {}, std::vector<Header> ommers = {}) {
  const Ancestor& parent = chain.head();
  const ChainConfig& config = chain.config();
  Block block;
  Header& h = block.header;
  h.parent_hash = parent.hash;
  h.number = parent.header.number + 1;
  h.timestamp = parent.header.timestamp + 12;
  const auto& terminal = config.terminal_total_difficulty;
  const Rules rules = config.at(h.number, h.timestamp, terminal && parent.total_difficulty >= *terminal);
  h.form = rules.form;
  h.gas_limit = rules.fork_block_of_london ? parent.header.gas_limit * 2 : parent.header.gas_limit;
  if (!rules.since(Revision::kParis)) h.difficulty = next_difficulty(parent.header, h.timestamp, rules);
  h.base_fee = next_base_fee(parent.header, rules);
  h.excess_blob_gas = next_excess_blob_gas(parent.header, rules);
  h.ommers_hash = ommers_hash(ommers);
  h.transactions_root = transactions_root(transactions);
  h.withdrawals_root = withdrawals_root(withdrawals);
  block.transactions = std::move(transactions);
  block.withdrawals = std::move(withdrawals);
  block.ommers = std::move(ommers);

  const NodeView base(chain.nodes(), parent.header.state_root);
  const ParentHashes hashes(chain, parent.header, parent.hash);
  BlockExecution execution(base, chain.nodes(), parent.header.state_root,
                           make_context(h, rules, config.chain_id, &hashes), rules);
  const ProcessedBlock done = execute_block(block, execution, config).value();
  h.gas_used = execution.gas_used();
  h.blob_gas_used = execution.blob_gas_used();
  h.receipts_root = receipts_root(done.receipts);
  h.logs_bloom = logs_bloom(done.receipts);
  h.requests_hash = requests_hash(done.requests);
  h.state_root = done.state.root;
  return block;
}

}  // namespace bonus::chain::eth::testing
