// Tables of the instructions. Static gas: Yellow Paper, appendix G; EIP-150, 160, 1884, 2929 (where the account and
// slot costs become dynamic: the warm cost is the static part).
#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::evm {
namespace {

constexpr std::array<std::string_view, 16> kDupNames{"DUP1",  "DUP2",  "DUP3",  "DUP4",  "DUP5",  "DUP6",
                                                     "DUP7",  "DUP8",  "DUP9",  "DUP10", "DUP11", "DUP12",
                                                     "DUP13", "DUP14", "DUP15", "DUP16"};
constexpr std::array<std::string_view, 16> kSwapNames{"SWAP1",  "SWAP2",  "SWAP3",  "SWAP4",  "SWAP5",  "SWAP6",
                                                      "SWAP7",  "SWAP8",  "SWAP9",  "SWAP10", "SWAP11", "SWAP12",
                                                      "SWAP13", "SWAP14", "SWAP15", "SWAP16"};
constexpr std::array<std::string_view, 32> kPushNames{
    "PUSH1",  "PUSH2",  "PUSH3",  "PUSH4",  "PUSH5",  "PUSH6",  "PUSH7",  "PUSH8",  "PUSH9",  "PUSH10", "PUSH11",
    "PUSH12", "PUSH13", "PUSH14", "PUSH15", "PUSH16", "PUSH17", "PUSH18", "PUSH19", "PUSH20", "PUSH21", "PUSH22",
    "PUSH23", "PUSH24", "PUSH25", "PUSH26", "PUSH27", "PUSH28", "PUSH29", "PUSH30", "PUSH31", "PUSH32"};

constexpr std::array<OpInfo, 256> make_infos() {
  std::array<OpInfo, 256> t{};
  using R = Revision;
  t[OP_STOP] = {"STOP", 0, 0};
  t[OP_ADD] = {"ADD", 2, -1};
  t[OP_MUL] = {"MUL", 2, -1};
  t[OP_SUB] = {"SUB", 2, -1};
  t[OP_DIV] = {"DIV", 2, -1};
  t[OP_SDIV] = {"SDIV", 2, -1};
  t[OP_MOD] = {"MOD", 2, -1};
  t[OP_SMOD] = {"SMOD", 2, -1};
  t[OP_ADDMOD] = {"ADDMOD", 3, -2};
  t[OP_MULMOD] = {"MULMOD", 3, -2};
  t[OP_EXP] = {"EXP", 2, -1};
  t[OP_SIGNEXTEND] = {"SIGNEXTEND", 2, -1};
  t[OP_LT] = {"LT", 2, -1};
  t[OP_GT] = {"GT", 2, -1};
  t[OP_SLT] = {"SLT", 2, -1};
  t[OP_SGT] = {"SGT", 2, -1};
  t[OP_EQ] = {"EQ", 2, -1};
  t[OP_ISZERO] = {"ISZERO", 1, 0};
  t[OP_AND] = {"AND", 2, -1};
  t[OP_OR] = {"OR", 2, -1};
  t[OP_XOR] = {"XOR", 2, -1};
  t[OP_NOT] = {"NOT", 1, 0};
  t[OP_BYTE] = {"BYTE", 2, -1};
  t[OP_SHL] = {"SHL", 2, -1, R::kConstantinople};
  t[OP_SHR] = {"SHR", 2, -1, R::kConstantinople};
  t[OP_SAR] = {"SAR", 2, -1, R::kConstantinople};
  t[OP_CLZ] = {"CLZ", 1, 0, R::kOsaka};
  t[OP_KECCAK256] = {"KECCAK256", 2, -1};
  t[OP_ADDRESS] = {"ADDRESS", 0, 1};
  t[OP_BALANCE] = {"BALANCE", 1, 0};
  t[OP_ORIGIN] = {"ORIGIN", 0, 1};
  t[OP_CALLER] = {"CALLER", 0, 1};
  t[OP_CALLVALUE] = {"CALLVALUE", 0, 1};
  t[OP_CALLDATALOAD] = {"CALLDATALOAD", 1, 0};
  t[OP_CALLDATASIZE] = {"CALLDATASIZE", 0, 1};
  t[OP_CALLDATACOPY] = {"CALLDATACOPY", 3, -3};
  t[OP_CODESIZE] = {"CODESIZE", 0, 1};
  t[OP_CODECOPY] = {"CODECOPY", 3, -3};
  t[OP_GASPRICE] = {"GASPRICE", 0, 1};
  t[OP_EXTCODESIZE] = {"EXTCODESIZE", 1, 0};
  t[OP_EXTCODECOPY] = {"EXTCODECOPY", 4, -4};
  t[OP_RETURNDATASIZE] = {"RETURNDATASIZE", 0, 1, R::kByzantium};
  t[OP_RETURNDATACOPY] = {"RETURNDATACOPY", 3, -3, R::kByzantium};
  t[OP_EXTCODEHASH] = {"EXTCODEHASH", 1, 0, R::kConstantinople};
  t[OP_BLOCKHASH] = {"BLOCKHASH", 1, 0};
  t[OP_COINBASE] = {"COINBASE", 0, 1};
  t[OP_TIMESTAMP] = {"TIMESTAMP", 0, 1};
  t[OP_NUMBER] = {"NUMBER", 0, 1};
  t[OP_PREVRANDAO] = {"DIFFICULTY", 0, 1};
  t[OP_GASLIMIT] = {"GASLIMIT", 0, 1};
  t[OP_CHAINID] = {"CHAINID", 0, 1, R::kIstanbul};
  t[OP_SELFBALANCE] = {"SELFBALANCE", 0, 1, R::kIstanbul};
  t[OP_BASEFEE] = {"BASEFEE", 0, 1, R::kLondon};
  t[OP_BLOBHASH] = {"BLOBHASH", 1, 0, R::kCancun};
  t[OP_BLOBBASEFEE] = {"BLOBBASEFEE", 0, 1, R::kCancun};
  t[OP_POP] = {"POP", 1, -1};
  t[OP_MLOAD] = {"MLOAD", 1, 0};
  t[OP_MSTORE] = {"MSTORE", 2, -2};
  t[OP_MSTORE8] = {"MSTORE8", 2, -2};
  t[OP_SLOAD] = {"SLOAD", 1, 0};
  t[OP_SSTORE] = {"SSTORE", 2, -2};
  t[OP_JUMP] = {"JUMP", 1, -1};
  t[OP_JUMPI] = {"JUMPI", 2, -2};
  t[OP_PC] = {"PC", 0, 1};
  t[OP_MSIZE] = {"MSIZE", 0, 1};
  t[OP_GAS] = {"GAS", 0, 1};
  t[OP_JUMPDEST] = {"JUMPDEST", 0, 0};
  t[OP_TLOAD] = {"TLOAD", 1, 0, R::kCancun};
  t[OP_TSTORE] = {"TSTORE", 2, -2, R::kCancun};
  t[OP_MCOPY] = {"MCOPY", 3, -3, R::kCancun};
  t[OP_PUSH0] = {"PUSH0", 0, 1, R::kShanghai};
  for (std::uint8_t i = 0; i < 32; ++i) t[OP_PUSH1 + i] = {kPushNames[i], 0, 1};
  for (std::uint8_t i = 0; i < 16; ++i) {
    t[OP_DUP1 + i] = {kDupNames[i], static_cast<std::uint8_t>(i + 1), 1};
    t[OP_SWAP1 + i] = {kSwapNames[i], static_cast<std::uint8_t>(i + 2), 0};
  }
  t[OP_LOG0] = {"LOG0", 2, -2};
  t[OP_LOG0 + 1] = {"LOG1", 3, -3};
  t[OP_LOG0 + 2] = {"LOG2", 4, -4};
  t[OP_LOG0 + 3] = {"LOG3", 5, -5};
  t[OP_LOG4] = {"LOG4", 6, -6};
  t[OP_CREATE] = {"CREATE", 3, -2};
  t[OP_CALL] = {"CALL", 7, -6};
  t[OP_CALLCODE] = {"CALLCODE", 7, -6};
  t[OP_RETURN] = {"RETURN", 2, -2};
  t[OP_DELEGATECALL] = {"DELEGATECALL", 6, -5, R::kHomestead};
  t[OP_CREATE2] = {"CREATE2", 4, -3, R::kConstantinople};
  t[OP_STATICCALL] = {"STATICCALL", 6, -5, R::kByzantium};
  t[OP_REVERT] = {"REVERT", 2, -2, R::kByzantium};
  t[OP_INVALID] = {"INVALID", 0, 0};
  t[OP_SELFDESTRUCT] = {"SELFDESTRUCT", 1, -1};
  return t;
}
constexpr std::array<OpInfo, 256> kInfos = make_infos();

constexpr void set(GasCosts& t, std::int16_t gas, std::initializer_list<std::uint8_t> ops) {
  for (const std::uint8_t op : ops) t[op] = gas;
}

constexpr GasCosts make_costs(Revision revision) {
  GasCosts t{};
  set(t, 0, {OP_STOP, OP_RETURN, OP_REVERT, OP_INVALID, OP_SELFDESTRUCT, OP_SSTORE});
  set(t, 2, {OP_ADDRESS,  OP_ORIGIN,    OP_CALLER, OP_CALLVALUE,  OP_CALLDATASIZE, OP_CODESIZE,       OP_GASPRICE,
             OP_COINBASE, OP_TIMESTAMP, OP_NUMBER, OP_PREVRANDAO, OP_GASLIMIT,     OP_RETURNDATASIZE, OP_POP,
             OP_PC,       OP_MSIZE,     OP_GAS,    OP_CHAINID,    OP_BASEFEE,      OP_BLOBBASEFEE,    OP_PUSH0});
  set(t, 3,
      {OP_ADD,
       OP_SUB,
       OP_NOT,
       OP_LT,
       OP_GT,
       OP_SLT,
       OP_SGT,
       OP_EQ,
       OP_ISZERO,
       OP_AND,
       OP_OR,
       OP_XOR,
       OP_BYTE,
       OP_SHL,
       OP_SHR,
       OP_SAR,
       OP_CALLDATALOAD,
       OP_MLOAD,
       OP_MSTORE,
       OP_MSTORE8,
       OP_CALLDATACOPY,
       OP_CODECOPY,
       OP_RETURNDATACOPY,
       OP_MCOPY,
       OP_BLOBHASH});
  set(t, 5, {OP_MUL, OP_DIV, OP_SDIV, OP_MOD, OP_SMOD, OP_SIGNEXTEND, OP_SELFBALANCE, OP_CLZ});
  set(t, 8, {OP_ADDMOD, OP_MULMOD, OP_JUMP});
  set(t, 10, {OP_JUMPI, OP_EXP});
  set(t, 20, {OP_BLOCKHASH, OP_BALANCE, OP_EXTCODESIZE, OP_EXTCODECOPY});
  set(t, 30, {OP_KECCAK256});
  set(t, 40, {OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_STATICCALL});
  set(t, 50, {OP_SLOAD});
  set(t, 100, {OP_TLOAD, OP_TSTORE});
  set(t, 400, {OP_EXTCODEHASH});
  set(t, 1, {OP_JUMPDEST});
  for (unsigned op = OP_PUSH1; op <= OP_SWAP16; ++op) t[op] = 3;
  for (unsigned i = 0; i <= 4; ++i) t[OP_LOG0 + i] = static_cast<std::int16_t>(375 * (i + 1));
  set(t, 32000, {OP_CREATE, OP_CREATE2});
  if (revision >= Revision::kTangerineWhistle) {  // EIP-150
    set(t, 700, {OP_EXTCODESIZE, OP_EXTCODECOPY, OP_CALL, OP_CALLCODE, OP_DELEGATECALL, OP_STATICCALL});
    set(t, 400, {OP_BALANCE});
    set(t, 200, {OP_SLOAD});
    set(t, 5000, {OP_SELFDESTRUCT});
  }
  if (revision >= Revision::kIstanbul) {  // EIP-1884
    set(t, 700, {OP_BALANCE, OP_EXTCODEHASH});
    set(t, 800, {OP_SLOAD});
  }
  if (revision >= Revision::kBerlin) {  // EIP-2929
    set(t, 100,
        {OP_BALANCE, OP_EXTCODESIZE, OP_EXTCODECOPY, OP_EXTCODEHASH, OP_SLOAD, OP_CALL, OP_CALLCODE, OP_DELEGATECALL,
         OP_STATICCALL});
  }
  for (unsigned op = 0; op < 256; ++op)
    if (kInfos[op].name.empty() || kInfos[op].since > revision) t[op] = kUndefined;
  return t;
}

constexpr std::array<GasCosts, kRevisionCount> make_all_costs() {
  std::array<GasCosts, kRevisionCount> out{};
  for (std::size_t i = 0; i < kRevisionCount; ++i) out[i] = make_costs(static_cast<Revision>(i));
  return out;
}
constexpr auto kCosts = make_all_costs();

}  // namespace

const std::array<OpInfo, 256>& op_infos() { return kInfos; }
const GasCosts& gas_costs(Revision revision) { return kCosts[static_cast<std::size_t>(revision)]; }

}  // namespace bonus::chain::evm
