// The journal's journal against a copied model; the slot cache.
#include "bonus/chain/state/journal.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/state/slot_cache.hpp"
#include "bonus/chain/state/views.hpp"

namespace bonus::chain::state {
namespace {

TEST(Journal, RevertRestoresEverything) {
  std::mt19937_64 random(3);
  const EmptyView base;
  Journal journal(base);
  struct Model {
    std::map<unsigned, uint256> balances;
    std::map<unsigned, uint256> slots;
    std::size_t logs = 0;
  };
  Model model;
  std::vector<std::pair<Journal::Snapshot, Model>> marks;
  const auto key = [](unsigned i) { return SlotKey{system_address(static_cast<std::uint16_t>(i % 3)), uint256(i)}; };
  for (int step = 0; step < 5'000; ++step) {
    const auto i = static_cast<unsigned>(random() % 20);
    switch (random() % 6) {
      case 0:
        model.balances[i] = uint256(random() % 100);
        journal.set_balance(system_address(static_cast<std::uint16_t>(100 + i % 4)),
                            journal.account(system_address(static_cast<std::uint16_t>(100 + i % 4))).balance);
        journal.set_balance(system_address(static_cast<std::uint16_t>(i)), model.balances[i]);
        break;
      case 1:
      case 2:
        model.slots[i] = uint256(random() % 3);
        journal.set_storage(key(i), model.slots[i]);
        break;
      case 3:
        journal.emit({});
        ++model.logs;
        break;
      case 4:
        if (marks.size() < 20) marks.emplace_back(journal.snapshot(), model);
        break;
      default:
        if (!marks.empty()) {
          journal.revert(marks.back().first);
          model = marks.back().second;
          marks.pop_back();
        }
    }
    if (step % 50 == 0) {
      for (unsigned k = 0; k < 20; ++k) {
        ASSERT_EQ(journal.storage(key(k)), model.slots[k]);
        ASSERT_EQ(journal.account(system_address(static_cast<std::uint16_t>(k))).balance, model.balances[k]);
      }
    }
  }
  EXPECT_EQ(journal.take_logs().size(), model.logs);
}

TEST(Journal, TransferNeverMakesOrLosesWei) {
  const EmptyView base;
  Journal journal(base);
  const Address a = system_address(1);
  const Address b = system_address(2);
  journal.set_balance(a, uint256(10));
  EXPECT_EQ(journal.transfer(a, b, uint256(11)).error().code, ErrorCode::kExhausted);
  ASSERT_TRUE(journal.transfer(a, b, uint256(4)).has_value());
  ASSERT_TRUE(journal.transfer(a, a, uint256(6)).has_value());
  EXPECT_EQ(journal.transfer(a, a, uint256(7)).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(journal.account(a).balance, uint256(6));
  EXPECT_EQ(journal.account(b).balance, uint256(4));
  journal.set_balance(b, ~uint256());
  EXPECT_FALSE(journal.transfer(a, b, uint256(1)).has_value());
  EXPECT_EQ(journal.account(a).balance, uint256(6));
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

}  // namespace
}  // namespace bonus::chain::state
