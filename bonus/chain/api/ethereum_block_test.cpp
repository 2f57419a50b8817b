// Ethereum's blocks of every fork: what is written is what was read, and nothing else is accepted.
#include "bonus/chain/api/ethereum_block.hpp"

#include <gtest/gtest.h>

#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

constexpr std::array kForms{HeaderForm::kFrontier, HeaderForm::kLondon, HeaderForm::kShanghai, HeaderForm::kCancun,
                            HeaderForm::kPrague};

Header sample(HeaderForm form) {
  Header h;
  h.form = form;
  h.ommers_hash = kEmptyOmmersHash;
  h.beneficiary.bytes.fill(7);
  h.state_root = crypto::keccak256(Bytes{2});
  h.transactions_root = h.receipts_root = kEmptyTrieRoot;
  h.difficulty = uint256(131'072);
  h.number = 12;
  h.gas_limit = 60'000'000;
  h.timestamp = 1'700'000'012;
  h.extra_data = {1, 2};
  h.nonce = 0x0102030405060708;
  h.base_fee = uint256(7);
  h.withdrawals_root = crypto::keccak256(Bytes{3});
  h.blob_gas_used = 131'072;
  h.excess_blob_gas = 1;
  h.parent_beacon_root = crypto::keccak256(Bytes{4});
  h.requests_hash = crypto::keccak256(Bytes{5});
  return h;
}

TEST(EthereumHeader, HasTheFieldsOfItsFork) {
  for (const HeaderForm form : kForms) {
    const Bytes raw = sample(form).encode();
    rlp::Decoder outer(raw);
    rlp::Decoder d = outer.list().value();
    int items = 0;
    for (; !d.at_end(); ++items) ASSERT_TRUE(d.raw_item().has_value());
    EXPECT_EQ(items, static_cast<int>(form));
    const Header back = decode_ethereum_header(raw).value();
    EXPECT_EQ(back.form, form);
    EXPECT_EQ(back.encode(), raw);
    EXPECT_EQ(back.nonce, 0x0102030405060708u);
    for (std::size_t cut = 0; cut < raw.size(); ++cut)
      EXPECT_FALSE(decode_ethereum_header(BytesView(raw).first(cut)).has_value());
  }
}

TEST(EthereumHeader, RefusesFieldCountsOfNoFork) {
  for (std::size_t count = 14; count <= 22; ++count) {
    rlp::Encoder e;
    e.begin_list();
    const Bytes whole = sample(HeaderForm::kPrague).encode();
    rlp::Decoder outer(whole);
    rlp::Decoder d = outer.list().value();
    for (std::size_t i = 0; i < count; ++i) {
      if (d.at_end()) {
        e.number(std::uint64_t{0});
      } else {
        e.raw(d.raw_item().value());
      }
    }
    e.end_list();
    const bool known = count == 15 || count == 16 || count == 17 || count == 20 || count == 21;
    EXPECT_EQ(decode_ethereum_header(e.take()).has_value(), known) << count;
  }
}

TEST(EthereumBlock, RoundTripOfEveryFork) {
  for (const HeaderForm form : kForms) {
    Block block;
    block.header = sample(form);
    if (form < HeaderForm::kShanghai) block.ommers = {sample(form), sample(form)};
    if (form >= HeaderForm::kShanghai) block.withdrawals = {{1, 2, {}, 3}, {4, 5, {}, UINT64_MAX}};
    const Bytes raw = encode_ethereum_block(block);
    const auto back = decode_ethereum_block(raw).value();
    EXPECT_EQ(encode_ethereum_block(back.block), raw);
    EXPECT_EQ(back.has_withdrawals, form >= HeaderForm::kShanghai);
    EXPECT_EQ(back.block.ommers.size(), block.ommers.size());
    EXPECT_EQ(back.block.withdrawals.size(), block.withdrawals.size());
    for (std::size_t cut = 0; cut < raw.size(); ++cut)
      EXPECT_FALSE(decode_ethereum_block(BytesView(raw).first(cut)).has_value());
  }
  EXPECT_EQ(ommers_hash({}), kEmptyOmmersHash);
}

}  // namespace
}  // namespace bonus::chain
