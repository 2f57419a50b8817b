// The Internet checksum (RFC 1071) of long payloads and of TCP and UDP pseudo headers (RFC 9293, RFC 768, RFC 8200).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "bonus/base/bytes.hpp"

namespace bonus::net::device {

/// One's complement sum of 16-bit words in memory order, not yet folded; an odd last byte is padded with zero. Sums of
/// pieces add up when every piece but the last has an even length. `bytes.size()` at most 2^20.
[[nodiscard]] std::uint64_t checksum_add(BytesView bytes, std::uint64_t sum = 0);
/// Copies and sums in one pass over the cache. `out` has room for `bytes`.
[[nodiscard]] std::uint64_t checksum_copy(std::uint8_t* out, BytesView bytes, std::uint64_t sum = 0);

/// To 16 bits, in memory order (store it with memcpy, never swapped), not complemented.
[[nodiscard]] inline std::uint16_t checksum_fold(std::uint64_t sum) {
  sum = (sum & 0xffffffff) + (sum >> 32);
  sum = (sum & 0xffff) + ((sum >> 16) & 0xffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(sum);
}
/// What is stored in a header: the complement. In memory order.
[[nodiscard]] inline std::uint16_t checksum_finish(std::uint64_t sum) {
  return static_cast<std::uint16_t>(~checksum_fold(sum));
}

[[nodiscard]] inline std::uint16_t load_be16(const std::uint8_t* p) {
  return static_cast<std::uint16_t>((p[0] << 8) | p[1]);
}
[[nodiscard]] inline std::uint32_t load_be32(const std::uint8_t* p) {
  return (std::uint32_t{p[0]} << 24) | (std::uint32_t{p[1]} << 16) | (std::uint32_t{p[2]} << 8) | p[3];
}
inline void store_be16(std::uint8_t* p, std::size_t value) {
  p[0] = static_cast<std::uint8_t>(value >> 8);
  p[1] = static_cast<std::uint8_t>(value);
}
inline void store_be32(std::uint8_t* p, std::uint32_t value) {
  store_be16(p, value >> 16);
  store_be16(p + 2, value & 0xffff);
}
inline void store_checksum(std::uint8_t* p, std::uint16_t memory_order) { std::memcpy(p, &memory_order, 2); }

/// Sum of the pseudo header of the IPv4 or IPv6 packet `ip` for `length` bytes of transport protocol `protocol`.
[[nodiscard]] std::uint64_t pseudo_header_sum(const std::uint8_t* ip, std::uint8_t protocol, std::size_t length);
/// Recomputes the checksum of the IPv4 header of `size` bytes.
void finish_ipv4_header(std::uint8_t* ip, std::size_t size);

}  // namespace bonus::net::device
