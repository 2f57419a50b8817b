// The pool of waiting transactions behind chain/api's Mempool.
#pragma once

#include <functional>
#include <memory>

#include "bonus/chain/api/host.hpp"
#include "bonus/chain/api/ledger.hpp"

namespace bonus::chain::mempool {

struct MempoolLimits {
  std::size_t executable_per_sender = 64;  ///< Nonces that follow the state's without a gap.
  std::size_t queued_per_sender = 64;      ///< Behind a gap.
  std::size_t transactions = 20'000;
  std::size_t bytes = 64 << 20;              ///< Of encoded transactions.
  unsigned replacement_percent = 10;         ///< How much more both fees must be to replace the same nonce.
  std::uint64_t queued_lifetime_s = 10'800;  ///< Of block time; then what waits behind a gap is dropped.
  /// What must hold of a transaction by itself, instead of check_static(): the pool of a chain with other rules. Must
  /// refuse one whose cost exceeds 256 bits.
  std::function<Result<>(const Transaction&)> rules{};
};

/// `ledger` must outlive the pool. The pool follows the head only through on_block().
///
/// add() refuses, besides what check_static() refuses: a known hash (kExists, "already known"), a spent nonce ("nonce
/// too low"), a fee cap below the lowest base fee that the chain can have ("max fee per gas less than block base fee"),
/// a sender who cannot pay for all that waits of it ("insufficient funds for gas * price + value"), a same nonce that
/// does not pay 10% more ("replacement transaction underpriced"), and whatever exceeds a bound (kExhausted: "account
/// limit exceeded", "txpool is full"). A fee cap below the present base fee waits until the base fee has fallen.
///
/// EIP-7702, as geth does it: somebody else's transaction can spend the money of an account that has a delegation, so
/// an account that has one, or that a waiting transaction gives one to, may have one executable transaction here,
/// without a gap ("in-flight transaction limit reached for delegated accounts", "gapped-nonce tx from delegated
/// accounts"); it can be replaced. An account of which more than one transaction waits cannot be given one ("authority
/// already reserved").
[[nodiscard]] std::unique_ptr<Mempool> make_mempool(const LedgerReader& ledger, const MempoolLimits& limits = {});

}  // namespace bonus::chain::mempool
