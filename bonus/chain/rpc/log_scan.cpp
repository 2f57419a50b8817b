// Log searches go in steps, so that a request can end in between.
#include "bonus/chain/rpc/log_scan.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "bonus/chain/rpc/encode.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kStepBlocks = 128;

std::uint64_t range_end(const Context& context, const BlockId& id) {
  if (const auto* number = std::get_if<std::uint64_t>(&id)) return *number;
  const auto* tag = std::get_if<Tag>(&id);
  return tag != nullptr && *tag == Tag::kEarliest ? 0 : context.ledger.head().number;
}

}  // namespace

Reply<LogFilter> resolve_range(const Context& context, LogQuery query) {
  if (std::holds_alternative<Hash32>(query.from) || std::holds_alternative<Hash32>(query.to))
    return Params::invalid(0, "fromBlock and toBlock are numbers or tags");
  LogFilter filter = std::move(query.filter);
  if (query.block_hash) {
    TRY_ASSIGN(const auto block, context.find_block(*query.block_hash));
    if (!block) return failure(kServerError, "unknown block");
    filter.from_block = filter.to_block = block->block.header.number;
    return filter;
  }
  const std::uint64_t head = context.ledger.head().number;
  filter.from_block = range_end(context, query.from);
  filter.to_block = range_end(context, query.to);
  if (filter.from_block > filter.to_block) return failure(kInvalidParams, "invalid block range params");
  if (filter.to_block > head) return failure(kInvalidParams, "block range extends beyond current head block");
  if (filter.to_block - filter.from_block >= context.options.max_log_blocks)
    return failure(kLimitExceeded,
                   fmt::format("the block range is larger than {} blocks", context.options.max_log_blocks));
  return filter;
}

JsonReply scan_logs(const Context& context, LogFilter filter) {
  const std::uint64_t last = filter.to_block;
  json::array out;
  for (std::uint64_t from = filter.from_block; from <= last;) {
    TRY(context.in_time());
    filter.from_block = from;
    filter.to_block = std::min(last, from + kStepBlocks - 1);
    filter.limit = context.options.max_logs - out.size();
    const auto found = context.ledger.logs(filter);
    if (!found && found.error().code == ErrorCode::kExhausted)
      return failure(kLimitExceeded, fmt::format("query returned more than {} results", context.options.max_logs));
    if (!found) return failure(found.error());
    std::uint64_t number = UINT64_MAX;  // of the block that `timestamp` belongs to
    UnixSeconds timestamp = 0;
    for (const auto& log : *found) {
      if (log.block_number != number) {
        TRY(context.in_time());
        const auto block = context.ledger.block(log.block_number);
        if (!block) return failure(block.error());
        number = log.block_number;
        timestamp = (*block)->block.header.timestamp;
      }
      out.emplace_back(encode_log(log, timestamp));
    }
    from = filter.to_block + 1;
  }
  return out;
}

}  // namespace bonus::chain::rpc
