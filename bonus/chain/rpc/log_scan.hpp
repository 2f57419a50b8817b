// Searching logs within the limits and the time of a request. Internal to this folder.
#pragma once

#include <boost/json/array.hpp>

#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {

/// Fills the block range of the query's filter. Fails with geth's texts, and with -32005 when it spans more than
/// options.max_log_blocks.
[[nodiscard]] Reply<LogFilter> resolve_range(const Context& context, LogQuery query);
/// The logs as execution-apis shows them, oldest first. -32005 above options.max_logs, -32002 when time is up.
[[nodiscard]] JsonReply scan_logs(const Context& context, LogFilter filter);

}  // namespace bonus::chain::rpc
