// Creation, use and expiry of filters.
#include "bonus/chain/rpc/filters.hpp"

#include "bonus/chain/rpc/log_criteria.hpp"

namespace bonus::chain::rpc {

FilterSet::FilterSet(Feed& feed, const RpcOptions& options, const runtime::Clock& clock)
    : feed_(feed), options_(options), clock_(clock) {}

FilterSet::~FilterSet() {
  while (!entries_.empty()) drop_locked(entries_.begin());
}

void FilterSet::drop_locked(Entries::iterator at) {
  const Filter& filter = *at->second.filter;
  feed_.criteria().give(criteria_bytes(filter.logs.filter));
  if (filter.kind == Filter::Kind::kPending) feed_.pending().close();
  entries_.erase(at);
}

void FilterSet::expire_locked(Instant now) {
  for (auto it = entries_.begin(); it != entries_.end();) {
    const auto at = it++;
    if (now - at->second.used >= options_.filter_lifetime) drop_locked(at);
  }
}

void FilterSet::show_locked() {
  if (options_.metrics != nullptr)
    options_.metrics->gauge("bonus_rpc_filters", "Filters that are polled.").set(static_cast<double>(entries_.size()));
}

Reply<std::string> FilterSet::add(std::unique_ptr<Filter> filter) {
  const Instant now = clock_.now();
  const std::lock_guard lock(mutex_);
  expire_locked(now);
  if (entries_.size() >= options_.max_filters) return failure(kLimitExceeded, "the node has too many filters");
  if (!feed_.criteria().take(criteria_bytes(filter->logs.filter)))
    return failure(kLimitExceeded, "the node's subscriptions and filters name too many addresses and topics");
  if (filter->kind == Filter::Kind::kPending) filter->next_pending = feed_.pending().open();
  std::string id = feed_.new_id();
  entries_.emplace(id, Entry{std::move(filter), now});
  show_locked();
  return id;
}

Reply<std::shared_ptr<Filter>> FilterSet::find(const std::string& id) {
  const Instant now = clock_.now();
  const std::lock_guard lock(mutex_);
  expire_locked(now);
  show_locked();
  const auto found = entries_.find(id);
  if (found == entries_.end()) return failure(kServerError, "filter not found");
  found->second.used = now;
  return found->second.filter;
}

bool FilterSet::remove(const std::string& id) {
  const std::lock_guard lock(mutex_);
  expire_locked(clock_.now());
  const auto found = entries_.find(id);
  const bool known = found != entries_.end();
  if (known) drop_locked(found);
  show_locked();
  return known;
}

}  // namespace bonus::chain::rpc
