// eth_estimateGas: geth's search for a gas limit, with room for what system contracts may have to do.
#include <fmt/format.h>

#include <array>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/scene.hpp"
#include "bonus/chain/rpc/vm_error.hpp"
#include "bonus/codec/abi.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// Added with half of the estimate to calls of system contracts, also when a contract makes them: by the block that
/// mines the call the market may have settled or matched something, and a first write to a slot costs more than a later
/// one. What is not used is not paid.
constexpr std::uint64_t kSystemGasMargin = 50'000;
constexpr double kErrorRatio = 0.015;  // geth's estimateGasErrorRatio
constexpr std::uint64_t kCallStipend = 2300;
constexpr std::string_view kOutOfGas = "out of gas";

/// A try that ran out of gas, also where a system contract says so in words.
bool is_out_of_gas(const evm::TransactionOutcome& outcome) {
  if (outcome.status == evm::Status::kOutOfGas) return true;
  return outcome.status == evm::Status::kRevert && abi::decode_revert(outcome.output) == kOutOfGas;
}

class Estimate {
 public:
  Estimate(const Scene& scene, const CallArguments& call) : scene_(scene), call_(call) {}

  JsonReply run() {
    TRY_ASSIGN(const auto ceiling, ceiling_gas());
    if (call_.data.empty() && call_.to) {
      const Account target = target_account();
      if (!has_code(target) && ceiling >= kTransactionGas) {
        // A call of a precompile or a system contract has no code to see, but costs more: then this try fails.
        const auto attempt = scene_.run(call_, kTransactionGas);
        if (attempt && attempt->outcome.status == evm::Status::kSuccess && !attempt->used_natives)
          return json::value(quantity(kTransactionGas));
      }
    }
    TRY_ASSIGN(const auto whole, attempt(ceiling));
    if (!whole || is_out_of_gas(whole->outcome)) return exceeds(ceiling);
    const auto& outcome = whole->outcome;
    if (outcome.status == evm::Status::kRevert) return reverted(outcome.output);
    if (outcome.status != evm::Status::kSuccess)
      return failure(kServerError, scene_.explain(call_, ceiling, outcome.status));

    std::uint64_t fails = outcome.gas_used - 1;
    std::uint64_t works = ceiling;
    // What it spent at most, and what one more inner call would keep back (EIP-150), is nearly always enough.
    const std::uint64_t likely = (outcome.gas_spent + kCallStipend) * 64 / 63;
    if (likely < works) {
      TRY(narrow(likely, fails, works));
    }
    while (fails + 1 < works) {
      if (static_cast<double>(works - fails) / static_cast<double>(works) < kErrorRatio) break;
      TRY(narrow(std::min((works + fails) / 2, fails * 2), fails, works));
    }
    if (whole->used_natives) works = std::min(ceiling, works + works / 2 + kSystemGasMargin);
    return json::value(quantity(works));
  }

 private:
  static std::unexpected<Failure> exceeds(std::uint64_t gas) {
    return failure(kServerError, fmt::format("gas required exceeds allowance ({})", gas));
  }
  /// Nothing: not even the intrinsic gas is covered.
  [[nodiscard]] Reply<std::optional<Attempt>> attempt(std::uint64_t gas) const {
    TRY(scene_.context.in_time());
    if (gas < minimum_gas(to_transaction(call_, gas, 0, scene_.block.chain_id).tx, scene_.block.revision))
      return std::optional<Attempt>();
    auto out = scene_.run(call_, gas);
    if (!out) return failure(kServerError, fmt::format("failed with {} gas: {}", gas, out.error().message));
    return std::optional(*std::move(out));
  }
  [[nodiscard]] Reply<std::monostate> narrow(std::uint64_t gas, std::uint64_t& fails, std::uint64_t& works) const {
    TRY_ASSIGN(const auto tried, attempt(gas));
    (tried && tried->outcome.status == evm::Status::kSuccess ? works : fails) = gas;
    return std::monostate();
  }
  [[nodiscard]] const AccountOverride* override_of(const Address& address) const {
    const auto found = std::ranges::find(scene_.overrides, address, &AccountOverride::address);
    return found == scene_.overrides.end() ? nullptr : &*found;
  }
  [[nodiscard]] Account target_account() const {
    Account out = scene_.state.account(*call_.to);
    if (const auto* changed = override_of(*call_.to); changed != nullptr && changed->code)
      out.code_hash = changed->code->empty() ? Hash32() : Hash32{{1}};  // Only whether there is code matters here.
    return out;
  }
  /// The block's limit or what the caller says, what the sender can pay for, and the node's own bound.
  [[nodiscard]] Reply<std::uint64_t> ceiling_gas() const {
    std::uint64_t out = scene_.block.gas_limit;
    if (call_.gas && *call_.gas >= kTransactionGas) out = *call_.gas;
    if (scene_.block.revision >= Revision::kOsaka) out = std::min(out, kMaxTransactionGas);
    if (const uint256 cap = call_.fee_cap(); !cap.is_zero()) {
      uint256 available = scene_.state.account(call_.from).balance;
      if (const auto* changed = override_of(call_.from); changed != nullptr && changed->balance)
        available = *changed->balance;
      if (!call_.value.is_zero()) {
        if (call_.value >= available) return failure(kServerError, "insufficient funds for transfer");
        available -= call_.value;
      }
      if (call_.blob_hashes) {
        uint256 blobs;
        if (mul_overflows(uint256(kGasPerBlob * call_.blob_hashes->size()), call_.blob_fee.value_or(uint256()),
                          blobs) ||
            blobs >= available)
          return failure(kServerError, "insufficient funds for gas * price + value");
        available -= blobs;
      }
      out = std::min(out, (available / cap).clamp_u64());
    }
    return std::min(out, scene_.context.options.max_call_gas);
  }

  const Scene& scene_;
  const CallArguments& call_;
};

JsonReply estimate_gas(const Context& context, const Params& params) {
  TRY(params.at_most(4));
  TRY_ASSIGN(const auto call, read_call(params, 0, context.chain_id()));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  return with_scene(context, id, params, 2, [&](const Scene& scene) { return Estimate(scene, call).run(); });
}

constexpr auto kMethods = std::to_array<NamedMethod>({{"eth_estimateGas", estimate_gas}});

}  // namespace

std::span<const NamedMethod> estimate_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
