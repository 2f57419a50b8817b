// Fetches final blocks from peers and serves them: services "chain.sync" and "chain.head"
// (docs/formats/node_services.md).
#pragma once

#include <functional>
#include <memory>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/consensus/bonusbft.hpp"
#include "bonus/net/api/transport.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::node {

struct SyncParts {
  runtime::Executor strand;  ///< The chain's strand: callbacks run there, and so must every call.
  runtime::BlockingPool& pool;
  runtime::Random& random;
  const runtime::Clock& clock;
  chain::Ledger& ledger;
  net::Transport& transport;
  const chain::consensus::Config& config;  ///< Whose certificates count.
  /// Commits the block above the head, whose certificate has been verified. An error means that it is not valid there.
  std::function<Result<>(BytesView block, const chain::consensus::CommitCert& cert)> apply;
};

/// Lives on the chain's strand.
class ChainSync {
 public:
  /// Registers its handlers: before transport.start().
  explicit ChainSync(SyncParts parts);
  ~ChainSync();
  ChainSync(const ChainSync&) = delete;
  ChainSync& operator=(const ChainSync&) = delete;

  /// Begins to ask around.
  void start();
  void stop();
  /// A peer showed that it has this block.
  void peer_has(const NodeId& peer, std::uint64_t height);
  /// The head moved: tells peers that do not take part in consensus.
  void head_moved();
  [[nodiscard]] bool syncing() const;
  [[nodiscard]] std::uint64_t target() const;  ///< The highest head that a peer claims.

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with calls under way
};

}  // namespace bonus::node
