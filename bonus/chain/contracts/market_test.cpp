// The Market contract's rules one by one: matching, streaming, expiry, endings, refusals.
#include <gtest/gtest.h>

#include <set>

#include "bonus/chain/contracts/market_world_testing.hpp"

namespace bonus::chain::contracts {
namespace {

using market::EndReason;
using market::Event;
using market::LeaseState;
using market::OrderState;
namespace encode = market::encode;

// Price of order_spec() on offer_spec(): 500 * 2 + 256 * 1 = 1256 wei per second.
constexpr std::uint64_t kPrice = 1256;

class MarketTest : public testing::Test {
 protected:
  void TearDown() override {
    EXPECT_EQ(world.conservation(), "");
    EXPECT_FALSE(world.host().view_wrote);
  }
  /// One worker, one order of it running since the block that is open now; returns the order's id. Lease id 1.
  std::uint64_t running(const market::OrderSpec& spec, const uint256& deposit) {
    EXPECT_EQ(world.add_worker(1), 1U);
    const std::uint64_t order = world.add_order(1, spec, deposit);
    world.block(1, {1});
    EXPECT_EQ(world.start(1, 1), "");
    return order;
  }
  World world;
};

TEST_F(MarketTest, OrderIsMatchedStartedAndPaidToTheSecond) {
  market::OrderSpec spec = World::order_spec();
  spec.developer = World::developer();
  spec.royalty_bps = 333;
  const uint256 user_before = world.host().balance(World::user(1));
  const std::uint64_t order = running(spec, uint256(1'000'000U));
  EXPECT_EQ(world.order(order).state, OrderState::kMatched);
  EXPECT_EQ(world.lease(1).price_per_second, uint256(kPrice));
  EXPECT_EQ(world.lease(1).ports, std::vector<std::uint16_t>{8080});
  const uint256 worker_before = world.host().balance(World::worker(1));

  world.block(7, {1});
  const auto accrued = *market::decode::split(world.view(encode::accrued(1)));
  const std::uint64_t total = 7 * kPrice;
  EXPECT_EQ(accrued.foundation, uint256(total / 100));
  EXPECT_EQ(accrued.developer, uint256(total * 333 / 10'000));
  EXPECT_EQ(accrued.worker, uint256(total - total / 100 - total * 333 / 10'000));
  EXPECT_EQ(world.order(order).escrow, uint256(1'000'000 - total));
  EXPECT_EQ(world.seconds_left(order), 1'000'000 / kPrice - 7);

  ASSERT_EQ(world.market(World::user(9), encode::settle(1)), "");  // anyone may
  EXPECT_EQ(world.host().balance(World::worker(1)), worker_before + accrued.worker);
  EXPECT_EQ(world.host().balance(World::developer()), accrued.developer);
  EXPECT_EQ(world.host().balance(World::foundation()), accrued.foundation);
  EXPECT_EQ(world.lease(1).paid_total, uint256(total));

  ASSERT_EQ(world.market(World::user(1), encode::stop(order)), "");
  EXPECT_EQ(world.lease(1).reason, EndReason::kUser);
  EXPECT_EQ(world.order(order).state, OrderState::kClosed);
  EXPECT_EQ(world.host().balance(World::user(1)), user_before - uint256(total));
  EXPECT_EQ(world.offer(1).used, market::Resources{});
}

TEST_F(MarketTest, NothingFlowsBeforeTheStart) {
  world.add_worker(1);
  const std::uint64_t order = world.add_order(1, World::order_spec(), uint256(1'000'000U));
  world.block(1, {1});
  ASSERT_EQ(world.lease(1).state, LeaseState::kStarting);
  for (int i = 0; i < 20; ++i) world.block(3, {1});
  EXPECT_EQ(world.order(order).escrow, uint256(1'000'000U));
  EXPECT_EQ(world.lease(1).paid_total, uint256());
}

TEST_F(MarketTest, SettlesAtLeastEveryInterval) {
  running(World::order_spec(), uint256(10'000'000U));
  for (int i = 0; i < 60; ++i) {
    world.block(1, {1});
    EXPECT_LE(world.now() - world.lease(1).settled_until, 11U);
  }
  EXPECT_GT(world.lease(1).paid_total, uint256(45 * kPrice));
}

TEST_F(MarketTest, DepositEndsInTheVeryBlockAndIsNeverExceeded) {
  // 100 seconds and a rest that pays no further one.
  const std::uint64_t order = running(World::order_spec(), uint256(100 * kPrice + 77));
  const std::uint64_t started = world.now();
  const uint256 user = world.host().balance(World::user(1));
  while (world.now() < started + 99) world.block(1, {1});
  world.block(1, {1});  // the block at +99 ends
  ASSERT_EQ(world.now(), started + 100);
  EXPECT_EQ(world.lease(1).state, LeaseState::kRunning);
  EXPECT_EQ(world.seconds_left(order), 0U);
  world.block(1, {1});  // the block at +100 ends: exhausted
  const market::Lease lease = world.lease(1);
  EXPECT_EQ(lease.state, LeaseState::kEnded);
  EXPECT_EQ(lease.reason, EndReason::kDepositExhausted);
  EXPECT_EQ(lease.ended_at, started + 100);
  EXPECT_EQ(lease.paid_total, uint256(100 * kPrice));
  EXPECT_EQ(world.order(order).state, OrderState::kClosed);
  EXPECT_EQ(world.host().balance(World::user(1)), user + uint256(77U));  // the rest comes back
}

TEST_F(MarketTest, ALateBlockChargesNoMoreThanTheEscrow) {
  const std::uint64_t order = running(World::order_spec(), uint256(100 * kPrice + 77));
  world.block(4000);
  ASSERT_EQ(world.nodes(World::worker(1), encode::heartbeat()), "");  // alive, or it would be a failure
  world.block(1);
  EXPECT_EQ(world.lease(1).reason, EndReason::kDepositExhausted);
  EXPECT_EQ(world.lease(1).paid_total, uint256(100 * kPrice));
  EXPECT_EQ(world.lease(1).settled_until, world.lease(1).started_at + 100);
  EXPECT_EQ(world.order(order).escrow, uint256());
}

TEST_F(MarketTest, ReplicasShareTheEscrowAndEndTogether) {
  market::OrderSpec spec = World::order_spec();
  spec.replicas = 3;
  for (std::uint16_t i = 1; i <= 3; ++i) world.add_worker(i, World::offer_spec(4000, 8192, i));
  spec.distinct_operators = true;
  const std::uint64_t order = world.add_order(1, spec, uint256(100'000U));
  world.block(1, {1, 2, 3});
  const auto leases = world.leases_of(order);
  ASSERT_EQ(leases.size(), 3U);
  // Starts at different times: the exact end follows from all three prices.
  uint256 paid;
  for (const market::Lease& lease : leases) {
    ASSERT_EQ(world.start(World::number_of(lease.worker), lease.id), "");
    world.block(5, {1, 2, 3});
  }
  const std::uint64_t left = world.seconds_left(order);
  const std::uint64_t end = world.now() + left;
  const uint256 rate = leases[0].price_per_second + leases[1].price_per_second + leases[2].price_per_second;
  const uint256 rest = world.order(order).escrow - rate * uint256(left);
  EXPECT_LT(rest, rate);
  while (world.now() < end) world.block(1, {1, 2, 3});
  world.block(1, {1, 2, 3});
  for (const market::Lease& before : leases) {
    const market::Lease lease = world.lease(before.id);
    EXPECT_EQ(lease.reason, EndReason::kDepositExhausted);
    EXPECT_EQ(lease.ended_at, end);
    EXPECT_EQ(lease.settled_until, end);
    EXPECT_EQ(lease.paid_total, lease.price_per_second * uint256(end - lease.started_at));
    paid += lease.paid_total;
  }
  EXPECT_EQ(paid + rest, uint256(100'000U));
}

TEST_F(MarketTest, ReplicasOfDifferentPriceAreChargedToTheSameSecondInALateBlock) {
  ASSERT_NE(world.add_worker(1), 0U);  // 1256 a second
  market::OfferSpec cheap = World::offer_spec();
  cheap.prices = {uint256(), uint256(), uint256(1U)};  // 100 a second
  ASSERT_NE(world.add_worker(2, cheap), 0U);
  market::OrderSpec spec = World::order_spec();
  spec.replicas = 2;
  spec.distinct_operators = true;
  // 20 seconds of both, and a rest that alone would keep the cheap one running for 12 more.
  const std::uint64_t order = world.add_order(1, spec, uint256(20 * (kPrice + 100) + 1255));
  world.block(1, {1, 2});
  for (const market::Lease& lease : world.leases_of(order)) {
    ASSERT_EQ(world.start(World::number_of(lease.worker), lease.id), "");
  }
  const std::uint64_t end = world.now() + 20;
  world.block(60);
  world.block(1);
  for (const market::Lease& lease : world.leases_of(order)) {
    EXPECT_EQ(lease.reason, EndReason::kDepositExhausted);
    EXPECT_EQ(lease.settled_until, end);
  }
}

TEST_F(MarketTest, TopUpMovesTheEndAndRearmsTheWarning) {
  const std::uint64_t order = running(World::order_spec(), uint256(70 * kPrice));
  std::size_t warnings = 0;
  std::uint64_t warned_at = 0;
  const auto run_to = [&](std::uint64_t time) {
    while (world.now() < time) {
      const std::uint64_t at = world.now();
      world.block(1, {1});
      if (world.count(Event::kLowBalance) != 0) warned_at = at;
      warnings += world.count(Event::kLowBalance);
    }
  };
  const std::uint64_t started = world.now();
  run_to(started + 40);
  EXPECT_EQ(warnings, 1U);
  EXPECT_EQ(warned_at, started + 11);  // 59 s left: the first time below 60
  ASSERT_EQ(world.market(World::user(7), encode::top_up(order), uint256(100 * kPrice)), "");
  EXPECT_EQ(world.seconds_left(order), 130U);
  run_to(started + 160);
  EXPECT_EQ(warnings, 2U);
  EXPECT_EQ(warned_at, started + 111);
  EXPECT_EQ(world.lease(1).state, LeaseState::kRunning);
  run_to(started + 171);
  EXPECT_EQ(world.lease(1).ended_at, started + 170);
  EXPECT_EQ(warnings, 2U);
}

TEST_F(MarketTest, DurationEndsTheLeaseAndRefunds) {
  market::OrderSpec spec = World::order_spec();
  spec.duration = 30;
  const std::uint64_t order = running(spec, uint256(30 * kPrice));  // the deposit ends in the same second
  const std::uint64_t started = world.now();
  while (world.lease(1).state == LeaseState::kRunning) world.block(4, {1});
  EXPECT_EQ(world.lease(1).reason, EndReason::kDurationReached);
  EXPECT_EQ(world.lease(1).paid_total, uint256(30 * kPrice));
  EXPECT_EQ(world.lease(1).settled_until, started + 30);
  EXPECT_EQ(world.order(order).state, OrderState::kClosed);
}

TEST_F(MarketTest, SilentWorkerForfeitsIsPunishedAndReplacedAtOnce) {
  const std::uint64_t order = running(World::order_spec(), uint256(10'000'000U));
  ASSERT_EQ(world.add_worker(2, World::offer_spec(4000, 8192, 3)), 2U);
  for (int i = 0; i < 15; ++i) world.block(1, {1, 2});
  const uint256 paid = world.lease(1).paid_total;
  const uint256 user = world.host().balance(World::user(1));
  const uint256 bond = world.node(1).bond;
  std::uint64_t failed_at = 0;
  const std::uint64_t last_beat = world.node(1).last_heartbeat;
  for (int i = 0; i < 12 && failed_at == 0; ++i) {
    const std::uint64_t at = world.now();
    world.block(1, {2});
    if (world.lease(1).state == LeaseState::kEnded) failed_at = at;
  }
  EXPECT_EQ(failed_at, last_beat + 9);  // more than 8 s
  const market::Lease lost = world.lease(1);
  EXPECT_EQ(lost.reason, EndReason::kWorkerFailed);
  EXPECT_LT(lost.settled_until, failed_at);
  EXPECT_EQ(lost.paid_total, uint256(kPrice * (lost.settled_until - lost.started_at)));
  EXPECT_GE(lost.paid_total, paid);
  EXPECT_EQ(world.count(Event::kPenaltyBooked), 1U);
  EXPECT_EQ(world.node(1).bond, bond - uint256(10'000U));  // 1% of a million
  EXPECT_EQ(world.host().balance(World::user(1)), user + uint256(10'000U));
  EXPECT_EQ(world.node(1).interruptions, 1U);
  EXPECT_FALSE(world.node(1).active);
  EXPECT_FALSE(world.offer(1).active);
  EXPECT_NEAR(world.node(1).penalty_bps, 5000, 5);
  // The replica is with the other worker since that very block.
  ASSERT_EQ(world.live_leases(2).size(), 1U);
  EXPECT_EQ(world.live_leases(2)[0].matched_at, failed_at);
  EXPECT_EQ(world.order(order).escrow, uint256(10'000'000U) - lost.paid_total);
  // It comes back with the next heartbeat, and its weight heals.
  ASSERT_EQ(world.nodes(World::worker(1), encode::heartbeat()), "");
  EXPECT_TRUE(world.offer(1).active);
  world.block(3600);
  EXPECT_NEAR(world.node(1).penalty_bps, 7500, 10);
}

TEST_F(MarketTest, TimeoutNeedsBlocksToo) {
  running(World::order_spec(), uint256(10'000'000U));
  world.block(60);  // one long block is no silence of the worker
  world.block(60);
  EXPECT_EQ(world.lease(1).state, LeaseState::kRunning);
  for (int i = 0; i < 5; ++i) world.block(1);
  EXPECT_EQ(world.lease(1).reason, EndReason::kWorkerFailed);
}

TEST_F(MarketTest, LeaseThatNeverStartsIsTakenAway) {
  world.add_worker(1);
  world.add_order(1, World::order_spec(), uint256(10'000'000U));
  world.block(1, {1});
  world.add_worker(2);
  for (int i = 0; i < 119; ++i) world.block(1, {1, 2});
  EXPECT_EQ(world.lease(1).state, LeaseState::kStarting);
  world.block(1, {1, 2});
  EXPECT_EQ(world.lease(1).reason, EndReason::kStartTimeout);
  EXPECT_EQ(world.node(1).interruptions, 1U);
  EXPECT_TRUE(world.node(1).active);
  ASSERT_EQ(world.live_leases(2).size(), 1U);
}

TEST_F(MarketTest, ImageFailureIsRetriedThreeTimesThenTheOrderCloses) {
  for (std::uint16_t i = 1; i <= 2; ++i) world.add_worker(i);
  const uint256 before = world.host().balance(World::user(1));
  const std::uint64_t order = world.add_order(1, World::order_spec(), uint256(10'000'000U));
  std::size_t attempts = 0;
  Address last;
  for (int i = 0; i < 10 && world.order(order).state != OrderState::kClosed; ++i) {
    world.block(1, {1, 2});
    const auto leases = world.leases_of(order);
    if (leases.empty() || leases.back().state == LeaseState::kEnded) continue;
    EXPECT_NE(leases.back().worker, last);  // never the same worker in the block of the failure
    last = leases.back().worker;
    ++attempts;
    ASSERT_EQ(world.market(last, encode::lease_ended(leases.back().id, EndReason::kImageFailed, "no such layer")), "");
  }
  EXPECT_EQ(attempts, 4U);
  EXPECT_EQ(world.order(order).state, OrderState::kClosed);
  EXPECT_EQ(world.host().balance(World::user(1)), before);
  EXPECT_EQ(world.node(1).interruptions + world.node(2).interruptions, 0U);
}

TEST_F(MarketTest, PlannedLeaveCostsNothingAndIsReplaced) {
  running(World::order_spec(), uint256(10'000'000U));
  world.add_worker(2);
  world.block(5, {1, 2});
  ASSERT_EQ(world.market(World::worker(1), encode::close_offer(1)), "");
  EXPECT_EQ(world.nodes(World::worker(1), encode::leave()), "leave: the node has leases");
  ASSERT_EQ(world.market(World::worker(1), encode::lease_ended(1, EndReason::kWorkerLeft, "maintenance")), "");
  EXPECT_EQ(world.lease(1).paid_total, uint256(5 * kPrice));
  world.block(1, {2});
  EXPECT_EQ(world.live_leases(2).size(), 1U);
  EXPECT_EQ(world.node(1).penalty_bps, 10'000U);
  const uint256 before = world.host().balance(World::worker(1));
  ASSERT_EQ(world.nodes(World::worker(1), encode::leave()), "");
  EXPECT_EQ(world.host().balance(World::worker(1)), before + uint256(1'000'000U));
  EXPECT_TRUE(world.node(1).account.is_zero());
}

TEST_F(MarketTest, ExitedWorkloadEndsTheOrder) {
  const std::uint64_t order = running(World::order_spec(), uint256(10'000'000U));
  world.block(5, {1});
  ASSERT_EQ(world.market(World::worker(1), encode::lease_ended(1, EndReason::kWorkloadExited, "exit code 0")), "");
  EXPECT_EQ(world.order(order).state, OrderState::kClosed);
  EXPECT_EQ(world.lease(1).detail, "exit code 0");
  EXPECT_EQ(world.lease(1).paid_total, uint256(5 * kPrice));
}

TEST_F(MarketTest, ForeignersAndNonsenseAreRefused) {
  const std::uint64_t order = running(World::order_spec(), uint256(10'000'000U));
  EXPECT_NE(world.market(World::user(2), encode::stop(order)), "");
  EXPECT_NE(world.market(World::worker(2), encode::lease_started(1, {})), "");
  EXPECT_NE(world.market(World::worker(2), encode::close_offer(1)), "");
  EXPECT_NE(world.market(World::worker(1), encode::lease_ended(1, EndReason::kUser, "")), "");
  EXPECT_NE(world.market(World::worker(1), encode::lease_ended(1, static_cast<EndReason>(77), "")), "");
  EXPECT_EQ(world.market(World::user(1), encode::get_lease(2)), "no such lease 2");
  EXPECT_EQ(world.market(World::user(1), encode::stop(order), uint256(1U)), "stop: takes no value");
  EXPECT_EQ(world.market(World::user(1), Bytes{1, 2, 3, 4}), "unknown function");
  EXPECT_EQ(world.market(World::user(1), {}, uint256(5U)), "unknown function");
  EXPECT_NE(world.market(World::user(1), encode::create_order(World::order_spec())), "");  // no deposit
  market::OrderSpec spec = World::order_spec();
  spec.replicas = 65;
  EXPECT_NE(world.market(World::user(1), encode::create_order(spec), uint256(1U)), "");
  spec = World::order_spec();
  spec.royalty_bps = 1;
  EXPECT_NE(world.market(World::user(1), encode::create_order(spec), uint256(1U)), "");  // nobody to pay it to
  market::OfferSpec offer = World::offer_spec();
  EXPECT_EQ(world.market(World::worker(3), encode::create_offer(offer)), "offer: the caller is not a registered node");
  offer.tier = 2;
  EXPECT_EQ(world.market(World::worker(1), encode::create_offer(offer)), "offer: the tier is not that of the node");
  EXPECT_EQ(world.market(World::worker(1), encode::update_offer(1, World::offer_spec(499))),
            "offer: running leases use more than the new capacity");
  EXPECT_EQ(world.market(World::worker(1), encode::update_offer(1, World::offer_spec(500))), "");
  ASSERT_EQ(world.market(World::user(1), encode::stop(order)), "");
  EXPECT_EQ(world.market(World::user(1), encode::stop(order)), "order: it is closed");
  EXPECT_EQ(world.market(World::user(1), encode::top_up(order), uint256(1U)), "order: it is closed");
}

TEST_F(MarketTest, StaticCallsCannotChangeState) {
  world.add_worker(1);
  const CallOutcome out = world.host().view(kMarketAddress, encode::close_offer(1));
  EXPECT_FALSE(out.success);
  EXPECT_EQ(abi::decode_revert(out.output), "closeOffer: state cannot change in a static call");
}

TEST_F(MarketTest, RunningOutOfGasFailsTheCall) {
  world.add_worker(1);
  const Bytes data = encode::create_order(World::order_spec());
  ASSERT_TRUE(world.host().send(World::user(1), kMarketAddress, data, uint256(1000U)).success);
  const std::uint64_t needed = world.host().gas_used;
  EXPECT_GT(needed, 50'000U);
  EXPECT_FALSE(world.host().send(World::user(2), kMarketAddress, data, uint256(1000U), needed / 2).success);
  EXPECT_EQ(world.host().balance(World::user(2)), world.host().genesis().balances[World::user(2)]);
}

TEST_F(MarketTest, OrdersThatWaitAreExplainedAndMatchedWhenAnOfferComes) {
  market::OrderSpec spec = World::order_spec(5000);
  const std::uint64_t order = world.add_order(1, spec, uint256(10'000'000U));
  world.block(1);
  EXPECT_TRUE(world.order(order).explanation.starts_with("offers: ")) << world.order(order).explanation;
  EXPECT_EQ(world.count(Event::kOrderUnmatched), 1U);
  world.add_worker(1);
  world.block(1, {1});
  EXPECT_TRUE(world.order(order).explanation.starts_with("cpu: ")) << world.order(order).explanation;
  world.block(1, {1});
  EXPECT_EQ(world.count(Event::kOrderUnmatched), 0U);  // nothing changed
  ASSERT_EQ(world.market(World::worker(1), encode::update_offer(1, World::offer_spec(6000))), "");
  world.block(1, {1});
  EXPECT_EQ(world.order(order).state, OrderState::kMatched);
  EXPECT_EQ(world.order(order).explanation, "");
}

TEST_F(MarketTest, LostReplicasGoFirst) {
  const std::uint64_t first = running(World::order_spec(4000), uint256(100'000'000U));
  const std::uint64_t waiting = world.add_order(2, World::order_spec(4000), uint256(100'000'000U));
  world.block(1, {1});
  ASSERT_EQ(world.order(waiting).state, OrderState::kOpen);
  ASSERT_EQ(world.market(World::worker(1), encode::lease_ended(1, EndReason::kWorkerLeft, "")), "");
  ASSERT_NE(world.add_worker(2), 0U);
  world.block(1, {1, 2});
  // Room for one each: the order that lost its replica avoids worker 1 in this block and gets worker 2.
  ASSERT_EQ(world.live_leases(2).size(), 1U);
  EXPECT_EQ(world.live_leases(2)[0].order_id, first);
}

TEST_F(MarketTest, ViewsPageNewestFirst) {
  world.add_worker(1);
  for (std::uint16_t i = 0; i < 70; ++i)
    world.add_order(static_cast<std::uint16_t>(i % 2), World::order_spec(10, 10), uint256(100'000U));
  const auto page = *market::decode::orders(world.view(encode::orders(0, 1000)));
  ASSERT_EQ(page.size(), 64U);
  EXPECT_EQ(page.front().id, 70U);
  const auto rest = *market::decode::orders(world.view(encode::orders(page.back().id, 1000)));
  EXPECT_EQ(rest.size(), 6U);
  EXPECT_EQ(rest.back().id, 1U);
  const auto own = *market::decode::orders(world.view(encode::orders_of(World::user(1), 10, 3)));
  ASSERT_EQ(own.size(), 3U);
  EXPECT_EQ(own[0].id, 8U);
  EXPECT_EQ(own[2].id, 4U);
  EXPECT_EQ((*market::decode::offers(world.view(encode::offers_of(World::worker(1))))).size(), 1U);
}

TEST_F(MarketTest, NodesAreListedAndKeysAreBound) {
  EXPECT_EQ(world.register_worker(1), "");
  EXPECT_NE(world.register_worker(1), "");
  EXPECT_NE(world.register_worker(2, 1, "Shanghai!"), "");
  EXPECT_NE(world.register_worker(2, 1, "cn", uint256(999'999U)), "");
  EXPECT_EQ(world.register_worker(2), "");
  // The key of node 1 for another account: signed for the wrong one, and taken.
  const auto pair = World::key(1);
  EXPECT_NE(
      world.nodes(World::worker(3),
                  encode::register_node(pair.public_key(),
                                        pair.sign(market::registration_digest(4242, World::worker(3))), 1, "", ""),
                  uint256(1'000'000U)),
      "");
  const auto other = World::key(3);
  EXPECT_NE(
      world.nodes(World::worker(3),
                  encode::register_node(other.public_key(),
                                        other.sign(market::registration_digest(4242, World::worker(4))), 1, "", ""),
                  uint256(1'000'000U)),
      "");
  const auto list = *market::decode::nodes(world.host().view(kNodesAddress, encode::list_nodes(0, 10)).output);
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list[0].account, World::worker(1));
  EXPECT_EQ(list[0].node_id, crypto::node_id(pair.public_key()));
  ASSERT_EQ(world.nodes(World::worker(1), encode::leave()), "");
  const auto rest = *market::decode::nodes(world.host().view(kNodesAddress, encode::list_nodes(0, 10)).output);
  ASSERT_EQ(rest.size(), 1U);
  EXPECT_EQ(rest[0].account, World::worker(2));
  EXPECT_EQ(world.register_worker(1), "");  // may come back
}

}  // namespace
}  // namespace bonus::chain::contracts
