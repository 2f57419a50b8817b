// eth_simulateV1: the request and its answer.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/simulate.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kMaxCalls = 5'000;  // Of one request.

std::unexpected<Failure> unreadable(std::string_view why) { return Params::invalid(0, why); }

Reply<BlockRequest> block_of(const json::value& value, std::uint64_t chain_id, std::size_t& calls) {
  const auto* object = value.if_object();
  if (object == nullptr) return unreadable("a block must be an object");
  BlockRequest out;
  auto header = member(*object, "blockOverrides", &read_block_overrides);
  if (!header) return unreadable(header.error().message);
  if (*header) out.header = **std::move(header);
  auto state = member(*object, "stateOverrides", &read_state_overrides);
  if (!state) return unreadable(state.error().message);
  if (*state) out.state = **std::move(state);
  const auto* list = object->if_contains("calls");
  if (list == nullptr || list->is_null()) return out;
  if (!list->is_array()) return unreadable("calls must be a list");
  calls += list->get_array().size();
  if (calls > kMaxCalls) return failure(kTooManyBlocks, fmt::format("more than {} calls", kMaxCalls));
  for (const auto& item : list->get_array()) {
    auto call = call_of(item);
    if (!call) return unreadable(call.error().message);
    if (const auto checked = check_call(item, *call, chain_id); !checked)
      return failure(kInvalidParams, checked.error().message);
    out.calls.push_back(*std::move(call));
  }
  return out;
}

Reply<SimulateRequest> read_request(const Params& params, std::uint64_t chain_id) {
  TRY_ASSIGN(const auto* value, params.required(0));
  const auto* object = value->if_object();
  if (object == nullptr) return unreadable("an object of blockStateCalls is expected");
  const auto boolean = [&](std::string_view name) {
    const auto* found = object->if_contains(name);
    return found != nullptr && found->is_bool() && found->get_bool();
  };
  SimulateRequest out;
  out.trace_transfers = boolean("traceTransfers");
  out.validation = boolean("validation");
  out.full_transactions = boolean("returnFullTransactions");
  const auto* blocks = object->if_contains("blockStateCalls");
  if (blocks == nullptr || blocks->is_null() || (blocks->is_array() && blocks->get_array().empty()))
    return failure(kInvalidParams, "empty input");
  if (!blocks->is_array()) return unreadable("blockStateCalls must be a list");
  constexpr std::size_t kMaxBlocks = 256;
  if (blocks->get_array().size() > kMaxBlocks) return failure(kTooManyBlocks, "too many blocks");
  std::size_t calls = 0;
  for (const auto& item : blocks->get_array()) {
    TRY_ASSIGN(auto block, block_of(item, chain_id, calls));
    out.blocks.push_back(std::move(block));
  }
  return out;
}

json::object error_of(const SimulatedCall& call) {
  json::object out;
  if (call.outcome.status == evm::Status::kRevert) {
    out["message"] = revert_text(call.outcome.output);
    out["code"] = kReverted;
    out["data"] = to_hex0x(call.outcome.output);
  } else {
    out["message"] = call.error;
    out["code"] = kVmError;
  }
  return out;
}

json::object encode(const SimulatedBlock& block, std::uint64_t chain_id, bool full) {
  json::object out = encode_block(block.stored, chain_id, full);
  const Header& header = block.stored.block.header;
  json::array calls;
  std::uint32_t log_index = 0;
  for (std::size_t i = 0; i < block.calls.size(); ++i) {
    const SimulatedCall& call = block.calls[i];
    const bool success = call.outcome.status == evm::Status::kSuccess;
    json::object one;
    one["returnData"] = success ? to_hex0x(call.outcome.output) : "0x";
    json::array logs;
    for (const Log& log : call.logs) {
      const FoundLog found{log,
                           block.stored.hash,
                           block.stored.block.transactions[i]->hash,
                           header.number,
                           static_cast<std::uint32_t>(i),
                           log_index++};
      logs.emplace_back(encode_log(found, header.timestamp));
    }
    one["logs"] = std::move(logs);
    one["gasUsed"] = quantity(call.outcome.gas_used);
    one["maxUsedGas"] = quantity(call.outcome.gas_spent);
    one["status"] = success ? "0x1" : "0x0";
    if (!success) one["error"] = error_of(call);
    calls.emplace_back(std::move(one));
  }
  out["calls"] = std::move(calls);
  return out;
}

JsonReply simulate_v1(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(auto request, read_request(params, context.chain_id()));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY_ASSIGN(const auto number, context.number_of(id));
  const auto base = context.ledger.block(number);
  if (!base) return failure(base.error());
  const bool full = request.full_transactions;
  Reply<std::vector<SimulatedBlock>> blocks;
  const auto done = context.ledger.with_snapshot(number, [&](const StateView& state) -> Result<> {
    blocks = simulate(context, **base, state, std::move(request));
    return {};
  });
  if (!done) return failure(done.error());
  if (!blocks) return std::unexpected(std::move(blocks).error());
  json::array out;
  for (const SimulatedBlock& block : *blocks) out.emplace_back(encode(block, context.chain_id(), full));
  return out;
}

constexpr auto kMethods = std::to_array<NamedMethod>({{"eth_simulateV1", simulate_v1}});

}  // namespace

std::span<const NamedMethod> simulate_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
