// Transactions, headers, blocks, receipts and bloom filters: round trips, refusals, known values, ethereum/tests.
#include "bonus/chain/api/types.hpp"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"
#include "tests/support/vectors.hpp"

namespace bonus::chain {
namespace {

namespace json = boost::json;

constexpr const char* kVectors = "../shared/vectors/ethereum-tests/TransactionTests";

crypto::SecretKey256 key(std::uint8_t byte) {
  crypto::SecretKey256 out;
  out.bytes.fill(byte);
  return out;
}

Transaction sample(std::uint8_t type) {
  Transaction tx;
  tx.type = type;
  tx.chain_id = 7667;
  tx.nonce = 9;
  tx.max_fee = uint256(20'000'000'000ULL);
  tx.max_priority_fee = type == 0 ? tx.max_fee : uint256(3);
  tx.gas_limit = 50'000;
  tx.to = Address{};
  tx.to->bytes.fill(0x35);
  tx.value = uint256(1'000'000'000'000'000'000ULL);
  tx.data = {0, 1, 2};
  if (type == 2) {
    Transaction::AccessEntry entry;
    entry.address = *tx.to;
    entry.keys = {Hash32{}, Hash32{}};
    tx.access_list = {entry, {}};
  }
  return tx;
}

/// The signed example of EIP-155 itself.
TEST(Transaction, Eip155Example) {
  Transaction tx;
  tx.type = 0;
  tx.chain_id = 1;
  tx.nonce = 9;
  tx.max_fee = tx.max_priority_fee = uint256(20'000'000'000ULL);
  tx.gas_limit = 21'000;
  tx.to = Address{};
  tx.to->bytes.fill(0x35);
  tx.value = uint256(1'000'000'000'000'000'000ULL);
  EXPECT_EQ(to_hex(tx.signing_hash()), "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53");
  ASSERT_TRUE(sign_transaction(tx, key(0x46)).has_value());
  EXPECT_EQ(
      to_hex(tx.encode()),
      "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195"
      "fe537567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d"
      "83");
  EXPECT_EQ(tx.sender().value(), crypto::address_of(key(0x46)).value());
}

TEST(Transaction, RoundTrip) {
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{2}}) {
    for (const bool creation : {false, true}) {
      Transaction tx = sample(type);
      if (creation) tx.to.reset();
      ASSERT_TRUE(sign_transaction(tx, key(0x11)).has_value());
      const Bytes raw = tx.encode();
      const Transaction back = Transaction::decode(raw).value();
      EXPECT_EQ(back.encode(), raw);
      EXPECT_EQ(back.hash(), crypto::keccak256(raw));
      EXPECT_EQ(back.chain_id, 7667u);
      EXPECT_EQ(back.access_list.size(), tx.access_list.size());
      EXPECT_EQ(back.sender().value(), crypto::address_of(key(0x11)).value());
      for (std::size_t cut = 0; cut < raw.size(); ++cut)
        EXPECT_FALSE(Transaction::decode(BytesView(raw).first(cut)).has_value()) << cut;
      Bytes longer = raw;
      longer.push_back(0);
      EXPECT_FALSE(Transaction::decode(longer).has_value());
    }
  }
}

TEST(Transaction, UnprotectedLegacyHasChainIdZero) {
  Transaction tx = sample(0);
  tx.chain_id = 0;
  ASSERT_TRUE(sign_transaction(tx, key(0x11)).has_value());
  const Transaction back = Transaction::decode(tx.encode()).value();
  EXPECT_EQ(back.chain_id, 0u);
  EXPECT_EQ(back.sender().value(), crypto::address_of(key(0x11)).value());
  EXPECT_FALSE(check_static(back, 7667, 60'000'000).has_value());
}

TEST(Transaction, Refusals) {
  const auto refused = [](Transaction tx) { return !Transaction::decode(tx.encode()).has_value(); };
  Transaction tx = sample(2);
  tx.nonce = UINT64_MAX;
  EXPECT_TRUE(refused(tx));
  tx = sample(2);
  tx.max_priority_fee = tx.max_fee + uint256(1);
  EXPECT_TRUE(refused(tx));
  tx = sample(2);
  tx.max_fee = ~uint256();
  EXPECT_TRUE(refused(tx));
  tx = sample(2);
  tx.data.resize(kMaxTransactionBytes);
  EXPECT_EQ(Transaction::decode(tx.encode()).error().message.find("oversized data"), 0u);
  EXPECT_EQ(Transaction::decode(Bytes{3, 0xc0}).error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(Transaction::decode({}).has_value());
  // v = 35: chain id 0 in EIP-155 form, which would not encode back to the same bytes.
  rlp::Encoder e;
  e.begin_list().number(std::uint64_t{0}).number(std::uint64_t{1}).number(std::uint64_t{21000}).bytes(Bytes(20, 1));
  e.number(std::uint64_t{0})
      .bytes({})
      .number(std::uint64_t{35})
      .number(std::uint64_t{1})
      .number(std::uint64_t{1})
      .end_list();
  EXPECT_FALSE(Transaction::decode(e.take()).has_value());
}

TEST(Transaction, StaticChecksSayWhatGethSays) {
  const auto message = [](const Transaction& tx) { return check_static(tx, 7667, 60'000'000).error().message; };
  EXPECT_TRUE(check_static(sample(2), 7667, 60'000'000).has_value());
  Transaction tx = sample(2);
  tx.chain_id = 5;
  EXPECT_NE(message(tx).find("invalid chain id for signer"), std::string::npos);
  tx = sample(2);
  tx.gas_limit = 21'000;
  EXPECT_NE(message(tx).find("intrinsic gas too low"), std::string::npos);
  tx.gas_limit = 60'000'001;
  EXPECT_EQ(message(tx), "transaction gas limit too high (cap: 16777216, tx: 60000001)");
  tx.gas_limit = kMaxTransactionGas;
  EXPECT_TRUE(check_static(tx, 7667, 60'000'000).has_value());
  EXPECT_NE(check_static(tx, 7667, 16'777'215).error().message.find("exceeds block gas limit"), std::string::npos);
  tx = sample(2);
  tx.to.reset();
  EXPECT_NE(message(tx).find("intrinsic gas too low"), std::string::npos);  // 32000 more
  tx.gas_limit = 100'000;
  EXPECT_TRUE(check_static(tx, 7667, 60'000'000).has_value());
  tx.data.resize(kMaxInitCodeBytes + 1);
  EXPECT_EQ(message(tx), "max initcode size exceeded: code size 49153, limit 49152");
  tx = sample(2);
  tx.type = 4;
  EXPECT_EQ(message(tx), "set code tx must have at least one authorization tuple");
  tx.authorizations.resize(1);
  EXPECT_NE(message(tx).find("intrinsic gas too low"), std::string::npos);
  tx.gas_limit = 100'000;
  EXPECT_TRUE(check_static(tx, 7667, 60'000'000).has_value());
  tx.to.reset();
  EXPECT_EQ(message(tx), "EIP-7702 transaction cannot be used to create contract");
  tx = sample(2);
  tx.type = 3;
  EXPECT_NE(message(tx).find("no blob carriers"), std::string::npos);
  // 21000 + 4 * (1 + 2 * 4) + 2 * 2400 + 2 * 1900
  EXPECT_EQ(intrinsic_gas(sample(2)), 21'000u + 36 + 4'800 + 3'800);
  EXPECT_EQ(floor_gas(sample(2)), 21'000u + 90);
}

TEST(Transaction, EffectiveGasPrice) {
  Transaction tx = sample(2);
  EXPECT_EQ(tx.effective_gas_price(uint256(100)), uint256(103));
  EXPECT_EQ(tx.effective_gas_price(tx.max_fee), tx.max_fee);
  tx = sample(0);
  EXPECT_EQ(tx.effective_gas_price(uint256(100)), tx.max_fee);
}

TEST(BaseFee, Eip1559) {
  Genesis genesis;
  genesis.base_fee = uint256(1'000'000'000);
  genesis.min_base_fee = uint256(7);
  Header parent;
  parent.gas_limit = 60'000'000;
  EXPECT_EQ(next_base_fee(parent, genesis), genesis.base_fee);
  parent.number = 1;
  parent.base_fee = uint256(1'000'000'000);
  parent.gas_used = 30'000'000;
  EXPECT_EQ(next_base_fee(parent, genesis), parent.base_fee);
  parent.gas_used = 60'000'000;
  EXPECT_EQ(next_base_fee(parent, genesis), uint256(1'125'000'000));
  parent.gas_used = 0;
  EXPECT_EQ(next_base_fee(parent, genesis), uint256(875'000'000));
  parent.gas_used = 45'000'000;
  EXPECT_EQ(next_base_fee(parent, genesis), uint256(1'062'500'000));
  parent.base_fee = uint256(7);
  EXPECT_EQ(next_base_fee(parent, genesis), uint256(8));  // at least one wei up
  parent.gas_used = 0;
  EXPECT_EQ(next_base_fee(parent, genesis), uint256(7));
  parent.base_fee = ~uint256();
  parent.gas_used = 60'000'000;
  EXPECT_EQ(next_base_fee(parent, genesis), ~uint256());
}

Header sample_header() {
  Header h;
  h.ommers_hash = kEmptyOmmersHash;
  h.parent_hash = crypto::keccak256(Bytes{1});
  h.beneficiary.bytes.fill(7);
  h.state_root = crypto::keccak256(Bytes{2});
  h.transactions_root = h.receipts_root = kEmptyTrieRoot;
  h.number = 12;
  h.gas_limit = 60'000'000;
  h.gas_used = 21'000;
  h.timestamp = 1'700'000'012;
  ExtraData extra;
  extra.proposer = 3;
  h.extra_data = extra.encode();
  h.nonce = 0x0102;
  h.base_fee = uint256(7);
  return h;
}

TEST(Header, RoundTripAndPragueFields) {
  const Header h = sample_header();
  const Bytes raw = h.encode();
  EXPECT_EQ(Header::decode(raw).value().encode(), raw);
  EXPECT_EQ(Header::decode(raw).value().hash(), h.hash());
  rlp::Decoder outer(raw);
  rlp::Decoder d = outer.list().value();
  std::size_t items = 0;
  while (!d.at_end()) {
    ASSERT_TRUE(d.raw_item().has_value());
    ++items;
  }
  EXPECT_EQ(items, 21u);
  for (std::size_t cut = 0; cut < raw.size(); ++cut)
    EXPECT_FALSE(Header::decode(BytesView(raw).first(cut)).has_value());
  Header bad = h;
  bad.ommers_hash = {};
  EXPECT_FALSE(Header::decode(bad.encode()).has_value());
  bad = h;
  bad.extra_data.resize(2000);
  EXPECT_FALSE(Header::decode(bad.encode()).has_value());
}

TEST(Constants, AreTheHashesTheyNameIt) {
  EXPECT_EQ(kEmptyTrieRoot, crypto::keccak256(Bytes{0x80}));
  EXPECT_EQ(kEmptyOmmersHash, crypto::keccak256(Bytes{0xc0}));
  EXPECT_EQ(kEmptyCodeHash, crypto::keccak256(BytesView{}));
  EXPECT_EQ(kEmptyRequestsHash, crypto::sha256({}));
}

TEST(ExtraData, RoundTripAndVersion) {
  ExtraData extra;
  extra.vrf_proof.bytes.fill(1);
  extra.last_commit = kEmptyCodeHash;
  extra.proposer = 65535;
  const ExtraData back = ExtraData::decode(extra.encode()).value();
  EXPECT_EQ(back.encode(), extra.encode());
  extra.version = 2;
  EXPECT_EQ(ExtraData::decode(extra.encode()).error().code, ErrorCode::kUnsupported);
  EXPECT_FALSE(ExtraData::decode({}).has_value());
}

TEST(Block, RoundTripWithBothTypes) {
  Block block;
  block.header = sample_header();
  for (const std::uint8_t type : {std::uint8_t{0}, std::uint8_t{2}}) {
    Transaction tx = sample(type);
    ASSERT_TRUE(sign_transaction(tx, key(0x22)).has_value());
    block.transactions.push_back(recover(tx).value());
  }
  block.last_commit = {5, 6};
  const Bytes raw = block.encode();
  const Block back = Block::decode(raw).value();
  EXPECT_EQ(back.encode(), raw);
  EXPECT_EQ(back.transactions[1]->hash, block.transactions[1]->hash);
  EXPECT_EQ(back.transactions[0]->sender, crypto::address_of(key(0x22)).value());
  for (std::size_t cut = 0; cut < raw.size(); cut += 7)
    EXPECT_FALSE(Block::decode(BytesView(raw).first(cut)).has_value());
  // A transaction whose signature cannot be recovered.
  Transaction unsigned_tx = sample(2);
  block.transactions[0] = std::make_shared<const SenderTransaction>(SenderTransaction{unsigned_tx, {}, {}});
  EXPECT_FALSE(Block::decode(block.encode()).has_value());
  EXPECT_FALSE(Block::decode(Bytes(kMaxBlockBytes + 1, 0xc0)).has_value());
}

TEST(Bloom, KnownValue) {
  // Yellow Paper construction over the address 0x00..00 and one topic; checked bit by bit.
  Log log;
  log.topics = {kEmptyCodeHash};
  Bloom bloom;
  add_to_bloom(bloom, log);
  EXPECT_TRUE(bloom_may_contain(bloom, log.address));
  EXPECT_TRUE(bloom_may_contain(bloom, kEmptyCodeHash));
  EXPECT_FALSE(bloom_may_contain(bloom, kEmptyTrieRoot));
  int bits = 0;
  for (const std::uint8_t b : bloom.bytes) bits += std::popcount(b);
  EXPECT_LE(bits, 6);
  const Hash32 h = crypto::keccak256(log.address);
  const unsigned bit = ((unsigned{h.bytes[0]} << 8) | h.bytes[1]) & 2047;
  EXPECT_NE(bloom.bytes[255 - bit / 8] >> (bit % 8) & 1, 0);
}

TEST(Receipt, Encoding) {
  Receipt receipt;
  receipt.type = 2;
  receipt.success = true;
  receipt.cumulative_gas = 21'000;
  const Bytes raw = receipt.encode();
  EXPECT_EQ(raw[0], 2);
  EXPECT_EQ(to_hex(BytesView(raw).subspan(1, 8)), "f9010801825208b9");
  receipt.type = 0;
  EXPECT_EQ(receipt.encode().size() + 1, raw.size());
}

/// What ethereum/tests says of one transaction under the rules of Prague (or Cancun where Prague is not listed).
struct Expectation {
  bool valid = false;
  std::string hash, sender;
  std::uint64_t intrinsic = 0;
};
Expectation expectation(const json::object& result) {
  const json::value* fork = result.if_contains("Prague");
  if (fork == nullptr) fork = result.if_contains("Cancun");
  Expectation out;
  if (fork == nullptr || fork->get_object().contains("exception")) return out;
  out.valid = true;
  const auto text = [&](const char* name) { return std::string(fork->at(name).as_string()); };
  out.hash = text("hash").substr(2);
  out.sender = text("sender").substr(2);
  out.intrinsic = uint256::parse(text("intrinsicGas")).value().low64();
  return out;
}

TEST(EthereumTests, TransactionTests) {
  BONUS_NEED_VECTORS(kVectors, 210);
  std::size_t valid = 0, invalid = 0, other_types = 0, too_large = 0;
  for (const auto& file : std::filesystem::recursive_directory_iterator(kVectors)) {
    if (file.path().extension() != ".json") continue;
    std::ifstream in(file.path());
    const json::value suite = json::parse(std::string((std::istreambuf_iterator<char>(in)), {}));
    for (const auto& item : suite.as_object()) {
      if (!item.value().as_object().contains("txbytes")) continue;
      const auto raw = from_hex(std::string_view(item.value().at("txbytes").as_string()));
      ASSERT_TRUE(raw.has_value()) << file.path();
      const Expectation want = expectation(item.value().at("result").as_object());
      auto tx = Transaction::decode(*raw);
      // The vectors are for chain 1 and accept unprotected legacy transactions.
      const bool fits = tx.has_value() && tx->gas_limit >= intrinsic_gas(*tx) && tx->chain_id <= 1;
      const auto sender = fits ? tx->sender() : Result<Address>(fail(ErrorCode::kInvalid, ""));
      if (!want.valid) {
        EXPECT_FALSE(sender.has_value()) << file.path() << " " << item.key();
        ++invalid;
      } else if (raw->size() > kMaxTransactionBytes) {
        ++too_large;
      } else if (!raw->empty() && (*raw)[0] == 1) {
        ++other_types;
        EXPECT_FALSE(tx.has_value());
      } else {
        ASSERT_TRUE(sender.has_value()) << file.path() << (tx ? "" : tx.error().message);
        EXPECT_EQ(to_hex(*sender), want.sender) << file.path();
        EXPECT_EQ(to_hex(tx->hash()), want.hash) << file.path();
        EXPECT_EQ(tx->encode(), *raw) << file.path();
        EXPECT_EQ(intrinsic_gas(*tx), want.intrinsic) << file.path();
        ++valid;
      }
    }
  }
  std::printf("TransactionTests: %zu valid, %zu refused, skipped: %zu of type 1, %zu above the size limit\n", valid,
              invalid, other_types, too_large);
  EXPECT_GT(valid + invalid, 100u);
}

}  // namespace
}  // namespace bonus::chain
