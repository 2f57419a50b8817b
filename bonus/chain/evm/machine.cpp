// Calls and creations.
#include "bonus/chain/evm/machine.hpp"

#include "bonus/chain/evm/host_ops.hpp"
#include "bonus/chain/evm/native_host.hpp"
#include "bonus/chain/precompiles/precompiles.hpp"
#include "bonus/codec/abi.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::evm {
namespace {

constexpr std::size_t kMaxCode = 24'576;  // EIP-170
constexpr std::int64_t kCodeByteGas = 200;

std::uint8_t op_of(CallKind kind) {
  switch (kind) {
    case CallKind::kCall:
      return OP_CALL;
    case CallKind::kStaticCall:
      return OP_STATICCALL;
    case CallKind::kDelegateCall:
      return OP_DELEGATECALL;
    case CallKind::kCallCode:
      return OP_CALLCODE;
    case CallKind::kCreate:
      return OP_CREATE;
    case CallKind::kCreate2:
      return OP_CREATE2;
  }
  return OP_CALL;
}

}  // namespace

std::string_view to_string(Status status) {
  switch (status) {
    case Status::kSuccess:
      return "";
    case Status::kRevert:
      return "execution reverted";
    case Status::kOutOfGas:
      return "out of gas";
    case Status::kUndefinedInstruction:
    case Status::kInvalidInstruction:
      return "invalid opcode";
    case Status::kStackUnderflow:
      return "stack underflow";
    case Status::kStackOverflow:
      return "stack limit reached 1024 (1023)";
    case Status::kBadJump:
      return "invalid jump destination";
    case Status::kStaticViolation:
      return "write protection";
    case Status::kReturnDataBounds:
      return "return data out of bounds";
    case Status::kCodeTooLarge:
      return "max code size exceeded";
    case Status::kBadCode:
      return "invalid code: must not begin with 0xef";
    case Status::kCollision:
      return "contract address collision";
    case Status::kInitCodeTooLarge:
      return "max initcode size exceeded";
    case Status::kPrecompileFailure:
      return "precompile failed";
    case Status::kInsufficientBalance:
      return "insufficient balance for transfer";
    case Status::kDepth:
      return "max call depth exceeded";
    case Status::kNonceOverflow:
      return "nonce uint64 overflow";
  }
  return "";
}

Address create_address(const Address& sender, std::uint64_t nonce) {
  rlp::Encoder e;
  e.begin_list();
  e.bytes(sender).number(nonce);
  e.end_list();
  const Hash32 hash = crypto::keccak256(e.take());
  Address out;
  std::copy_n(hash.bytes.begin() + 12, 20, out.bytes.begin());
  return out;
}

Address create2_address(const Address& sender, const Hash32& salt, BytesView init_code) {
  Bytes text{0xff};
  append(text, sender);
  append(text, salt);
  append(text, crypto::keccak256(init_code));
  const Hash32 hash = crypto::keccak256(text);
  Address out;
  std::copy_n(hash.bytes.begin() + 12, 20, out.bytes.begin());
  return out;
}

std::optional<Address> delegation_target(BytesView code) {
  if (code.size() != kDelegationPrefix.size() + Address::kSize) return std::nullopt;
  if (!std::ranges::equal(code.first(kDelegationPrefix.size()), kDelegationPrefix)) return std::nullopt;
  return Address::from(code.subspan(kDelegationPrefix.size())).value();
}

/// What the machine keeps between calls so that they need not allocate.
struct Machine::Pools {
  std::vector<std::unique_ptr<Frame>> frames;                           ///< By depth.
  Bytes output;                                                         ///< Of the last precompile or system contract.
  std::unordered_map<Hash32, std::shared_ptr<const Program>> programs;  // Shared with the cache.
};

Machine::Machine(state::Journal& journal, const BlockContext& context, const MachineOptions& options)
    : journal_(journal),
      context_(context),
      options_(options),
      costs_(gas_costs(context.revision)),
      pools_(std::make_unique<Pools>()) {}

Machine::~Machine() = default;

bool Machine::is_precompile(const Address& address) const {
  if (options_.moved != nullptr) {
    if (const auto found = options_.moved->find(address); found != options_.moved->end())
      return found->second.has_value();
  }
  return precompiles::is_precompile(address, context_.revision);
}

Hash32 Machine::block_hash(const uint256& number) const {
  if (context_.hashes == nullptr || !number.fits_u64()) return {};
  const std::uint64_t wanted = number.limb[0];
  if (wanted >= context_.number || context_.number - wanted > 256) return {};
  return context_.hashes->block_hash(wanted);
}

Frame& Machine::frame(std::uint32_t depth) {
  auto& frames = pools_->frames;
  while (frames.size() <= depth) frames.push_back(std::make_unique_for_overwrite<Frame>());
  return *frames[depth];
}

std::shared_ptr<const Program> Machine::program_of(const Address& address) {
  Hash32 hash = journal_.account(address).code_hash;
  if (hash.is_zero() || hash == kEmptyCodeHash) return nullptr;
  Address holder = address;
  if (revision() >= Revision::kPrague) {
    if (const auto target = delegation_target(*journal_.code(address))) {
      holder = *target;
      hash = journal_.account(holder).code_hash;
      if (is_precompile(holder) || hash.is_zero() || hash == kEmptyCodeHash) return nullptr;
    }
  }
  auto& known = pools_->programs;
  if (const auto found = known.find(hash); found != known.end()) return found->second;
  const auto load = [&] { return journal_.code(holder); };
  // Shared with the cache, which other threads use.
  auto program = options_.programs != nullptr ? options_.programs->get(hash, revision(), load)
                                              : std::make_shared<const Program>(load(), revision());
  known.emplace(hash, program);
  return program;
}

Outcome Machine::run(const Message& message) {
  Tracer* const tracer = options_.tracer;
  if (tracer == nullptr) return dispatch(message);
  tracer->on_enter(message, op_of(message.kind));
  const Outcome outcome = dispatch(message);
  tracer->on_exit(message, outcome);
  return outcome;
}

Outcome Machine::dispatch(const Message& message) {
  if (message.depth > kMaxDepth) return {Status::kDepth, message.gas, {}};
  return is_create(message.kind) ? create(message) : call(message);
}

Outcome Machine::call(const Message& message) {
  const bool moves = message.kind == CallKind::kCall;
  if ((moves || message.kind == CallKind::kCallCode) && !message.value.is_zero() &&
      journal_.account(message.sender).balance < message.value)
    return {Status::kInsufficientBalance, message.gas, {}};

  const auto before = journal_.snapshot();
  const bool precompile = is_precompile(message.code_address);
  if (moves) {
    if (message.value.is_zero()) {
      if (!precompile && revision() >= Revision::kSpuriousDragon && !journal_.exists(message.recipient))
        return {Status::kSuccess, message.gas, {}};
      journal_.touch(message.recipient);
    } else if (message.sender == message.recipient) {
      journal_.touch(message.recipient);
    } else {
      journal_.set_balance(message.sender, journal_.account(message.sender).balance - message.value);
      journal_.set_balance(message.recipient, journal_.account(message.recipient).balance + message.value);
    }
  } else if (message.kind == CallKind::kStaticCall) {
    journal_.touch(message.recipient);
  }

  Outcome outcome;
  const NativeContract* native = nullptr;
  if (options_.natives != nullptr && (moves || message.kind == CallKind::kStaticCall))
    native = options_.natives->find(message.code_address);
  if (precompile) {
    outcome = run_precompile(message);
  } else if (native != nullptr) {
    outcome = run_native(*native, message);
  } else if (const auto program = program_of(message.code_address)) {
    outcome = run_code(message, *program);
  } else {
    outcome = {Status::kSuccess, message.gas, {}};
  }
  if (outcome.status != Status::kSuccess) journal_.revert(before);
  return outcome;
}

Outcome Machine::create(const Message& message) {
  const Address& made = message.recipient;
  if (journal_.account(message.sender).balance < message.value) return {Status::kInsufficientBalance, message.gas, {}};
  if (revision() >= Revision::kBerlin) (void)journal_.warm(made);
  if (journal_.is_occupied(made)) return {Status::kCollision, 0, {}};

  const auto before = journal_.snapshot();
  journal_.touch(made);
  journal_.mark_created(made);
  if (revision() >= Revision::kSpuriousDragon) journal_.set_nonce(made, 1);
  if (!message.value.is_zero()) {
    journal_.set_balance(message.sender, journal_.account(message.sender).balance - message.value);
    journal_.set_balance(made, journal_.account(made).balance + message.value);
  }
  // Init code runs once: its program is not worth a place in the cache.
  const Program program(std::make_shared<const Bytes>(message.input.begin(), message.input.end()), revision());
  Outcome outcome = run_code(message, program);
  if (outcome.status == Status::kSuccess) outcome.gas_left = deposit_code(message, outcome);
  if (outcome.status != Status::kSuccess) journal_.revert(before);
  return outcome;
}

std::int64_t Machine::deposit_code(const Message& message, Outcome& outcome) {
  const BytesView code = outcome.output;
  if (revision() >= Revision::kSpuriousDragon && code.size() > kMaxCode) {
    outcome = {Status::kCodeTooLarge, 0, {}};
    return 0;
  }
  if (revision() >= Revision::kLondon && !code.empty() && code[0] == 0xef) {
    outcome = {Status::kBadCode, 0, {}};
    return 0;
  }
  const std::int64_t cost = kCodeByteGas * static_cast<std::int64_t>(code.size());
  if (cost > outcome.gas_left) {
    if (revision() >= Revision::kHomestead) {  // EIP-2
      outcome = {Status::kOutOfGas, 0, {}};
      return 0;
    }
    outcome.output = {};
    return outcome.gas_left;
  }
  if (!code.empty()) journal_.set_code(message.recipient, Bytes(code.begin(), code.end()), crypto::keccak256(code));
  return outcome.gas_left - cost;
}

Outcome Machine::run_code(const Message& message, const Program& program) {
  Frame& f = frame(message.depth);
  f.reset(message, program);
  const bool slow = options_.reference || options_.tracer != nullptr;
  const Status status = slow ? run_reference(*this, f) : run_threaded(*this, f);
  if (status != Status::kSuccess && status != Status::kRevert) return {status, 0, {}};
  return {status, f.gas, f.memory.view(f.output_offset, f.output_size)};
}

Outcome Machine::run_precompile(const Message& message) {
  Address address = message.code_address;
  if (options_.moved != nullptr) {
    if (const auto found = options_.moved->find(address); found != options_.moved->end() && found->second)
      address = *found->second;
  }
  const auto reply =
      precompiles::run(address, revision(), message.input, static_cast<std::uint64_t>(message.gas), pools_->output);
  if (!reply.success) return {Status::kPrecompileFailure, 0, {}};
  return {Status::kSuccess, message.gas - static_cast<std::int64_t>(reply.gas_used), pools_->output};
}

Outcome Machine::run_native(const NativeContract& contract, const Message& message) {
  NativeHost host(journal_, context_, static_cast<std::uint64_t>(message.gas), message.is_static);
  const CallInput input{message.sender, message.recipient, message.value, message.input, message.is_static};
  CallOutcome reply = contract.call(host, input);
  pools_->output = std::move(reply.output);
  if (host.violated()) return {Status::kStaticViolation, 0, {}};
  if (host.out_of_gas()) {
    // A contract cannot talk itself out of an exceeded limit.
    pools_->output = abi::encode_revert("out of gas");
    return {Status::kRevert, 0, pools_->output};
  }
  return {reply.success ? Status::kSuccess : Status::kRevert, static_cast<std::int64_t>(host.left()), pools_->output};
}

}  // namespace bonus::chain::evm
