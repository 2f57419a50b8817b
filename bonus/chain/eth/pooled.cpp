// Pooled transactions.
#include "bonus/chain/eth/pooled.hpp"

#include <fmt/format.h>

#include "bonus/chain/api/transaction_rules.hpp"
#include "bonus/codec/rlp.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::eth {
namespace {

constexpr std::size_t kBlobBytes = 131'072;
constexpr std::size_t kPointBytes = 48;  // of a commitment or a proof
constexpr std::size_t kCellsPerBlob = 128;

/// Items of `size` bytes each.
Result<std::vector<BytesView>> read_items(rlp::Decoder& d, std::size_t size, const char* what) {
  auto list = d.list();
  if (!list) return fail(std::move(list).error().wrap(what));
  std::vector<BytesView> out;
  while (!list->at_end()) {
    TRY_ASSIGN(const BytesView item, list->bytes());
    if (item.size() != size)
      return fail(ErrorCode::kInvalid, fmt::format("{}: an item of {} bytes", what, item.size()));
    out.push_back(item);
  }
  return out;
}

Result<> check_sidecar(const Transaction& tx, rlp::Decoder& d, Revision revision) {
  std::uint64_t version = 0;
  if (!d.next_is_list()) {
    TRY_ASSIGN(version, d.number());
  }
  const std::uint64_t wanted = revision >= Revision::kOsaka ? 1 : 0;
  if (version != wanted)
    return fail(ErrorCode::kInvalid, fmt::format("unexpected blob sidecar version: have {}, want {}", version, wanted));
  TRY_ASSIGN(const auto blobs, read_items(d, kBlobBytes, "blobs"));
  TRY_ASSIGN(const auto commitments, read_items(d, kPointBytes, "commitments"));
  TRY_ASSIGN(const auto proofs, read_items(d, kPointBytes, "proofs"));
  TRY(d.expect_end());
  const std::size_t count = tx.blob_hashes.size();
  if (blobs.size() != count || commitments.size() != count)
    return fail(ErrorCode::kInvalid,
                fmt::format("invalid number of {} blobs compared to {} blob hashes", blobs.size(), count));
  if (proofs.size() != count * (version == 0 ? 1 : kCellsPerBlob))
    return fail(ErrorCode::kInvalid, fmt::format("invalid number of {} blob proofs", proofs.size()));
  for (std::size_t i = 0; i < count; ++i) {
    Hash32 hash = crypto::sha256(commitments[i]);
    hash.bytes[0] = 1;  // VERSIONED_HASH_VERSION_KZG
    if (hash != tx.blob_hashes[i]) {
      return fail(ErrorCode::kInvalid, fmt::format("blob {}: computed hash {} mismatches transaction one {}", i,
                                                   to_hex0x(hash), to_hex0x(tx.blob_hashes[i])));
    }
  }
  return {};
}

/// The transaction inside the wrapper, as it stands in a block.
Result<Transaction> read_wrapped(rlp::Decoder d, Revision revision) {
  TRY_ASSIGN(const BytesView payload, d.raw_item());
  Bytes bare{3};
  append(bare, payload);
  TRY_ASSIGN(Transaction tx, decode_transaction(bare, kMaxTransactionBytes));
  TRY(check_sidecar(tx, d, revision));
  return tx;
}

Result<Transaction> read(BytesView raw, Revision revision) {
  if (raw.size() > kMaxPooledBytes)
    return fail(ErrorCode::kInvalid,
                fmt::format("oversized data: transaction size {}, limit {}", raw.size(), kMaxPooledBytes));
  if (raw.empty() || raw[0] != 3) {
    if (raw.size() > kMaxTransactionBytes)
      return fail(ErrorCode::kInvalid,
                  fmt::format("oversized data: transaction size {}, limit {}", raw.size(), kMaxTransactionBytes));
    return decode_transaction(raw, kMaxTransactionBytes);
  }
  rlp::Decoder outer(raw.subspan(1));
  TRY_ASSIGN(const rlp::Decoder fields, outer.list());
  TRY(outer.expect_end());
  if (!fields.next_is_list()) return fail(ErrorCode::kInvalid, "missing sidecar in blob transaction");
  return read_wrapped(fields, revision);
}

}  // namespace

Result<TransactionPtr> read_pooled_transaction(BytesView raw, Revision revision) {
  TRY_ASSIGN(Transaction tx, read(raw, revision));
  auto sender = tx.sender();
  if (!sender) return fail(std::move(sender).error().wrap("invalid sender"));
  const Hash32 hash = tx.hash();
  return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), *sender, hash});
}

std::function<Result<>(const Transaction&)> pool_rules(const EthLedger& ledger) {
  return [&ledger](const Transaction& tx) -> Result<> {
    const Rules rules = ledger.next_rules();
    if (tx.chain_id == 0)
      return fail(ErrorCode::kInvalid, "only replay-protected (EIP-155) transactions allowed over RPC");
    TRY(check_rules_under(tx, rules.revision, ledger.config().chain_id));
    const std::uint64_t limit = ledger.head().gas_limit;
    if (tx.gas_limit > limit)
      return fail(ErrorCode::kExhausted, fmt::format("exceeds block gas limit: {} above {}", tx.gas_limit, limit));
    if (tx.blob_hashes.size() > rules.blobs.max)
      return fail(ErrorCode::kInvalid, fmt::format("blob transaction has too many blobs: have {}, max {}",
                                                   tx.blob_hashes.size(), rules.blobs.max));
    // Each product fits by check_rules_under(); the sum must, too.
    uint256 cost = uint256(tx.gas_limit) * tx.max_fee;
    if (add_overflows(cost, uint256(blob_gas(tx)) * tx.max_fee_per_blob_gas, cost) ||
        add_overflows(cost, tx.value, cost))
      return fail(ErrorCode::kInvalid, "gas limit times fee plus value exceeds 256 bits");
    return {};
  };
}

}  // namespace bonus::chain::eth
