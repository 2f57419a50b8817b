// ImageSource over the local blob store and the other nodes: fetches what is missing, from any holder, verified by
// digest.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "bonus/compute/api/images.hpp"
#include "bonus/compute/oci/manifest.hpp"
#include "bonus/storage/api/blob_store.hpp"

namespace bonus::compute::oci {

struct ImageSourceOptions {
  std::string partial_dir;  ///< Holds partly fetched blobs; they are resumed, also after a restart.
  Platform platform = this_platform();
  std::size_t chunk_bytes = 1 << 20;  ///< At most 1 MiB (BlobPeers::read).
  std::size_t parallel_chunks = 4;    ///< Of one blob, over all its holders; bounds memory per fetch.
  std::size_t max_holders = 8;
  std::uint64_t max_image_bytes = 64ULL << 30;  ///< Sum of the layers, as stored.
};

/// Thread-safe. Coroutines run on their caller's executor, disk work on the pool. All references must outlive it.
class OciImageSource final : public ImageSource {
 public:
  OciImageSource(storage::BlobStore& store, BlobPeers& peers, runtime::BlockingPool& pool, ImageSourceOptions options);

  runtime::Task<Result<Image>> pull(Hash32 manifest_digest, std::function<void(PullProgress)> progress) override;
  runtime::Task<Result<Bytes>> fetch_small(Hash32 sha256, std::size_t limit_bytes) override;
  Result<std::size_t> read_layer(const Hash32& digest, std::uint64_t offset, std::span<std::uint8_t> out) override;

 private:
  struct Fetch;
  /// Told how many bytes of the blob are here.
  using OnBytes = std::function<void(std::uint64_t)>;

  runtime::Task<Result<>> ensure(Hash32 sha256, std::optional<std::uint64_t> size, std::uint64_t limit,
                                 OnBytes on_bytes);
  runtime::Task<Result<>> fetch(Hash32 sha256, std::optional<std::uint64_t> size, std::uint64_t limit,
                                OnBytes on_bytes);
  runtime::Task<Result<>> fetch_from(std::shared_ptr<Fetch> fetch, OnBytes on_bytes);
  runtime::Task<Result<Bytes>> fetch_chunk(std::shared_ptr<Fetch> fetch, std::uint64_t offset, std::size_t length);
  runtime::Task<Result<storage::BlobInfo>> find(Hash32 sha256);
  runtime::Task<Result<Bytes>> load(Hash32 sha256, std::size_t limit);
  bool begin_fetch(const Hash32& sha256);
  void end_fetch(const Hash32& sha256);

  storage::BlobStore& store_;
  BlobPeers& peers_;
  runtime::BlockingPool& pool_;
  const ImageSourceOptions options_;
  std::mutex mutex_;
  std::set<Hash32> fetching_;  // guarded by mutex_: one fetch of a blob at a time, others wait for it
};

}  // namespace bonus::compute::oci
