// Transactions of types 0 (legacy with EIP-155) and 2 (EIP-2718, EIP-1559): encoding, hashing, signing, recovery.
#include <fmt/format.h>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

constexpr std::uint8_t kLegacy = 0;
constexpr std::uint8_t kDynamicFee = 2;

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

/// EIP-155: 27 or 28 without a chain id, else chain_id * 2 + 35 + recovery.
uint256 legacy_v(const Transaction& tx) {
  if (tx.chain_id == 0) return uint256(27) + uint256(tx.signature.recovery);
  return uint256(tx.chain_id) * uint256(2) + uint256(35) + uint256(tx.signature.recovery);
}

enum class Part : std::uint8_t { kSigned, kUnsigned };

Bytes encode_legacy(const Transaction& tx, Part part) {
  rlp::Encoder e;
  e.begin_list().number(tx.nonce).number(tx.max_fee).number(tx.gas_limit);
  encode_to(e, tx.to);
  e.number(tx.value).bytes(tx.data);
  if (part == Part::kSigned) {
    e.number(legacy_v(tx)).number(uint256::from_be(tx.signature.r)).number(uint256::from_be(tx.signature.s));
  } else if (tx.chain_id != 0) {
    e.number(tx.chain_id).number(std::uint64_t{0}).number(std::uint64_t{0});
  }
  e.end_list();
  return e.take();
}

Bytes encode_dynamic(const Transaction& tx, Part part) {
  rlp::Encoder e;
  e.begin_list().number(tx.chain_id).number(tx.nonce).number(tx.max_priority_fee).number(tx.max_fee);
  e.number(tx.gas_limit);
  encode_to(e, tx.to);
  e.number(tx.value).bytes(tx.data);
  encode_access_list(e, tx.access_list);
  if (part == Part::kSigned) {
    e.number(std::uint64_t{tx.signature.recovery});
    e.number(uint256::from_be(tx.signature.r)).number(uint256::from_be(tx.signature.s));
  }
  e.end_list();
  Bytes out{tx.type};
  append(out, e.take());
  return out;
}

Bytes encode_part(const Transaction& tx, Part part) {
  return tx.type == kLegacy ? encode_legacy(tx, part) : encode_dynamic(tx, part);
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
  tx.type = kLegacy;
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

Result<> decode_dynamic(rlp::Decoder& d, Transaction& tx) {
  tx.type = kDynamicFee;
  TRY_ASSIGN(tx.chain_id, named(d.number(), "chainId"));
  TRY_ASSIGN(tx.nonce, named(d.number(), "nonce"));
  TRY_ASSIGN(tx.max_priority_fee, named(d.number256(), "maxPriorityFeePerGas"));
  TRY_ASSIGN(tx.max_fee, named(d.number256(), "maxFeePerGas"));
  TRY(decode_call(d, tx));
  TRY(decode_access_list(d, tx.access_list));
  TRY_ASSIGN(const std::uint64_t parity, named(d.number(), "yParity"));
  if (parity > 1) return fail(ErrorCode::kInvalid, "transaction field yParity: must be 0 or 1");
  tx.signature.recovery = static_cast<std::uint8_t>(parity);
  return decode_signature_values(d, tx);
}

Result<> check_fields(const Transaction& tx) {
  if (tx.nonce == UINT64_MAX) return fail(ErrorCode::kInvalid, "nonce has max value");  // EIP-2681
  if (tx.max_priority_fee > tx.max_fee)
    return fail(ErrorCode::kInvalid, "max priority fee per gas higher than max fee per gas");
  if (!tx.to && tx.data.size() > kMaxInitCodeBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("max initcode size exceeded: code size {}, limit {}", tx.data.size(), kMaxInitCodeBytes));
  }
  uint256 cost;
  if (mul_overflows(uint256(tx.gas_limit), tx.max_fee, cost))
    return fail(ErrorCode::kInvalid, "gas limit times fee exceeds 256 bits");
  return {};
}

}  // namespace

Bytes Transaction::encode() const { return encode_part(*this, Part::kSigned); }

Bytes encode_in_list(const Transaction& tx) {
  Bytes raw = tx.encode();
  if (tx.type == kLegacy) return raw;
  rlp::Encoder e;
  e.bytes(raw);
  return e.take();
}

Result<Transaction> Transaction::decode(BytesView raw) {
  if (raw.empty()) return fail(ErrorCode::kInvalid, "transaction is empty");
  if (raw.size() > kMaxTransactionBytes) {
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", raw.size(), kMaxTransactionBytes));
  }
  Transaction tx;
  const bool legacy = raw[0] >= 0xc0;
  if (!legacy && raw[0] != kDynamicFee)
    return fail(ErrorCode::kUnsupported, fmt::format("transaction type not supported: {:#x}", raw[0]));
  rlp::Decoder outer(legacy ? raw : raw.subspan(1));
  TRY_ASSIGN(auto fields, named(outer.list(), "list"));
  TRY(outer.expect_end());
  TRY(legacy ? decode_legacy(fields, tx) : decode_dynamic(fields, tx));
  TRY(fields.expect_end());
  TRY(check_fields(tx));
  return tx;
}

Hash32 Transaction::hash() const { return crypto::keccak256(encode()); }

Hash32 Transaction::signing_hash() const { return crypto::keccak256(encode_part(*this, Part::kUnsigned)); }

Result<Address> Transaction::sender() const {
  auto address = crypto::secp256k1_recover(signing_hash(), signature);
  if (!address) return fail(std::move(address).error().wrap("invalid sender"));
  return address;
}

uint256 Transaction::effective_gas_price(const uint256& base_fee) const {
  uint256 wanted;
  if (add_overflows(base_fee, max_priority_fee, wanted)) return max_fee;
  return std::min(max_fee, wanted);
}

Result<> sign_transaction(Transaction& tx, const crypto::SecretKey256& key) {
  TRY_ASSIGN(tx.signature, crypto::secp256k1_sign(key, tx.signing_hash()));
  return {};
}

Result<TransactionPtr> recover(Transaction tx) {
  TRY_ASSIGN(const Address sender, tx.sender());
  const Hash32 hash = tx.hash();
  return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), sender, hash});
}

}  // namespace bonus::chain
