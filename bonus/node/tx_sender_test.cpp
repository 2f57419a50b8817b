// The node's own transactions: included, refused before they cost anything, repeated with a higher fee, overtaken.
#include "bonus/node/tx_sender.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "bonus/node/testing/test_chain.hpp"

namespace bonus::node {
namespace {

using testing::bnc;
using ::testing::HasSubstr;
using testing::TestChain;
using testing::wallet;

class TxSenderTest : public ::testing::Test {
 protected:
  void send(Bytes data, const Address& to = wallet(50).address, const uint256& value = uint256(5)) {
    TxRequest request;
    request.label = "test";
    request.to = to;
    request.data = std::move(data);
    request.value = value;
    sender_.send(std::move(request), [this](TxOutcome outcome) { outcomes_.push_back(std::move(outcome)); });
  }
  void mine(bool empty = false) {
    chain_.mine(empty);
    sender_.on_head();
  }
  uint256 balance(const Address& of) { return chain_.ledger().account(of, chain_.ledger().head().number)->balance; }

  TestChain chain_;
  TxSender sender_{chain_.ledger(), chain_.mempool(), wallet(1).key, wallet(1).address};
  std::vector<TxOutcome> outcomes_;
};

TEST_F(TxSenderTest, SeveralAreIncludedInOrder) {
  send({});
  send({});
  EXPECT_EQ(sender_.pending(), 2u);
  mine();
  ASSERT_EQ(outcomes_.size(), 2u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kIncluded);
  EXPECT_EQ(outcomes_[0].block, 1u);
  EXPECT_EQ(balance(wallet(50).address), uint256(10));
  EXPECT_EQ(sender_.pending(), 0u);
}

TEST_F(TxSenderTest, WhatWouldFailIsRefusedWithItsReasonAndCostsNothing) {
  const uint256 before = balance(wallet(1).address);
  send(chain::market::encode::heartbeat(), chain::kNodesAddress, uint256(0));  // not registered
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kRefused);
  EXPECT_FALSE(outcomes_[0].detail.empty());
  mine();
  EXPECT_EQ(balance(wallet(1).address), before);
}

TEST_F(TxSenderTest, WithoutFundsItIsRefused) {
  TxSender poor(chain_.ledger(), chain_.mempool(), wallet(77).key, wallet(77).address);
  TxRequest request;
  request.to = wallet(50).address;
  poor.send(std::move(request), [this](TxOutcome outcome) { outcomes_.push_back(std::move(outcome)); });
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kRefused);
  EXPECT_THAT(outcomes_[0].detail, HasSubstr("insufficient funds"));
}

TEST_F(TxSenderTest, WhatIsNotIncludedIsSentAgainWithAHigherFee) {
  send({});
  const auto first = chain_.mempool().best(uint256(0), 30'000'000).at(0);
  for (int i = 0; i < 3; ++i) mine(true);
  const auto second = chain_.mempool().best(uint256(0), 30'000'000).at(0);
  EXPECT_EQ(second->tx.nonce, first->tx.nonce);
  EXPECT_NE(second->hash, first->hash);
  EXPECT_GT(second->tx.max_priority_fee, first->tx.max_priority_fee);
  EXPECT_TRUE(outcomes_.empty());
  mine();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kIncluded);
  EXPECT_EQ(balance(wallet(50).address), uint256(5));
}

TEST_F(TxSenderTest, FeesStopAtTheCap) {
  TxSenderOptions options;
  options.max_fee_cap = uint256(3'000'000'000ULL);
  TxSender capped(chain_.ledger(), chain_.mempool(), wallet(2).key, wallet(2).address, options);
  TxRequest request;
  request.to = wallet(50).address;
  capped.send(std::move(request), [this](TxOutcome outcome) { outcomes_.push_back(std::move(outcome)); });
  for (int i = 0; i < 40; ++i) {
    chain_.mine(true);
    capped.on_head();
  }
  EXPECT_LE(chain_.mempool().best(uint256(0), 30'000'000).at(0)->tx.max_fee, options.max_fee_cap);
  chain_.mine();
  capped.on_head();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kIncluded);
}

TEST_F(TxSenderTest, AnotherProgramTookTheNonce) {
  send({});
  chain::Transaction other;
  other.chain_id = chain_.genesis().chain_id;
  other.gas_limit = 21'000;
  other.max_fee = other.max_priority_fee = uint256(50'000'000'000ULL);
  other.to = wallet(8).address;
  ASSERT_TRUE(chain::sign_transaction(other, wallet(1).key));
  ASSERT_TRUE(chain_.mempool().add(chain::recover(other).value()));
  mine();
  ASSERT_EQ(outcomes_.size(), 1u);
  EXPECT_EQ(outcomes_[0].kind, TxOutcome::Kind::kRefused);
  EXPECT_THAT(outcomes_[0].detail, HasSubstr("nonce"));
  send({});
  mine();
  EXPECT_EQ(outcomes_.at(1).kind, TxOutcome::Kind::kIncluded);
}

TEST_F(TxSenderTest, TheNumberUnderWayIsBounded) {
  for (int i = 0; i < 70; ++i) send({});
  EXPECT_EQ(sender_.pending(), 64u);
  EXPECT_EQ(outcomes_.size(), 6u);
  mine();
  EXPECT_EQ(outcomes_.size(), 70u);
}

}  // namespace
}  // namespace bonus::node
