// BLAKE2s (RFC 7693), sequential mode with an optional key.
#include "bonus/crypto/blake2s.hpp"

#include <bit>
#include <cassert>

#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace {

constexpr std::size_t kBlock = 64;
constexpr std::size_t kOutput = 32;

constexpr std::array<std::uint32_t, 8> kIv{0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A,
                                           0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19};

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

using Words = std::array<std::uint32_t, 16>;

inline void mix(Words& v, std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint32_t x,
                std::uint32_t y) {
  v[a] = v[a] + v[b] + x;
  v[d] = std::rotr(v[d] ^ v[a], 16);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 12);
  v[a] = v[a] + v[b] + y;
  v[d] = std::rotr(v[d] ^ v[a], 8);
  v[c] = v[c] + v[d];
  v[b] = std::rotr(v[b] ^ v[c], 7);
}

void compress(std::array<std::uint32_t, 8>& h, const std::uint8_t* block, std::uint64_t total, bool last) {
  Words m;
  std::memcpy(m.data(), block, kBlock);
  Words v;
  std::ranges::copy(h, v.begin());
  std::ranges::copy(kIv, v.begin() + 8);
  v[12] ^= static_cast<std::uint32_t>(total);
  v[13] ^= static_cast<std::uint32_t>(total >> 32);
  if (last) v[14] = ~v[14];
  for (const auto& s : kSigma) {
    mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
    mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
    mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
    mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
    mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
    mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
    mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
    mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
  }
  for (std::size_t i = 0; i < 8; ++i) h[i] ^= v[i] ^ v[i + 8];
}

}  // namespace

Blake2s::Blake2s(std::size_t output, BytesView key) : h_(kIv), output_(output) {
  static_assert(std::endian::native == std::endian::little);
  assert(key.size() <= 32 && output >= 1 && output <= kOutput);
  h_[0] ^= 0x01010000U ^ static_cast<std::uint32_t>(key.size() << 8) ^ static_cast<std::uint32_t>(output);
  if (!key.empty()) {
    std::ranges::copy(key, block_.begin());
    fill_ = kBlock;
  }
}

void Blake2s::update(BytesView in) {
  // The last block is compressed by finish() only: it is marked.
  while (!in.empty()) {
    if (fill_ == kBlock) {
      total_ += kBlock;
      compress(h_, block_.data(), total_, false);
      fill_ = 0;
    }
    const std::size_t take = std::min(kBlock - fill_, in.size());
    std::memcpy(block_.data() + fill_, in.data(), take);
    fill_ += take;
    in = in.subspan(take);
  }
}

void Blake2s::finish(std::span<std::uint8_t> out) {
  assert(out.size() == output_);
  std::memset(block_.data() + fill_, 0, kBlock - fill_);
  total_ += fill_;
  compress(h_, block_.data(), total_, true);
  std::memcpy(out.data(), h_.data(), output_);
}

Hash32 Blake2s::finish() {
  Hash32 out;
  finish(out.bytes);
  return out;
}

void Blake2s::wipe() {
  detail::wipe(h_.data(), sizeof h_);
  detail::wipe(block_.data(), block_.size());
}

Hash32 blake2s(BytesView in, BytesView key) {
  Blake2s hash(kOutput, key);
  hash.update(in);
  return hash.finish();
}

}  // namespace bonus::crypto
