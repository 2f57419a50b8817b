// Signed values: bytes and signatures.
#include "bonus/net/kad/value.hpp"

#include "bonus/crypto/hash.hpp"
#include "bonus/net/kad/bytes_io.hpp"

namespace bonus::net::kad {

namespace {

// key 32 | salt length 1 | salt | sequence 8 | value length 2 | value | signature 64
Bytes body_of(const SignedValue& value) {
  Writer out;
  out.bytes(value.key);
  out.u8(static_cast<std::uint8_t>(value.salt.size()));
  out.bytes(value.salt);
  out.u64(value.sequence);
  out.u16(static_cast<std::uint16_t>(value.value.size()));
  out.bytes(value.value);
  return std::move(out.out);
}

Bytes signed_bytes(BytesView body) {
  Bytes out;
  append(out, as_bytes("bonus/value/v1"));
  append(out, body);
  return out;
}

Result<> check_bounds(std::size_t salt, std::size_t value) {
  if (salt > kMaxSalt) return fail(ErrorCode::kInvalid, "signed value: the salt is longer than 64 bytes");
  if (value > kMaxValue || salt + value > kMaxEncodedValue - 107)
    return fail(ErrorCode::kInvalid, "signed value: longer than 1000 bytes, or 1008 together with its salt");
  return {};
}

}  // namespace

Hash32 value_key(const Ed25519PublicKey& key, BytesView salt) {
  Bytes in;
  append(in, as_bytes("bonus/value-key/v1"));
  append(in, key);
  append(in, salt);
  return crypto::sha256(in);
}

Result<SignedValue> sign_value(const crypto::Ed25519KeyPair& key, BytesView salt, std::uint64_t sequence,
                               BytesView value) {
  TRY(check_bounds(salt.size(), value.size()));
  SignedValue out{key.public_key(), Bytes(salt.begin(), salt.end()), sequence, Bytes(value.begin(), value.end()), {}};
  out.signature = key.sign(signed_bytes(body_of(out)));
  return out;
}

Bytes encode_value(const SignedValue& value) {
  Bytes out = body_of(value);
  append(out, value.signature);
  return out;
}

Result<SignedValue> decode_value(BytesView encoded) {
  Reader in(encoded);
  SignedValue out;
  in.fixed(out.key);
  out.salt = in.bytes(in.u8());
  out.sequence = in.u64();
  out.value = in.bytes(in.u16());
  in.fixed(out.signature);
  if (!in.done()) return fail(ErrorCode::kInvalid, "signed value: cut off or too long");
  TRY(check_bounds(out.salt.size(), out.value.size()));
  return out;
}

Result<SignedValue> open_value(BytesView encoded) {
  TRY_ASSIGN(auto out, decode_value(encoded));
  if (!crypto::ed25519_verify(out.key, signed_bytes(body_of(out)), out.signature))
    return fail(ErrorCode::kDenied, "signed value: the signature is wrong");
  return out;
}

}  // namespace bonus::net::kad
