// Polled filters: logs, blocks and pending transactions (eth_newFilter and its kin).
#include <array>
#include <boost/json/array.hpp>

#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/filters.hpp"
#include "bonus/chain/rpc/log_scan.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kPendingPerPoll = 10'000;

JsonReply add(const Context& context, std::unique_ptr<Filter> filter) {
  if (context.filters == nullptr) return failure(kServerError, "this node keeps no filters");
  filter->next_block = context.ledger.head().number + 1;
  TRY_ASSIGN(auto id, context.filters->add(std::move(filter)));
  return json::value(std::move(id));
}

JsonReply new_filter(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(auto query, read_log_query(params, 0));
  if (std::holds_alternative<Hash32>(query.from) || std::holds_alternative<Hash32>(query.to))
    return Params::invalid(0, "fromBlock and toBlock are numbers or tags");
  const auto* from = std::get_if<std::uint64_t>(&query.from);
  const auto* to = std::get_if<std::uint64_t>(&query.to);
  if (from != nullptr && to != nullptr && *from > *to) return failure(kInvalidParams, "invalid block range params");
  auto filter = std::make_unique<Filter>();
  filter->kind = Filter::Kind::kLogs;
  filter->logs = std::move(query);
  return add(context, std::move(filter));
}

JsonReply new_block_filter(const Context& context, const Params& params) {
  TRY(params.at_most(0));
  return add(context, std::make_unique<Filter>());
}

JsonReply new_pending_filter(const Context& context, const Params& params) {
  TRY(params.at_most(1));
  auto filter = std::make_unique<Filter>();
  TRY_ASSIGN(filter->full, params.boolean_or_false(0));
  filter->kind = Filter::Kind::kPending;
  return add(context, std::move(filter));
}

Reply<std::string> read_id(const Params& params) {
  TRY(params.at_most(1));
  TRY_ASSIGN(const auto* value, params.required(0));
  if (!value->is_string()) return Params::invalid(0, "expected a filter id");
  return std::string(value->get_string());
}

Reply<std::shared_ptr<Filter>> find(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, read_id(params));
  if (context.filters == nullptr) return failure(kServerError, "filter not found");
  return context.filters->find(id);
}

/// New blocks of a poll, as many as one request may read; the rest is for the next poll.
struct Step {
  std::uint64_t from = 0, to = 0;
  [[nodiscard]] bool empty() const { return from > to; }
};
Step next_step(const Context& context, const Filter& filter) {
  const std::uint64_t head = context.ledger.head().number;
  const std::uint64_t most = std::max<std::uint64_t>(context.options.max_log_blocks, 1);
  return {filter.next_block, std::min(head, filter.next_block + most - 1)};
}

JsonReply block_changes(const Context& context, Filter& filter) {
  const Step step = next_step(context, filter);
  json::array out;
  for (std::uint64_t number = step.from; number <= step.to; ++number) {
    TRY(context.in_time());
    const auto block = context.ledger.block(number);
    if (!block) return failure(block.error());
    out.emplace_back(to_hex0x((*block)->hash));
  }
  if (!step.empty()) filter.next_block = step.to + 1;
  return out;
}

JsonReply log_changes(const Context& context, Filter& filter) {
  Step step = next_step(context, filter);
  if (step.empty() || filter.logs.block_hash) return json::array();
  const std::uint64_t seen = step.to;
  if (const auto* from = std::get_if<std::uint64_t>(&filter.logs.from)) step.from = std::max(step.from, *from);
  if (const auto* to = std::get_if<std::uint64_t>(&filter.logs.to)) step.to = std::min(step.to, *to);
  json::value out = json::array();
  if (!step.empty()) {
    LogFilter range = filter.logs.filter;
    range.from_block = step.from;
    range.to_block = step.to;
    TRY_ASSIGN(out, scan_logs(context, std::move(range)));
  }
  filter.next_block = seen + 1;
  return out;
}

JsonReply pending_changes(const Context& context, Filter& filter, const Params& params) {
  const auto items = context.filters->pending().since(filter.next_pending, kPendingPerPoll);
  if (!items) {
    // Some are gone unseen: a filter with a hole would be worse than none.
    TRY_ASSIGN(const auto id, read_id(params));
    (void)context.filters->remove(id);
    return failure(kServerError, "filter not found");
  }
  json::array out;
  for (const auto& item : *items) {
    if (filter.full)
      out.emplace_back(encode_transaction(*item, context.chain_id(), nullptr));
    else
      out.emplace_back(to_hex0x(item->hash));
  }
  filter.next_pending += items->size();
  return out;
}

JsonReply filter_changes(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto filter, find(context, params));
  const std::lock_guard lock(filter->mutex);
  switch (filter->kind) {
    case Filter::Kind::kBlocks:
      return block_changes(context, *filter);
    case Filter::Kind::kLogs:
      return log_changes(context, *filter);
    case Filter::Kind::kPending:
      break;
  }
  return pending_changes(context, *filter, params);
}

JsonReply filter_logs(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto filter, find(context, params));
  if (filter->kind != Filter::Kind::kLogs) return failure(kServerError, "filter not found");
  TRY_ASSIGN(auto range, resolve_range(context, filter->logs));
  return scan_logs(context, std::move(range));
}

JsonReply uninstall_filter(const Context& context, const Params& params) {
  TRY_ASSIGN(const auto id, read_id(params));
  return context.filters != nullptr && context.filters->remove(id);
}

constexpr auto kMethods = std::to_array<NamedMethod>({
    {"eth_newFilter", new_filter},
    {"eth_newBlockFilter", new_block_filter},
    {"eth_newPendingTransactionFilter", new_pending_filter},
    {"eth_getFilterChanges", filter_changes},
    {"eth_getFilterLogs", filter_logs},
    {"eth_uninstallFilter", uninstall_filter},
});

}  // namespace

std::span<const NamedMethod> filter_methods() { return kMethods; }

}  // namespace bonus::chain::rpc
