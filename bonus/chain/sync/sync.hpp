// SyncCore: fetches missing final blocks by range from peers that showed a higher head. A synchronous state machine.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "bonus/base/time.hpp"
#include "bonus/chain/sync/messages.hpp"

namespace bonus::chain::sync {

struct SyncOptions {
  std::uint32_t batch_blocks = 64;   ///< Asked of one peer at a time.
  std::size_t max_batches = 4;       ///< Under way or waiting for their turn.
  std::size_t max_bytes = 48 << 20;  ///< Of blocks that arrived early; beyond it nothing new is asked.
  std::size_t max_peers = 256;
  Duration timeout = std::chrono::seconds(10);     ///< Of one request.
  Duration retry_delay = std::chrono::seconds(1);  ///< After a failure, doubled up to 32 times.
  unsigned max_strikes = 5;                        ///< Failures and empty replies in a row; then the peer is dropped.
  Duration ban_time = std::chrono::minutes(10);    ///< Reports of a banned or dropped peer are ignored for so long.
};

/// What the shell knows of a block after checking its certificate.
struct CheckedBlock {
  std::uint64_t number = 0;
  Hash32 hash, parent;
};
/// Decodes the block's header and verifies that the certificate makes exactly this block final. Any error means that
/// the peer lied. Called synchronously from on_reply(); must not call the core.
using CheckBlock = std::function<Result<CheckedBlock>(const FinalBlock& block)>;

/// Send `message` (an encoded RangeRequest) to `peer`; answer with on_reply() or on_failure() under the same `id`.
struct AskPeer {
  NodeId peer;
  std::uint64_t id = 0;
  Bytes message;
};
/// Execute and commit: the next height, certificate checked. Answer with on_head() when it is committed (also when it
/// turned out to be committed already), or with on_rejected() when execution refuses it.
struct ApplyBlock {
  std::uint64_t number = 0;
  FinalBlock block;
  NodeId from;
};
/// `peer` sent something provably false: disconnect and do not use it for `SyncOptions::ban_time`.
struct BanPeer {
  NodeId peer;
  std::string reason;
};
using SyncAction = std::variant<AskPeer, ApplyBlock, BanPeer>;
using SyncActions = std::vector<SyncAction>;

/// Not thread-safe. Heights up to the head are never asked for. Blocks are handed on strictly in order; at most one
/// batch of ApplyBlock is outstanding. A fork cannot be followed: a certified block that does not build on the head
/// (which would mean that more than a third of the bookkeepers are dishonest) is reported as on_rejected() and stops
/// the peer.
class SyncCore {
 public:
  SyncCore(SyncOptions options, CheckBlock check, std::uint64_t head, const Hash32& head_hash);
  ~SyncCore();
  SyncCore(SyncCore&&) noexcept;

  /// `peer` says or shows that its head is at `height`.
  [[nodiscard]] SyncActions on_peer(Instant now, const NodeId& peer, std::uint64_t height);
  /// The connection to `peer` is gone; its requests go to others.
  [[nodiscard]] SyncActions on_peer_gone(Instant now, const NodeId& peer);
  /// The answer to request `id` of `peer`: an encoded RangeReply. Unknown ids are ignored (they timed out).
  [[nodiscard]] SyncActions on_reply(Instant now, const NodeId& peer, std::uint64_t id, BytesView message);
  [[nodiscard]] SyncActions on_failure(Instant now, const NodeId& peer, std::uint64_t id);
  /// Our head moved, by an applied block or by consensus.
  [[nodiscard]] SyncActions on_head(Instant now, std::uint64_t head, const Hash32& hash);
  /// Execution refused the block of this height although its certificate is valid.
  [[nodiscard]] SyncActions on_rejected(Instant now, std::uint64_t number);
  /// Call when next_deadline() has come.
  [[nodiscard]] SyncActions on_tick(Instant now);
  [[nodiscard]] Instant next_deadline() const;  ///< Instant::max() when there is nothing to wait for.

  struct Progress {
    std::uint64_t head = 0;
    std::uint64_t target = 0;  ///< Highest head that a usable peer claims; equal to `head` or lower when caught up.
    std::size_t peers = 0, requests = 0;
    [[nodiscard]] bool syncing() const { return target > head; }
  };
  [[nodiscard]] Progress progress() const;

 private:
  struct Peer {
    std::uint64_t height = 0;
    unsigned strikes = 0;
    Instant not_before{};                  ///< No request before this.
    std::optional<std::uint64_t> request;  ///< Id of the one under way.
  };
  struct Arrived {
    FinalBlock block;
    CheckedBlock checked;
  };
  /// A range of consecutive heights, by its first: waiting for a peer, under way, or here.
  struct Batch {
    std::uint32_t count = 0;
    std::optional<NodeId> peer;  ///< Whom it was asked of.
    std::uint64_t id = 0;
    Instant deadline{};
    std::vector<Arrived> arrived;  ///< Exactly `count` when here.
    bool applying = false;
  };
  using Batches = std::map<std::uint64_t, Batch>;

  void plan();
  void ask(Instant now, SyncActions& out);
  void hand_on(Instant now, SyncActions& out);
  void accept(Batches::iterator batch, const NodeId& peer, std::vector<Arrived> blocks);
  [[nodiscard]] Result<std::vector<Arrived>> check_reply(std::uint64_t from, const Batch& batch,
                                                         BytesView message) const;
  [[nodiscard]] Batches::iterator find_request(const NodeId& peer, std::uint64_t id);
  void release(Batches::iterator batch);
  void strike(Instant now, const NodeId& peer);
  void ban(Instant now, const NodeId& peer, std::string reason, SyncActions& out);
  void forget(Instant now, const NodeId& peer);
  void trim();
  [[nodiscard]] std::uint64_t target() const;
  [[nodiscard]] SyncActions proceed(Instant now, SyncActions out);

  SyncOptions options_;
  CheckBlock check_;
  std::uint64_t head_ = 0;
  Hash32 head_hash_;
  std::map<NodeId, Peer> peers_;
  std::map<NodeId, Instant> banned_;  ///< Until when.
  Batches batches_;
  std::size_t held_bytes_ = 0;
  std::uint64_t next_id_ = 1;
};

}  // namespace bonus::chain::sync
