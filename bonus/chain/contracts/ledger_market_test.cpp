// The market on the real ledger: signed transactions, blocks that another copy validates, views at the head,
// conservation.
#include <gtest/gtest.h>

#include <map>

#include "bonus/chain/api/market_abi.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/ledger/test_support.hpp"

namespace bonus::chain::contracts {
namespace {

using namespace ledger::testing;  // NOLINT(google-build-using-namespace): test vocabulary
namespace encode = market::encode;
using market::EndReason;
using market::LeaseState;

class LedgerMarketTest : public ::testing::Test {
 protected:
  void SetUp() override {
    genesis_.market.min_worker_bond = bnc(1);
    auto opened = ledger::open_ledger(folder_.path(), genesis_, system_contracts(), test_options());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
  }
  void send(unsigned from, const Address& to, Bytes data, const uint256& value = {}) {
    TxOptions options;
    options.nonce = nonces_[from]++;
    options.value = value;
    options.data = std::move(data);
    options.gas_limit = 3'000'000;
    waiting_.push_back(make_tx(wallet(from), to, options));
  }
  /// A block `seconds` after the head; every transaction must be in it and succeed.
  void mine(std::uint64_t seconds = 1) {
    const std::size_t count = waiting_.size();
    BuildInput input = next_input(*ledger_, std::exchange(waiting_, {}));
    input.timestamp = ledger_->head().timestamp + seconds;
    const auto block = ledger_->build(input);
    ASSERT_TRUE(block.has_value()) << block.error().to_string();
    const auto hash = ledger_->validate(*block);
    ASSERT_TRUE(hash.has_value()) << hash.error().to_string();
    ASSERT_TRUE(ledger_->commit(*block, Bytes{1}).has_value());
    const auto receipts = *ledger_->receipts(ledger_->head().number);
    ASSERT_EQ(receipts.size(), count);
    for (const StoredReceipt& receipt : receipts) {
      ASSERT_TRUE(receipt.receipt.success) << abi::decode_revert(receipt.receipt.return_data);
      ASSERT_LT(receipt.receipt.gas_used, 400'000U);
    }
    ASSERT_EQ(ledger::total_supply(*ledger_).value(), bnc(8000));
    ASSERT_EQ(ledger::rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
  }
  Bytes view(const Address& to, Bytes data) {
    CallRequest request;
    request.from = wallet(0).address;
    request.to = to;
    request.data = std::move(data);
    const auto reply = ledger_->call(request, ledger_->head().number);
    EXPECT_TRUE(reply.has_value() && reply->success);
    return reply ? reply->output : Bytes{};
  }
  uint256 balance(const Address& a) { return ledger_->account(a, ledger_->head().number)->balance; }
  market::Lease lease(std::uint64_t id) { return *market::decode::lease(view(kMarketAddress, encode::get_lease(id))); }

  TempFolder folder_;
  Genesis genesis_ = test_genesis();
  std::unique_ptr<Ledger> ledger_;
  std::map<unsigned, std::uint64_t> nonces_;
  std::vector<TransactionPtr> waiting_;
};

TEST_F(LedgerMarketTest, RentedPaidAndStoppedInSignedTransactions) {
  crypto::Ed25519Seed seed;
  seed.bytes[3] = 9;
  const auto key = crypto::Ed25519KeyPair::from_seed(seed);
  const auto signature = key.sign(market::registration_digest(genesis_.chain_id, wallet(1).address));
  send(1, kNodesAddress, encode::register_node(key.public_key(), signature, 1, "cn", "127.0.0.1:1"), bnc(2));
  market::OfferSpec offer;
  offer.capacity = {4000, 4096, 10'000};
  offer.prices = {uint256(1'000'000'000ULL), uint256(1'000'000ULL), uint256()};
  send(1, kMarketAddress, encode::create_offer(offer));
  mine();
  market::OrderSpec order;
  order.image = "hello:latest";
  order.resources = {1000, 512, 100};
  order.max_price_per_second = bnc(1);
  order.developer = wallet(3).address;
  order.royalty_bps = 1000;
  const auto answer = *market::decode::explanation(view(kMarketAddress, encode::preflight(order, bnc(1))));
  ASSERT_EQ(answer.matching, 1U);
  send(2, kMarketAddress, encode::create_order(order), bnc(1));
  mine();
  ASSERT_EQ(lease(1).state, LeaseState::kStarting);
  EXPECT_EQ(lease(1).price_per_second, answer.expected_price_per_second);
  EXPECT_EQ(lease(1).node_id, crypto::node_id(key.public_key()));
  EXPECT_EQ(balance(kMarketAddress), bnc(1));
  send(1, kMarketAddress, encode::lease_started(1, {8080}));
  mine();
  const uint256 price = lease(1).price_per_second;
  for (int i = 0; i < 7; ++i) {
    send(1, kNodesAddress, encode::heartbeat());
    mine(4);
  }
  EXPECT_GT(balance(genesis_.foundation), uint256());  // settled on the way
  send(2, kMarketAddress, encode::stop(1));
  mine(2);
  const market::Lease ended = lease(1);
  EXPECT_EQ(ended.reason, EndReason::kUser);
  EXPECT_EQ(ended.paid_total, price * uint256(30U));
  EXPECT_EQ(ended.paid_foundation, balance(genesis_.foundation));
  EXPECT_EQ(ended.paid_developer, balance(wallet(3).address) - bnc(1000));
  EXPECT_EQ(balance(kMarketAddress), uint256());
  EXPECT_EQ(balance(kNodesAddress), bnc(2));
  // Hooks and transactions leave logs that a reader finds.
  LogFilter filter;
  filter.to_block = ledger_->head().number;
  filter.addresses = {kMarketAddress};
  std::size_t matched = 0;
  std::size_t closed = 0;
  for (const FoundLog& found : *ledger_->logs(filter)) {
    matched += market::event::lease_matched(found.log) ? 1 : 0;
    closed += market::event::lease_ended(found.log) ? 1 : 0;
  }
  EXPECT_EQ(matched, 1U);
  EXPECT_EQ(closed, 1U);
}

}  // namespace
}  // namespace bonus::chain::contracts
