// The slow interpreter: one instruction at a time, each checked, paid and shown to the tracer before it runs.
#include <algorithm>

#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/chain/evm/plain_math.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::evm {
namespace {

class Reference {
 public:
  Reference(Machine& machine, Frame& frame)
      : machine_(machine), frame_(frame), message_(*frame.message), code_(frame.program->code()) {}

  Status run() {
    for (;;) {
      const std::uint8_t op = pc_ < code_.size() ? code_[pc_] : static_cast<std::uint8_t>(OP_STOP);
      const std::int64_t before = frame_.gas;
      const std::size_t memory = frame_.memory.size();
      Status status = check(op);
      if (status == Status::kSuccess) status = pay(op);
      show(op, before, memory, status);
      if (status != Status::kSuccess) return status;
      if (machine_.tracer() != nullptr && machine_.tracer()->stopped()) return Status::kOutOfGas;
      if (op == OP_STOP) return Status::kSuccess;
      if (op == OP_RETURN || op == OP_REVERT) {
        frame_.output_size = static_cast<std::size_t>(peek(1).low64());
        frame_.output_offset = frame_.output_size == 0 ? 0 : static_cast<std::size_t>(peek(0).low64());
        return op == OP_RETURN ? Status::kSuccess : Status::kRevert;
      }
      if (op == OP_SELFDESTRUCT) {
        finish_selfdestruct(machine_, frame_, to_address(peek(0)));
        return Status::kSuccess;
      }
      execute(op);
    }
  }

 private:
  [[nodiscard]] const uint256& peek(std::size_t depth) const { return frame_.stack()[height_ - 1 - depth]; }
  [[nodiscard]] const uint256* top() const { return frame_.stack() + height_ - 1; }
  void replace(std::size_t drop, const uint256& value) {
    height_ -= drop;
    frame_.stack()[height_++] = value;
  }
  void push(const uint256& value) { frame_.stack()[height_++] = value; }

  [[nodiscard]] Status check(std::uint8_t op) const {
    if (machine_.costs()[op] == kUndefined)
      return op == OP_INVALID ? Status::kInvalidInstruction : Status::kUndefinedInstruction;
    const OpInfo& info = op_infos()[op];
    if (height_ < info.pops) return Status::kStackUnderflow;
    if (height_ + static_cast<std::size_t>(info.change + 1) > kStackLimit + 1) return Status::kStackOverflow;
    return Status::kSuccess;
  }

  [[nodiscard]] bool pay_area(std::size_t offset, std::size_t size) {
    return expand(frame_.memory, frame_.gas, peek(offset), peek(size));
  }
  [[nodiscard]] bool pay_copy(std::size_t offset, std::size_t size) {
    return pay_area(offset, size) && charge(frame_.gas, 3 * words_of(peek(size).low64()));
  }
  static Status gas_or(bool paid) { return paid ? Status::kSuccess : Status::kOutOfGas; }

  /// Static and dynamic gas, memory included; whatever else can make the instruction fail.
  [[nodiscard]] Status pay(std::uint8_t op) {
    if (op == OP_INVALID) return Status::kInvalidInstruction;
    std::int64_t& gas = frame_.gas;
    if (!charge(gas, machine_.costs()[op])) return Status::kOutOfGas;
    switch (op) {
      case OP_EXP:
        return gas_or(charge(gas, exponent_gas(machine_.revision(), peek(1))));
      case OP_KECCAK256:
        return gas_or(pay_area(0, 1) && charge(gas, 6 * words_of(peek(1).low64())));
      case OP_BALANCE:
      case OP_EXTCODESIZE:
      case OP_EXTCODEHASH:
        return gas_or(charge(gas, access_account(machine_, to_address(peek(0)))));
      case OP_CALLDATACOPY:
      case OP_CODECOPY:
        return gas_or(pay_copy(0, 2));
      case OP_EXTCODECOPY:
        return gas_or(pay_copy(1, 3) && charge(gas, access_account(machine_, to_address(peek(0)))));
      case OP_RETURNDATACOPY: {
        const std::size_t have = frame_.return_data.size();
        if (peek(1) > uint256(have) || peek(2) > uint256(have) - peek(1)) return Status::kReturnDataBounds;
        return gas_or(pay_copy(0, 2));
      }
      case OP_MCOPY: {
        const uint256& end = std::max(peek(0), peek(1));
        return gas_or(expand(frame_.memory, gas, end, peek(2)) && charge(gas, 3 * words_of(peek(2).low64())));
      }
      case OP_MLOAD:
      case OP_MSTORE:
        return gas_or(expand(frame_.memory, gas, peek(0), 32));
      case OP_MSTORE8:
        return gas_or(expand(frame_.memory, gas, peek(0), 1));
      case OP_SLOAD:
        return gas_or(charge(gas, access_slot(machine_, {message_.recipient, peek(0)})));
      case OP_SSTORE:
        return sstore(machine_, frame_, gas, peek(0), peek(1));
      case OP_TSTORE:
        return message_.is_static ? Status::kStaticViolation : Status::kSuccess;
      case OP_JUMP:
        return jump_status(peek(0));
      case OP_JUMPI:
        return peek(1).is_zero() ? Status::kSuccess : jump_status(peek(0));
      case OP_RETURN:
      case OP_REVERT:
        return gas_or(pay_area(0, 1));
      case OP_LOG0:
      case OP_LOG0 + 1:
      case OP_LOG0 + 2:
      case OP_LOG0 + 3:
      case OP_LOG4:
        return plan_log(machine_, frame_, gas, top());
      case OP_CREATE:
      case OP_CREATE2:
        return plan_create(machine_, frame_, gas, op, top(), plan_);
      case OP_CALL:
      case OP_CALLCODE:
      case OP_DELEGATECALL:
      case OP_STATICCALL:
        return plan_call(machine_, frame_, gas, op, top(), plan_);
      case OP_SELFDESTRUCT:
        return plan_selfdestruct(machine_, frame_, gas, to_address(peek(0)));
      default:
        return Status::kSuccess;
    }
  }
  [[nodiscard]] Status jump_status(const uint256& to) const {
    return to.fits_u64() && frame_.program->is_jumpdest(to.low64()) ? Status::kSuccess : Status::kBadJump;
  }

  void show(std::uint8_t op, std::int64_t gas, std::size_t memory, Status error) const {
    Tracer* const tracer = machine_.tracer();
    if (tracer == nullptr) return;
    Step step;
    step.pc = pc_;
    step.op = op;
    step.depth = message_.depth;
    step.gas = gas;
    step.gas_cost = gas - frame_.gas;
    step.refund = machine_.journal().refund();
    step.stack = {frame_.stack(), height_};
    step.memory = frame_.memory.view(0, memory);
    step.return_data = frame_.return_data;
    step.message = &message_;
    step.error = error;
    tracer->on_step(step);
  }

  void execute(std::uint8_t op) {
    if (op >= OP_PUSH0 && op <= OP_PUSH32) {
      const std::size_t size = op - OP_PUSH0;
      std::uint8_t word[32] = {};
      for (std::size_t i = 0; i < size; ++i)
        word[32 - size + i] = pc_ + 1 + i < code_.size() ? code_[pc_ + 1 + i] : std::uint8_t{0};
      push(load_word(word));
      pc_ += 1 + size;
      return;
    }
    if (op >= OP_DUP1 && op <= OP_DUP16) {
      push(uint256(peek(op - OP_DUP1)));
    } else if (op >= OP_SWAP1 && op <= OP_SWAP16) {
      std::swap(frame_.stack()[height_ - 1], frame_.stack()[height_ - 2 - (op - OP_SWAP1)]);
    } else if (op >= OP_LOG0 && op <= OP_LOG4) {
      finish_log(machine_, frame_, op - OP_LOG0, top());
      height_ -= 2u + (op - OP_LOG0);
    } else if (op < OP_KECCAK256) {
      arithmetic(op);
    } else if (op < OP_POP) {
      environment(op);
    } else {
      flow(op);
      return;
    }
    ++pc_;
  }

  void arithmetic(std::uint8_t op) {
    const unsigned pops = op_infos()[op].pops;
    const uint256 a = peek(0);
    const uint256 b = pops > 1 ? peek(1) : uint256();
    const uint256 c = pops > 2 ? peek(2) : uint256();
    replace(pops, plain::compute(op, a, b, c));
  }

  void environment(std::uint8_t op) {
    const BlockContext& block = machine_.block();
    state::Journal& journal = machine_.journal();
    std::uint8_t* const memory = frame_.memory.data();
    switch (op) {
      case OP_KECCAK256: {
        const std::size_t size = static_cast<std::size_t>(peek(1).low64());
        const Hash32 hash = crypto::keccak256(frame_.memory.view(size == 0 ? 0 : peek(0).low64(), size));
        return replace(2, uint256::from_be(hash));
      }
      case OP_ADDRESS:
        return push(to_word(message_.recipient));
      case OP_BALANCE:
        return replace(1, uint256(journal.account(to_address(peek(0))).balance));
      case OP_ORIGIN:
        return push(to_word(machine_.transaction().origin));
      case OP_CALLER:
        return push(to_word(message_.sender));
      case OP_CALLVALUE:
        return push(message_.value);
      case OP_CALLDATALOAD:
        return replace(1, load_padded(input(), peek(0)));
      case OP_CALLDATASIZE:
        return push(input().size());
      case OP_CALLDATACOPY:
        return copy(memory, input(), 0);
      case OP_CODESIZE:
        return push(code_.size());
      case OP_CODECOPY:
        return copy(memory, code_, 0);
      case OP_GASPRICE:
        return push(machine_.transaction().gas_price);
      case OP_EXTCODESIZE:
        return replace(1, machine_.code(to_address(peek(0)))->size());
      case OP_EXTCODECOPY: {
        const auto code = machine_.code(to_address(peek(0)));
        copy(memory, *code, 1);
        --height_;
        return;
      }
      case OP_RETURNDATASIZE:
        return push(frame_.return_data.size());
      case OP_RETURNDATACOPY:
        return copy(memory, frame_.return_data, 0);
      case OP_EXTCODEHASH: {
        const Account& account = journal.account(to_address(peek(0)));
        return replace(1, is_empty(account) ? uint256() : uint256::from_be(account.code_hash));
      }
      case OP_BLOCKHASH:
        return replace(1, uint256::from_be(machine_.block_hash(peek(0))));
      case OP_COINBASE:
        return push(to_word(block.beneficiary));
      case OP_TIMESTAMP:
        return push(block.timestamp);
      case OP_NUMBER:
        return push(block.number);
      case OP_PREVRANDAO:
        return push(machine_.revision() >= Revision::kParis ? uint256::from_be(block.randao) : block.difficulty);
      case OP_GASLIMIT:
        return push(block.gas_limit);
      case OP_CHAINID:
        return push(block.chain_id);
      case OP_SELFBALANCE:
        return push(uint256(journal.account(message_.recipient).balance));
      case OP_BASEFEE:
        return push(block.base_fee);
      case OP_BLOBHASH: {
        const auto hashes = machine_.transaction().blob_hashes;
        const bool known = peek(0) < uint256(hashes.size());
        return replace(1, known ? uint256::from_be(hashes[static_cast<std::size_t>(peek(0).low64())]) : uint256());
      }
      case OP_BLOBBASEFEE:
        return push(block.blob_base_fee);
      default:
        return;
    }
  }

  void flow(std::uint8_t op) {
    state::Journal& journal = machine_.journal();
    std::uint8_t* const memory = frame_.memory.data();
    switch (op) {
      case OP_POP:
        --height_;
        break;
      case OP_MLOAD:
        replace(1, load_word(memory + peek(0).low64()));
        break;
      case OP_MSTORE:
        store_word(memory + peek(0).low64(), peek(1));
        height_ -= 2;
        break;
      case OP_MSTORE8:
        memory[peek(0).low64()] = static_cast<std::uint8_t>(peek(1).low64());
        height_ -= 2;
        break;
      case OP_SLOAD:
        replace(1, journal.storage({message_.recipient, peek(0)}));
        break;
      case OP_SSTORE:
        height_ -= 2;  // Done when it was paid.
        break;
      case OP_JUMP:
        pc_ = peek(0).low64();
        --height_;
        return;
      case OP_JUMPI: {
        const bool taken = !peek(1).is_zero();
        const std::uint64_t to = peek(0).low64();
        height_ -= 2;
        if (taken) {
          pc_ = to;
          return;
        }
        break;
      }
      case OP_PC:
        push(pc_);
        break;
      case OP_MSIZE:
        push(frame_.memory.size());
        break;
      case OP_GAS:
        push(static_cast<std::uint64_t>(frame_.gas));
        break;
      case OP_TLOAD:
        replace(1, journal.transient({message_.recipient, peek(0)}));
        break;
      case OP_TSTORE:
        journal.set_transient({message_.recipient, peek(0)}, peek(1));
        height_ -= 2;
        break;
      case OP_MCOPY:
        if (!peek(2).is_zero())
          std::memmove(memory + peek(0).low64(), memory + peek(1).low64(), static_cast<std::size_t>(peek(2).low64()));
        height_ -= 3;
        break;
      case OP_CREATE:
      case OP_CREATE2:
        replace(op_infos()[op].pops, finish_create(machine_, frame_, frame_.gas, op, top(), plan_));
        break;
      case OP_CALL:
      case OP_CALLCODE:
      case OP_DELEGATECALL:
      case OP_STATICCALL:
        replace(op_infos()[op].pops, finish_call(machine_, frame_, frame_.gas, plan_) ? 1 : 0);
        break;
      default:
        break;  // JUMPDEST
    }
    ++pc_;
  }

  void copy(std::uint8_t* memory, BytesView from, std::size_t first) {
    const std::size_t size = static_cast<std::size_t>(peek(first + 2).low64());
    if (size != 0) copy_padded(memory + peek(first).low64(), from, peek(first + 1), size);
    height_ -= 3;
  }
  /// Init code has no call data: the input is the code itself.
  [[nodiscard]] BytesView input() const { return is_create(message_.kind) ? BytesView{} : message_.input; }

  Machine& machine_;
  Frame& frame_;
  const Message& message_;
  const BytesView code_;
  std::size_t pc_ = 0;
  std::size_t height_ = 0;
  CallPlan plan_;
};

}  // namespace

Status run_reference(Machine& machine, Frame& frame) { return Reference(machine, frame).run(); }

}  // namespace bonus::chain::evm
