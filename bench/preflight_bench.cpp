// One preflight over N offers from N/16 workers, on the contract's storage in memory. Reports mean, median and p99 over
// the iterations.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "bonus/chain/contracts/market_world_testing.hpp"
#include "bonus/runtime/clock.hpp"

namespace {

using namespace bonus;
using chain::contracts::World;

void preflight(benchmark::State& state) {
  const auto offers = static_cast<std::uint64_t>(state.range(0));
  World world;
  constexpr std::uint64_t kPerWorker = 16;
  std::uint64_t made = 0;
  for (std::uint16_t worker = 0; made < offers; ++worker) {
    world.host().gas_left = UINT64_MAX;
    auto spec = World::offer_spec(1000 + worker * 10u, 2048, 1 + worker % 7);
    if (world.add_worker(worker, spec) == 0) {
      state.SkipWithError("a worker could not be set up");
      return;
    }
    for (++made; made < offers && made % kPerWorker != 0; ++made) {
      world.host().gas_left = UINT64_MAX;
      if (!world.market(World::worker(worker), chain::market::encode::create_offer(spec)).empty()) {
        state.SkipWithError("an offer was refused");
        return;
      }
    }
  }
  const auto order = World::order_spec();
  const uint256 deposit(1'000'000'000ULL);
  std::vector<double> times;
  std::uint32_t matching = 0;
  for (auto _ : state) {
    const Instant start = runtime::system_clock().now();
    matching = world.preflight(order, deposit).matching;
    times.push_back(std::chrono::duration<double>(runtime::system_clock().now() - start).count());
    state.SetIterationTime(times.back());
  }
  std::ranges::sort(times);
  state.counters["matching"] = matching;
  state.counters["median_ms"] = 1e3 * times[times.size() / 2];
  state.counters["p99_ms"] = 1e3 * times[times.size() * 99 / 100];
}
BENCHMARK(preflight)->Arg(1000)->Arg(10000)->UseManualTime()->Unit(benchmark::kMillisecond)->MinTime(2);

}  // namespace

BENCHMARK_MAIN();
