// Encoding and decoding of transactions: type 0 with and without EIP-155, EIP-2718 types 1 (EIP-2930), 2 (EIP-1559),
// 3 (EIP-4844) and 4 (EIP-7702).
#include "bonus/chain/api/transaction_codec.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/codec/rlp.hpp"

namespace bonus::chain {
namespace {

constexpr std::uint8_t kLegacy = 0;
constexpr std::uint8_t kAccessList = 1;
constexpr std::uint8_t kBlob = 3;
constexpr std::uint8_t kSetCode = 4;

void encode_to(rlp::Encoder& e, const std::optional<Address>& to) {
  if (to) {
    e.bytes(*to);
  } else {
    e.bytes({});
  }
}

void encode_access_list(rlp::Encoder& e, const std::vector<Transaction::AccessEntry>& list) {
  e.begin_list();
  for (const auto& entry : list) {
    e.begin_list().bytes(entry.address).begin_list();
    for (const auto& key : entry.keys) e.bytes(key);
    e.end_list().end_list();
  }
  e.end_list();
}

void encode_authorizations(rlp::Encoder& e, const std::vector<Authorization>& list) {
  e.begin_list();
  for (const auto& item : list) {
    e.begin_list().number(item.chain_id).bytes(item.address).number(item.nonce);
    e.number(std::uint64_t{item.y_parity}).number(item.r).number(item.s).end_list();
  }
  e.end_list();
}

/// EIP-155: 27 or 28 without a chain id, else chain_id * 2 + 35 + recovery.
uint256 legacy_v(const Transaction& tx) {
  if (tx.chain_id == 0) return uint256(27) + uint256(tx.signature.recovery);
  return uint256(tx.chain_id) * uint256(2) + uint256(35) + uint256(tx.signature.recovery);
}

Bytes encode_legacy(const Transaction& tx, TransactionPart part) {
  rlp::Encoder e;
  e.begin_list().number(tx.nonce).number(tx.max_fee).number(tx.gas_limit);
  encode_to(e, tx.to);
  e.number(tx.value).bytes(tx.data);
  if (part == TransactionPart::kSigned) {
    e.number(legacy_v(tx)).number(uint256::from_be(tx.signature.r)).number(uint256::from_be(tx.signature.s));
  } else if (tx.chain_id != 0) {
    e.number(tx.chain_id).number(std::uint64_t{0}).number(std::uint64_t{0});
  }
  e.end_list();
  return e.take();
}

Bytes encode_typed(const Transaction& tx, TransactionPart part) {
  rlp::Encoder e;
  e.begin_list().number(tx.chain_id).number(tx.nonce);
  if (tx.type != kAccessList) e.number(tx.max_priority_fee);
  e.number(tx.max_fee).number(tx.gas_limit);
  encode_to(e, tx.to);
  e.number(tx.value).bytes(tx.data);
  encode_access_list(e, tx.access_list);
  if (tx.type == kBlob) {
    e.number(tx.max_fee_per_blob_gas).begin_list();
    for (const auto& hash : tx.blob_hashes) e.bytes(hash);
    e.end_list();
  }
  if (tx.type == kSetCode) encode_authorizations(e, tx.authorizations);
  if (part == TransactionPart::kSigned) {
    e.number(std::uint64_t{tx.signature.recovery});
    e.number(uint256::from_be(tx.signature.r)).number(uint256::from_be(tx.signature.s));
  }
  e.end_list();
  Bytes out{tx.type};
  append(out, e.take());
  return out;
}

/// The value of a field, or an error that names the field.
template <class T>
Result<T> named(Result<T> value, const char* field) {
  if (!value) return fail(std::move(value).error().wrap(fmt::format("transaction field {}", field)));
  return value;
}

Result<std::optional<Address>> decode_to(rlp::Decoder& d) {
  TRY_ASSIGN(auto raw, named(d.bytes(), "to"));
  if (raw.empty()) return std::optional<Address>{};
  TRY_ASSIGN(auto address, named(Address::from(raw), "to"));
  return std::optional<Address>(address);
}

Result<> decode_access_list(rlp::Decoder& d, std::vector<Transaction::AccessEntry>& out) {
  TRY_ASSIGN(auto list, named(d.list(), "accessList"));
  while (!list.at_end()) {
    TRY_ASSIGN(auto item, named(list.list(), "accessList"));
    Transaction::AccessEntry entry;
    TRY_ASSIGN(entry.address, named(item.fixed<Address>(), "accessList address"));
    TRY_ASSIGN(auto keys, named(item.list(), "accessList keys"));
    while (!keys.at_end()) {
      TRY_ASSIGN(auto key, named(keys.fixed<Hash32>(), "accessList key"));
      entry.keys.push_back(key);
    }
    TRY(item.expect_end());
    out.push_back(std::move(entry));
  }
  return {};
}

Result<> decode_blob_hashes(rlp::Decoder& d, Transaction& tx) {
  TRY_ASSIGN(tx.max_fee_per_blob_gas, named(d.number256(), "maxFeePerBlobGas"));
  TRY_ASSIGN(auto list, named(d.list(), "blobVersionedHashes"));
  while (!list.at_end()) {
    TRY_ASSIGN(auto hash, named(list.fixed<Hash32>(), "blobVersionedHashes"));
    tx.blob_hashes.push_back(hash);
  }
  return {};
}

Result<> decode_authorizations(rlp::Decoder& d, std::vector<Authorization>& out) {
  constexpr const char* kField = "authorizationList";
  TRY_ASSIGN(auto list, named(d.list(), kField));
  while (!list.at_end()) {
    TRY_ASSIGN(auto item, named(list.list(), kField));
    Authorization entry;
    TRY_ASSIGN(entry.chain_id, named(item.number256(), "authorizationList chainId"));
    TRY_ASSIGN(entry.address, named(item.fixed<Address>(), "authorizationList address"));
    TRY_ASSIGN(entry.nonce, named(item.number(), "authorizationList nonce"));
    TRY_ASSIGN(const auto parity, named(item.number(), "authorizationList yParity"));
    // A tuple with a parity of 2 to 255 is skipped when the transaction runs; above, the transaction is malformed.
    if (parity > UINT8_MAX) return fail(ErrorCode::kInvalid, "transaction field authorizationList yParity: above 255");
    entry.y_parity = static_cast<std::uint8_t>(parity);
    TRY_ASSIGN(entry.r, named(item.number256(), "authorizationList r"));
    TRY_ASSIGN(entry.s, named(item.number256(), "authorizationList s"));
    TRY(item.expect_end());
    out.push_back(entry);
  }
  return {};
}

Result<> decode_signature_values(rlp::Decoder& d, Transaction& tx) {
  TRY_ASSIGN(const uint256 r, named(d.number256(), "r"));
  TRY_ASSIGN(const uint256 s, named(d.number256(), "s"));
  tx.signature.r = r.to_be();
  tx.signature.s = s.to_be();
  return {};
}

Result<> decode_call(rlp::Decoder& d, Transaction& tx) {
  TRY_ASSIGN(tx.gas_limit, named(d.number(), "gasLimit"));
  TRY_ASSIGN(tx.to, decode_to(d));
  TRY_ASSIGN(tx.value, named(d.number256(), "value"));
  TRY_ASSIGN(auto data, named(d.bytes(), "data"));
  tx.data.assign(data.begin(), data.end());
  return {};
}

Result<> decode_legacy(rlp::Decoder& d, Transaction& tx) {
  TRY_ASSIGN(tx.nonce, named(d.number(), "nonce"));
  TRY_ASSIGN(tx.max_fee, named(d.number256(), "gasPrice"));
  tx.max_priority_fee = tx.max_fee;
  TRY(decode_call(d, tx));
  TRY_ASSIGN(const uint256 v, named(d.number256(), "v"));
  if (v == uint256(27) || v == uint256(28)) {
    tx.signature.recovery = static_cast<std::uint8_t>(v.low64() - 27);
  } else {
    // v = 35 and 36 would mean chain id 0, which EIP-155 does not assign.
    if (v < uint256(37))
      return fail(ErrorCode::kInvalid, "transaction field v: not a value of EIP-155: " + v.to_decimal());
    const uint256 rest = v - uint256(35);
    const uint256 chain = rest >> 1;
    if (!chain.fits_u64()) return fail(ErrorCode::kInvalid, "transaction field v: chain id above 64 bits");
    tx.chain_id = chain.low64();
    tx.signature.recovery = static_cast<std::uint8_t>(rest.low64() & 1);
  }
  return decode_signature_values(d, tx);
}

Result<> decode_typed(rlp::Decoder& d, Transaction& tx) {
  if (tx.type == kBlob && d.next_is_list()) {
    return fail(
        ErrorCode::kInvalid,
        "blob transaction in its network form (with blobs, commitments and proofs): send the transaction alone");
  }
  TRY_ASSIGN(tx.chain_id, named(d.number(), "chainId"));
  TRY_ASSIGN(tx.nonce, named(d.number(), "nonce"));
  if (tx.type == kAccessList) {
    TRY_ASSIGN(tx.max_fee, named(d.number256(), "gasPrice"));
    tx.max_priority_fee = tx.max_fee;
  } else {
    TRY_ASSIGN(tx.max_priority_fee, named(d.number256(), "maxPriorityFeePerGas"));
    TRY_ASSIGN(tx.max_fee, named(d.number256(), "maxFeePerGas"));
  }
  TRY(decode_call(d, tx));
  if (tx.type >= kBlob && !tx.to)
    return fail(ErrorCode::kInvalid, fmt::format("transaction field to: must not be empty in type {}", tx.type));
  TRY(decode_access_list(d, tx.access_list));
  if (tx.type == kBlob) TRY(decode_blob_hashes(d, tx));
  if (tx.type == kSetCode) TRY(decode_authorizations(d, tx.authorizations));
  TRY_ASSIGN(const std::uint64_t parity, named(d.number(), "yParity"));
  if (parity > 1) return fail(ErrorCode::kInvalid, "transaction field yParity: must be 0 or 1");
  tx.signature.recovery = static_cast<std::uint8_t>(parity);
  return decode_signature_values(d, tx);
}

}  // namespace

Bytes encode_part(const Transaction& tx, TransactionPart part) {
  return tx.type == kLegacy ? encode_legacy(tx, part) : encode_typed(tx, part);
}

Bytes encode_in_list(const Transaction& tx) {
  Bytes raw = tx.encode();
  if (tx.type == kLegacy) return raw;
  rlp::Encoder e;
  e.bytes(raw);
  return e.take();
}

Result<Transaction> decode_transaction(BytesView raw, std::size_t max_bytes) {
  if (raw.empty()) return fail(ErrorCode::kInvalid, "transaction is empty");
  if (raw.size() > max_bytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", raw.size(), max_bytes));
  }
  Transaction tx;
  const bool legacy = raw[0] >= 0xc0;
  if (!legacy && (raw[0] < kAccessList || raw[0] > kSetCode))
    return fail(ErrorCode::kUnsupported, fmt::format("transaction type not supported: {:#x}", raw[0]));
  tx.type = legacy ? kLegacy : raw[0];
  rlp::Decoder outer(legacy ? raw : raw.subspan(1));
  TRY_ASSIGN(auto fields, named(outer.list(), "list"));
  TRY(outer.expect_end());
  TRY(legacy ? decode_legacy(fields, tx) : decode_typed(fields, tx));
  TRY(fields.expect_end());
  return tx;
}

}  // namespace bonus::chain
