// SHA-2 and HMAC by OpenSSL.
#include "bonus/crypto/hash.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <cassert>

namespace bonus::crypto {
namespace {

/// OpenSSL's digests fail only when memory ends or the library is broken: neither can be answered by the caller.
void must(bool worked) {
  assert(worked && "OpenSSL digest failed");
  (void)worked;
}

template <class Out>
Out hmac(const EVP_MD* algorithm, BytesView key, BytesView in) {
  static constexpr std::uint8_t kNothing = 0;  // A null key means "the previous key" to OpenSSL.
  Out out;
  unsigned length = 0;
  must(HMAC(algorithm, key.empty() ? &kNothing : key.data(), static_cast<int>(key.size()), in.data(), in.size(),
            out.bytes.data(), &length) != nullptr);
  return out;
}

}  // namespace

Hash32 sha256(BytesView in) {
  Hash32 out;
  must(SHA256(in.data(), in.size(), out.bytes.data()) != nullptr);
  return out;
}

FixedBytes<64, Sha512Tag> sha512(BytesView in) {
  FixedBytes<64, Sha512Tag> out;
  must(SHA512(in.data(), in.size(), out.bytes.data()) != nullptr);
  return out;
}

Hash32 hmac_sha256(BytesView key, BytesView in) { return hmac<Hash32>(EVP_sha256(), key, in); }

FixedBytes<64, Sha512Tag> hmac_sha512(BytesView key, BytesView in) {
  return hmac<FixedBytes<64, Sha512Tag>>(EVP_sha512(), key, in);
}

Sha256::Sha256() : context_(EVP_MD_CTX_new()) {
  must(context_ != nullptr);
  must(EVP_DigestInit_ex(static_cast<EVP_MD_CTX*>(context_), EVP_sha256(), nullptr) == 1);
}
Sha256::~Sha256() { EVP_MD_CTX_free(static_cast<EVP_MD_CTX*>(context_)); }
Sha256::Sha256(Sha256&& other) noexcept : context_(std::exchange(other.context_, nullptr)) {}
Sha256& Sha256::operator=(Sha256&& other) noexcept {
  std::swap(context_, other.context_);
  return *this;
}

void Sha256::update(BytesView in) {
  must(EVP_DigestUpdate(static_cast<EVP_MD_CTX*>(context_), in.data(), in.size()) == 1);
}

Hash32 Sha256::finish() {
  Hash32 out;
  must(EVP_DigestFinal_ex(static_cast<EVP_MD_CTX*>(context_), out.bytes.data(), nullptr) == 1);
  return out;
}

}  // namespace bonus::crypto
