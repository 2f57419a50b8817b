// Tests of the simulated world: repeatability, order of events, network faults, disk crashes.
#include <gtest/gtest.h>

#include "bonus/runtime/sim/disk.hpp"
#include "bonus/runtime/sim/network.hpp"

namespace bonus::runtime::sim {
namespace {

using namespace std::chrono_literals;

TEST(SeededRandom, SameSeedSameNumbers) {
  SeededRandom a(7), b(7), c(8);
  bool differs = false;
  for (int i = 0; i < 100; ++i) {
    const auto x = a.next_u64();
    EXPECT_EQ(x, b.next_u64());
    differs |= x != c.next_u64();
  }
  EXPECT_TRUE(differs);
  int hits = 0;
  for (int i = 0; i < 10000; ++i) hits += a.chance(0.25) ? 1 : 0;
  EXPECT_NEAR(hits, 2500, 250);
  EXPECT_FALSE(a.chance(0));
  EXPECT_TRUE(a.chance(1));
}

TEST(Events, RunInOrderAndCancel) {
  Events events;
  std::string log;
  events.after(2ms, [&] { log += 'b'; });
  events.after(1ms, [&] {
    log += 'a';
    events.schedule(Instant{}, [&] { log += '!'; });  // the past: at once, but not before what is due now
  });
  const auto id = events.after(3ms, [&] { log += 'x'; });
  events.after(2ms, [&] { log += 'c'; });
  events.cancel(id);
  const auto start = events.unix_ms();
  events.run_until(events.now() + 10ms);
  EXPECT_EQ(log, "a!bc");
  EXPECT_EQ(events.unix_ms() - start, 10);
  EXPECT_FALSE(events.step());
}

struct World {
  Events events;
  Network network{events, SeededRandom(1), 3};
  std::vector<int> got = std::vector<int>(3);
  World() {
    for (std::size_t i = 0; i < 3; ++i) network.attach(i, [this, i](std::size_t, BytesView) { ++got[i]; });
  }
  void burst(int count) {
    for (int i = 0; i < count; ++i) network.send(0, 1, Bytes{1});
    events.run_until(events.now() + 1s);
  }
};

TEST(Network, LossDuplicationPartition) {
  World world;
  world.burst(100);
  EXPECT_EQ(world.got[1], 100);
  world.network.set_quality({1ms, 5ms, 0.5, 0});
  world.burst(1000);
  EXPECT_NEAR(world.got[1], 600, 80);
  world.got[1] = 0;
  world.network.set_quality({1ms, 5ms, 0, 0.5});
  world.burst(1000);
  EXPECT_NEAR(world.got[1], 1500, 80);
  world.got[1] = 0;
  world.network.partition({0, 1, 0});
  world.burst(10);
  EXPECT_EQ(world.got[1], 0);
  world.network.partition({});
  world.network.set_quality({});
  world.network.set_shaper([](std::size_t, std::size_t, BytesView) { return std::optional<Duration>(5s); });
  world.burst(1);
  EXPECT_EQ(world.got[1], 0);
  world.events.run_until(world.events.now() + 5s);
  EXPECT_EQ(world.got[1], 1);
}

TEST(SimDisk, CrashKeepsWhatWasSyncedAndAPrefixOfTheRest) {
  bool lost = false, kept = false;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SimDisk disk{SeededRandom(seed)};
    auto log = disk.open_log("wal");
    ASSERT_TRUE(log);
    ASSERT_TRUE((*log)->append(Bytes{0}));
    ASSERT_TRUE((*log)->sync());
    for (std::uint8_t i = 1; i < 5; ++i) ASSERT_TRUE((*log)->append(Bytes{i}));
    disk.crash();
    const auto records = (*disk.open_log("wal"))->recovered();
    ASSERT_GE(records.size(), 1U);
    for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i], Bytes{static_cast<std::uint8_t>(i)});
    lost |= records.size() < 5;
    kept |= records.size() > 1;
  }
  EXPECT_TRUE(lost);
  EXPECT_TRUE(kept);
  SimDisk disk{SeededRandom(1)};
  ASSERT_TRUE(disk.write_file("f", Bytes{1, 2}, 0600));
  EXPECT_EQ(disk.read_file("f", 1).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(disk.read_file("g", 1).error().code, ErrorCode::kNotFound);
  disk.set_failing(true);
  EXPECT_EQ(disk.write_file("f", Bytes{}, 0600).error().code, ErrorCode::kIo);
  EXPECT_EQ((*disk.open_log("wal"))->append(Bytes{}).error().code, ErrorCode::kIo);
}

}  // namespace
}  // namespace bonus::runtime::sim
