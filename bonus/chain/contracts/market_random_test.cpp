// A random economy: thousands of seeded operations by workers and users, good and bad, over hundreds of blocks. After
// every block money is conserved; every few blocks the books are recomputed from orders and leases: no wei too much, no
// offer overbooked.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "bonus/chain/contracts/market_world_testing.hpp"

namespace bonus::chain::contracts {
namespace {

using market::EndReason;
using market::LeaseState;
using market::OrderState;
namespace encode = market::encode;

constexpr std::uint16_t kWorkers = 12;
constexpr std::uint16_t kUsers = 8;

class Economy {
 public:
  explicit Economy(std::uint64_t seed) : world(seed), rng_(seed) {
    world.host().genesis().market.max_matches_per_block = static_cast<std::uint32_t>(1 + below(8));
    world.host().genesis().market.max_expiries_per_block = static_cast<std::uint32_t>(2 + below(20));
    world.host().genesis().market.start_timeout_s = 40;
  }

  void step() {
    for (std::uint64_t i = below(14); i > 0; --i) operate();
    std::vector<std::uint16_t> beating;
    for (std::uint16_t i = 0; i < kWorkers; ++i) {
      if (dead_.contains(i)) {
        if (below(30) == 0) dead_.erase(i);
        continue;
      }
      if (below(400) == 0) dead_.insert(i);
      beating.push_back(i);
    }
    world.block(below(10) == 0 ? 5 + below(60) : 1, beating);
    ++blocks;
  }

  /// "" or what is broken.
  std::string check() {
    if (std::string out = world.conservation(); !out.empty()) return out;
    if (world.host().view_wrote) return "a view wrote";
    return blocks % 10 == 0 ? check_books() : std::string();  // the books take time
  }

  World world;
  std::uint64_t blocks = 0, operations = 0, succeeded = 0;
  std::map<EndReason, std::uint64_t> endings;

 private:
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  std::uint16_t any_worker() { return static_cast<std::uint16_t>(below(kWorkers)); }
  std::uint16_t any_user() { return static_cast<std::uint16_t>(below(kUsers)); }

  market::OfferSpec offer_spec() {
    static constexpr std::array<const char*, 4> kRegions{"", "cn-shanghai", "cn-beijing", "eu"};
    market::OfferSpec spec = World::offer_spec(static_cast<std::uint32_t>(500 + below(8000)),
                                               static_cast<std::uint32_t>(500 + below(8000)), 1 + below(5));
    spec.region = kRegions[below(4)];
    spec.runtimes = static_cast<std::uint8_t>(1 + below(7));
    if (below(8) == 0) spec.available_until = world.now() + 1 + below(200);
    return spec;
  }
  market::OrderSpec order_spec() {
    static constexpr std::array<const char*, 4> kRegions{"", "cn", "cn-beijing", "eu"};
    market::OrderSpec spec =
        World::order_spec(static_cast<std::uint32_t>(1 + below(3000)), static_cast<std::uint32_t>(1 + below(3000)));
    spec.replicas = static_cast<std::uint16_t>(1 + below(below(10) == 0 ? 64 : 4));
    spec.region = kRegions[below(4)];
    spec.distinct_operators = below(2) == 0;
    spec.duration = below(3) == 0 ? 1 + below(120) : 0;
    spec.max_price_per_second = uint256(below(6) == 0 ? 3000 : 1'000'000);
    spec.weight_cheap = static_cast<std::uint8_t>(below(101));
    spec.weight_quality = static_cast<std::uint8_t>(below(101));
    spec.weight_near = static_cast<std::uint8_t>(below(101));
    if (below(2) == 0) {
      spec.developer = World::developer();
      spec.royalty_bps = static_cast<std::uint16_t>(below(5001));
    }
    return spec;
  }

  std::string operate_once() {
    const std::uint16_t w = any_worker();
    const std::uint16_t u = any_user();
    const std::uint64_t offer = 1 + below(30);
    const std::uint64_t order = 1 + below(60);
    switch (below(16)) {
      case 0:
        return world.register_worker(w, 1, "cn-shanghai", uint256(1'000'000 + below(1'000'000)));
      case 1:
      case 2:
        return world.market(World::worker(w), encode::create_offer(offer_spec()));
      case 3:
        return world.market(World::worker(w), encode::update_offer(offer, offer_spec()));
      case 4:
        return below(3) == 0 ? world.market(World::worker(w), encode::close_offer(offer)) : "skipped";
      case 5:
        return below(4) == 0 ? world.nodes(World::worker(w), encode::leave()) : "skipped";
      case 6:
      case 7:
        return world.market(World::user(u), encode::create_order(order_spec()), uint256(1 + below(3'000'000)));
      case 8:
        return world.market(World::user(u), encode::top_up(order), uint256(below(500'000)));
      case 9:
        return world.market(World::user(u), encode::stop(order));
      case 10:
        return world.market(World::user(u), encode::settle(1 + below(100)));
      case 11:
        return world.market(World::worker(w),
                            encode::lease_ended(1 + below(200), static_cast<EndReason>(below(11)), "because"));
      default: {  // a worker does what it should for one of its leases
        const auto live = world.live_leases(w);
        if (live.empty() || dead_.contains(w)) return "nothing to do";
        const market::Lease& lease = live[below(live.size())];
        if (lease.state == LeaseState::kStarting && below(10) != 0) return world.start(w, lease.id);
        if (below(6) != 0) return "nothing to do";
        static constexpr std::array<EndReason, 4> kReasons{EndReason::kWorkerLeft, EndReason::kImageFailed,
                                                           EndReason::kHealthFailed, EndReason::kWorkloadExited};
        return world.market(World::worker(w), encode::lease_ended(lease.id, kReasons[below(4)], "x"));
      }
    }
  }

  void operate() {
    ++operations;
    if (operate_once().empty()) ++succeeded;
  }

  std::string check_books() {
    std::map<std::uint64_t, market::Resources> used;
    std::map<Address, std::uint64_t> live_of_worker;
    uint256 stored;
    const std::uint64_t orders = count(market::Call::kOrderCount);
    endings.clear();
    for (std::uint64_t id = 1; id <= orders; ++id) {
      const market::Order order = world.order(id);
      std::uint16_t live = 0;
      std::set<Address> operators;
      uint256 owed;
      for (const market::Lease& lease : world.leases_of(id)) {
        if (lease.paid_total !=
            lease.price_per_second * uint256(lease.started_at == 0 ? 0 : lease.settled_until - lease.started_at)) {
          return "lease " + std::to_string(lease.id) + " was not paid to the second";
        }
        if (lease.price_per_second > order.spec.max_price_per_second) return "paid above the bid";
        if (lease.state == LeaseState::kEnded) {
          ++endings[lease.reason];
          continue;
        }
        ++live;
        ++live_of_worker[lease.worker];
        if (!operators.insert(lease.worker).second && order.spec.distinct_operators)
          return "operators are not distinct";
        market::Resources& sum = used[lease.offer_id];
        sum.cpu_millis += order.spec.resources.cpu_millis;
        sum.memory_mib += order.spec.resources.memory_mib;
        sum.disk_mib += order.spec.resources.disk_mib;
        const auto split = *market::decode::split(world.view(encode::accrued(lease.id)));
        owed += split.worker + split.developer + split.foundation;
      }
      if (live != order.live_replicas) return "live replicas of order " + std::to_string(id);
      if (order.state == OrderState::kClosed && (live != 0 || !order.escrow.is_zero()))
        return "closed order is not empty";
      stored += order.escrow + owed;
    }
    if (stored != world.host().balance(kMarketAddress)) {
      return "orders hold " + stored.to_decimal() + ", the contract " +
             world.host().balance(kMarketAddress).to_decimal();
    }
    const std::uint64_t all = count(market::Call::kOfferCount);
    for (std::uint64_t id = 1; id <= all; ++id) {
      const market::Offer offer = world.offer(id);
      if (!(offer.used == used[id])) return "offer " + std::to_string(id) + " counts its use wrongly";
      if (offer.used.cpu_millis > offer.spec.capacity.cpu_millis ||
          offer.used.memory_mib > offer.spec.capacity.memory_mib ||
          offer.used.disk_mib > offer.spec.capacity.disk_mib) {
        return "offer " + std::to_string(id) + " is overbooked";
      }
    }
    for (std::uint16_t w = 0; w < kWorkers; ++w) {
      if (world.live_leases(w).size() != live_of_worker[World::worker(w)])
        return "live leases of worker " + std::to_string(w);
    }
    return {};
  }
  std::uint64_t count(market::Call call) {
    return market::decode::number(world.view(market::encode_call(call, {})))->low64();
  }

  std::mt19937_64 rng_;
  std::set<std::uint16_t> dead_;
};

TEST(MarketRandom, MoneyAndCapacityAreConservedAfterEveryBlock) {
  std::map<EndReason, std::uint64_t> endings;
  std::uint64_t operations = 0;
  std::uint64_t succeeded = 0;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    Economy economy(seed);
    for (int block = 0; block < 200; ++block) {
      economy.step();
      const std::string broken = economy.check();
      ASSERT_EQ(broken, "") << "seed " << seed << ", block " << economy.blocks;
    }
    for (const auto& [reason, count] : economy.endings) endings[reason] += count;
    operations += economy.operations;
    succeeded += economy.succeeded;
  }
  // The run is worth something only if it reached every ending.
  EXPECT_GT(operations, 5000U);
  EXPECT_GT(succeeded, 1000U);
  for (const EndReason reason : {EndReason::kUser, EndReason::kDepositExhausted, EndReason::kDurationReached,
                                 EndReason::kWorkerLeft, EndReason::kWorkerFailed, EndReason::kImageFailed,
                                 EndReason::kHealthFailed, EndReason::kWorkloadExited, EndReason::kStartTimeout}) {
    EXPECT_GT(endings[reason], 0U) << market::to_string(reason);
  }
}

TEST(MarketRandom, TheSameSeedGivesTheSameHistory) {
  const auto run = [](std::uint64_t seed) {
    Economy economy(seed);
    for (int block = 0; block < 60; ++block) economy.step();
    Bytes out = economy.world.view(encode::leases(0, 64));
    append(out, economy.world.view(encode::orders(0, 64)));
    return out;
  };
  EXPECT_EQ(run(5), run(5));
  EXPECT_NE(run(5), run(6));
}

}  // namespace
}  // namespace bonus::chain::contracts
