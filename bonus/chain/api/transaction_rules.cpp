// Validity of transactions by fork.
#include "bonus/chain/api/transaction_rules.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/gas.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain {
namespace {

/// The order of secp256k1 (SEC 2, 2.4.1).
constexpr uint256 kOrder(0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE, 0xBAAEDCE6AF48A03B, 0xBFD25E8CD0364141);
constexpr std::uint8_t kVersionedHashKzg = 1;  // EIP-4844

Result<> invalid(std::string text) { return fail(ErrorCode::kInvalid, std::move(text)); }

Result<> check_type(const Transaction& tx, Revision revision) {
  constexpr std::array<Revision, 5> kSince{Revision::kFrontier, Revision::kBerlin, Revision::kLondon, Revision::kCancun,
                                           Revision::kPrague};
  if (tx.type >= kSince.size() || revision < kSince[tx.type]) {
    return fail(ErrorCode::kUnsupported,
                fmt::format("transaction type not supported: type {} in {}", tx.type, to_string(revision)));
  }
  return {};
}

Result<> check_chain_id(const Transaction& tx, Revision revision, std::uint64_t chain_id) {
  if (tx.type == 0 && tx.chain_id == 0) return {};
  if (tx.chain_id == chain_id && (tx.type != 0 || revision >= Revision::kSpuriousDragon)) return {};
  return invalid(fmt::format("invalid chain id for signer: have {} want {}", tx.chain_id, chain_id));
}

Result<> check_gas(const Transaction& tx, Revision revision) {
  if (revision >= Revision::kOsaka && tx.gas_limit > kMaxTransactionGas) {
    return invalid(fmt::format("transaction gas limit too high (cap: {}, tx: {})", kMaxTransactionGas, tx.gas_limit));
  }
  if (const auto need = intrinsic_gas(tx, revision); tx.gas_limit < need)
    return invalid(fmt::format("intrinsic gas too low: have {}, want {}", tx.gas_limit, need));
  if (const auto need = floor_gas(tx, revision); tx.gas_limit < need)
    return invalid(fmt::format("insufficient gas for floor data gas cost: have {}, want {}", tx.gas_limit, need));
  if (tx.max_priority_fee > tx.max_fee) return invalid("max priority fee per gas higher than max fee per gas");
  uint256 cost;
  if (mul_overflows(uint256(tx.gas_limit), tx.max_fee, cost)) return invalid("gas limit times fee exceeds 256 bits");
  return {};
}

Result<> check_blobs(const Transaction& tx, Revision revision) {
  if (!tx.to) return invalid("blob transaction of type create");
  if (tx.blob_hashes.empty()) return invalid("blob transaction missing blob hashes");
  if (const auto most = blob_schedule(revision).max_transaction; tx.blob_hashes.size() > most)
    return invalid(fmt::format("blob transaction has too many blobs: have {}, max {}", tx.blob_hashes.size(), most));
  for (std::size_t i = 0; i < tx.blob_hashes.size(); ++i)
    if (tx.blob_hashes[i].bytes[0] != kVersionedHashKzg)
      return invalid(fmt::format("blob {} has invalid hash version", i));
  uint256 cost;
  if (mul_overflows(uint256(blob_gas(tx)), tx.max_fee_per_blob_gas, cost))
    return invalid("blob gas times fee exceeds 256 bits");
  return {};
}

}  // namespace

Result<Address> sender_under(const Transaction& tx, Revision revision) {
  if (revision >= Revision::kHomestead) return tx.sender();
  const uint256 s = uint256::from_be(tx.signature.s);
  if (s <= kOrder >> 1 || s >= kOrder) return tx.sender();
  // (r, s) and (r, -s) with the other recovery bit are signatures by the same key.
  crypto::Secp256k1Signature low = tx.signature;
  low.s = (kOrder - s).to_be();
  low.recovery ^= 1;
  auto address = crypto::secp256k1_recover(tx.signing_hash(), low);
  if (!address) return fail(std::move(address).error().wrap("invalid sender"));
  return address;
}

Result<> check_rules_under(const Transaction& tx, Revision revision, std::uint64_t chain_id) {
  TRY(check_type(tx, revision));
  TRY(check_chain_id(tx, revision, chain_id));
  if (tx.nonce == UINT64_MAX) return invalid("nonce has max value");
  if (!tx.to && revision >= Revision::kShanghai && tx.data.size() > kMaxInitCodeBytes) {
    return invalid(
        fmt::format("max initcode size exceeded: code size {}, limit {}", tx.data.size(), kMaxInitCodeBytes));
  }
  if (tx.type == 3) TRY(check_blobs(tx, revision));
  if (tx.type == 4) {
    if (!tx.to) return invalid("EIP-7702 transaction cannot be used to create contract");
    if (tx.authorizations.empty()) return invalid("EIP-7702 transaction with empty auth list");
  }
  return check_gas(tx, revision);
}

Result<TransactionPtr> check_transaction_under(BytesView raw, Revision revision, std::uint64_t chain_id) {
  TRY_ASSIGN(Transaction tx, decode_transaction(raw));
  TRY(check_rules_under(tx, revision, chain_id));
  TRY_ASSIGN(const Address sender, sender_under(tx, revision));
  return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), sender, crypto::keccak256(raw)});
}

}  // namespace bonus::chain
