// Inside ContainerService: the table of containers, its log, and the coroutines over it. Not for others.
#pragma once

#include <boost/asio/strand.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "bonus/compute/vm/container_service.hpp"
#include "bonus/compute/vm/launcher.hpp"
#include "bonus/compute/vm/layer_store.hpp"
#include "bonus/compute/vm/record.hpp"
#include "bonus/runtime/disk.hpp"
#include "bonus/runtime/offload.hpp"

namespace bonus::compute::vm {

struct ContainerService::Impl : std::enable_shared_from_this<ContainerService::Impl> {
  using Self = std::shared_ptr<Impl>;
  struct Entry {
    Record record;
    std::uint64_t instance = 0;  // tells a container from an earlier one of the same id
    std::optional<Running> running;
    std::vector<Hash32> held_layers;
    bool starting = false;  // start() is at work on it
    bool stop_asked = false;
    std::uint32_t quick_ends = 0;  // runs in a row shorter than backoff_most
    Instant run_began;
    bool prepare_again = false;  // its files may be damaged: bonusd or the machine ended in between
    std::string verdict;         // why we ended it ourselves; such a container is not restarted
  };

  Impl(runtime::Executor e, runtime::BlockingPool& p, runtime::Clock& c, ImageSource& i, VmOptions o)
      : executor(e),
        pool(p),
        clock(c),
        images(i),
        options(std::move(o)),
        tasks(e),
        teller(boost::asio::make_strand(e)) {}

  // Blocking, once, before anything else.
  Result<> open();

  static runtime::Task<Result<ContainerStatus>> start(Self self, std::string id, Workload workload);
  static runtime::Task<Result<>> stop(Self self, std::string id, Duration grace);
  static runtime::Task<Result<>> logs(Self self, std::string id, LogQuery query,
                                      std::function<runtime::Task<bool>(LogLine)> sink);
  static runtime::Task<Result<std::unique_ptr<ExecSession>>> exec(Self self, std::string id, ExecRequest request);
  static runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(Self self, std::string id,
                                                                          std::uint16_t port);

  Result<ContainerStatus> status(const std::string& id) const;
  std::vector<ContainerStatus> list() const;
  Result<ContainerUsage> usage(const std::string& id) const;
  void listen(std::function<void(ContainerStatus)> new_listener);

  // Start, in parts (service_start.cpp).
  static runtime::Task<Result<>> pull_and_unpack(Self self, std::string id, Hash32 manifest);
  static runtime::Task<Result<>> launch(Self self, std::string id, bool prepare_first);
  static runtime::Task<Result<>> bring_up(Self self, std::string id);
  Result<> keep_going(const std::string& id) const;  // kCancelled when the container is being stopped

  // A container's life (service_watch.cpp).
  static runtime::Task<> watch(Self self, std::string id, std::uint64_t instance);
  static runtime::Task<> poll_disks(Self self);
  static runtime::Task<> collect_garbage(Self self);
  struct Verdict {
    bool restart = false;
    Duration delay{};
  };
  Verdict judge(const std::string& id, std::uint64_t instance, const ExitInfo& info, const std::string& launch_error);
  bool may_go_on(const std::string& id, std::uint64_t instance) const;  // it is there and not being stopped
  static runtime::Task<> wait_readable(Fd fd);

  // Blocking.
  Result<> persist(const std::string& id);
  void forget(const std::string& id);  // files, layers, table and log
  void notify(const ContainerStatus& status);
  void remove_old_logs();
  Result<> replay();
  void take_over(const std::string& id);

  template <class T>
  runtime::Task<Result<T>> blocking(std::function<Result<T>()> work) {
    return runtime::offload<T>(pool, std::move(work));
  }

  const runtime::Executor executor;
  runtime::BlockingPool& pool;
  runtime::Clock& clock;
  ImageSource& images;
  const VmOptions options;
  Fd lock;  // of the state directory
  std::unique_ptr<Launcher> launcher;
  std::unique_ptr<LayerStore> layers;
  runtime::TaskGroup tasks;
  const runtime::Executor teller;  // a strand: changes are told in their order

  mutable std::mutex mutex;
  std::map<std::string, Entry> entries;  // guarded by mutex, as those below
  std::function<void(ContainerStatus)> listener;
  std::vector<ContainerStatus> untold;  // until there is a listener; at most one per container
  std::uint64_t exec_count = 0, instance_count = 0;

  std::mutex log_mutex;                     // taken before mutex, never after it
  std::unique_ptr<runtime::AppendLog> log;  // guarded by log_mutex
  std::size_t log_records = 0;              // guarded by log_mutex
};

}  // namespace bonus::compute::vm
