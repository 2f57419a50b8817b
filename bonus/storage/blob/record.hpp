// Keys and values of the blob store's database (docs/formats/blob.md). Pure.
#pragma once

#include <string>

#include "bonus/storage/api/blob_store.hpp"

namespace bonus::storage::record {

inline constexpr std::uint8_t kVersion = 1;
inline constexpr std::size_t kHashesPerGroup = 512;  ///< 16 KiB a value.

/// Everything of one blob is stored under its number, which is never used again.
struct BlobRecord {
  std::uint64_t number = 0;
  std::uint64_t size_bytes = 0;
  Hash32 sha256;
  friend bool operator==(const BlobRecord&, const BlobRecord&) = default;
};
[[nodiscard]] std::string encode(const BlobRecord& value);
[[nodiscard]] Result<BlobRecord> decode(std::string_view value);  ///< kCorrupt.

inline constexpr std::string_view kFormatKey = "F";  ///< Value: the version byte.
inline constexpr std::string_view kNextKey = "N";    ///< Value: the next unused number, 8 bytes.
[[nodiscard]] std::string blob_key(const BlobId& id);
[[nodiscard]] std::string digest_key(const Hash32& sha256);
[[nodiscard]] std::string pending_key(std::uint64_t number);
/// `prefix` is 'L' (leaf) or 'H' (a group of leaf hashes).
[[nodiscard]] std::string part_key(char prefix, std::uint64_t number, std::uint32_t index);
[[nodiscard]] std::string big_endian(std::uint64_t value);
[[nodiscard]] Result<std::uint64_t> from_big_endian(std::string_view text);  ///< kCorrupt unless 8 bytes.

}  // namespace bonus::storage::record
