// What a handler looks like, and the tables by which the translator finds them. Internal.
#pragma once

#include <array>

#include "bonus/chain/evm/frame.hpp"
#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/chain/evm/threaded.hpp"

#define BONUS_HANDLER(name) \
  __attribute__((preserve_none)) Status name(const Instruction* ip, uint256* sp, std::int64_t gas, Frame* frame)
#define BONUS_NEXT [[clang::musttail]] return ip[1].run(ip + 1, sp, gas, frame)
#define BONUS_GO(to) [[clang::musttail]] return (to)->run(to, sp, gas, frame)

namespace bonus::chain::evm {

/// Ends the frame: what is left of the gas is for the caller.
inline Status finish(Frame* frame, std::int64_t gas, Status status) {
  frame->gas = gas;
  return status;
}

/// Handlers of one instruction with two operands, alone and behind what often stands before it.
struct BinaryHandlers {
  Handler plain = nullptr;
  Handler small = nullptr;       ///< PUSH of at most 64 bits, op.
  Handler word = nullptr;        ///< PUSH of more, op.
  Handler swap_small = nullptr;  ///< PUSH, SWAP1, op.
  Handler swap_word = nullptr;
  Handler dup = nullptr;   ///< DUPn, op.
  Handler swap = nullptr;  ///< SWAP1, op.
};
/// Null handlers for an instruction that has none.
[[nodiscard]] const BinaryHandlers& binary_handlers(std::uint8_t op);

/// A comparison, or ISZERO, and a static jump on it; `negated` with an ISZERO between.
struct BranchHandlers {
  Handler plain = nullptr, negated = nullptr;
};
[[nodiscard]] const BranchHandlers& branch_handlers(std::uint8_t op);

/// Handlers of instructions that stand alone.
[[nodiscard]] const std::array<Handler, 256>& single_handlers();
[[nodiscard]] Handler undefined_handler();
[[nodiscard]] Handler bad_jump_handler();  ///< Where jumps to no JUMPDEST lead.
void set_stack_handlers(std::array<Handler, 256>& table);

struct FusedHandlers {
  Handler block = nullptr;         ///< Begins a basic block.
  Handler jumpdest_run = nullptr;  ///< Value: JUMPDESTs that follow.
  Handler push_small = nullptr, push_word = nullptr;
  Handler push_two = nullptr;  ///< Two pushes of at most 32 bits: value is second << 32 | first.
  Handler jump = nullptr;      ///< PUSH, JUMP.
  Handler jump_if = nullptr;   ///< PUSH, JUMPI.
  Handler load_at = nullptr;   ///< PUSH, MLOAD.
  Handler store_at = nullptr;  ///< PUSH, MSTORE.
  Handler dup_load = nullptr;  ///< DUPn, MLOAD.
  Handler swap_pop = nullptr;  ///< SWAPn, POP.
  Handler pop_many = nullptr;  ///< POP, POP, ...
  Handler dup_two = nullptr;   ///< DUPn, DUPm: value is m << 32 | n.
  Handler swap_two = nullptr;  ///< SWAPn, SWAPm.
};
[[nodiscard]] const FusedHandlers& fused_handlers();

}  // namespace bonus::chain::evm
