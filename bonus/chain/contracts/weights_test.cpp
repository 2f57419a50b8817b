// Draw weights and the draw itself: proportional, damped, healing, monotone.
#include "bonus/chain/contracts/weights.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "bonus/chain/contracts/market_world_testing.hpp"
#include "bonus/chain/contracts/nodes_state.hpp"

namespace bonus::chain::contracts {
namespace {

Hash32 randao(std::uint64_t n) { return crypto::keccak256(uint256(n).to_be()); }

TEST(Weights, DrawIsProportional) {
  const std::vector<std::uint64_t> weights{1, 2, 5, 10, 20, 62};
  const std::uint64_t total = std::accumulate(weights.begin(), weights.end(), std::uint64_t{0});
  std::vector<double> hits(weights.size());
  constexpr int kDraws = 20'000;
  for (int i = 0; i < kDraws; ++i) {
    std::uint64_t ticket = draw(randao(static_cast<std::uint64_t>(i)), 7, 0, uint256(total)).low64();
    ASSERT_LT(ticket, total);
    std::size_t k = 0;
    while (ticket >= weights[k]) ticket -= weights[k++];
    hits[k] += 1;
  }
  double chi_square = 0;
  for (std::size_t k = 0; k < weights.size(); ++k) {
    const double expected = kDraws * static_cast<double>(weights[k]) / static_cast<double>(total);
    chi_square += (hits[k] - expected) * (hits[k] - expected) / expected;
  }
  EXPECT_LT(chi_square, 20.5);  // 5 degrees of freedom, p = 0.001
}

TEST(Weights, DrawDependsOnBlockOrderAndReplica) {
  const uint256 total = ~uint256();
  EXPECT_EQ(draw(randao(1), 1, 1, total), draw(randao(1), 1, 1, total));
  EXPECT_NE(draw(randao(1), 1, 1, total), draw(randao(2), 1, 1, total));
  EXPECT_NE(draw(randao(1), 1, 1, total), draw(randao(1), 2, 1, total));
  EXPECT_NE(draw(randao(1), 1, 1, total), draw(randao(1), 1, 2, total));
}

TEST(Weights, PowerIsMonotoneAndExactAtWholePowers) {
  EXPECT_EQ(power_q16(kOneQ16 / 2, 0), kOneQ16);
  EXPECT_EQ(power_q16(kOneQ16 / 2, 25), kOneQ16 / 2);
  EXPECT_EQ(power_q16(kOneQ16 / 2, 50), kOneQ16 / 4);
  EXPECT_EQ(power_q16(kOneQ16 / 2, 100), kOneQ16 / 16);
  for (std::uint32_t percent = 1; percent <= 100; ++percent) {
    EXPECT_LE(power_q16(kOneQ16 / 2, percent), power_q16(kOneQ16 / 2, percent - 1)) << percent;
    EXPECT_EQ(power_q16(kOneQ16, percent), kOneQ16);
    EXPECT_GE(power_q16(1, percent), 1U);
  }
}

TEST(Weights, EachFactorWorksInItsDirection) {
  const WeightInput base{.price = uint256(100U),
                         .lowest_price = uint256(100U),
                         .completed = 100,
                         .interruptions = 0,
                         .live = 0,
                         .live_all = 100};
  const std::uint64_t weight = draw_weight(base);
  WeightInput in = base;
  in.price = uint256(200U);
  const std::uint64_t dear = draw_weight(in);
  EXPECT_NEAR(static_cast<double>(dear) / static_cast<double>(weight), 0.25, 0.01);  // squared at weight 50
  in.cheap = 0;
  EXPECT_EQ(draw_weight(in), weight);  // the user does not care
  in = base;
  in.interruptions = 50;
  EXPECT_LT(draw_weight(in), weight / 2);
  in = base;
  in.penalty_bps = 5000;
  EXPECT_NEAR(static_cast<double>(draw_weight(in)), static_cast<double>(weight) / 2, 2);
  in = base;
  in.completed = 0;
  EXPECT_GT(draw_weight(in), weight);  // newcomer's share
  in = base;
  in.live = 100;
  EXPECT_NEAR(static_cast<double>(weight) / static_cast<double>(draw_weight(in)), 5, 0.1);  // concentration
  in = base;
  in.offers_of_worker = 4;
  EXPECT_EQ(draw_weight(in), weight / 4);
  in = base;
  in.exact_region = true;
  in.near = 100;
  EXPECT_EQ(draw_weight(in), weight * 5);
  in = base;
  in.penalty_bps = 0;
  EXPECT_EQ(draw_weight(in), 1U);  // never out of the draw altogether
}

TEST(Weights, PenaltyHealsByHalves) {
  EXPECT_EQ(healed_bps(5000, 100, 100, 3600), 5000U);
  EXPECT_NEAR(healed_bps(5000, 100, 3700, 3600), 7500, 1);
  EXPECT_NEAR(healed_bps(5000, 100, 7300, 3600), 8750, 1);
  EXPECT_EQ(healed_bps(5000, 100, 100 + 3600 * 20, 3600), 10'000U);
  EXPECT_EQ(healed_bps(10'000, 0, 5, 3600), 10'000U);
  EXPECT_EQ(healed_bps(5000, 100, 50, 3600), 5000U);  // a clock that went back heals nothing
  std::uint32_t last = 0;
  for (std::uint64_t t = 0; t < 40'000; t += 97) {
    EXPECT_GE(healed_bps(1234, 0, t, 3600), last);
    last = healed_bps(1234, 0, t, 3600);
  }
}

/// How often each of the workers 1..n gets the order when it is put again and again under fresh randomness.
std::vector<double> shares(std::uint16_t workers, int runs, bool keep) {
  std::vector<double> hits(workers + 1U);
  World world(99);
  for (std::uint16_t i = 1; i <= workers; ++i) world.add_worker(i, World::offer_spec(1'000'000, 1'000'000, 2));
  std::vector<std::uint16_t> all(workers);
  std::iota(all.begin(), all.end(), std::uint16_t{1});
  for (int i = 0; i < runs; ++i) {
    const std::uint64_t order = world.add_order(1, World::order_spec(), uint256(10'000'000U));
    world.block(1, all);
    hits[World::number_of(world.leases_of(order).at(0).worker)] += 1;
    if (!keep) (void)world.market(World::user(1), market::encode::stop(order));
  }
  return hits;
}

TEST(Weights, EqualOffersGetEqualSharesThroughTheContract) {
  constexpr int kRuns = 2000;
  const auto hits = shares(5, kRuns, false);
  double chi_square = 0;
  for (std::uint16_t i = 1; i <= 5; ++i)
    chi_square += (hits[i] - kRuns / 5.0) * (hits[i] - kRuns / 5.0) / (kRuns / 5.0);
  EXPECT_LT(chi_square, 18.5);  // 4 degrees of freedom, p = 0.001
}

TEST(Weights, ConcentrationDampingSpreadsRunningLeases) {
  // Leases that stay: whoever has more is drawn less, so the spread is below that of independent draws.
  constexpr int kRuns = 500;
  const auto hits = shares(5, kRuns, true);
  double chi_square = 0;
  for (std::uint16_t i = 1; i <= 5; ++i)
    chi_square += (hits[i] - kRuns / 5.0) * (hits[i] - kRuns / 5.0) / (kRuns / 5.0);
  EXPECT_LT(chi_square, 4.0);  // the mean of independent draws
}

}  // namespace
}  // namespace bonus::chain::contracts
