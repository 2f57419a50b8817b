// Handlers that touch the stack and memory only: arithmetic, comparisons, pushes, jumps.
#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/evm/threaded_handlers.hpp"
#include "bonus/chain/evm/threaded_math.hpp"

namespace bonus::chain::evm {
namespace {

// --- two operands

template <class F>
BONUS_HANDLER(plain) {
  sp[-1] = F::of(sp[0], sp[-1]);
  --sp;
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(small) {
  sp[0] = F::of(uint256(ip->value), sp[0]);
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(word) {
  sp[0] = F::of(*ip->word, sp[0]);
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(swap_small) {
  sp[0] = F::of(sp[0], uint256(ip->value));
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(swap_word) {
  sp[0] = F::of(sp[0], *ip->word);
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(dup) {
  sp[0] = F::of(*(sp - ip->value), sp[0]);
  BONUS_NEXT;
}
template <class F>
BONUS_HANDLER(swap) {
  sp[-1] = F::of(sp[-1], sp[0]);
  --sp;
  BONUS_NEXT;
}
template <class F>
constexpr BinaryHandlers binary() {
  return {plain<F>, small<F>, word<F>, swap_small<F>, swap_word<F>, dup<F>, swap<F>};
}

constexpr std::array<BinaryHandlers, 32> make_binary() {
  std::array<BinaryHandlers, 32> t{};
  t[OP_ADD] = binary<fast::Add>();
  t[OP_MUL] = binary<fast::Mul>();
  t[OP_SUB] = binary<fast::Sub>();
  t[OP_DIV] = binary<fast::Div>();
  t[OP_SDIV] = binary<fast::Sdiv>();
  t[OP_MOD] = binary<fast::Mod>();
  t[OP_SMOD] = binary<fast::Smod>();
  t[OP_SIGNEXTEND] = binary<fast::SignExtend>();
  t[OP_LT] = binary<fast::Lt>();
  t[OP_GT] = binary<fast::Gt>();
  t[OP_SLT] = binary<fast::Slt>();
  t[OP_SGT] = binary<fast::Sgt>();
  t[OP_EQ] = binary<fast::Eq>();
  t[OP_AND] = binary<fast::And>();
  t[OP_OR] = binary<fast::Or>();
  t[OP_XOR] = binary<fast::Xor>();
  t[OP_BYTE] = binary<fast::ByteAt>();
  t[OP_SHL] = binary<fast::Shl>();
  t[OP_SHR] = binary<fast::Shr>();
  t[OP_SAR] = binary<fast::Sar>();
  return t;
}
constexpr auto kBinary = make_binary();

// --- branches on a comparison; the target is known

BONUS_HANDLER(bad_jump) {
  (void)ip;
  (void)sp;
  return finish(frame, gas, Status::kBadJump);
}

template <class F, bool kWanted>
BONUS_HANDLER(branch) {
  const bool taken = F::truth(sp[0], sp[-1]) == kWanted;
  sp -= 2;
  if (taken) BONUS_GO(ip->target);
  BONUS_NEXT;
}
template <bool kWanted>
BONUS_HANDLER(branch_on_zero) {
  const bool taken = sp[0].is_zero() == kWanted;
  --sp;
  if (taken) BONUS_GO(ip->target);
  BONUS_NEXT;
}
template <class F>
constexpr BranchHandlers branches() {
  return {branch<F, true>, branch<F, false>};
}
constexpr std::array<BranchHandlers, 32> make_branches() {
  std::array<BranchHandlers, 32> t{};
  t[OP_LT] = branches<fast::Lt>();
  t[OP_GT] = branches<fast::Gt>();
  t[OP_SLT] = branches<fast::Slt>();
  t[OP_SGT] = branches<fast::Sgt>();
  t[OP_EQ] = branches<fast::Eq>();
  t[OP_ISZERO] = {branch_on_zero<true>, branch_on_zero<false>};
  return t;
}
constexpr auto kBranches = make_branches();

// --- blocks, pushes, stack moves

BONUS_HANDLER(begin_block) {
  const Instruction::Block block = ip->block;
  gas -= block.gas;
  if (gas < 0) [[unlikely]]
    return finish(frame, gas, Status::kOutOfGas);
  const auto height = static_cast<std::uint64_t>(sp - frame->stack());
  if (height - block.need > block.slack) [[unlikely]]
    return finish(frame, gas, height < block.need ? Status::kStackUnderflow : Status::kStackOverflow);
  BONUS_NEXT;
}
/// Several JUMPDESTs in a row: all but the last at once.
BONUS_HANDLER(jumpdest_run) {
  const std::uint64_t count = ip->value;
  gas -= static_cast<std::int64_t>(count);
  if (gas < 0) [[unlikely]]
    return finish(frame, gas, Status::kOutOfGas);
  BONUS_GO(ip + count);
}
BONUS_HANDLER(push_small) {
  *++sp = uint256(ip->value);
  BONUS_NEXT;
}
BONUS_HANDLER(push_word) {
  *++sp = *ip->word;
  BONUS_NEXT;
}
BONUS_HANDLER(push_two) {
  sp[1] = uint256(ip->value & UINT32_MAX);
  sp[2] = uint256(ip->value >> 32);
  sp += 2;
  BONUS_NEXT;
}
/// Limb by limb. Results are stored in limbs, and a vector load of such a value would wait until the stores are done.
inline uint256 read(const uint256* from) {
  uint256 out = *from;
  for (std::uint64_t& limb : out.limb) asm("" : "+r"(limb));
  return out;
}
template <int kN>
BONUS_HANDLER(dup_n) {
  sp[1] = read(sp + 1 - kN);
  ++sp;
  BONUS_NEXT;
}
template <int kN>
BONUS_HANDLER(swap_n) {
  const uint256 top = read(sp);
  sp[0] = read(sp - kN);
  sp[-kN] = top;
  BONUS_NEXT;
}
BONUS_HANDLER(dup_two) {
  sp[1] = read(sp + 1 - (ip->value & UINT32_MAX));
  sp[2] = read(sp + 2 - (ip->value >> 32));
  sp += 2;
  BONUS_NEXT;
}
BONUS_HANDLER(swap_two) {
  uint256* const first = sp - (ip->value & UINT32_MAX);
  uint256* const second = sp - (ip->value >> 32);
  const uint256 top = read(sp);
  const uint256 middle = read(first);
  *first = top;
  sp[0] = read(second);
  *second = middle;
  BONUS_NEXT;
}
BONUS_HANDLER(swap_pop) {
  *(sp - ip->value) = read(sp);
  --sp;
  BONUS_NEXT;
}
BONUS_HANDLER(pop_many) {
  sp -= ip->value;
  BONUS_NEXT;
}
BONUS_HANDLER(iszero) {
  sp[0] = uint256(sp[0].is_zero() ? 1 : 0);
  BONUS_NEXT;
}
BONUS_HANDLER(invert) {
  sp[0] = ~sp[0];
  BONUS_NEXT;
}
BONUS_HANDLER(count_zeros) {
  sp[0] = uint256(fast::leading_zeros(sp[0]));
  BONUS_NEXT;
}
BONUS_HANDLER(addmod) {
  sp[-2] = add_mod(sp[0], sp[-1], sp[-2]);
  sp -= 2;
  BONUS_NEXT;
}
BONUS_HANDLER(mulmod) {
  sp[-2] = mul_mod(sp[0], sp[-1], sp[-2]);
  sp -= 2;
  BONUS_NEXT;
}
BONUS_HANDLER(power) {
  gas -= exponent_gas(frame->program->revision(), sp[-1]);
  if (gas < 0) [[unlikely]]
    return finish(frame, gas, Status::kOutOfGas);
  sp[-1] = fast::power(sp[0], sp[-1]);
  --sp;
  BONUS_NEXT;
}

// --- jumps

BONUS_HANDLER(jump_static) { BONUS_GO(ip->target); }
BONUS_HANDLER(jump_static_if) {
  const bool taken = !sp[0].is_zero();
  --sp;
  if (taken) BONUS_GO(ip->target);
  BONUS_NEXT;
}
inline const Instruction* target_of(const Frame* frame, const uint256& to) {
  const Threaded& code = *frame->threaded;
  if (!to.fits_u64() || to.limb[0] >= code.targets.size()) return nullptr;
  const std::int32_t index = code.targets[to.limb[0]];
  return index == Threaded::kNoTarget ? nullptr : code.code.data() + index;
}
BONUS_HANDLER(jump) {
  (void)ip;
  const Instruction* const to = target_of(frame, sp[0]);
  if (to == nullptr) [[unlikely]]
    return finish(frame, gas, Status::kBadJump);
  --sp;
  BONUS_GO(to);
}
BONUS_HANDLER(jump_if) {
  const bool taken = !sp[-1].is_zero();
  if (taken) {
    const Instruction* const to = target_of(frame, sp[0]);
    if (to == nullptr) [[unlikely]]
      return finish(frame, gas, Status::kBadJump);
    sp -= 2;
    BONUS_GO(to);
  }
  sp -= 2;
  BONUS_NEXT;
}

// --- memory

/// Offsets that the present memory covers need no gas; the rest is done out of line.
inline bool covers(const Frame* frame, const uint256& offset, std::size_t size) {
  return offset.fits_u64() && frame->memory.size() >= size && offset.limb[0] <= frame->memory.size() - size;
}
BONUS_HANDLER(load) {
  if (!covers(frame, sp[0], 32)) {
    if (!expand(frame->memory, gas, sp[0], 32)) return finish(frame, gas, Status::kOutOfGas);
  }
  sp[0] = load_word(frame->memory.data() + sp[0].limb[0]);
  BONUS_NEXT;
}
BONUS_HANDLER(load_at) {
  if (!covers(frame, uint256(ip->value), 32)) {
    if (!expand(frame->memory, gas, uint256(ip->value), 32)) return finish(frame, gas, Status::kOutOfGas);
  }
  *++sp = load_word(frame->memory.data() + ip->value);
  BONUS_NEXT;
}
BONUS_HANDLER(dup_load) {
  const uint256& offset = *(sp + 1 - ip->value);
  if (!covers(frame, offset, 32)) {
    if (!expand(frame->memory, gas, offset, 32)) return finish(frame, gas, Status::kOutOfGas);
  }
  sp[1] = load_word(frame->memory.data() + offset.limb[0]);
  ++sp;
  BONUS_NEXT;
}
BONUS_HANDLER(store) {
  if (!covers(frame, sp[0], 32)) {
    if (!expand(frame->memory, gas, sp[0], 32)) return finish(frame, gas, Status::kOutOfGas);
  }
  store_word(frame->memory.data() + sp[0].limb[0], sp[-1]);
  sp -= 2;
  BONUS_NEXT;
}
BONUS_HANDLER(store_at) {
  if (!covers(frame, uint256(ip->value), 32)) {
    if (!expand(frame->memory, gas, uint256(ip->value), 32)) return finish(frame, gas, Status::kOutOfGas);
  }
  store_word(frame->memory.data() + ip->value, sp[0]);
  --sp;
  BONUS_NEXT;
}
BONUS_HANDLER(store_byte) {
  if (!covers(frame, sp[0], 1)) {
    if (!expand(frame->memory, gas, sp[0], 1)) return finish(frame, gas, Status::kOutOfGas);
  }
  frame->memory.data()[sp[0].limb[0]] = static_cast<std::uint8_t>(sp[-1].limb[0]);
  sp -= 2;
  BONUS_NEXT;
}

template <int... kN>
constexpr void set_dup_swap(std::array<Handler, 256>& t, std::integer_sequence<int, kN...>) {
  ((t[OP_DUP1 + kN] = dup_n<kN + 1>), ...);
  ((t[OP_SWAP1 + kN] = swap_n<kN + 1>), ...);
}

}  // namespace

const BinaryHandlers& binary_handlers(std::uint8_t op) {
  static constexpr BinaryHandlers kNone;
  return op < kBinary.size() ? kBinary[op] : kNone;
}

const BranchHandlers& branch_handlers(std::uint8_t op) {
  static constexpr BranchHandlers kNone;
  return op < kBranches.size() ? kBranches[op] : kNone;
}

const FusedHandlers& fused_handlers() {
  static constexpr FusedHandlers kFused{
      .block = begin_block,
      .jumpdest_run = jumpdest_run,
      .push_small = push_small,
      .push_word = push_word,
      .push_two = push_two,
      .jump = jump_static,
      .jump_if = jump_static_if,
      .load_at = load_at,
      .store_at = store_at,
      .dup_load = dup_load,
      .swap_pop = swap_pop,
      .pop_many = pop_many,
      .dup_two = dup_two,
      .swap_two = swap_two,
  };
  return kFused;
}

Handler bad_jump_handler() { return bad_jump; }

void set_stack_handlers(std::array<Handler, 256>& t) {
  for (std::size_t op = 0; op < kBinary.size(); ++op)
    if (kBinary[op].plain != nullptr) t[op] = kBinary[op].plain;
  t[OP_ISZERO] = iszero;
  t[OP_NOT] = invert;
  t[OP_CLZ] = count_zeros;
  t[OP_ADDMOD] = addmod;
  t[OP_MULMOD] = mulmod;
  t[OP_EXP] = power;
  t[OP_JUMP] = jump;
  t[OP_JUMPI] = jump_if;
  t[OP_MLOAD] = load;
  t[OP_MSTORE] = store;
  t[OP_MSTORE8] = store_byte;
  set_dup_swap(t, std::make_integer_sequence<int, 16>{});
}

}  // namespace bonus::chain::evm
