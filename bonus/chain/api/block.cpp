// Headers (Prague), BonusChain's extra data, and blocks: docs/formats/block.md.
#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

constexpr std::size_t kMaxExtraBytes = 1024;
constexpr std::uint8_t kExtraVersion = 1;

using HeaderNonce = FixedBytes<8, struct HeaderNonceTag>;

HeaderNonce to_nonce(std::uint64_t value) {
  HeaderNonce out;
  for (unsigned i = 0; i < 8; ++i) out.bytes[7 - i] = static_cast<std::uint8_t>(value >> (8 * i));
  return out;
}

std::uint64_t from_nonce(const HeaderNonce& nonce) {
  std::uint64_t out = 0;
  for (const std::uint8_t b : nonce.bytes) out = out << 8 | b;
  return out;
}

template <class T>
Result<T> named(Result<T> value, const char* field) {
  if (!value) return fail(std::move(value).error().wrap(fmt::format("header field {}", field)));
  return value;
}

Result<> expect_hash(rlp::Decoder& d, const char* field, const Hash32& expected) {
  TRY_ASSIGN(const Hash32 value, named(d.fixed<Hash32>(), field));
  if (value != expected)
    return fail(ErrorCode::kInvalid, fmt::format("header field {}: must be {}", field, to_hex0x(expected)));
  return {};
}

Result<> expect_zero(rlp::Decoder& d, const char* field) {
  TRY_ASSIGN(const std::uint64_t value, named(d.number(), field));
  if (value != 0) return fail(ErrorCode::kInvalid, fmt::format("header field {}: must be 0", field));
  return {};
}

Result<Header> decode_fields(rlp::Decoder& d) {
  Header h;
  TRY_ASSIGN(h.parent_hash, named(d.fixed<Hash32>(), "parentHash"));
  TRY(expect_hash(d, "sha3Uncles", kEmptyOmmersHash));
  h.ommers_hash = kEmptyOmmersHash;
  TRY_ASSIGN(h.beneficiary, named(d.fixed<Address>(), "miner"));
  TRY_ASSIGN(h.state_root, named(d.fixed<Hash32>(), "stateRoot"));
  TRY_ASSIGN(h.transactions_root, named(d.fixed<Hash32>(), "transactionsRoot"));
  TRY_ASSIGN(h.receipts_root, named(d.fixed<Hash32>(), "receiptsRoot"));
  TRY_ASSIGN(h.logs_bloom, named(d.fixed<Bloom>(), "logsBloom"));
  TRY(expect_zero(d, "difficulty"));
  TRY_ASSIGN(h.number, named(d.number(), "number"));
  TRY_ASSIGN(h.gas_limit, named(d.number(), "gasLimit"));
  TRY_ASSIGN(h.gas_used, named(d.number(), "gasUsed"));
  TRY_ASSIGN(h.timestamp, named(d.number(), "timestamp"));
  TRY_ASSIGN(auto extra, named(d.bytes(), "extraData"));
  if (extra.size() > kMaxExtraBytes) return fail(ErrorCode::kInvalid, "header field extraData: too long");
  h.extra_data.assign(extra.begin(), extra.end());
  TRY_ASSIGN(h.prev_randao, named(d.fixed<Hash32>(), "mixHash"));
  TRY_ASSIGN(auto nonce, named(d.fixed<HeaderNonce>(), "nonce"));
  h.nonce = from_nonce(nonce);
  TRY_ASSIGN(h.base_fee, named(d.number256(), "baseFeePerGas"));
  TRY(expect_hash(d, "withdrawalsRoot", kEmptyTrieRoot));
  TRY(expect_zero(d, "blobGasUsed"));
  TRY(expect_zero(d, "excessBlobGas"));
  TRY(expect_hash(d, "parentBeaconBlockRoot", Hash32{}));
  TRY(expect_hash(d, "requestsHash", kEmptyRequestsHash));
  TRY(d.expect_end());
  return h;
}

}  // namespace

Hash32 system_code_hash() {
  static const Hash32 hash = crypto::keccak256(kSystemCode);
  return hash;
}

Hash32 system_log_hash(std::uint64_t number) {
  return crypto::keccak256(as_bytes("bonus/system/v1"), to_nonce(number));
}

Bytes Header::encode() const {
  rlp::Encoder e;
  e.begin_list().bytes(parent_hash).bytes(ommers_hash).bytes(beneficiary);
  e.bytes(state_root).bytes(transactions_root).bytes(receipts_root).bytes(logs_bloom);
  e.number(difficulty).number(number).number(gas_limit).number(gas_used).number(timestamp);
  e.bytes(extra_data).bytes(prev_randao).bytes(to_nonce(nonce));
  if (has(HeaderForm::kLondon)) e.number(base_fee);
  if (has(HeaderForm::kShanghai)) e.bytes(withdrawals_root);
  if (has(HeaderForm::kCancun)) e.number(blob_gas_used).number(excess_blob_gas).bytes(parent_beacon_root);
  if (has(HeaderForm::kPrague)) e.bytes(requests_hash);
  e.end_list();
  return e.take();
}

Result<Header> Header::decode(BytesView in) {
  rlp::Decoder outer(in);
  TRY_ASSIGN(auto fields, named(outer.list(), "list"));
  TRY(outer.expect_end());
  return decode_fields(fields);
}

Hash32 Header::hash() const { return crypto::keccak256(encode()); }

Bytes ExtraData::encode() const {
  rlp::Encoder e;
  e.begin_list().number(std::uint64_t{version}).bytes(vrf_proof).bytes(validators_hash).bytes(next_validators_hash);
  e.bytes(last_commit).number(std::uint64_t{proposer}).end_list();
  return e.take();
}

Result<ExtraData> ExtraData::decode(BytesView in) {
  rlp::Decoder outer(in);
  auto list = outer.list();
  if (!list) return fail(std::move(list).error().wrap("extraData"));
  rlp::Decoder d = *list;
  TRY(outer.expect_end());
  ExtraData out;
  TRY_ASSIGN(const std::uint64_t version, d.number());
  if (version != kExtraVersion)
    return fail(ErrorCode::kUnsupported, fmt::format("extraData: version {} is not known", version));
  TRY_ASSIGN(out.vrf_proof, d.fixed<crypto::VrfProof>());
  TRY_ASSIGN(out.validators_hash, d.fixed<Hash32>());
  TRY_ASSIGN(out.next_validators_hash, d.fixed<Hash32>());
  TRY_ASSIGN(out.last_commit, d.fixed<Hash32>());
  TRY_ASSIGN(const std::uint64_t proposer, d.number());
  if (proposer > UINT16_MAX) return fail(ErrorCode::kInvalid, "extraData: proposer above 65535");
  out.proposer = static_cast<std::uint16_t>(proposer);
  TRY(d.expect_end());
  return out;
}

Bytes Block::encode() const {
  rlp::Encoder e;
  e.begin_list().raw(header.encode()).begin_list();
  for (const auto& tx : transactions) e.raw(encode_in_list(tx->tx));
  e.end_list().bytes(last_commit).end_list();
  return e.take();
}

namespace {

/// A block of whose transactions the senders are missing.
struct BareBlock {
  Block block;
  std::vector<HashedTransaction> transactions;
};

std::string place(std::size_t index) { return fmt::format("block transaction {}", index); }

Result<BareBlock> decode_bare(BytesView in) {
  if (in.size() > kMaxBlockBytes)
    return fail(ErrorCode::kInvalid, fmt::format("block of {} bytes, limit {}", in.size(), kMaxBlockBytes));
  rlp::Decoder outer(in);
  auto list = outer.list();
  if (!list) return fail(std::move(list).error().wrap("block"));
  rlp::Decoder d = *list;
  TRY(outer.expect_end());
  BareBlock out;
  auto header_list = d.list();
  if (!header_list) return fail(std::move(header_list).error().wrap("block header"));
  TRY_ASSIGN(out.block.header, decode_fields(*header_list));
  auto items = d.list();
  if (!items) return fail(std::move(items).error().wrap("block transactions"));
  while (!items->at_end()) {
    const std::size_t index = out.transactions.size();
    const bool legacy = items->next_is_list();
    auto raw = legacy ? items->raw_item() : items->bytes();
    if (!raw) return fail(std::move(raw).error().wrap(place(index)));
    // A type-0 transaction is written as a list only: one encoding per block.
    if (!legacy && !raw->empty() && (*raw)[0] >= 0xc0)
      return fail(ErrorCode::kInvalid, place(index) + ": a legacy transaction inside a byte string");
    auto tx = Transaction::decode(*raw);
    if (!tx) return fail(std::move(tx).error().wrap(place(index)));
    out.transactions.push_back({*std::move(tx), crypto::keccak256(*raw)});
  }
  TRY_ASSIGN(auto commit, d.bytes());
  out.block.last_commit.assign(commit.begin(), commit.end());
  TRY(d.expect_end());
  return out;
}

}  // namespace

Result<Block> decode_block(BytesView in, const SenderSource& source) {
  return decode_block_at_once(in, [&](std::vector<HashedTransaction> transactions) {
    std::vector<Result<TransactionPtr>> out;
    for (auto& item : transactions) {
      out.push_back(source(std::move(item.tx), item.hash, out.size()));
      if (!out.back()) break;
    }
    return out;
  });
}

Result<Block> decode_block_at_once(BytesView in, const BlockSenders& senders) {
  TRY_ASSIGN(BareBlock bare, decode_bare(in));
  const std::size_t count = bare.transactions.size();
  auto found = senders(std::move(bare.transactions));
  bare.block.transactions.reserve(count);
  for (auto& item : found) {
    if (!item) return fail(std::move(item).error().wrap(place(bare.block.transactions.size())));
    bare.block.transactions.push_back(*std::move(item));
  }
  if (bare.block.transactions.size() != count)
    return fail(ErrorCode::kInternal, "block: senders are missing for some transactions");
  return std::move(bare.block);
}

Result<Block> Block::decode(BytesView in) {
  return decode_block_at_once(
      in, [](std::vector<HashedTransaction> transactions) { return recover_all(std::move(transactions)); });
}

}  // namespace bonus::chain
