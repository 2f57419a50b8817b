// ABI of Nodes and Market: round trips of seeded random values, refusal of what does not fit, known selectors.
#include "bonus/chain/api/market_abi.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "bonus/chain/api/host.hpp"

namespace bonus::chain::market {
namespace {

class Gen {
 public:
  explicit Gen(std::uint64_t seed) : rng_(seed) {}
  std::uint64_t u64() { return rng_(); }
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  uint256 u128() { return uint256(0, 0, u64(), u64()); }
  uint256 u256() { return uint256(u64(), u64(), u64(), u64()); }
  template <class Fixed>
  Fixed fixed() {
    Fixed out;
    for (auto& byte : out.bytes) byte = static_cast<std::uint8_t>(below(256));
    return out;
  }
  std::string text(std::size_t most) {
    std::string out(below(most + 1), ' ');
    for (char& c : out) c = static_cast<char>('a' + below(26));
    return out;
  }
  Resources resources() {
    return {static_cast<std::uint32_t>(u64()), static_cast<std::uint32_t>(u64()), static_cast<std::uint32_t>(u64())};
  }
  OfferSpec offer_spec() {
    return {.capacity = resources(),
            .prices = {u128(), u128(), u128()},
            .tier = static_cast<std::uint8_t>(below(3)),
            .runtimes = static_cast<std::uint8_t>(below(8)),
            .region = text(32),
            .available_until = u64()};
  }
  OrderSpec order_spec() {
    return {.image = text(256),
            .image_digest = fixed<Hash32>(),
            .workload = fixed<Hash32>(),
            .resources = resources(),
            .replicas = static_cast<std::uint16_t>(u64()),
            .runtime = static_cast<std::uint8_t>(below(3)),
            .min_tier = static_cast<std::int8_t>(static_cast<int>(below(4)) - 1),
            .region = text(32),
            .max_price_per_second = u128(),
            .duration = u64(),
            .developer = fixed<Address>(),
            .royalty_bps = static_cast<std::uint16_t>(u64()),
            .distinct_operators = below(2) == 1,
            .weight_cheap = static_cast<std::uint8_t>(u64()),
            .weight_quality = static_cast<std::uint8_t>(u64()),
            .weight_near = static_cast<std::uint8_t>(u64())};
  }

 private:
  std::mt19937_64 rng_;
};

void expect_equal(const OfferSpec& a, const OfferSpec& b) {
  EXPECT_EQ(a.capacity, b.capacity);
  EXPECT_EQ(a.prices.cpu, b.prices.cpu);
  EXPECT_EQ(a.prices.memory, b.prices.memory);
  EXPECT_EQ(a.prices.disk, b.prices.disk);
  EXPECT_EQ(a.tier, b.tier);
  EXPECT_EQ(a.runtimes, b.runtimes);
  EXPECT_EQ(a.region, b.region);
  EXPECT_EQ(a.available_until, b.available_until);
}

void expect_equal(const OrderSpec& a, const OrderSpec& b) {
  EXPECT_EQ(a.image, b.image);
  EXPECT_EQ(a.image_digest, b.image_digest);
  EXPECT_EQ(a.workload, b.workload);
  EXPECT_EQ(a.resources, b.resources);
  EXPECT_EQ(a.replicas, b.replicas);
  EXPECT_EQ(a.runtime, b.runtime);
  EXPECT_EQ(a.min_tier, b.min_tier);
  EXPECT_EQ(a.region, b.region);
  EXPECT_EQ(a.max_price_per_second, b.max_price_per_second);
  EXPECT_EQ(a.duration, b.duration);
  EXPECT_EQ(a.developer, b.developer);
  EXPECT_EQ(a.royalty_bps, b.royalty_bps);
  EXPECT_EQ(a.distinct_operators, b.distinct_operators);
  EXPECT_EQ(a.weight_cheap, b.weight_cheap);
  EXPECT_EQ(a.weight_quality, b.weight_quality);
  EXPECT_EQ(a.weight_near, b.weight_near);
}

abi::Values arguments_of(Call call, BytesView data) {
  auto decoded = abi::decode(function(call).function.inputs, data.subspan(4));
  EXPECT_TRUE(decoded) << decoded.error().message;
  return decoded ? *std::move(decoded) : abi::Values{};
}

Bytes result(Call call, const abi::Values& values) {
  auto out = abi::encode(function(call).function.outputs, values);
  EXPECT_TRUE(out) << out.error().message;
  return out ? *std::move(out) : Bytes{};
}

TEST(MarketAbi, SpecsSurviveTheRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    Gen gen(seed);
    const OfferSpec offer = gen.offer_spec();
    const Bytes offer_call = encode::create_offer(offer);
    ASSERT_EQ(find_function(kMarketAddress, offer_call)->call, Call::kCreateOffer);
    expect_equal(offer, offer_spec_from(arguments_of(Call::kCreateOffer, offer_call)[0]));
    const OrderSpec order = gen.order_spec();
    const uint256 deposit = gen.u256();
    const Bytes preflight = encode::preflight(order, deposit);
    const abi::Values arguments = arguments_of(Call::kPreflight, preflight);
    expect_equal(order, order_spec_from(arguments[0]));
    EXPECT_EQ(arguments[1].number(), deposit);
  }
}

TEST(MarketAbi, ResultsSurviveTheRoundTrip) {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    SCOPED_TRACE(seed);
    Gen gen(seed);
    Lease lease{.id = gen.u64(),
                .order_id = gen.u64(),
                .offer_id = gen.u64(),
                .user = gen.fixed<Address>(),
                .worker = gen.fixed<Address>(),
                .node_id = gen.fixed<NodeId>(),
                .state = LeaseState::kEnded,
                .reason = static_cast<EndReason>(gen.below(10)),
                .price_per_second = gen.u128(),
                .matched_at = gen.u64(),
                .started_at = gen.u64(),
                .settled_until = gen.u64(),
                .ended_at = gen.u64(),
                .paid_total = gen.u256(),
                .paid_worker = gen.u256(),
                .paid_developer = gen.u256(),
                .paid_foundation = gen.u256(),
                .ports = {},
                .detail = gen.text(256)};
    for (std::uint64_t i = gen.below(5); i > 0; --i) lease.ports.push_back(static_cast<std::uint16_t>(gen.u64()));
    const auto back = decode::lease(result(Call::kGetLease, one(to_value(lease))));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->node_id, lease.node_id);
    EXPECT_EQ(back->reason, lease.reason);
    EXPECT_EQ(back->price_per_second, lease.price_per_second);
    EXPECT_EQ(back->ended_at, lease.ended_at);
    EXPECT_EQ(back->paid_foundation, lease.paid_foundation);
    EXPECT_EQ(back->ports, lease.ports);
    EXPECT_EQ(back->detail, lease.detail);

    Order order{.id = gen.u64(),
                .user = gen.fixed<Address>(),
                .spec = gen.order_spec(),
                .state = OrderState::kOpen,
                .escrow = gen.u256(),
                .live_replicas = 3,
                .created_at = gen.u64(),
                .explanation = gen.text(200)};
    abi::Values list;
    list.push_back(to_value(order));
    list.push_back(to_value(order));
    const auto orders = decode::orders(result(Call::kOrders, one(abi::Value(list))));
    ASSERT_TRUE(orders) << orders.error().message;
    ASSERT_EQ(orders->size(), 2U);
    expect_equal((*orders)[1].spec, order.spec);
    EXPECT_EQ((*orders)[1].escrow, order.escrow);
    EXPECT_EQ((*orders)[1].explanation, order.explanation);

    Node node;
    node.node_key = gen.fixed<Ed25519PublicKey>();
    node.account = gen.fixed<Address>();
    node.endpoint = gen.text(128);
    node.bond = gen.u256();
    node.penalty_bps = 5000;
    node.active = true;
    const auto nodes = decode::nodes(result(Call::kList, one(abi::Value(one(to_value(node))))));
    ASSERT_TRUE(nodes);
    EXPECT_EQ(nodes->front().node_key, node.node_key);
    EXPECT_EQ(nodes->front().endpoint, node.endpoint);
    EXPECT_EQ(nodes->front().penalty_bps, 5000U);
    EXPECT_TRUE(nodes->front().active);
  }
}

TEST(MarketAbi, TruncatedOrForeignResultsAreRefused) {
  Gen gen(7);
  Order order;
  order.spec = gen.order_spec();
  order.explanation = "none";
  const Bytes good = result(Call::kGetOrder, one(to_value(order)));
  ASSERT_TRUE(decode::order(good));
  for (std::size_t length = 0; length < good.size(); length += 32) {
    EXPECT_FALSE(decode::order(BytesView(good).first(length))) << length;
  }
  EXPECT_FALSE(decode::lease(good));
  Bytes bad_state = good;
  bad_state[32 + 3 * 32 + 31] = 9;  // the head: offset, id, user, offset of spec, then the state
  EXPECT_FALSE(decode::order(bad_state));
}

TEST(MarketAbi, EventsAreRecognised) {
  Gen gen(11);
  const Address worker = gen.fixed<Address>();
  const Log matched = make_log(Event::kLeaseMatched, {uint256(5U), uint256(6U), worker, uint256(7U), uint256(8U)});
  EXPECT_EQ(matched.topics.size(), 4U);
  EXPECT_EQ(matched.data.size(), 64U);
  const auto parsed = event::lease_matched(matched);
  ASSERT_TRUE(parsed);
  EXPECT_EQ(parsed->lease_id, 5U);
  EXPECT_EQ(parsed->order_id, 6U);
  EXPECT_EQ(parsed->worker, worker);
  EXPECT_EQ(parsed->offer_id, 7U);
  EXPECT_EQ(parsed->price_per_second, uint256(8U));
  EXPECT_FALSE(event::lease_ended(matched));
  EXPECT_FALSE(event::order_created(matched));

  const Log ended = make_log(Event::kLeaseEnded, {uint256(5U), uint256(6U), uint256(5U), "no heartbeat"});
  ASSERT_TRUE(event::lease_ended(ended));
  EXPECT_EQ(event::lease_ended(ended)->reason, EndReason::kWorkerFailed);
  Log foreign = ended;
  foreign.address = kNodesAddress;
  EXPECT_FALSE(event::lease_ended(foreign));
  Log out_of_range = make_log(Event::kLeaseEnded, {uint256(5U), uint256(6U), uint256(10U), ""});
  EXPECT_FALSE(event::lease_ended(out_of_range));
}

TEST(MarketAbi, ArgumentsThatDoNotFitGiveNoCall) {
  OfferSpec spec;
  spec.prices.cpu = uint256(0, 1, 0, 0);  // 2^128
  EXPECT_TRUE(encode::create_offer(spec).empty());
  spec.prices.cpu = uint256(0, 0, UINT64_MAX, UINT64_MAX);
  EXPECT_FALSE(encode::create_offer(spec).empty());
}

TEST(MarketAbi, TablesAreConsistent) {
  std::set<std::pair<Address, std::array<std::uint8_t, 4>>> selectors;
  for (const FunctionInfo& info : functions()) {
    EXPECT_EQ(&function(info.call), &info);
    EXPECT_TRUE(selectors.emplace(info.contract, info.function.selector).second) << info.function.name;
    EXPECT_EQ(find_function(info.contract, info.function.selector), &info);
  }
  EXPECT_EQ(find_function(kMarketAddress, Bytes{1, 2, 3}), nullptr);
  std::set<Hash32> topics;
  for (const EventInfo& info : events()) {
    EXPECT_EQ(&event_info(info.event), &info);
    EXPECT_TRUE(topics.insert(info.topic).second) << info.signature;
    EXPECT_LE(info.indexed, 3U);
  }
  // keccak256("heartbeat()") as solc computes it; all others are compared by contracts/check_abi.mjs.
  EXPECT_EQ(to_hex(function(Call::kHeartbeat).function.selector), "3defb962");
}

TEST(MarketAbi, PortsMustBeAnArrayOfUint16) {
  const std::vector<std::uint16_t> ports{80, 8080, 65535};
  EXPECT_EQ(decode_ports(encode_ports(ports)), ports);
  EXPECT_EQ(decode_ports({}), std::vector<std::uint16_t>{});
  EXPECT_FALSE(decode_ports(Bytes{1, 2, 3}));
  EXPECT_FALSE(decode_ports(encode_ports(std::vector<std::uint16_t>(65, 1))));
}

}  // namespace
}  // namespace bonus::chain::market
