// Transactions: bounds of the chain's own fork, hashing, signing and recovery, authorizations (EIP-7702).
#include <fmt/format.h>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/transaction_codec.hpp"
#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/chain/api/types.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

constexpr std::uint8_t kAuthorizationMagic = 0x05;  // EIP-7702

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

Hash32 Authorization::signing_hash() const {
  rlp::Encoder e;
  e.begin_list().number(chain_id).bytes(address).number(nonce).end_list();
  return crypto::keccak256(Bytes{kAuthorizationMagic}, e.take());
}

Result<Address> Authorization::authority() const {
  if (y_parity > 1) return fail(ErrorCode::kInvalid, fmt::format("authorization: yParity {} is not 0 or 1", y_parity));
  crypto::Secp256k1Signature signature;
  signature.r = r.to_be();
  signature.s = s.to_be();
  signature.recovery = y_parity;
  auto signer = crypto::secp256k1_recover(signing_hash(), signature);
  if (!signer) return fail(std::move(signer).error().wrap("authorization"));
  return signer;
}

Bytes Transaction::encode() const { return encode_part(*this, TransactionPart::kSigned); }

Result<Transaction> Transaction::decode(BytesView raw) {
  TRY_ASSIGN(Transaction tx, decode_transaction(raw, kMaxTransactionBytes));
  TRY(check_fields(tx));
  return tx;
}

Hash32 Transaction::hash() const { return crypto::keccak256(encode()); }

Hash32 Transaction::signing_hash() const { return crypto::keccak256(encode_part(*this, TransactionPart::kUnsigned)); }

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
