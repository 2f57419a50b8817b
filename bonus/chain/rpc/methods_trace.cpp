// debug_traceTransaction, debug_traceCall, debug_traceBlock*: transactions are executed again under a tracer.
#include <fmt/format.h>

#include <array>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/scene.hpp"
#include "bonus/chain/rpc/trace_tracer.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// Go's notation of durations, which geth's `timeout` uses: "300ms", "1.5s", "2m". Nothing when it is something else.
std::optional<Duration> read_duration(std::string_view text) {
  constexpr std::array<std::pair<std::string_view, double>, 6> kUnits{
      {{"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"s", 1}, {"m", 60}, {"h", 3600}}};
  double seconds = 0;
  if (text.empty()) return std::nullopt;
  while (!text.empty()) {
    const std::size_t digits = text.find_first_not_of("0123456789.");
    if (digits == 0 || digits == std::string_view::npos || digits > 15) return std::nullopt;
    const std::string number(text.substr(0, digits));
    text.remove_prefix(digits);
    const std::string_view unit = text.substr(0, std::min(text.size(), text.find_first_of("0123456789.")));
    const auto known = std::ranges::find(kUnits, unit, &std::pair<std::string_view, double>::first);
    if (known == kUnits.end()) return std::nullopt;
    seconds += std::strtod(number.c_str(), nullptr) * known->second;
    text.remove_prefix(unit.size());
  }
  constexpr double kLongest = 24 * 3600;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(std::min(seconds, kLongest)));
}

/// One debug request: its options, and the bounds that all its transactions share.
struct TraceRequest {
  json::object options;
  Deadline deadline;
  TraceBudget budget;
};
Reply<std::unique_ptr<TraceRequest>> read_request(const Context& context, const Params& params, std::size_t index) {
  json::object options;
  if (const auto* value = params.optional(index)) {
    if (!value->is_object()) return Params::invalid(index, "an object of trace options is expected");
    options = value->get_object();
  }
  Deadline deadline = context.deadline;
  constexpr Duration kUsual = std::chrono::seconds(5);  // As geth.
  Duration timeout = kUsual;
  if (const auto* text = options.if_contains("timeout"); text != nullptr && text->is_string()) {
    const auto given = read_duration(std::string_view(text->get_string().data(), text->get_string().size()));
    if (!given) return failure(kServerError, fmt::format("time: invalid duration {}", json::serialize(*text)));
    timeout = *given;
  }
  if (deadline.clock != nullptr) deadline.at = std::min(deadline.at, deadline.clock->now() + timeout);
  TraceLimits limits;
  limits.max_bytes = context.options.max_response_bytes;
  return std::make_unique<TraceRequest>(TraceRequest{std::move(options), deadline, TraceBudget(limits, deadline)});
}

/// Runs `item` under the tracer that the request names. `logs` counts those of the block so far.
JsonReply trace(TraceRequest& request, evm::Machine& machine, TransactionTracer& tracer, const SenderTransaction& item,
                const evm::TransitionOptions& options, std::size_t& logs) {
  const BlockContext& block = machine.block();
  const uint256 price =
      block.revision >= Revision::kLondon ? item.tx.effective_gas_price(block.base_fee) : item.tx.max_fee;
  tracer.begin({&item, &block, price, logs, &machine.journal()});
  const auto outcome = evm::transact(machine, item, options);
  if (!outcome) return failure(kServerError, "tracing failed: " + outcome.error().message);
  if (request.budget.failed()) return std::unexpected(*request.budget.failed());
  logs += outcome->logs.size();
  return tracer.finish(*outcome);
}

evm::MachineOptions machine_options(const Context& context, evm::Tracer* tracer) {
  evm::MachineOptions out;
  out.natives = context.ledger.natives();
  out.programs = context.programs;
  out.tracer = tracer;
  return out;
}

JsonReply trace_mined(const Context& context, TraceRequest& request, const StateView& state, const BlockContext& block,
                      const SenderTransaction& item, std::size_t first_log) {
  TRY_ASSIGN(const auto tracer, make_tracer(request.options, request.budget));
  state::Journal journal(state);
  evm::Machine machine(journal, block, machine_options(context, tracer.get()));
  evm::TransitionOptions options;
  options.burn_base_fee = context.ledger.burns_base_fee();
  return trace(request, machine, *tracer, item, options, first_log);
}

JsonReply trace_transaction(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto hash, params.hash(0));
  TRY_ASSIGN(const auto request, read_request(context, params, 1));
  const auto receipt = context.ledger.receipt(hash);
  if (!receipt && receipt.error().code == ErrorCode::kNotFound) return failure(kServerError, "transaction not found");
  if (!receipt) return failure(receipt.error());
  if (receipt->block_number == 0) return failure(kServerError, "genesis is not traceable");
  JsonReply out = nullptr;
  const auto done = context.ledger.before_transaction(
      receipt->block_number, receipt->index, [&](const StateView& state, const BlockContext& block) -> Result<> {
        out = trace_mined(context, *request, state, block, *receipt->transaction, receipt->first_log_index);
        return {};
      });
  if (!done) return failure(done.error());
  return out;
}

/// All transactions one after the other on one state.
JsonReply trace_all(const Context& context, TraceRequest& request, const StateView& state, const BlockContext& block,
                    const std::vector<TransactionPtr>& transactions) {
  state::Journal journal(state);
  evm::TransitionOptions options;
  options.burn_base_fee = context.ledger.burns_base_fee();
  json::array out;
  std::size_t logs = 0;
  for (const TransactionPtr& item : transactions) {
    TRY(context.in_time());
    TRY_ASSIGN(const auto tracer, make_tracer(request.options, request.budget));
    evm::Machine machine(journal, block, machine_options(context, tracer.get()));
    TRY_ASSIGN(auto result, trace(request, machine, *tracer, *item, options, logs));
    json::object one;
    one["txHash"] = to_hex0x(item->hash);
    one["result"] = std::move(result);
    out.emplace_back(std::move(one));
  }
  return out;
}

JsonReply trace_block(const Context& context, const Params& params, const BlockId& id) {
  TRY_ASSIGN(const auto request, read_request(context, params, 1));
  TRY_ASSIGN(const auto stored, context.find_block(id));
  if (!stored) {
    const auto* number = std::get_if<std::uint64_t>(&id);
    return failure(kServerError, number != nullptr ? fmt::format("block #{} not found", *number)
                                                   : fmt::format("block {} not found", to_hex0x(std::get<Hash32>(id))));
  }
  const std::uint64_t number = stored->block.header.number;
  if (number == 0) return failure(kServerError, "genesis is not traceable");
  JsonReply out = nullptr;
  const auto done =
      context.ledger.before_transaction(number, 0, [&](const StateView& state, const BlockContext& block) -> Result<> {
        out = trace_all(context, *request, state, block, stored->block.transactions);
        return {};
      });
  if (!done) return failure(done.error());
  return out;
}

JsonReply trace_block_by_number(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto id, params.block(0));
  return trace_block(context, params, id);
}
JsonReply trace_block_by_hash(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto hash, params.hash(0));
  return trace_block(context, params, BlockId(hash));
}
/// The block is only looked up: what is not on the chain has no state to run on here.
JsonReply trace_block_rlp(const Context& context, const Params& params) {
  TRY(params.at_most(2));
  TRY_ASSIGN(const auto raw, params.data(0));
  rlp::Decoder outer(raw);
  auto items = outer.list();
  if (!items) return failure(kServerError, "could not decode block: " + items.error().message);
  const auto header = items->raw_item();
  if (!header) return failure(kServerError, "could not decode block: " + header.error().message);
  return trace_block(context, params, BlockId(crypto::keccak256(*header)));
}

JsonReply trace_call(const Context& context, const Params& params) {
  TRY(params.at_most(3));
  TRY_ASSIGN(const auto call, read_call(params, 0, context.chain_id()));
  TRY_ASSIGN(const auto id, params.block_or_latest(1));
  TRY_ASSIGN(const auto request, read_request(context, params, 2));
  const std::uint64_t most = context.options.max_call_gas;
  const std::uint64_t gas = std::min(call.gas.value_or(most), most);
  // The overrides stand among the options here.
  json::array overrides;
  for (const auto* name : {"stateOverrides", "blockOverrides"}) {
    const auto* value = request->options.if_contains(name);
    overrides.emplace_back(value != nullptr ? *value : json::value(nullptr));
  }
  return with_scene(context, id, Params(overrides), 0, [&](const Scene& scene) -> JsonReply {
    TRY_ASSIGN(const auto tracer, make_tracer(request->options, request->budget));
    if (const auto checked = check_shape(call, scene.block.revision); !checked)
      return failure(kServerError, "tracing failed: " + checked.error().message);
    state::Journal journal(scene.state);
    apply_overrides(scene.overrides, journal);
    const BlockContext block = priced(scene.block, call);
    const WatchedNatives natives(context.ledger.natives());
    evm::Machine machine(journal, block, scene.machine_options(natives, tracer.get()));
    evm::TransitionOptions options;
    options.simulate = true;
    options.burn_base_fee = context.ledger.burns_base_fee();
    const std::uint64_t nonce = call.nonce.value_or(journal.account(call.from).nonce);
    std::size_t logs = 0;
    return trace(*request, machine, *tracer, to_transaction(call, gas, nonce, block.chain_id), options, logs);
  });
}

JsonReply bad_blocks(const Context& /*context*/, const Params& /*params*/) { return json::array(); }

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"debug_traceTransaction", trace_transaction},
    {"debug_traceCall", trace_call},
    {"debug_traceBlockByNumber", trace_block_by_number},
    {"debug_traceBlockByHash", trace_block_by_hash},
    {"debug_traceBlock", trace_block_rlp},
    {"debug_getBadBlocks", bad_blocks},
});

}  // namespace

std::span<const NamedMethod> trace_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
