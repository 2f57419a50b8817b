// Keys and values of the blob store's database (docs/formats/blob.md).
#include "bonus/storage/blob/record.hpp"

namespace bonus::storage::record {

std::string big_endian(std::uint64_t value) {
  std::string out(8, '\0');
  for (std::size_t i = 8; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xFF);
  return out;
}

Result<std::uint64_t> from_big_endian(std::string_view text) {
  if (text.size() != 8) return fail(ErrorCode::kCorrupt, "a stored number does not have eight bytes");
  std::uint64_t out = 0;
  for (const char c : text) out = out << 8 | static_cast<std::uint8_t>(c);
  return out;
}

std::string encode(const BlobRecord& value) {
  std::string out(1, static_cast<char>(kVersion));
  out += big_endian(value.number);
  out += big_endian(value.size_bytes);
  out += as_text(value.sha256);
  return out;
}

Result<BlobRecord> decode(std::string_view value) {
  if (value.size() != 49 || static_cast<std::uint8_t>(value[0]) != kVersion)
    return fail(ErrorCode::kCorrupt, "a blob record has an unknown form");
  BlobRecord out;
  TRY_ASSIGN(out.number, from_big_endian(value.substr(1, 8)));
  TRY_ASSIGN(out.size_bytes, from_big_endian(value.substr(9, 8)));
  TRY_ASSIGN(out.sha256, Hash32::from(as_bytes(value.substr(17))));
  return out;
}

std::string blob_key(const BlobId& id) { return "B" + std::string(as_text(id)); }
std::string digest_key(const Hash32& sha256) { return "D" + std::string(as_text(sha256)); }
std::string pending_key(std::uint64_t number) { return "P" + big_endian(number); }
std::string part_key(char prefix, std::uint64_t number, std::uint32_t index) {
  std::string out(1, prefix);
  out += big_endian(number);
  out += big_endian(index).substr(4);
  return out;
}

}  // namespace bonus::storage::record
