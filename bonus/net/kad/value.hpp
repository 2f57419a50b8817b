// Signed values: what an owner keeps in the DHT while offline, addressed by its key and a salt (as BitTorrent's BEP 44
// mutable items; docs/formats/net_dht.md).
#pragma once

#include "bonus/crypto/keys.hpp"

namespace bonus::net::kad {

inline constexpr std::size_t kMaxValue = 1000, kMaxSalt = 64, kMaxEncodedValue = 1115;

struct SignedValue {
  Ed25519PublicKey key;
  Bytes salt;                  ///< At most 64 bytes; distinguishes values of one key.
  std::uint64_t sequence = 0;  ///< The higher one wins.
  Bytes value;                 ///< At most 1000 bytes; together with the salt at most 1008.
  Ed25519Signature signature;  ///< Of "bonus/value/v1" || the encoding without it.
  friend bool operator==(const SignedValue&, const SignedValue&) = default;
};
/// Where it lives, before epochs: SHA-256("bonus/value-key/v1" || key || salt).
[[nodiscard]] Hash32 value_key(const Ed25519PublicKey& key, BytesView salt);
/// kInvalid: a bound is exceeded.
[[nodiscard]] Result<SignedValue> sign_value(const crypto::Ed25519KeyPair& key, BytesView salt, std::uint64_t sequence,
                                             BytesView value);
[[nodiscard]] Bytes encode_value(const SignedValue& value);
/// Without the signature's check (simulations). kInvalid.
[[nodiscard]] Result<SignedValue> decode_value(BytesView encoded);
/// kInvalid: malformed. kDenied: wrong signature.
[[nodiscard]] Result<SignedValue> open_value(BytesView encoded);

}  // namespace bonus::net::kad
