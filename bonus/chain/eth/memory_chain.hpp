// A chain of Ethereum in memory, side branches included: what a test of blocks needs.
#pragma once

#include <unordered_map>

#include "bonus/chain/eth/genesis.hpp"
#include "bonus/chain/eth/nodes.hpp"
#include "bonus/chain/eth/process.hpp"

namespace bonus::chain::eth {

/// Not thread-safe.
class MemoryChain final : public Ancestry {
 public:
  /// The state of `genesis` is that of its header, whatever the header is.
  MemoryChain(ChainConfig config, const Header& genesis, const state::StateDiff& state);

  /// Checks and adds a block on any block that is here. kInvalid says why it is refused; then nothing changed.
  [[nodiscard]] Result<Hash32> add(BytesView rlp);
  [[nodiscard]] Result<Ancestor> ancestor(const Hash32& hash) const override;
  /// Of the chain with the most total difficulty; the first one to have it under proof of work, the newest under proof
  /// of stake.
  [[nodiscard]] const Ancestor& head() const { return blocks_.at(head_); }
  [[nodiscard]] const NodesAndCode& nodes() const { return nodes_; }
  [[nodiscard]] const ChainConfig& config() const { return config_; }
  /// Called with each block that was added.
  std::function<void(const Block&, const ProcessedBlock&)> on_block;

 private:
  const ChainConfig config_;
  MemoryNodes nodes_;
  std::unordered_map<Hash32, Ancestor> blocks_;
  Hash32 head_;
  evm::ProgramCache programs_;
};

}  // namespace bonus::chain::eth
