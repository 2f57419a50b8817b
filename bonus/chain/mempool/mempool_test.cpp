// Admission, replacement, bounds, order and the life of transactions in the pool.
#include "bonus/chain/mempool/mempool.hpp"

#include <gtest/gtest.h>

#include <random>
#include <thread>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/ledger/test_support.hpp"

namespace bonus::chain::mempool {
namespace {

using namespace ledger::testing;  // NOLINT(google-build-using-namespace): test vocabulary

class MempoolTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto opened = ledger::open_ledger(folder_.path(), genesis_, registry_, test_options());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
    pool_ = make_mempool(*ledger_);
  }
  std::string refusal(const TransactionPtr& tx) {
    auto added = pool_->add(tx);
    EXPECT_FALSE(added.has_value());
    return added ? std::string() : added.error().message;
  }
  void mine(std::vector<TransactionPtr> txs) {
    const Block block = ledger_->build(next_input(*ledger_, std::move(txs))).value();
    ASSERT_TRUE(ledger_->commit(block, {}).has_value());
    pool_->on_block(*ledger_->block(block.header.number).value());
  }
  TransactionPtr tx(unsigned from, std::uint64_t nonce, std::uint64_t tip_gwei = 1) {
    return make_tx(wallet(from), wallet(60).address,
                   {.nonce = nonce, .value = 1, .tip = uint256(tip_gwei) * uint256(1'000'000'000)});
  }

  TempFolder folder_;
  Genesis genesis_ = test_genesis(40);
  TestRegistry registry_;
  std::unique_ptr<Ledger> ledger_;
  std::unique_ptr<Mempool> pool_;
};

#define EXPECT_TEXT(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST_F(MempoolTest, RefusesWithTheTextsToolsKnow) {
  const Address to = wallet(60).address;
  ASSERT_TRUE(pool_->add(tx(0, 0)).has_value());
  EXPECT_EQ(refusal(tx(0, 0)), "already known");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.chain_id = 1})), "invalid chain id for signer");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.chain_id = 0, .type = 0})), "replay-protected");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.gas_limit = 20'000})), "intrinsic gas too low");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.gas_limit = 16'777'217})), "transaction gas limit too high");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.value = bnc(1000)})), "insufficient funds for gas * price + value");
  EXPECT_TEXT(refusal(make_tx(wallet(99), to, {})), "insufficient funds for gas * price + value");
  EXPECT_TEXT(refusal(make_tx(wallet(1), to, {.max_fee = uint256(6), .tip = 1})),
              "max fee per gas less than block base fee");
  EXPECT_TEXT(refusal(make_tx(wallet(1), std::nullopt, {.gas_limit = 52'999})), "intrinsic gas too low");
  EXPECT_TEXT(refusal(make_tx(wallet(1), std::nullopt, {.data = Bytes(49'153), .gas_limit = 2'000'000})),
              "max initcode size exceeded");
  mine({tx(2, 0)});
  EXPECT_TEXT(refusal(tx(2, 0)), "nonce too low");
}

TEST_F(MempoolTest, TakesCallsCreationsAndOlderTypes) {
  const auto counter = CounterContract().address();
  EXPECT_TRUE(pool_->add(make_tx(wallet(1), counter, {.data = {0}, .gas_limit = 100'000})).has_value());
  EXPECT_TRUE(pool_->add(make_tx(wallet(2), kFoundationAddress, {.gas_limit = 100'000})).has_value());
  EXPECT_TRUE(pool_->add(make_tx(wallet(3), std::nullopt, {.data = {0}, .gas_limit = 100'000})).has_value());
  EXPECT_TRUE(pool_->add(make_tx(wallet(4), counter, {.gas_limit = 100'000, .type = 0})).has_value());
  EXPECT_TRUE(
      pool_->add(make_tx(wallet(5), counter, {.gas_limit = 100'000, .tip = 20'000'000'000ULL, .type = 1})).has_value());
  EXPECT_TEXT(refusal(make_tx(wallet(6), counter, {.gas_limit = 100'000, .type = 3})), "no blob carriers");
  EXPECT_TEXT(refusal(make_tx(wallet(6), counter, {.gas_limit = 100'000, .type = 4})),
              "at least one authorization tuple");
}

TEST_F(MempoolTest, FundsCountForAllThatWaits) {
  const Address to = wallet(60).address;
  ASSERT_TRUE(pool_->add(make_tx(wallet(0), to, {.nonce = 0, .value = bnc(600)})).has_value());
  EXPECT_TEXT(refusal(make_tx(wallet(0), to, {.nonce = 1, .value = bnc(600)})), "insufficient funds");
  EXPECT_TRUE(pool_->add(make_tx(wallet(0), to, {.nonce = 1, .value = bnc(300)})).has_value());
  // A replacement frees what it replaces.
  EXPECT_TRUE(
      pool_
          ->add(make_tx(
              wallet(0), to,
              {.nonce = 0, .value = bnc(650), .max_fee = uint256(22'000'000'000ULL), .tip = uint256(1'100'000'000)}))
          .has_value());
}

TEST_F(MempoolTest, ReplacementNeedsTenPercentOnBothFees) {
  const auto with = [&](std::uint64_t fee, std::uint64_t tip) {
    return make_tx(wallet(0), wallet(60).address, {.value = 1, .max_fee = uint256(fee), .tip = uint256(tip)});
  };
  const auto first = with(20'000'000'000, 1'000'000'005);
  ASSERT_TRUE(pool_->add(first).has_value());
  EXPECT_TEXT(refusal(with(30'000'000'000, 1'100'000'005)), "replacement transaction underpriced");
  EXPECT_TEXT(refusal(with(21'999'999'999, 2'000'000'000)), "replacement transaction underpriced");
  const auto second = with(22'000'000'000, 1'100'000'006);
  const auto free = make_tx(wallet(1), wallet(60).address, {.tip = uint256(0)});
  ASSERT_TRUE(pool_->add(free).has_value());
  EXPECT_TEXT(refusal(make_tx(wallet(1), wallet(60).address, {.max_fee = 40'000'000'000ULL, .tip = uint256(0)})),
              "replacement transaction underpriced");
  EXPECT_TRUE(pool_->add(second).has_value());
  EXPECT_EQ(pool_->find(first->hash), nullptr);
  EXPECT_EQ(pool_->find(second->hash), second);
  EXPECT_EQ(pool_->stats().pending, 2u);
}

TEST_F(MempoolTest, NonceGapsWaitAndClose) {
  ASSERT_TRUE(pool_->add(tx(0, 2)).has_value());
  EXPECT_EQ(pool_->stats().queued, 1u);
  EXPECT_FALSE(pool_->has_work());
  EXPECT_EQ(pool_->next_nonce(wallet(0).address), 0u);
  EXPECT_TRUE(pool_->best(uint256(1), 60'000'000).empty());
  ASSERT_TRUE(pool_->add(tx(0, 0)).has_value());
  EXPECT_EQ(pool_->next_nonce(wallet(0).address), 1u);
  ASSERT_TRUE(pool_->add(tx(0, 1)).has_value());
  EXPECT_EQ(pool_->next_nonce(wallet(0).address), 3u);
  EXPECT_EQ(pool_->stats().pending, 3u);
  EXPECT_TRUE(pool_->has_work());
}

TEST_F(MempoolTest, BestIsByTipWithNonceOrderAndGasBound) {
  for (const auto& t : {tx(0, 0, 1), tx(0, 1, 9), tx(1, 0, 5), tx(2, 0, 3)}) ASSERT_TRUE(pool_->add(t).has_value());
  const auto best = pool_->best(uint256(1'000'000'000), 60'000'000);
  ASSERT_EQ(best.size(), 4u);
  EXPECT_EQ(best[0]->sender, wallet(1).address);
  EXPECT_EQ(best[1]->sender, wallet(2).address);
  EXPECT_EQ(best[2]->tx.nonce, 0u);
  EXPECT_EQ(best[3]->tx.nonce, 1u);
  EXPECT_EQ(pool_->best(uint256(1'000'000'000), 42'000).size(), 2u);
  EXPECT_TRUE(pool_->best(uint256(21'000'000'000ULL), 60'000'000).empty());
}

TEST_F(MempoolTest, ContentIsBySenderInNonceOrder) {
  for (const auto& t : {tx(0, 1), tx(0, 0), tx(0, 4), tx(1, 7)}) ASSERT_TRUE(pool_->add(t).has_value());
  const auto first = pool_->content_of(wallet(0).address);
  ASSERT_EQ(first.pending.size(), 2u);
  ASSERT_EQ(first.queued.size(), 1u);
  EXPECT_EQ(first.pending[0]->tx.nonce, 0u);
  EXPECT_EQ(first.pending[1]->tx.nonce, 1u);
  EXPECT_EQ(first.queued[0]->tx.nonce, 4u);
  EXPECT_TRUE(pool_->content_of(wallet(2).address).pending.empty());
  const auto all = pool_->content(100);
  ASSERT_EQ(all.size(), 2u);
  EXPECT_LT(all[0].sender, all[1].sender);
  for (std::size_t limit = 0; limit <= 4; ++limit) {
    std::size_t count = 0;
    for (const auto& account : pool_->content(limit)) count += account.pending.size() + account.queued.size();
    EXPECT_EQ(count, limit);
  }
}

TEST_F(MempoolTest, BoundsPerSender) {
  for (std::uint64_t n = 0; n < 64; ++n) ASSERT_TRUE(pool_->add(tx(0, n)).has_value());
  EXPECT_TEXT(refusal(tx(0, 64)), "account limit exceeded");
  for (std::uint64_t n = 100; n < 164; ++n) ASSERT_TRUE(pool_->add(tx(0, n)).has_value());
  EXPECT_TEXT(refusal(tx(0, 164)), "account limit exceeded");
  EXPECT_EQ(pool_->stats().pending, 64u);
  EXPECT_EQ(pool_->stats().queued, 64u);
}

TEST_F(MempoolTest, AFullPoolDropsTheCheapest) {
  MempoolLimits limits;
  limits.transactions = 4;
  pool_ = make_mempool(*ledger_, limits);
  ASSERT_TRUE(pool_->add(tx(0, 0, 2)).has_value());
  ASSERT_TRUE(pool_->add(tx(0, 1, 2)).has_value());
  ASSERT_TRUE(pool_->add(tx(1, 0, 3)).has_value());
  ASSERT_TRUE(pool_->add(tx(2, 0, 4)).has_value());
  EXPECT_TEXT(refusal(tx(3, 0, 2)), "txpool is full");
  ASSERT_TRUE(pool_->add(tx(3, 0, 3)).has_value());
  EXPECT_EQ(pool_->next_nonce(wallet(0).address), 1u);
  EXPECT_EQ(pool_->stats().pending, 4u);
  limits = {};
  limits.bytes = 300;
  pool_ = make_mempool(*ledger_, limits);
  ASSERT_TRUE(pool_->add(tx(0, 0, 2)).has_value());
  ASSERT_TRUE(pool_->add(tx(1, 0, 2)).has_value());
  EXPECT_TEXT(refusal(tx(2, 0, 2)), "txpool is full");
  EXPECT_LE(pool_->stats().bytes, 300u);
}

TEST_F(MempoolTest, BlocksRemoveWhatIsMinedAndWhatCannotRunAnyMore) {
  std::vector<TransactionPtr> added;
  pool_->on_added([&](TransactionPtr t) { added.push_back(std::move(t)); });
  ASSERT_TRUE(pool_->add(tx(0, 0)).has_value());
  ASSERT_TRUE(pool_->add(tx(0, 1)).has_value());
  ASSERT_FALSE(pool_->add(tx(0, 1)).has_value());
  EXPECT_EQ(added.size(), 2u);
  const auto rich = make_tx(wallet(1), wallet(60).address, {.nonce = 1, .value = bnc(900)});
  ASSERT_TRUE(pool_->add(rich).has_value());
  // Mined elsewhere: nonce 0 of wallet 1 spends most of its balance.
  mine({tx(0, 0), make_tx(wallet(1), wallet(60).address, {.value = bnc(500)})});
  EXPECT_EQ(pool_->find(tx(0, 0)->hash), nullptr);
  EXPECT_NE(pool_->find(tx(0, 1)->hash), nullptr);
  EXPECT_EQ(pool_->find(rich->hash), nullptr);
  mine(pool_->best(next_base_fee(ledger_->head(), genesis_), 60'000'000));
  EXPECT_EQ(pool_->stats().pending, 0u);
  EXPECT_EQ(pool_->stats().bytes, 0u);
  EXPECT_FALSE(pool_->has_work());
  EXPECT_EQ(pool_->next_nonce(wallet(0).address), 2u);
}

TEST_F(MempoolTest, QueuedTransactionsExpireByBlockTime) {
  MempoolLimits limits;
  limits.queued_lifetime_s = 30;
  pool_ = make_mempool(*ledger_, limits);
  ASSERT_TRUE(pool_->add(tx(0, 5)).has_value());
  ASSERT_TRUE(pool_->add(tx(1, 0)).has_value());
  for (int i = 0; i < 64; ++i) mine({});
  EXPECT_EQ(pool_->stats().queued, 0u);
  EXPECT_EQ(pool_->stats().pending, 1u);
}

TEST_F(MempoolTest, RandomUseKeepsTheBooks) {
  MempoolLimits limits;
  limits.transactions = 60;
  limits.executable_per_sender = 6;
  limits.queued_per_sender = 4;
  pool_ = make_mempool(*ledger_, limits);
  std::mt19937_64 random(5);
  for (int round = 0; round < 12; ++round) {
    for (int i = 0; i < 60; ++i) {
      const unsigned who = static_cast<unsigned>(random() % 12);
      const std::uint64_t nonce = pool_->next_nonce(wallet(who).address) + random() % 4 - (random() % 8 == 0 ? 1 : 0);
      (void)pool_->add(tx(who, nonce, 1 + random() % 9));
      const MempoolStats stats = pool_->stats();
      ASSERT_LE(stats.pending + stats.queued, limits.transactions);
    }
    const auto best = pool_->best(next_base_fee(ledger_->head(), genesis_), 600'000);
    const std::size_t before = ledger_->head().number;
    mine(best);
    // Everything that the pool calls executable does execute.
    ASSERT_EQ(ledger_->block(before + 1).value()->block.transactions.size(), best.size());
  }
}

TEST_F(MempoolTest, ManyThreads) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::uint64_t n = 0; n < 20; ++n) {
        (void)pool_->add(tx(t, n));
        (void)pool_->best(uint256(1), 1'000'000);
        (void)pool_->stats();
      }
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(pool_->stats().pending, 80u);
}

}  // namespace
}  // namespace bonus::chain::mempool
