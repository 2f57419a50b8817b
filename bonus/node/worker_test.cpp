// The worker's shell against a real market and echoing containers: it registers, offers, starts, reports, ends, adopts.
#include "bonus/node/worker.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/crypto/hash.hpp"
#include "bonus/node/lease_host.hpp"
#include "bonus/node/market_views.hpp"
#include "bonus/node/testing/fake_containers.hpp"
#include "bonus/node/testing/loop_fixture.hpp"
#include "bonus/node/testing/test_chain.hpp"

namespace bonus::node {
namespace {

namespace api = chain::market;
using ::testing::HasSubstr;
using testing::node_key;
using testing::TestChain;
using testing::wallet;

/// Workload documents by their digests.
class FakeImages final : public compute::ImageSource {
 public:
  Hash32 put(const std::string& document) {
    const Hash32 digest = crypto::sha256(as_bytes(document));
    const std::scoped_lock lock(mutex_);
    documents_[digest] = document;
    return digest;
  }
  runtime::Task<Result<compute::Image>> pull(Hash32, std::function<void(compute::PullProgress)>) override {
    co_return fail(ErrorCode::kNotFound, "no images here");
  }
  runtime::Task<Result<Bytes>> fetch_small(Hash32 sha256, std::size_t) override {
    const std::scoped_lock lock(mutex_);
    const auto found = documents_.find(sha256);
    if (found == documents_.end()) co_return fail(ErrorCode::kInvalid, "no holder has it");
    co_return Bytes(found->second.begin(), found->second.end());
  }
  Result<std::size_t> read_layer(const Hash32&, std::uint64_t, std::span<std::uint8_t>) override {
    return fail(ErrorCode::kNotFound, "no layers here");
  }

 private:
  std::mutex mutex_;
  std::map<Hash32, std::string> documents_;  // guarded by mutex_
};

class WorkerTest : public testing::LoopFixture {
 protected:
  void TearDown() override {
    worker_.reset();
    finish();
  }
  void start_worker(Duration timeout = std::chrono::seconds(60)) {
    Config config;
    config.worker.region = "local";
    Identity identity{node_key(1), crypto::node_id(node_key(1).public_key()), wallet(1).key, wallet(1).address};
    const auto agent = agent_config(config, identity, chain_.genesis(), {4000, 4096, 10'000}, "memory:1");
    WorkerParts parts{executor(),
                      runtime::system_clock(),
                      runtime::system_disk(),
                      chain_.ledger(),
                      chain_.mempool(),
                      containers_,
                      images_,
                      metrics_};
    worker_ = std::make_unique<Worker>(parts, agent, wallet(1).key, chain_.folder().path(""), timeout);
    worker_->start();
  }
  /// Makes blocks, for the worker to act on, until it is so.
  bool mine_until(const std::function<bool()>& condition) {
    for (int i = 0; i < 400; ++i) {
      if (condition()) return true;
      chain_.mine();
      std::this_thread::sleep_for(std::chrono::milliseconds(25));
    }
    return false;
  }
  bool has_offer() {
    const auto offers = views_.offers_of(wallet(1).address, views_.head());
    return offers && !offers->empty() && offers->front().active;
  }
  std::uint64_t order(std::uint32_t cpu_of_workload = 100, std::vector<std::uint16_t> ports = {80}) {
    api::OrderSpec spec = TestChain::small_order();
    compute::Workload workload;
    workload.image = "hello:1";
    workload.manifest_digest = spec.image_digest;
    workload.cpu_millis = cpu_of_workload;
    workload.memory_mib = 64;
    workload.disk_mib = 128;
    workload.ports = std::move(ports);
    spec.workload = images_.put(workload.to_json());
    return chain_.order(wallet(2), spec);
  }
  api::Lease first_lease(std::uint64_t order_id) {
    const auto leases = views_.leases_of_order(order_id, views_.head());
    return leases && !leases->empty() ? leases->front() : api::Lease{};
  }
  bool reaches(std::uint64_t order_id, api::LeaseState state) {
    return mine_until([&] { return first_lease(order_id).state == state; });
  }

  TestChain chain_;
  MarketViews views_{chain_.ledger()};
  testing::FakeContainers containers_;
  FakeImages images_;
  Metrics metrics_;
  std::unique_ptr<Worker> worker_;
};

TEST_F(WorkerTest, RegistersOffersRunsAndEndsALease) {
  start_worker();
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  EXPECT_TRUE(worker_->status().registered);
  const auto id = order();
  ASSERT_TRUE(reaches(id, api::LeaseState::kRunning));
  const auto lease = first_lease(id);
  EXPECT_EQ(lease.ports, std::vector<std::uint16_t>{80});
  EXPECT_TRUE(containers_.status(container_name(lease.id)));
  EXPECT_TRUE(chain_.call(wallet(2), chain::kMarketAddress, api::encode::stop(id)).receipt.success);
  EXPECT_TRUE(mine_until([&] { return !containers_.status(container_name(lease.id)); }));
  EXPECT_EQ(first_lease(id).reason, api::EndReason::kUser);
}

TEST_F(WorkerTest, AWorkloadThatAsksForMoreThanItsOrderIsRefused) {
  start_worker();
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  const auto id = order(500);
  ASSERT_TRUE(reaches(id, api::LeaseState::kEnded));
  EXPECT_EQ(first_lease(id).reason, api::EndReason::kImageFailed);
  EXPECT_THAT(first_lease(id).detail, HasSubstr("wants cpu 500m, its order pays for 100m"));
  EXPECT_EQ(containers_.starts(), 0u);
}

TEST_F(WorkerTest, AnImageThatCannotBeHadEndsTheLease) {
  start_worker();
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  containers_.fail_next_start({ErrorCode::kNotFound, "no holder has the image"});
  const auto id = order();
  ASSERT_TRUE(reaches(id, api::LeaseState::kEnded));
  EXPECT_EQ(first_lease(id).reason, api::EndReason::kImageFailed);
  EXPECT_THAT(first_lease(id).detail, HasSubstr("no holder has the image"));
}

TEST_F(WorkerTest, APortThatNeverAnswersEndsTheLeaseAsUnhealthy) {
  start_worker(std::chrono::seconds(1));
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  containers_.close_port(80);
  const auto id = order();
  ASSERT_TRUE(reaches(id, api::LeaseState::kEnded));
  EXPECT_EQ(first_lease(id).reason, api::EndReason::kHealthFailed);
  EXPECT_THAT(first_lease(id).detail, HasSubstr("port 80 did not answer within 1 s"));
  EXPECT_FALSE(containers_.status(container_name(first_lease(id).id)));
}

TEST_F(WorkerTest, AProgramThatEndsIsReported) {
  start_worker();
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  const auto id = order(100, {});
  ASSERT_TRUE(reaches(id, api::LeaseState::kRunning));
  containers_.end(container_name(first_lease(id).id), 3);
  ASSERT_TRUE(reaches(id, api::LeaseState::kEnded));
  EXPECT_EQ(first_lease(id).reason, api::EndReason::kWorkloadExited);
  EXPECT_THAT(first_lease(id).detail, HasSubstr("exit code 3"));
}

TEST_F(WorkerTest, ARestartAdoptsWhatRuns) {
  start_worker();
  ASSERT_TRUE(mine_until([&] { return has_offer(); }));
  const auto id = order();
  ASSERT_TRUE(reaches(id, api::LeaseState::kRunning));
  worker_.reset();
  EXPECT_TRUE(containers_.status(container_name(first_lease(id).id)));
  start_worker();
  const auto head = views_.head();
  EXPECT_TRUE(
      mine_until([&] { return views_.node_of(wallet(1).address, views_.head())->last_heartbeat_block > head; }));
  EXPECT_EQ(first_lease(id).state, api::LeaseState::kRunning);
  EXPECT_EQ(containers_.starts(), 1u);
}

TEST_F(WorkerTest, WhatIsLeftOfAnUnknownLeaseIsRemoved) {
  containers_.leave("lease-77");
  start_worker();
  EXPECT_TRUE(mine_until([&] { return !containers_.status("lease-77"); }));
}

TEST(CheckWorkload, NamesWhatIsTooMuch) {
  api::OrderSpec order = TestChain::small_order();
  compute::Workload workload;
  workload.manifest_digest = order.image_digest;
  workload.cpu_millis = 100;
  workload.memory_mib = 64;
  workload.disk_mib = 128;
  EXPECT_TRUE(check_workload(workload, order));
  workload.memory_mib = 65;
  EXPECT_THAT(check_workload(workload, order).error().message, HasSubstr("memory 65 MiB"));
  workload.memory_mib = 64;
  workload.disk_mib = 129;
  EXPECT_THAT(check_workload(workload, order).error().message, HasSubstr("disk 129 MiB"));
  workload.disk_mib = 128;
  workload.manifest_digest = {};
  EXPECT_THAT(check_workload(workload, order).error().message, HasSubstr("another image"));
}

TEST(Prices, AreRoundedUpToWeiPerUnitAndSecond) {
  Config config;
  config.worker.cpu_price = uint256(3'600'001);  // wei per core and hour: 1.0000003 per milli-core and second
  config.worker.memory_price = uint256(1024 * 3600);
  Identity identity{node_key(1), {}, wallet(1).key, wallet(1).address};
  const auto agent = agent_config(config, identity, chain::Genesis{}, {}, "a:1");
  EXPECT_EQ(agent.offer->prices.cpu, uint256(2));
  EXPECT_EQ(agent.offer->prices.memory, uint256(1));
  EXPECT_EQ(agent.offer->prices.disk, uint256(0));
}

}  // namespace
}  // namespace bonus::node
