// Precompile 0x09: BLAKE2b's compression function with a chosen number of rounds (EIP-152, RFC 7693).
#include <bit>
#include <cstring>

#include "bonus/chain/precompiles/internal.hpp"

namespace bonus::chain::precompiles {
namespace {

constexpr std::size_t kInputSize = 213;  // rounds 4, h 64, m 128, t 16, f 1

constexpr std::array<std::uint64_t, 8> kInitial{0x6A09E667F3BCC908, 0xBB67AE8584CAA73B, 0x3C6EF372FE94F82B,
                                                0xA54FF53A5F1D36F1, 0x510E527FADE682D1, 0x9B05688C2B3E6C1F,
                                                0x1F83D9ABFB41BD6B, 0x5BE0CD19137E2179};
constexpr std::array<std::array<std::uint8_t, 16>, 10> kSigma{{
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
}};

inline void quarter(std::uint64_t& a, std::uint64_t& b, std::uint64_t& c, std::uint64_t& d, std::uint64_t x,
                    std::uint64_t y) {
  a += b + x;
  d = std::rotr(d ^ a, 32);
  c += d;
  b = std::rotr(b ^ c, 24);
  a += b + y;
  d = std::rotr(d ^ a, 16);
  c += d;
  b = std::rotr(b ^ c, 63);
}

std::uint32_t rounds_of(BytesView input) {
  return std::uint32_t{input[0]} << 24 | std::uint32_t{input[1]} << 16 | std::uint32_t{input[2]} << 8 | input[3];
}

}  // namespace

std::uint64_t blake2f_price(BytesView input, Revision) {
  return input.size() == kInputSize ? rounds_of(input) : kNoPrice;
}

bool blake2f(BytesView input, Bytes& output) {
  static_assert(std::endian::native == std::endian::little, "RFC 7693 words are little-endian");
  if (input.size() != kInputSize || input[212] > 1) return false;
  std::array<std::uint64_t, 8> h{};
  std::array<std::uint64_t, 16> m{};
  std::array<std::uint64_t, 2> t{};
  std::memcpy(h.data(), input.data() + 4, 64);
  std::memcpy(m.data(), input.data() + 68, 128);
  std::memcpy(t.data(), input.data() + 196, 16);
  std::array<std::uint64_t, 16> v{};
  std::ranges::copy(h, v.begin());
  std::ranges::copy(kInitial, v.begin() + 8);
  v[12] ^= t[0];
  v[13] ^= t[1];
  if (input[212] == 1) v[14] = ~v[14];
  const std::uint32_t rounds = rounds_of(input);
  std::uint32_t row = 0;
  for (std::uint32_t round = 0; round < rounds; ++round) {
    const auto& s = kSigma[row];
    row = row == 9 ? 0 : row + 1;
    quarter(v[0], v[4], v[8], v[12], m[s[0]], m[s[1]]);
    quarter(v[1], v[5], v[9], v[13], m[s[2]], m[s[3]]);
    quarter(v[2], v[6], v[10], v[14], m[s[4]], m[s[5]]);
    quarter(v[3], v[7], v[11], v[15], m[s[6]], m[s[7]]);
    quarter(v[0], v[5], v[10], v[15], m[s[8]], m[s[9]]);
    quarter(v[1], v[6], v[11], v[12], m[s[10]], m[s[11]]);
    quarter(v[2], v[7], v[8], v[13], m[s[12]], m[s[13]]);
    quarter(v[3], v[4], v[9], v[14], m[s[14]], m[s[15]]);
  }
  for (std::size_t i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[i + 8];
  output.resize(64);
  std::memcpy(output.data(), h.data(), 64);
  return true;
}

}  // namespace bonus::chain::precompiles
