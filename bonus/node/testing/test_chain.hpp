// A chain of one for tests: a real ledger with the system contracts and a real mempool; blocks are made by mine().
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/market.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/ledger/ledger.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/node/testing/temp_folder.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::node::testing {

struct Wallet {
  crypto::SecretKey256 key;
  Address address;
};
inline Wallet wallet(std::uint8_t index) {
  Wallet out;
  out.key.bytes[31] = static_cast<std::uint8_t>(index + 1);
  out.address = crypto::address_of(out.key).value();
  return out;
}
inline crypto::Ed25519KeyPair node_key(std::uint8_t index) {
  crypto::Ed25519Seed seed;
  seed.bytes[0] = index;
  return crypto::Ed25519KeyPair::from_seed(seed);
}
inline uint256 bnc(std::uint64_t amount) { return uint256(amount) * uint256(1'000'000'000'000'000'000ULL); }

/// Wallets 0..15 own 1,000 BNC each. Not thread-safe, but readers of the ledger may run beside it.
class TestChain {
 public:
  TestChain() {
    genesis_.chain_id = 7667;
    genesis_.name = "test";
    genesis_.timestamp = runtime::system_clock().unix_s() - 10'000;
    genesis_.base_fee = genesis_.min_base_fee = uint256(1000);
    genesis_.bookkeepers.push_back({node_key(0).public_key(), wallet(100).address, "memory:1"});
    genesis_.foundation = wallet(200).address;
    genesis_.market.min_worker_bond = bnc(1);
    // Blocks come as fast as a test makes them; workers keep real time.
    genesis_.market.heartbeat_timeout_s = genesis_.market.start_timeout_s = 1'000'000;
    genesis_.market.heartbeat_timeout_blocks = 1'000'000;
    for (std::uint8_t i = 0; i < 16; ++i) genesis_.balances[wallet(i).address] = bnc(1000);
    chain::ledger::LedgerOptions options;
    options.sync = false;
    auto opened =
        chain::ledger::open_ledger(folder_.path("ledger"), genesis_, chain::contracts::system_contracts(), options);
    if (!opened) throw std::runtime_error(opened.error().message);
    ledger_ = *std::move(opened);
    mempool_ = chain::mempool::make_mempool(*ledger_);
  }

  [[nodiscard]] chain::Ledger& ledger() { return *ledger_; }
  [[nodiscard]] chain::Mempool& mempool() { return *mempool_; }
  [[nodiscard]] const chain::Genesis& genesis() const { return genesis_; }
  [[nodiscard]] const TempFolder& folder() const { return folder_; }

  /// One block, `seconds` after its parent; without transactions when `empty`.
  void mine(bool empty = false, UnixSeconds seconds = 1) {
    const auto head = ledger_->head();
    chain::BuildInput input;
    input.timestamp = head.timestamp + seconds;
    input.beneficiary = wallet(100).address;
    input.randao.bytes[0] = static_cast<std::uint8_t>(head.number + 1);
    input.last_commit = ledger_->block(head.number).value()->commit;
    if (!empty) input.candidates = mempool_->best(uint256(0), head.gas_limit);
    const auto block = ledger_->build(input).value();
    ASSERT_TRUE(ledger_->validate(block));
    ASSERT_TRUE(ledger_->commit(block, as_bytes("certificate")));
    mempool_->on_block(*ledger_->block(head.number + 1).value());
  }
  /// A transaction in a block of its own; returns its receipt.
  chain::StoredReceipt call(const Wallet& from, const Address& to, Bytes data, const uint256& value = {}) {
    chain::Transaction tx;
    tx.chain_id = genesis_.chain_id;
    tx.nonce = mempool_->next_nonce(from.address);
    tx.gas_limit = 5'000'000;
    tx.max_fee = uint256(1'000'000);
    tx.max_priority_fee = uint256(1000);
    tx.to = to;
    tx.value = value;
    tx.data = std::move(data);
    EXPECT_TRUE(chain::sign_transaction(tx, from.key));
    const auto recovered = chain::recover(std::move(tx)).value();
    const auto added = mempool_->add(recovered);
    EXPECT_TRUE(added) << added.error().message;
    mine();
    return ledger_->receipt(recovered->hash).value();
  }

  /// Registers a worker with an offer of 4 cores and 4 GiB.
  void add_worker(const Wallet& account, const crypto::Ed25519KeyPair& key) {
    namespace market = chain::market;
    const auto digest = market::registration_digest(genesis_.chain_id, account.address);
    EXPECT_TRUE(call(account, chain::kNodesAddress,
                     market::encode::register_node(key.public_key(), key.sign(digest.view()), 1, "local", "memory:1"),
                     bnc(1))
                    .receipt.success);
    market::OfferSpec offer;
    offer.capacity = {4000, 4096, 10'000};
    offer.prices = {uint256(1), uint256(1), uint256(1)};
    offer.region = "local";
    EXPECT_TRUE(call(account, chain::kMarketAddress, market::encode::create_offer(offer)).receipt.success);
  }
  /// An order of wallet `user`, matched at the end of its block when a worker is there. Its id.
  std::uint64_t order(const Wallet& user, const chain::market::OrderSpec& spec) {
    const auto receipt = call(user, chain::kMarketAddress, chain::market::encode::create_order(spec), bnc(1));
    for (const auto& log : receipt.receipt.logs)
      if (const auto created = chain::market::event::order_created(log)) return created->order_id;
    ADD_FAILURE() << "no order was made";
    return 0;
  }
  [[nodiscard]] static chain::market::OrderSpec small_order() {
    chain::market::OrderSpec spec;
    spec.image = "hello:1";
    spec.image_digest.bytes[0] = 1;
    spec.workload.bytes[0] = 2;
    spec.resources = {100, 64, 128};
    spec.max_price_per_second = bnc(1);
    return spec;
  }

 private:
  TempFolder folder_;
  chain::Genesis genesis_;
  std::unique_ptr<chain::Ledger> ledger_;
  std::unique_ptr<chain::Mempool> mempool_;
};

}  // namespace bonus::node::testing
