// Older states: what can be read and proved, what is pruned, and that pruning leaves exactly what is needed.
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/ledger/test_support.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/store.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::ledger {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary
using state::Store;
using state::Table;

constexpr unsigned kSlots = 6;

class HistoryTest : public ::testing::Test {
 protected:
  struct State {
    std::map<Address, uint256> balances;
    std::map<unsigned, uint256> slots;
  };
  void open(std::uint64_t history, std::uint64_t trie, std::size_t recent = 3) {
    ledger_.reset();
    LedgerOptions options = test_options();
    options.history_blocks = history;
    options.trie_blocks = trie;
    options.recent_states = recent;
    auto opened = open_ledger(folder_.path(), genesis_, registry_, options);
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
  }
  std::uint64_t head() const { return ledger_->head().number; }
  std::uint64_t nonce(const Address& a) const { return ledger_->account(a, head()).value().nonce; }
  void mine(std::vector<TransactionPtr> txs) {
    const std::size_t count = txs.size();
    const auto block = ledger_->build(next_input(*ledger_, std::move(txs)));
    ASSERT_TRUE(block.has_value()) << block.error().to_string();
    ASSERT_EQ(block->transactions.size(), count);
    ASSERT_TRUE(ledger_->commit(*block, Bytes{9}).has_value());
    State& now = states_[head()];
    for (unsigned i = 0; i < 24; ++i) {
      const Address a = wallet(i).address;
      now.balances[a] = ledger_->account(a, head()).value().balance;
    }
    for (unsigned i = 0; i < kSlots; ++i) now.slots[i] = ledger_->storage(setter_, slot(i), head()).value();
  }
  /// Slots far apart and side by side.
  static uint256 slot(unsigned i) { return i % 2 == 0 ? uint256(i) : uint256(i) << 200u; }
  void deploy() { mine({make_tx(wallet(0), std::nullopt, {.data = slot_setter(), .gas_limit = 200'000})}); }
  /// Transfers, some to accounts that are new, and slots that are set, changed, cleared and set again.
  void mine_random() {
    std::vector<TransactionPtr> txs;
    std::uint64_t n = nonce(wallet(1).address);
    for (std::uint64_t i = random_() % 4; i > 0; --i)
      txs.push_back(make_tx(wallet(1), wallet(static_cast<unsigned>(2 + random_() % 22)).address,
                            {.nonce = n++, .value = uint256(random_() % 3)}));
    n = nonce(wallet(0).address);
    for (std::uint64_t i = random_() % 4; i > 0; --i)
      txs.push_back(make_tx(wallet(0), setter_,
                            {.nonce = n++,
                             .data = slot_call(slot(static_cast<unsigned>(random_() % kSlots)), uint256(random_() % 3)),
                             .gas_limit = 100'000}));
    mine(std::move(txs));
  }
  void expect_readable(std::uint64_t number) {
    const State& want = states_.at(number);
    for (const auto& [address, balance] : want.balances)
      ASSERT_EQ(ledger_->account(address, number).value().balance, balance) << number;
    for (const auto& [i, value] : want.slots)
      ASSERT_EQ(ledger_->storage(setter_, slot(i), number).value(), value) << number << " slot " << i;
    ASSERT_EQ(ledger_->code(setter_, number).value()->size(), 7u);
  }
  void expect_provable(std::uint64_t number) {
    const Hash32 root = ledger_->block(number).value()->block.header.state_root;
    std::vector<uint256> slots;
    for (unsigned i = 0; i < kSlots; ++i) slots.push_back(slot(i));
    const auto proof = ledger_->proof(setter_, slots, number);
    ASSERT_TRUE(proof.has_value()) << number << ": " << proof.error().message;
    ASSERT_EQ(state::verify_proof(root, crypto::keccak256(setter_), proof->nodes).value(),
              state::encode_account(proof->account));
    for (unsigned i = 0; i < kSlots; ++i) {
      const auto shown =
          state::verify_proof(proof->account.storage_root, crypto::keccak256(slot(i).to_be()), proof->slots[i].nodes);
      ASSERT_TRUE(shown.has_value()) << shown.error().message;
      ASSERT_EQ(*shown ? state::decode_slot_trie_value(**shown).value() : uint256(), states_.at(number).slots[i]);
    }
    for (unsigned i = 0; i < 24; ++i) {
      const auto account = ledger_->proof(wallet(i).address, {}, number).value();
      ASSERT_EQ(account.account.balance, states_.at(number).balances[wallet(i).address]);
      ASSERT_TRUE(state::verify_proof(root, crypto::keccak256(wallet(i).address), account.nodes).has_value());
    }
  }
  void expect_pruned(const Error& error, std::uint64_t number) {
    EXPECT_EQ(error.code, ErrorCode::kNotFound);
    EXPECT_NE(error.message.find("missing trie node"), std::string::npos) << error.message;
    EXPECT_NE(error.message.find("state of block " + std::to_string(number) + " is pruned"), std::string::npos)
        << error.message;
  }
  /// Entries of a table; the ledger must be closed.
  std::size_t count(Table table) {
    const auto store = Store::open(folder_.path(), {4 << 20, 1 << 20}).value();
    std::size_t out = 0;
    EXPECT_TRUE(store
                    ->scan(table, {},
                           [&](BytesView, BytesView) -> Result<bool> {
                             ++out;
                             return true;
                           })
                    .has_value());
    return out;
  }

  TempFolder folder_;
  Genesis genesis_ = test_genesis();
  TestRegistry registry_;
  std::mt19937_64 random_{31};
  const Address setter_ = evm::create_address(wallet(0).address, 0);
  std::map<std::uint64_t, State> states_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(HistoryTest, ReadsAndProvesWhatIsKeptAndNamesWhatIsNot) {
  open(20, 8);
  deploy();
  for (int round = 0; round < 45; ++round) {
    mine_random();
    if (round % 15 == 14) open(20, 8);
    if (round % 9 != 0 && round % 15 != 14) continue;
    const std::uint64_t now = head();
    for (std::uint64_t n = now > 19 ? now - 19 : 1; n <= now; ++n) expect_readable(n);
    for (std::uint64_t n = now > 7 ? now - 7 : 1; n <= now; ++n) expect_provable(n);
    if (now > 8) expect_pruned(ledger_->proof(setter_, {}, now - 8).error(), now - 8);
    if (now > 20) {
      expect_pruned(ledger_->account(setter_, now - 20).error(), now - 20);
      expect_pruned(ledger_->storage(setter_, 0, now - 20).error(), now - 20);
      expect_pruned(ledger_->call({.from = wallet(5).address, .to = setter_}, 0).error(), 0);
    }
    ASSERT_EQ(rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
  }
  EXPECT_TRUE(verify_ledger(*ledger_).has_value());
}

TEST_F(HistoryTest, AnArchiveKeepsAllAndMayBecomeANormalNode) {
  open(0, 0);
  deploy();
  for (int i = 0; i < 40; ++i) mine_random();
  open(0, 0);
  for (std::uint64_t n = 1; n <= head(); ++n) {
    expect_readable(n);
    expect_provable(n);
  }
  // What is kept no longer goes by and by; what is gone does not come back.
  open(10, 5);
  for (int i = 0; i < 8; ++i) mine_random();
  expect_readable(head() - 9);
  expect_provable(head() - 4);
  expect_pruned(ledger_->proof(setter_, {}, head() - 5).error(), head() - 5);
  expect_pruned(ledger_->account(setter_, head() - 10).error(), head() - 10);
  const std::uint64_t last = head();
  open(0, 0);
  for (int i = 0; i < 12; ++i) mine_random();
  expect_readable(last - 9);
  expect_provable(last - 4);
  expect_pruned(ledger_->proof(setter_, {}, last - 5).error(), last - 5);
  expect_pruned(ledger_->account(setter_, last - 10).error(), last - 10);
}

TEST_F(HistoryTest, AStateWithNodesButWithoutHistoryIsReadFromTheTrie) {
  open(4, 16, 2);
  deploy();
  for (int i = 0; i < 20; ++i) mine_random();
  for (std::uint64_t n = head() - 15; n <= head(); ++n) {
    expect_readable(n);
    expect_provable(n);
  }
  expect_pruned(ledger_->account(setter_, head() - 16).error(), head() - 16);
}

/// The trie table holds the head's nodes and those that a kept block replaced: no other. The state of the same size
/// takes the same room after any number of blocks.
TEST_F(HistoryTest, TablesOfTheStateDoNotGrowWithTheNumberOfBlocks) {
  constexpr std::uint64_t kTrie = 8;
  constexpr std::uint64_t kHistory = 12;
  open(kHistory, kTrie);
  deploy();
  std::size_t before = 0;
  for (int phase = 0; phase < 3; ++phase) {
    for (int i = 0; i < 60; ++i) mine_random();
    const std::uint64_t now = head();
    ledger_.reset();
    auto store = Store::open(folder_.path(), {4 << 20, 1 << 20}).value();
    std::set<Bytes> replaced;
    std::size_t blocks = 0;
    ASSERT_TRUE(store
                    ->scan(Table::kReplaced, {},
                           [&](BytesView, BytesView value) -> Result<bool> {
                             ++blocks;
                             TRY_ASSIGN(const auto nodes, state::decode_replaced_record(value));
                             for (const auto& node : nodes)
                               EXPECT_TRUE(replaced.insert(state::node_record_key(node.place, node.version)).second);
                             return true;
                           })
                    .has_value());
    EXPECT_EQ(blocks, kTrie - 1);
    // The head's own nodes: one place, one node.
    std::set<Bytes> places;
    std::size_t nodes = 0;
    ASSERT_TRUE(store
                    ->scan(Table::kTrie, {},
                           [&](BytesView key, BytesView) -> Result<bool> {
                             ++nodes;
                             if (replaced.erase(Bytes(key.begin(), key.end())) == 0)
                               EXPECT_TRUE(places.insert(Bytes(key.begin(), key.end() - 8)).second);
                             return true;
                           })
                    .has_value());
    EXPECT_TRUE(replaced.empty());
    std::size_t history = 0;
    for (const Table table : {Table::kAccountHistory, Table::kStorageHistory}) {
      ASSERT_TRUE(store
                      ->scan(table, {},
                             [&](BytesView key, BytesView) -> Result<bool> {
                               ++history;
                               EXPECT_GT(uint256::from_be(key.last(8)), uint256(now - kHistory));
                               return true;
                             })
                      .has_value());
    }
    EXPECT_LT(history, kHistory * 20);
    if (phase > 0) EXPECT_LT(nodes, before * 5 / 4);
    before = nodes;
    store.reset();
    open(kHistory, kTrie);
    ASSERT_EQ(head(), now);
  }
  ledger_.reset();
  EXPECT_EQ(count(Table::kChanges), kHistory - 1);
}

}  // namespace
}  // namespace bonus::chain::ledger
