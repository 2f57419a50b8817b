// Hash functions. All are pure and thread-safe.
#pragma once

#include "bonus/base/bytes.hpp"

namespace bonus::crypto {

[[nodiscard]] Hash32 keccak256(BytesView in);  ///< Keccak-256 as Ethereum uses it (padding 0x01, not FIPS 202).
[[nodiscard]] Hash32 keccak256(BytesView a, BytesView b);        ///< Of the concatenation.
[[nodiscard]] Hash32 sha256(BytesView in);                       ///< FIPS 180-4.
[[nodiscard]] Hash32 blake2s(BytesView in, BytesView key = {});  ///< RFC 7693, 32-byte output, key of at most 32 bytes.
[[nodiscard]] Hash32 hmac_sha256(BytesView key, BytesView in);
[[nodiscard]] FixedBytes<64, struct Sha512Tag> hmac_sha512(BytesView key, BytesView in);
[[nodiscard]] FixedBytes<64, struct Sha512Tag> sha512(BytesView in);

/// Incremental SHA-256.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(Sha256&&) noexcept;
  Sha256& operator=(Sha256&&) noexcept;
  void update(BytesView in);
  [[nodiscard]] Hash32 finish();  ///< Once.

 private:
  void* context_;
};

}  // namespace bonus::crypto
