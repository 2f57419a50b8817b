// The uncompressed tar of a layer blob (OCI image-spec, layer.md): plain, gzip (RFC 1952) or zstd (RFC 8878), hashed as
// it flows.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "bonus/base/bytes.hpp"

namespace bonus::compute::vm {

/// Reads the compressed blob at an offset; 0 at its end.
using BlobReader = std::function<Result<std::size_t>(std::uint64_t offset, std::span<std::uint8_t> out)>;

struct StreamLimits {
  std::uint64_t unpacked_bytes = 16ULL << 30;  ///< Of the tar stream.
  std::uint64_t ratio = 200;                   ///< Unpacked to compressed, looked at above `ratio_free_bytes`.
  std::uint64_t ratio_free_bytes = 64ULL << 20;
};

/// Not thread-safe. kExhausted: larger than the limits allow. kCorrupt: the compressed data is damaged or cut short.
class LayerStream {
 public:
  LayerStream(BlobReader reader, StreamLimits limits);
  ~LayerStream();
  LayerStream(const LayerStream&) = delete;
  LayerStream& operator=(const LayerStream&) = delete;
  /// The next piece, empty at the end. Valid until the next call.
  [[nodiscard]] Result<BytesView> next();
  /// Reads what is left and returns the SHA-256 of the whole uncompressed stream. Once.
  [[nodiscard]] Result<Hash32> finish();
  [[nodiscard]] std::uint64_t unpacked_bytes() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace bonus::compute::vm
