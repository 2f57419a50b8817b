// Transactions of the node's own account: nonces, fees, waiting for a block, sending again with a higher fee.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "bonus/chain/api/ledger.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::node {

struct TxRequest {
  std::string label;  ///< For logs.
  Address to;
  Bytes data;
  uint256 value;
};
struct TxOutcome {
  enum class Kind : std::uint8_t { kIncluded, kReverted, kRefused } kind = Kind::kRefused;
  std::uint64_t block = 0;  ///< Unless refused.
  std::string detail;       ///< Of a revert or a refusal.
};

struct TxSenderOptions {
  std::size_t max_pending = 64;
  std::uint64_t resend_blocks = 3;                ///< Not included for so many blocks: replaced with a higher fee.
  uint256 priority_fee = uint256(1'000'000'000);  ///< Wei; 1 gwei.
  uint256 max_fee_cap = uint256(1'000'000'000'000ULL);  ///< Never more per gas than this; 1,000 gwei.
  std::uint64_t max_gas = 10'000'000;
};

/// Not thread-safe: one strand. Everything is tried against the head before it is sent, so that what would fail is
/// refused without costing a fee. The references must outlive it.
class TxSender {
 public:
  using Done = std::function<void(TxOutcome)>;
  TxSender(const chain::LedgerReader& ledger, chain::Mempool& mempool, const crypto::SecretKey256& key,
           const Address& account, TxSenderOptions options = {});

  /// `done` is called exactly once, from here or from on_head().
  void send(TxRequest request, Done done);
  /// After each new head: finds what was included and repeats what was not.
  void on_head();
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

 private:
  struct Pending {
    TxRequest request;
    Done done;
    std::uint64_t gas = 0;
    std::uint64_t sent_at = 0;  // head number at the last sending
    uint256 tip, max_fee;
    std::vector<Hash32> hashes;  // of every version sent
  };

  [[nodiscard]] Result<std::uint64_t> estimate(const TxRequest& request) const;
  /// Signs and gives it to the mempool.
  [[nodiscard]] Result<> submit(std::uint64_t nonce, Pending& pending);
  void raise_fees(Pending& pending) const;
  void finish(std::map<std::uint64_t, Pending>::iterator it, TxOutcome outcome);

  const chain::LedgerReader& ledger_;
  chain::Mempool& mempool_;
  crypto::SecretKey256 key_;
  Address account_;
  TxSenderOptions options_;
  std::map<std::uint64_t, Pending> pending_;  // by nonce
};

}  // namespace bonus::node
