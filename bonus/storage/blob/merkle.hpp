// The Merkle tree that names a blob: RFC 6962 section 2.1 over 64 KiB leaves. Pure and thread-safe.
#pragma once

#include <span>

#include "bonus/storage/api/blob_store.hpp"

namespace bonus::storage {

/// SHA-256(0x00 || leaf). The prefix keeps a leaf from being taken for an inner node.
[[nodiscard]] Hash32 leaf_hash(BytesView leaf);
/// Root of a blob with these leaf hashes, left to right; SHA-256 of nothing for the empty blob.
[[nodiscard]] BlobId merkle_root(std::span<const Hash32> leaf_hashes);
/// How many leaves a blob of so many bytes has.
[[nodiscard]] constexpr std::uint64_t leaf_count(std::uint64_t size_bytes) {
  return size_bytes / kLeafBytes + (size_bytes % kLeafBytes != 0 ? 1 : 0);
}

}  // namespace bonus::storage
