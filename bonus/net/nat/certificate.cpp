// Node certificates through OpenSSL.
#include "bonus/net/nat/certificate.hpp"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>

namespace bonus::net::nat {
namespace {

template <class T, void (*Free)(T*)>
struct Deleter {
  void operator()(T* p) const { Free(p); }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY, EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Deleter<X509, X509_free>>;
struct BioDeleter {
  void operator()(BIO* p) const { BIO_free(p); }
};
using Bio = std::unique_ptr<BIO, BioDeleter>;

std::string drain(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return {data, static_cast<std::size_t>(size)};
}

}  // namespace

Result<NodeCertificate> make_certificate(const crypto::Ed25519KeyPair& key) {
  Key secret(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, key.seed().bytes.data(), key.seed().kSize));
  Certificate cert(X509_new());
  if (!secret || !cert) return fail(ErrorCode::kInternal, "OpenSSL cannot make a certificate");
  // No meaning is attached to the name or to the dates: trust comes from the key alone. RFC 5280 4.1.2.5 writes "no
  // end" so.
  const std::string name = to_hex(crypto::node_id(key.public_key()));
  X509_NAME* subject = X509_get_subject_name(cert.get());
  bool ok = X509_set_version(cert.get(), X509_VERSION_3) == 1;
  ok = ok && ASN1_INTEGER_set(X509_get_serialNumber(cert.get()), 1) == 1;
  ok = ok && ASN1_TIME_set_string(X509_getm_notBefore(cert.get()), "20180101000000Z") == 1;
  ok = ok && ASN1_TIME_set_string(X509_getm_notAfter(cert.get()), "99991231235959Z") == 1;
  ok =
      ok && X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>(name.data()),
                                       static_cast<int>(name.size()), -1, 0) == 1;
  ok = ok && X509_set_issuer_name(cert.get(), subject) == 1;
  ok = ok && X509_set_pubkey(cert.get(), secret.get()) == 1;
  ok = ok && X509_sign(cert.get(), secret.get(), nullptr) != 0;
  Bio cert_out(BIO_new(BIO_s_mem()));
  Bio key_out(BIO_new(BIO_s_mem()));
  ok = ok && PEM_write_bio_X509(cert_out.get(), cert.get()) == 1;
  ok = ok && PEM_write_bio_PrivateKey(key_out.get(), secret.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
  if (!ok) return fail(ErrorCode::kInternal, "OpenSSL cannot write the node certificate");
  return NodeCertificate{drain(cert_out.get()), drain(key_out.get())};
}

Result<Ed25519PublicKey> certificate_key(std::string_view pem) {
  Bio in(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  Certificate cert(PEM_read_bio_X509(in.get(), nullptr, nullptr, nullptr));
  return x509_key(cert.get());
}

Result<Ed25519PublicKey> x509_key(const void* x509) {
  if (x509 == nullptr) return fail(ErrorCode::kInvalid, "the peer showed something that is not a certificate");
  EVP_PKEY* key = X509_get0_pubkey(static_cast<const X509*>(x509));
  if (key == nullptr || EVP_PKEY_id(key) != EVP_PKEY_ED25519)
    return fail(ErrorCode::kDenied, "the peer's certificate does not hold an Ed25519 node key");
  Ed25519PublicKey out;
  std::size_t size = out.bytes.size();
  if (EVP_PKEY_get_raw_public_key(key, out.bytes.data(), &size) != 1 || size != out.bytes.size())
    return fail(ErrorCode::kInvalid, "the peer's certificate holds a broken key");
  return out;
}

}  // namespace bonus::net::nat
