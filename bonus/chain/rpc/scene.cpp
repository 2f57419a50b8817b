// Calls on a state.
#include "bonus/chain/rpc/scene.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {

uint256 price_of(const CallArguments& call, const uint256& base_fee) {
  if (call.gas_price) return *call.gas_price;
  const uint256 cap = call.fee_cap();
  const uint256 tip = call.tip.value_or(uint256());
  uint256 sum;
  if (add_overflows(base_fee, tip, sum)) return cap;
  return std::min(sum, cap);
}

BlockContext priced(const BlockContext& block, const CallArguments& call) {
  BlockContext out = block;
  if (price_of(call, block.base_fee).is_zero()) out.base_fee = {};
  if (call.blob_hashes && call.blob_fee.value_or(uint256()).is_zero()) out.blob_base_fee = {};
  return out;
}

namespace {

/// Fields of transactions that the fork does not have yet; the messages are geth's.
Result<> check_fork(const CallArguments& call, Revision revision) {
  if (revision < Revision::kLondon && (call.max_fee || call.tip))
    return fail(ErrorCode::kUnsupported, "maxFeePerGas and maxPriorityFeePerGas are not valid before London is active");
  const char* kind = nullptr;
  if (revision < Revision::kPrague && call.authorizations)
    kind = "setcode";
  else if (revision < Revision::kCancun && (call.blob_hashes || call.blob_fee))
    kind = "blob";
  else if (revision < Revision::kBerlin && call.access_list)
    kind = "access list";
  if (kind == nullptr) return {};
  return fail(ErrorCode::kUnsupported,
              fmt::format("transaction type not supported: {} tx (sender {})", kind, to_hex0x(call.from)));
}

}  // namespace

Result<> check_shape(const CallArguments& call, Revision revision) {
  TRY(check_fork(call, revision));
  const uint256 tip = call.tip.value_or(uint256());
  if (!call.gas_price && tip > call.fee_cap()) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max priority fee per gas higher than max fee per gas: address {}, maxPriorityFeePerGas: "
                            "{}, maxFeePerGas: {}",
                            to_hex0x(call.from), tip.to_decimal(), call.fee_cap().to_decimal()));
  }
  if (!call.to && revision >= Revision::kShanghai && call.data.size() > kMaxInitCodeBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max initcode size exceeded: code size {} limit {}", call.data.size(), kMaxInitCodeBytes));
  }
  return {};
}

evm::MachineOptions Scene::machine_options(const ContractRegistry& natives, evm::Tracer* tracer) const {
  evm::MachineOptions out;
  out.natives = &natives;
  out.programs = context.programs;
  out.tracer = tracer;
  if (!moved.empty()) out.moved = &moved;
  return out;
}

Result<Attempt> Scene::run(const CallArguments& call, std::uint64_t gas, evm::Tracer* tracer) const {
  TRY(check_shape(call, block.revision));
  state::Journal journal(state);
  if (!overrides.empty()) apply_overrides(overrides, journal);
  const BlockContext here = priced(block, call);
  const WatchedNatives natives(context.ledger.natives());
  evm::Machine machine(journal, here, machine_options(natives, tracer));
  evm::TransitionOptions options;
  options.simulate = true;
  options.burn_base_fee = context.ledger.burns_base_fee();
  const std::uint64_t nonce = call.nonce.value_or(journal.account(call.from).nonce);
  TRY_ASSIGN(auto outcome, evm::transact(machine, to_transaction(call, gas, nonce, block.chain_id), options));
  if (const auto& error = state.error()) return fail(*error);
  return Attempt{std::move(outcome), natives.used()};
}

std::string Scene::explain(const CallArguments& call, std::uint64_t gas, evm::Status status) const {
  using evm::Status;
  if (status != Status::kUndefinedInstruction && status != Status::kInvalidInstruction &&
      status != Status::kStackUnderflow && status != Status::kStackOverflow)
    return vm_error(status);
  FaultProbe probe;
  const auto again = run(call, gas, &probe);
  return vm_error(status, again ? probe.place() : nullptr);
}

JsonReply with_scene(const Context& context, const BlockId& id, const Params& params, std::size_t index,
                     const std::function<JsonReply(const Scene&)>& use, Reading reading) {
  StateOverrides overrides;
  BlockOverrides header;
  if (params.optional(index) != nullptr) {
    TRY_ASSIGN(overrides, params.read(index, &read_state_overrides));
  }
  if (params.optional(index + 1) != nullptr) {
    TRY_ASSIGN(header, params.read(index + 1, &read_block_overrides));
    if (header.beacon_root || header.withdrawals)
      return failure(kServerError, fmt::format("block override \"{}\" is not supported for this RPC method",
                                               header.beacon_root ? "beaconRoot" : "withdrawals"));
  }
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto* tag = std::get_if<Tag>(&id);
  const bool pending = tag != nullptr && *tag == Tag::kPending;
  auto block = context.ledger.context(pending ? number + 1 : number);
  // The head may have moved on since.
  if (!block && pending) block = context.ledger.context(number);
  if (!block) return failure(block.error());
  header.apply(*block);
  evm::MovedPrecompiles moved;
  if (const auto done = move_precompiles(overrides, block->revision, moved); !done)
    return failure(kServerError, done.error().message);

  JsonReply out = nullptr;
  const auto run = [&](const StateView& state) -> Result<> {
    const Scene scene{context, state, *block, std::move(overrides), std::move(moved)};
    out = use(scene);
    return {};
  };
  const auto done =
      reading == Reading::kQuick ? context.ledger.with_state(number, run) : context.ledger.with_snapshot(number, run);
  if (!done) return failure(done.error());
  return out;
}

}  // namespace bonus::chain::rpc
