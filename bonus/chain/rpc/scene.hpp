// A state and a block in which calls are tried out without changing anything.
#pragma once

#include <functional>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/rpc/call_arguments.hpp"
#include "bonus/chain/rpc/methods.hpp"
#include "bonus/chain/rpc/overrides.hpp"

namespace bonus::chain::rpc {

/// Passes calls on to a registry and remembers whether any system contract answered.
class WatchedNatives final : public ContractRegistry {
 public:
  explicit WatchedNatives(const ContractRegistry* inner) : inner_(inner) {}
  [[nodiscard]] const NativeContract* find(const Address& address) const override {
    const NativeContract* found = inner_ != nullptr ? inner_->find(address) : nullptr;
    used_ = used_ || found != nullptr;
    return found;
  }
  [[nodiscard]] std::vector<const NativeContract*> in_order() const override {
    return inner_ != nullptr ? inner_->in_order() : std::vector<const NativeContract*>();
  }
  [[nodiscard]] bool used() const { return used_; }

 private:
  const ContractRegistry* inner_;
  mutable bool used_ = false;
};

/// What a try gave, and what the caller may want to know of how.
struct Attempt {
  evm::TransactionOutcome outcome;
  bool used_natives = false;
};

/// Not thread-safe; lives inside with_scene().
struct Scene {
  const Context& context;
  const StateView& state;
  BlockContext block;
  StateOverrides overrides;
  evm::MovedPrecompiles moved;

  /// One call on the state with its overrides; every try begins anew. Prices as geth has them: without a gas price the
  /// call is free and BASEFEE reads zero. An error is a call that no block could hold; code that fails is an outcome.
  [[nodiscard]] Result<Attempt> run(const CallArguments& call, std::uint64_t gas, evm::Tracer* tracer = nullptr) const;
  /// The text for an outcome that is neither success nor revert. Runs the call once more where the text names the
  /// instruction.
  [[nodiscard]] std::string explain(const CallArguments& call, std::uint64_t gas, evm::Status status) const;
  [[nodiscard]] evm::MachineOptions machine_options(const ContractRegistry& natives, evm::Tracer* tracer) const;
};

/// The block as eth_call sees it, and what it burns.
[[nodiscard]] BlockContext priced(const BlockContext& block, const CallArguments& call);
/// The price per gas that GASPRICE reads.
[[nodiscard]] uint256 price_of(const CallArguments& call, const uint256& base_fee);
/// Rules that hold for every call, whoever simulates it: fee fields, init code size.
[[nodiscard]] Result<> check_shape(const CallArguments& call, Revision revision);

/// How a scene reads the state: quickly, delaying commits while it lasts, or never in anyone's way.
enum class Reading : std::uint8_t { kQuick, kPatient };
/// Runs `use` on the state after the block of `id`, in that block (the next one for "pending"). The overrides may be
/// null; `index` is the place of the state overrides among the parameters, the block overrides follow.
[[nodiscard]] JsonReply with_scene(const Context& context, const BlockId& id, const Params& params, std::size_t index,
                                   const std::function<JsonReply(const Scene&)>& use,
                                   Reading reading = Reading::kPatient);

}  // namespace bonus::chain::rpc
