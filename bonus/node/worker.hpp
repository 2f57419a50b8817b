// The worker's shell: feeds the lease agent with the chain and the containers, and carries out what it decides.
#pragma once

#include <memory>
#include <string>

#include "bonus/base/metrics.hpp"
#include "bonus/chain/api/ledger.hpp"
#include "bonus/compute/api/containers.hpp"
#include "bonus/compute/api/images.hpp"
#include "bonus/market/lease_agent.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/identity.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::node {

/// What the worker borrows; all of it must outlive the worker.
struct WorkerParts {
  runtime::Executor executor;
  const runtime::Clock& clock;
  runtime::Disk& disk;
  chain::Ledger& ledger;
  chain::Mempool& mempool;
  compute::Containers& containers;
  compute::ImageSource& images;
  Metrics& metrics;
};

/// Amounts that stand as "auto" in the configuration, from the machine. kIo when it cannot be asked.
[[nodiscard]] Result<chain::market::Resources> offered_resources(const Config& config);
/// What the agent registers and offers.
[[nodiscard]] market::AgentConfig agent_config(const Config& config, const Identity& identity,
                                               const chain::Genesis& genesis, const chain::market::Resources& capacity,
                                               const std::string& endpoint);
/// kInvalid names what the workload asks for beyond its order (`image`, cpu, memory, disk).
[[nodiscard]] Result<> check_workload(const compute::Workload& workload, const chain::market::OrderSpec& order);

/// Public functions may be called from any thread.
class Worker {
 public:
  Worker(const WorkerParts& parts, const market::AgentConfig& agent, const crypto::SecretKey256& account_key,
         const std::string& data_dir, Duration start_timeout);
  /// Stops.
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  /// Adopts what runs and begins to follow the chain.
  void start();
  /// Containers go on running. Not from the worker's executor; returns when nothing of it runs any more.
  void stop();
  [[nodiscard]] market::AgentStatus status() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;  // shared with coroutines under way
};

}  // namespace bonus::node
