// The runner of block tests: the first blocks of execution-apis' chain as a test file, payloads of the engine API, and
// files that must fail.
#include "bonus/chain/eth/blocktest.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>

#include <boost/json.hpp>

#include "bonus/chain/eth/chain_testing.hpp"

namespace bonus::chain::eth {
namespace {

namespace json = boost::json;
using ::testing::HasSubstr;

json::object header_json(const Header& h) {
  json::object out;
  out["parentHash"] = to_hex0x(h.parent_hash);
  out["uncleHash"] = to_hex0x(h.ommers_hash);
  out["coinbase"] = to_hex0x(h.beneficiary);
  out["stateRoot"] = to_hex0x(h.state_root);
  out["transactionsTrie"] = to_hex0x(h.transactions_root);
  out["receiptTrie"] = to_hex0x(h.receipts_root);
  out["bloom"] = to_hex0x(h.logs_bloom);
  out["difficulty"] = h.difficulty.to_quantity();
  out["number"] = uint256(h.number).to_quantity();
  out["gasLimit"] = uint256(h.gas_limit).to_quantity();
  out["gasUsed"] = uint256(h.gas_used).to_quantity();
  out["timestamp"] = uint256(h.timestamp).to_quantity();
  out["extraData"] = to_hex0x(h.extra_data);
  out["mixHash"] = to_hex0x(h.prev_randao);
  out["nonce"] = fmt::format("0x{:016x}", h.nonce);
  if (h.has(HeaderForm::kLondon)) out["baseFeePerGas"] = h.base_fee.to_quantity();
  if (h.has(HeaderForm::kShanghai)) out["withdrawalsRoot"] = to_hex0x(h.withdrawals_root);
  if (h.has(HeaderForm::kCancun)) {
    out["blobGasUsed"] = uint256(h.blob_gas_used).to_quantity();
    out["excessBlobGas"] = uint256(h.excess_blob_gas).to_quantity();
    out["parentBeaconBlockRoot"] = to_hex0x(h.parent_beacon_root);
  }
  if (h.has(HeaderForm::kPrague)) out["requestsHash"] = to_hex0x(h.requests_hash);
  out["hash"] = to_hex0x(h.hash());
  return out;
}

json::object file_of(json::object test) {
  json::object out;
  out["test"] = std::move(test);
  return out;
}

std::optional<std::string> run(const json::object& test) {
  const auto tests = read_block_tests(json::serialize(file_of(test)));
  if (!tests) return tests.error().message;
  return run_block_test(tests->at(0));
}

/// Blocks 1 to 5 of execution-apis' chain: Homestead, and EIP-150 from the third on.
json::object first_blocks(const testing::ChainFiles& files) {
  json::object test;
  test["network"] = "HomesteadToEIP150At3";
  json::object config;
  config["chainid"] = fmt::format("0x{:x}", files.genesis.config.chain_id);
  test["config"] = std::move(config);
  test["genesisBlockHeader"] = header_json(files.genesis.header);
  test["genesisRLP"] = to_hex0x(encode_ethereum_block(files.genesis.block()));
  test["pre"] = write_alloc(files.genesis.alloc);
  json::array blocks;
  const auto raw = files.blocks();
  for (std::size_t i = 0; i < 5; ++i) {
    json::object block;
    block["rlp"] = to_hex0x(raw[i]);
    const Header header = decode_ethereum_block(raw[i]).value().block.header;
    block["blockHeader"] = header_json(header);
    test["lastblockhash"] = to_hex0x(header.hash());
    test["postStateHash"] = to_hex0x(header.state_root);
    blocks.emplace_back(std::move(block));
  }
  test["blocks"] = std::move(blocks);
  return test;
}

class BlockTests : public ::testing::Test {
 protected:
  void SetUp() override {
    BONUS_NEED_VECTORS(testing::kExecutionApis, testing::kExecutionApisFiles);
    files_ = testing::load_execution_apis();
    test_ = first_blocks(files_);
  }
  testing::ChainFiles files_;
  json::object test_;
};

TEST_F(BlockTests, BlocksOfThePublishedChainPass) {
  const auto wrong = run(test_);
  EXPECT_FALSE(wrong.has_value()) << *wrong;
}

TEST_F(BlockTests, WhatIsWrongIsNamed) {
  auto test = test_;
  test["lastblockhash"] = to_hex0x(Hash32());
  EXPECT_THAT(run(test).value_or(""), HasSubstr("the head is"));
  test = test_;
  test["network"] = "Frontier";  // other gas rules
  EXPECT_THAT(run(test).value_or(""), HasSubstr("was refused"));
  test = test_;
  test["postStateHash"] = to_hex0x(Hash32());
  EXPECT_THAT(run(test).value_or(""), HasSubstr("postStateHash"));
  test = test_;
  json::object post = write_alloc(files_.genesis.alloc);
  test["postState"] = post;
  EXPECT_THAT(run(test).value_or(""), HasSubstr("account 0x"));
  test = test_;
  test["blocks"].as_array()[1].as_object()["expectException"] = "BlockException.INVALID_STATE_ROOT";
  EXPECT_THAT(run(test).value_or(""), HasSubstr("was accepted, must be refused: BlockException.INVALID_STATE_ROOT"));
  test = test_;
  test["genesisBlockHeader"].as_object()["gasLimit"] = "0x1";
  EXPECT_THAT(run(test).value_or(""), HasSubstr("genesis header"));
  test = test_;
  test.erase("pre");
  EXPECT_THAT(run(test).value_or(""), HasSubstr("test: pre is missing"));
}

TEST_F(BlockTests, RefusedBlocksLeaveTheChainAsItWas) {
  auto test = test_;
  auto& blocks = test["blocks"].as_array();
  Block bad = with_senders(decode_ethereum_block(files_.blocks()[2]).value(), files_.genesis.config).value();
  bad.header.state_root = Hash32();
  json::object refused;
  refused["rlp"] = to_hex0x(encode_ethereum_block(bad));
  refused["expectException"] = "BlockException.INVALID_STATE_ROOT";
  json::object broken;
  broken["rlp"] = "0xc0";  // without blockHeader: the older way to say that it must be refused
  blocks.insert(blocks.begin() + 2, std::move(refused));
  blocks.insert(blocks.begin() + 2, std::move(broken));
  const auto wrong = run(test);
  EXPECT_FALSE(wrong.has_value()) << *wrong;
}

TEST_F(BlockTests, UnknownNetworksAreNotRun) {
  test_["network"] = "HomesteadToDaoAt5";
  EXPECT_FALSE(read_block_tests(json::serialize(file_of(test_)))->at(0).known_network);
}

/// Two Cancun blocks with a transfer and withdrawals, as payloads.
class EngineTests : public ::testing::Test {
 protected:
  static constexpr crypto::SecretKey256 kKey = {{7}};
  void SetUp() override {
    const ChainConfig config = ChainConfig::of_network("Cancun").value();
    Alloc alloc;
    alloc[crypto::address_of(kKey).value()].balance = uint256(1'000'000'000'000'000'000);
    const auto state = make_genesis_state(alloc).value();
    Header genesis;
    genesis.form = HeaderForm::kCancun;
    genesis.ommers_hash = kEmptyOmmersHash;
    genesis.transactions_root = genesis.receipts_root = kEmptyTrieRoot;
    genesis.state_root = state.root;
    genesis.gas_limit = 30'000'000;
    genesis.base_fee = uint256(7);
    MemoryChain chain(config, genesis, state);
    test_["network"] = "Cancun";
    test_["genesisBlockHeader"] = header_json(genesis);
    test_["pre"] = write_alloc(alloc);
    json::array payloads;
    for (std::uint64_t nonce = 0; nonce < 2; ++nonce) {
      Transaction tx;
      tx.chain_id = 1;
      tx.nonce = nonce;
      tx.max_fee = tx.max_priority_fee = uint256(1'000);
      tx.gas_limit = 21'000;
      tx.to = Address{{9}};
      tx.value = uint256(5);
      EXPECT_TRUE(sign_transaction(tx, kKey).has_value());
      const Block block = testing::next_block(chain, {recover(tx).value()}, {{nonce, 1, Address{{8}}, 2}});
      EXPECT_TRUE(chain.add(encode_ethereum_block(block)).has_value());
      payloads.emplace_back(payload(block));
    }
    test_["engineNewPayloads"] = std::move(payloads);
    test_["lastblockhash"] = to_hex0x(chain.head().hash);
  }
  static json::object payload(const Block& block) {
    const Header& h = block.header;
    json::object p = header_json(h);
    p["feeRecipient"] = to_hex0x(h.beneficiary);
    p["receiptsRoot"] = to_hex0x(h.receipts_root);
    p["logsBloom"] = to_hex0x(h.logs_bloom);
    p["prevRandao"] = to_hex0x(h.prev_randao);
    p["blockNumber"] = uint256(h.number).to_quantity();
    p["blockHash"] = to_hex0x(h.hash());
    json::array transactions;
    for (const auto& tx : block.transactions) transactions.emplace_back(to_hex0x(tx->tx.encode()));
    p["transactions"] = std::move(transactions);
    json::array withdrawals;
    for (const Withdrawal& w : block.withdrawals) {
      json::object one;
      one["index"] = uint256(w.index).to_quantity();
      one["validatorIndex"] = uint256(w.validator).to_quantity();
      one["address"] = to_hex0x(w.address);
      one["amount"] = uint256(w.amount_gwei).to_quantity();
      withdrawals.emplace_back(std::move(one));
    }
    p["withdrawals"] = std::move(withdrawals);
    json::object out;
    out["newPayloadVersion"] = "3";
    out["params"] = json::array{p, json::array(), to_hex0x(h.parent_beacon_root)};
    return out;
  }
  json::object& call(std::size_t index) { return test_["engineNewPayloads"].as_array()[index].as_object(); }
  json::object test_;
};

TEST_F(EngineTests, PayloadsPass) {
  const auto wrong = run(test_);
  EXPECT_FALSE(wrong.has_value()) << *wrong;
}

TEST_F(EngineTests, CallsThatMakeNoBlockAreRefused) {
  call(0)["newPayloadVersion"] = "4";
  EXPECT_THAT(run(test_).value_or(""), HasSubstr("engine_newPayloadV4 is not for Cancun"));
  call(0)["newPayloadVersion"] = "3";
  call(0)["params"].as_array()[1] = json::array{to_hex0x(Hash32())};
  EXPECT_THAT(run(test_).value_or(""), HasSubstr("blob hashes"));
  call(0)["params"].as_array()[1] = json::array();
  auto& payload = call(0)["params"].as_array()[0].as_object();
  payload["gasUsed"] = "0x1";
  EXPECT_THAT(run(test_).value_or(""), HasSubstr("blockHash"));
}

TEST_F(EngineTests, AnExpectedErrorMustCome) {
  call(1)["validationError"] = "BlockException.INVALID_GAS_USED";
  EXPECT_THAT(run(test_).value_or(""), HasSubstr("block 1 was accepted"));
}

}  // namespace
}  // namespace bonus::chain::eth
