// A running container's life: waiting for its end, restarting it, and taking over what an earlier bonusd left.
#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <filesystem>
#include <system_error>
#include <utility>

#include "bonus/base/log.hpp"
#include "bonus/compute/vm/service_impl.hpp"

namespace bonus::compute::vm {
namespace fs = std::filesystem;
namespace net = boost::asio;
namespace {

constexpr auto kGarbagePeriod = std::chrono::minutes(5);
constexpr auto kRetryPause = std::chrono::milliseconds(200);
constexpr auto kBackoffSlice = std::chrono::milliseconds(100);

runtime::Task<> pause_a_little() {
  auto pause = runtime::sleep_for(kRetryPause);
  (void)co_await std::move(pause);
}

std::string describe(const ExitInfo& info, std::uint32_t memory_mib) {
  if (!info.known) return "it ended together with its supervisor (machine restart or kill); no exit code is known";
  if (info.out_of_memory) return fmt::format("out of memory: it needed more than {} MiB", memory_mib);
  if (info.exit_code > 128) return fmt::format("killed by signal {}", info.exit_code - 128);
  return fmt::format("exited with {}", info.exit_code);
}

}  // namespace

runtime::Task<> ContainerService::Impl::wait_readable(Fd fd) {
  auto executor = co_await net::this_coro::executor;
  net::posix::stream_descriptor descriptor(executor);
  boost::system::error_code error;
  descriptor.assign(fd.get(), error);
  if (error) co_return;
  (void)fd.release();
  (void)co_await descriptor.async_wait(net::posix::stream_descriptor::wait_read, net::as_tuple(net::use_awaitable));
}

// Books the end of a run and decides what follows.
ContainerService::Impl::Verdict ContainerService::Impl::judge(const std::string& id, std::uint64_t instance,
                                                              const ExitInfo& info, const std::string& launch_error) {
  const std::scoped_lock guard(mutex);
  const auto it = entries.find(id);
  if (it == entries.end() || it->second.instance != instance) return {};
  Entry& entry = it->second;
  Record& record = entry.record;
  entry.running.reset();
  record.cpu_ns_before += info.cpu_ns;
  record.throttled_ns_before += info.throttled_ns;
  record.status.exit_code = info.exit_code;
  record.status.out_of_memory = info.out_of_memory;
  record.status.finished_at_ms =
      std::max(info.finished_at_ms != 0 ? info.finished_at_ms : clock.unix_ms(), record.status.started_at_ms);
  record.status.message = launch_error.empty() ? describe(info, record.workload.memory_mib) : launch_error;
  if (!entry.verdict.empty()) record.status.message = entry.verdict;
  record.status.state = entry.verdict.empty() ? ContainerState::kExited : ContainerState::kFailed;

  const RestartPolicy policy = record.workload.restart;
  const bool wanted = policy == RestartPolicy::kAlways || (policy == RestartPolicy::kOnFailure && info.exit_code != 0);
  if (!wanted || entry.stop_asked || !entry.verdict.empty()) return {};
  const bool long_run = clock.now() - entry.run_began >= options.backoff_most;
  entry.quick_ends = long_run ? 0 : std::min(entry.quick_ends + 1, 30U);
  Verdict out{true, options.backoff_least};
  for (std::uint32_t i = 1; i < entry.quick_ends && out.delay < options.backoff_most; ++i) out.delay *= 2;
  out.delay = std::min(out.delay, options.backoff_most);
  ++record.status.restarts;
  record.status.state = ContainerState::kPreparing;
  record.status.message += fmt::format("; starting again in {} ms",
                                       std::chrono::duration_cast<std::chrono::milliseconds>(out.delay).count());
  return out;
}

bool ContainerService::Impl::may_go_on(const std::string& id, std::uint64_t instance) const {
  const std::scoped_lock guard(mutex);
  const auto it = entries.find(id);
  return it != entries.end() && it->second.instance == instance && !it->second.stop_asked;
}

runtime::Task<> ContainerService::Impl::watch(Self self, std::string id, std::uint64_t instance) {
  std::string launch_error;  // not empty: the last restart failed, there is nothing to wait for
  while (true) {
    Fd shim;
    bool lives = false;
    {
      const std::scoped_lock guard(self->mutex);
      const auto it = self->entries.find(id);
      if (it == self->entries.end() || it->second.instance != instance) co_return;
      if (it->second.running && it->second.running->shim) {
        pollfd look{it->second.running->shim.get(), POLLIN, 0};
        lives = ::poll(&look, 1, 0) == 0;
        shim = Fd(::fcntl(look.fd, F_DUPFD_CLOEXEC, 3));
      }
    }
    if (lives) {
      // Without a free descriptor we look again a little later; a living container is never taken for a dead one.
      auto waiting = shim ? wait_readable(std::move(shim)) : pause_a_little();
      co_await std::move(waiting);
      continue;
    }
    std::function<Result<ExitInfo>()> look = [self, id, launched = launch_error.empty()]() -> Result<ExitInfo> {
      ExitInfo info;
      if (launched) info = self->launcher->exit_info(id);
      if (!info.known) self->launcher->remove_remains(id);
      return info;
    };
    auto looking = self->blocking(std::move(look));
    const auto info = co_await std::move(looking);
    if (!info) {
      // The pool is full: the end is not lost, only told later.
      auto pause = runtime::sleep_for(kRetryPause);
      if (!co_await std::move(pause)) co_return;
      continue;
    }
    const Verdict verdict = self->judge(id, instance, *info, launch_error);
    const auto now = self->status(id);
    if (!now) co_return;
    log::info("vm", "container_ended", {{"container", id}, {"message", now->message}});
    std::function<Result<>()> save = [self, id] { return self->persist(id); };
    auto saving = self->blocking(std::move(save));
    if (auto saved = co_await std::move(saving); !saved)
      log::error("vm", "state_not_saved", {{"container", id}, {"error", saved.error().message}});
    if (self->may_go_on(id, instance)) self->notify(*now);
    if (!verdict.restart) co_return;

    // In slices, so that a stopped container's coroutine does not linger.
    const Instant until = self->clock.now() + verdict.delay;
    while (self->clock.now() < until && self->may_go_on(id, instance)) {
      auto pause = runtime::sleep_for(std::min<Duration>(until - self->clock.now(), kBackoffSlice));
      if (!co_await std::move(pause)) co_return;
    }
    bool prepare = false;
    {
      // From here stop() waits for us, or we see that it was asked.
      const std::scoped_lock guard(self->mutex);
      const auto it = self->entries.find(id);
      if (it == self->entries.end() || it->second.instance != instance || it->second.stop_asked) co_return;
      it->second.starting = true;
      prepare = std::exchange(it->second.prepare_again, false);
    }
    auto launching = launch(self, id, prepare);
    const auto done = co_await std::move(launching);
    launch_error = done ? "" : done.error().message;
    std::optional<ContainerStatus> tell;
    {
      const std::scoped_lock guard(self->mutex);
      Entry& entry = self->entries.at(id);
      entry.starting = false;
      if (done) tell = entry.record.status;
    }
    if (tell) self->notify(*tell);
    if (!done) log::warn("vm", "restart_failed", {{"container", id}, {"error", launch_error}});
  }
}

// Where a disk is a folder, its limit is kept by looking now and then.
runtime::Task<> ContainerService::Impl::poll_disks(Self self) {
  while (true) {
    auto pause = runtime::sleep_for(self->options.disk_poll);
    if (!co_await std::move(pause)) co_return;
    std::function<Result<>()> check = [self]() -> Result<> {
      std::vector<std::pair<std::string, std::uint32_t>> running;
      {
        const std::scoped_lock guard(self->mutex);
        for (const auto& [id, entry] : self->entries)
          if (entry.running) running.emplace_back(id, entry.record.workload.disk_mib);
      }
      for (const auto& [id, disk_mib] : running) {
        if (!self->launcher->over_disk_limit(id, disk_mib)) continue;
        {
          const std::scoped_lock guard(self->mutex);
          const auto it = self->entries.find(id);
          if (it == self->entries.end()) continue;
          it->second.verdict = fmt::format("disk full: it wrote more than {} MiB", disk_mib);
        }
        if (auto sent = self->launcher->signal(id, "KILL"); !sent)
          log::warn("vm", "kill_failed", {{"container", id}, {"error", sent.error().message}});
      }
      return {};
    };
    auto checking = self->blocking(std::move(check));
    (void)co_await std::move(checking);
  }
}

runtime::Task<> ContainerService::Impl::collect_garbage(Self self) {
  while (true) {
    std::function<Result<>()> work = [self]() -> Result<> {
      self->remove_old_logs();
      self->layers->collect(self->options.layer_cache_bytes);
      return self->layers->make_durable();
    };
    auto working = self->blocking(std::move(work));
    if (auto done = co_await std::move(working); !done)
      log::warn("vm", "garbage_collection_failed", {{"error", done.error().message}});
    auto pause = runtime::sleep_for(kGarbagePeriod);
    if (!co_await std::move(pause)) co_return;
  }
}

void ContainerService::Impl::remove_old_logs() {
  const auto retention_ms = std::chrono::duration_cast<std::chrono::milliseconds>(options.log_retention).count();
  std::error_code error;
  std::vector<fs::path> old;
  for (auto it = fs::directory_iterator(options.state_directory + "/logs", error);
       !error && it != fs::directory_iterator(); it.increment(error)) {
    struct stat info{};
    if (::stat((it->path() / "ended").c_str(), &info) != 0) continue;
    const UnixMillis ended_ms = info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1'000'000;
    if (clock.unix_ms() - ended_ms >= retention_ms) old.push_back(it->path());
  }
  for (const auto& path : old) {
    const std::scoped_lock guard(mutex);  // a new container of that id would write there
    if (!entries.contains(path.filename().string())) fs::remove_all(path, error);
  }
}

Result<> ContainerService::Impl::open() {
  std::error_code error;
  fs::create_directories(options.state_directory, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("making {}: {}", options.state_directory, error.message()));
  lock = Fd(::open((options.state_directory + "/lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return fail(os_error("opening the lock of", options.state_directory));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return fail(ErrorCode::kConflict, fmt::format("{} is in use by another process", options.state_directory));
  launcher = TRY(Launcher::open(options));
  layers = TRY(LayerStore::open(options.state_directory + "/layers", options.unpack));
  TRY(replay());
  if (!launcher->has_loop_disks()) tasks.spawn("disk limits", poll_disks(shared_from_this()));
  tasks.spawn("vm garbage", collect_garbage(shared_from_this()));
  return {};
}

Result<> ContainerService::Impl::replay() {
  {
    const std::scoped_lock writing(log_mutex);
    log = TRY(runtime::system_disk().open_log(options.state_directory + "/containers.log"));
    log_records = log->recovered().size();
    const std::scoped_lock guard(mutex);
    for (const auto& bytes : log->recovered()) {
      TRY_ASSIGN(Change change, decode_change(bytes));
      if (change.record)
        entries[change.id].record = std::move(*change.record);
      else
        entries.erase(change.id);
    }
  }
  std::vector<std::string> ids;
  for (const auto& [id, _] : entries) ids.push_back(id);
  for (const auto& folder : launcher->folders())
    if (std::ranges::find(ids, folder) == ids.end() && is_valid_id(folder)) launcher->remove(folder);
  for (const auto& id : ids) take_over(id);
  return {};
}

// Nothing else runs yet: `entries` is ours.
void ContainerService::Impl::take_over(const std::string& id) {
  Entry& entry = entries.at(id);
  ContainerStatus& status = entry.record.status;
  if (entry.record.stopping) {
    forget(id);
    return;
  }
  if (status.state == ContainerState::kExited || status.state == ContainerState::kFailed) return;
  std::string problem;
  if (!entry.record.prepared) problem = "the node stopped while the container was being prepared";
  for (const auto& layer : entry.record.layers) {
    if (!problem.empty()) break;
    if (auto held = layers->hold(layer); held)
      entry.held_layers.push_back(layer);
    else
      problem = held.error().message;
  }
  if (!problem.empty()) {
    launcher->remove_remains(id);
    status.state = ContainerState::kFailed;
    status.message = problem;
    status.finished_at_ms = clock.unix_ms();
    if (auto saved = persist(id); !saved) log::error("vm", "state_not_saved", {{"error", saved.error().message}});
    notify(status);
    return;
  }
  entry.running = launcher->adopt(id, entry.record.workload);
  entry.run_began = clock.now();
  entry.prepare_again = !entry.running;
  if (entry.running) status.state = ContainerState::kRunning;
  log::info("vm", entry.running ? "container_adopted" : "container_found_ended", {{"container", id}});
  entry.instance = ++instance_count;
  tasks.spawn("container " + id, watch(shared_from_this(), id, entry.instance));
}

}  // namespace bonus::compute::vm
