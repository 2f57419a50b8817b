// Queues of a WebSocket connection. No lock is held while the feed is called.
#include "bonus/chain/rpc/session.hpp"

#include <fmt/format.h>

#include "bonus/chain/rpc/feed.hpp"

namespace bonus::chain::rpc {

Session::Session(Feed& feed, Budget& total, SessionLimits limits, std::function<void()> wake)
    : feed_(feed), total_(total), limits_(limits), wake_(std::move(wake)) {}

Session::~Session() {
  for (const auto& [id, subscription] : subscriptions_) feed_.remove(id);
  clear_locked();
}

void Session::clear_locked() {
  total_.give(bytes_);
  bytes_ = 0;
  queue_.clear();
  for (auto& [id, subscription] : subscriptions_) subscription.waiting.clear();
}

std::optional<Session::Message> Session::pop() {
  const std::lock_guard lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  Message out = std::move(queue_.front());
  queue_.pop_front();
  bytes_ -= out.text.size();
  total_.give(out.text.size());
  return out;
}

void Session::answer(std::string text, std::span<const std::string> subscriptions) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  if (!text.empty()) {
    bytes_ += text.size();
    total_.force(text.size());
    queue_.push_back({std::move(text), true});
  }
  for (const auto& id : subscriptions) {
    const auto found = subscriptions_.find(id);
    if (found == subscriptions_.end()) continue;
    found->second.active = true;
    for (auto& waiting : found->second.waiting) queue_.push_back({std::move(waiting), false});
    found->second.waiting.clear();
  }
  wake_locked();
}

void Session::notify(const std::string& id, std::string_view result) {
  const std::lock_guard lock(mutex_);
  const auto found = subscriptions_.find(id);
  if (ended_ || found == subscriptions_.end()) return;
  std::string text = fmt::format(
      R"({{"jsonrpc":"2.0","method":"eth_subscription","params":{{"subscription":"{}","result":{}}}}})", id, result);
  // One text may be longer than the bound on all.
  const bool too_much = bytes_ > 0 && bytes_ + text.size() > limits_.queue_bytes;
  if (too_much || !total_.take(text.size())) {
    ended_ = fmt::format("slow consumer: {} bytes wait to be read", bytes_);
    clear_locked();
  } else {
    bytes_ += text.size();
    if (found->second.active)
      queue_.push_back({std::move(text), false});
    else
      found->second.waiting.push_back(std::move(text));
  }
  wake_locked();
}

void Session::end(std::string reason) {
  const std::lock_guard lock(mutex_);
  if (ended_) return;
  ended_ = std::move(reason);
  clear_locked();
  wake_locked();
}

void Session::detach() {
  const std::lock_guard lock(mutex_);
  wake_ = nullptr;
}

std::optional<std::string> Session::ended() const {
  const std::lock_guard lock(mutex_);
  return ended_;
}

Reply<std::string> Session::subscribe(SubscriptionRequest request) {
  std::string id = feed_.new_id();
  {
    // Known here before the feed may deliver.
    const std::lock_guard lock(mutex_);
    if (subscriptions_.size() >= limits_.subscriptions)
      return failure(kLimitExceeded, fmt::format("too many subscriptions: at most {}", limits_.subscriptions));
    subscriptions_.emplace(id, Subscription());
  }
  if (auto added = feed_.add(weak_from_this(), id, std::move(request)); !added) {
    const std::lock_guard lock(mutex_);
    subscriptions_.erase(id);
    return std::unexpected(std::move(added).error());
  }
  return id;
}

bool Session::unsubscribe(std::string_view id) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = subscriptions_.find(id);
    if (found == subscriptions_.end()) return false;
    for (const auto& waiting : found->second.waiting) {
      bytes_ -= waiting.size();
      total_.give(waiting.size());
    }
    subscriptions_.erase(found);
  }
  feed_.remove(std::string(id));
  return true;
}

Reply<std::string> SessionCalls::subscribe(SubscriptionRequest request) {
  TRY_ASSIGN(auto id, session_.subscribe(std::move(request)));
  made_.push_back(id);
  return id;
}

}  // namespace bonus::chain::rpc
