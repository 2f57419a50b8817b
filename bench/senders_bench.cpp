// Reading a block's transactions: decoding, hashing and recovery of 1,000 senders, by number of threads (real time).
#include <benchmark/benchmark.h>

#include <vector>

#include "bonus/chain/mempool/sender_pool.hpp"

namespace {

using namespace bonus;

std::vector<Bytes> transfers(std::size_t count) {
  crypto::SecretKey256 key;
  key.bytes.fill(1);
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < count; ++i) {
    chain::Transaction tx;
    tx.chain_id = 7667;
    tx.nonce = i;
    tx.gas_limit = 21'000;
    tx.to = Address{};
    key.bytes[0] = static_cast<std::uint8_t>(i);
    if (!chain::sign_transaction(tx, key)) std::abort();
    out.push_back(tx.encode());
  }
  return out;
}

/// Argument: threads, the caller's included.
void recover_senders(benchmark::State& state) {
  constexpr std::size_t kCount = 1'000;
  static const auto raw = transfers(kCount);
  const std::vector<BytesView> views(raw.begin(), raw.end());
  chain::mempool::SenderPool pool(static_cast<std::size_t>(state.range(0)) - 1);
  for (auto _ : state) {
    const auto recovered = pool.decode_all(views);
    for (const auto& item : recovered)
      if (!item) return state.SkipWithError("a signature was not recovered");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kCount));
}
BENCHMARK(recover_senders)
    ->Arg(1)
    ->Arg(2)
    ->Arg(4)
    ->UseRealTime()
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace

BENCHMARK_MAIN();
