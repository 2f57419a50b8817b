// SHA-256, RIPEMD-160 (Dobbertin, Bosselaers, Preneel 1996) and the identity: precompiles 0x02, 0x03, 0x04.
// RIPEMD-160 is written here because OpenSSL 3 may be built or configured without it.
#include <bit>
#include <cstring>

#include "bonus/chain/precompiles/internal.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::precompiles {
namespace {

using State = std::array<std::uint32_t, 5>;
using Order = std::array<std::uint8_t, 80>;

// Which message word and which rotation each of the 80 steps takes, in the left and in the right line.
constexpr Order kLeftWord{0,  1, 2,  3, 4,  5,  6, 7,  8, 9,  10, 11, 12, 13, 14, 15, 7,  4,  13, 1,
                          10, 6, 15, 3, 12, 0,  9, 5,  2, 14, 11, 8,  3,  10, 14, 4,  9,  15, 8,  1,
                          2,  7, 0,  6, 13, 11, 5, 12, 1, 9,  11, 10, 0,  8,  12, 4,  13, 3,  7,  15,
                          14, 5, 6,  2, 4,  0,  5, 9,  7, 12, 2,  10, 14, 1,  3,  8,  11, 6,  15, 13};
constexpr Order kRightWord{5,  14, 7,  0,  9,  2,  11, 4,  13, 6, 15, 8, 1,  10, 3,  12, 6, 11, 3, 7,
                           0,  13, 5,  10, 14, 15, 8,  12, 4,  9, 1,  2, 15, 5,  1,  3,  7, 14, 6, 9,
                           11, 8,  12, 2,  10, 0,  4,  13, 8,  6, 4,  1, 3,  11, 15, 0,  5, 12, 2, 13,
                           9,  7,  10, 14, 12, 15, 10, 4,  1,  5, 8,  7, 6,  2,  13, 14, 0, 3,  9, 11};
constexpr Order kLeftTurn{11, 14, 15, 12, 5, 8,  7,  9,  11, 13, 14, 15, 6,  7,  9,  8,  7,  6,  8,  13,
                          11, 9,  7,  15, 7, 12, 15, 9,  11, 7,  13, 12, 11, 13, 6,  7,  14, 9,  13, 15,
                          14, 8,  13, 6,  5, 12, 7,  5,  11, 12, 14, 15, 14, 15, 9,  8,  9,  14, 5,  6,
                          8,  6,  5,  12, 9, 15, 5,  11, 6,  8,  13, 12, 5,  12, 13, 14, 11, 8,  5,  6};
constexpr Order kRightTurn{8,  9,  9,  11, 13, 15, 15, 5, 7,  7,  8,  11, 14, 14, 12, 6,  9,  13, 15, 7,
                           12, 8,  9,  11, 7,  7,  12, 7, 6,  15, 13, 11, 9,  7,  15, 11, 8,  6,  6,  14,
                           12, 13, 5,  14, 13, 13, 7,  5, 15, 5,  8,  11, 14, 14, 6,  14, 6,  9,  12, 9,
                           12, 5,  15, 8,  8,  5,  12, 9, 12, 5,  14, 6,  8,  13, 6,  5,  15, 13, 11, 11};
// Integer parts of 2^30 times the square (left) and cube (right) roots of 2, 3, 5, 7.
constexpr std::array<std::uint32_t, 5> kLeftAdd{0, 0x5A827999, 0x6ED9EBA1, 0x8F1BBCDC, 0xA953FD4E};
constexpr std::array<std::uint32_t, 5> kRightAdd{0x50A28BE6, 0x5C4DD124, 0x6D703EF3, 0x7A6D76E9, 0};

template <unsigned kRound>
constexpr std::uint32_t mix(std::uint32_t x, std::uint32_t y, std::uint32_t z) {
  if constexpr (kRound == 0) return x ^ y ^ z;
  if constexpr (kRound == 1) return (x & y) | (~x & z);
  if constexpr (kRound == 2) return (x | ~y) ^ z;
  if constexpr (kRound == 3) return (x & z) | (y & ~z);
  if constexpr (kRound == 4) return x ^ (y | ~z);
}

inline void step(State& s, std::uint32_t mixed, std::uint32_t add, unsigned turn) {
  const std::uint32_t sum = std::rotl(s[0] + mixed + add, static_cast<int>(turn)) + s[4];
  s = {s[4], sum, s[1], std::rotl(s[2], 10), s[3]};
}

template <unsigned kRound>
inline void round_of(State& left, State& right, const std::array<std::uint32_t, 16>& words) {
  for (unsigned i = kRound * 16; i < kRound * 16 + 16; ++i) {
    step(left, mix<kRound>(left[1], left[2], left[3]), words[kLeftWord[i]] + kLeftAdd[kRound], kLeftTurn[i]);
    step(right, mix<4 - kRound>(right[1], right[2], right[3]), words[kRightWord[i]] + kRightAdd[kRound], kRightTurn[i]);
  }
}

void compress(State& state, const std::uint8_t* block) {
  static_assert(std::endian::native == std::endian::little, "message words are little-endian");
  std::array<std::uint32_t, 16> words{};
  std::memcpy(words.data(), block, 64);
  State left = state;
  State right = state;
  round_of<0>(left, right, words);
  round_of<1>(left, right, words);
  round_of<2>(left, right, words);
  round_of<3>(left, right, words);
  round_of<4>(left, right, words);
  state = {state[1] + left[2] + right[3], state[2] + left[3] + right[4], state[3] + left[4] + right[0],
           state[4] + left[0] + right[1], state[0] + left[1] + right[2]};
}

}  // namespace

bool sha256(BytesView input, Bytes& output) {
  append(output, crypto::sha256(input));
  return true;
}

bool ripemd160(BytesView input, Bytes& output) {
  State state{0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476, 0xC3D2E1F0};
  const std::size_t whole = input.size() / 64 * 64;
  for (std::size_t at = 0; at < whole; at += 64) compress(state, input.data() + at);
  // The tail, a one bit, zeros, and the length in bits in the last 8 bytes.
  std::array<std::uint8_t, 128> tail{};
  const std::size_t rest = input.size() - whole;
  std::ranges::copy(input.subspan(whole), tail.begin());
  tail[rest] = 0x80;
  const std::size_t tail_size = rest < 56 ? 64 : 128;
  const std::uint64_t bits = std::uint64_t{input.size()} * 8;
  std::memcpy(tail.data() + tail_size - 8, &bits, 8);
  for (std::size_t at = 0; at < tail_size; at += 64) compress(state, tail.data() + at);
  output.resize(32);  // 20 bytes, left-padded to an EVM word.
  std::memcpy(output.data() + 12, state.data(), 20);
  return true;
}

bool identity(BytesView input, Bytes& output) {
  append(output, input);
  return true;
}

}  // namespace bonus::chain::precompiles
