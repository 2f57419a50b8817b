// Draw weights: price advantage^a x quality^b x locality x penalty x newcomer share x concentration damping.
#include "bonus/chain/contracts/weights.hpp"

#include <algorithm>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::contracts {
namespace {

using Wide = unsigned __int128;
constexpr std::uint64_t kScale = 1ULL << 40;             ///< Weight of an offer whose every factor is 1.
constexpr std::uint32_t kNewcomerLeases = 8;             ///< So many completed leases end the newcomer's share,
constexpr std::uint64_t kNewcomerQ16 = kOneQ16 * 5 / 4;  ///< which is a quarter more.
constexpr std::uint64_t kDamping = 4;                    ///< A worker with all running leases weighs a fifth.

std::uint64_t times_q16(std::uint64_t value, std::uint64_t factor) {
  return static_cast<std::uint64_t>((Wide{value} * factor) >> 16);
}

/// (lowest + 1) / (price + 1): 1 for the cheapest. The ones keep free offers comparable.
std::uint64_t price_advantage(const WeightInput& in) {
  if (in.price.bit_length() < 111) {
    const auto wide = [](const uint256& value) { return (Wide{value.limb[1]} << 64 | value.limb[0]) + 1; };
    return std::clamp<std::uint64_t>(static_cast<std::uint64_t>((wide(in.lowest_price) << 16) / wide(in.price)), 1,
                                     kOneQ16);
  }
  const uint256 ratio = ((in.lowest_price + uint256(1U)) << 16) / (in.price + uint256(1U));
  return std::clamp<std::uint64_t>(ratio.clamp_u64(), 1, kOneQ16);
}

/// Share of leases that went well, with two good ones given in advance; a tier below Super loses a sixteenth each.
std::uint64_t quality(const WeightInput& in) {
  const std::uint64_t good = std::uint64_t{in.completed} + 2;
  const std::uint64_t share = (good << 16) / (good + 2ULL * in.interruptions);
  const std::uint64_t steps = in.tier >= 2 ? 0 : 2U - in.tier;
  return std::max<std::uint64_t>(share * (16 - steps) / 16, 1);
}

}  // namespace

std::uint64_t power_q16(std::uint64_t x, std::uint32_t percent) {
  percent = std::min(percent, 100U);
  std::uint64_t out = kOneQ16;
  for (std::uint32_t i = 0; i < percent / 25; ++i) out = times_q16(out, x);
  const std::uint32_t rest = percent % 25;
  if (rest != 0) out = (out * (25 - rest) + times_q16(out, x) * rest) / 25;
  return std::max<std::uint64_t>(out, 1);
}

std::uint64_t draw_weight(const WeightInput& in) {
  std::uint64_t weight = kScale;
  weight = times_q16(weight, power_q16(price_advantage(in), in.cheap));
  weight = times_q16(weight, power_q16(quality(in), in.quality));
  if (in.exact_region) weight = times_q16(weight, kOneQ16 + kOneQ16 * std::min<std::uint64_t>(in.near, 100) / 25);
  weight = static_cast<std::uint64_t>(Wide{weight} * std::min(in.penalty_bps, 10'000U) / 10'000U);
  if (in.completed < kNewcomerLeases) weight = times_q16(weight, kNewcomerQ16);
  const std::uint64_t all = std::uint64_t{in.live_all} + 1;
  weight = static_cast<std::uint64_t>(Wide{weight} * all / (all + kDamping * in.live));
  return std::max<std::uint64_t>(weight / std::max(in.offers_of_worker, 1U), 1);
}

uint256 draw(const Hash32& randao, std::uint64_t order_id, unsigned replica, const uint256& total) {
  Bytes seed;
  append(seed, randao);
  append(seed, uint256(order_id).to_be());
  append(seed, uint256(std::uint64_t{replica}).to_be());
  return uint256::from_be(crypto::keccak256(seed)) % total;
}

}  // namespace bonus::chain::contracts
