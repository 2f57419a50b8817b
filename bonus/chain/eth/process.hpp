// A block of Ethereum against its parent: everything that makes it valid.
#pragma once

#include "bonus/chain/api/ethereum_block.hpp"
#include "bonus/chain/eth/execution.hpp"
#include "bonus/chain/eth/header_rules.hpp"

namespace bonus::chain::eth {

/// Hashes of the blocks before one, found by walking up from its parent. Thread-safe as far as `ancestry` is.
class ParentHashes final : public BlockHashes {
 public:
  ParentHashes(const Ancestry& ancestry, const Header& parent, const Hash32& parent_hash)
      : ancestry_(ancestry), parent_(parent), parent_hash_(parent_hash) {}
  [[nodiscard]] Hash32 block_hash(std::uint64_t number) const override;

 private:
  const Ancestry& ancestry_;
  const Header parent_;
  const Hash32 parent_hash_;
};

/// Senders by the rules of the block's fork. kInvalid names the transaction.
[[nodiscard]] Result<Block> with_senders(BareEthereumBlock bare, const ChainConfig& config);

struct ProcessedBlock {
  std::vector<Receipt> receipts;
  std::vector<Bytes> requests;
  state::StateDiff state;
};
/// All rules but the proof of work: header, body, execution, roots. `base` is the parent's state and `nodes` has it.
/// kInvalid names the field or transaction; any other code means that the block could not be judged.
[[nodiscard]] Result<ProcessedBlock> process_block(const Block& block, const Ancestor& parent,
                                                   const ChainConfig& config, const StateView& base,
                                                   const state::NodeSource& nodes, const Ancestry& ancestry,
                                                   const ExecutionOptions& options = {});
/// The part of it that executes, without any comparison with the header.
[[nodiscard]] Result<ProcessedBlock> execute_block(const Block& block, BlockExecution& execution,
                                                   const ChainConfig& config);

[[nodiscard]] Hash32 transactions_root(const std::vector<TransactionPtr>& transactions);
[[nodiscard]] Hash32 receipts_root(const std::vector<Receipt>& receipts);
[[nodiscard]] Hash32 withdrawals_root(const std::vector<Withdrawal>& withdrawals);
[[nodiscard]] Bloom logs_bloom(const std::vector<Receipt>& receipts);

}  // namespace bonus::chain::eth
