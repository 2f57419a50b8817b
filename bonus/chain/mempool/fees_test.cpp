// The pool as the base fee rises and falls, and as accounts get delegations (EIP-7702): over a ledger whose blocks and
// accounts the test writes by hand.
#include <gtest/gtest.h>

#include <random>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/chain/rpc/testing/fake_ledger.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::mempool {
namespace {

constexpr std::uint64_t kGwei = 1'000'000'000;

crypto::SecretKey256 key(std::uint8_t n) {
  crypto::SecretKey256 out;
  out.bytes.fill(n + 1);
  return out;
}
Address address(std::uint8_t n) { return crypto::address_of(key(n)).value(); }

Genesis genesis() {
  Genesis out;
  out.chain_id = 7667;
  out.base_fee = uint256(10 * kGwei);
  out.min_base_fee = uint256(kGwei);
  for (std::uint8_t i = 0; i < 40; ++i) out.balances[address(i)] = uint256(1'000'000'000'000'000'000ULL);
  return out;
}

class FeesTest : public ::testing::Test {
 protected:
  Transaction shape(std::uint64_t nonce, std::uint64_t fee_gwei, std::uint64_t tip_gwei) {
    Transaction tx;
    tx.chain_id = 7667;
    tx.nonce = nonce;
    tx.max_fee = uint256(fee_gwei * kGwei);
    tx.max_priority_fee = uint256(tip_gwei * kGwei);
    tx.gas_limit = 21'000;
    tx.to = address(50);
    return tx;
  }
  TransactionPtr signed_by(std::uint8_t who, Transaction tx) {
    EXPECT_TRUE(sign_transaction(tx, key(who)).has_value());
    return recover(std::move(tx)).value();
  }
  TransactionPtr tx(std::uint8_t who, std::uint64_t nonce, std::uint64_t fee_gwei = 20, std::uint64_t tip_gwei = 1) {
    return signed_by(who, shape(nonce, fee_gwei, tip_gwei));
  }
  TransactionPtr delegating(std::uint8_t who, std::uint64_t nonce, std::vector<std::uint8_t> authorities) {
    Transaction tx = shape(nonce, 20, 1);
    tx.type = 4;
    tx.gas_limit = 200'000;
    for (const std::uint8_t authority : authorities) {
      Authorization item;
      item.address = address(51);
      const auto signature = crypto::secp256k1_sign(key(authority), item.signing_hash()).value();
      item.r = uint256::from_be(signature.r);
      item.s = uint256::from_be(signature.s);
      item.y_parity = signature.recovery;
      tx.authorizations.push_back(item);
    }
    return signed_by(who, std::move(tx));
  }
  /// A block after which the base fee is the next one of `base_fee` at half of the gas limit: the same.
  void block(std::uint64_t base_fee_gwei, std::vector<TransactionPtr> txs = {}) {
    std::vector<Receipt> receipts(txs.size());
    for (const auto& t : txs) ledger_.account_ref(t->sender).nonce = t->tx.nonce + 1;
    // The fake adds up the gas of receipts; the target leaves the base fee as it is.
    if (receipts.empty()) {
      txs.push_back(tx(39, 1'000));
      receipts.resize(1);
    }
    receipts[0].gas_used = genesis().gas_limit / 2;
    ledger_.add_block(txs, receipts, uint256(base_fee_gwei * kGwei));
    pool_->on_block(*ledger_.block(ledger_.head().number).value());
  }
  bool add(const TransactionPtr& t) { return pool_->add(t).has_value(); }
  std::string refusal(const TransactionPtr& t) {
    const auto added = pool_->add(t);
    return added ? "accepted" : added.error().message;
  }
  void delegate(std::uint8_t who) { ledger_.account_ref(address(who)).code_hash = crypto::keccak256(Bytes{0xef, 1}); }

  testing::FakeLedger ledger_{genesis()};
  std::unique_ptr<Mempool> pool_ = make_mempool(ledger_);
};

TEST_F(FeesTest, ACapBelowTheBaseFeeWaitsUntilItFalls) {
  EXPECT_FALSE(add(signed_by(0, [&] {
    Transaction low = shape(0, 1, 0);
    low.max_fee = uint256(kGwei - 1);
    return low;
  }())));
  ASSERT_TRUE(add(tx(0, 0, 9)));
  ASSERT_TRUE(add(tx(0, 1, 20)));
  EXPECT_EQ(pool_->stats().pending, 2u);
  EXPECT_FALSE(pool_->has_work());
  EXPECT_TRUE(pool_->best(uint256(10 * kGwei), 60'000'000).empty());
  block(9);
  EXPECT_TRUE(pool_->has_work());
  EXPECT_EQ(pool_->best(uint256(9 * kGwei), 60'000'000).size(), 2u);
  block(15);
  EXPECT_FALSE(pool_->has_work());
  EXPECT_EQ(pool_->stats().pending, 2u);
  // A replacement that can pay makes both ready.
  ASSERT_TRUE(add(tx(0, 0, 16, 2)));
  EXPECT_TRUE(pool_->has_work());
  EXPECT_EQ(pool_->best(uint256(15 * kGwei), 60'000'000).size(), 2u);
}

TEST_F(FeesTest, BestOrdersByWhatIsLeftAboveTheBaseFee) {
  ASSERT_TRUE(add(tx(0, 0, 100, 2)));
  ASSERT_TRUE(add(tx(1, 0, 20, 9)));
  const auto first_at = [&](std::uint64_t base) {
    return pool_->best(uint256(base * kGwei), 60'000'000).at(0)->sender;
  };
  EXPECT_EQ(first_at(10), address(1));  // 9 against 2
  EXPECT_EQ(first_at(19), address(0));  // 1 against 2
}

TEST_F(FeesTest, AFullPoolDropsByThePresentBaseFee) {
  MempoolLimits limits;
  limits.transactions = 2;
  pool_ = make_mempool(ledger_, limits);
  ASSERT_TRUE(add(tx(0, 0, 20, 9)));
  ASSERT_TRUE(add(tx(1, 0, 100, 2)));
  block(19);  // effective: 1 and 2
  EXPECT_NE(refusal(tx(2, 0, 100, 1)).find("txpool is full"), std::string::npos);
  ASSERT_TRUE(add(tx(2, 0, 100, 3)));
  EXPECT_EQ(pool_->find(tx(0, 0, 20, 9)->hash), nullptr);
  EXPECT_NE(pool_->find(tx(1, 0, 100, 2)->hash), nullptr);
  block(100);  // what cannot pay goes before what can, whatever its tip
  ASSERT_TRUE(add(tx(3, 0, 101, 1)));
  EXPECT_NE(refusal(tx(4, 0, 99, 99)).find("txpool is full"), std::string::npos);
}

/// The order of best() against the obvious way to compute it.
TEST_F(FeesTest, BestIsTheGreedyChoice) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 5; ++round) {
    pool_ = make_mempool(ledger_);
    std::map<Address, std::vector<TransactionPtr>> waiting;
    std::map<Hash32, std::size_t> arrival;
    for (std::uint8_t who = 0; who < 12; ++who) {
      for (std::uint64_t nonce = 0; nonce < random() % 6; ++nonce) {
        const auto t = tx(who, nonce, 5 + random() % 20, 1 + random() % 5);
        ASSERT_TRUE(add(t));
        arrival[t->hash] = arrival.size();
        waiting[t->sender].push_back(t);
      }
    }
    const uint256 base(12 * kGwei);
    std::vector<Hash32> want;
    std::uint64_t gas = 21'000 * 15;
    while (gas >= 21'000) {
      const TransactionPtr* chosen = nullptr;
      for (const auto& [who, list] : waiting) {
        if (list.empty() || list.front()->tx.max_fee < base) continue;
        const auto tip = [&](const TransactionPtr& t) { return t->tx.effective_gas_price(base); };
        if (chosen == nullptr || tip(list.front()) > tip(*chosen) ||
            (tip(list.front()) == tip(*chosen) && arrival[list.front()->hash] < arrival[(*chosen)->hash]))
          chosen = &list.front();
      }
      if (chosen == nullptr) break;
      want.push_back((*chosen)->hash);
      gas -= 21'000;
      auto& list = waiting[(*chosen)->sender];
      list.erase(list.begin());
    }
    std::vector<Hash32> got;
    for (const auto& t : pool_->best(base, 21'000 * 15)) got.push_back(t->hash);
    EXPECT_EQ(got, want);
  }
}

TEST_F(FeesTest, LargeGasLimitsDoNotKeepOthersOut) {
  for (std::uint8_t who = 0; who < 8; ++who) {
    Transaction greedy = shape(0, 20, 9);
    greedy.gas_limit = kMaxTransactionGas;
    ASSERT_TRUE(add(signed_by(who, greedy)));
  }
  ASSERT_TRUE(add(tx(10, 0)));
  EXPECT_EQ(pool_->best(uint256(10 * kGwei), 60'000'000).size(), 9u);
  EXPECT_EQ(pool_->best(uint256(10 * kGwei), 16'000'000).size(), 1u);
}

TEST_F(FeesTest, ADelegatedAccountHasOneInFlight) {
  delegate(0);
  EXPECT_EQ(refusal(tx(0, 1)), "gapped-nonce tx from delegated accounts");
  ASSERT_TRUE(add(tx(0, 0)));
  EXPECT_EQ(refusal(tx(0, 1)), "in-flight transaction limit reached for delegated accounts");
  EXPECT_EQ(refusal(tx(0, 2)), "in-flight transaction limit reached for delegated accounts");
  EXPECT_TRUE(add(tx(0, 0, 30, 2)));  // replacement
  block(10, {tx(0, 0, 30, 2)});
  EXPECT_TRUE(add(tx(0, 1)));
}

TEST_F(FeesTest, APendingDelegationLimitsItsAuthority) {
  ASSERT_TRUE(add(delegating(1, 0, {0, 0, 2})));
  ASSERT_TRUE(add(tx(0, 0)));
  EXPECT_EQ(refusal(tx(0, 1)), "in-flight transaction limit reached for delegated accounts");
  EXPECT_EQ(refusal(tx(2, 1)), "gapped-nonce tx from delegated accounts");
  EXPECT_TRUE(add(tx(1, 1)));  // the sponsor is free
  // The other way round: two wait, so no delegation.
  ASSERT_TRUE(add(tx(3, 0)));
  EXPECT_TRUE(add(delegating(4, 0, {3})));
  ASSERT_TRUE(add(tx(5, 0)));
  ASSERT_TRUE(add(tx(5, 1)));
  EXPECT_NE(refusal(delegating(4, 1, {5})).find("authority already reserved"), std::string::npos);
  // Mined: the limit is gone where no code came of it.
  block(10, {delegating(1, 0, {0, 0, 2})});
  EXPECT_TRUE(add(tx(0, 1)));
  EXPECT_TRUE(add(tx(2, 1)));
}

TEST_F(FeesTest, MoneyThatOthersTookIsSeen) {
  delegate(0);
  ASSERT_TRUE(add(tx(0, 0)));
  ASSERT_TRUE(add(tx(3, 0)));
  ledger_.account_ref(address(0)).balance = uint256(1);
  block(10);
  EXPECT_EQ(pool_->find(tx(0, 0)->hash), nullptr);
  EXPECT_EQ(pool_->stats().pending, 1u);
  // A mined authorization raises its signer's nonce.
  ledger_.account_ref(address(3)).nonce = 1;
  block(10, {delegating(1, 0, {3})});
  EXPECT_EQ(pool_->find(tx(3, 0)->hash), nullptr);
  EXPECT_EQ(pool_->stats().pending, 0u);
  EXPECT_EQ(pool_->stats().bytes, 0u);
}

/// What is behind the bound of executables runs once there is room.
TEST_F(FeesTest, AClosedGapKeepsWhatIsBehindTheBound) {
  MempoolLimits limits;
  limits.executable_per_sender = 3;
  pool_ = make_mempool(ledger_, limits);
  for (const std::uint64_t nonce : {1u, 2u, 3u, 4u, 0u}) ASSERT_TRUE(add(tx(0, nonce)));
  EXPECT_EQ(pool_->stats().pending, 3u);
  EXPECT_EQ(pool_->stats().queued, 2u);
  EXPECT_EQ(pool_->next_nonce(address(0)), 3u);
  block(10, {tx(0, 0), tx(0, 1)});
  EXPECT_EQ(pool_->stats().pending, 3u);
  EXPECT_EQ(pool_->stats().queued, 0u);
}

}  // namespace
}  // namespace bonus::chain::mempool
