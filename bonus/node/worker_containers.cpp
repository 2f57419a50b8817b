// Containers of leases: fetching the workload, starting, waiting until it is healthy, stopping.
#include <fmt/format.h>

#include <algorithm>

#include "bonus/base/log.hpp"
#include "bonus/node/worker_impl.hpp"

namespace bonus::node {

using chain::market::EndReason;
using runtime::Task;

namespace {

constexpr std::size_t kMaxWorkloadBytes = 64 << 10;
constexpr Duration kStopGrace = std::chrono::seconds(10);
constexpr Duration kPoll = std::chrono::milliseconds(100);
constexpr int kFetchAttempts = 5;

}  // namespace

std::string exit_text(const compute::ContainerStatus& status) {
  if (!status.message.empty()) return status.message.substr(0, 256);
  return status.out_of_memory ? "out of memory" : fmt::format("exit code {}", status.exit_code);
}

bool has_ended(const compute::ContainerStatus& status) {
  return status.state == compute::ContainerState::kExited || status.state == compute::ContainerState::kFailed;
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
  // What a program may want to tell about itself; a user's own variable of that name wins.
  workload->env.try_emplace("BONUS_LEASE", std::to_string(lease));
  workload->env.try_emplace("BONUS_ORDER", std::to_string(order.order.id));
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
    auto pause = runtime::sleep_for(kPoll);
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

}  // namespace bonus::node
