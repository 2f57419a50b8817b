// Authenticated encryption: ciphertext is the plaintext's length plus a 16-byte tag.
#pragma once

#include "bonus/base/bytes.hpp"

namespace bonus::crypto {

enum class Aead : std::uint8_t { kAes256Gcm, kChaCha20Poly1305, kXChaCha20Poly1305 };  ///< Nonces of 12, 12, 24 bytes.
[[nodiscard]] Bytes seal(Aead algorithm, const Hash32& key, BytesView nonce, BytesView aad, BytesView plaintext);
/// kCorrupt when the tag does not fit; nothing of the plaintext is given out then.
[[nodiscard]] Result<Bytes> open(Aead algorithm, const Hash32& key, BytesView nonce, BytesView aad,
                                 BytesView ciphertext);

}  // namespace bonus::crypto
