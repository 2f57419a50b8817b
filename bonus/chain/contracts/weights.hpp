// The weight of an offer in the draw for an order (market.md, "Offers, orders, matching"): pure integer arithmetic,
// factors in Q16 fixed point (65536 is 1).
#pragma once

#include <cstdint>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"

namespace bonus::chain::contracts {

inline constexpr std::uint64_t kOneQ16 = 65'536;

struct WeightInput {
  uint256 price, lowest_price;      ///< Of this offer, of the cheapest feasible one; wei per second.
  std::uint32_t completed = 0;      ///< Leases of the worker that ended well.
  std::uint32_t interruptions = 0;  ///< Leases that it broke.
  std::uint32_t live = 0;           ///< Its running leases,
  std::uint32_t live_all = 0;       ///< and those of all workers.
  std::uint32_t penalty_bps = 10'000;
  std::uint32_t offers_of_worker = 1;  ///< Feasible for this order: they share the worker's weight.
  std::uint8_t tier = 1;
  bool exact_region = false;  ///< The offer is in the very region that the order names, not in a part of it.
  std::uint8_t cheap = 50, quality = 50, near = 0;  ///< The user's weights, 0..100.
};

/// x^(percent/25) for x in Q16, x <= 1: whole powers, linear between them.
[[nodiscard]] std::uint64_t power_q16(std::uint64_t x, std::uint32_t percent);
/// At least 1.
[[nodiscard]] std::uint64_t draw_weight(const WeightInput& in);
/// A number below `total` (> 0) that nobody knew before the block: keccak(randao . order . replica) mod total.
[[nodiscard]] uint256 draw(const Hash32& randao, std::uint64_t order_id, unsigned replica, const uint256& total);

}  // namespace bonus::chain::contracts
