// Starting and stopping a container.
#include <fmt/format.h>
#include <sys/utsname.h>

#include <filesystem>

#include "bonus/base/log.hpp"
#include "bonus/compute/vm/service_impl.hpp"

namespace bonus::compute::vm {
namespace {

constexpr std::size_t kMaxLayers = 127;
constexpr auto kTick = std::chrono::milliseconds(20);
constexpr auto kKillPatience = std::chrono::seconds(10);

std::string machine_architecture() {
  utsname name{};
  ::uname(&name);
  const std::string machine = name.machine;
  if (machine == "x86_64") return "amd64";
  if (machine == "aarch64") return "arm64";
  return machine;
}

Result<> check_image(const Image& image) {
  if (image.layers.size() > kMaxLayers)
    return fail(ErrorCode::kInvalid, fmt::format("the image has more than {} layers", kMaxLayers));
  if (!image.os.empty() && image.os != "linux")
    return fail(ErrorCode::kInvalid,
                fmt::format("the image is for {}, this machine runs linux", image.os.substr(0, 32)));
  if (!image.architecture.empty() && image.architecture != machine_architecture())
    return fail(ErrorCode::kInvalid, fmt::format("the image is for {}, this machine is {}",
                                                 image.architecture.substr(0, 32), machine_architecture()));
  return {};
}

// A start() that is torn down in the middle (its task was stopped) must not leave a container that nobody may stop.
class StartGuard {
 public:
  StartGuard(ContainerService::Impl& impl, std::string id) : impl_(impl), id_(std::move(id)) {}
  ~StartGuard() {
    const std::scoped_lock guard(impl_.mutex);
    const auto it = impl_.entries.find(id_);
    if (it == impl_.entries.end() || !it->second.starting) return;
    it->second.starting = false;
    it->second.record.status.state = ContainerState::kFailed;
    it->second.record.status.message = "its start was given up";
  }
  StartGuard(const StartGuard&) = delete;
  StartGuard& operator=(const StartGuard&) = delete;

 private:
  ContainerService::Impl& impl_;
  std::string id_;
};

// The same for stop(): the next one takes up where it left.
class StopGuard {
 public:
  StopGuard(ContainerService::Impl& impl, std::string id, std::uint64_t instance)
      : impl_(impl), id_(std::move(id)), instance_(instance) {}
  ~StopGuard() {
    const std::scoped_lock guard(impl_.mutex);
    const auto it = impl_.entries.find(id_);
    if (it != impl_.entries.end() && it->second.instance == instance_) it->second.stop_asked = false;
  }
  StopGuard(const StopGuard&) = delete;
  StopGuard& operator=(const StopGuard&) = delete;

 private:
  ContainerService::Impl& impl_;
  std::string id_;
  std::uint64_t instance_;
};

}  // namespace

Result<> ContainerService::Impl::keep_going(const std::string& id) const {
  const std::scoped_lock guard(mutex);
  const auto it = entries.find(id);
  if (it == entries.end() || it->second.stop_asked) return fail(ErrorCode::kCancelled, "the container was stopped");
  return {};
}

runtime::Task<Result<>> ContainerService::Impl::pull_and_unpack(Self self, std::string id, Hash32 manifest) {
  std::function<void(PullProgress)> progress = [](PullProgress) {};
  auto pull = self->images.pull(manifest, std::move(progress));
  CO_TRY_ASSIGN(const Image image, co_await std::move(pull));
  CO_TRY(check_image(image));
  for (const auto& layer : image.layers) {
    CO_TRY(self->keep_going(id));
    std::function<Result<>()> unpack = [self, id, layer]() -> Result<> {
      const auto read = [self, digest = layer.digest](std::uint64_t offset, std::span<std::uint8_t> out) {
        return self->images.read_layer(digest, offset, out);
      };
      TRY(self->layers->acquire(layer.diff_id, read));
      const std::scoped_lock guard(self->mutex);
      self->entries.at(id).held_layers.push_back(layer.diff_id);
      return {};
    };
    auto pending = self->blocking(std::move(unpack));
    CO_TRY(co_await std::move(pending));
  }
  const std::scoped_lock guard(self->mutex);
  Record& record = self->entries.at(id).record;
  record.image = {image.entrypoint, image.cmd, image.env, image.working_directory, image.user};
  for (const auto& layer : image.layers) record.layers.push_back(layer.diff_id);
  co_return Result<>();
}

// Makes it run; the table knows it as running afterwards. The entry exists and is ours (start, or its watch).
runtime::Task<Result<>> ContainerService::Impl::launch(Self self, std::string id, bool prepare_first) {
  std::function<Result<>()> work = [self, id, prepare_first]() -> Result<> {
    Record record;
    {
      const std::scoped_lock guard(self->mutex);
      record = self->entries.at(id).record;
    }
    if (prepare_first) {
      std::vector<std::string> folders;
      for (const auto& layer : record.layers) {
        folders.push_back(TRY(self->layers->hold(layer)));
        self->layers->release(layer);  // pull_and_unpack holds it already
      }
      TRY(self->launcher->prepare(record, folders));
      {
        const std::scoped_lock guard(self->mutex);
        self->entries.at(id).record.prepared = true;
      }
      // Before the process exists: after a crash from here on, it is found by its folder.
      TRY(self->persist(id));
    }
    TRY_ASSIGN(Running running, self->launcher->launch(id, record.workload));
    {
      const std::scoped_lock guard(self->mutex);
      Entry& entry = self->entries.at(id);
      entry.running = std::move(running);
      entry.run_began = self->clock.now();
      entry.record.status.state = ContainerState::kRunning;
      entry.record.status.started_at_ms = self->clock.unix_ms();
      entry.record.status.message.clear();
      if (self->options.network != nullptr) entry.record.status.address = self->options.network->address_of(id);
    }
    return self->persist(id);
  };
  auto pending = self->blocking(std::move(work));
  co_return co_await std::move(pending);
}

runtime::Task<Result<>> ContainerService::Impl::bring_up(Self self, std::string id) {
  Hash32 manifest;
  {
    const std::scoped_lock guard(self->mutex);
    manifest = self->entries.at(id).record.workload.manifest_digest;
  }
  std::function<Result<>()> save = [self, id] { return self->persist(id); };
  auto saved = self->blocking(std::move(save));
  CO_TRY(co_await std::move(saved));
  auto images_ready = pull_and_unpack(self, id, manifest);
  CO_TRY(co_await std::move(images_ready));
  CO_TRY(self->keep_going(id));
  auto launched = launch(self, id, true);
  co_return co_await std::move(launched);
}

runtime::Task<Result<ContainerStatus>> ContainerService::Impl::start(Self self, std::string id, Workload workload) {
  if (!is_valid_id(id)) co_return fail(ErrorCode::kInvalid, "a container's id is 1 to 64 of a-z, 0-9 and '-'");
  // The same limits for a value made in memory as for a document.
  CO_TRY_ASSIGN(workload, Workload::from_json(workload.to_json()));
  std::uint64_t instance = 0;
  {
    const std::scoped_lock guard(self->mutex);
    if (self->entries.contains(id))
      co_return fail(ErrorCode::kExists, fmt::format("the container {} exists already", id));
    if (self->entries.size() >= self->options.max_containers)
      co_return fail(ErrorCode::kExhausted, fmt::format("{} containers are here already", self->entries.size()));
    Entry& entry = self->entries[id];
    entry.record.workload = std::move(workload);
    entry.record.status.id = id;
    entry.starting = true;
    entry.instance = instance = ++self->instance_count;
  }
  const StartGuard abandoned(*self, id);
  auto up = bring_up(self, id);
  auto done = co_await std::move(up);
  if (!done) {
    std::function<Result<>()> undo = [self, id]() -> Result<> {
      self->forget(id);
      return {};
    };
    auto undone = self->blocking(std::move(undo));
    (void)co_await std::move(undone);
    co_return fail(std::move(done).error().wrap("container " + id));
  }
  ContainerStatus status;
  {
    const std::scoped_lock guard(self->mutex);
    Entry& entry = self->entries.at(id);
    entry.starting = false;
    status = entry.record.status;
  }
  self->tasks.spawn("container " + id, watch(self, id, instance));
  std::function<Result<>()> trim = [self]() -> Result<> {
    self->layers->collect(self->options.layer_cache_bytes);
    return {};
  };
  auto trimmed = self->blocking(std::move(trim));
  (void)co_await std::move(trimmed);
  co_return status;
}

runtime::Task<Result<>> ContainerService::Impl::stop(Self self, std::string id, Duration grace) {
  std::uint64_t instance = 0;
  {
    const std::scoped_lock guard(self->mutex);
    const auto it = self->entries.find(id);
    if (it == self->entries.end())
      co_return fail(ErrorCode::kNotFound, fmt::format("there is no container '{}' here", id));
    if (it->second.stop_asked)
      co_return fail(ErrorCode::kConflict, fmt::format("the container {} is being stopped", id));
    it->second.stop_asked = true;
    it->second.record.stopping = true;
    instance = it->second.instance;
  }
  const StopGuard abandoned(*self, id, instance);
  struct View {
    bool here = false, starting = false, running = false;
  };
  const auto look = [&self, &id] {
    const std::scoped_lock guard(self->mutex);
    const auto it = self->entries.find(id);
    if (it == self->entries.end()) return View{};
    return View{true, it->second.starting, it->second.running.has_value()};
  };
  // start() notices at its next step and either undoes what it did or hands over a running container.
  while (look().starting) {
    auto pause = runtime::sleep_for(kTick);
    CO_TRY(co_await std::move(pause));
  }
  if (!look().here) co_return Result<>();
  std::function<Result<>()> save = [self, id] { return self->persist(id); };
  auto saved = self->blocking(std::move(save));
  CO_TRY(co_await std::move(saved));

  for (const char* signal : {"TERM", "KILL"}) {
    if (!look().running) break;
    std::function<Result<>()> send = [self, id, signal]() -> Result<> {
      if (auto sent = self->launcher->signal(id, signal); !sent)
        log::debug("vm", "signal_failed", {{"container", id}, {"signal", signal}, {"error", sent.error().message}});
      return {};
    };
    auto sending = self->blocking(std::move(send));
    CO_TRY(co_await std::move(sending));
    const Duration patience = std::string_view(signal) == "TERM" ? grace : Duration(kKillPatience);
    const Instant deadline = self->clock.now() + patience;
    while (look().running && self->clock.now() < deadline) {
      auto pause = runtime::sleep_for(kTick);
      CO_TRY(co_await std::move(pause));
    }
  }
  std::function<Result<>()> clean = [self, id]() -> Result<> {
    self->forget(id);
    self->layers->collect(self->options.layer_cache_bytes);
    return {};
  };
  auto cleaned = self->blocking(std::move(clean));
  co_return co_await std::move(cleaned);
}

void ContainerService::Impl::forget(const std::string& id) {
  launcher->remove(id);
  std::vector<Hash32> held;
  {
    const std::scoped_lock guard(mutex);
    const auto it = entries.find(id);
    if (it != entries.end()) {
      held = std::move(it->second.held_layers);
      entries.erase(it);
    }
  }
  for (const auto& layer : held) layers->release(layer);
  if (auto saved = persist(id); !saved) log::error("vm", "state_not_saved", {{"error", saved.error().message}});
}

// Writes what the table says of `id` now; an id that is not there is written as removed.
Result<> ContainerService::Impl::persist(const std::string& id) {
  const std::scoped_lock writing(log_mutex);
  Bytes change;
  std::vector<Bytes> all;
  bool compact = false, removed = false;
  {
    const std::scoped_lock guard(mutex);
    const auto it = entries.find(id);
    removed = it == entries.end();
    change = removed ? encode_remove(id) : encode_put(it->second.record);
    compact = log_records > 64 + 4 * entries.size();
    if (compact)
      for (const auto& [_, entry] : entries) all.push_back(encode_put(entry.record));
  }
  if (compact) {
    TRY(log->rewrite(all));
    log_records = all.size();
    return {};
  }
  TRY(log->append(change));
  ++log_records;
  // Against kill -9 the append is enough. A power failure ends the containers as well: all that must not be lost is
  // that one was stopped, or it would come back.
  return removed ? log->sync() : Result<>();
}

}  // namespace bonus::compute::vm
