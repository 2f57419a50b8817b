// Drives the consensus core of a bookkeeper: write-ahead log, messages, time, blocks; and keeps a follower at the head.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/chain/api/transaction_recovery.hpp"
#include "bonus/chain/consensus/bonusbft.hpp"
#include "bonus/net/api/transport.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

/// What the shell borrows; all of it must outlive the shell.
struct ChainParts {
  runtime::Executor executor;  ///< The shell makes one strand on it; blocks are built and executed there.
  const runtime::Clock& clock;
  runtime::Random& random;
  runtime::Disk& disk;
  runtime::BlockingPool& pool;  ///< Serves blocks to peers.
  chain::Ledger& ledger;
  chain::Mempool& mempool;
  net::Transport& transport;
  Metrics& metrics;
  chain::ForEach for_each = chain::for_each_in_turn;  ///< Spreads the recovery of blocks' senders over threads.
};

struct ChainOptions {
  std::string data_dir;  ///< consensus.wal, signer.state and evidence.log lie here.
  const crypto::Ed25519KeyPair* key =
      nullptr;  ///< Set for a bookkeeper; its public key must stand in the genesis file.
  chain::consensus::Timing timing;
};

struct ChainStatus {
  std::uint64_t height = 0;  ///< Of the head.
  std::uint32_t round = 0;   ///< In which the next height is being agreed on.
  bool bookkeeper = false;
  bool muted = false;                  ///< A bookkeeper that may not sign at this height (its WAL is behind).
  std::optional<std::size_t> primary;  ///< Index of the bookkeeper whose turn it is.
  bool syncing = false;                ///< A peer is ahead.
  std::uint64_t sync_target = 0;       ///< The highest head that a peer claims.
  std::string halted;                  ///< Why the chain stopped here; empty while it goes on.
};

/// Public functions may be called from any thread.
class ChainShell {
 public:
  /// Registers its handlers: before transport.start(). kNotFound: the key is not among the bookkeepers; kCorrupt: the
  /// WAL.
  [[nodiscard]] static Result<std::unique_ptr<ChainShell>> open(const ChainParts& parts, const ChainOptions& options);
  /// Stops.
  ~ChainShell();
  ChainShell(const ChainShell&) = delete;
  ChainShell& operator=(const ChainShell&) = delete;

  /// After transport.start(). `on_halt` is called once when the chain cannot go on (disk full, a broken invariant).
  void start(std::function<void(Error)> on_halt);
  /// Waits for the event under way. Not from the shell's executor. The transport must not deliver afterwards.
  void stop();
  /// A transaction came into the mempool.
  void work_arrived();
  [[nodiscard]] ChainStatus status() const;

 private:
  struct Impl;
  explicit ChainShell(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with what is posted to the strand
};

}  // namespace bonus::node
