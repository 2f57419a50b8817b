// One strand: agent, transaction sender and the table of containers live there; starts and stops are coroutines beside
// it.
#include "bonus/node/worker_impl.hpp"

#include <fmt/format.h>

#include <atomic>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <charconv>
#include <deque>
#include <future>
#include <map>
#include <mutex>
#include <set>

#include "bonus/base/log.hpp"
#include "bonus/node/lease_host.hpp"
#include "bonus/node/lease_ports.hpp"
#include "bonus/node/market_views.hpp"
#include "bonus/node/tx_sender.hpp"

namespace bonus::node {

namespace asio = boost::asio;
using chain::market::EndReason;
using runtime::Task;

namespace {

std::optional<std::uint64_t> lease_of(std::string_view container) {
  constexpr std::string_view kPrefix = "lease-";
  if (!container.starts_with(kPrefix)) return std::nullopt;
  container.remove_prefix(kPrefix.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(container.data(), container.data() + container.size(), id);
  if (error != std::errc() || end != container.data() + container.size()) return std::nullopt;
  return id;
}

}  // namespace

void Worker::Impl::begin() {
  running = true;
  market::Recovered recovered;
  for (const auto& container : parts.containers.list()) {
    const auto lease = lease_of(container.id);
    if (!lease) continue;
    market::Recovered::Container entry;
    entry.lease_id = *lease;
    entry.exited = has_ended(container);
    entry.ports = ports.get(*lease);
    if (entry.exited) entry.detail = exit_text(container);
    if (!entry.exited) started.insert(*lease);
    log::info("node", "adopted", {{"container", container.id}, {"exited", entry.exited}});
    recovered.containers.push_back(std::move(entry));
  }
  // Weak: both outlive the worker.
  parts.containers.on_change([weak = weak_from_this()](const compute::ContainerStatus& change) {
    if (auto self = weak.lock()) asio::post(self->strand, [self, change] { self->changed(change); });
  });
  subscription = parts.ledger.subscribe([weak = weak_from_this()](const std::shared_ptr<const chain::StoredBlock>&) {
    auto self = weak.lock();
    if (self == nullptr || self->head_posted.exchange(true)) return;
    asio::post(self->strand, [self] { self->on_head(); });
  });
  feed(std::move(recovered));
  on_head();
}

Result<market::ChainView> Worker::Impl::view_at(std::uint64_t block) const {
  market::ChainView out;
  TRY_ASSIGN(const auto stored, parts.ledger.block(block));
  out.block = block;
  out.timestamp = stored->block.header.timestamp;
  TRY_ASSIGN(out.node, views.node_of(account, block));
  TRY_ASSIGN(out.offers, views.offers_of(account, block));
  TRY_ASSIGN(auto leases, views.live_leases_of(account, block));
  for (auto& lease : leases) {
    TRY_ASSIGN(auto order, views.order(lease.order_id, block));
    out.leases.push_back({std::move(lease), std::move(order)});
  }
  return out;
}

void Worker::Impl::on_head() {
  head_posted = false;
  if (!running) return;
  sender.on_head();
  auto view = view_at(parts.ledger.head().number);
  if (!view) {
    log::warn("node", "market_view_failed", {{"error", view.error().message}});
    return;
  }
  feed(*std::move(view));
}

void Worker::Impl::feed(market::Event event) {
  if (!running) return;
  events.push_back(std::move(event));
  drain_events();
}

void Worker::Impl::drain_events() {
  if (draining_events) return;  // an action's immediate answer: handled by the loop below
  draining_events = true;
  while (!events.empty()) {
    const market::Event event = std::move(events.front());
    events.pop_front();
    for (auto& action : agent.handle(event, now())) act(action);
  }
  draining_events = false;
  arm_timer();
  const auto fresh = agent.status();
  live.set(static_cast<double>(fresh.containers));
  const std::scoped_lock lock(status_mutex);
  status = fresh;
}

void Worker::Impl::arm_timer() {
  const Instant wake = agent.next_wake();
  if (wake == timer_at) return;
  timer_at = wake;
  timer.cancel();
  if (wake == Instant::max()) return;
  timer.expires_after(std::max(Duration::zero(), wake - now()));
  timer.async_wait([self = shared_from_this(), wake](const boost::system::error_code& error) {
    if (error || self->timer_at != wake) return;
    self->timer_at = Instant::max();
    self->feed(market::Tick{});
  });
}

void Worker::Impl::act(market::Action& action) {
  if (auto* start = std::get_if<market::StartContainer>(&action)) {
    const std::uint64_t lease = start->lease.id;
    if (starting.insert(lease).second)
      tasks.spawn(fmt::format("start lease {}", lease), start_lease(std::move(*start)));
  } else if (auto* stop = std::get_if<market::StopContainer>(&action)) {
    if (stopping.insert(stop->lease_id).second)
      tasks.spawn(fmt::format("stop lease {}", stop->lease_id), stop_lease(stop->lease_id));
  } else if (auto* transaction = std::get_if<market::SendTransaction>(&action)) {
    send(*transaction);
  } else {
    log::info("node", "left_the_market");
  }
}

void Worker::Impl::send(market::SendTransaction& action) {
  TxRequest request;
  request.label = fmt::format("{} {}", market::to_string(action.key.kind), action.key.id);
  request.to = action.to;
  request.data = std::move(action.data);
  request.value = action.value;
  auto done = [weak = weak_from_this(), key = action.key](TxOutcome outcome) {
    auto self = weak.lock();
    if (self == nullptr) return;
    market::TransactionDone event;
    event.key = key;
    event.outcome = static_cast<market::TransactionDone::Outcome>(outcome.kind);
    event.block = outcome.block;
    event.detail = std::move(outcome.detail);
    if (outcome.kind != TxOutcome::Kind::kIncluded)
      log::warn("node", "transaction_failed",
                {{"what", market::to_string(key.kind)}, {"id", key.id}, {"why", event.detail}});
    self->feed(std::move(event));
  };
  sender.send(std::move(request), std::move(done));
}

void Worker::Impl::changed(const compute::ContainerStatus& change) {
  const auto lease = lease_of(change.id);
  if (!lease || !has_ended(change) || !started.contains(*lease) || stopping.contains(*lease)) return;
  started.erase(*lease);
  log::info("node", "container_ended", {{"container", change.id}, {"detail", exit_text(change)}});
  market::ContainerExited event;
  event.lease_id = *lease;
  event.detail = exit_text(change);
  feed(std::move(event));
}

Worker::Worker(const WorkerParts& parts, const market::AgentConfig& agent, const crypto::SecretKey256& account_key,
               const std::string& data_dir, Duration start_timeout)
    : impl_(std::make_shared<Impl>(parts, agent, account_key, data_dir, start_timeout)) {}
Worker::~Worker() { stop(); }

void Worker::start() {
  auto begin = [impl = impl_] { impl->begin(); };
  asio::post(impl_->strand, std::move(begin));
}

void Worker::stop() {
  // A second call would wait for a strand whose threads have ended already.
  if (std::exchange(impl_->stop_asked, true)) return;
  std::promise<void> halted;
  auto done = halted.get_future();
  asio::post(impl_->strand, [impl = impl_, &halted] {
    if (impl->running) {
      impl->running = false;
      impl->parts.ledger.unsubscribe(impl->subscription);
      impl->timer.cancel();
    }
    impl->tasks.stop();
    halted.set_value();
  });
  done.wait();
}

market::AgentStatus Worker::status() const {
  const std::scoped_lock lock(impl_->status_mutex);
  market::AgentStatus out = impl_->status;
  return out;
}

}  // namespace bonus::node
