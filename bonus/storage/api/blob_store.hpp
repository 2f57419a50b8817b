// BSE, immutable blobs: content-addressed, verified on every read. Implemented by storage/blob.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::storage {

/// SHA-256 Merkle root over 64 KiB leaves (design storage.md, "BSE"; docs/formats/blob.md).
using BlobId = FixedBytes<32, struct BlobIdTag>;
inline constexpr std::size_t kLeafBytes = 64 << 10;

struct BlobInfo {
  BlobId id;
  Hash32 sha256;  ///< Plain digest of the whole content: what OCI names it by.
  std::uint64_t size_bytes = 0;
};

/// Receives one blob. Dropping it without finish() leaves nothing behind. Not thread-safe.
class BlobWriter {
 public:
  virtual ~BlobWriter() = default;
  [[nodiscard]] virtual Result<> write(BytesView in) = 0;  ///< kExhausted: quota or size limit.
  [[nodiscard]] virtual std::uint64_t size_bytes() const = 0;
  /// Durable on return. The same content twice is stored once. kInvalid when `expected` is given and differs.
  [[nodiscard]] virtual Result<BlobInfo> finish(std::optional<Hash32> expected_sha256) = 0;
};

/// Thread-safe and blocking: call from a BlockingPool.
class BlobStore {
 public:
  virtual ~BlobStore() = default;
  [[nodiscard]] virtual Result<std::unique_ptr<BlobWriter>> create() = 0;
  [[nodiscard]] virtual Result<BlobInfo> stat(const BlobId& id) = 0;
  [[nodiscard]] virtual Result<BlobInfo> find_sha256(const Hash32& digest) = 0;
  /// Up to out.size() bytes at `offset`, verified against the leaf hashes. kCorrupt when the disk lies. 0 at the end.
  [[nodiscard]] virtual Result<std::size_t> read(const BlobId& id, std::uint64_t offset,
                                                 std::span<std::uint8_t> out) = 0;
  [[nodiscard]] virtual Result<> remove(const BlobId& id) = 0;
  struct Usage {
    std::uint64_t blobs = 0, bytes = 0, quota_bytes = 0;
  };
  [[nodiscard]] virtual Usage usage() = 0;
};

}  // namespace bonus::storage
