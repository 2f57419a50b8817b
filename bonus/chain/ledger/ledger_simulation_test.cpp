// What readers may do beside blocks: begin anew before a transaction, read without a lock, ask for the root of changes.
#include <gtest/gtest.h>

#include "bonus/chain/evm/program.hpp"
#include "bonus/chain/ledger/executor.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/chain/ledger/test_support.hpp"

namespace bonus::chain::ledger {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary

class LedgerSimulationTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = open_ledger(folder_.path(), test_genesis(), registry_, test_options());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
    for (std::uint64_t nonce : {0u, 2u}) {
      const auto first = make_tx(wallet(0), wallet(50).address, {.nonce = nonce, .value = bnc(3)});
      const auto second = make_tx(wallet(0), wallet(51).address, {.nonce = nonce + 1, .value = bnc(4)});
      const auto block = ledger_->build(next_input(*ledger_, {first, second})).value();
      ASSERT_EQ(block.transactions.size(), 2u);
      ASSERT_TRUE(ledger_->validate(block));
      ASSERT_TRUE(ledger_->commit(block, Bytes{9, 9}));
    }
  }

  TempFolder folder_;
  TestRegistry registry_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerSimulationTest, StatesBetweenTransactions) {
  const auto check = [&](std::uint64_t number, std::size_t index, const uint256& first, const uint256& second) {
    bool ran = false;
    const auto done =
        ledger_->before_transaction(number, index, [&](const StateView& state, const BlockContext& block) -> Result<> {
          ran = true;
          EXPECT_EQ(block.number, number);
          EXPECT_EQ(state.account(wallet(50).address).balance, first);
          EXPECT_EQ(state.account(wallet(51).address).balance, second);
          EXPECT_EQ(state.account(wallet(0).address).nonce, 2 * (number - 1) + index);
          return {};
        });
    EXPECT_TRUE(done.has_value());
    EXPECT_TRUE(ran);
  };
  check(1, 0, {}, {});
  check(1, 1, bnc(3), {});
  check(1, 2, bnc(3), bnc(4));
  check(2, 1, bnc(6), bnc(4));
  const auto nothing = [](const StateView&, const BlockContext&) -> Result<> { return {}; };
  EXPECT_FALSE(ledger_->before_transaction(1, 3, nothing));
  EXPECT_FALSE(ledger_->before_transaction(0, 0, nothing));
  EXPECT_FALSE(ledger_->before_transaction(3, 0, nothing));
}

TEST_F(LedgerSimulationTest, SnapshotsReadAsStates) {
  for (std::uint64_t number = 0; number <= 2; ++number) {
    const auto done = ledger_->with_snapshot(number, [&](const StateView& state) -> Result<> {
      for (const unsigned who : {0u, 1u, 50u, 51u}) {
        const Address address = wallet(who).address;
        EXPECT_TRUE(same(state.account(address), ledger_->account(address, number).value())) << number << " " << who;
      }
      EXPECT_EQ(state.storage({CounterContract().address(), 1}),
                ledger_->storage(CounterContract().address(), 1, number).value());
      return {};
    });
    EXPECT_TRUE(done.has_value());
  }
  EXPECT_FALSE(ledger_->with_snapshot(3, [](const StateView&) -> Result<> { return {}; }));
}

TEST_F(LedgerSimulationTest, RootsOfChanges) {
  // Block 2 executed anew over the state of block 1 gives the root that block 2 has.
  const auto block = ledger_->block(2).value();
  const BlockContext context = ledger_->context(2).value();
  evm::ProgramCache programs;
  const auto done = ledger_->with_snapshot(1, [&](const StateView& state) -> Result<> {
    BlockExecutor executor(state, registry_, context, programs);
    EXPECT_EQ(ledger_->root_with(1, executor.journal()).value(), ledger_->block(1).value()->block.header.state_root);
    for (const auto& item : block->block.transactions) EXPECT_TRUE(executor.apply(*item));
    executor.finish();
    EXPECT_EQ(ledger_->root_with(1, executor.journal()).value(), block->block.header.state_root);
    return {};
  });
  EXPECT_TRUE(done.has_value());
}

TEST_F(LedgerSimulationTest, ContextsOfBlocksThatAreNot) {
  const Header head = ledger_->head();
  Header child;
  child.number = 77;
  child.timestamp = head.timestamp + 5;
  child.gas_limit = 123'456;
  const auto context = ledger_->simulated_context(head, child).value();
  EXPECT_EQ(context.number, 77u);
  EXPECT_EQ(context.gas_limit, 123'456u);
  EXPECT_EQ(child.base_fee, ledger_->context(3).value().base_fee);
  EXPECT_EQ(context.base_fee, child.base_fee);
}

}  // namespace
}  // namespace bonus::chain::ledger
