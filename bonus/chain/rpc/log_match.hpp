// Does a log match a filter? Internal to this folder.
#pragma once

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::rpc {

/// Addresses and topics only.
[[nodiscard]] bool matches(const LogFilter& filter, const Log& log);
/// Bytes that its addresses and topics take.
[[nodiscard]] std::size_t criteria_bytes(const LogFilter& filter);

}  // namespace bonus::chain::rpc
