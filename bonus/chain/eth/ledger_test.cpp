// The ledger on disk: importing again, stopping in between, foreign files, states and rules of every block.
#include "bonus/chain/eth/ledger.hpp"

#include <gmock/gmock.h>

#include <sstream>

#include "bonus/chain/eth/chain_testing.hpp"
#include "bonus/chain/eth/import.hpp"
#include "bonus/chain/eth/pooled.hpp"
#include "bonus/chain/state/trie.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

using ::testing::HasSubstr;

class EthLedgerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    BONUS_NEED_VECTORS(testing::kExecutionApis, testing::kExecutionApisFiles);
    files_ = testing::load_execution_apis();
  }
  [[nodiscard]] Result<std::unique_ptr<EthLedger>> open(const std::string& genesis) const {
    return EthLedger::open({.path = folder_.str(), .genesis_json = genesis});
  }
  Result<Imported> import_text(EthLedger& ledger, const std::string& text) const {
    std::istringstream in(text);
    return import_blocks(ledger, in);
  }
  testing::TemporaryFolder folder_{"bonus-eth-ledger"};
  testing::ChainFiles files_;
};

TEST_F(EthLedgerTest, ContinuesWhereItStopped) {
  EXPECT_EQ(open("").error().code, ErrorCode::kNotFound);
  std::filesystem::remove_all(folder_.str());
  {
    const auto ledger = open(files_.genesis_json).value();
    const auto cut = import_text(*ledger, files_.chain_rlp.substr(0, 30'000));
    ASSERT_FALSE(cut.has_value());
    EXPECT_THAT(cut.error().message, HasSubstr("cut off"));
    EXPECT_EQ(ledger->head().number, 20u);
  }
  const auto ledger = open("").value();
  EXPECT_EQ(ledger->head().number, 20u);
  const auto rest = import_text(*ledger, files_.chain_rlp).value();
  EXPECT_EQ(rest.skipped, 20u);
  EXPECT_EQ(rest.blocks, 34u);
  EXPECT_EQ(to_hex0x(ledger->head_hash()), "0xd226371d0b1551adb03fb52b71f08e3e11247fe9b1af994768af8cdaa8e7dcd7");
}

TEST_F(EthLedgerTest, RefusesWhatDoesNotFit) {
  const auto ledger = open(files_.genesis_json).value();
  const auto blocks = files_.blocks();
  EXPECT_EQ(ledger->append(blocks[1]).error().code, ErrorCode::kConflict);  // block 1 is missing
  Block other = with_senders(decode_ethereum_block(blocks[0]).value(), ledger->config()).value();
  other.header.gas_used += 1;
  const Bytes bad = encode_ethereum_block(other);
  const auto refused = import_text(*ledger, std::string(as_text(bad)));
  ASSERT_FALSE(refused.has_value());
  EXPECT_THAT(refused.error().message, HasSubstr("block 1 (at byte 0): header field gasUsed: have "));
  ASSERT_TRUE(ledger->append(blocks[0]).has_value());
  EXPECT_EQ(ledger->append(bad).error().code, ErrorCode::kConflict);  // another block 1
  EXPECT_EQ(*ledger->append(blocks[0]), EthLedger::Appended::kKnown);
  EXPECT_THAT(import_text(*ledger, "no blocks").error().message, HasSubstr("no RLP list at byte 0"));
}

TEST_F(EthLedgerTest, AnotherGenesisIsNotTaken) {
  (void)open(files_.genesis_json).value();
  EXPECT_EQ(open(R"({"config":{"chainId":1},"alloc":{}})").error().code, ErrorCode::kConflict);
  EXPECT_TRUE(open(files_.genesis_json).has_value());
}

TEST_F(EthLedgerTest, EveryStateAndItsRulesStayReadable) {
  const auto ledger = open(files_.genesis_json).value();
  ASSERT_TRUE(import_text(*ledger, files_.chain_rlp).has_value());
  const auto deposit = fixed_from_hex<Address>("0x7dcd17433742f4c0ca53122ab541d0ba67fc27df").value();
  uint256 last;
  for (std::uint64_t number = 0; number <= 54; ++number) {
    const auto header = ledger->block(number).value()->block.header;
    const auto context = ledger->context(number).value();
    EXPECT_EQ(context.revision, ledger->config().of(header).revision);
    EXPECT_EQ(context.base_fee, header.base_fee);
    const auto account = ledger->account(deposit, number).value();
    EXPECT_GE(account.balance, last);
    last = account.balance;
    const auto proof = ledger->proof(deposit, {}, number).value();
    const auto proved = state::verify_proof(header.state_root, crypto::keccak256(deposit), proof.nodes);
    EXPECT_EQ(proved.value().has_value(), !is_missing(account)) << number;
    // Executed again, the block leaves the state that it says.
    if (number == 0) continue;
    const std::size_t all = ledger->block(number).value()->block.transactions.size();
    ASSERT_TRUE(ledger
                    ->before_transaction(number, all,
                                         [&](const StateView& view, const BlockContext& at) -> Result<> {
                                           EXPECT_EQ(at.number, number);
                                           EXPECT_EQ(view.account(deposit).balance, account.balance);
                                           return {};
                                         })
                    .has_value());
  }
  EXPECT_EQ(last, uint256(0x76));
  EXPECT_EQ(ledger->context(55)->number, 55u);
  EXPECT_FALSE(ledger->context(56).has_value());
  EXPECT_EQ(ledger->next_rules().blobs.max, 21u);
}

TEST(PooledTransaction, BlobsMustComeWithTheirTransaction) {
  const crypto::SecretKey256 key = {{3}};
  const Bytes commitment(48, 7);
  Transaction tx;
  tx.type = 3;
  tx.chain_id = 1;
  tx.to = Address();
  tx.blob_hashes.resize(1);
  tx.blob_hashes[0] = crypto::sha256(commitment);
  tx.blob_hashes[0].bytes[0] = 1;
  ASSERT_TRUE(sign_transaction(tx, key).has_value());
  const Bytes bare = tx.encode();
  const auto wrapped = [&](int version, std::size_t proofs, BytesView point) {
    rlp::Encoder e;
    e.begin_list().raw(BytesView(bare).subspan(1));
    if (version != 0) e.number(static_cast<std::uint64_t>(version));
    e.begin_list().bytes(Bytes(131'072)).end_list().begin_list().bytes(point).end_list().begin_list();
    for (std::size_t i = 0; i < proofs; ++i) e.bytes(Bytes(48));
    e.end_list().end_list();
    Bytes out{3};
    append(out, e.take());
    return out;
  };
  const auto error = [](const Bytes& raw, Revision revision) {
    const auto out = read_pooled_transaction(raw, revision);
    return out ? std::string() : out.error().message;
  };
  EXPECT_EQ(error(wrapped(0, 1, commitment), Revision::kPrague), "");
  EXPECT_EQ(error(wrapped(1, 128, commitment), Revision::kOsaka), "");
  EXPECT_EQ(read_pooled_transaction(wrapped(1, 128, commitment), Revision::kOsaka).value()->hash, tx.hash());
  EXPECT_EQ(error(bare, Revision::kOsaka), "missing sidecar in blob transaction");
  EXPECT_THAT(error(wrapped(0, 1, commitment), Revision::kOsaka), HasSubstr("unexpected blob sidecar version"));
  EXPECT_THAT(error(wrapped(1, 127, commitment), Revision::kOsaka), HasSubstr("blob proofs"));
  EXPECT_THAT(error(wrapped(0, 1, Bytes(48, 8)), Revision::kPrague), HasSubstr("mismatches transaction one"));
  EXPECT_NE(error(Bytes{3}, Revision::kPrague), "");
  EXPECT_NE(error(Bytes(kMaxPooledBytes + 1, 3), Revision::kPrague), "");
}

}  // namespace
}  // namespace bonus::chain::eth
