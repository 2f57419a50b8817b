// Framing of append-only logs: header, then records of length, CRC-32C, durable offset, bytes.
#include "bonus/runtime/asio/append_log.hpp"

#include <fmt/format.h>

#include <array>
#include <optional>

namespace bonus::runtime::append_log {
namespace {

constexpr std::array<std::uint8_t, 8> kHeader{'b', 'n', 's', '-', 'l', 'o', 'g', 1};
constexpr std::size_t kFrameBytes = 16;  // u32 length, u32 crc, u64 durable; little endian

constexpr std::array<std::uint32_t, 256> make_table() {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t c = i;
    for (int k = 0; k < 8; ++k) c = (c & 1U) != 0 ? 0x82F63B78U ^ (c >> 1) : c >> 1;
    table[i] = c;
  }
  return table;
}
constexpr auto kTable = make_table();

template <class T>
void put(Bytes& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
}
template <class T>
T get(BytesView in) {
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value = static_cast<T>(value | (static_cast<T>(in[i]) << (8 * i)));
  return value;
}

struct Record {
  BytesView bytes;
  std::uint64_t durable = 0;
};
// The record at `at`, when it is whole and its checksum holds.
std::optional<Record> record_at(BytesView content, std::size_t at) {
  const BytesView rest = content.subspan(at);
  if (rest.size() < kFrameBytes) return std::nullopt;
  const auto length = get<std::uint32_t>(rest);
  const auto durable = get<std::uint64_t>(rest.subspan(8));
  if (length > kMaxRecordBytes || length > rest.size() - kFrameBytes || durable > at || durable < kHeader.size())
    return std::nullopt;
  const std::uint32_t crc = crc32c(rest.subspan(8, 8 + length), crc32c(rest.first(4)));
  if (crc != get<std::uint32_t>(rest.subspan(4))) return std::nullopt;
  return Record{rest.subspan(kFrameBytes, length), durable};
}

}  // namespace

std::uint32_t crc32c(BytesView in, std::uint32_t seed) {
  std::uint32_t c = ~seed;
  for (const std::uint8_t byte : in) c = kTable[(c ^ byte) & 0xffU] ^ (c >> 8);
  return ~c;
}

Bytes header() { return {kHeader.begin(), kHeader.end()}; }

void append_record(Bytes& out, BytesView record, std::uint64_t durable) {
  Bytes length, offset;
  put(length, static_cast<std::uint32_t>(record.size()));
  put(offset, durable);
  const std::uint32_t crc = crc32c(record, crc32c(offset, crc32c(length)));
  append(out, length);
  put(out, crc);
  append(out, offset);
  append(out, record);
}

Result<Parsed> parse(BytesView content) {
  Parsed out;
  if (content.size() < kHeader.size() || !std::ranges::equal(content.first(kHeader.size()), kHeader))
    return fail(ErrorCode::kCorrupt, "not an append log of version 1 (offset 0)");
  std::size_t at = kHeader.size();
  while (const auto record = record_at(content, at)) {
    out.records.emplace_back(record->bytes.begin(), record->bytes.end());
    at += kFrameBytes + record->bytes.size();
  }
  out.valid_bytes = at;
  // A crash tears only what was not durable yet. If an intact later record says that this offset was durable, it is
  // damage.
  for (std::size_t later = at + 1; later + kFrameBytes <= content.size(); ++later) {
    if (get<std::uint64_t>(content.subspan(later + 8)) <= at) continue;
    if (record_at(content, later))
      return fail(ErrorCode::kCorrupt, fmt::format("a stored record is damaged at offset {}", at));
  }
  return out;
}

}  // namespace bonus::runtime::append_log
