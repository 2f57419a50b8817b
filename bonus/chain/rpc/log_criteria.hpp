// What a log filter costs to keep. Internal to this folder.
#pragma once

#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::rpc {

/// Bytes that its addresses and topics take.
[[nodiscard]] std::size_t criteria_bytes(const LogFilter& filter);

}  // namespace bonus::chain::rpc
