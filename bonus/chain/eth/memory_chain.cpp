// Blocks in memory.
#include "bonus/chain/eth/memory_chain.hpp"

#include <fmt/format.h>

namespace bonus::chain::eth {

MemoryChain::MemoryChain(ChainConfig config, const Header& genesis, const state::StateDiff& state)
    : config_(std::move(config)), head_(genesis.hash()) {
  nodes_.add(state);
  blocks_.emplace(head_, Ancestor{genesis, head_, genesis.difficulty, {}});
}

Result<Ancestor> MemoryChain::ancestor(const Hash32& hash) const {
  const auto found = blocks_.find(hash);
  if (found == blocks_.end()) return fail(ErrorCode::kNotFound, fmt::format("block {} is unknown", to_hex0x(hash)));
  return found->second;
}

Result<Hash32> MemoryChain::add(BytesView rlp) {
  TRY_ASSIGN(BareEthereumBlock bare, decode_ethereum_block(rlp));
  TRY_ASSIGN(const Block block, with_senders(std::move(bare), config_));
  const Hash32 hash = block.header.hash();
  const auto parent = blocks_.find(block.header.parent_hash);
  if (parent == blocks_.end()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("header field parentHash: no block {}", to_hex0x(block.header.parent_hash)));
  }
  const NodeView base(nodes_, parent->second.header.state_root);
  TRY_ASSIGN(const ProcessedBlock done, process_block(block, parent->second, config_, base, nodes_, *this,
                                                      {.programs = &programs_, .tracer = nullptr}));
  nodes_.add(done.state);
  const uint256 total = parent->second.total_difficulty + block.header.difficulty;
  const bool better = block.header.difficulty.is_zero() || total > head().total_difficulty;
  blocks_.emplace(hash, Ancestor{block.header, hash, total, block.ommers});
  if (better) head_ = hash;
  if (on_block) on_block(block, done);
  return hash;
}

}  // namespace bonus::chain::eth
