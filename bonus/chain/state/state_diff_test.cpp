// From a journal to what is stored: what the flat tables can follow, and what they cannot.
#include "bonus/chain/state/state_diff.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/test_nodes.hpp"
#include "bonus/chain/state/views.hpp"

namespace bonus::chain::state {
namespace {

Address contract() {
  Address out;
  out.bytes[19] = 0x77;
  return out;
}

/// The state after a block in which the contract got code and two slots.
class OneContract final : public StateView {
 public:
  OneContract() {
    const EmptyView nothing;
    Journal journal(nothing);
    journal.begin_transaction();
    journal.set_code(contract(), Bytes{0xfe}, system_code_hash());
    journal.set_storage({contract(), 1}, 10);
    journal.set_storage({contract(), 2}, 20);
    journal.end_transaction(true);
    auto diff = make_diff(journal, nodes, kEmptyTrieRoot).value();
    EXPECT_TRUE(check_storable(diff).has_value());
    nodes.add(diff.nodes);
    root = diff.root;
    account_ = diff.accounts.at(contract()).after;
  }
  Account account(const Address& address) const override { return address == contract() ? account_ : Account(); }
  uint256 storage(const SlotKey& key) const override {
    return key.contract == contract() && (key.slot == uint256(1) || key.slot == uint256(2)) ? key.slot * uint256(10)
                                                                                            : uint256();
  }
  std::shared_ptr<const Bytes> code(const Hash32&) const override { return std::make_shared<const Bytes>(Bytes{0xfe}); }

  testing::MapNodes nodes;
  Hash32 root;

 private:
  Account account_;
};

TEST(StateDiff, AContractThatLosesStoredSlotsIsRefusedLoudly) {
  const OneContract base;
  Journal journal(base);
  journal.begin_transaction();
  journal.set_storage({contract(), 1}, 11);
  journal.mark_destructed(contract());
  journal.end_transaction(true);
  const auto diff = make_diff(journal, base.nodes, base.root).value();
  EXPECT_EQ(diff.root, kEmptyTrieRoot);
  ASSERT_EQ(diff.wiped, std::vector{contract()});
  const auto refused = check_storable(diff);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, ErrorCode::kInternal);
  EXPECT_NE(refused.error().message.find(to_hex0x(contract())), std::string::npos);
}

TEST(StateDiff, AContractWithoutStoredSlotsMayGo) {
  const OneContract base;
  Journal journal(base);
  Address other = contract();
  other.bytes[0] = 1;
  journal.begin_transaction();
  journal.set_code(other, Bytes{0xfe}, system_code_hash());
  journal.set_storage({other, 5}, 5);
  journal.mark_destructed(other);
  journal.end_transaction(true);
  const auto diff = make_diff(journal, base.nodes, base.root).value();
  EXPECT_EQ(diff.root, base.root);
  EXPECT_TRUE(diff.wiped.empty());
  EXPECT_TRUE(diff.nodes.made.empty());
  EXPECT_TRUE(diff.nodes.replaced.empty());
  EXPECT_TRUE(check_storable(diff).has_value());
}

TEST(StateDiff, ClearedSlotsLeaveTheTrieAndNameTheirNodes) {
  OneContract base;
  Journal journal(base);
  journal.begin_transaction();
  journal.set_storage({contract(), 1}, 0);
  journal.set_storage({contract(), 2}, 0);
  journal.end_transaction(true);
  const auto diff = make_diff(journal, base.nodes, base.root).value();
  EXPECT_EQ(diff.accounts.at(contract()).after.storage_root, kEmptyTrieRoot);
  EXPECT_EQ(diff.slots.size(), 2u);
  base.nodes.add(diff.nodes);
  base.nodes.prune(base.nodes.version);
  EXPECT_EQ(base.nodes.unknown_replaced, 0);
  EXPECT_EQ(base.nodes.nodes.size(), 1u);  // The account's leaf.
}

TEST(Records, ChangesAndReplacedNodesReadBack) {
  ChangesRecord changes;
  Address other = contract();
  other.bytes[0] = 1;
  changes.accounts = {other, contract()};
  changes.slots = {{other, 9}, {contract(), uint256(1) << 255u}, {contract(), 0}, {other, 3}};
  sort_changes(changes);
  const auto read = decode_changes_record(encode_changes_record(changes)).value();
  EXPECT_EQ(read.accounts, (std::vector{contract(), other}));
  EXPECT_EQ(read.slots,
            (std::vector<SlotKey>{{contract(), 0}, {contract(), uint256(1) << 255u}, {other, 3}, {other, 9}}));
  const std::vector<NewNodes::Replaced> nodes{{node_place(accounts_trie(), {}), 0},
                                              {node_place(storage_trie(other), Bytes{1, 2, 3}), 1'000'000}};
  const auto back = decode_replaced_record(encode_replaced_record(nodes)).value();
  ASSERT_EQ(back.size(), 2u);
  EXPECT_EQ(to_hex(back[1].place), "01" + to_hex(other) + "03" + "1230");
  EXPECT_EQ(back[1].version, 1'000'000u);
  EXPECT_EQ(node_record_version(node_record_key(back[1].place, 77)), 77u);
  EXPECT_EQ(decode_changes_record(Bytes{0xc1, 0x01}).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(decode_replaced_record(Bytes{0xc2, 0x02, 0xc0}).error().code, ErrorCode::kUnsupported);
}

}  // namespace
}  // namespace bonus::chain::state
