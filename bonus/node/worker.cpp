// One strand: agent, transaction sender and the table of containers live there; starts and stops are coroutines beside
// it.
#include "bonus/node/worker.hpp"

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

constexpr std::size_t kMaxWorkloadBytes = 64 << 10;
constexpr Duration kStopGrace = std::chrono::seconds(10);
constexpr Duration kPoll = std::chrono::milliseconds(100);
constexpr Duration kDialTimeoutPoll = std::chrono::milliseconds(250);
constexpr int kFetchAttempts = 5;

std::optional<std::uint64_t> lease_of(std::string_view container) {
  constexpr std::string_view kPrefix = "lease-";
  if (!container.starts_with(kPrefix)) return std::nullopt;
  container.remove_prefix(kPrefix.size());
  std::uint64_t id = 0;
  const auto [end, error] = std::from_chars(container.data(), container.data() + container.size(), id);
  if (error != std::errc() || end != container.data() + container.size()) return std::nullopt;
  return id;
}

std::string exit_text(const compute::ContainerStatus& status) {
  std::string out = status.out_of_memory ? "out of memory" : fmt::format("exit code {}", status.exit_code);
  if (!status.message.empty()) out += ": " + status.message;
  return out.substr(0, 256);
}

bool has_ended(const compute::ContainerStatus& status) {
  return status.state == compute::ContainerState::kExited || status.state == compute::ContainerState::kFailed;
}

}  // namespace

struct Worker::Impl : std::enable_shared_from_this<Worker::Impl> {
  Impl(const WorkerParts& p, const market::AgentConfig& agent_settings, const crypto::SecretKey256& key,
       const std::string& data_dir, Duration timeout)
      : parts(p),
        strand(asio::make_strand(p.executor)),
        timer(strand),
        tasks(strand),
        agent(agent_settings),
        account(agent_settings.account),
        views(p.ledger),
        sender(p.ledger, p.mempool, key, agent_settings.account),
        ports(p.disk, data_dir + "/lease-ports.state"),
        start_timeout(timeout),
        live(p.metrics.gauge("bonus_node_worker_containers_count", "Containers of leases on this worker")),
        failed(p.metrics.counter("bonus_node_worker_failed_starts_total", "Leases that could not be started")) {}

  void begin();
  void on_head();
  void feed(market::Event event);
  void drain_events();
  void act(market::Action& action);
  void send(market::SendTransaction& action);
  void arm_timer();
  void changed(const compute::ContainerStatus& status);
  [[nodiscard]] Result<market::ChainView> view_at(std::uint64_t block) const;
  [[nodiscard]] Task<> start_lease(market::StartContainer order);
  [[nodiscard]] Task<> stop_lease(std::uint64_t lease);
  /// Runs the container until it is healthy; the error is the reason of the lease's end.
  struct Failure {
    EndReason reason = EndReason::kImageFailed;
    std::string detail;
  };
  [[nodiscard]] Task<std::optional<Failure>> run(market::StartContainer order, std::vector<std::uint16_t>& lease_ports);
  [[nodiscard]] Task<Result<Bytes>> fetch_workload(Hash32 sha256, std::uint64_t lease);
  [[nodiscard]] Task<std::optional<Failure>> wait_healthy(std::uint64_t lease, std::vector<std::uint16_t> lease_ports);
  [[nodiscard]] bool cancelled(std::uint64_t lease) const { return !running || stopping.contains(lease); }
  [[nodiscard]] Instant now() const { return parts.clock.now(); }

  WorkerParts parts;
  asio::strand<runtime::Executor> strand;
  asio::steady_timer timer;  // strand, as all below
  runtime::TaskGroup tasks;
  market::LeaseAgent agent;
  Address account;
  MarketViews views;
  TxSender sender;
  LeasePorts ports;
  Duration start_timeout;
  Metrics::Gauge& live;
  Metrics::Counter& failed;
  bool stop_asked = false;  // by the owner's thread only
  bool running = false;
  bool draining_events = false;
  std::deque<market::Event> events;
  std::set<std::uint64_t> starting, stopping;  // leases with a coroutine under way
  std::set<std::uint64_t> started;             // reported to the agent as started or recovered as running
  Instant timer_at = Instant::max();
  std::uint64_t subscription = 0;
  std::atomic<bool> head_posted{false};  // any thread
  mutable std::mutex status_mutex;
  market::AgentStatus status;  // guarded by status_mutex
};

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

Task<Result<Bytes>> Worker::Impl::fetch_workload(Hash32 sha256, std::uint64_t lease) {
  Result<Bytes> document = fail(ErrorCode::kCancelled, "stopped");
  for (int attempt = 0; attempt < kFetchAttempts && !cancelled(lease); ++attempt) {
    if (attempt > 0) {
      auto pause = runtime::sleep_for(std::chrono::milliseconds(200 << attempt));
      if (!co_await std::move(pause)) break;
    }
    auto fetching = parts.images.fetch_small(sha256, kMaxWorkloadBytes);
    document = co_await std::move(fetching);
    if (document || document.error().code == ErrorCode::kExhausted || document.error().code == ErrorCode::kInvalid)
      break;
  }
  co_return document;
}

Task<std::optional<Worker::Impl::Failure>> Worker::Impl::run(market::StartContainer order,
                                                             std::vector<std::uint16_t>& lease_ports) {
  const std::uint64_t lease = order.lease.id;
  auto fetching = fetch_workload(order.order.spec.workload, lease);
  auto document = co_await std::move(fetching);
  if (!document) co_return Failure{EndReason::kImageFailed, "the workload document: " + document.error().message};
  auto workload = compute::Workload::from_json(as_text(*document));
  if (!workload) co_return Failure{EndReason::kImageFailed, "the workload document: " + workload.error().message};
  if (auto fits = check_workload(*workload, order.order.spec); !fits)
    co_return Failure{EndReason::kImageFailed, fits.error().message};
  lease_ports = workload->ports;
  if (auto kept = ports.set(lease, lease_ports); !kept)
    log::warn("node", "lease_ports_not_kept", {{"lease", lease}, {"error", kept.error().message}});
  if (cancelled(lease)) co_return Failure{EndReason::kUser, "stopped before it started"};

  auto start = parts.containers.start(container_name(lease), *std::move(workload));
  auto begun = co_await std::move(start);
  if (!begun && begun.error().code != ErrorCode::kExists)
    co_return Failure{EndReason::kImageFailed, begun.error().message};
  auto healthy = wait_healthy(lease, lease_ports);
  co_return co_await std::move(healthy);
}

Task<std::optional<Worker::Impl::Failure>> Worker::Impl::wait_healthy(std::uint64_t lease,
                                                                      std::vector<std::uint16_t> lease_ports) {
  const std::string id = container_name(lease);
  const Instant deadline = now() + start_timeout;
  while (true) {
    const auto seen = parts.containers.status(id);
    if (!seen) co_return Failure{EndReason::kHealthFailed, seen.error().message};
    // A workload that ends by itself has run all the same: the exit is reported after the start.
    if (seen->state == compute::ContainerState::kFailed) co_return Failure{EndReason::kHealthFailed, seen->message};
    if (seen->state == compute::ContainerState::kExited) {
      if (lease_ports.empty()) co_return std::nullopt;
      co_return Failure{EndReason::kHealthFailed, "it ended before it listened: " + exit_text(*seen)};
    }
    if (seen->state == compute::ContainerState::kRunning) {
      if (lease_ports.empty()) co_return std::nullopt;
      auto dialing = parts.containers.dial(id, lease_ports.front());
      auto connection = co_await std::move(dialing);
      if (connection) {
        (*connection)->close();
        co_return std::nullopt;
      }
    }
    if (cancelled(lease)) co_return Failure{EndReason::kUser, "stopped while it started"};
    if (now() >= deadline) {
      const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(start_timeout).count();
      co_return Failure{EndReason::kHealthFailed,
                        lease_ports.empty()
                            ? fmt::format("not running after {} s", seconds)
                            : fmt::format("port {} did not answer within {} s", lease_ports.front(), seconds)};
    }
    auto pause = runtime::sleep_for(lease_ports.empty() ? kPoll : kDialTimeoutPoll);
    if (!co_await std::move(pause)) co_return Failure{EndReason::kUser, "stopped while it started"};
  }
}

Task<> Worker::Impl::start_lease(market::StartContainer order) {
  auto self = shared_from_this();
  const std::uint64_t lease = order.lease.id;
  const Instant began = now();
  std::vector<std::uint16_t> lease_ports;
  auto running_it = run(std::move(order), lease_ports);
  auto failure = co_await std::move(running_it);
  if (!running) co_return;  // the container is adopted by the next start of the node
  if (failure) {
    auto removing = parts.containers.stop(container_name(lease), Duration::zero());
    auto removed = co_await std::move(removing);
    if (!removed && removed.error().code != ErrorCode::kNotFound)
      log::warn("node", "remove_failed", {{"lease", lease}, {"error", removed.error().message}});
  }
  starting.erase(lease);
  if (stopping.contains(lease)) co_return;  // stop_lease() answers
  if (failure) {
    failed.add();
    log::warn("node", "lease_failed", {{"lease", lease}, {"why", failure->detail}});
    market::ContainerFailed event;
    event.lease_id = lease;
    event.reason = failure->reason;
    event.detail = failure->detail.substr(0, 256);
    feed(std::move(event));
    co_return;
  }
  const auto took = std::chrono::duration_cast<std::chrono::milliseconds>(now() - began).count();
  log::info("node", "lease_started", {{"lease", lease}, {"ms", took}});
  started.insert(lease);
  market::ContainerStarted event;
  event.lease_id = lease;
  event.ports = lease_ports;
  feed(std::move(event));
  // It may have ended before it was in `started`.
  if (const auto seen = parts.containers.status(container_name(lease)); seen && has_ended(*seen)) changed(*seen);
}

Task<> Worker::Impl::stop_lease(std::uint64_t lease) {
  auto self = shared_from_this();
  const std::string id = container_name(lease);
  while (running) {
    auto removing = parts.containers.stop(id, kStopGrace);
    auto removed = co_await std::move(removing);
    const bool gone = removed || removed.error().code == ErrorCode::kNotFound;
    if (!gone) log::warn("node", "stop_failed", {{"container", id}, {"error", removed.error().message}});
    // A start that is under way sees `stopping` and ends; what it made meanwhile is removed in the next round.
    if (gone && !starting.contains(lease)) break;
    auto pause = runtime::sleep_for(gone ? kPoll : std::chrono::seconds(2));
    if (!co_await std::move(pause)) co_return;
  }
  if (!running) co_return;
  stopping.erase(lease);
  started.erase(lease);
  if (auto kept = ports.erase(lease); !kept)
    log::warn("node", "lease_ports_not_kept", {{"lease", lease}, {"error", kept.error().message}});
  log::info("node", "lease_stopped", {{"lease", lease}});
  market::ContainerStopped event;
  event.lease_id = lease;
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
