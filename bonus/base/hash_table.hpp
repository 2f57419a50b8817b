// Hashing for tables in memory. Strangers choose many keys (addresses, storage slots): without a secret they could
// choose keys that all fall together.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace bonus {

/// Random for each process. Only places in tables depend on it: nothing may depend on the order of a table.
extern const std::array<std::uint64_t, 4> kHashSecret;

/// Both halves of the product of two words that the secret has changed.
[[nodiscard]] inline std::uint64_t hash_mix(std::uint64_t a, std::uint64_t b, unsigned which = 0) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>(a ^ kHashSecret[which]) * (b ^ kHashSecret[which + 1]);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Of `size` bytes; the size is part of the key's type, not of the hash.
[[nodiscard]] inline std::uint64_t hash_bytes(const std::uint8_t* in, std::size_t size) {
  std::uint64_t out = kHashSecret[3];
  while (size > 0) {
    std::uint64_t words[2] = {};
    const std::size_t part = size < sizeof words ? size : sizeof words;
    std::memcpy(words, in, part);
    out = hash_mix(words[0] ^ out, words[1]);
    in += part;
    size -= part;
  }
  return out;
}

}  // namespace bonus
