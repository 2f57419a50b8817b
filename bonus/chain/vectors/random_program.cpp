// Random programs.
#include "bonus/chain/vectors/random_program.hpp"

#include <array>

#include "bonus/chain/evm/machine.hpp"
#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::vectors {
namespace {

using namespace evm;  // The names of the instructions.

constexpr std::array<std::uint8_t, 26> kArithmetic{
    OP_ADD, OP_MUL,        OP_SUB, OP_DIV, OP_SDIV, OP_MOD,    OP_SMOD, OP_ADDMOD, OP_MULMOD,
    OP_EXP, OP_SIGNEXTEND, OP_LT,  OP_GT,  OP_SLT,  OP_SGT,    OP_EQ,   OP_AND,    OP_OR,
    OP_XOR, OP_BYTE,       OP_SHL, OP_SHR, OP_SAR,  OP_ISZERO, OP_NOT,  OP_CLZ};
constexpr std::array<std::uint8_t, 18> kEnvironment{
    OP_ADDRESS,  OP_ORIGIN,         OP_CALLER,      OP_CALLVALUE, OP_CALLDATASIZE, OP_CODESIZE,
    OP_GASPRICE, OP_RETURNDATASIZE, OP_COINBASE,    OP_TIMESTAMP, OP_NUMBER,       OP_PREVRANDAO,
    OP_GASLIMIT, OP_CHAINID,        OP_SELFBALANCE, OP_BASEFEE,   OP_BLOBBASEFEE,  OP_MSIZE};
constexpr std::size_t kMaxCode = 700;

class Writer {
 public:
  Writer(Choices& choices, Revision revision, std::span<const Address> contracts)
      : choices_(choices), revision_(revision), contracts_(contracts) {}

  Bytes write(std::size_t statements) {
    for (std::size_t i = 0; i < statements && code_.size() < kMaxCode; ++i) statement();
    finish();
    patch();
    if (choices_.one_in(30)) code_.resize(code_.size() - choices_.below(std::min<std::uint64_t>(code_.size(), 20)));
    return std::move(code_);
  }

 private:
  void op(std::uint8_t number) { code_.push_back(number); }
  /// One instruction, with the height of the stack kept.
  void apply(std::uint8_t number) {
    const OpInfo& info = op_infos()[number];
    // One time in many the items are not there, or the rules do not know the instruction.
    if (!choices_.one_in(4000))
      while (height_ < info.pops) push(random_word(choices_));
    if (gas_costs(revision_)[number] == kUndefined && !choices_.one_in(200)) {
      for (int i = 0; i < info.pops; ++i) op(OP_POP);
      height_ = std::max(0, height_ - info.pops);
      for (int i = 0; i < info.pops + info.change; ++i) push(random_word(choices_));
      return;
    }
    op(number);
    height_ = std::max(0, height_ + info.change);
  }
  void push(const uint256& value) {
    ++height_;
    const auto bytes = value.to_be().bytes;
    std::size_t skip = static_cast<std::size_t>(32 - (value.bit_length() + 7) / 8);
    if (skip == 32 && revision_ >= Revision::kShanghai && !choices_.one_in(3)) return op(OP_PUSH0);
    if (skip == 32) skip = 31;
    if (choices_.one_in(8)) skip = choices_.below(skip + 1);
    op(static_cast<std::uint8_t>(OP_PUSH32 - skip));
    code_.insert(code_.end(), bytes.begin() + static_cast<std::ptrdiff_t>(skip), bytes.end());
  }
  void push_small(std::uint64_t bound) { push(uint256(choices_.below(bound))); }
  void push_offset() {
    if (choices_.one_in(300)) return push(random_word(choices_));
    push_small(choices_.one_in(4) ? 3000 : 200);
  }
  void push_size() {
    if (choices_.one_in(300)) return push(random_word(choices_));
    push_small(choices_.one_in(10) ? 600 : 100);
  }
  void push_address() {
    switch (choices_.below(8)) {
      case 0: {  // A precompile, or what is none yet.
        const std::uint64_t number = choices_.one_in(8) ? 0x100 : choices_.below(0x13);
        return push(uint256(number));
      }
      case 1:
        return push(uint256::from_be(Address{{0xde, 0xad, static_cast<std::uint8_t>(choices_.below(3))}}));
      case 2:
        return apply(choices_.one_in(2) ? OP_ADDRESS : OP_CALLER);
      default:
        push(uint256::from_be(contracts_[choices_.below(contracts_.size())]));
        if (choices_.one_in(40)) apply(OP_NOT);  // Dirty high bits.
    }
  }
  /// The address of a JUMPDEST that is patched in later; now and then of none.
  void push_label(std::uint32_t label) {
    op(OP_PUSH1 + 1);
    references_.push_back({code_.size(), label});
    code_.insert(code_.end(), 2, 0);
    ++height_;
  }
  void place(std::uint32_t label) {
    labels_.resize(std::max<std::size_t>(labels_.size(), label + 1));
    labels_[label] = static_cast<std::uint16_t>(code_.size());
    op(choices_.one_in(1000) ? OP_STOP : OP_JUMPDEST);
  }

  void statement() {
    switch (choices_.below(34)) {
      default:
        for (std::uint64_t n = 1 + choices_.below(5); n > 0; --n)
          apply(kArithmetic[choices_.below(kArithmetic.size())]);
        return;
      case 8:
      case 9:
        return shuffle();
      case 10:
        return apply(environment());
      case 11:
      case 12:
        return memory();
      case 13:
      case 14:
      case 15:
        return storage();
      case 16:
        return copy();
      case 17:
        return hash_or_log();
      case 18:
      case 19:
        return branch();
      case 20:
        return loop();
      case 21:
      case 22:
      case 23:
      case 24:
        return call();
      case 25:
        return create();
      case 26:
        return inspect();
      case 27:
        return precompile();
      case 28:
        return transient();
      case 29:
        return gas_or_pc();
      case 30:
        return strange();
      case 31:
        if (choices_.one_in(4)) finish();
        return;
    }
  }
  std::uint8_t environment() { return kEnvironment[choices_.below(kEnvironment.size())]; }

  void shuffle() {
    for (std::uint64_t n = 1 + choices_.below(4); n > 0; --n) {
      const auto reach = static_cast<std::uint8_t>(choices_.one_in(4) ? choices_.below(16) : choices_.below(3));
      switch (choices_.below(4)) {
        case 0:
          apply(static_cast<std::uint8_t>(OP_DUP1 + reach));
          break;
        case 1:
          apply(static_cast<std::uint8_t>(OP_SWAP1 + reach));
          break;
        case 2:
          apply(OP_POP);
          break;
        default:
          push(random_word(choices_));
      }
    }
  }
  void memory() {
    if (choices_.one_in(2)) {
      if (height_ == 0 || choices_.one_in(3)) push(random_word(choices_));
      push_offset();
      apply(choices_.one_in(4) ? OP_MSTORE8 : OP_MSTORE);
    } else {
      push_offset();
      apply(OP_MLOAD);
    }
  }
  void storage() {
    if (choices_.one_in(2)) {
      if (height_ == 0 || choices_.one_in(2)) push_small(choices_.one_in(3) ? 200 : 3);
      push_small(kRandomSlots);
      apply(OP_SSTORE);
    } else {
      push_small(kRandomSlots);
      apply(OP_SLOAD);
    }
  }
  void transient() {
    if (revision_ < Revision::kCancun && !choices_.one_in(20)) return storage();
    push_small(kRandomSlots);
    if (choices_.one_in(2)) return apply(OP_TLOAD);
    push_small(kRandomSlots);
    apply(OP_TSTORE);
  }
  void copy() {
    static constexpr std::array<std::uint8_t, 5> kCopies{OP_CALLDATACOPY, OP_CODECOPY, OP_RETURNDATACOPY,
                                                         OP_EXTCODECOPY, OP_MCOPY};
    const std::uint8_t number = kCopies[choices_.below(kCopies.size())];
    if (number == OP_RETURNDATACOPY && !choices_.one_in(6)) {
      // Within the bounds: of all there is, from 0.
      apply(OP_RETURNDATASIZE);
      push(uint256());
    } else {
      push_size();
      push_offset();
    }
    push_offset();
    if (number == OP_EXTCODECOPY) push_address();
    apply(number);
  }
  void hash_or_log() {
    const bool log = choices_.one_in(2);
    const auto topics = static_cast<std::uint8_t>(log ? choices_.below(5) : 0);
    for (std::uint8_t i = 0; i < topics; ++i) push_small(100);
    push_size();
    push_offset();
    apply(log ? static_cast<std::uint8_t>(OP_LOG0 + topics) : static_cast<std::uint8_t>(OP_KECCAK256));
  }
  void branch() {
    const auto label = next_label_++;
    if (choices_.one_in(5)) {
      push_label(label);
      apply(OP_JUMP);
      // What is jumped over may hold anything, also a JUMPDEST inside of data.
      const int height = height_;
      if (choices_.one_in(2)) push(random_word(choices_));
      height_ = height;
    } else {
      static constexpr std::array<std::uint8_t, 7> kTests{OP_LT, OP_GT, OP_EQ, OP_ISZERO, OP_SLT, OP_SGT, OP_AND};
      apply(kTests[choices_.below(kTests.size())]);
      if (choices_.one_in(3)) apply(OP_ISZERO);
      push_label(label);
      apply(OP_JUMPI);
      const int height = height_;
      for (std::uint64_t n = choices_.below(3); n > 0; --n) statement();
      level(height);
    }
    place(label);
  }
  /// Both ways to a label arrive with the same height.
  void level(int height) {
    while (height_ > height) apply(OP_POP);
    while (height_ < height) push(uint256(1));
  }
  /// A counter from a small number down to 0 around some statements that leave the height alone.
  void loop() {
    if (++loops_ > 2) return;
    push_small(choices_.one_in(10) ? 400 : 20);
    const auto label = next_label_++;
    place(label);
    const int height = height_;
    for (std::uint64_t n = 1 + choices_.below(3); n > 0; --n) statement();
    level(height);
    push(uint256(1));
    apply(choices_.one_in(50) ? OP_POP : OP_SWAP1);
    apply(OP_SUB);
    apply(OP_DUP1);
    push_label(label);
    apply(OP_JUMPI);
    apply(OP_POP);
    --loops_;
  }
  void push_call_gas() {
    if (choices_.one_in(8)) return apply(OP_GAS);
    push_small(choices_.one_in(3) ? 3000 : 120'000);
  }
  void call_with(const std::function<void()>& address, std::uint64_t input, std::uint64_t output) {
    static constexpr std::array<std::uint8_t, 6> kCalls{OP_CALL,       OP_CALL,         OP_CALLCODE,
                                                        OP_STATICCALL, OP_DELEGATECALL, OP_CALL};
    std::uint8_t number = kCalls[choices_.below(kCalls.size())];
    // Mostly what the rules know.
    if (gas_costs(revision_)[number] == kUndefined && !choices_.one_in(30)) number = OP_CALL;
    push_small(output);
    push_offset();
    push_small(input);
    push_offset();
    if (number == OP_CALL || number == OP_CALLCODE) push(uint256(choices_.one_in(3) ? choices_.below(50) : 0));
    address();
    push_call_gas();
    apply(number);
    if (choices_.one_in(3)) apply(OP_POP);
  }
  void call() {
    call_with([this] { push_address(); }, 70, 70);
  }
  void store(std::uint64_t offset, const uint256& value) {
    push(value);
    push(uint256(offset));
    apply(OP_MSTORE);
  }
  uint256 any_word() { return {choices_.word(), choices_.word(), choices_.word(), choices_.word()}; }
  /// A precompile with input of the right form from offset 0, so that more than its checks of lengths is compared.
  void precompile() {
    const std::uint64_t number = choices_.one_in(10) ? 0x100 : 1 + choices_.below(0x11);
    std::uint64_t size = choices_.below(260);
    switch (number) {
      case 1:  // ECRECOVER: half of all r are coordinates of a point.
        store(0, any_word());
        store(32, uint256(27 + choices_.below(2)));
        store(64, any_word() >> 1);
        store(96, any_word() >> static_cast<unsigned>(choices_.below(3)));
        size = 128;
        break;
      case 5:
        size = modexp_input();
        break;
      case 6:
      case 7:
        for (std::uint64_t i = 0; i < 2; ++i) {
          const bool generator = choices_.one_in(2);
          store(64 * i, uint256(generator ? 1 : 0));
          store(64 * i + 32, uint256(generator ? 2 : 0));
        }
        if (number == 7) store(64, any_word());
        size = number == 6 ? 128 : 96;
        break;
      case 8:
        size = 192 * choices_.below(3);
        break;
      case 9:  // BLAKE2F: rounds, state, message, offset, flag.
        for (std::uint64_t i = 0; i < 7; ++i) store(32 * i, any_word());
        store(0, any_word() >> 219);
        push_small(3);
        push(uint256(212));
        apply(OP_MSTORE8);
        size = 213;
        break;
      default:
        for (std::uint64_t i = 0; i < 6; ++i)
          if (choices_.one_in(2)) store(32 * i, choices_.one_in(2) ? any_word() : uint256(choices_.below(4)));
    }
    if (choices_.one_in(10)) size = choices_.below(size + 2);
    static constexpr std::array<std::uint8_t, 4> kCalls{OP_CALL, OP_STATICCALL, OP_DELEGATECALL, OP_CALLCODE};
    std::uint8_t call = kCalls[choices_.below(kCalls.size())];
    if (gas_costs(revision_)[call] == kUndefined) call = OP_CALL;
    push_small(100);
    push_offset();
    push(uint256(size));
    push(uint256());
    if (call == OP_CALL || call == OP_CALLCODE) push(uint256(choices_.one_in(6) ? 1 : 0));
    push(uint256(number));
    push_small(choices_.one_in(4) ? 5'000 : 300'000);
    apply(call);
    if (choices_.one_in(2)) {  // Success and the first word of the answer stay.
      push_small(kRandomSlots);
      apply(OP_SSTORE);
      push(uint256());
      apply(OP_RETURNDATASIZE);
      apply(OP_POP);
      apply(OP_MLOAD);
      push_small(kRandomSlots);
      apply(OP_SSTORE);
    }
  }
  std::uint64_t modexp_input() {
    std::uint64_t size = 96;
    for (std::uint64_t i = 0; i < 3; ++i) {
      const std::uint64_t length = choices_.one_in(6) ? choices_.below(300) : choices_.below(40);
      store(32 * i, uint256(length));
      size += length;
    }
    if (choices_.one_in(12)) store(32 * choices_.below(3), random_word(choices_));
    for (std::uint64_t i = 3; 32 * i < size && i < 8; ++i) store(32 * i, choices_.one_in(4) ? uint256() : any_word());
    return size;
  }
  void create() {
    // Init code that stands in memory as one word: PUSHn value PUSH0 MSTORE ... RETURN, or noise.
    const bool second = choices_.one_in(2) && revision_ >= Revision::kConstantinople;
    if (choices_.one_in(3)) {
      push(random_word(choices_));
    } else {
      // sstore(1, byte); mstore8(0, byte); return(0, n)
      const auto value = static_cast<std::uint8_t>(choices_.one_in(6) ? 0xef : choices_.below(256));
      const auto size = static_cast<std::uint8_t>(choices_.below(40));
      const std::array<std::uint8_t, 32> init{0x60, value,      0x60, 1,    OP_SSTORE, 0x60, value,    0x60,
                                              0,    OP_MSTORE8, 0x60, size, 0x60,      0,    OP_RETURN};
      push(uint256::from_be(init));
    }
    push(uint256());
    apply(OP_MSTORE);
    if (second) push_small(3);
    push_small(40);
    push_small(choices_.one_in(5) ? 40 : 1);
    push(uint256(choices_.one_in(3) ? choices_.below(20) : 0));
    apply(second ? OP_CREATE2 : OP_CREATE);
    if (choices_.one_in(2)) {  // Call what was made.
      push_small(kRandomSlots);
      apply(OP_SSTORE);
    }
  }
  void inspect() {
    static constexpr std::array<std::uint8_t, 6> kInspect{OP_BALANCE,   OP_EXTCODESIZE,  OP_EXTCODEHASH,
                                                          OP_BLOCKHASH, OP_CALLDATALOAD, OP_BLOBHASH};
    const std::uint8_t number = kInspect[choices_.below(kInspect.size())];
    if (number <= OP_BALANCE || number == OP_EXTCODESIZE || number == OP_EXTCODEHASH) {
      push_address();
    } else {
      push_small(number == OP_BLOCKHASH ? 1200 : 100);
    }
    apply(number);
  }
  void gas_or_pc() {
    apply(choices_.one_in(4) ? OP_PC : OP_GAS);
    if (!choices_.one_in(2)) return;
    push_small(kRandomSlots);
    apply(OP_SSTORE);
  }
  void strange() {
    switch (choices_.below(6)) {
      case 0:  // Any byte.
        if (choices_.one_in(6)) op(static_cast<std::uint8_t>(choices_.below(256)));
        return;
      case 1:  // Near the limit of the stack.
        if (choices_.one_in(4)) {
          for (int i = height_; i < 1020; ++i) op(OP_PC);
          height_ = std::max(height_, 1020);
        }
        return;
      case 2:  // A jump to somewhere.
        if (!choices_.one_in(6)) return;
        push_small(200);
        apply(choices_.one_in(2) ? OP_JUMP : OP_JUMPI);
        return;
      case 3:
        if (choices_.one_in(10)) apply(OP_INVALID);
        return;
      case 4:
        if (!choices_.one_in(4)) return;
        push_address();
        apply(OP_SELFDESTRUCT);
        return;
      default:
        op(OP_JUMPDEST);
    }
  }
  void finish() {
    switch (choices_.below(8)) {
      case 0:
        return op(OP_STOP);
      case 1:
        push_address();
        return apply(OP_SELFDESTRUCT);
      case 2:
      case 3:
        push_size();
        push_offset();
        return apply(OP_REVERT);
      default:
        push_size();
        push_offset();
        return apply(OP_RETURN);
    }
  }
  void patch() {
    for (const auto& [at, label] : references_) {
      if (label >= labels_.size() || at + 1 >= code_.size()) continue;
      code_[at] = static_cast<std::uint8_t>(labels_[label] >> 8);
      code_[at + 1] = static_cast<std::uint8_t>(labels_[label]);
    }
  }

  struct Reference {
    std::size_t at;
    std::uint32_t label;
  };
  Choices& choices_;
  Revision revision_;
  std::span<const Address> contracts_;
  Bytes code_;
  int height_ = 0, loops_ = 0;
  std::uint32_t next_label_ = 0;
  std::vector<std::uint16_t> labels_;
  std::vector<Reference> references_;
};

}  // namespace

Bytes random_program(Choices& choices, Revision revision, std::span<const Address> contracts) {
  const std::size_t statements = choices.one_in(5) ? choices.below(5) : 5 + choices.below(40);
  return Writer(choices, revision, contracts).write(statements);
}

}  // namespace bonus::chain::vectors
