// One WebSocket connection without its socket: outgoing messages and subscriptions. Internal to this folder.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>

#include "bonus/chain/rpc/budget.hpp"
#include "bonus/chain/rpc/subscriber.hpp"

namespace bonus::chain::rpc {

class Feed;

struct SessionLimits {
  std::size_t queue_bytes = 8 << 20;  ///< Of notifications that wait to be written.
  std::size_t subscriptions = 128;
};

/// Thread-safe. Always owned by a shared_ptr: the feed looks at it while the connection ends.
class Session : public std::enable_shared_from_this<Session> {
 public:
  /// `feed` and `total` (bytes queued in all sessions) outlive it. `wake` is called, on any thread and
  /// under a lock, when something is to be written or the session has ended: it may only post.
  Session(Feed& feed, Budget& total, SessionLimits limits, std::function<void()> wake);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  struct Message {
    std::string text;
    bool answer = false;
  };
  /// What is to be written next.
  [[nodiscard]] std::optional<Message> pop();
  /// Queues the answer to a message, then what was held back for the subscriptions that it made. Answers are bounded by
  /// the requests in flight, so they are never refused. An empty text is left out.
  void answer(std::string text, std::span<const std::string> subscriptions);
  /// Queues a notification; `result` is JSON. A consumer that is too slow ends the session.
  void notify(const std::string& id, std::string_view result);
  /// `reason` goes into the log and the closing handshake. Only the first call counts.
  void end(std::string reason);
  /// Set after end(), by whomever.
  [[nodiscard]] std::optional<std::string> ended() const;
  /// `wake` is not called any more, and no call of it is under way.
  void detach();

  [[nodiscard]] Reply<std::string> subscribe(SubscriptionRequest request);
  [[nodiscard]] bool unsubscribe(std::string_view id);

 private:
  struct Subscription {
    bool active = false;              ///< The answer that names it is in the queue.
    std::deque<std::string> waiting;  ///< Until then.
  };
  void clear_locked();
  void wake_locked() const {
    if (wake_) wake_();
  }

  Feed& feed_;
  Budget& total_;
  const SessionLimits limits_;
  mutable std::mutex mutex_;  // guards all below
  std::function<void()> wake_;
  std::deque<Message> queue_;
  std::size_t bytes_ = 0;
  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::optional<std::string> ended_;
};

/// The calls of one message: what they subscribe to starts behind their answer.
class SessionCalls final : public Subscriber {
 public:
  explicit SessionCalls(Session& session) : session_(session) {}
  [[nodiscard]] Reply<std::string> subscribe(SubscriptionRequest request) override;
  [[nodiscard]] bool unsubscribe(std::string_view id) override { return session_.unsubscribe(id); }
  [[nodiscard]] std::span<const std::string> made() const { return made_; }

 private:
  Session& session_;
  std::vector<std::string> made_;
};

}  // namespace bonus::chain::rpc
