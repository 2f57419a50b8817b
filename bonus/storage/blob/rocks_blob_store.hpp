// BlobStore on RocksDB with integrated BlobDB (docs/formats/blob.md).
#pragma once

#include <memory>
#include <string>

#include "bonus/storage/api/blob_store.hpp"

namespace bonus::storage {

struct BlobStoreOptions {
  std::uint64_t quota_bytes = 0;               ///< Of content, finished and pending; 0: only the disk limits it.
  std::uint64_t max_blob_bytes = 64ULL << 30;  ///< Of one blob.
  std::size_t leaf_hash_cache_bytes =
      16 << 20;                               ///< Verified leaf hashes kept in memory: 32 bytes per 64 KiB of content.
  std::size_t write_buffer_bytes = 32 << 20;  ///< RocksDB's memtable.
  std::size_t max_writers = 1024;             ///< Open BlobWriters; more is kExhausted.
  int max_open_files = 512;
};

/// Opens or creates the store in the folder `path`; one process at a time (kConflict when another holds it). Leaves of
/// writers that never finished are removed. The store must outlive its writers.
[[nodiscard]] Result<std::unique_ptr<BlobStore>> open_blob_store(const std::string& path,
                                                                 const BlobStoreOptions& options);

}  // namespace bonus::storage
