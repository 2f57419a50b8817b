// Known answers of the hash functions and comparison with OpenSSL where it has the same function.
#include "bonus/crypto/hash.hpp"

#include <gtest/gtest.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>

#include <memory>

namespace bonus::crypto {
namespace {

Bytes counting(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::uint8_t>(i % 251);
  return out;
}

TEST(Keccak, KnownAnswers) {
  EXPECT_EQ(to_hex(keccak256({})), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(to_hex(keccak256(as_bytes("abc"))), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45");
}

TEST(Keccak, EveryLengthOverTwoBlocks) {
  // The constant is the SHA-256 of the 300 digests as computed by an independent implementation that follows the
  // reference's definition step by step and gives SHA3-256 with the other padding byte.
  Sha256 all;
  for (std::size_t size = 0; size < 300; ++size) all.update(keccak256(counting(size)));
  EXPECT_EQ(to_hex(all.finish()), "43833716b975b6c3732696010231f3cd4255248165f92ab8a96ec3998dc8b913");
}

TEST(Keccak, TwoPartsAreTheConcatenation) {
  const Bytes whole = counting(300);
  for (std::size_t cut = 0; cut <= whole.size(); cut += 17) {
    EXPECT_EQ(keccak256(BytesView(whole).first(cut), BytesView(whole).subspan(cut)), keccak256(whole)) << cut;
  }
}

TEST(Sha2, KnownAnswers) {
  EXPECT_EQ(to_hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(to_hex(sha256({})), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(to_hex(sha512(as_bytes("abc"))),
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
            "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f");
}

TEST(Sha2, IncrementalEqualsOneShot) {
  const Bytes whole = counting(1000);
  Sha256 hash;
  for (std::size_t at = 0; at < whole.size(); at += 37) {
    hash.update(BytesView(whole).subspan(at, std::min<std::size_t>(37, whole.size() - at)));
  }
  Sha256 moved = std::move(hash);
  EXPECT_EQ(moved.finish(), sha256(whole));
}

TEST(Hmac, Rfc4231) {
  const Bytes key(20, 0x0b);
  EXPECT_EQ(to_hex(hmac_sha256(key, as_bytes("Hi There"))),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha512(key, as_bytes("Hi There"))),
            "87aa7cdea5ef619d4ff0b4241a1d6cb02379f4e2ce4ec2787ad0b30545e17cde"
            "daa833b7d6b8a702038b274eaea3f4e4be9d914eeb61f1702e696c203a126854");
  EXPECT_EQ(to_hex(hmac_sha256({}, {})), "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad");
}

TEST(Blake2s, KnownAnswers) {
  // RFC 7693, appendix B; the keyed ones from the BLAKE2 authors' test file (key 00..1f).
  EXPECT_EQ(to_hex(blake2s(as_bytes("abc"))), "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982");
  const Bytes key = counting(32);
  EXPECT_EQ(to_hex(blake2s({}, key)), "48a8997da407876b3d79c0d92325ad3b89cbb754d86ab71aee047ad345fd2c49");
  EXPECT_EQ(to_hex(blake2s(counting(1), key)), "40d15fee7c328830166ac3f918650f807e7e01e177258cdc0a39b11f598066f1");
}

TEST(Blake2s, AgreesWithOpenSsl) {
  const std::unique_ptr<EVP_MAC, decltype(&EVP_MAC_free)> mac(EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr),
                                                              &EVP_MAC_free);
  ASSERT_TRUE(mac);
  for (std::size_t size = 0; size < 200; ++size) {
    const Bytes in = counting(size);
    Hash32 expected;
    unsigned length = 0;
    ASSERT_EQ(EVP_Digest(in.data(), in.size(), expected.bytes.data(), &length, EVP_blake2s256(), nullptr), 1);
    ASSERT_EQ(blake2s(in), expected) << size;

    const Bytes key = counting(1 + size % 32);
    const std::unique_ptr<EVP_MAC_CTX, decltype(&EVP_MAC_CTX_free)> context(EVP_MAC_CTX_new(mac.get()),
                                                                            &EVP_MAC_CTX_free);
    std::size_t written = 0;
    ASSERT_EQ(EVP_MAC_init(context.get(), key.data(), key.size(), nullptr), 1);
    ASSERT_EQ(EVP_MAC_update(context.get(), in.data(), in.size()), 1);
    ASSERT_EQ(EVP_MAC_final(context.get(), expected.bytes.data(), &written, expected.bytes.size()), 1);
    ASSERT_EQ(blake2s(in, key), expected) << size;
  }
}

}  // namespace
}  // namespace bonus::crypto
