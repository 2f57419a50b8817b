// AES-256-GCM (NIST SP 800-38D) by OpenSSL, ChaCha20-Poly1305 (RFC 8439) and XChaCha20-Poly1305 by libsodium.
#include "bonus/crypto/aead.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <sodium.h>

#include <cassert>
#include <limits>
#include <memory>

#include "bonus/crypto/detail.hpp"

namespace bonus::crypto {
namespace {

constexpr std::size_t kTag = 16;

using Context = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

std::size_t nonce_size(Aead algorithm) { return algorithm == Aead::kXChaCha20Poly1305 ? 24 : 12; }

Context make_context() {
  Context out(EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free);
  assert(out && "out of memory");
  return out;
}

bool fits_int(std::size_t size) { return size <= static_cast<std::size_t>(std::numeric_limits<int>::max()); }

bool gcm_seal(const Hash32& key, BytesView nonce, BytesView aad, BytesView in, std::uint8_t* out) {
  const Context context = make_context();
  int length = 0;
  return EVP_EncryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data(), nonce.data()) == 1 &&
         (aad.empty() ||
          EVP_EncryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1) &&
         (in.empty() || EVP_EncryptUpdate(context.get(), out, &length, in.data(), static_cast<int>(in.size())) == 1) &&
         EVP_EncryptFinal_ex(context.get(), out + in.size(), &length) == 1 &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_GET_TAG, static_cast<int>(kTag), out + in.size()) == 1;
}

bool gcm_open(const Hash32& key, BytesView nonce, BytesView aad, BytesView in, Bytes& out) {
  const Context context = make_context();
  int length = 0;
  std::array<std::uint8_t, kTag> tag{};
  std::ranges::copy(in.last(kTag), tag.begin());
  std::uint8_t unused = 0;
  return EVP_DecryptInit_ex(context.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data(), nonce.data()) == 1 &&
         (aad.empty() ||
          EVP_DecryptUpdate(context.get(), nullptr, &length, aad.data(), static_cast<int>(aad.size())) == 1) &&
         (out.empty() ||
          EVP_DecryptUpdate(context.get(), out.data(), &length, in.data(), static_cast<int>(out.size())) == 1) &&
         EVP_CIPHER_CTX_ctrl(context.get(), EVP_CTRL_GCM_SET_TAG, static_cast<int>(kTag), tag.data()) == 1 &&
         EVP_DecryptFinal_ex(context.get(), &unused, &length) == 1;
}

}  // namespace

Bytes seal(Aead algorithm, const Hash32& key, BytesView nonce, BytesView aad, BytesView plaintext) {
  detail::init_sodium();
  assert(nonce.size() == nonce_size(algorithm) && fits_int(plaintext.size()) && fits_int(aad.size()));
  Bytes out(plaintext.size() + kTag);
  bool worked = false;
  switch (algorithm) {
    case Aead::kAes256Gcm:
      worked = gcm_seal(key, nonce, aad, plaintext, out.data());
      break;
    case Aead::kChaCha20Poly1305:
      worked =
          crypto_aead_chacha20poly1305_ietf_encrypt(out.data(), nullptr, plaintext.data(), plaintext.size(), aad.data(),
                                                    aad.size(), nullptr, nonce.data(), key.bytes.data()) == 0;
      break;
    case Aead::kXChaCha20Poly1305:
      worked = crypto_aead_xchacha20poly1305_ietf_encrypt(out.data(), nullptr, plaintext.data(), plaintext.size(),
                                                          aad.data(), aad.size(), nullptr, nonce.data(),
                                                          key.bytes.data()) == 0;
      break;
  }
  assert(worked);
  (void)worked;
  return out;
}

Result<Bytes> open(Aead algorithm, const Hash32& key, BytesView nonce, BytesView aad, BytesView ciphertext) {
  detail::init_sodium();
  if (nonce.size() != nonce_size(algorithm)) {
    return fail(ErrorCode::kInvalid,
                fmt::format("nonce has {} bytes, the cipher needs {}", nonce.size(), nonce_size(algorithm)));
  }
  if (ciphertext.size() < kTag) return fail(ErrorCode::kCorrupt, "ciphertext is shorter than its tag");
  if (!fits_int(ciphertext.size()) || !fits_int(aad.size())) {
    return fail(ErrorCode::kInvalid, "ciphertext or associated data is longer than 2 GiB");
  }
  Bytes out(ciphertext.size() - kTag);
  bool worked = false;
  switch (algorithm) {
    case Aead::kAes256Gcm:
      worked = gcm_open(key, nonce, aad, ciphertext, out);
      break;
    case Aead::kChaCha20Poly1305:
      worked =
          crypto_aead_chacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, ciphertext.data(), ciphertext.size(),
                                                    aad.data(), aad.size(), nonce.data(), key.bytes.data()) == 0;
      break;
    case Aead::kXChaCha20Poly1305:
      worked =
          crypto_aead_xchacha20poly1305_ietf_decrypt(out.data(), nullptr, nullptr, ciphertext.data(), ciphertext.size(),
                                                     aad.data(), aad.size(), nonce.data(), key.bytes.data()) == 0;
      break;
  }
  if (!worked) {
    detail::wipe(out.data(), out.size());
    return fail(ErrorCode::kCorrupt,
                "ciphertext was changed, or the key, nonce or associated data is not the right one");
  }
  return out;
}

}  // namespace bonus::crypto
