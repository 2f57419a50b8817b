// The EVM's instructions: numbers, stack effects, names (Yellow Paper, appendix H; EIPs where named).
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "bonus/chain/api/revision.hpp"

namespace bonus::chain::evm {

// Numbers, not an enum class: they index tables and are compared with bytes of code.
enum Op : std::uint8_t {
  OP_STOP = 0x00,
  OP_ADD,
  OP_MUL,
  OP_SUB,
  OP_DIV,
  OP_SDIV,
  OP_MOD,
  OP_SMOD,
  OP_ADDMOD,
  OP_MULMOD,
  OP_EXP,
  OP_SIGNEXTEND,
  OP_LT = 0x10,
  OP_GT,
  OP_SLT,
  OP_SGT,
  OP_EQ,
  OP_ISZERO,
  OP_AND,
  OP_OR,
  OP_XOR,
  OP_NOT,
  OP_BYTE,
  OP_SHL,
  OP_SHR,
  OP_SAR,
  OP_CLZ,  ///< EIP-7939.
  OP_KECCAK256 = 0x20,
  OP_ADDRESS = 0x30,
  OP_BALANCE,
  OP_ORIGIN,
  OP_CALLER,
  OP_CALLVALUE,
  OP_CALLDATALOAD,
  OP_CALLDATASIZE,
  OP_CALLDATACOPY,
  OP_CODESIZE,
  OP_CODECOPY,
  OP_GASPRICE,
  OP_EXTCODESIZE,
  OP_EXTCODECOPY,
  OP_RETURNDATASIZE,
  OP_RETURNDATACOPY,
  OP_EXTCODEHASH,
  OP_BLOCKHASH = 0x40,
  OP_COINBASE,
  OP_TIMESTAMP,
  OP_NUMBER,
  OP_PREVRANDAO,  ///< DIFFICULTY before Paris.
  OP_GASLIMIT,
  OP_CHAINID,
  OP_SELFBALANCE,
  OP_BASEFEE,
  OP_BLOBHASH,     ///< EIP-4844.
  OP_BLOBBASEFEE,  ///< EIP-7516.
  OP_POP = 0x50,
  OP_MLOAD,
  OP_MSTORE,
  OP_MSTORE8,
  OP_SLOAD,
  OP_SSTORE,
  OP_JUMP,
  OP_JUMPI,
  OP_PC,
  OP_MSIZE,
  OP_GAS,
  OP_JUMPDEST,
  OP_TLOAD,  ///< EIP-1153.
  OP_TSTORE,
  OP_MCOPY,  ///< EIP-5656.
  OP_PUSH0,  ///< EIP-3855.
  OP_PUSH1 = 0x60,
  OP_PUSH32 = 0x7f,
  OP_DUP1 = 0x80,
  OP_DUP16 = 0x8f,
  OP_SWAP1 = 0x90,
  OP_SWAP16 = 0x9f,
  OP_LOG0 = 0xa0,
  OP_LOG4 = 0xa4,
  OP_CREATE = 0xf0,
  OP_CALL,
  OP_CALLCODE,
  OP_RETURN,
  OP_DELEGATECALL,
  OP_CREATE2,
  OP_STATICCALL = 0xfa,
  OP_REVERT = 0xfd,
  OP_INVALID = 0xfe,
  OP_SELFDESTRUCT = 0xff,
};

struct OpInfo {
  std::string_view name;   ///< As geth writes it; empty for a number that is no instruction.
  std::uint8_t pops = 0;   ///< Items that must be there.
  std::int8_t change = 0;  ///< Of the stack height.
  Revision since = Revision::kFrontier;
};
[[nodiscard]] const std::array<OpInfo, 256>& op_infos();

/// Static gas of each instruction under a rule set; kUndefined where it does not exist.
inline constexpr std::int16_t kUndefined = -1;
using GasCosts = std::array<std::int16_t, 256>;
[[nodiscard]] const GasCosts& gas_costs(Revision revision);

[[nodiscard]] constexpr unsigned push_size(std::uint8_t op) {
  return op >= OP_PUSH1 && op <= OP_PUSH32 ? op - OP_PUSH1 + 1u : 0u;
}

}  // namespace bonus::chain::evm
