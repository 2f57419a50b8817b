// The bytes of an append-only log (docs/formats/append-log.md), apart from any file.
#pragma once

#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::runtime::append_log {

inline constexpr std::size_t kMaxRecordBytes = 64 << 20;
inline constexpr std::size_t kMaxLogBytes = 1U << 30;

/// CRC-32C (Castagnoli, RFC 3720 appendix B.4).
[[nodiscard]] std::uint32_t crc32c(BytesView in, std::uint32_t seed = 0);
/// What every log begins with: eight bytes, the last is the version.
[[nodiscard]] Bytes header();
/// `durable` is the log offset known to be on the disk when the record is written.
void append_record(Bytes& out, BytesView record, std::uint64_t durable);

struct Parsed {
  std::vector<Bytes> records;
  std::size_t valid_bytes = 0;  ///< Whatever follows is a torn tail.
};
/// kCorrupt names the offset: a foreign header, or a damaged record that was durable when a later one was written.
[[nodiscard]] Result<Parsed> parse(BytesView content);

}  // namespace bonus::runtime::append_log
