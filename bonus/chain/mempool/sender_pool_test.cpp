// Recovery on several threads gives what recovery on one gives.
#include "bonus/chain/mempool/sender_pool.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "bonus/crypto/hash.hpp"

namespace bonus::chain::mempool {
namespace {

crypto::SecretKey256 key(std::size_t n) {
  crypto::SecretKey256 out;
  out.bytes.fill(1);
  out.bytes[0] = static_cast<std::uint8_t>(n);
  return out;
}

std::vector<Bytes> encoded(std::size_t count) {
  std::vector<Bytes> out;
  for (std::size_t i = 0; i < count; ++i) {
    Transaction tx;
    tx.chain_id = 7667;
    tx.nonce = i;
    tx.gas_limit = 21'000;
    tx.to = Address{};
    EXPECT_TRUE(sign_transaction(tx, key(i % 200)).has_value());
    out.push_back(tx.encode());
    if (i % 7 == 3) out.back()[out.back().size() / 2] ^= 0x40;  // another sender, or none
    if (i % 11 == 5) out.back().pop_back();
  }
  return out;
}

TEST(SenderPool, TheSameAsInTurn) {
  const auto raw = encoded(120);
  const std::vector<BytesView> views(raw.begin(), raw.end());
  const auto want = decode_all(views);
  for (const std::size_t workers : {0u, 1u, 3u}) {
    SenderPool pool(workers);
    for (const std::size_t count : {std::size_t{0}, std::size_t{1}, std::size_t{2}, views.size()}) {
      const auto got = pool.decode_all({views.begin(), views.begin() + static_cast<std::ptrdiff_t>(count)});
      ASSERT_EQ(got.size(), count);
      for (std::size_t i = 0; i < count; ++i) {
        ASSERT_EQ(got[i].has_value(), want[i].has_value()) << i;
        if (!got[i]) {
          EXPECT_EQ(got[i].error().message, want[i].error().message);
          continue;
        }
        EXPECT_EQ((*got[i])->sender, (*want[i])->sender);
        EXPECT_EQ((*got[i])->hash, crypto::keccak256(raw[i]));
      }
    }
  }
}

TEST(SenderPool, EveryJobRunsOnceWithManyCallers) {
  SenderPool pool(3);
  std::vector<std::thread> callers;
  std::atomic<std::size_t> total{0};
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (std::size_t round = 0; round < 50; ++round) {
        std::vector<std::atomic<int>> runs(round);
        pool.for_each(round, [&](std::size_t i) { ++runs[i]; });
        for (const auto& count : runs) {
          EXPECT_EQ(count, 1);
          total += 1;
        }
      }
    });
  }
  for (auto& caller : callers) caller.join();
  EXPECT_EQ(total, 4u * 49 * 50 / 2);
}

}  // namespace
}  // namespace bonus::chain::mempool
