// Ed25519 and X25519 by libsodium, node identities.
#include "bonus/crypto/keys.hpp"

#include <sodium.h>

#include <cstdio>
#include <cstdlib>

#include "bonus/crypto/detail.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::crypto {
namespace detail {

void init_sodium() {
  static const bool ready = [] {
    if (sodium_init() < 0) {
      std::fputs("libsodium cannot be initialised: no source of randomness\n", stderr);
      std::abort();
    }
    return true;
  }();
  (void)ready;
}

void wipe(void* memory, std::size_t size) { sodium_memzero(memory, size); }

}  // namespace detail

Hash32 random_secret() {
  detail::init_sodium();
  Hash32 out;
  randombytes_buf(out.bytes.data(), out.bytes.size());
  return out;
}

Ed25519KeyPair Ed25519KeyPair::from_seed(const Ed25519Seed& seed) {
  detail::init_sodium();
  Ed25519KeyPair out;
  out.seed_ = seed;
  crypto_sign_seed_keypair(out.public_.bytes.data(), out.secret_.bytes.data(), seed.bytes.data());
  return out;
}

Ed25519KeyPair::~Ed25519KeyPair() {
  detail::wipe(seed_.bytes.data(), seed_.bytes.size());
  detail::wipe(secret_.bytes.data(), secret_.bytes.size());
}

Ed25519Signature Ed25519KeyPair::sign(BytesView message) const {
  Ed25519Signature out;
  crypto_sign_detached(out.bytes.data(), nullptr, message.data(), message.size(), secret_.bytes.data());
  return out;
}

bool ed25519_verify(const Ed25519PublicKey& key, BytesView message, const Ed25519Signature& signature) {
  detail::init_sodium();
  return crypto_sign_verify_detached(signature.bytes.data(), message.data(), message.size(), key.bytes.data()) == 0;
}

NodeId node_id(const Ed25519PublicKey& key) {
  Sha256 hash;
  hash.update(as_bytes("bonus/node/v1"));
  hash.update(key);
  return NodeId{hash.finish().bytes};
}

X25519Public x25519_public(const X25519Secret& secret) {
  detail::init_sodium();
  X25519Public out;
  crypto_scalarmult_curve25519_base(out.bytes.data(), secret.bytes.data());
  return out;
}

Result<Hash32> x25519(const X25519Secret& secret, const X25519Public& peer) {
  detail::init_sodium();
  Hash32 out;
  if (crypto_scalarmult_curve25519(out.bytes.data(), secret.bytes.data(), peer.bytes.data()) != 0) {
    return fail(ErrorCode::kInvalid, "X25519: the peer's public key is a point of low order");
  }
  return out;
}

}  // namespace bonus::crypto
