// State-touching instructions and new frames.
#include "bonus/chain/evm/host_ops.hpp"

#include <algorithm>

namespace bonus::chain::evm {
namespace {

constexpr std::size_t kMaxInitCode = 49'152;  // EIP-3860
constexpr std::int64_t kNewAccountGas = 25'000;
constexpr std::int64_t kValueGas = 9'000;

/// EIP-7702: calling an account that delegates loads a second account.
std::int64_t delegation_gas(Machine& machine, const Address& target) {
  if (machine.revision() < Revision::kPrague) return 0;
  const auto code = machine.journal().code(target);
  const auto delegate = delegation_target(*code);
  if (!delegate) return 0;
  return kWarmGas + access_account(machine, *delegate);
}

/// All but one 64th (EIP-150), or all before.
std::int64_t passable_gas(Revision revision, std::int64_t gas) {
  return revision >= Revision::kTangerineWhistle ? gas - gas / 64 : gas;
}

bool is_new_account(Machine& machine, const Address& address) {
  const Account& account = machine.journal().account(address);
  return machine.revision() >= Revision::kSpuriousDragon ? is_empty(account) : is_missing(account);
}

}  // namespace

void Memory::reallocate(std::size_t size) {
  const std::size_t capacity = std::max<std::size_t>({size, capacity_ * 2, 4096});
  auto bigger = std::make_unique_for_overwrite<std::uint8_t[]>(capacity);
  if (size_ != 0) std::memcpy(bigger.get(), data_.get(), size_);
  data_ = std::move(bigger);
  capacity_ = capacity;
}

bool expand_slow(Memory& memory, std::int64_t& gas, std::uint64_t end) {
  const std::int64_t words = words_of(end);
  const std::int64_t had = static_cast<std::int64_t>(memory.size() / 32);
  if (!charge(gas, memory_gas(words) - memory_gas(had))) return false;
  memory.grow(static_cast<std::size_t>(words) * 32);
  return true;
}

void copy_padded(std::uint8_t* to, BytesView from, const uint256& offset, std::size_t size) {
  if (size == 0) return;
  const std::size_t start = offset.fits_u64() ? std::min<std::size_t>(offset.limb[0], from.size()) : from.size();
  const std::size_t part = std::min(size, from.size() - start);
  if (part != 0) std::memcpy(to, from.data() + start, part);
  std::memset(to + part, 0, size - part);
}

uint256 load_padded(BytesView from, const uint256& offset) {
  if (offset.fits_u64() && offset.limb[0] < from.size() && from.size() - offset.limb[0] >= 32)
    return load_word(from.data() + offset.limb[0]);
  std::uint8_t word[32];
  copy_padded(word, from, offset, sizeof word);
  return load_word(word);
}

std::int64_t access_account(Machine& machine, const Address& address) {
  if (machine.revision() < Revision::kBerlin) return 0;
  // Precompiles are warm from the start.
  return machine.journal().warm(address) && !machine.is_precompile(address) ? kColdAccountGas - kWarmGas : 0;
}

std::int64_t access_slot(Machine& machine, const SlotKey& key) {
  if (machine.revision() < Revision::kBerlin) return 0;
  return machine.journal().warm(key) ? kColdSlotGas - kWarmGas : 0;
}

std::int64_t exponent_gas(Revision revision, const uint256& exponent) {
  const std::int64_t per_byte = revision >= Revision::kSpuriousDragon ? 50 : 10;
  return per_byte * ((exponent.bit_length() + 7) / 8);
}

Status sstore(Machine& machine, Frame& frame, std::int64_t& gas, const uint256& slot, const uint256& value) {
  if (frame.message->is_static) return Status::kStaticViolation;
  const Revision revision = machine.revision();
  if (revision >= Revision::kIstanbul && gas <= kCallStipend) return Status::kOutOfGas;  // EIP-2200
  state::Journal& journal = machine.journal();
  const SlotKey key{frame.message->recipient, slot};
  std::int64_t cost = 0;
  if (revision >= Revision::kBerlin && journal.warm(key)) cost = kColdSlotGas;
  const auto& entry = journal.slot(key);
  const uint256& current = entry.now;
  const uint256& original = entry.original;
  const bool net = revision == Revision::kConstantinople || revision >= Revision::kIstanbul;
  std::int64_t refund = 0;
  if (!net) {
    cost += current.is_zero() && !value.is_zero() ? 20'000 : 5'000;
    if (!current.is_zero() && value.is_zero()) refund = 15'000;
  } else {
    const std::int64_t load = revision >= Revision::kBerlin ? kWarmGas : revision >= Revision::kIstanbul ? 800 : 200;
    const std::int64_t reset = revision >= Revision::kBerlin ? 5'000 - kColdSlotGas : 5'000;
    const std::int64_t clear = revision >= Revision::kLondon ? 4'800 : 15'000;
    if (current == value) {
      cost += load;
    } else if (original == current) {
      cost += original.is_zero() ? 20'000 : reset;
      if (!original.is_zero() && value.is_zero()) refund = clear;
    } else {
      cost += load;
      if (!original.is_zero()) {
        if (current.is_zero()) {
          refund -= clear;
        } else if (value.is_zero()) {
          refund += clear;
        }
      }
      if (original == value) refund += (original.is_zero() ? 20'000 : reset) - load;
    }
  }
  if (!charge(gas, cost)) return Status::kOutOfGas;
  if (refund != 0) journal.add_refund(refund);
  journal.set_storage(key, value);
  return Status::kSuccess;
}

Status plan_call(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op, const uint256* top,
                 CallPlan& plan) {
  const Message& current = *frame.message;
  const Revision revision = machine.revision();
  const bool has_value_argument = op == OP_CALL || op == OP_CALLCODE;
  const uint256 value = has_value_argument ? top[-2] : uint256();
  const uint256* areas = top - (has_value_argument ? 3 : 2);
  const Address target = to_address(top[-1]);
  if (op == OP_CALL && current.is_static && !value.is_zero()) return Status::kStaticViolation;

  if (!expand(frame.memory, gas, areas[0], areas[-1])) return Status::kOutOfGas;
  if (!expand(frame.memory, gas, areas[-2], areas[-3])) return Status::kOutOfGas;
  std::int64_t cost = access_account(machine, target);
  if (!value.is_zero()) cost += kValueGas;
  // What is looked up below costs at least this much: without it nothing more may be loaded.
  if (gas < cost) return Status::kOutOfGas;
  if (op == OP_CALL && (revision < Revision::kSpuriousDragon || !value.is_zero()) && is_new_account(machine, target))
    cost += kNewAccountGas;
  if (gas < cost) return Status::kOutOfGas;
  cost += delegation_gas(machine, target);
  if (!charge(gas, cost)) return Status::kOutOfGas;

  const std::int64_t passable = passable_gas(revision, gas);
  const std::int64_t wanted = top[0].fits_u64() && top[0].limb[0] <= static_cast<std::uint64_t>(INT64_MAX)
                                  ? static_cast<std::int64_t>(top[0].limb[0])
                                  : INT64_MAX;
  if (revision < Revision::kTangerineWhistle && wanted > passable) return Status::kOutOfGas;
  const std::int64_t passed = std::min(wanted, passable);
  gas -= passed;

  Message& m = plan.message;
  m.depth = current.depth + 1;
  m.gas = passed + (value.is_zero() ? 0 : kCallStipend);
  m.is_static = current.is_static || op == OP_STATICCALL;
  m.code_address = target;
  m.sender = current.recipient;
  m.recipient = target;
  m.value = value;
  switch (op) {
    case OP_CALL:
      m.kind = CallKind::kCall;
      break;
    case OP_CALLCODE:
      m.kind = CallKind::kCallCode;
      m.recipient = current.recipient;
      break;
    case OP_DELEGATECALL:
      m.kind = CallKind::kDelegateCall;
      m.recipient = current.recipient;
      m.sender = current.sender;
      m.value = current.value;
      break;
    default:
      m.kind = CallKind::kStaticCall;
  }
  m.input = areas[-1].is_zero() ? BytesView{} : frame.memory.view(areas[0].limb[0], areas[-1].limb[0]);
  plan.output_offset = areas[-3].is_zero() ? 0 : areas[-2].limb[0];
  plan.output_size = areas[-3].limb[0];
  return Status::kSuccess;
}

bool finish_call(Machine& machine, Frame& frame, std::int64_t& gas, const CallPlan& plan) {
  const Outcome outcome = machine.run(plan.message);
  gas += outcome.gas_left;
  frame.return_data.assign(outcome.output.begin(), outcome.output.end());
  const std::size_t copied = std::min(plan.output_size, outcome.output.size());
  if (copied != 0) std::memcpy(frame.memory.data() + plan.output_offset, outcome.output.data(), copied);
  return outcome.status == Status::kSuccess;
}

Status plan_create(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op, const uint256* top,
                   CallPlan& plan) {
  if (frame.message->is_static) return Status::kStaticViolation;
  const uint256& size = top[-2];
  if (!expand(frame.memory, gas, top[-1], size)) return Status::kOutOfGas;
  const std::int64_t words = words_of(size.limb[0]);
  std::int64_t cost = op == OP_CREATE2 ? 6 * words : 0;
  if (machine.revision() >= Revision::kShanghai) {
    if (size.limb[0] > kMaxInitCode) return Status::kInitCodeTooLarge;
    cost += 2 * words;
  }
  if (!charge(gas, cost)) return Status::kOutOfGas;

  Message& m = plan.message;
  m.kind = op == OP_CREATE2 ? CallKind::kCreate2 : CallKind::kCreate;
  m.depth = frame.message->depth + 1;
  m.gas = passable_gas(machine.revision(), gas);
  m.is_static = false;
  m.sender = frame.message->recipient;
  m.value = top[0];
  m.input = size.is_zero() ? BytesView{} : frame.memory.view(top[-1].limb[0], size.limb[0]);
  return Status::kSuccess;
}

uint256 finish_create(Machine& machine, Frame& frame, std::int64_t& gas, std::uint8_t op, const uint256* top,
                      CallPlan& plan) {
  frame.return_data.clear();
  state::Journal& journal = machine.journal();
  Message& m = plan.message;
  const Account& creator = journal.account(m.sender);
  if (m.depth > Machine::kMaxDepth || creator.balance < m.value || creator.nonce == UINT64_MAX) return {};
  const std::uint64_t nonce = creator.nonce;
  m.recipient =
      op == OP_CREATE2 ? create2_address(m.sender, top[-3].to_be(), m.input) : create_address(m.sender, nonce);
  journal.set_nonce(m.sender, nonce + 1);
  gas -= m.gas;
  const Outcome outcome = machine.run(m);
  gas += outcome.gas_left;
  if (outcome.status == Status::kRevert) frame.return_data.assign(outcome.output.begin(), outcome.output.end());
  return outcome.status == Status::kSuccess ? to_word(m.recipient) : uint256();
}

Status plan_selfdestruct(Machine& machine, Frame& frame, std::int64_t& gas, const Address& heir) {
  if (frame.message->is_static) return Status::kStaticViolation;
  const Revision revision = machine.revision();
  state::Journal& journal = machine.journal();
  std::int64_t cost = 0;
  if (revision >= Revision::kBerlin && journal.warm(heir) && !machine.is_precompile(heir)) cost += kColdAccountGas;
  if (gas < cost) return Status::kOutOfGas;
  const bool pays =
      revision < Revision::kSpuriousDragon || !journal.account(frame.message->recipient).balance.is_zero();
  if (revision >= Revision::kTangerineWhistle && pays && is_new_account(machine, heir)) cost += kNewAccountGas;
  return charge(gas, cost) ? Status::kSuccess : Status::kOutOfGas;
}

void finish_selfdestruct(Machine& machine, Frame& frame, const Address& heir) {
  state::Journal& journal = machine.journal();
  const Address self = frame.message->recipient;
  const uint256 balance = journal.account(self).balance;
  const Revision revision = machine.revision();
  if (Tracer* tracer = machine.tracer()) {
    Message m;
    m.depth = frame.message->depth + 1;
    m.sender = self;
    m.recipient = m.code_address = heir;
    m.value = balance;
    tracer->on_enter(m, OP_SELFDESTRUCT);
    tracer->on_exit(m, {});
  }
  if (revision < Revision::kLondon && !journal.destructed_in_transaction(self)) journal.add_refund(24'000);
  const bool destroys = revision < Revision::kCancun || journal.created_in_transaction(self);  // EIP-6780
  if (heir != self) {
    journal.set_balance(self, {});
    journal.add_balance(heir, balance);
  } else if (destroys) {
    journal.set_balance(self, {});
  }
  if (destroys) journal.mark_destructed(self);
}

Status plan_log(Machine& /*machine*/, Frame& frame, std::int64_t& gas, const uint256* top) {
  if (frame.message->is_static) return Status::kStaticViolation;
  if (!expand(frame.memory, gas, top[0], top[-1])) return Status::kOutOfGas;
  return charge(gas, 8 * static_cast<std::int64_t>(top[-1].limb[0])) ? Status::kSuccess : Status::kOutOfGas;
}

void finish_log(Machine& machine, Frame& frame, unsigned topics, const uint256* top) {
  Log log;
  log.address = frame.message->recipient;
  const BytesView data =
      top[-1].is_zero() ? BytesView{} : frame.memory.view(top[0].limb[0], static_cast<std::size_t>(top[-1].limb[0]));
  log.data.assign(data.begin(), data.end());
  log.topics.reserve(topics);
  for (unsigned i = 0; i < topics; ++i) log.topics.push_back((top - 2 - i)->to_be());
  if (Tracer* tracer = machine.tracer()) tracer->on_log(log);
  machine.journal().emit(std::move(log));
}

}  // namespace bonus::chain::evm
