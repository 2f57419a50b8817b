// The overlay's journal against a copied model, the slot cache, and system-wide rules of the executor.
#include "bonus/chain/state/overlay.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "bonus/chain/state/executor.hpp"
#include "bonus/chain/state/slot_cache.hpp"
#include "bonus/chain/state/test_support.hpp"
#include "bonus/chain/state/views.hpp"

namespace bonus::chain::state {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary

TEST(Overlay, RevertRestoresEverything) {
  std::mt19937_64 random(3);
  const EmptyView base;
  Overlay overlay(base);
  struct Model {
    std::map<unsigned, uint256> balances;
    std::map<unsigned, uint256> slots;
    std::size_t logs = 0;
  };
  Model model;
  std::vector<std::pair<Overlay::Snapshot, Model>> marks;
  const auto key = [](unsigned i) { return SlotKey{system_address(static_cast<std::uint16_t>(i % 3)), uint256(i)}; };
  for (int step = 0; step < 5'000; ++step) {
    const auto i = static_cast<unsigned>(random() % 20);
    switch (random() % 6) {
      case 0:
        model.balances[i] = uint256(random() % 100);
        overlay.set_balance(wallet(i % 4).address, overlay.account(wallet(i % 4).address).balance);
        overlay.set_balance(system_address(static_cast<std::uint16_t>(i)), model.balances[i]);
        break;
      case 1:
      case 2:
        model.slots[i] = uint256(random() % 3);
        overlay.set_storage(key(i), model.slots[i]);
        break;
      case 3:
        overlay.emit({});
        ++model.logs;
        break;
      case 4:
        if (marks.size() < 20) marks.emplace_back(overlay.snapshot(), model);
        break;
      default:
        if (!marks.empty()) {
          overlay.revert(marks.back().first);
          model = marks.back().second;
          marks.pop_back();
        }
    }
    if (step % 50 == 0) {
      for (unsigned k = 0; k < 20; ++k) {
        ASSERT_EQ(overlay.storage(key(k)), model.slots[k]);
        ASSERT_EQ(overlay.account(system_address(static_cast<std::uint16_t>(k))).balance, model.balances[k]);
      }
    }
  }
  EXPECT_EQ(overlay.take_logs().size(), model.logs);
}

TEST(Overlay, TransferNeverMakesOrLosesWei) {
  const EmptyView base;
  Overlay overlay(base);
  const Address a = wallet(1).address;
  const Address b = wallet(2).address;
  overlay.set_balance(a, uint256(10));
  EXPECT_EQ(overlay.transfer(a, b, uint256(11)).error().code, ErrorCode::kExhausted);
  ASSERT_TRUE(overlay.transfer(a, b, uint256(4)).has_value());
  ASSERT_TRUE(overlay.transfer(a, a, uint256(6)).has_value());
  EXPECT_EQ(overlay.transfer(a, a, uint256(7)).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(overlay.account(a).balance, uint256(6));
  EXPECT_EQ(overlay.account(b).balance, uint256(4));
  overlay.set_balance(b, ~uint256());
  EXPECT_FALSE(overlay.transfer(a, b, uint256(1)).has_value());
  EXPECT_EQ(overlay.account(a).balance, uint256(6));
}

TEST(SlotCache, NeverGivesAWrongValue) {
  std::mt19937_64 random(9);
  SlotCache cache(256);  // far smaller than the keys: eviction all the time
  std::map<std::pair<unsigned, std::uint64_t>, uint256> truth;
  PageMemo memo;
  std::size_t hits = 0;
  for (int i = 0; i < 50'000; ++i) {
    const auto contract = static_cast<unsigned>(random() % 2);
    const std::uint64_t number = random() % 8 == 0 ? random() % 4096 : random() % 64;
    const SlotKey key{system_address(static_cast<std::uint16_t>(contract)), uint256(number)};
    if (random() % 4 == 0) {
      const uint256 value(random());
      truth[{contract, number}] = value;
      cache.insert(key, value);
      memo = PageMemo();  // as after a new head
    } else {
      uint256 out;
      if (memo.find(cache, key, out)) {
        ++hits;
        ASSERT_EQ(out, (truth[{contract, number}]));
      }
    }
  }
  EXPECT_GT(hits, 1'000u);
}

TEST(Executor, HooksAreFreeAndTransactionsAreNot) {
  const EmptyView base;
  Overlay overlay(base);
  const BlockContext context;
  OverlayHost free(overlay, context, std::nullopt);
  EXPECT_TRUE(free.charge(UINT64_MAX).has_value());
  OverlayHost metered(overlay, context, 10);
  EXPECT_TRUE(metered.charge(10).has_value());
  EXPECT_EQ(metered.left(), 0u);
  EXPECT_FALSE(metered.out_of_gas());
  EXPECT_EQ(metered.charge(1).error().code, ErrorCode::kExhausted);
  EXPECT_TRUE(metered.out_of_gas());
}

}  // namespace
}  // namespace bonus::chain::state
