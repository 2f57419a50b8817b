// A worker's market life as a pure state machine: registration, offer, heartbeats, and one container per live lease
// (market.md, "Lease life"). The node's shell feeds events and carries out actions; nothing here reads a clock or does
// I/O.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/base/time.hpp"
#include "bonus/base/uint256.hpp"
#include "bonus/chain/api/market.hpp"

namespace bonus::market {

struct AgentConfig {
  Address account;  ///< Signs the worker's transactions.
  Ed25519PublicKey node_key;
  Ed25519Signature registration;  ///< By the node key over chain::market::registration_digest(chain id, account).
  std::uint8_t tier = 1;
  std::string region, endpoint;  ///< As in INodes.Node.
  uint256 bond;                  ///< Wei sent along with the registration; at least genesis.market.min_worker_bond.
  /// What the node rents out; nothing: it registers and reports, but offers nothing (and closes what it offered
  /// before). `tier` and `region` of the spec are replaced by those above.
  std::optional<chain::market::OfferSpec> offer;
  Duration heartbeat_busy = std::chrono::seconds(2);  ///< genesis.market.heartbeat_interval_s: while it has leases.
  Duration heartbeat_idle = std::chrono::seconds(30);
  Duration transaction_timeout = std::chrono::seconds(20);  ///< Without TransactionDone: sent again under the same key.
  Duration stop_timeout = std::chrono::seconds(60);         ///< Without ContainerStopped: StopContainer again.
};

/// Names the purpose of a transaction. At most one per key is under way; a later action with the same key replaces the
/// earlier one, which the shell may drop if it is not in a block yet (or send both: every call is idempotent or
/// reverts).
enum class TransactionKind : std::uint8_t {
  kRegister,
  kUpdateNode,
  kCreateOffer,
  kUpdateOffer,
  kCloseOffer,
  kHeartbeat,
  kLeaseStarted,
  kLeaseEnded,
  kLeave
};
struct TransactionKey {
  TransactionKind kind{};
  std::uint64_t id = 0;  ///< Offer or lease; 0 for the others.
  friend auto operator<=>(const TransactionKey&, const TransactionKey&) = default;
};
[[nodiscard]] std::string_view to_string(TransactionKind kind);

// ---------------------------------------------------------------- events

/// What survived a restart of the daemon. Exactly once, before any other event; empty on a fresh start. Until it came
/// the agent starts nothing: that is what makes a second start impossible.
struct Recovered {
  struct Container {
    std::uint64_t lease_id = 0;
    bool exited = false;  ///< It has ended meanwhile (restart policy included) and is kept for its logs.
    std::vector<std::uint16_t> ports;
    std::string detail;  ///< Of the exit.
  };
  std::vector<Container> containers;
};

/// The state after one final block, as views of the contracts gave it at that block: nodeOf(account),
/// offersOf(account), liveLeasesOf(account) and getOrder of their orders. The agent works by comparing this with what
/// it has, so a lost view is harmless; one older than the last is ignored. Send one per new head (when busy, every head
/// matters for the start).
struct ChainView {
  std::uint64_t block = 0;
  UnixSeconds timestamp = 0;  ///< Of the block.
  chain::market::Node node;   ///< `account` is zero when it is not registered.
  std::vector<chain::market::Offer> offers;
  struct Live {
    chain::market::Lease lease;
    chain::market::Order order;
  };
  std::vector<Live> leases;
};

/// The container's process runs; `ports` are those under which the gateway reaches it on this worker.
struct ContainerStarted {
  std::uint64_t lease_id = 0;
  std::vector<std::uint16_t> ports;
};
/// It could not be started (kImageFailed: image or workload unusable or not to be had; kHealthFailed: it ran, but never
/// became, or did not stay, healthy). The shell has removed what there was of it.
struct ContainerFailed {
  std::uint64_t lease_id = 0;
  chain::market::EndReason reason = chain::market::EndReason::kImageFailed;
  std::string detail;
};
/// The process ended by itself and the restart policy (applied by compute/vm) does not start it again. Logs are kept
/// until StopContainer.
struct ContainerExited {
  std::uint64_t lease_id = 0;
  std::string detail;  ///< "exit code 3", "out of memory".
};
/// Answer to StopContainer: nothing of it is left (also when nothing was there).
struct ContainerStopped {
  std::uint64_t lease_id = 0;
};
struct TransactionDone {
  enum class Outcome : std::uint8_t {
    kIncluded,  ///< Succeeded in `block`.
    kReverted,  ///< In `block`, failed with `detail`.
    kRefused    ///< Never got into a block: mempool refused it, no funds, gateway not reachable.
  };
  TransactionKey key;
  Outcome outcome = Outcome::kIncluded;
  std::uint64_t block = 0;
  std::string detail;
};
/// `bonus leave`: close offers, end leases as WorkerLeft, return the bond; `Left` comes at the end. Not undone by a
/// restart of the agent (the shell repeats it). Resume takes it back as long as the node has not left.
struct Drain {};
struct Resume {};
/// Time passed; needed at next_wake() at the latest.
struct Tick {};

using Event = std::variant<Recovered, ChainView, ContainerStarted, ContainerFailed, ContainerExited, ContainerStopped,
                           TransactionDone, Drain, Resume, Tick>;

// ---------------------------------------------------------------- actions

/// Fetch the workload document `order.spec.workload` (its SHA-256), pull and start it under the id "lease-<id>", then
/// report ContainerStarted or ContainerFailed. Never issued twice for a lease while a container of it may exist.
struct StartContainer {
  chain::market::Lease lease;
  chain::market::Order order;
};
/// Stop and remove, or cancel the start that is under way; answer ContainerStopped. May be repeated.
struct StopContainer {
  std::uint64_t lease_id = 0;
};
/// Sign as `account` with the next nonce, send, re-send with the same nonce and a higher fee until it is in a block,
/// then answer TransactionDone with the key.
struct SendTransaction {
  TransactionKey key;
  Address to;
  Bytes data;
  uint256 value;
};
/// The drain is complete: no lease, no offer, bond returned.
struct Left {};

using Action = std::variant<StartContainer, StopContainer, SendTransaction, Left>;

/// For `bonus node status` and metrics.
struct AgentStatus {
  bool registered = false, draining = false, left = false;
  std::uint64_t seen_block = 0;
  std::size_t offers = 0, leases = 0, containers = 0, transactions_under_way = 0;
  std::string last_problem;  ///< Of the last transaction that reverted or was refused; empty when all is well.
};

/// Not thread-safe. Bounded: at most 256 leases (the bound of liveLeasesOf) and so many containers and transactions.
/// Actions are to be carried out in order. Time must not go back.
class LeaseAgent {
 public:
  explicit LeaseAgent(AgentConfig config);
  [[nodiscard]] std::vector<Action> handle(const Event& event, Instant now);
  /// When the agent wants a Tick even if nothing else happens.
  [[nodiscard]] Instant next_wake() const { return wake_; }
  [[nodiscard]] AgentStatus status() const;

 private:
  enum class Phase : std::uint8_t { kStarting, kRunning, kExited, kFailed, kStopping };
  struct Local {
    Phase phase = Phase::kStarting;
    std::vector<std::uint16_t> ports;
    chain::market::EndReason reason = chain::market::EndReason::kNone;
    std::string detail;
    Instant stop_sent{};
  };
  struct Pending {
    bool answered = false;
    Instant sent{};           ///< Last time it was given to the shell.
    std::uint64_t block = 0;  ///< Included there: a view of this block shows the effect.
    Instant retry_at{};       ///< After a failure.
    std::uint32_t failures = 0;
  };

  void on(const Recovered& event, Instant now);
  void on(const ChainView& event, Instant now);
  void on(const ContainerStarted& event, Instant now);
  void on(const ContainerFailed& event, Instant now);
  void on(const ContainerExited& event, Instant now);
  void on(const ContainerStopped& event, Instant now);
  void on(const TransactionDone& event, Instant now);
  void on(const Drain& event, Instant now);
  void on(const Resume& event, Instant now);
  void on(const Tick& event, Instant now);

  /// Compares what should be with what is and issues what is missing; called after every event.
  void reconcile(Instant now);
  void reconcile_leases(Instant now);
  void reconcile_containers(Instant now);
  void reconcile_node(Instant now);
  void reconcile_offer(Instant now);
  void send_heartbeat(Instant now);
  void stop(std::uint64_t lease_id, Local& local, Instant now);
  /// Sends unless the same is under way, waits for its block to be seen, or has failed just now.
  void send(TransactionKey key, const Address& to, Bytes data, const uint256& value, Instant now);
  void wake_at(Instant when);
  void forget_transactions();

  AgentConfig config_;
  bool recovered_ = false, draining_ = false, left_ = false;
  std::optional<ChainView> view_;
  std::map<std::uint64_t, Local> local_;  ///< By lease.
  std::map<TransactionKey, Pending> pending_;
  std::optional<Instant> last_heartbeat_;  ///< Sent.
  std::string last_problem_;
  Instant wake_{};
  std::vector<Action> actions_;
};

}  // namespace bonus::market
