// eth_simulateV1: blocks of calls on top of a block, each with overrides (execution-apis; the codes are geth's).
#pragma once

#include "bonus/chain/rpc/scene.hpp"

namespace bonus::chain::rpc {

struct SimulatedCall {
  evm::TransactionOutcome outcome;
  std::string error;      ///< For what is neither success nor revert.
  std::vector<Log> logs;  ///< With transfers among them when they are traced.
};
struct SimulatedBlock {
  StoredBlock stored;
  std::vector<SimulatedCall> calls;
};

/// One block as the request has it.
struct BlockRequest {
  BlockOverrides header;
  StateOverrides state;
  std::vector<CallArguments> calls;
};
struct SimulateRequest {
  std::vector<BlockRequest> blocks;
  bool trace_transfers = false;
  bool validation = false;
  bool full_transactions = false;
};

inline constexpr int kNonceTooLow = -38010;
inline constexpr int kNonceTooHigh = -38011;
inline constexpr int kFeeTooLow = -38012;
inline constexpr int kIntrinsicGas = -38013;
inline constexpr int kInsufficientFunds = -38014;
inline constexpr int kBlockGasLimit = -38015;
inline constexpr int kBlockNumber = -38020;
inline constexpr int kBlockTime = -38021;
inline constexpr int kInitCodeSize = -38025;
inline constexpr int kTooManyBlocks = -38026;
inline constexpr int kVmError = -32015;
inline constexpr int kInternalError = -32603;

/// Gaps between block numbers are filled with empty blocks. `base` is the block to begin on, `state` its state.
[[nodiscard]] Reply<std::vector<SimulatedBlock>> simulate(const Context& context, const StoredBlock& base,
                                                          const StateView& state, SimulateRequest request);

}  // namespace bonus::chain::rpc
