// X.509 as a carrier of node keys: a certificate says nothing but "this TLS end holds this Ed25519 key".
#pragma once

#include <string>

#include "bonus/crypto/keys.hpp"

namespace bonus::net::nat {

struct NodeCertificate {
  std::string certificate_pem, private_key_pem;
};
/// Self-signed (RFC 8410), the same bytes for the same key. kInternal when OpenSSL refuses.
[[nodiscard]] Result<NodeCertificate> make_certificate(const crypto::Ed25519KeyPair& key);
/// The Ed25519 key of a PEM certificate. kDenied for any other kind of key; kInvalid for what is not a certificate.
[[nodiscard]] Result<Ed25519PublicKey> certificate_key(std::string_view pem);
/// The same of an OpenSSL `X509*`, which may be null.
[[nodiscard]] Result<Ed25519PublicKey> x509_key(const void* x509);

}  // namespace bonus::net::nat
