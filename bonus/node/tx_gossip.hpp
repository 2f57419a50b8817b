// Spreads transactions between nodes: services "tx.hashes", "tx.want" and "tx.bodies" of
// docs/formats/node_services.md. Hashes are announced; who does not know one asks for the transaction, of one peer.
#pragma once

#include <functional>
#include <memory>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/transaction_recovery.hpp"
#include "bonus/net/api/transport.hpp"

namespace bonus::node {

/// Bounds of what one peer may make us keep or send.
struct TxGossipLimits {
  std::size_t peers = 1024;
  std::size_t remembered = 65'536;               ///< Hashes that were handled, in all.
  std::size_t asked = 65'536;                    ///< Hashes asked for that have not come, in all.
  std::size_t asked_per_peer = 4'096;            ///< Less for a peer that announces and does not deliver.
  std::size_t announcements_per_peer = 4'096;    ///< Not sent yet; the oldest are dropped, repeat() sends them again.
  std::size_t served_bytes_per_peer = 64 << 20;  ///< Between two calls of repeat().
};

/// Thread-safe. What does not fit into the mempool is not passed on. At most one announcement to a peer is on its way:
/// what comes in the meantime goes together in the next one.
class TxGossip {
 public:
  /// Registers its handlers: before transport.start(). The references must outlive the transport's handlers. `for_each`
  /// spreads the recovery of senders over threads.
  TxGossip(net::Transport& transport, chain::Mempool& mempool, Metrics& metrics,
           chain::ForEach for_each = chain::for_each_in_turn, const TxGossipLimits& limits = {});
  ~TxGossip();
  TxGossip(const TxGossip&) = delete;
  TxGossip& operator=(const TxGossip&) = delete;

  /// Who proposes blocks: new transactions are announced to these peers only, as long as one of them is connected. To
  /// be called before the transport starts. Without it all peers are alike.
  void prefer(std::function<bool(const NodeId&)> proposer);
  /// A transaction that is new in the mempool: to proposers, or else to every peer, unless known to have it.
  void announce(const chain::TransactionPtr& tx);
  /// To be called every few seconds. Announces again what has been waiting since the last call (notifications to a peer
  /// that was down are lost), to every peer, and gives up what a peer did not deliver.
  void repeat(const chain::LedgerReader& ledger);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::node
