// RLP of Ethereum's blocks.
#include "bonus/chain/api/ethereum_block.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

constexpr std::size_t kMaxExtraBytes = 1024;  ///< The rules allow 32; a tool wants to say so itself.

using Nonce = FixedBytes<8, struct EthereumNonceTag>;

template <class T>
Result<> read(T& out, Result<T> value, const char* field) {
  if (!value) return fail(std::move(value).error().wrap(fmt::format("header field {}", field)));
  out = *std::move(value);
  return {};
}

Result<> read_first_fields(Header& h, rlp::Decoder& d) {
  TRY(read(h.parent_hash, d.fixed<Hash32>(), "parentHash"));
  TRY(read(h.ommers_hash, d.fixed<Hash32>(), "sha3Uncles"));
  TRY(read(h.beneficiary, d.fixed<Address>(), "miner"));
  TRY(read(h.state_root, d.fixed<Hash32>(), "stateRoot"));
  TRY(read(h.transactions_root, d.fixed<Hash32>(), "transactionsRoot"));
  TRY(read(h.receipts_root, d.fixed<Hash32>(), "receiptsRoot"));
  TRY(read(h.logs_bloom, d.fixed<Bloom>(), "logsBloom"));
  TRY(read(h.difficulty, d.number256(), "difficulty"));
  TRY(read(h.number, d.number(), "number"));
  TRY(read(h.gas_limit, d.number(), "gasLimit"));
  TRY(read(h.gas_used, d.number(), "gasUsed"));
  TRY(read(h.timestamp, d.number(), "timestamp"));
  BytesView extra;
  TRY(read(extra, d.bytes(), "extraData"));
  if (extra.size() > kMaxExtraBytes) return fail(ErrorCode::kInvalid, "header field extraData: too long");
  h.extra_data.assign(extra.begin(), extra.end());
  TRY(read(h.prev_randao, d.fixed<Hash32>(), "mixHash"));
  Nonce nonce;
  TRY(read(nonce, d.fixed<Nonce>(), "nonce"));
  for (const std::uint8_t b : nonce.bytes) h.nonce = h.nonce << 8 | b;
  return {};
}

/// The fields that forks appended, as far as there are any: a header ends where a fork ends.
Result<HeaderForm> read_appended_fields(Header& h, rlp::Decoder& d) {
  if (d.at_end()) return HeaderForm::kFrontier;
  TRY(read(h.base_fee, d.number256(), "baseFeePerGas"));
  if (d.at_end()) return HeaderForm::kLondon;
  TRY(read(h.withdrawals_root, d.fixed<Hash32>(), "withdrawalsRoot"));
  if (d.at_end()) return HeaderForm::kShanghai;
  TRY(read(h.blob_gas_used, d.number(), "blobGasUsed"));
  TRY(read(h.excess_blob_gas, d.number(), "excessBlobGas"));
  TRY(read(h.parent_beacon_root, d.fixed<Hash32>(), "parentBeaconBlockRoot"));
  if (d.at_end()) return HeaderForm::kCancun;
  TRY(read(h.requests_hash, d.fixed<Hash32>(), "requestsHash"));
  return HeaderForm::kPrague;
}

Result<Header> decode_header(rlp::Decoder d) {
  Header h;
  TRY(read_first_fields(h, d));
  TRY_ASSIGN(h.form, read_appended_fields(h, d));
  if (!d.at_end()) return fail(ErrorCode::kInvalid, "header: more fields than any known fork has");
  return h;
}

std::string place(const char* part, std::size_t index) { return fmt::format("block {} {}", part, index); }

Result<Withdrawal> decode_withdrawal(rlp::Decoder d) {
  Withdrawal out;
  TRY_ASSIGN(out.index, d.number());
  TRY_ASSIGN(out.validator, d.number());
  TRY_ASSIGN(out.address, d.fixed<Address>());
  TRY_ASSIGN(out.amount_gwei, d.number());
  TRY(d.expect_end());
  return out;
}

Result<HashedTransaction> decode_item(rlp::Decoder& items) {
  const bool legacy = items.next_is_list();
  TRY_ASSIGN(const BytesView raw, legacy ? items.raw_item() : items.bytes());
  // A type-0 transaction is written as a list only: one encoding per block.
  if (!legacy && !raw.empty() && raw[0] >= 0xc0)
    return fail(ErrorCode::kInvalid, "a legacy transaction inside a byte string");
  TRY_ASSIGN(Transaction tx, decode_transaction(raw));
  return HashedTransaction{std::move(tx), crypto::keccak256(raw)};
}

/// A list inside the block: each item by `one`, which steps over it.
template <class T, class One>
Result<> read_list(std::vector<T>& out, rlp::Decoder& d, const char* part, One one) {
  auto items = d.list();
  if (!items) return fail(std::move(items).error().wrap(fmt::format("block {}s", part)));
  while (!items->at_end()) {
    auto item = one(*items);
    if (!item) return fail(std::move(item).error().wrap(place(part, out.size())));
    out.push_back(*std::move(item));
  }
  return {};
}

}  // namespace

Result<Header> decode_ethereum_header(BytesView in) {
  rlp::Decoder outer(in);
  auto list = outer.list();
  if (!list) return fail(std::move(list).error().wrap("header"));
  TRY(outer.expect_end());
  return decode_header(*list);
}

Result<BareEthereumBlock> decode_ethereum_block(BytesView in) {
  rlp::Decoder outer(in);
  auto list = outer.list();
  if (!list) return fail(std::move(list).error().wrap("block"));
  rlp::Decoder d = *list;
  TRY(outer.expect_end());
  BareEthereumBlock out;
  auto header = d.list();
  if (!header) return fail(std::move(header).error().wrap("block header"));
  TRY_ASSIGN(out.block.header, decode_header(*header));
  TRY(read_list(out.transactions, d, "transaction", decode_item));
  TRY(read_list(out.block.ommers, d, "ommer", [](rlp::Decoder& items) -> Result<Header> {
    TRY_ASSIGN(const rlp::Decoder fields, items.list());
    return decode_header(fields);
  }));
  if (!d.at_end()) {
    out.has_withdrawals = true;
    TRY(read_list(out.block.withdrawals, d, "withdrawal", [](rlp::Decoder& items) -> Result<Withdrawal> {
      TRY_ASSIGN(const rlp::Decoder fields, items.list());
      return decode_withdrawal(fields);
    }));
  }
  if (!d.at_end()) return fail(ErrorCode::kInvalid, "block: more parts than any known fork has");
  return out;
}

Bytes encode_ethereum_block(const Block& block) {
  rlp::Encoder e;
  e.begin_list().raw(block.header.encode()).begin_list();
  for (const auto& tx : block.transactions) e.raw(encode_in_list(tx->tx));
  e.end_list().begin_list();
  for (const Header& ommer : block.ommers) e.raw(ommer.encode());
  e.end_list();
  if (block.header.has(HeaderForm::kShanghai)) {
    e.begin_list();
    for (const Withdrawal& withdrawal : block.withdrawals) e.raw(encode_withdrawal(withdrawal));
    e.end_list();
  }
  e.end_list();
  return e.take();
}

Bytes encode_withdrawal(const Withdrawal& w) {
  rlp::Encoder e;
  e.begin_list().number(w.index).number(w.validator).bytes(w.address).number(w.amount_gwei).end_list();
  return e.take();
}

Hash32 ommers_hash(const std::vector<Header>& ommers) {
  rlp::Encoder e;
  e.begin_list();
  for (const Header& ommer : ommers) e.raw(ommer.encode());
  e.end_list();
  return crypto::keccak256(e.take());
}

}  // namespace bonus::chain
