// Both AEAD backends against the vector of RFC 8439 and against each other.
#include "bonus/net/device/cipher.hpp"

#include <gtest/gtest.h>

#include "bonus/crypto/aead.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::device {
namespace {

TEST(PacketCipher, EveryBackendIsTheSameAead) {
  runtime::sim::SeededRandom random(1);
  PacketCipher backends[] = {PacketCipher(PacketCipher::Backend::kOpenSsl), PacketCipher()};
  RecordProperty("fastest", std::string(backends[1].name()));
  for (std::size_t size = 0; size < 1700; size += size < 300 ? 1 : 37) {
    Hash32 key;
    random.fill(key.bytes);
    const std::uint64_t counter = random.next_u64();
    Bytes nonce(12), plain(size);
    random.fill(plain);
    for (std::size_t i = 0; i < 8; ++i) nonce[4 + i] = static_cast<std::uint8_t>(counter >> (8 * i));
    const Bytes expected = crypto::seal(crypto::Aead::kChaCha20Poly1305, key, nonce, {}, plain);
    for (auto& cipher : backends) {
      Bytes data = plain;
      data.resize(size + PacketCipher::kTag);
      cipher.seal(key, counter, data.data(), size);
      EXPECT_EQ(data, expected) << cipher.name() << " " << size;
      Bytes forged = data;
      forged[random.below(forged.size())] ^= static_cast<std::uint8_t>(1 << random.below(8));
      EXPECT_FALSE(cipher.open(key, counter, forged.data(), size));
      Bytes other = data;
      EXPECT_FALSE(cipher.open(key, counter + 1, other.data(), size));
      ASSERT_TRUE(cipher.open(key, counter, data.data(), size));
      data.resize(size);
      EXPECT_EQ(data, plain);
    }
  }
}

}  // namespace
}  // namespace bonus::net::device
