// The system contracts of this chain, by address and in the order of their end_block hooks (market.md, table of
// contracts).
#pragma once

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::contracts {

/// Nodes, Market, Names and Foundation. Stateless and immutable: one instance serves all threads for the life of the
/// process.
[[nodiscard]] const ContractRegistry& system_contracts();

}  // namespace bonus::chain::contracts
