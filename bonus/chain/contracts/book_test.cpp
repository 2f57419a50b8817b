// Preflight against brute force, and the promise of an explanation: what it calls enough is enough.
#include "bonus/chain/contracts/book.hpp"

#include <gtest/gtest.h>

#include <random>

#include "bonus/chain/contracts/market_world_testing.hpp"

namespace bonus::chain::contracts {
namespace {

namespace encode = market::encode;

struct Case {
  market::OrderSpec spec;
  uint256 deposit;
};

class Random {
 public:
  explicit Random(std::uint64_t seed) : rng_(seed) {}
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  market::OfferSpec offer() {
    static constexpr std::array<const char*, 5> kRegions{"", "cn", "cn-shanghai", "cn-beijing", "eu-west"};
    market::OfferSpec spec = World::offer_spec(static_cast<std::uint32_t>(1 + below(4000)),
                                               static_cast<std::uint32_t>(1 + below(4000)), below(9));
    spec.capacity.disk_mib = static_cast<std::uint32_t>(below(2000));
    spec.tier = static_cast<std::uint8_t>(below(3));
    spec.runtimes = static_cast<std::uint8_t>(1 + below(7));
    spec.region = kRegions[below(5)];
    return spec;
  }
  Case order() {
    static constexpr std::array<const char*, 5> kRegions{"", "", "cn", "cn-beijing", "us"};
    Case out;
    out.spec =
        World::order_spec(static_cast<std::uint32_t>(1 + below(4000)), static_cast<std::uint32_t>(1 + below(4000)));
    out.spec.resources.disk_mib = static_cast<std::uint32_t>(below(2000));
    out.spec.min_tier = static_cast<std::int8_t>(static_cast<int>(below(4)) - 1);
    out.spec.runtime = static_cast<std::uint8_t>(below(3));
    out.spec.region = kRegions[below(5)];
    out.spec.max_price_per_second = uint256(1 + below(30'000));
    out.spec.replicas = static_cast<std::uint16_t>(1 + below(3));
    out.deposit = uint256(below(3) == 0 ? 1 + below(200'000) : 100'000'000);
    return out;
  }

 private:
  std::mt19937_64 rng_;
};

/// The rule as IMarket.sol and market_storage.md state it, written without the code under test.
bool brute_force(const market::Offer& offer, const Case& in) {
  const market::OfferSpec& o = offer.spec;
  const market::OrderSpec& s = in.spec;
  if (!offer.active) return false;
  if (s.resources.cpu_millis > o.capacity.cpu_millis - offer.used.cpu_millis) return false;
  if (s.resources.memory_mib > o.capacity.memory_mib - offer.used.memory_mib) return false;
  if (s.resources.disk_mib > o.capacity.disk_mib - offer.used.disk_mib) return false;
  if (s.min_tier > o.tier) return false;
  if ((o.runtimes & (1 << s.runtime)) == 0) return false;
  const bool within = o.region == s.region || o.region.starts_with(s.region + "-");
  if (!s.region.empty() && !within) return false;
  const std::uint64_t price = o.prices.cpu.low64() * s.resources.cpu_millis +
                              o.prices.memory.low64() * s.resources.memory_mib +
                              o.prices.disk.low64() * s.resources.disk_mib;
  if (uint256(price) > s.max_price_per_second) return false;
  return uint256(price * s.replicas * kMinPaidSeconds) <= in.deposit;
}

/// The order with `best` in the dimension that the explanation names.
Case relaxed(Case in, const market::Explanation& answer) {
  const std::uint64_t best = answer.best.low64();
  if (answer.dimension == "cpu") in.spec.resources.cpu_millis = static_cast<std::uint32_t>(best);
  if (answer.dimension == "memory") in.spec.resources.memory_mib = static_cast<std::uint32_t>(best);
  if (answer.dimension == "disk") in.spec.resources.disk_mib = static_cast<std::uint32_t>(best);
  if (answer.dimension == "tier") in.spec.min_tier = static_cast<std::int8_t>(best);
  if (answer.dimension == "runtime") in.spec.runtime = static_cast<std::uint8_t>(best);
  if (answer.dimension == "price") in.spec.max_price_per_second = answer.best;
  if (answer.dimension == "deposit") in.deposit = answer.best;
  if (answer.dimension == "region") {
    const std::string raw(as_text(answer.best.to_be()));
    in.spec.region = raw.substr(0, raw.find('\0'));
  }
  return in;
}

TEST(Book, PreflightEqualsBruteForceAndItsAdviceIsEnough) {
  std::map<std::string, int> dimensions;
  int matched = 0;
  int hopeless = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Random random(seed);
    World world(seed);
    const auto workers = static_cast<std::uint16_t>(1 + random.below(6));
    std::vector<market::Offer> offers;
    for (std::uint16_t i = 1; i <= workers; ++i) ASSERT_NE(world.add_worker(i, random.offer()), 0U);
    // Some capacity is taken.
    for (int i = 0; i < 3; ++i) {
      const Case order = random.order();
      (void)world.add_order(1, order.spec, order.deposit);
    }
    world.block(1);
    for (std::uint64_t id = 1; id <= workers; ++id) offers.push_back(world.offer(id));
    for (int i = 0; i < 60; ++i) {
      const Case order = random.order();
      SCOPED_TRACE("seed " + std::to_string(seed) + ", order " + std::to_string(i));
      const auto expected =
          std::ranges::count_if(offers, [&](const market::Offer& offer) { return brute_force(offer, order); });
      const market::Explanation answer = world.preflight(order.spec, order.deposit);
      ASSERT_EQ(answer.matching, static_cast<std::uint32_t>(expected));
      ASSERT_EQ(answer.offers, workers);
      if (expected > 0) {
        ++matched;
        ASSERT_EQ(answer.dimension, "");
        ASSERT_LE(answer.expected_price_per_second, order.spec.max_price_per_second);
        continue;
      }
      ASSERT_NE(answer.dimension, "");
      ASSERT_NE(answer.advice, "");
      if (answer.advice.starts_with("No single change")) {
        ++hopeless;
        continue;
      }
      ++dimensions[answer.dimension];
      const Case better = relaxed(order, answer);
      ASSERT_GT(world.preflight(better.spec, better.deposit).matching, 0U) << answer.dimension << ": " << answer.advice;
      // The smallest one in that dimension: a step less is not enough (numbers that can be stepped).
      Case less = better;
      if (answer.dimension == "cpu") ++less.spec.resources.cpu_millis;
      if (answer.dimension == "memory") ++less.spec.resources.memory_mib;
      if (answer.dimension == "disk") ++less.spec.resources.disk_mib;
      if (answer.dimension == "price") less.spec.max_price_per_second -= uint256(1U);
      if (answer.dimension == "deposit") less.deposit -= uint256(1U);
      if (answer.dimension == "cpu" || answer.dimension == "memory" || answer.dimension == "disk" ||
          answer.dimension == "price" || answer.dimension == "deposit") {
        ASSERT_EQ(world.preflight(less.spec, less.deposit).matching, 0U) << answer.dimension << ": " << answer.advice;
      }
    }
  }
  EXPECT_GT(matched, 50);
  EXPECT_GT(hopeless, 50);
  for (const char* dimension : {"cpu", "memory", "disk", "region", "tier", "runtime", "price", "deposit"}) {
    EXPECT_GT(dimensions[dimension], 3) << dimension;
  }
}

TEST(Book, WhatPreflightPromisesIsMatched) {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE(seed);
    Random random(seed);
    World world(seed);
    for (std::uint16_t i = 1; i <= 4; ++i) ASSERT_NE(world.add_worker(i, random.offer()), 0U);
    Case order = random.order();
    order.spec.replicas = 1;
    const bool promised = world.preflight(order.spec, order.deposit).matching != 0;
    const std::uint64_t id = world.add_order(1, order.spec, order.deposit);
    world.block(1);
    EXPECT_EQ(world.order(id).live_replicas == 1, promised) << world.order(id).explanation;
  }
}

TEST(Book, EmptyBookAndTooFewOperatorsAreNamed) {
  World world;
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).dimension, "offers");
  world.add_worker(1);
  market::OrderSpec spec = World::order_spec();
  spec.replicas = 3;
  spec.distinct_operators = true;
  const market::Explanation answer = world.preflight(spec, uint256(100'000'000U));
  EXPECT_EQ(answer.matching, 1U);
  EXPECT_EQ(answer.dimension, "operators");
  EXPECT_EQ(answer.asked, uint256(3U));
  EXPECT_EQ(answer.best, uint256(1U));
  // On chain: one replica is placed, the order says why the others wait.
  const std::uint64_t order = world.add_order(1, spec, uint256(100'000'000U));
  world.block(1);
  EXPECT_EQ(world.order(order).live_replicas, 1U);
  EXPECT_TRUE(world.order(order).explanation.starts_with("operators: ")) << world.order(order).explanation;
}

TEST(Book, SuspendedSilentAndPastOffersDoNotCount) {
  World world;
  market::OfferSpec spec = World::offer_spec();
  spec.available_until = World::kStart + 100;
  world.add_worker(1, spec);
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).offers, 1U);
  world.host().context().timestamp = World::kStart + 100;
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).offers, 0U);
  world.add_worker(2);
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).offers, 1U);
  world.host().context().timestamp += 241;  // idle and silent for more than two start timeouts
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).offers, 0U);
  ASSERT_EQ(world.nodes(World::worker(2), encode::heartbeat()), "");
  EXPECT_EQ(world.preflight(World::order_spec(), uint256(1'000'000U)).offers, 1U);
}

}  // namespace
}  // namespace bonus::chain::contracts
