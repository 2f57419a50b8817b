// The lease agent against a small model of chain, containers and a bad shell: lost and refused transactions, restarts
// of the daemon, late events, failing and exiting containers. Never two containers of a lease; in the end one runs iff
// its lease is live.
#include "bonus/market/lease_agent.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <random>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/market_abi.hpp"

namespace bonus::market {
namespace {

namespace cm = chain::market;
using cm::EndReason;
using cm::LeaseState;
using std::chrono::milliseconds;
using std::chrono::seconds;

AgentConfig config() {
  AgentConfig out;
  out.account.bytes[19] = 1;
  out.tier = 1;
  out.region = "cn";
  out.endpoint = "127.0.0.1:1";
  out.bond = uint256(100U);
  out.offer.emplace();
  out.offer->capacity = {4000, 4096, 1000};
  return out;
}

/// What the contracts do with the worker's transactions, reduced to what the agent can see.
struct FakeChain {
  std::uint64_t block = 1;
  cm::Node node;
  std::map<std::uint64_t, cm::Offer> offers;
  std::map<std::uint64_t, cm::Lease> leases;
  std::uint64_t next_offer = 1, next_lease = 1;
  Instant last_heartbeat{};
  std::map<EndReason, int> endings;
  int registrations = 0;

  /// Empty, or why it reverts.
  std::string apply(const SendTransaction& tx, Instant now) {
    const cm::FunctionInfo* info = cm::find_function(tx.to, tx.data);
    if (info == nullptr) return "unknown function";
    const auto in = abi::decode(info->function.inputs, BytesView(tx.data).subspan(4));
    if (!in) return in.error().message;
    const bool registered = !node.account.is_zero();
    if (info->call != cm::Call::kRegister && !registered) return "not registered";
    switch (info->call) {
      case cm::Call::kRegister:
        if (registered) return "registered already";
        node.account = config().account;
        node.tier = 1;
        node.region = (*in)[3].text();
        node.endpoint = (*in)[4].text();
        node.active = true;
        last_heartbeat = now;
        ++registrations;
        return {};
      case cm::Call::kHeartbeat:
        node.active = true;
        last_heartbeat = now;
        return {};
      case cm::Call::kCreateOffer: {
        if (!node.active) return "suspended";
        cm::Offer offer;
        offer.id = next_offer++;
        offer.spec = cm::offer_spec_from((*in)[0]);
        offers[offer.id] = offer;
        return {};
      }
      case cm::Call::kUpdateOffer:
        if (!offers.contains((*in)[0].u64())) return "no such offer";
        offers[(*in)[0].u64()].spec = cm::offer_spec_from((*in)[1]);
        return {};
      case cm::Call::kCloseOffer:
        return offers.erase((*in)[0].u64()) == 1 ? "" : "no such offer";
      case cm::Call::kLeave:
        if (!offers.empty() || !leases.empty()) return "offers or leases";
        node = {};
        return {};
      case cm::Call::kLeaseStarted: {
        const auto found = leases.find((*in)[0].u64());
        if (found == leases.end()) return "ended";
        found->second.state = LeaseState::kRunning;
        found->second.ports = *cm::decode_ports((*in)[1].bytes());
        return {};
      }
      case cm::Call::kLeaseEnded:
        if (leases.erase((*in)[0].u64()) == 0) return "ended";
        ++endings[static_cast<EndReason>((*in)[1].u64())];
        return {};
      default:
        return "not a worker's function";
    }
  }
  void open_lease() {
    cm::Lease lease;
    lease.id = next_lease++;
    lease.order_id = lease.id;
    lease.state = LeaseState::kStarting;
    leases[lease.id] = lease;
  }
  ChainView view() const {
    ChainView out;
    out.block = block;
    out.node = node;
    for (const auto& [id, offer] : offers) out.offers.push_back(offer);
    for (const auto& [id, lease] : leases) {
      ChainView::Live live;
      live.lease = lease;
      live.order.id = lease.order_id;
      out.leases.push_back(live);
    }
    return out;
  }
};

/// Carries out the agent's actions, badly.
class BadShell {
 public:
  explicit BadShell(std::uint64_t seed) : rng_(seed) { restart(); }

  void run(int steps, bool calm) {
    calm_ = calm;
    for (int i = 0; i < steps && broken.empty(); ++i) step();
  }
  void give(const Event& event) {
    for (const Action& action : agent_->handle(event, now)) std::visit([this](const auto& a) { carry_out(a); }, action);
  }
  [[nodiscard]] std::string check_settled() const {
    for (const auto& [id, lease] : chain.leases) {
      const auto found = containers.find(id);
      if (found == containers.end() || found->second.state != Container::kRunning)
        return "lease " + std::to_string(id) + " has no container";
      if (lease.state != LeaseState::kRunning) return "lease " + std::to_string(id) + " was not reported as started";
      if (lease.ports != found->second.ports) return "lease " + std::to_string(id) + " has old ports";
    }
    for (const auto& [id, container] : containers) {
      if (!chain.leases.contains(id)) return "container " + std::to_string(id) + " runs without a lease";
    }
    return {};
  }

  FakeChain chain;
  Instant now{seconds(1000)};
  std::string broken;
  int starts = 0, restarts = 0;
  struct Container {
    enum State { kStarting, kRunning, kExited } state = kStarting;
    std::vector<std::uint16_t> ports;
  };
  std::map<std::uint64_t, Container> containers;
  bool left = false;
  [[nodiscard]] const LeaseAgent& agent() const { return *agent_; }
  bool users_come = true;

 private:
  std::uint64_t below(std::uint64_t n) { return rng_() % n; }
  bool bad(std::uint64_t one_in) { return !calm_ && below(one_in) == 0; }
  void later(Event event, std::uint64_t most_ms) {
    events_.emplace(now + milliseconds(below(calm_ ? 50 : most_ms) + 1), std::move(event));
  }

  void restart() {
    agent_ = std::make_unique<LeaseAgent>(config());
    events_.clear();  // in flight and lost
    Recovered recovered;
    for (auto entry = containers.begin(); entry != containers.end();) {
      if (entry->second.state == Container::kStarting) {
        entry = containers.erase(entry);  // a start that was under way dies with the daemon and is cleaned up
        continue;
      }
      recovered.containers.push_back({.lease_id = entry->first,
                                      .exited = entry->second.state == Container::kExited,
                                      .ports = entry->second.ports,
                                      .detail = "exit"});
      ++entry;
    }
    give(recovered);
  }

  void carry_out(const StartContainer& action) {
    const std::uint64_t id = action.lease.id;
    ++starts;
    if (!containers.emplace(id, Container{}).second) {
      broken = "second start of lease " + std::to_string(id);
      return;
    }
    if (bad(8)) {
      later(StartResult(id, false), 4000);
    } else {
      later(StartResult(id, true), 4000);
    }
  }
  void carry_out(const StopContainer& action) {
    if (bad(5)) return;  // the order is lost: the agent has to repeat it
    stopping_.emplace(now + milliseconds(below(3000)), action.lease_id);
  }
  void carry_out(const SendTransaction& action) {
    if (bad(6)) return;  // lost without a trace
    if (bad(8)) {
      later(
          TransactionDone{
              .key = action.key, .outcome = TransactionDone::Outcome::kRefused, .block = 0, .detail = "mempool full"},
          3000);
      return;
    }
    mempool_.push_back(action);
    if (bad(10)) mempool_.push_back(action);  // sent twice
  }
  void carry_out(const Left&) { left = true; }

  /// Internal: becomes ContainerStarted or ContainerFailed when it is due, if the container is still there.
  static Event StartResult(std::uint64_t id, bool good) {
    if (good) return ContainerStarted{.lease_id = id, .ports = {}};
    return ContainerFailed{.lease_id = id, .reason = EndReason::kImageFailed, .detail = "no image"};
  }

  void deliver(Event event) {
    if (auto* started = std::get_if<ContainerStarted>(&event)) {
      const auto found = containers.find(started->lease_id);
      if (found == containers.end() || found->second.state != Container::kStarting) return;
      found->second.state = Container::kRunning;
      found->second.ports = {static_cast<std::uint16_t>(1024 + below(60'000))};
      started->ports = found->second.ports;
    } else if (const auto* failed = std::get_if<ContainerFailed>(&event)) {
      const auto found = containers.find(failed->lease_id);
      if (found == containers.end() || found->second.state != Container::kStarting) return;
      containers.erase(found);
    }
    give(event);
  }

  void mine() {
    ++chain.block;
    std::vector<SendTransaction> keep;
    for (const SendTransaction& tx : std::exchange(mempool_, {})) {
      if (bad(4)) {
        keep.push_back(tx);  // not in this block
        continue;
      }
      const std::string why = chain.apply(tx, now);
      TransactionDone done{
          .key = tx.key, .outcome = TransactionDone::Outcome::kIncluded, .block = chain.block, .detail = why};
      if (!why.empty()) done.outcome = TransactionDone::Outcome::kReverted;
      if (!bad(10)) later(done, 5000);  // some answers never come
    }
    mempool_ = std::move(keep);
    // The chain's own doings.
    if (chain.node.active && !chain.leases.empty() && now - chain.last_heartbeat > seconds(90)) {
      chain.node.active = false;
      chain.endings[EndReason::kWorkerFailed] += static_cast<int>(chain.leases.size());
      chain.leases.clear();
    }
    if (users_come && chain.node.active && !chain.offers.empty() && chain.leases.size() < 6 && below(4) == 0)
      chain.open_lease();
    if (users_come && !chain.leases.empty() && below(12) == 0)
      chain.leases.erase(std::next(chain.leases.begin(), static_cast<std::ptrdiff_t>(below(chain.leases.size()))));
    if (!bad(5)) later(chain.view(), 4000);  // some views never come, others come late and out of order
  }

  void step() {
    now += milliseconds(200 + below(300));
    if (bad(150)) {
      ++restarts;
      restart();
    }
    if (now >= next_block_) {
      next_block_ = now + seconds(1);
      mine();
    }
    for (auto entry = stopping_.begin(); entry != stopping_.end() && entry->first <= now;) {
      containers.erase(entry->second);
      later(ContainerStopped{entry->second}, 2000);
      entry = stopping_.erase(entry);
    }
    for (auto& [id, container] : containers) {
      if (container.state != Container::kRunning || !bad(200)) continue;
      container.state = Container::kExited;
      later(ContainerExited{.lease_id = id, .detail = "exit code 1"}, 3000);
    }
    while (!events_.empty() && events_.begin()->first <= now) {
      Event event = events_.begin()->second;
      events_.erase(events_.begin());
      deliver(std::move(event));
    }
    if (agent_->next_wake() <= now) give(Tick{});
  }

  std::mt19937_64 rng_;
  bool calm_ = false;
  std::unique_ptr<LeaseAgent> agent_;
  std::multimap<Instant, Event> events_;
  std::multimap<Instant, std::uint64_t> stopping_;
  std::vector<SendTransaction> mempool_;
  Instant next_block_{};
};

TEST(LeaseAgent, NeverTwoStartsAndInTheEndAContainerRunsIffItsLeaseIsLive) {
  int starts = 0;
  int restarts = 0;
  std::map<EndReason, int> endings;
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    BadShell shell(seed);
    shell.run(1500, false);
    ASSERT_EQ(shell.broken, "");
    shell.users_come = false;
    shell.run(700, true);
    ASSERT_EQ(shell.broken, "");
    ASSERT_EQ(shell.check_settled(), "");
    ASSERT_EQ(shell.chain.offers.size(), 1U);
    ASSERT_LE(shell.agent().status().transactions_under_way, 4U);
    starts += shell.starts;
    restarts += shell.restarts;
    for (const auto& [reason, count] : shell.chain.endings) endings[reason] += count;
    // And it can leave.
    shell.give(Drain{});
    shell.run(700, true);
    ASSERT_TRUE(shell.left);
    ASSERT_TRUE(shell.containers.empty());
    ASSERT_TRUE(shell.chain.node.account.is_zero());
  }
  EXPECT_GT(starts, 500);
  EXPECT_GT(restarts, 100);
  EXPECT_GT(endings[EndReason::kImageFailed], 20);
  EXPECT_GT(endings[EndReason::kWorkloadExited], 20);
}

TransactionDone included(TransactionKey key, std::uint64_t block) {
  TransactionDone out;
  out.key = key;
  out.block = block;
  return out;
}

std::vector<SendTransaction> sent(const std::vector<Action>& actions) {
  std::vector<SendTransaction> out;
  for (const Action& action : actions) {
    if (const auto* tx = std::get_if<SendTransaction>(&action)) out.push_back(*tx);
  }
  return out;
}

TEST(LeaseAgent, RegistersThenOffersThenBeats) {
  LeaseAgent agent(config());
  FakeChain chain;
  Instant now{seconds(10)};
  EXPECT_TRUE(agent.handle(chain.view(), now).empty());  // nothing before it knows what survived
  auto actions = sent(agent.handle(Recovered{}, now));
  ASSERT_EQ(actions.size(), 1U);
  EXPECT_EQ(actions[0].key.kind, TransactionKind::kRegister);
  EXPECT_EQ(actions[0].value, uint256(100U));
  EXPECT_TRUE(sent(agent.handle(Tick{}, now)).empty());  // under way
  ASSERT_EQ(chain.apply(actions[0], now), "");
  ++chain.block;
  EXPECT_TRUE(sent(agent.handle(included(actions[0].key, chain.block), now)).empty());
  actions = sent(agent.handle(chain.view(), now));
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_EQ(actions[0].key.kind, TransactionKind::kHeartbeat);
  EXPECT_EQ(actions[1].key.kind, TransactionKind::kCreateOffer);
  for (const auto& tx : actions) {
    ASSERT_EQ(chain.apply(tx, now), "");
    (void)agent.handle(included(tx.key, chain.block + 1), now);
  }
  ++chain.block;
  EXPECT_TRUE(sent(agent.handle(chain.view(), now)).empty());
  EXPECT_LE(agent.next_wake(), now + seconds(30));
  EXPECT_TRUE(sent(agent.handle(Tick{}, now + seconds(29))).empty());
  EXPECT_EQ(sent(agent.handle(Tick{}, now + seconds(30))).size(), 1U);  // idle heartbeat
}

TEST(LeaseAgent, BeatsFasterWithLeasesAndRetriesARefusedBeatSoon) {
  LeaseAgent agent(config());
  FakeChain chain;
  Instant now{seconds(10)};
  SendTransaction registration;
  registration.to = chain::kNodesAddress;
  registration.data = cm::encode::register_node({}, {}, 1, "cn", "127.0.0.1:1");
  ASSERT_EQ(chain.apply(registration, now), "");
  chain.offers[1].id = 1;
  chain.offers[1].spec = *config().offer;
  chain.offers[1].spec.tier = 1;
  chain.offers[1].spec.region = "cn";
  chain.open_lease();
  (void)agent.handle(Recovered{}, now);
  auto actions = agent.handle(chain.view(), now);
  ASSERT_EQ(actions.size(), 2U);
  EXPECT_TRUE(std::holds_alternative<StartContainer>(actions[0]));
  const TransactionKey beat{TransactionKind::kHeartbeat, 0};
  (void)agent.handle(included(beat, 2), now);
  EXPECT_EQ(sent(agent.handle(Tick{}, now + seconds(2))).size(), 1U);
  now += seconds(2);
  (void)agent.handle(TransactionDone{.key = beat, .outcome = TransactionDone::Outcome::kRefused, .detail = "no peers"},
                     now);
  EXPECT_EQ(agent.status().last_problem, "heartbeat: no peers");
  EXPECT_TRUE(sent(agent.handle(Tick{}, now + milliseconds(900))).empty());
  EXPECT_EQ(sent(agent.handle(Tick{}, now + milliseconds(1000))).size(), 1U);
}

TEST(LeaseAgent, AdoptsWhatRanWhileTheDaemonWasDown) {
  LeaseAgent agent(config());
  FakeChain chain;
  chain.node.account = config().account;
  chain.node.active = true;
  chain.open_lease();
  chain.open_lease();
  chain.open_lease();
  for (auto& [id, lease] : chain.leases) {
    lease.state = LeaseState::kRunning;
    lease.ports = {80};
  }
  Recovered recovered;
  recovered.containers.push_back({.lease_id = 1, .exited = false, .ports = {80}, .detail = {}});
  recovered.containers.push_back({.lease_id = 2, .exited = true, .ports = {80}, .detail = "exit code 2"});
  recovered.containers.push_back({.lease_id = 9, .exited = false, .ports = {80}, .detail = {}});
  (void)agent.handle(recovered, Instant{});
  const auto actions = agent.handle(chain.view(), Instant{});
  std::vector<std::uint64_t> started;
  std::vector<std::uint64_t> stopped;
  std::vector<TransactionKey> keys;
  for (const Action& action : actions) {
    if (const auto* start = std::get_if<StartContainer>(&action)) started.push_back(start->lease.id);
    if (const auto* stop = std::get_if<StopContainer>(&action)) stopped.push_back(stop->lease_id);
    if (const auto* tx = std::get_if<SendTransaction>(&action)) keys.push_back(tx->key);
  }
  EXPECT_EQ(started, std::vector<std::uint64_t>{3});
  EXPECT_EQ(stopped, std::vector<std::uint64_t>{9});
  EXPECT_TRUE(std::ranges::find(keys, TransactionKey{TransactionKind::kLeaseEnded, 2}) != keys.end());
}

}  // namespace
}  // namespace bonus::market
