// The lease agent: every event updates what is known, then reconcile() issues whatever is missing between chain and
// containers.
#include "bonus/market/lease_agent.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "bonus/chain/api/host.hpp"

namespace bonus::market {

namespace encode = chain::market::encode;
using chain::market::EndReason;
using chain::market::LeaseState;

namespace {
constexpr std::size_t kMaxLeases = 256;
constexpr std::uint32_t kMaxBackoffDoublings = 6;
constexpr Duration kFirstBackoff = std::chrono::seconds(1);
constexpr Instant kNever = Instant::max();

bool same(const chain::market::OfferSpec& a, const chain::market::OfferSpec& b) {
  return a.capacity == b.capacity && a.prices.cpu == b.prices.cpu && a.prices.memory == b.prices.memory &&
         a.prices.disk == b.prices.disk && a.tier == b.tier && a.runtimes == b.runtimes && a.region == b.region &&
         a.available_until == b.available_until;
}

/// The wanted offer on the leases that run on the present one: capacity is never below what they use.
chain::market::OfferSpec fitted(chain::market::OfferSpec wanted, const chain::market::Resources& used) {
  wanted.capacity.cpu_millis = std::max(wanted.capacity.cpu_millis, used.cpu_millis);
  wanted.capacity.memory_mib = std::max(wanted.capacity.memory_mib, used.memory_mib);
  wanted.capacity.disk_mib = std::max(wanted.capacity.disk_mib, used.disk_mib);
  return wanted;
}
}  // namespace

std::string_view to_string(TransactionKind kind) {
  switch (kind) {
    case TransactionKind::kRegister:
      return "register";
    case TransactionKind::kUpdateNode:
      return "update-node";
    case TransactionKind::kCreateOffer:
      return "create-offer";
    case TransactionKind::kUpdateOffer:
      return "update-offer";
    case TransactionKind::kCloseOffer:
      return "close-offer";
    case TransactionKind::kHeartbeat:
      return "heartbeat";
    case TransactionKind::kLeaseStarted:
      return "lease-started";
    case TransactionKind::kLeaseEnded:
      return "lease-ended";
    case TransactionKind::kLeave:
      return "leave";
  }
  return "unknown";
}

LeaseAgent::LeaseAgent(AgentConfig config) : config_(std::move(config)) {
  if (!config_.offer) return;
  config_.offer->tier = config_.tier;
  config_.offer->region = config_.region;
}

std::vector<Action> LeaseAgent::handle(const Event& event, Instant now) {
  actions_.clear();
  std::visit([&](const auto& e) { on(e, now); }, event);
  wake_ = kNever;
  reconcile(now);
  return std::exchange(actions_, {});
}

AgentStatus LeaseAgent::status() const {
  AgentStatus out;
  out.draining = draining_;
  out.left = left_;
  if (view_) {
    out.registered = !view_->node.account.is_zero();
    out.seen_block = view_->block;
    out.offers = view_->offers.size();
    out.leases = view_->leases.size();
  }
  out.containers = local_.size();
  out.transactions_under_way = static_cast<std::size_t>(
      std::ranges::count_if(pending_, [](const auto& entry) { return !entry.second.answered; }));
  out.last_problem = last_problem_;
  return out;
}

// ---------------------------------------------------------------- events

void LeaseAgent::on(const Recovered& event, Instant /*now*/) {
  if (recovered_) return;  // what the agent knows since is newer
  recovered_ = true;
  for (const Recovered::Container& container : event.containers) {
    Local local;
    local.phase = container.exited ? Phase::kExited : Phase::kRunning;
    local.ports = container.ports;
    local.reason = container.exited ? EndReason::kWorkloadExited : EndReason::kNone;
    local.detail = container.detail;
    local_.emplace(container.lease_id, std::move(local));
  }
}

void LeaseAgent::on(const ChainView& event, Instant /*now*/) {
  if (view_ && event.block < view_->block) return;
  view_ = event;
  if (view_->leases.size() > kMaxLeases) view_->leases.resize(kMaxLeases);
  if (!view_->node.account.is_zero()) left_ = false;
}

void LeaseAgent::on(const ContainerStarted& event, Instant /*now*/) {
  const auto found = local_.find(event.lease_id);
  // A container being stopped may still report its start: the stop's answer is what counts.
  if (found == local_.end() || found->second.phase != Phase::kStarting) return;
  found->second.phase = Phase::kRunning;
  found->second.ports = event.ports;
}

void LeaseAgent::on(const ContainerFailed& event, Instant /*now*/) {
  const auto found = local_.find(event.lease_id);
  if (found == local_.end()) return;
  if (found->second.phase == Phase::kStopping) {
    local_.erase(found);  // nothing is left of it, which is what the stop wanted
    return;
  }
  found->second.phase = Phase::kFailed;
  found->second.reason = event.reason == EndReason::kHealthFailed ? EndReason::kHealthFailed : EndReason::kImageFailed;
  found->second.detail = event.detail;
}

void LeaseAgent::on(const ContainerExited& event, Instant /*now*/) {
  const auto found = local_.find(event.lease_id);
  if (found == local_.end() || found->second.phase == Phase::kStopping || found->second.phase == Phase::kFailed) return;
  found->second.phase = Phase::kExited;
  found->second.reason = EndReason::kWorkloadExited;
  found->second.detail = event.detail;
}

void LeaseAgent::on(const ContainerStopped& event, Instant /*now*/) {
  const auto found = local_.find(event.lease_id);
  // Only the answer to a stop that was asked for: a late one must not make room for a second container.
  if (found != local_.end() && found->second.phase == Phase::kStopping) local_.erase(found);
}

void LeaseAgent::on(const TransactionDone& event, Instant now) {
  const auto found = pending_.find(event.key);
  if (found == pending_.end()) return;
  Pending& pending = found->second;
  pending.answered = true;
  if (event.outcome == TransactionDone::Outcome::kIncluded) {
    pending.block = event.block;
    pending.failures = 0;
    pending.retry_at = now;
    if (event.key.kind != TransactionKind::kHeartbeat || last_problem_.starts_with("heartbeat")) last_problem_.clear();
    return;
  }
  if (event.key.kind == TransactionKind::kHeartbeat) last_heartbeat_.reset();  // due again at once, after the backoff
  last_problem_ = fmt::format("{}: {}", to_string(event.key.kind), event.detail);
  pending.block = event.outcome == TransactionDone::Outcome::kReverted ? event.block : 0;
  pending.retry_at = now + kFirstBackoff * (1U << std::min(pending.failures, kMaxBackoffDoublings));
  ++pending.failures;
}

void LeaseAgent::on(const Drain& /*event*/, Instant /*now*/) { draining_ = true; }

void LeaseAgent::on(const Resume& /*event*/, Instant /*now*/) {
  if (!left_) draining_ = false;
}

void LeaseAgent::on(const Tick& /*event*/, Instant /*now*/) {}

// ---------------------------------------------------------------- reconcile

void LeaseAgent::wake_at(Instant when) { wake_ = std::min(wake_, when); }

void LeaseAgent::send(TransactionKey key, const Address& to, Bytes data, const uint256& value, Instant now) {
  const auto [found, fresh] = pending_.try_emplace(key);
  Pending& pending = found->second;
  if (!fresh) {
    if (!pending.answered) {
      const Instant again = pending.sent + config_.transaction_timeout;
      if (now < again) {
        wake_at(again);
        return;
      }
    } else {
      // Its effect, or the reason of its failure, shows in the view of its block; only then it may be needed again.
      if (pending.block > view_->block) return;
      if (now < pending.retry_at) {
        wake_at(pending.retry_at);
        return;
      }
    }
  }
  pending.answered = false;
  pending.sent = now;
  wake_at(now + config_.transaction_timeout);
  actions_.emplace_back(SendTransaction{.key = key, .to = to, .data = std::move(data), .value = value});
}

void LeaseAgent::stop(std::uint64_t lease_id, Local& local, Instant now) {
  if (local.phase == Phase::kStopping && now < local.stop_sent + config_.stop_timeout) {
    wake_at(local.stop_sent + config_.stop_timeout);
    return;
  }
  local.phase = Phase::kStopping;
  local.stop_sent = now;
  wake_at(now + config_.stop_timeout);
  actions_.emplace_back(StopContainer{lease_id});
}

void LeaseAgent::reconcile(Instant now) {
  if (!recovered_ || !view_) return;
  reconcile_containers(now);
  reconcile_leases(now);
  reconcile_node(now);
  forget_transactions();
}

/// Containers without a live lease have to go.
void LeaseAgent::reconcile_containers(Instant now) {
  std::set<std::uint64_t> live;
  for (const ChainView::Live& entry : view_->leases) live.insert(entry.lease.id);
  for (auto entry = local_.begin(); entry != local_.end();) {
    auto& [lease_id, local] = *entry;
    if (live.contains(lease_id)) {
      ++entry;
    } else if (local.phase == Phase::kFailed) {
      entry = local_.erase(entry);
    } else {
      stop(lease_id, local, now);
      ++entry;
    }
  }
}

/// Live leases have to have a container, and the chain has to know what became of it.
void LeaseAgent::reconcile_leases(Instant now) {
  for (const ChainView::Live& entry : view_->leases) {
    const std::uint64_t id = entry.lease.id;
    const auto found = local_.find(id);
    const auto report_end = [&](EndReason reason, std::string_view detail) {
      constexpr std::size_t kMaxDetail = 256;  // IMarket.sol, Lease.detail
      send({TransactionKind::kLeaseEnded, id}, chain::kMarketAddress,
           encode::lease_ended(id, reason, detail.substr(0, kMaxDetail)), {}, now);
    };
    if (draining_) {
      report_end(EndReason::kWorkerLeft, "the worker leaves");
      continue;  // the container lives until the lease has ended on chain
    }
    if (found == local_.end()) {
      // A lease that the last view no longer or not yet knew cannot come here: the view is of one block.
      local_.emplace(id, Local{});
      actions_.emplace_back(StartContainer{.lease = entry.lease, .order = entry.order});
      continue;
    }
    Local& local = found->second;
    switch (local.phase) {
      case Phase::kStarting:
        break;
      case Phase::kRunning:
        // A restarted container may have other ports: the contract takes the new ones.
        if (entry.lease.state == LeaseState::kStarting || entry.lease.ports != local.ports) {
          send({TransactionKind::kLeaseStarted, id}, chain::kMarketAddress, encode::lease_started(id, local.ports), {},
               now);
        }
        break;
      case Phase::kExited:
      case Phase::kFailed:
        report_end(local.reason, local.detail);
        break;
      case Phase::kStopping:
        // Stopped by a view that did not show the lease, shown again now: cannot be saved, so it is given back.
        stop(id, local, now);
        report_end(EndReason::kWorkerLeft, "the container was stopped");
        break;
    }
  }
}

void LeaseAgent::reconcile_node(Instant now) {
  const bool registered = !view_->node.account.is_zero();
  if (draining_) {
    if (!registered) {
      if (!left_ && local_.empty()) {
        left_ = true;
        actions_.emplace_back(Left{});
      }
      return;
    }
    for (const auto& offer : view_->offers) {
      send({TransactionKind::kCloseOffer, offer.id}, chain::kMarketAddress, encode::close_offer(offer.id), {}, now);
    }
    if (view_->offers.empty() && view_->leases.empty()) {
      send({TransactionKind::kLeave, 0}, chain::kNodesAddress, encode::leave(), {}, now);
    }
    send_heartbeat(now);
    return;
  }
  if (!registered) {
    send({TransactionKind::kRegister, 0}, chain::kNodesAddress,
         encode::register_node(config_.node_key, config_.registration, config_.tier, config_.region, config_.endpoint),
         config_.bond, now);
    return;
  }
  send_heartbeat(now);
  const chain::market::Node& node = view_->node;
  if (node.tier != config_.tier && !view_->offers.empty()) {
    // The contract lets the tier change only without offers.
    for (const auto& offer : view_->offers) {
      send({TransactionKind::kCloseOffer, offer.id}, chain::kMarketAddress, encode::close_offer(offer.id), {}, now);
    }
    return;
  }
  if (node.tier != config_.tier || node.region != config_.region || node.endpoint != config_.endpoint) {
    send({TransactionKind::kUpdateNode, 0}, chain::kNodesAddress,
         encode::update_node(config_.tier, config_.region, config_.endpoint), {}, now);
  }
  if (node.tier == config_.tier) reconcile_offer(now);
}

void LeaseAgent::reconcile_offer(Instant now) {
  if (!view_->node.active) return;  // suspended until the heartbeat is in: the contract would refuse
  const auto close = [&](std::uint64_t id) {
    send({TransactionKind::kCloseOffer, id}, chain::kMarketAddress, encode::close_offer(id), {}, now);
  };
  if (!config_.offer) {
    for (const auto& offer : view_->offers) close(offer.id);
    return;
  }
  if (view_->offers.empty()) {
    send({TransactionKind::kCreateOffer, 0}, chain::kMarketAddress, encode::create_offer(*config_.offer), {}, now);
    return;
  }
  const auto& current = view_->offers.front();
  const auto wanted = fitted(*config_.offer, current.used);
  if (!same(current.spec, wanted)) {
    send({TransactionKind::kUpdateOffer, current.id}, chain::kMarketAddress, encode::update_offer(current.id, wanted),
         {}, now);
  }
  // More than one can only come from a create transaction that was believed lost.
  for (std::size_t i = 1; i < view_->offers.size(); ++i) close(view_->offers[i].id);
}

void LeaseAgent::send_heartbeat(Instant now) {
  const Duration interval = view_->leases.empty() ? config_.heartbeat_idle : config_.heartbeat_busy;
  const bool suspended = !view_->node.active;
  if (last_heartbeat_ && !suspended && now < *last_heartbeat_ + interval) {
    wake_at(*last_heartbeat_ + interval);
    return;
  }
  const TransactionKey key{TransactionKind::kHeartbeat, 0};
  // Unlike the others a heartbeat is needed again after its effect was seen, does not wait for a view, and an
  // unanswered one is not waited for longer than the interval: silence costs bond.
  if (const auto found = pending_.find(key); found != pending_.end()) {
    const Pending& last = found->second;
    const Instant again =
        last.answered ? last.retry_at
                      : last.sent + std::min(config_.transaction_timeout, std::max(interval, config_.heartbeat_busy));
    if (now < again) {
      wake_at(again);
      return;
    }
    if (last.answered && suspended && last.block > view_->block) return;  // the view will show that it helped
    if (last.answered && last.failures == 0) pending_.erase(found);
  }
  const std::size_t before = actions_.size();
  send(key, chain::kNodesAddress, encode::heartbeat(), {}, now);
  if (actions_.size() == before) return;
  last_heartbeat_ = now;
  wake_at(now + interval);
}

/// Entries whose lease or offer is gone, so that the map stays as small as what is live.
void LeaseAgent::forget_transactions() {
  std::erase_if(pending_, [this](const auto& entry) {
    const TransactionKey& key = entry.first;
    const Pending& pending = entry.second;
    switch (key.kind) {
      case TransactionKind::kLeaseStarted:
      case TransactionKind::kLeaseEnded:
        return std::ranges::none_of(view_->leases, [&](const auto& live) { return live.lease.id == key.id; });
      case TransactionKind::kUpdateOffer:
      case TransactionKind::kCloseOffer:
        return std::ranges::none_of(view_->offers, [&](const auto& offer) { return offer.id == key.id; });
      default:
        return pending.answered && pending.failures == 0 && pending.block <= view_->block &&
               key.kind != TransactionKind::kHeartbeat;
    }
  });
}

}  // namespace bonus::market
