// The store of unpacked layers: unpack aside, rename, sync later; least recently used first out.
#include "bonus/compute/vm/layer_store.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>
#include <sstream>
#include <system_error>

#include "bonus/base/log.hpp"
#include "bonus/base/os.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::compute::vm {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kTemporary = "tmp-";
constexpr std::string_view kDurable = "durable";

struct Found {
  Hash32 diff_id;
  std::uint64_t bytes = 0;
  bool durable = false;
  fs::file_time_type used;
};

// Names the machine's run since it was switched on.
std::string boot_id() {
  auto text = runtime::system_disk().read_file("/proc/sys/kernel/random/boot_id", 64);
  std::string out = text ? std::string(as_text(*text)) : std::string();
  while (out.ends_with('\n')) out.pop_back();
  return out;
}

// "<bytes> <boot id>", or "<bytes> durable" once the layer is known to be on the disk. A layer that was not when the
// machine went down may be torn: it counts as absent.
std::optional<Found> inspect(const fs::path& path) {
  auto id = fixed_from_hex<Hash32>(path.filename().string());
  auto text = runtime::system_disk().read_file((path / "bytes").string(), 128);
  if (!id || !text || path.filename() != to_hex(*id)) return std::nullopt;
  std::istringstream words{std::string(as_text(*text))};
  Found out{*id, 0, false, {}};
  std::string since;
  if (!(words >> out.bytes >> since)) return std::nullopt;
  out.durable = since == kDurable;
  if (!out.durable && since != boot_id()) return std::nullopt;
  std::error_code error;
  out.used = fs::last_write_time(path / "bytes", error);
  return out;
}

}  // namespace

Result<std::unique_ptr<LayerStore>> LayerStore::open(std::string folder, UnpackLimits limits) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("making {}: {}", folder, error.message()));
  // Image content with set-id files lies below: only root may enter.
  fs::permissions(folder, fs::perms::owner_all, error);
  std::vector<Found> found;
  for (auto it = fs::directory_iterator(folder, error); !error && it != fs::directory_iterator(); it.increment(error)) {
    if (auto layer = inspect(it->path())) {
      found.push_back(*layer);
    } else {
      std::error_code ignored;
      fs::remove_all(it->path(), ignored);
    }
  }
  if (error) return fail(ErrorCode::kIo, fmt::format("reading {}: {}", folder, error.message()));
  std::ranges::sort(found, {}, &Found::used);
  auto store = std::unique_ptr<LayerStore>(new LayerStore(std::move(folder), limits));
  for (const auto& layer : found) store->layers_[layer.diff_id] = {layer.bytes, ++store->counter_, 0, layer.durable};
  return store;
}

Result<std::uint64_t> LayerStore::unpack(const Hash32& diff_id, BlobReader reader) const {
  const std::string temporary = folder_ + "/" + std::string(kTemporary) + to_hex(diff_id);
  std::error_code error;
  fs::remove_all(temporary, error);
  fs::create_directories(temporary + "/fs", error);
  if (error) return fail(ErrorCode::kIo, fmt::format("making {}: {}", temporary, error.message()));
  const auto finish = [&]() -> Result<std::uint64_t> {
    TRY_ASSIGN(const UnpackStats stats, unpack_layer(std::move(reader), diff_id, temporary + "/fs", limits_));
    {
      const std::string text = fmt::format("{} {}\n", stats.unpacked_bytes, boot_id());
      const Fd fd(::open((temporary + "/bytes").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
      if (!fd || ::write(fd.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
        return fail(os_error("writing", temporary + "/bytes"));
    }
    if (::rename(temporary.c_str(), path_of(diff_id).c_str()) != 0) return fail(os_error("renaming", temporary));
    return stats.unpacked_bytes;
  };
  auto done = finish();
  if (!done) {
    fs::remove_all(temporary, error);
    return fail(std::move(done).error().wrap("layer sha256:" + to_hex(diff_id)));
  }
  return done;
}

Result<std::string> LayerStore::acquire(const Hash32& diff_id, BlobReader reader) {
  std::unique_lock lock(mutex_);
  done_.wait(lock, [&] { return !unpacking_.contains(diff_id); });
  auto it = layers_.find(diff_id);
  if (it == layers_.end()) {
    unpacking_.insert(diff_id);
    lock.unlock();
    auto bytes = unpack(diff_id, std::move(reader));
    lock.lock();
    unpacking_.erase(diff_id);
    done_.notify_all();
    if (!bytes) return fail(std::move(bytes).error());
    it = layers_.insert_or_assign(diff_id, Layer{*bytes, 0, 0, false}).first;
  }
  it->second.last_used = ++counter_;
  ++it->second.holders;
  // The order of use survives a restart as the time of this file; a failure costs only that.
  (void)::utimensat(AT_FDCWD, (path_of(diff_id) + "/bytes").c_str(), nullptr, 0);
  return path_of(diff_id) + "/fs";
}

Result<std::string> LayerStore::hold(const Hash32& diff_id) {
  const std::scoped_lock lock(mutex_);
  const auto it = layers_.find(diff_id);
  if (it == layers_.end()) return fail(ErrorCode::kNotFound, "the layer sha256:" + to_hex(diff_id) + " is gone");
  ++it->second.holders;
  return path_of(diff_id) + "/fs";
}

void LayerStore::release(const Hash32& diff_id) {
  const std::scoped_lock lock(mutex_);
  const auto it = layers_.find(diff_id);
  if (it != layers_.end() && it->second.holders > 0) --it->second.holders;
}

std::uint64_t LayerStore::total_bytes() const {
  const std::scoped_lock lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [_, layer] : layers_) sum += layer.bytes;
  return sum;
}

Result<> LayerStore::make_durable() {
  std::vector<std::pair<Hash32, std::uint64_t>> fresh;
  {
    const std::scoped_lock lock(mutex_);
    for (const auto& [id, layer] : layers_)
      if (!layer.durable) fresh.emplace_back(id, layer.bytes);
  }
  if (fresh.empty()) return {};
  const Fd fd(::open(folder_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::syncfs(fd.get()) != 0) return fail(os_error("syncing", folder_));
  for (const auto& [id, bytes] : fresh) {
    const std::scoped_lock lock(mutex_);
    const auto it = layers_.find(id);
    if (it == layers_.end()) continue;  // collected meanwhile
    TRY(runtime::system_disk().write_file(path_of(id) + "/bytes", as_bytes(fmt::format("{} {}\n", bytes, kDurable))));
    it->second.durable = true;
  }
  return {};
}

std::uint64_t LayerStore::collect(std::uint64_t bound_bytes) {
  std::uint64_t freed = 0;
  while (total_bytes() > bound_bytes) {
    std::string doomed;
    std::uint64_t bytes = 0;
    {
      const std::scoped_lock lock(mutex_);
      auto oldest = layers_.end();
      for (auto it = layers_.begin(); it != layers_.end(); ++it)
        if (it->second.holders == 0 && (oldest == layers_.end() || it->second.last_used < oldest->second.last_used))
          oldest = it;
      if (oldest == layers_.end()) return freed;
      bytes = oldest->second.bytes;
      // Renamed under the lock, so that a new unpacking of the same layer does not meet the removal.
      doomed = folder_ + "/" + std::string(kTemporary) + "gone-" + std::to_string(++counter_);
      if (::rename(path_of(oldest->first).c_str(), doomed.c_str()) != 0) doomed.clear();
      layers_.erase(oldest);
    }
    std::error_code error;
    if (!doomed.empty()) fs::remove_all(doomed, error);
    if (error) log::warn("vm", "layer_not_removed", {{"path", doomed}, {"error", error.message()}});
    freed += bytes;
  }
  return freed;
}

}  // namespace bonus::compute::vm
