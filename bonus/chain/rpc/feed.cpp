// The feed's thread. Lock order: mutex_, then the ledger's own; the listeners take only Shared's mutex.
#include "bonus/chain/rpc/feed.hpp"

#include <fmt/format.h>

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "bonus/base/log.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/log_criteria.hpp"
#include "bonus/chain/rpc/session.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

constexpr std::size_t kPendingCount = 65'536;
constexpr std::size_t kPendingBytes = 64 << 20;
constexpr std::size_t kPendingStep = 1'024;  ///< Transactions handled before blocks get their turn again.
/// Besides being woken: finds a head whose listener ran too early, and changes of the synchronisation.
constexpr auto kTick = std::chrono::seconds(1);
constexpr std::array<std::string_view, 5> kTopicNames{"newHeads", "logs", "newPendingTransactions",
                                                      "newPendingTransactions_full", "syncing"};

std::string sync_text(const std::optional<SyncStatus>& status) {
  if (!status) return "false";
  return fmt::format(R"({{"syncing":true,"status":{{"startingBlock":"{}","currentBlock":"{}","highestBlock":"{}"}}}})",
                     quantity(status->starting_block), quantity(status->current_block),
                     quantity(status->highest_block));
}

}  // namespace

Feed::Shared::Shared() : pending(kPendingCount, kPendingBytes) {}

void Feed::Shared::wake() {
  {
    const std::lock_guard lock(mutex);
    woken = true;
  }
  changed.notify_one();
}

Feed::Feed(LedgerReader& ledger, Mempool& mempool, const RpcOptions& options, runtime::Random& random)
    : ledger_(ledger),
      options_(options),
      random_(random),
      criteria_(options.max_criteria_bytes),
      shared_(std::make_shared<Shared>()) {
  listener_ = ledger_.subscribe([weak = std::weak_ptr(shared_)](const std::shared_ptr<const StoredBlock>&) {
    if (const auto shared = weak.lock()) shared->wake();
  });
  mempool.on_added([weak = std::weak_ptr(shared_)](TransactionPtr tx) {
    if (const auto shared = weak.lock(); shared && shared->pending.push(std::move(tx))) shared->wake();
  });
}

Feed::~Feed() {
  ledger_.unsubscribe(listener_);
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
  }
  shared_->changed.notify_one();
  if (thread_.joinable()) thread_.join();
}

std::string Feed::new_id() {
  std::array<std::uint8_t, 16> bytes{};
  random_.fill(bytes);
  const std::string digits = to_hex(bytes);
  return "0x" + digits.substr(std::min(digits.find_first_not_of('0'), digits.size() - 1));
}

void Feed::count_locked(Topic topic, int change) {
  const auto index = static_cast<std::size_t>(topic);
  per_topic_[index] += change;
  if (options_.metrics != nullptr)
    options_.metrics->gauge("bonus_rpc_subscriptions", "Subscriptions by kind.", {{"kind", kTopicNames[index]}})
        .set(per_topic_[index]);
}

Reply<std::monostate> Feed::add(std::weak_ptr<Session> session, const std::string& id, SubscriptionRequest request) {
  const std::lock_guard lock(mutex_);
  if (subscriptions_.size() >= options_.max_subscriptions_total)
    return failure(kLimitExceeded, "the node has too many subscriptions");
  if (!criteria_.take(criteria_bytes(request.logs)))
    return failure(kLimitExceeded, "the node's subscriptions and filters name too many addresses and topics");
  auto made = std::make_shared<Subscription>();
  made->id = id;
  made->session = std::move(session);
  // The cursor never is above the head: what it passed is not above `after`, and what comes will find this one.
  made->after = ledger_.head().number;
  made->request = std::move(request);
  const Topic topic = made->request.topic;
  if (topic == Topic::kPendingHashes || topic == Topic::kPendingTransactions)
    made->next_pending = shared_->pending.open();
  subscriptions_.emplace(id, std::move(made));
  count_locked(topic, 1);
  if (!thread_.joinable()) {
    cursor_ = ledger_.head().number;
    thread_ = std::thread([this] { run(); });
  }
  return std::monostate();
}

void Feed::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  const auto found = subscriptions_.find(id);
  if (found == subscriptions_.end()) return;
  const auto& request = found->second->request;
  criteria_.give(criteria_bytes(request.logs));
  count_locked(request.topic, -1);
  if (request.topic == Topic::kPendingHashes || request.topic == Topic::kPendingTransactions) shared_->pending.close();
  subscriptions_.erase(found);
}

std::size_t Feed::size() const {
  const std::lock_guard lock(mutex_);
  return subscriptions_.size();
}

template <class Wanted>
Feed::Subscriptions Feed::select(Wanted wanted) const {
  const std::lock_guard lock(mutex_);
  Subscriptions out;
  for (const auto& [id, subscription] : subscriptions_)
    if (wanted(*subscription)) out.push_back(subscription);
  return out;
}

bool Feed::wait() {
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, kTick, [this] { return shared_->woken || shared_->stopping; });
  shared_->woken = false;
  return !shared_->stopping;
}

bool Feed::stopping() {
  const std::lock_guard lock(shared_->mutex);
  return shared_->stopping;
}

void Feed::run() {
  do {
    try {
      deliver_blocks();
      deliver_pending();
      deliver_syncing();
    } catch (const std::exception& error) {
      // Lack of memory. The block under way may be lost, so its subscribers must not believe that they have all.
      log::error("rpc", "feed_failed", {{"error", error.what()}});
      for (const auto& subscription : select([](const Subscription&) { return true; }))
        if (const auto session = subscription->session.lock()) session->end("the node failed to read its events");
    }
  } while (wait());
}

void Feed::deliver_blocks() {
  while (!stopping()) {
    const std::uint64_t head = ledger_.head().number;
    std::uint64_t number = 0;
    Subscriptions targets;
    {
      const std::lock_guard lock(mutex_);
      if (cursor_ >= head) return;
      number = ++cursor_;
      for (const auto& [id, subscription] : subscriptions_) {
        const Topic topic = subscription->request.topic;
        if ((topic == Topic::kNewHeads || topic == Topic::kLogs) && subscription->after < number)
          targets.push_back(subscription);
      }
      // Nobody listens to what lies in between.
      if (targets.empty() && per_topic_[0] + per_topic_[1] == 0) cursor_ = head;
    }
    if (!targets.empty()) deliver_block(number, targets);
  }
}

void Feed::deliver_block(std::uint64_t number, const Subscriptions& targets) {
  const auto give_up = [&](const Error& error) {
    log::error("rpc", "block_not_delivered", {{"block", number}, {"error", error.message}});
    for (const auto& target : targets)
      if (const auto session = target->session.lock()) session->end("the node cannot read a block: " + error.message);
  };
  const auto block = ledger_.block(number);
  if (!block) return give_up(block.error());
  std::string header;
  std::optional<std::vector<FoundLog>> logs;
  std::vector<std::string> texts;  // of logs, encoded when somebody wants them
  for (const auto& target : targets) {
    const auto session = target->session.lock();
    if (!session) continue;
    if (target->request.topic == Topic::kNewHeads) {
      if (header.empty()) header = json::serialize(encode_header(**block));
      session->notify(target->id, header);
      continue;
    }
    if (!logs) {
      LogFilter all;
      all.from_block = all.to_block = number;
      all.limit = SIZE_MAX;
      auto found = ledger_.logs(all);
      if (!found) return give_up(found.error());
      logs = *std::move(found);
      texts.resize(logs->size());
    }
    for (std::size_t i = 0; i < logs->size(); ++i) {
      const auto& log = (*logs)[i];
      if (!matches(target->request.logs, log.log)) continue;
      if (texts[i].empty()) texts[i] = json::serialize(encode_log(log, (*block)->block.header.timestamp));
      session->notify(target->id, texts[i]);
    }
  }
}

void Feed::deliver_pending() {
  const auto targets = select([](const Subscription& s) {
    return s.request.topic == Topic::kPendingHashes || s.request.topic == Topic::kPendingTransactions;
  });
  bool more = false;
  for (const auto& target : targets) {
    const auto session = target->session.lock();
    if (!session) continue;
    const auto items = shared_->pending.since(target->next_pending, kPendingStep);
    if (!items) {
      session->end("slow consumer: more transactions arrived than the node keeps");
      continue;
    }
    target->next_pending += items->size();
    more = more || items->size() == kPendingStep;
    const bool full = target->request.topic == Topic::kPendingTransactions;
    const std::uint64_t chain_id = ledger_.genesis().chain_id;
    for (const auto& item : *items)
      session->notify(target->id, full ? json::serialize(encode_transaction(*item, chain_id, nullptr))
                                       : '"' + to_hex0x(item->hash) + '"');
  }
  if (more) shared_->wake();
}

void Feed::deliver_syncing() {
  const auto targets = select([](const Subscription& s) { return s.request.topic == Topic::kSyncing; });
  if (targets.empty()) return;
  const auto status = options_.sync_status ? options_.sync_status() : std::nullopt;
  for (const auto& target : targets) {
    if (target->syncing == status.has_value()) continue;
    target->syncing = status.has_value();
    if (const auto session = target->session.lock()) session->notify(target->id, sync_text(status));
  }
}

}  // namespace bonus::chain::rpc
