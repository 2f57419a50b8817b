// Building, validating and committing blocks; reading them back at any height; reopening.
#include "bonus/chain/ledger/ledger.hpp"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <random>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/ledger/executor.hpp"
#include "bonus/chain/ledger/test_support.hpp"
#include "bonus/chain/state/records.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::ledger {
namespace {

using namespace testing;  // NOLINT(google-build-using-namespace): test vocabulary

class LedgerTest : public ::testing::Test {
 protected:
  void SetUp() override { open(); }
  void open() {
    ledger_.reset();
    auto opened = open_ledger(folder_.path(), genesis_, registry_, test_options());
    ASSERT_TRUE(opened.has_value()) << opened.error().to_string();
    ledger_ = *std::move(opened);
  }
  /// Builds, validates through the wire form, commits, and checks conservation.
  std::shared_ptr<const StoredBlock> mine(std::vector<TransactionPtr> txs) {
    auto block = ledger_->build(next_input(*ledger_, std::move(txs)));
    EXPECT_TRUE(block.has_value()) << block.error().to_string();
    auto decoded = Block::decode(block->encode());
    EXPECT_TRUE(decoded.has_value());
    auto hash = ledger_->validate(*decoded);
    EXPECT_TRUE(hash.has_value()) << hash.error().to_string();
    auto done = ledger_->commit(*decoded, Bytes{9, 9});
    EXPECT_TRUE(done.has_value()) << done.error().to_string();
    EXPECT_EQ(ledger_->head_hash(), *hash);
    EXPECT_EQ(total_supply(*ledger_).value(), bnc(8000));
    return ledger_->block(ledger_->head().number).value();
  }
  uint256 balance(const Address& a) { return ledger_->account(a, ledger_->head().number).value().balance; }

  TempFolder folder_;
  Genesis genesis_ = test_genesis();
  TestRegistry registry_;
  std::unique_ptr<Ledger> ledger_;
};

TEST_F(LedgerTest, GenesisState) {
  const Header head = ledger_->head();
  EXPECT_EQ(head.number, 0u);
  EXPECT_EQ(head.hash(), ledger_->head_hash());
  EXPECT_EQ(balance(wallet(0).address), bnc(1000));
  const Account system = ledger_->account(kFoundationAddress, 0).value();
  EXPECT_EQ(system.nonce, 1u);
  EXPECT_EQ(system.code_hash, system_code_hash());
  EXPECT_EQ(rebuilt_state_root(*ledger_).value(), head.state_root);
  EXPECT_EQ(ledger_->account(wallet(77).address, 0).value().code_hash, Hash32{});
  EXPECT_EQ(ledger_->block(1).error().code, ErrorCode::kNotFound);
}

TEST_F(LedgerTest, TransferPaysTheWholeFeeToTheProposer) {
  const auto tx = make_tx(wallet(0), wallet(50).address, {.value = bnc(3)});
  const auto block = mine({tx});
  ASSERT_EQ(block->block.transactions.size(), 1u);
  EXPECT_EQ(block->block.header.base_fee, uint256(1'000'000'000));
  const uint256 fee = uint256(21'000) * uint256(2'000'000'000);
  EXPECT_EQ(balance(wallet(50).address), bnc(3));
  EXPECT_EQ(balance(wallet(0).address), bnc(997) - fee);
  EXPECT_EQ(balance(genesis_.bookkeepers[0].account), fee);
  const auto receipt = ledger_->receipt(tx->hash).value();
  EXPECT_TRUE(receipt.receipt.success);
  EXPECT_EQ(receipt.receipt.gas_used, 21'000u);
  EXPECT_EQ(receipt.receipt.effective_gas_price, uint256(2'000'000'000));
  EXPECT_EQ(receipt.block_hash, block->hash);
  EXPECT_EQ(block->commit, (Bytes{9, 9}));
  // An almost empty block lowers the base fee by almost an eighth.
  const auto next = mine({});
  EXPECT_EQ(next->block.header.base_fee, uint256(1'000'000'000 - 125'000'000 + 87'500));
}

TEST_F(LedgerTest, ContractCallsRevertsAndGas) {
  const Address counter = CounterContract().address();
  const auto count = make_tx(wallet(0), counter, {.data = {0}, .gas_limit = 100'000});
  const auto fails = make_tx(wallet(1), counter, {.value = bnc(5), .data = {1}, .gas_limit = 100'000});
  // Charges 2^24 gas of 100,000: out of gas although the contract says success.
  const auto burns = make_tx(wallet(2), counter, {.data = {2, 0, 0, 0, 0, 1, 0, 0, 0}, .gas_limit = 100'000});
  Bytes pay{3};
  append(pay, wallet(60).address);
  const auto pays = make_tx(wallet(3), counter, {.value = bnc(2), .data = pay, .gas_limit = 100'000});
  mine({count, fails, burns, pays});
  const auto receipts = ledger_->receipts(1).value();
  ASSERT_EQ(receipts.size(), 4u);
  EXPECT_TRUE(receipts[0].receipt.success);
  EXPECT_EQ(receipts[0].receipt.gas_used, 21'000u + 4 + 5'000);
  EXPECT_EQ(receipts[0].receipt.logs.size(), 1u);
  EXPECT_FALSE(receipts[1].receipt.success);
  EXPECT_TRUE(receipts[1].receipt.logs.empty());
  EXPECT_EQ(abi::decode_revert(receipts[1].receipt.return_data), "as asked");
  EXPECT_FALSE(receipts[2].receipt.success);
  EXPECT_EQ(receipts[2].receipt.gas_used, 100'000u);
  EXPECT_TRUE(receipts[3].receipt.success);
  EXPECT_EQ(ledger_->storage(counter, 0, 1).value(), uint256(1));
  EXPECT_EQ(ledger_->storage(counter, 7, 1).value(), uint256());
  EXPECT_EQ(ledger_->storage(counter, 2, 1).value(), uint256());
  EXPECT_EQ(balance(counter), uint256());
  EXPECT_EQ(balance(wallet(60).address), bnc(2));
  EXPECT_EQ(rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
}

TEST_F(LedgerTest, FloorGasOfEip7623) {
  // 1,000 non-zero bytes: intrinsic 21000 + 16000, floor 21000 + 40000.
  const auto tx = make_tx(wallet(0), wallet(1).address, {.data = Bytes(1000, 1), .gas_limit = 61'000});
  mine({tx});
  EXPECT_EQ(ledger_->receipt(tx->hash).value().receipt.gas_used, 61'000u);
  const auto low = make_tx(wallet(0), wallet(1).address, {.nonce = 1, .data = Bytes(1000, 1), .gas_limit = 60'999});
  EXPECT_TRUE(mine({low})->block.transactions.empty());
}

/// Calls the counter contract with data 00, keeps what it answers in slot 7 and returns it; a static call when it gets
/// call data.
Bytes counter_caller() {
  const std::array<std::string_view, 5> parts{
      "36601f57",                        // CALLDATASIZE PUSH1 31 JUMPI
      "6020600060016000600061b0f05af1",  // CALL(gas, b0f0, 0, 0, 1, 0, 32)
      "5060005160075560206000f3",        // POP SSTORE(7, mem[0]) RETURN(0, 32)
      "5b602060006001600061b0f05afa",    // JUMPDEST STATICCALL(gas, b0f0, 0, 1, 0, 32)
      "60005260206000f3",                // MSTORE(0, success) RETURN(0, 32)
  };
  Bytes out;
  for (const auto part : parts) append(out, from_hex(part).value());
  return out;
}

TEST_F(LedgerTest, EvmCodeRunsAndCallsSystemContracts) {
  const Bytes runtime = counter_caller();
  // CODECOPY(0, 12, size) RETURN(0, size)
  Bytes init{0x60, static_cast<std::uint8_t>(runtime.size()), 0x80, 0x60, 0x0b, 0x60, 0x00, 0x39, 0x60, 0x00, 0xf3};
  append(init, runtime);
  const Address made = evm::create_address(wallet(0).address, 0);
  const Address counter = CounterContract().address();
  mine({make_tx(wallet(0), std::nullopt, {.data = init, .gas_limit = 200'000}),
        make_tx(wallet(0), made, {.nonce = 1, .gas_limit = 200'000})});
  const auto receipts = ledger_->receipts(1).value();
  ASSERT_TRUE(receipts[0].receipt.success);
  ASSERT_TRUE(receipts[1].receipt.success);
  ASSERT_EQ(receipts[1].receipt.logs.size(), 1u);
  EXPECT_EQ(receipts[1].receipt.logs[0].address, counter);
  for (const bool reopened : {false, true}) {
    if (reopened) open();
    EXPECT_EQ(*ledger_->code(made, 1).value(), runtime);
    EXPECT_EQ(ledger_->storage(counter, 0, 1).value(), uint256(1));
    EXPECT_EQ(ledger_->storage(made, 7, 1).value(), uint256(1));
    const auto reply = ledger_->call({.from = wallet(5).address, .to = made}, 1).value();
    EXPECT_EQ(uint256::from_be(reply.output), uint256(2));
    // The counter wants to write: in a static call that fails.
    const auto guarded = ledger_->call({.from = wallet(5).address, .to = made, .data = {1}}, 1).value();
    EXPECT_TRUE(guarded.success);
    EXPECT_EQ(uint256::from_be(guarded.output), uint256(0));
  }
  EXPECT_EQ(rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
}

TEST_F(LedgerTest, CandidatesThatDoNotApplyAreLeftOut) {
  const auto block = mine({
      make_tx(wallet(0), wallet(1).address, {.nonce = 5}),
      make_tx(wallet(0), wallet(1).address, {.value = bnc(2000)}),
      make_tx(wallet(0), wallet(1).address, {.chain_id = 1}),
      make_tx(wallet(0), std::nullopt, {.data = Bytes(50'000), .gas_limit = 5'000'000}),
      make_tx(wallet(0), wallet(1).address, {.max_fee = uint256(999'999'999), .tip = 0}),
      make_tx(wallet(0), wallet(1).address, {.gas_limit = 20'999}),
      make_tx(wallet(90), wallet(1).address, {}),
      make_tx(wallet(0), wallet(1).address, {.nonce = 0, .type = 0}),
      make_tx(wallet(0), wallet(1).address, {.nonce = 0}),
      make_tx(wallet(0), wallet(1).address, {.nonce = 1}),
  });
  ASSERT_EQ(block->block.transactions.size(), 2u);
  EXPECT_EQ(block->block.transactions[0]->tx.type, 0);
  EXPECT_EQ(block->block.transactions[1]->tx.nonce, 1u);
}

TEST_F(LedgerTest, EveryHeaderFieldIsChecked) {
  mine({});
  const auto tx = make_tx(wallet(0), wallet(1).address, {.value = bnc(1)});
  const Block good =
      ledger_
          ->build(next_input(*ledger_,
                             {tx, make_tx(wallet(2), CounterContract().address(), {.data = {0}, .gas_limit = 90'000})}))
          .value();
  const auto refused = [&](const char* what, const std::function<void(Block&)>& change) {
    Block bad = good;
    change(bad);
    EXPECT_NE(bad.header.hash(), good.header.hash()) << what;
    const auto result = ledger_->validate(bad);
    EXPECT_FALSE(result.has_value()) << what;
    if (!result) EXPECT_NE(result.error().message, "") << what;
    EXPECT_FALSE(ledger_->commit(bad, {}).has_value()) << what;
  };
  const auto flip = [](auto& bytes) { bytes.bytes[5] ^= 1; };
  refused("parentHash", [&](Block& b) { flip(b.header.parent_hash); });
  refused("sha3Uncles", [&](Block& b) { flip(b.header.ommers_hash); });
  refused("miner", [&](Block& b) { flip(b.header.beneficiary); });
  refused("stateRoot", [&](Block& b) { flip(b.header.state_root); });
  refused("transactionsRoot", [&](Block& b) { flip(b.header.transactions_root); });
  refused("receiptsRoot", [&](Block& b) { flip(b.header.receipts_root); });
  refused("logsBloom", [&](Block& b) { flip(b.header.logs_bloom); });
  refused("number", [&](Block& b) { ++b.header.number; });
  refused("gasLimit", [&](Block& b) { ++b.header.gas_limit; });
  refused("gasUsed", [&](Block& b) { ++b.header.gas_used; });
  refused("timestamp", [&](Block& b) { b.header.timestamp = ledger_->head().timestamp; });
  refused("nonce", [&](Block& b) { b.header.nonce = 1ull << 32; });
  refused("baseFeePerGas", [&](Block& b) { b.header.base_fee += uint256(1); });
  refused("extraData", [&](Block& b) { b.header.extra_data.push_back(0); });
  const auto with_extra = [&](const std::function<void(ExtraData&)>& change) {
    return [change](Block& b) {
      ExtraData extra = ExtraData::decode(b.header.extra_data).value();
      change(extra);
      b.header.extra_data = extra.encode();
    };
  };
  refused("version", with_extra([](ExtraData& e) { e.version = 2; }));
  refused("validatorsHash", with_extra([&](ExtraData& e) { flip(e.validators_hash); }));
  refused("nextValidatorsHash", with_extra([&](ExtraData& e) { flip(e.next_validators_hash); }));
  refused("lastCommit", with_extra([&](ExtraData& e) { flip(e.last_commit); }));
  refused("proposer", with_extra([](ExtraData& e) { e.proposer = 4; }));
  EXPECT_TRUE(ledger_->commit(good, {}).has_value());
  EXPECT_EQ(ledger_->commit(good, {}).error().code, ErrorCode::kConflict);
}

TEST_F(LedgerTest, ABodyThatDoesNotFitItsHeaderIsRefused) {
  const auto tx = make_tx(wallet(0), wallet(1).address, {.value = bnc(1)});
  Block block = ledger_->build(next_input(*ledger_, {tx})).value();
  const Bytes wire = block.encode();
  for (const bool candidate_known : {true, false}) {
    if (!candidate_known) open();  // Forgets the candidate.
    Block bad = Block::decode(wire).value();
    bad.transactions.clear();
    EXPECT_FALSE(ledger_->validate(bad).has_value());
    bad = Block::decode(wire).value();
    bad.last_commit = {1};
    EXPECT_FALSE(ledger_->validate(bad).has_value());
    EXPECT_FALSE(ledger_->commit(bad, {}).has_value());
  }
  EXPECT_TRUE(ledger_->validate(Block::decode(wire).value()).has_value());
}

TEST_F(LedgerTest, SystemLogsAreFoundAndCommittedTo) {
  for (int i = 0; i < 3; ++i)
    mine({make_tx(wallet(0), CounterContract().address(),
                  {.nonce = static_cast<std::uint64_t>(i), .data = {0}, .gas_limit = 90'000})});
  const auto found = ledger_
                         ->logs({.from_block = 0,
                                 .to_block = 3,
                                 .addresses = {CounterContract().address()},
                                 .topics = {{CounterContract::topic()}}})
                         .value();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[3].transaction_hash, system_log_hash(3));
  EXPECT_EQ(found[3].transaction_index, 1u);
  EXPECT_EQ(found[3].log_index, 1u);
  EXPECT_EQ(found[3].block_hash, ledger_->head_hash());
  EXPECT_EQ(ledger_->storage(kFoundationAddress, system_logs_slot(), 2).value(), uint256());
  const Log& log = found[3].log;
  EXPECT_EQ(ledger_->storage(kFoundationAddress, system_logs_slot(), 3).value(),
            uint256::from_be(crypto::keccak256(encode_logs({log}))));
  const auto second = ledger_->logs({.from_block = 0, .to_block = 3, .topics = {{}, {log.topics[1]}}}).value();
  EXPECT_EQ(second.size(), 1u);
  EXPECT_EQ(ledger_->logs({.from_block = 0, .to_block = 3, .limit = 2}).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(ledger_->logs({.from_block = 0, .to_block = 9}).error().code, ErrorCode::kNotFound);
  EXPECT_TRUE(ledger_->logs({.from_block = 0, .to_block = 3, .addresses = {wallet(3).address}}).value().empty());
}

TEST_F(LedgerTest, CallsAtAnyHeightChangeNothing) {
  const Address counter = CounterContract().address();
  for (std::uint64_t i = 0; i < 40; ++i)
    mine({make_tx(wallet(0), counter, {.nonce = i, .data = {0}, .gas_limit = 90'000})});
  for (const bool reopened : {false, true}) {
    if (reopened) open();  // No undo records: history comes from the trie.
    for (const std::uint64_t n : {0ull, 1ull, 7ull, 8ull, 20ull, 39ull, 40ull}) {
      const auto reply = ledger_->call({.from = wallet(5).address, .to = counter}, n).value();
      EXPECT_TRUE(reply.success);
      EXPECT_EQ(uint256::from_be(reply.output), uint256(n));
      EXPECT_EQ(ledger_->storage(counter, 1, n).value(), uint256(n));
      EXPECT_EQ(ledger_->account(wallet(0).address, n).value().nonce, n);
    }
  }
  const auto reply = ledger_->call({.from = wallet(5).address, .to = counter, .data = {0}}, 40).value();
  EXPECT_EQ(uint256::from_be(reply.output), uint256(41));
  EXPECT_EQ(reply.gas_used, 26'004u);
  EXPECT_EQ(reply.logs.size(), 1u);
  EXPECT_EQ(ledger_->storage(counter, 0, 40).value(), uint256(40));
  EXPECT_FALSE(ledger_->call({.from = wallet(5).address, .to = counter, .gas = 20'000}, 40).has_value());
  EXPECT_TRUE(ledger_->call({.from = wallet(5).address}, 40).value().success);  // A creation without code.
  EXPECT_FALSE(ledger_->call({.from = wallet(55).address, .to = counter, .value = 1}, 40).has_value());
}

TEST_F(LedgerTest, CodeProofsAndContextAtAnyHeight) {
  const Address counter = CounterContract().address();
  for (std::uint64_t i = 0; i < 40; ++i)
    mine({make_tx(wallet(0), counter, {.nonce = i, .data = {0}, .gas_limit = 90'000})});
  const auto check = [](const Hash32& root, BytesView key, const std::vector<Bytes>& nodes) {
    auto shown = state::verify_proof(root, crypto::keccak256(key), nodes);
    EXPECT_TRUE(shown.has_value()) << shown.error().message;
    return shown.value_or(std::nullopt);
  };
  for (const std::uint64_t n : {0ull, 3ull, 39ull, 40ull}) {
    EXPECT_EQ(*ledger_->code(counter, n).value(), Bytes{0xfe});
    EXPECT_TRUE(ledger_->code(wallet(0).address, n).value()->empty());
    EXPECT_TRUE(ledger_->code(wallet(77).address, n).value()->empty());
    const Header header = ledger_->block(n).value()->block.header;
    const auto proof = ledger_->proof(counter, {0, 1, 99}, n).value();
    EXPECT_EQ(check(header.state_root, counter, proof.nodes), state::encode_account(proof.account));
    EXPECT_EQ(proof.account.storage_root, ledger_->account(counter, n).value().storage_root);
    ASSERT_EQ(proof.slots.size(), 3u);
    for (const auto& slot : proof.slots) {
      EXPECT_EQ(slot.value, slot.slot == uint256(99) ? uint256() : uint256(n));
      const auto shown = check(proof.account.storage_root, slot.slot.to_be(), slot.nodes);
      EXPECT_EQ(shown ? state::decode_slot_trie_value(*shown).value() : uint256(), slot.value);
    }
    const auto absent = ledger_->proof(wallet(77).address, {5}, n).value();
    EXPECT_EQ(check(header.state_root, wallet(77).address, absent.nodes), std::nullopt);
    EXPECT_TRUE(is_missing(absent.account));
    EXPECT_TRUE(absent.slots.at(0).nodes.empty());
    const BlockContext context = ledger_->context(n).value();
    EXPECT_EQ(context.number, n);
    EXPECT_EQ(context.base_fee, header.base_fee);
    EXPECT_EQ(context.randao, header.prev_randao);
    uint256 seen;
    EXPECT_TRUE(ledger_
                    ->with_state(n,
                                 [&](const StateView& view) -> Result<> {
                                   seen = view.storage({counter, 0});
                                   return {};
                                 })
                    .has_value());
    EXPECT_EQ(seen, uint256(n));
  }
  const auto refused =
      ledger_->with_state(7, [](const StateView&) -> Result<> { return fail(ErrorCode::kDenied, "as asked"); });
  EXPECT_EQ(refused.error().code, ErrorCode::kDenied);
  const BlockContext next = ledger_->context(41).value();
  EXPECT_EQ(next.timestamp, ledger_->head().timestamp + 1);
  EXPECT_EQ(next.base_fee, next_base_fee(ledger_->head(), genesis_));
  EXPECT_EQ(ledger_->context(42).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ledger_->proof(counter, {}, 41).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(ledger_->code(counter, 41).error().code, ErrorCode::kNotFound);
}

TEST_F(LedgerTest, ThousandRandomTransfersAgainstAMap) {
  std::mt19937_64 random(11);
  std::map<Address, uint256> model;
  for (unsigned i = 0; i < 8; ++i) model[wallet(i).address] = bnc(1000);
  std::map<Address, std::uint64_t> nonces;
  const Address miner = genesis_.bookkeepers[0].account;
  for (int block = 0; block < 25; ++block) {
    std::vector<TransactionPtr> txs;
    for (int i = 0; i < 40; ++i) {
      const Wallet from = wallet(static_cast<unsigned>(random() % 8));
      const Address to = wallet(static_cast<unsigned>(random() % 24)).address;
      txs.push_back(make_tx(from, to, {.nonce = nonces[from.address]++, .value = uint256(random() >> 8)}));
    }
    const auto stored = mine(txs);
    ASSERT_EQ(stored->block.transactions.size(), txs.size());
    for (const auto& tx : txs) {
      const uint256 fee = uint256(21'000) * tx->tx.effective_gas_price(stored->block.header.base_fee);
      model[tx->sender] -= fee + tx->tx.value;
      model[*tx->tx.to] += tx->tx.value;
      model[miner] += fee;
    }
    ASSERT_EQ(rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
  }
  for (const auto& [address, amount] : model) EXPECT_EQ(balance(address), amount);
}

TEST_F(LedgerTest, ReopensAtTheLastCommit) {
  for (std::uint64_t i = 0; i < 5; ++i) mine({make_tx(wallet(0), wallet(1).address, {.nonce = i, .value = 1})});
  const Hash32 head = ledger_->head_hash();
  // Built and validated but not committed: gone after a restart.
  ASSERT_TRUE(ledger_->build(next_input(*ledger_, {})).has_value());
  open();
  EXPECT_EQ(ledger_->head_hash(), head);
  EXPECT_EQ(ledger_->head().number, 5u);
  EXPECT_EQ(ledger_->block(head).value()->block.transactions.at(0)->sender, wallet(0).address);
  mine({make_tx(wallet(0), wallet(1).address, {.nonce = 5, .value = 1})});
  EXPECT_EQ(ledger_->receipts(3).value().size(), 1u);
}

TEST_F(LedgerTest, AKilledProcessLeavesAWholeBlock) {
  ledger_.reset();
  int pipe_ends[2];
  ASSERT_EQ(::pipe(pipe_ends), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto opened = open_ledger(folder_.path(), genesis_, registry_);
    if (!opened) ::_exit(1);
    for (std::uint64_t i = 0;; ++i) {
      auto block =
          (*opened)->build(next_input(**opened, {make_tx(wallet(0), wallet(1).address, {.nonce = i, .value = 1})}));
      if (!block || !(*opened)->commit(*block, Bytes{1})) ::_exit(1);
      const Hash32 hash = (*opened)->head_hash();
      if (::write(pipe_ends[1], hash.bytes.data(), hash.bytes.size()) != 32) ::_exit(1);
    }
  }
  ::close(pipe_ends[1]);
  Hash32 last;
  for (int i = 0; i < 12; ++i) ASSERT_EQ(::read(pipe_ends[0], last.bytes.data(), 32), 32);
  ::kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  while (::read(pipe_ends[0], last.bytes.data(), 32) == 32) {
  }
  ::close(pipe_ends[0]);
  open();
  // What was announced is there; at most the block that was being committed may follow it.
  const std::uint64_t announced = ledger_->block(last).value()->block.header.number;
  EXPECT_GE(announced, 12u);
  EXPECT_LE(ledger_->head().number, announced + 1);
  EXPECT_EQ(rebuilt_state_root(*ledger_).value(), ledger_->head().state_root);
  EXPECT_EQ(total_supply(*ledger_).value(), bnc(8000));
  EXPECT_EQ(ledger_->account(wallet(0).address, ledger_->head().number).value().nonce, ledger_->head().number);
}

TEST_F(LedgerTest, RefusesAnotherGenesisASecondOpenerAndDamage) {
  mine({});
  EXPECT_EQ(open_ledger(folder_.path(), genesis_, registry_, test_options()).error().code, ErrorCode::kConflict);
  ledger_.reset();
  Genesis other = genesis_;
  other.market.settle_interval_s = 11;
  const auto mismatch = open_ledger(folder_.path(), other, registry_, test_options());
  ASSERT_FALSE(mismatch.has_value());
  EXPECT_EQ(mismatch.error().code, ErrorCode::kConflict);
  EXPECT_NE(mismatch.error().message.find("another genesis"), std::string::npos);
  std::ofstream(folder_.path() + "/CURRENT", std::ios::trunc) << "no manifest\n";
  EXPECT_EQ(open_ledger(folder_.path(), genesis_, registry_, test_options()).error().code, ErrorCode::kCorrupt);
}

TEST_F(LedgerTest, ListenersHearEachHead) {
  std::vector<std::uint64_t> heard;
  const auto id = ledger_->subscribe([&](std::shared_ptr<const StoredBlock> block) {
    heard.push_back(block->block.header.number);
    EXPECT_EQ(ledger_->head().number, block->block.header.number);
  });
  mine({});
  mine({});
  ledger_->unsubscribe(id);
  mine({});
  EXPECT_EQ(heard, (std::vector<std::uint64_t>{1, 2}));
}

}  // namespace
}  // namespace bonus::chain::ledger
