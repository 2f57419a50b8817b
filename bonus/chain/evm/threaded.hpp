// Bytecode translated for the fast interpreter: one handler per instruction or common sequence, gas and stack checked
// once per basic block. Internal.
#pragma once

#include <cstdint>
#include <vector>

#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/evm/message.hpp"

namespace bonus::chain::evm {

struct Frame;
struct Instruction;

/// Handlers call each other in tail position; the four values stay in registers. `sp` is the top item of the stack.
using Handler = Status(__attribute__((preserve_none)) *)(const Instruction* ip, uint256* sp, std::int64_t gas,
                                                         Frame* frame);

struct Instruction {
  /// What a basic block needs before it runs.
  struct Block {
    std::uint32_t gas;
    std::uint16_t need;   ///< Items on the stack.
    std::uint16_t slack;  ///< need + slack is the height at which it would overflow.
  };
  Handler run;
  union {
    std::uint64_t value;
    const uint256* word;
    const Instruction* target;  ///< Of a jump; null when it leads nowhere.
    Block block;
  };
};

/// Immutable after build().
struct Threaded {
  static constexpr std::int32_t kNoTarget = -1;
  std::vector<Instruction> code;      ///< Ends with STOP.
  std::vector<uint256> words;         ///< Constants of more than 64 bits.
  std::vector<std::int32_t> targets;  ///< pc -> index in `code`; kNoTarget where no JUMPDEST is.
  Revision revision = Revision::kFrontier;

  /// Gas left in the block is exact only at its end: instructions that look at gas end their block.
  [[nodiscard]] static Threaded build(BytesView code, Revision revision);
};

}  // namespace bonus::chain::evm
