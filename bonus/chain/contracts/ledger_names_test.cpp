// Names on the real ledger: signed transactions in blocks that another execution validates, views of a node, fees that
// stay in the supply, and chains that began without names.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "bonus/chain/api/names_views.hpp"
#include "bonus/chain/contracts/registry.hpp"
#include "bonus/chain/ledger/test_support.hpp"

namespace bonus::chain::contracts {
namespace {

using namespace ledger::testing;  // NOLINT(google-build-using-namespace): test vocabulary
namespace encode = names::encode;
using ::testing::HasSubstr;

class LedgerNamesTest : public ::testing::Test {
 protected:
  void open(bool with_names) {
    if (with_names) genesis_.names.emplace();
    auto opened = ledger::open_ledger(folder_.path(), genesis_, system_contracts(), test_options());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
  }
  void send(unsigned from, Bytes data, const uint256& value = {}) {
    TxOptions options;
    options.nonce = nonces_[from]++;
    options.value = value;
    options.data = std::move(data);
    options.gas_limit = 1'000'000;
    waiting_.push_back(make_tx(wallet(from), kNamesAddress, options));
  }
  /// A block `seconds` after the head with all that waits; says of each whether it succeeded.
  std::vector<bool> mine(std::uint64_t seconds = 1) {
    BuildInput input = next_input(*ledger_, std::exchange(waiting_, {}));
    input.timestamp = ledger_->head().timestamp + seconds;
    const auto block = ledger_->build(input);
    EXPECT_TRUE(block.has_value()) << block.error().to_string();
    const auto hash = ledger_->validate(*block);
    EXPECT_TRUE(hash.has_value()) << hash.error().to_string();
    EXPECT_TRUE(ledger_->commit(*block, Bytes{1}).has_value());
    std::vector<bool> out;
    const auto receipts = ledger_->receipts(ledger_->head().number).value();
    for (const StoredReceipt& receipt : receipts) out.push_back(receipt.receipt.success);
    EXPECT_EQ(ledger::total_supply(*ledger_).value(), bnc(8000));
    EXPECT_EQ(ledger::rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
    return out;
  }
  [[nodiscard]] std::uint64_t head() const { return ledger_->head().number; }
  [[nodiscard]] Account account(const Address& of) const { return ledger_->account(of, head()).value(); }

  TempFolder folder_;
  Genesis genesis_ = test_genesis();
  std::unique_ptr<Ledger> ledger_;
  std::map<unsigned, std::uint64_t> nonces_;
  std::vector<TransactionPtr> waiting_;
};

TEST_F(LedgerNamesTest, ANodeSeesWhatIsRegistered) {
  open(true);
  EXPECT_EQ(account(kNamesAddress).code_hash, system_code_hash());
  const Address owner = wallet(1).address;
  Hash32 secret;
  secret.bytes[5] = 5;
  send(1, encode::commit(names::commitment("alice", owner, names::kYearSeconds, secret)));
  EXPECT_THAT(mine(), ::testing::ElementsAre(true));
  // Somebody who reads the pool puts the same name into the same block, before the owner: it fails, the owner's does
  // not.
  const Bytes theirs = encode::register_name("alice", wallet(2).address, names::kYearSeconds, secret);
  send(2, encode::commit(names::commitment("alice", wallet(2).address, names::kYearSeconds, secret)));
  send(2, theirs, bnc(5));
  send(1, encode::register_name("alice", owner, names::kYearSeconds, secret), bnc(9));
  const auto results = mine(10);
  EXPECT_EQ(std::ranges::count(results, true), 2);
  EXPECT_EQ(names::find_name(*ledger_, "alice", head())->owner, owner);
  EXPECT_EQ(account(genesis_.foundation).balance, bnc(5));
  EXPECT_EQ(account(kNamesAddress).balance, uint256());
  EXPECT_EQ(names::resolve_name(*ledger_, "alice", head())->records.size(), 0U);

  const names::NameRecords records{{.name = "", .ttl_s = 60, .data = names::Aaaa{net::parse_ip("fd00::1").value()}}};
  send(1, encode::set_records("alice", names::encode_records(records).value()));
  EXPECT_THAT(mine(), ::testing::ElementsAre(true));
  const auto resolved = names::resolve_name(*ledger_, "alice", head());
  ASSERT_TRUE(resolved.has_value());
  EXPECT_EQ(resolved->records, records);
  EXPECT_EQ(names::resolve_name(*ledger_, "alice", head() - 1)->records.size(), 0U);  // history stays readable
  EXPECT_EQ(names::resolve_name(*ledger_, "bobby", head()).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(names::find_name(*ledger_, "not a name", head())->state, names::NameState::kFree);
  EXPECT_EQ(names::names_of(*ledger_, owner, 10, head())->size(), 1U);
  EXPECT_EQ(names::names_of(*ledger_, wallet(2).address, 10, head())->size(), 0U);

  const auto key = crypto::Ed25519KeyPair::from_seed({});
  const net::Ipv6 address = net::overlay_address(crypto::node_id(key.public_key()));
  EXPECT_EQ(names::reverse_name(*ledger_, address, head()).error().code, ErrorCode::kNotFound);
  const UnixSeconds deadline = ledger_->head().timestamp + 100;
  send(1, encode::set_reverse("alice", key.public_key(), {}, deadline,
                              key.sign(names::reverse_digest(genesis_.chain_id, owner, "alice", {}, deadline))));
  EXPECT_THAT(mine(), ::testing::ElementsAre(true));
  EXPECT_EQ(names::reverse_name(*ledger_, address, head()).value(), "alice");

  LogFilter filter;
  filter.to_block = head();
  filter.addresses = {kNamesAddress};
  std::size_t changes = 0;
  for (const FoundLog& found : *ledger_->logs(filter)) changes += names::event::changed(found.log) == "alice" ? 1 : 0;
  EXPECT_EQ(changes, 3U);
  // Expired: the same state, a later clock.
  mine(names::kYearSeconds);
  EXPECT_THAT(names::resolve_name(*ledger_, "alice", head()).error().message, HasSubstr("expired"));
  EXPECT_EQ(names::reverse_name(*ledger_, address, head()).error().code, ErrorCode::kNotFound);
}

TEST_F(LedgerNamesTest, AChainThatBeganWithoutNamesStaysAsItWas) {
  open(false);
  EXPECT_TRUE(is_missing(account(kNamesAddress)));
  EXPECT_EQ(names::find_name(*ledger_, "alice", head()).error().code, ErrorCode::kUnsupported);
  send(1, encode::commit(Hash32{}), bnc(1));
  EXPECT_THAT(mine(), ::testing::ElementsAre(true));  // an account like any other
  EXPECT_EQ(account(kNamesAddress).balance, bnc(1));
  EXPECT_FALSE(has_code(account(kNamesAddress)));
  EXPECT_EQ(account(kNamesAddress).storage_root, kEmptyTrieRoot);
}

TEST_F(LedgerNamesTest, TheSectionIsPartOfTheChainsIdentity) {
  open(true);
  const Hash32 with = ledger_->head_hash();
  genesis_.names->price5 += uint256(1U);
  TempFolder other;
  const auto changed = ledger::open_ledger(other.path(), genesis_, system_contracts(), test_options());
  ASSERT_TRUE(changed.has_value());
  EXPECT_NE((*changed)->head_hash(), with);
}

}  // namespace
}  // namespace bonus::chain::contracts
