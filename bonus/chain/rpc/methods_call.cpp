// Calls and sending.
#include <fmt/format.h>

#include <array>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/scene.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

JsonReply call(const Context& context, const Params& params) {
  TRY(params.at_most(4));
  TRY_ASSIGN(const auto call, read_call(params, 0, context.chain_id()));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  const std::uint64_t most = context.options.max_call_gas;
  const std::uint64_t gas = std::min(call.gas.value_or(most), most);
  // System contracts read much and quickly; what other code takes is bounded by its gas only.
  const ContractRegistry* natives = context.ledger.natives();
  const bool quick = natives != nullptr && call.to && natives->find(*call.to) != nullptr;
  const auto use = [&](const Scene& scene) -> JsonReply {
    const auto attempt = scene.run(call, gas);
    if (!attempt) return failure(kServerError, fmt::format("err: {} (supplied gas {})", attempt.error().message, gas));
    const auto& outcome = attempt->outcome;
    if (outcome.status == evm::Status::kRevert) return reverted(outcome.output);
    if (outcome.status != evm::Status::kSuccess) return failure(kServerError, scene.explain(call, gas, outcome.status));
    return json::value(to_hex0x(outcome.output));
  };
  return with_scene(context, id, params, 2, use, quick ? Reading::kQuick : Reading::kPatient);
}

Result<TransactionPtr> read_transaction(BytesView raw) {
  if (raw.size() > kMaxTransactionBytes)
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", raw.size(), kMaxTransactionBytes));
  TRY_ASSIGN(auto tx, Transaction::decode(raw));
  auto item = recover(std::move(tx));
  if (!item) return fail(std::move(item).error().wrap("invalid sender"));
  return item;
}

JsonReply send_raw(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto raw, params.data(0));
  const auto& reader = context.options.read_transaction;
  const auto item = reader ? reader(raw) : read_transaction(raw);
  if (!item) return failure(kServerError, item.error().message);
  if (auto added = context.mempool.add(*item); !added) return failure(kServerError, added.error().message);
  return json::value(to_hex0x((*item)->hash));
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_call", call},
    {"eth_sendRawTransaction", send_raw},
});

}  // namespace

std::span<const NamedMethod> call_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
