// Spreads transactions between nodes: service "tx" of docs/formats/node_services.md. Each is sent to each peer once.
#pragma once

#include <memory>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/net/api/transport.hpp"

namespace bonus::node {

/// Thread-safe. Remembers the last 65,536 hashes; what does not fit into the mempool is not passed on.
class TxGossip {
 public:
  /// Registers its handler: before transport.start(). The references must outlive the transport's handlers.
  TxGossip(net::Transport& transport, chain::Mempool& mempool, Metrics& metrics);
  ~TxGossip();
  TxGossip(const TxGossip&) = delete;
  TxGossip& operator=(const TxGossip&) = delete;

  /// A transaction that is new in the mempool: to every peer but the one that it came from.
  void announce(const chain::TransactionPtr& tx);
  /// Sends again what has been waiting since the last call: notifications to a peer that was down are lost.
  void repeat(const chain::LedgerReader& ledger);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::node
