// Unpacked layers on disk, one folder per diff_id, shared by all containers: <folder>/<diff_id>/{fs,bytes}.
#pragma once

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "bonus/compute/vm/unpack.hpp"

namespace bonus::compute::vm {

/// Thread-safe, blocking. A layer is there completely or not at all: it is unpacked beside and renamed. After a power
/// failure only layers that make_durable() had reached count; the others are unpacked again.
class LayerStore {
 public:
  /// Creates the folder and removes what a crash left half-done.
  [[nodiscard]] static Result<std::unique_ptr<LayerStore>> open(std::string folder, UnpackLimits limits);
  /// The layer's root folder; unpacks it if it is not there. Threads that want the same layer share one unpacking.
  /// The layer is held: collect() does not remove it until release() was called as often.
  [[nodiscard]] Result<std::string> acquire(const Hash32& diff_id, BlobReader reader);
  /// For adoption: holds a layer that must be there already.
  [[nodiscard]] Result<std::string> hold(const Hash32& diff_id);
  void release(const Hash32& diff_id);
  /// Syncs what was unpacked since the last call. Slow (the whole file system): not on the way to a container's start.
  [[nodiscard]] Result<> make_durable();
  /// Removes layers that nobody holds, least recently used first, until at most `bound_bytes` are left. Returns bytes
  /// freed.
  std::uint64_t collect(std::uint64_t bound_bytes);
  [[nodiscard]] std::uint64_t total_bytes() const;

 private:
  struct Layer {
    std::uint64_t bytes = 0;
    std::uint64_t last_used = 0;  // of counter_
    std::uint32_t holders = 0;
    bool durable = false;
  };
  LayerStore(std::string folder, UnpackLimits limits) : folder_(std::move(folder)), limits_(limits) {}
  [[nodiscard]] Result<std::uint64_t> unpack(const Hash32& diff_id, BlobReader reader) const;
  [[nodiscard]] std::string path_of(const Hash32& diff_id) const { return folder_ + "/" + to_hex(diff_id); }

  const std::string folder_;
  const UnpackLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable done_;
  std::map<Hash32, Layer> layers_;  // guarded by mutex_, as all below
  std::set<Hash32> unpacking_;
  std::uint64_t counter_ = 0;
};

}  // namespace bonus::compute::vm
