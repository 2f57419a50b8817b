// The Internet checksum: 32-bit words summed into 64-bit lanes, which the compiler turns into vector instructions.
#include "bonus/net/device/checksum.hpp"

namespace bonus::net::device {
namespace {

// The sum of 16-bit words is the sum of 32-bit words modulo 2^16 - 1 (RFC 1071, section 2 (C)).
[[gnu::always_inline]] inline std::uint64_t add_words(const std::uint8_t* p, std::size_t words) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word;
    std::memcpy(&word, p + 4 * i, 4);
    sum += word;
  }
  return sum;
}
[[gnu::always_inline]] inline std::uint64_t copy_words(std::uint8_t* __restrict out, const std::uint8_t* __restrict p,
                                                       std::size_t words) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < words; ++i) {
    std::uint32_t word;
    std::memcpy(&word, p + 4 * i, 4);
    std::memcpy(out + 4 * i, &word, 4);
    sum += word;
  }
  return sum;
}

std::uint64_t add_generic(const std::uint8_t* p, std::size_t words) { return add_words(p, words); }
std::uint64_t copy_generic(std::uint8_t* out, const std::uint8_t* p, std::size_t words) {
  return copy_words(out, p, words);
}
#if defined(__x86_64__)
[[gnu::target("avx2")]] std::uint64_t add_avx2(const std::uint8_t* p, std::size_t words) { return add_words(p, words); }
[[gnu::target("avx2")]] std::uint64_t copy_avx2(std::uint8_t* out, const std::uint8_t* p, std::size_t words) {
  return copy_words(out, p, words);
}
const bool kAvx2 = __builtin_cpu_supports("avx2") != 0;
const auto kAdd = kAvx2 ? add_avx2 : add_generic;
const auto kCopy = kAvx2 ? copy_avx2 : copy_generic;
#else
constexpr auto kAdd = add_generic;
constexpr auto kCopy = copy_generic;
#endif

std::uint64_t add_tail(BytesView bytes) {
  std::uint32_t word = 0;
  const std::size_t rest = bytes.size() % 4;
  if (rest != 0) std::memcpy(&word, bytes.data() + bytes.size() - rest, rest);
  return word;
}

}  // namespace

std::uint64_t checksum_add(BytesView bytes, std::uint64_t sum) {
  return sum + kAdd(bytes.data(), bytes.size() / 4) + add_tail(bytes);
}

std::uint64_t checksum_copy(std::uint8_t* out, BytesView bytes, std::uint64_t sum) {
  const std::size_t rest = bytes.size() % 4;
  sum += kCopy(out, bytes.data(), bytes.size() / 4) + add_tail(bytes);
  if (rest != 0) std::memcpy(out + bytes.size() - rest, bytes.data() + bytes.size() - rest, rest);
  return sum;
}

std::uint64_t pseudo_header_sum(const std::uint8_t* ip, std::uint8_t protocol, std::size_t length) {
  const bool v6 = ip[0] >> 4 == 6;
  std::uint8_t tail[8] = {};
  store_be32(tail, static_cast<std::uint32_t>(length));
  tail[7] = protocol;
  return checksum_add({ip + (v6 ? 8 : 12), v6 ? 32u : 8u}, checksum_add(tail));
}

void finish_ipv4_header(std::uint8_t* ip, std::size_t size) {
  store_be16(ip + 10, 0);
  store_checksum(ip + 10, checksum_finish(checksum_add({ip, size})));
}

}  // namespace bonus::net::device
