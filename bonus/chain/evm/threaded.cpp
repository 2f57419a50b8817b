// The translator from bytecode to handlers.
#include "bonus/chain/evm/threaded.hpp"

#include <algorithm>

#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/evm/threaded_handlers.hpp"

namespace bonus::chain::evm {

namespace {

class Translator {
 public:
  Translator(BytesView code, Revision revision) : code_(code), costs_(gas_costs(revision)) {
    out_.revision = revision;
    out_.targets.assign(code.size(), Threaded::kNoTarget);
    // One instruction for each byte at most, and one more block than jump target or block end.
    out_.code.reserve(code.size() + code.size() / 4 + 4);
  }

  Threaded translate() {
    begin_block();
    while (pc_ < code_.size()) instruction();
    emit(OP_STOP);
    end_block();
    // The tail catches jumps to nowhere.
    const std::size_t nowhere = out_.code.size();
    out_.code.push_back({bad_jump_handler(), {}});
    resolve(nowhere);
    return std::move(out_);
  }

 private:
  [[nodiscard]] std::uint8_t at(std::size_t pc) const {
    return pc < code_.size() ? code_[pc] : static_cast<std::uint8_t>(OP_STOP);
  }
  /// The instruction behind the one at `pc`; an undefined one never fuses.
  [[nodiscard]] std::size_t after(std::size_t pc) const { return pc + 1 + push_size(at(pc)); }
  [[nodiscard]] std::uint8_t defined_at(std::size_t pc) const {
    const std::uint8_t op = at(pc);
    return costs_[op] == kUndefined ? static_cast<std::uint8_t>(OP_INVALID) : op;
  }
  [[nodiscard]] bool is_push(std::size_t pc) const {
    const std::uint8_t op = defined_at(pc);
    return op >= OP_PUSH0 && op <= OP_PUSH32;
  }
  [[nodiscard]] uint256 constant(std::size_t pc) const {
    const std::size_t size = push_size(at(pc));
    std::uint8_t word[32] = {};
    for (std::size_t i = 0; i < size; ++i) word[32 - size + i] = at(pc + 1 + i);
    return load_word(word);
  }

  // --- basic blocks
  void begin_block() {
    block_ = out_.code.size();
    out_.code.push_back({fused_handlers().block, {}});
    began_ = true;
    gas_ = 0;
    height_ = need_ = grow_ = 0;
  }
  void end_block() {
    Instruction::Block& block = out_.code[block_].block;
    block.gas = gas_;
    block.need = static_cast<std::uint16_t>(std::min(need_, 2000));
    const int limit = static_cast<int>(kStackLimit) - grow_ - need_;
    // A block that needs more room than there is can never run: no height satisfies it.
    if (limit < 0) block.need = UINT16_MAX;
    block.slack = static_cast<std::uint16_t>(std::max(limit, 0));
  }
  /// Counts the instruction at pc_ into its block and steps behind it.
  void take() {
    const std::uint8_t op = at(pc_);
    const OpInfo& info = op_infos()[op];
    gas_ += costs_[op] == kUndefined ? 0u : static_cast<std::uint32_t>(costs_[op]);
    if (costs_[op] != kUndefined) {
      need_ = std::max(need_, info.pops - height_);
      height_ += info.change;
      grow_ = std::max(grow_, height_);
    }
    pc_ = after(pc_);
  }
  void take(unsigned count) {
    while (count-- > 0) take();
  }

  // --- emitting
  void emit(std::uint8_t op) { out_.code.push_back({single_handlers()[op], {}}); }
  void emit(Handler run, std::uint64_t value) {
    Instruction made{run, {}};
    made.value = value;
    out_.code.push_back(made);
  }
  void emit_word(Handler run, const uint256& word) {
    words_.push_back({out_.code.size(), out_.words.size()});
    out_.words.push_back(word);
    out_.code.push_back({run, {}});
  }
  void emit_constant(Handler small, Handler large, const uint256& value) {
    if (value.fits_u64()) {
      emit(small, value.limb[0]);
    } else {
      emit_word(large, value);
    }
  }
  void emit_jump(Handler run, const uint256& to) {
    jumps_.push_back({out_.code.size(), to.clamp_u64()});
    out_.code.push_back({run, {}});
  }
  void close_block() {
    end_block();
    begin_block();
  }

  // --- one instruction, or a sequence that has a handler of its own
  void instruction() {
    const std::uint8_t op = at(pc_);
    if (costs_[op] == kUndefined) {
      ++pc_;
      out_.code.push_back({undefined_handler(), {}});
      return close_block();
    }
    if (op == OP_JUMPDEST) return jumpdests();
    if (op >= OP_PUSH0 && op <= OP_PUSH32) return push();
    if (op >= OP_DUP1 && op <= OP_DUP16) return dup(op);
    if (op >= OP_SWAP1 && op <= OP_SWAP16) return swap(op);
    if (op == OP_POP) return pop();
    if (op == OP_PC) {
      emit(fused_handlers().push_small, pc_);
      return take();
    }
    if (branch(op)) return;
    take();
    emit(op);
    if (ends_block(op)) close_block();
  }
  void jumpdests() {
    std::size_t last = pc_;
    while (at(last + 1) == OP_JUMPDEST) ++last;
    if (last != pc_) end_block();
    for (; pc_ < last; ++pc_) {
      out_.targets[pc_] = static_cast<std::int32_t>(out_.code.size());
      emit(fused_handlers().jumpdest_run, last - pc_);
      began_ = false;
    }
    if (!began_) {
      begin_block();
    } else if (out_.code.size() != block_ + 1 || gas_ != 0) {
      close_block();
    }
    out_.targets[pc_] = static_cast<std::int32_t>(block_);
    take();
  }
  static bool ends_block(std::uint8_t op) {
    switch (op) {
      case OP_STOP:
      case OP_JUMP:
      case OP_JUMPI:
      case OP_GAS:
      case OP_SSTORE:
      case OP_CREATE:
      case OP_CREATE2:
      case OP_CALL:
      case OP_CALLCODE:
      case OP_DELEGATECALL:
      case OP_STATICCALL:
      case OP_RETURN:
      case OP_REVERT:
      case OP_INVALID:
      case OP_SELFDESTRUCT:
        return true;
      default:
        return false;
    }
  }

  void push() {
    const uint256 value = constant(pc_);
    const std::size_t next = after(pc_);
    const std::uint8_t op = defined_at(next);
    const FusedHandlers& fused = fused_handlers();
    if (op == OP_JUMP || op == OP_JUMPI) {
      take(2);
      emit_jump(op == OP_JUMP ? fused.jump : fused.jump_if, value);
      return close_block();
    }
    if (binary_handlers(op).plain != nullptr) {
      take(2);
      return push_binary(op, value);
    }
    if (op == OP_SWAP1 && binary_handlers(defined_at(next + 1)).plain != nullptr) {
      take(2);
      const std::uint8_t binary = at(pc_);
      take();
      return swapped_binary(binary, value);
    }
    if ((op == OP_MLOAD || op == OP_MSTORE) && value.fits_u64()) {
      take(2);
      return emit(op == OP_MLOAD ? fused.load_at : fused.store_at, value.limb[0]);
    }
    if (is_push(next) && value.fits_u64() && value.limb[0] <= UINT32_MAX && stands_alone(next)) {
      const uint256 second = constant(next);
      if (second.fits_u64() && second.limb[0] <= UINT32_MAX) {
        take(2);
        return emit(fused.push_two, second.limb[0] << 32 | value.limb[0]);
      }
    }
    take();
    emit_constant(fused.push_small, fused.push_word, value);
  }
  /// Would the push at `pc` not fuse with what follows it?
  [[nodiscard]] bool stands_alone(std::size_t pc) const {
    const std::size_t next = after(pc);
    const std::uint8_t op = defined_at(next);
    return op != OP_JUMP && op != OP_JUMPI && op != OP_MLOAD && op != OP_MSTORE &&
           binary_handlers(op).plain == nullptr &&
           !(op == OP_SWAP1 && binary_handlers(defined_at(next + 1)).plain != nullptr);
  }
  void push_binary(std::uint8_t op, const uint256& value) {
    const BinaryHandlers& h = binary_handlers(op);
    emit_constant(h.small, h.word, value);
  }
  /// value, SWAP1, op: the constant is the second operand. Division by a power of two is a shift.
  void swapped_binary(std::uint8_t op, const uint256& value) {
    const bool power = !value.is_zero() && (value & (value - uint256(1))).is_zero();
    if (op == OP_DIV && power) return emit(binary_handlers(OP_SHR).small, value.bit_length() - 1);
    if (op == OP_MOD && power) return push_binary(OP_AND, value - uint256(1));
    const BinaryHandlers& h = binary_handlers(op);
    emit_constant(h.swap_small, h.swap_word, value);
  }

  void dup(std::uint8_t op) {
    const std::uint64_t n = op - OP_DUP1 + 1u;
    const std::uint8_t next = defined_at(pc_ + 1);
    if (const Handler fused = binary_handlers(next).dup; fused != nullptr) {
      take(2);
      return emit(fused, n - 1);
    }
    if (next == OP_MLOAD) {
      take(2);
      return emit(fused_handlers().dup_load, n);
    }
    if (next >= OP_DUP1 && next <= OP_DUP16 && binary_handlers(defined_at(pc_ + 2)).dup == nullptr &&
        defined_at(pc_ + 2) != OP_MLOAD) {
      const std::uint64_t m = next - OP_DUP1 + 1u;
      take(2);
      return emit(fused_handlers().dup_two, m << 32 | n);
    }
    take();
    emit(op);
  }

  void swap(std::uint8_t op) {
    const std::uint64_t n = op - OP_SWAP1 + 1u;
    const std::uint8_t next = defined_at(pc_ + 1);
    if (n == 1) {
      if (const Handler fused = binary_handlers(next).swap; fused != nullptr) {
        take(2);
        return emit(fused, 0);
      }
    }
    if (next == OP_POP) {
      take(2);
      return emit(fused_handlers().swap_pop, n);
    }
    if (next >= OP_SWAP1 && next <= OP_SWAP16 && next != op) {
      const std::uint8_t third = defined_at(pc_ + 2);
      const bool other_use = third == OP_POP || (next == OP_SWAP1 && binary_handlers(third).swap != nullptr);
      if (!other_use) {
        const std::uint64_t m = next - OP_SWAP1 + 1u;
        take(2);
        return emit(fused_handlers().swap_two, m << 32 | n);
      }
    }
    take();
    emit(op);
  }

  void pop() {
    std::uint64_t count = 0;
    while (at(pc_) == OP_POP) {
      take();
      ++count;
    }
    emit(fused_handlers().pop_many, count);
  }

  /// A comparison, perhaps ISZERO, a constant and JUMPI.
  bool branch(std::uint8_t op) {
    const BranchHandlers& handlers = branch_handlers(op);
    if (handlers.plain == nullptr) return false;
    std::size_t next = pc_ + 1;
    unsigned negations = 0;
    while (defined_at(next) == OP_ISZERO && negations < 2) {
      ++negations;
      ++next;
    }
    if (!is_push(next) || defined_at(after(next)) != OP_JUMPI) return false;
    const uint256 to = constant(next);
    take(3 + negations);
    emit_jump(negations % 2 == 0 ? handlers.plain : handlers.negated, to);
    close_block();
    return true;
  }

  void resolve(std::size_t nowhere) {
    for (const auto& [index, word] : words_) out_.code[index].word = &out_.words[word];
    for (const auto& [index, to] : jumps_) {
      const std::int32_t target = to < out_.targets.size() ? out_.targets[to] : Threaded::kNoTarget;
      out_.code[index].target =
          out_.code.data() + (target == Threaded::kNoTarget ? nowhere : static_cast<std::size_t>(target));
    }
  }

  const BytesView code_;
  const GasCosts& costs_;
  Threaded out_;
  std::size_t pc_ = 0;
  std::size_t block_ = 0;
  bool began_ = false;  ///< A block is open.
  std::uint32_t gas_ = 0;
  int height_ = 0, need_ = 0, grow_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> words_;
  std::vector<std::pair<std::size_t, std::uint64_t>> jumps_;
};

}  // namespace

Threaded Threaded::build(BytesView code, Revision revision) { return Translator(code, revision).translate(); }

}  // namespace bonus::chain::evm
