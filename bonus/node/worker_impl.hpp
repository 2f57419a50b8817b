// The state of a worker's shell. Private to worker*.cpp.
#pragma once

#include <atomic>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <deque>
#include <map>
#include <mutex>
#include <optional>
#include <set>

#include "bonus/node/lease_host.hpp"
#include "bonus/node/lease_ports.hpp"
#include "bonus/node/market_views.hpp"
#include "bonus/node/tx_sender.hpp"
#include "bonus/node/worker.hpp"

namespace bonus::node {

/// "exited with 3", at most 256 bytes: the detail of a lease's end.
[[nodiscard]] std::string exit_text(const compute::ContainerStatus& status);
[[nodiscard]] bool has_ended(const compute::ContainerStatus& status);

struct Worker::Impl : std::enable_shared_from_this<Worker::Impl> {
  Impl(const WorkerParts& p, const market::AgentConfig& agent_settings, const crypto::SecretKey256& key,
       const std::string& data_dir, Duration timeout)
      : parts(p),
        strand(boost::asio::make_strand(p.executor)),
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
  [[nodiscard]] runtime::Task<> start_lease(market::StartContainer order);
  [[nodiscard]] runtime::Task<> stop_lease(std::uint64_t lease);
  /// Runs the container until it is healthy; the error is the reason of the lease's end.
  struct Failure {
    chain::market::EndReason reason = chain::market::EndReason::kImageFailed;
    std::string detail;
  };
  [[nodiscard]] runtime::Task<std::optional<Failure>> run(market::StartContainer order,
                                                          std::vector<std::uint16_t>& lease_ports);
  [[nodiscard]] runtime::Task<Result<Bytes>> fetch_workload(Hash32 sha256, std::uint64_t lease);
  [[nodiscard]] runtime::Task<std::optional<Failure>> wait_healthy(std::uint64_t lease,
                                                                   std::vector<std::uint16_t> lease_ports);
  [[nodiscard]] bool cancelled(std::uint64_t lease) const { return !running || stopping.contains(lease); }
  [[nodiscard]] Instant now() const { return parts.clock.now(); }

  WorkerParts parts;
  boost::asio::strand<runtime::Executor> strand;
  boost::asio::steady_timer timer;  // strand, as all below
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

}  // namespace bonus::node
