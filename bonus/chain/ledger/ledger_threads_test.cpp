// Readers beside the writer: what a reader sees of a height is always that height, whole.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "bonus/chain/ledger/test_support.hpp"

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
// The packaged RocksDB is not instrumented: its lock-free memtable looks like a race. Ours are still found.
extern "C" const char* __tsan_default_suppressions() { return "called_from_lib:librocksdb.so\nrace:rocksdb::\n"; }
#endif
#endif

namespace bonus::chain::ledger {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary

TEST(LedgerThreads, ReadersSeeWholeBlocks) {
  const TempFolder folder;
  const Genesis genesis = test_genesis(2);
  const TestRegistry registry;
  LedgerOptions options = test_options();
  options.recent_states = 4;
  options.recent_blocks = 8;
  options.slot_cache_entries = 16;
  auto ledger = open_ledger(folder.path(), genesis, registry, options).value();
  const Address counter = CounterContract().address();
  constexpr std::uint64_t kBlocks = 60;
  std::atomic<bool> done = false;
  std::atomic<std::size_t> wrong = 0;
  std::atomic<std::size_t> reads = 0;
  const auto expect = [&](bool ok) {
    if (!ok) ++wrong;
  };
  const auto read_at = [&](std::uint64_t n) {
    // Slot 0 counts calls, slot 1 counts blocks, the sender's nonce counts transactions: one of each for every block.
    const auto reply = ledger->call({.from = wallet(1).address, .to = counter}, n);
    expect(reply && uint256::from_be(reply->output) == uint256(n));
    const auto slot = ledger->storage(counter, 1, n);
    expect(slot && *slot == uint256(n));
    // A snapshot stays what it was while blocks come in.
    const auto pinned = ledger->with_snapshot(n, [&](const StateView& state) -> Result<> {
      for (int i = 0; i < 20; ++i) {
        expect(state.storage({counter, 0}) == uint256(n) && state.storage({counter, 1}) == uint256(n));
        expect(state.account(wallet(0).address).nonce == n);
        std::this_thread::yield();
      }
      return {};
    });
    expect(pinned.has_value());
    const auto account = ledger->account(wallet(0).address, n);
    expect(account && account->nonce == n);
    const auto block = ledger->block(n);
    expect(block && (*block)->block.header.number == n);
    const auto logs = ledger->logs({.from_block = 0, .to_block = n, .addresses = {counter}});
    expect(logs && logs->size() == n + n / 3);
    ++reads;
  };
  std::vector<std::thread> readers;
  for (unsigned t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      for (std::uint64_t i = t; !done; ++i) {
        const std::uint64_t head = ledger->head().number;
        read_at(head);
        read_at(head - std::min<std::uint64_t>(head, i % 12));
      }
    });
  }
  for (std::uint64_t n = 0; n < kBlocks; ++n) {
    const auto tx = make_tx(wallet(0), counter, {.nonce = n, .data = {0}, .gas_limit = 90'000});
    const Block block = ledger->build(next_input(*ledger, {tx})).value();
    ASSERT_TRUE(ledger->commit(block, Bytes{1}).has_value());
  }
  while (reads < 20) std::this_thread::yield();
  done = true;
  for (auto& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0u);
  EXPECT_EQ(rebuilt_state_root(*ledger).value(), ledger->head().state_root);
}

}  // namespace
}  // namespace bonus::chain::ledger
