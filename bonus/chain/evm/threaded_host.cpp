// Handlers that read the environment, touch state or start frames.
#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/evm/threaded_handlers.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::evm {
namespace {

/// What an out-of-line part gives back: in registers, so that the handler's own values stay there too.
struct Step {
  std::int64_t gas;
  Status status;
};
#define BONUS_STEP(...)                                                          \
  do {                                                                           \
    const Step step = (__VA_ARGS__);                                             \
    gas = step.gas;                                                              \
    if (step.status != Status::kSuccess) return finish(frame, gas, step.status); \
  } while (false)

constexpr Step out_of_gas(std::int64_t gas) { return {gas, Status::kOutOfGas}; }

BytesView input_of(const Frame* frame) { return is_create(frame->message->kind) ? BytesView{} : frame->message->input; }

// --- the environment: one word each

template <class F>
BONUS_HANDLER(push_from) {
  sp[1] = F::of(*frame);
  ++sp;
  BONUS_NEXT;
}
struct SelfAddress {
  static uint256 of(const Frame& f) { return to_word(f.message->recipient); }
};
struct Origin {
  static uint256 of(const Frame& f) { return to_word(f.machine->transaction().origin); }
};
struct Caller {
  static uint256 of(const Frame& f) { return to_word(f.message->sender); }
};
struct CallValue {
  static uint256 of(const Frame& f) { return f.message->value; }
};
struct CallDataSize {
  static uint256 of(const Frame& f) { return input_of(&f).size(); }
};
struct CodeSize {
  static uint256 of(const Frame& f) { return f.program->code().size(); }
};
struct GasPrice {
  static uint256 of(const Frame& f) { return f.machine->transaction().gas_price; }
};
struct ReturnDataSize {
  static uint256 of(const Frame& f) { return f.return_data.size(); }
};
struct Coinbase {
  static uint256 of(const Frame& f) { return to_word(f.machine->block().beneficiary); }
};
struct Timestamp {
  static uint256 of(const Frame& f) { return f.machine->block().timestamp; }
};
struct Number {
  static uint256 of(const Frame& f) { return f.machine->block().number; }
};
struct PrevRandao {
  static uint256 of(const Frame& f) {
    const BlockContext& block = f.machine->block();
    return block.revision >= Revision::kParis ? uint256::from_be(block.randao) : block.difficulty;
  }
};
struct GasLimit {
  static uint256 of(const Frame& f) { return f.machine->block().gas_limit; }
};
struct ChainId {
  static uint256 of(const Frame& f) { return f.machine->block().chain_id; }
};
struct SelfBalance {
  static uint256 of(const Frame& f) { return f.machine->journal().account(f.message->recipient).balance; }
};
struct BaseFee {
  static uint256 of(const Frame& f) { return f.machine->block().base_fee; }
};
struct BlobBaseFee {
  static uint256 of(const Frame& f) { return f.machine->block().blob_base_fee; }
};
struct MemorySize {
  static uint256 of(const Frame& f) { return f.memory.size(); }
};

BONUS_HANDLER(gas_left) {
  *++sp = uint256(static_cast<std::uint64_t>(gas));
  BONUS_NEXT;
}
BONUS_HANDLER(call_data_load) {
  sp[0] = load_padded(input_of(frame), sp[0]);
  BONUS_NEXT;
}
BONUS_HANDLER(block_hash) {
  sp[0] = uint256::from_be(frame->machine->block_hash(sp[0]));
  BONUS_NEXT;
}
BONUS_HANDLER(blob_hash) {
  const auto hashes = frame->machine->transaction().blob_hashes;
  sp[0] = sp[0] < uint256(hashes.size()) ? uint256::from_be(hashes[sp[0].limb[0]]) : uint256();
  BONUS_NEXT;
}

// --- copies and hashes

Step keccak(Frame* frame, uint256* sp, std::int64_t gas) {
  const std::size_t size = sp[-1].limb[0];
  if (!expand(frame->memory, gas, sp[0], sp[-1]) || !charge(gas, 6 * words_of(size))) return out_of_gas(gas);
  sp[-1] = load_word(crypto::keccak256(frame->memory.view(size == 0 ? 0 : sp[0].limb[0], size)).bytes.data());
  return {gas, Status::kSuccess};
}
BONUS_HANDLER(keccak256) {
  BONUS_STEP(keccak(frame, sp, gas));
  --sp;
  BONUS_NEXT;
}

/// `top` holds destination, offset, size.
Step copy(Frame* frame, const uint256* top, std::int64_t gas, BytesView from) {
  if (!expand(frame->memory, gas, top[0], top[-2]) || !charge(gas, 3 * words_of(top[-2].limb[0])))
    return out_of_gas(gas);
  if (const std::size_t size = top[-2].limb[0]; size != 0)
    copy_padded(frame->memory.data() + top[0].limb[0], from, top[-1], size);
  return {gas, Status::kSuccess};
}
BONUS_HANDLER(call_data_copy) {
  BONUS_STEP(copy(frame, sp, gas, input_of(frame)));
  sp -= 3;
  BONUS_NEXT;
}
BONUS_HANDLER(code_copy) {
  BONUS_STEP(copy(frame, sp, gas, frame->program->code()));
  sp -= 3;
  BONUS_NEXT;
}
Step copy_return_data(Frame* frame, const uint256* top, std::int64_t gas) {
  const uint256 have(frame->return_data.size());
  if (top[-1] > have || top[-2] > have - top[-1]) return {gas, Status::kReturnDataBounds};
  return copy(frame, top, gas, frame->return_data);
}
BONUS_HANDLER(return_data_copy) {
  BONUS_STEP(copy_return_data(frame, sp, gas));
  sp -= 3;
  BONUS_NEXT;
}
Step copy_memory(Frame* frame, const uint256* top, std::int64_t gas) {
  if (!expand(frame->memory, gas, std::max(top[0], top[-1]), top[-2]) || !charge(gas, 3 * words_of(top[-2].limb[0])))
    return out_of_gas(gas);
  std::uint8_t* const memory = frame->memory.data();
  if (const std::size_t size = top[-2].limb[0]; size != 0)
    std::memmove(memory + top[0].limb[0], memory + top[-1].limb[0], size);
  return {gas, Status::kSuccess};
}
BONUS_HANDLER(memory_copy) {
  BONUS_STEP(copy_memory(frame, sp, gas));
  sp -= 3;
  BONUS_NEXT;
}

// --- other accounts

Step touch_account(Frame* frame, const Address& address, std::int64_t gas) {
  return charge(gas, access_account(*frame->machine, address)) ? Step{gas, Status::kSuccess} : out_of_gas(gas);
}
Step read_balance(Frame* frame, uint256* sp, std::int64_t gas) {
  const Address address = to_address(sp[0]);
  const Step step = touch_account(frame, address, gas);
  if (step.status == Status::kSuccess) sp[0] = frame->machine->journal().account(address).balance;
  return step;
}
BONUS_HANDLER(balance) {
  BONUS_STEP(read_balance(frame, sp, gas));
  BONUS_NEXT;
}
Step read_code_size(Frame* frame, uint256* sp, std::int64_t gas) {
  const Address address = to_address(sp[0]);
  const Step step = touch_account(frame, address, gas);
  if (step.status == Status::kSuccess) sp[0] = uint256(frame->machine->code(address)->size());
  return step;
}
BONUS_HANDLER(ext_code_size) {
  BONUS_STEP(read_code_size(frame, sp, gas));
  BONUS_NEXT;
}
Step read_code_hash(Frame* frame, uint256* sp, std::int64_t gas) {
  const Address address = to_address(sp[0]);
  const Step step = touch_account(frame, address, gas);
  if (step.status != Status::kSuccess) return step;
  const Account& account = frame->machine->journal().account(address);
  sp[0] = is_empty(account) ? uint256() : uint256::from_be(account.code_hash);
  return step;
}
BONUS_HANDLER(ext_code_hash) {
  BONUS_STEP(read_code_hash(frame, sp, gas));
  BONUS_NEXT;
}
Step copy_ext_code(Frame* frame, const uint256* sp, std::int64_t gas) {
  const Address address = to_address(sp[0]);
  if (!expand(frame->memory, gas, sp[-1], sp[-3]) || !charge(gas, 3 * words_of(sp[-3].limb[0]))) return out_of_gas(gas);
  const Step step = touch_account(frame, address, gas);
  if (step.status != Status::kSuccess) return step;
  const auto code = frame->machine->code(address);
  if (const std::size_t size = sp[-3].limb[0]; size != 0)
    copy_padded(frame->memory.data() + sp[-1].limb[0], *code, sp[-2], size);
  return step;
}
BONUS_HANDLER(ext_code_copy) {
  BONUS_STEP(copy_ext_code(frame, sp, gas));
  sp -= 4;
  BONUS_NEXT;
}

// --- storage

Step load_slot(Frame* frame, uint256* sp, std::int64_t gas) {
  const SlotKey key{frame->message->recipient, sp[0]};
  if (!charge(gas, access_slot(*frame->machine, key))) return out_of_gas(gas);
  sp[0] = frame->machine->journal().storage(key);
  return {gas, Status::kSuccess};
}
BONUS_HANDLER(slot_load) {
  BONUS_STEP(load_slot(frame, sp, gas));
  BONUS_NEXT;
}
Step store_slot(Frame* frame, const uint256* sp, std::int64_t gas) {
  const Status status = sstore(*frame->machine, *frame, gas, sp[0], sp[-1]);
  return {gas, status};
}
BONUS_HANDLER(slot_store) {
  BONUS_STEP(store_slot(frame, sp, gas));
  sp -= 2;
  BONUS_NEXT;
}
void load_transient(Frame* frame, uint256* sp) {
  sp[0] = frame->machine->journal().transient({frame->message->recipient, sp[0]});
}
BONUS_HANDLER(transient_load) {
  load_transient(frame, sp);
  BONUS_NEXT;
}
Status store_transient(Frame* frame, const uint256* sp) {
  if (frame->message->is_static) return Status::kStaticViolation;
  frame->machine->journal().set_transient({frame->message->recipient, sp[0]}, sp[-1]);
  return Status::kSuccess;
}
BONUS_HANDLER(transient_store) {
  BONUS_STEP(Step{gas, store_transient(frame, sp)});
  sp -= 2;
  BONUS_NEXT;
}
Step write_log(Frame* frame, const uint256* sp, std::int64_t gas, unsigned topics) {
  const Status status = plan_log(*frame->machine, *frame, gas, sp);
  if (status == Status::kSuccess) finish_log(*frame->machine, *frame, topics, sp);
  return {gas, status};
}
template <unsigned kTopics>
BONUS_HANDLER(log) {
  BONUS_STEP(write_log(frame, sp, gas, kTopics));
  sp -= 2 + kTopics;
  BONUS_NEXT;
}

// --- frames

Step run_call(Frame* frame, uint256* sp, std::int64_t gas, std::uint8_t op, unsigned pops) {
  CallPlan plan;
  const Status status = plan_call(*frame->machine, *frame, gas, op, sp, plan);
  if (status != Status::kSuccess) return {gas, status};
  const bool success = finish_call(*frame->machine, *frame, gas, plan);
  *(sp + 1 - pops) = uint256(success ? 1 : 0);
  return {gas, Status::kSuccess};
}
template <std::uint8_t kOp, unsigned kPops>
BONUS_HANDLER(call) {
  BONUS_STEP(run_call(frame, sp, gas, kOp, kPops));
  sp -= kPops - 1;
  BONUS_NEXT;
}
Step run_create(Frame* frame, uint256* sp, std::int64_t gas, std::uint8_t op, unsigned pops) {
  CallPlan plan;
  const Status status = plan_create(*frame->machine, *frame, gas, op, sp, plan);
  if (status != Status::kSuccess) return {gas, status};
  *(sp + 1 - pops) = finish_create(*frame->machine, *frame, gas, op, sp, plan);
  return {gas, Status::kSuccess};
}
template <std::uint8_t kOp, unsigned kPops>
BONUS_HANDLER(create) {
  BONUS_STEP(run_create(frame, sp, gas, kOp, kPops));
  sp -= kPops - 1;
  BONUS_NEXT;
}

// --- ends

BONUS_HANDLER(stop) {
  (void)ip;
  (void)sp;
  return finish(frame, gas, Status::kSuccess);
}
BONUS_HANDLER(undefined) {
  (void)ip;
  (void)sp;
  return finish(frame, gas, Status::kUndefinedInstruction);
}
BONUS_HANDLER(invalid) {
  (void)ip;
  (void)sp;
  return finish(frame, gas, Status::kInvalidInstruction);
}
template <Status kStatus>
BONUS_HANDLER(halt) {
  (void)ip;
  if (!expand(frame->memory, gas, sp[0], sp[-1])) return finish(frame, gas, Status::kOutOfGas);
  frame->output_size = sp[-1].limb[0];
  frame->output_offset = frame->output_size == 0 ? 0 : sp[0].limb[0];
  return finish(frame, gas, kStatus);
}
BONUS_HANDLER(self_destruct) {
  (void)ip;
  const Address heir = to_address(sp[0]);
  const Status status = plan_selfdestruct(*frame->machine, *frame, gas, heir);
  if (status == Status::kSuccess) finish_selfdestruct(*frame->machine, *frame, heir);
  return finish(frame, gas, status);
}

}  // namespace

const std::array<Handler, 256>& single_handlers() {
  static const std::array<Handler, 256> kTable = [] {
    std::array<Handler, 256> t{};
    t.fill(undefined);
    set_stack_handlers(t);
    t[OP_STOP] = stop;
    t[OP_KECCAK256] = keccak256;
    t[OP_ADDRESS] = push_from<SelfAddress>;
    t[OP_BALANCE] = balance;
    t[OP_ORIGIN] = push_from<Origin>;
    t[OP_CALLER] = push_from<Caller>;
    t[OP_CALLVALUE] = push_from<CallValue>;
    t[OP_CALLDATALOAD] = call_data_load;
    t[OP_CALLDATASIZE] = push_from<CallDataSize>;
    t[OP_CALLDATACOPY] = call_data_copy;
    t[OP_CODESIZE] = push_from<CodeSize>;
    t[OP_CODECOPY] = code_copy;
    t[OP_GASPRICE] = push_from<GasPrice>;
    t[OP_EXTCODESIZE] = ext_code_size;
    t[OP_EXTCODECOPY] = ext_code_copy;
    t[OP_RETURNDATASIZE] = push_from<ReturnDataSize>;
    t[OP_RETURNDATACOPY] = return_data_copy;
    t[OP_EXTCODEHASH] = ext_code_hash;
    t[OP_BLOCKHASH] = block_hash;
    t[OP_COINBASE] = push_from<Coinbase>;
    t[OP_TIMESTAMP] = push_from<Timestamp>;
    t[OP_NUMBER] = push_from<Number>;
    t[OP_PREVRANDAO] = push_from<PrevRandao>;
    t[OP_GASLIMIT] = push_from<GasLimit>;
    t[OP_CHAINID] = push_from<ChainId>;
    t[OP_SELFBALANCE] = push_from<SelfBalance>;
    t[OP_BASEFEE] = push_from<BaseFee>;
    t[OP_BLOBHASH] = blob_hash;
    t[OP_BLOBBASEFEE] = push_from<BlobBaseFee>;
    t[OP_SLOAD] = slot_load;
    t[OP_SSTORE] = slot_store;
    t[OP_MSIZE] = push_from<MemorySize>;
    t[OP_GAS] = gas_left;
    t[OP_TLOAD] = transient_load;
    t[OP_TSTORE] = transient_store;
    t[OP_MCOPY] = memory_copy;
    t[OP_LOG0] = log<0>;
    t[OP_LOG0 + 1] = log<1>;
    t[OP_LOG0 + 2] = log<2>;
    t[OP_LOG0 + 3] = log<3>;
    t[OP_LOG4] = log<4>;
    t[OP_CREATE] = create<OP_CREATE, 3>;
    t[OP_CALL] = call<OP_CALL, 7>;
    t[OP_CALLCODE] = call<OP_CALLCODE, 7>;
    t[OP_RETURN] = halt<Status::kSuccess>;
    t[OP_DELEGATECALL] = call<OP_DELEGATECALL, 6>;
    t[OP_CREATE2] = create<OP_CREATE2, 4>;
    t[OP_STATICCALL] = call<OP_STATICCALL, 6>;
    t[OP_REVERT] = halt<Status::kRevert>;
    t[OP_INVALID] = invalid;
    t[OP_SELFDESTRUCT] = self_destruct;
    return t;
  }();
  return kTable;
}

Handler undefined_handler() { return undefined; }

Status run_threaded(Machine& machine, Frame& frame) {
  frame.machine = &machine;
  frame.threaded = &frame.program->threaded();
  const Instruction* const first = frame.threaded->code.data();
  // stack[0] stays unused: an empty stack has its top there.
  return first->run(first, frame.stack(), frame.gas, &frame);
}

}  // namespace bonus::chain::evm
