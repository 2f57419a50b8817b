// Deterministic matching at the end of a block (market.md, "Offers, orders, matching").
#pragma once

#include "bonus/chain/contracts/book.hpp"
#include "bonus/chain/contracts/leases.hpp"

namespace bonus::chain::contracts {

inline constexpr std::uint64_t kOffersLookedAtPerBlock = 2'000'000;  ///< Work of one block: orders tried times offers.
inline constexpr std::uint32_t kOrdersWalkedPerBlock = 8'192;  ///< Those waiting without change cost one read each.

/// Gives waiting replicas to offers: orders that lost a replica first, then by arrival; at most max_matches_per_block
/// leases. What is left continues in the next block where this one stopped.
void match(const MarketState& state);

/// What the pending replicas of an order ask for now.
[[nodiscard]] Wanted wanted_of(const MarketState& state, std::uint64_t order_id);

}  // namespace bonus::chain::contracts
