// Known answers of the AEADs and the refusal of every change.
#include "bonus/crypto/aead.hpp"

#include <gtest/gtest.h>

namespace bonus::crypto {
namespace {

Bytes raw(std::string_view text) { return from_hex(text).value(); }

constexpr std::string_view kSunscreen =
    "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be "
    "it.";

Hash32 rfc_key() {
  Hash32 key;
  for (std::size_t i = 0; i < 32; ++i) key.bytes[i] = static_cast<std::uint8_t>(0x80 + i);
  return key;
}

TEST(Aead, AesGcmVectors) {
  // The GCM specification's test cases 13 and 14.
  EXPECT_EQ(to_hex(seal(Aead::kAes256Gcm, {}, Bytes(12), {}, {})), "530f8afbc74536b9a963b4f1c4cb738b");
  EXPECT_EQ(to_hex(seal(Aead::kAes256Gcm, {}, Bytes(12), {}, Bytes(16))),
            "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919");
}

TEST(Aead, ChaChaVectors) {
  const Bytes aad = raw("50515253c0c1c2c3c4c5c6c7");
  // RFC 8439, 2.8.2.
  const Bytes nonce = raw("070000004041424344454647");
  const std::string ietf = to_hex(seal(Aead::kChaCha20Poly1305, rfc_key(), nonce, aad, as_bytes(kSunscreen)));
  EXPECT_TRUE(ietf.starts_with("d31a8d34648e60db7b86afbc53ef7ec2"));
  EXPECT_TRUE(ietf.ends_with("1ae10b594f09e26a7e902ecbd0600691"));
  // draft-irtf-cfrg-xchacha-03, A.3.1.
  const Bytes long_nonce = raw("404142434445464748494a4b4c4d4e4f5051525354555657");
  const std::string extended = to_hex(seal(Aead::kXChaCha20Poly1305, rfc_key(), long_nonce, aad, as_bytes(kSunscreen)));
  EXPECT_TRUE(extended.starts_with("bd6d179d3e83d43b9576579493c0e939"));
  EXPECT_TRUE(extended.ends_with("c0875924c1c7987947deafd8780acf49"));
}

class EveryAead : public ::testing::TestWithParam<Aead> {
 protected:
  Bytes nonce() const { return Bytes(GetParam() == Aead::kXChaCha20Poly1305 ? 24 : 12, 9); }
};

TEST_P(EveryAead, RoundTripsAllSizes) {
  for (const std::size_t size : {0U, 1U, 15U, 16U, 17U, 64U, 1000U}) {
    const Bytes plain(size, 0x5a);
    const Bytes sealed = seal(GetParam(), rfc_key(), nonce(), as_bytes("context"), plain);
    ASSERT_EQ(sealed.size(), size + 16);
    EXPECT_EQ(open(GetParam(), rfc_key(), nonce(), as_bytes("context"), sealed).value(), plain);
  }
}

TEST_P(EveryAead, RefusesEveryChange) {
  const Bytes sealed = seal(GetParam(), rfc_key(), nonce(), as_bytes("context"), as_bytes("message"));
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 0x10;
    EXPECT_EQ(open(GetParam(), rfc_key(), nonce(), as_bytes("context"), changed).error().code, ErrorCode::kCorrupt);
    EXPECT_FALSE(open(GetParam(), rfc_key(), nonce(), as_bytes("context"), BytesView(sealed).first(i)));
  }
  EXPECT_FALSE(open(GetParam(), rfc_key(), nonce(), as_bytes("other"), sealed));
  EXPECT_FALSE(open(GetParam(), rfc_key(), nonce(), {}, sealed));
  EXPECT_FALSE(open(GetParam(), Hash32{}, nonce(), as_bytes("context"), sealed));
  Bytes other_nonce = nonce();
  other_nonce[0] ^= 1;
  EXPECT_FALSE(open(GetParam(), rfc_key(), other_nonce, as_bytes("context"), sealed));
  EXPECT_EQ(open(GetParam(), rfc_key(), Bytes(13), as_bytes("context"), sealed).error().code, ErrorCode::kInvalid);
}

INSTANTIATE_TEST_SUITE_P(All, EveryAead,
                         ::testing::Values(Aead::kAes256Gcm, Aead::kChaCha20Poly1305, Aead::kXChaCha20Poly1305));

}  // namespace
}  // namespace bonus::crypto
