// Carries new blocks and pending transactions to subscriptions. Internal to this folder.
#pragma once

#include <array>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <thread>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/rpc/budget.hpp"
#include "bonus/chain/rpc/pending_ring.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/chain/rpc/subscriber.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::chain::rpc {

class Session;

/// Thread-safe. One thread, started with the first subscription, reads the ledger block by block from a cursor: no
/// queue of events, so nothing is lost or twice, however far it lags. Every session gets what it asked for in order.
class Feed {
 public:
  /// All references outlive it; the ledger and the mempool are listened to.
  Feed(LedgerReader& ledger, Mempool& mempool, const RpcOptions& options, runtime::Random& random);
  ~Feed();
  Feed(const Feed&) = delete;
  Feed& operator=(const Feed&) = delete;

  /// Of a subscription or a filter: 128 random bits, "0x" and hexadecimal digits without leading zeros.
  [[nodiscard]] std::string new_id();
  /// Events behind the head of this moment go to the session.
  [[nodiscard]] Reply<std::monostate> add(std::weak_ptr<Session> session, const std::string& id,
                                          SubscriptionRequest request);
  void remove(const std::string& id);
  [[nodiscard]] PendingRing& pending() { return shared_->pending; }
  /// Bytes of addresses and topics that subscriptions and filters hold.
  [[nodiscard]] Budget& criteria() { return criteria_; }
  [[nodiscard]] std::size_t size() const;

 private:
  /// What the listeners touch: shared with them, as a mempool's listeners are never removed.
  struct Shared {
    Shared();
    void wake();
    std::mutex mutex;
    std::condition_variable changed;
    bool woken = false, stopping = false;  ///< Guarded by mutex.
    PendingRing pending;
  };
  struct Subscription {
    std::string id;
    std::weak_ptr<Session> session;
    SubscriptionRequest request;
    std::uint64_t after = 0;         ///< Blocks above this number.
    std::uint64_t next_pending = 0;  ///< Used by the feed's thread only, as all below.
    std::optional<bool> syncing;
  };
  using Subscriptions = std::vector<std::shared_ptr<Subscription>>;  // shared with a delivery under way

  void run();
  [[nodiscard]] bool wait();
  [[nodiscard]] bool stopping();
  void deliver_blocks();
  void deliver_block(std::uint64_t number, const Subscriptions& targets);
  void deliver_pending();
  void deliver_syncing();
  template <class Wanted>
  [[nodiscard]] Subscriptions select(Wanted wanted) const;
  void count_locked(Topic topic, int change);

  LedgerReader& ledger_;
  const RpcOptions& options_;
  runtime::Random& random_;
  Budget criteria_;
  const std::shared_ptr<Shared> shared_;
  std::uint64_t listener_ = 0;
  mutable std::mutex mutex_;  // guards all below
  std::map<std::string, std::shared_ptr<Subscription>> subscriptions_;
  std::array<int, 5> per_topic_{};
  std::uint64_t cursor_ = 0;  ///< The last block that has been, or is being, delivered.
  std::thread thread_;
};

}  // namespace bonus::chain::rpc
