// Transactions, headers, blocks, receipts and bloom filters: round trips, refusals, known values.
#include "bonus/chain/api/types.hpp"

#include <gtest/gtest.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

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
  if (type == 1) tx.max_priority_fee = tx.max_fee;
  if (type != 0) {
    Transaction::AccessEntry entry;
    entry.address = *tx.to;
    entry.keys = {Hash32{}, Hash32{}};
    tx.access_list = {entry, {}};
  }
  if (type == 3) {
    tx.max_fee_per_blob_gas = uint256(5);
    tx.blob_hashes = {crypto::keccak256(Bytes{1}), Hash32{}};
  }
  if (type == 4) {
    Authorization item;
    item.chain_id = ~uint256();
    item.nonce = UINT64_MAX;
    item.y_parity = 255;
    item.r = uint256(3);
    tx.authorizations = {item, {}};
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
  for (std::uint8_t type = 0; type <= 4; ++type) {
    for (const bool creation : {false, true}) {
      if (creation && type > 2) continue;
      Transaction tx = sample(type);
      if (creation) tx.to.reset();
      ASSERT_TRUE(sign_transaction(tx, key(0x11)).has_value());
      const Bytes raw = tx.encode();
      const Transaction back = Transaction::decode(raw).value();
      EXPECT_EQ(back.encode(), raw);
      EXPECT_EQ(back.hash(), crypto::keccak256(raw));
      EXPECT_EQ(back.chain_id, 7667u);
      EXPECT_EQ(back.access_list.size(), tx.access_list.size());
      EXPECT_EQ(back.max_priority_fee, tx.max_priority_fee);
      EXPECT_EQ(back.blob_hashes, tx.blob_hashes);
      EXPECT_EQ(back.max_fee_per_blob_gas, tx.max_fee_per_blob_gas);
      ASSERT_EQ(back.authorizations.size(), tx.authorizations.size());
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
  EXPECT_EQ(Transaction::decode(Bytes{5, 0xc0}).error().code, ErrorCode::kUnsupported);
  EXPECT_EQ(Transaction::decode(Bytes{0, 0xc0}).error().code, ErrorCode::kUnsupported);
  tx = sample(4);
  tx.to.reset();
  EXPECT_TRUE(refused(tx));
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

TEST(Transaction, BlobsAreNotDecoded) {
  // EIP-4844, network form: 0x03 || rlp([[fields...], blobs, commitments, proofs]).
  rlp::Encoder e;
  e.begin_list().raw(BytesView(sample(3).encode()).subspan(1)).begin_list().end_list().begin_list().end_list();
  e.begin_list().end_list().end_list();
  Bytes raw{3};
  append(raw, e.take());
  EXPECT_NE(Transaction::decode(raw).error().message.find("network form"), std::string::npos);
}

TEST(Authorization, Recovers) {
  Authorization item;
  item.chain_id = uint256(1);
  item.address.bytes.fill(0x11);
  item.nonce = 7;
  // keccak(0x05 || rlp([1, 0x11..11, 7])), the list written out by hand.
  Bytes written{0x05, 0xd7, 0x01, 0x94};
  append(written, Bytes(20, 0x11));
  written.push_back(7);
  EXPECT_EQ(item.signing_hash(), crypto::keccak256(written));
  const auto signature = crypto::secp256k1_sign(key(0x33), item.signing_hash()).value();
  item.r = uint256::from_be(signature.r);
  item.s = uint256::from_be(signature.s);
  item.y_parity = signature.recovery;
  EXPECT_EQ(item.authority().value(), crypto::address_of(key(0x33)).value());
  Authorization bad = item;
  bad.y_parity = 2;
  EXPECT_FALSE(bad.authority().has_value());
  bad = item;
  bad.s = uint256(0);
  EXPECT_FALSE(bad.authority().has_value());
  bad = item;
  bad.s = uint256(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xBAAEDCE6AF48A03B, 0xBFD25E8CD0364141) - item.s;
  bad.y_parity ^= 1;
  EXPECT_FALSE(bad.authority().has_value());  // the same point, but s in the upper half
}

TEST(Rules, HighSBeforeHomesteadOnly) {
  Transaction tx = sample(0);
  tx.chain_id = 0;
  ASSERT_TRUE(sign_transaction(tx, key(0x11)).has_value());
  tx.signature.s = (uint256(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xBAAEDCE6AF48A03B, 0xBFD25E8CD0364141) -
                    uint256::from_be(tx.signature.s))
                       .to_be();
  tx.signature.recovery ^= 1;
  EXPECT_EQ(sender_under(tx, Revision::kFrontier).value(), crypto::address_of(key(0x11)).value());
  EXPECT_FALSE(sender_under(tx, Revision::kHomestead).has_value());
}

TEST(Rules, TypesAndFieldsByFork) {
  const auto refusal = [](std::uint8_t type, Revision revision, auto&& change) {
    Transaction tx = sample(type);
    tx.gas_limit = 200'000;
    for (auto& hash : tx.blob_hashes) hash.bytes[0] = 1;
    change(tx);
    const auto checked = check_rules_under(tx, revision, 7667);
    return checked ? std::string() : checked.error().message;
  };
  const auto same = [](Transaction&) {};
  constexpr std::array<Revision, 5> kSince{Revision::kSpuriousDragon, Revision::kBerlin, Revision::kLondon,
                                           Revision::kCancun, Revision::kPrague};
  for (std::uint8_t type = 0; type <= 4; ++type) {
    for (std::size_t i = 0; i < kRevisionCount; ++i) {
      const auto revision = static_cast<Revision>(i);
      EXPECT_EQ(refusal(type, revision, same).empty(), revision >= kSince[type])
          << int{type} << " " << to_string(revision) << " " << refusal(type, revision, same);
    }
  }
  using enum Revision;
  const auto blobs = [](std::size_t n) {
    return [n](Transaction& tx) {
      Hash32 hash;
      hash.bytes[0] = 1;
      tx.blob_hashes.assign(n, hash);
    };
  };
  EXPECT_EQ(refusal(3, kCancun, blobs(6)), "");
  EXPECT_NE(refusal(3, kCancun, blobs(7)), "");
  EXPECT_EQ(refusal(3, kPrague, blobs(9)), "");
  EXPECT_NE(refusal(3, kOsaka, blobs(7)), "");
  EXPECT_NE(refusal(3, kOsaka, blobs(0)), "");
  EXPECT_NE(refusal(3, kOsaka, [](Transaction& tx) { tx.blob_hashes[1].bytes[0] = 2; }), "");
  EXPECT_NE(refusal(3, kOsaka, [](Transaction& tx) { tx.to.reset(); }), "");
  EXPECT_NE(refusal(4, kOsaka, [](Transaction& tx) { tx.to.reset(); }), "");
  EXPECT_NE(refusal(4, kOsaka, [](Transaction& tx) { tx.authorizations.clear(); }), "");
  const auto large = [](Transaction& tx) { tx.gas_limit = kMaxTransactionGas + 1; };
  EXPECT_EQ(refusal(2, kPrague, large), "");
  EXPECT_NE(refusal(2, kOsaka, large), "");
  // 21000 + 40 * 1000 is asked from Prague on; 21000 + 16 * 1000 + the access list before.
  const auto floor = [](Transaction& tx) {
    tx.data.assign(1000, 1);
    tx.gas_limit = 60'000;
  };
  EXPECT_EQ(refusal(2, kCancun, floor), "");
  EXPECT_NE(refusal(2, kPrague, floor).find("floor data gas"), std::string::npos);
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
  for (const std::uint8_t type : {std::uint8_t{1}, std::uint8_t{3}, std::uint8_t{4}}) {
    receipt.type = type;
    EXPECT_EQ(receipt.encode()[0], type);
    EXPECT_TRUE(std::ranges::equal(BytesView(receipt.encode()).subspan(1), BytesView(raw).subspan(1)));
  }
  // Before Byzantium: the root of the state after the transaction, whatever `success` says.
  receipt.type = 0;
  receipt.state_root = kEmptyTrieRoot;
  const Bytes old = receipt.encode();
  EXPECT_EQ(to_hex(BytesView(old).first(4)), "f90128a0");
  EXPECT_EQ(to_hex(BytesView(old).subspan(4, 32)), to_hex(kEmptyTrieRoot));
  receipt.success = false;
  EXPECT_EQ(receipt.encode(), old);
}

}  // namespace
}  // namespace bonus::chain
