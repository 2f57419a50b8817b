// The signed documents: fixed-size fields, then the signature over the domain and them.
#pragma once

#include "bonus/base/bytes.hpp"
#include "bonus/crypto/keys.hpp"

namespace bonus::net::edge {

inline void put_u64(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

/// Takes fields off the front; the caller has checked the whole size.
class FieldReader {
 public:
  explicit FieldReader(BytesView in) : in_(in) {}
  std::uint8_t u8() {
    const std::uint8_t out = in_[0];
    in_ = in_.subspan(1);
    return out;
  }
  std::uint64_t u64() {
    std::uint64_t out = 0;
    for (int i = 0; i < 8; ++i) out = out << 8 | u8();
    return out;
  }
  template <class Fixed>
  void fixed(Fixed& out) {
    std::copy_n(in_.begin(), Fixed::kSize, out.bytes.begin());
    in_ = in_.subspan(Fixed::kSize);
  }

 private:
  BytesView in_;
};

/// body || signature. `domain` keeps one kind of document from being taken for another.
[[nodiscard]] inline Bytes sign_document(std::string_view domain, Bytes body, const crypto::Ed25519KeyPair& root,
                                         Ed25519Signature& signature) {
  Bytes message;
  append(message, as_bytes(domain));
  append(message, body);
  signature = root.sign(message);
  append(body, signature);
  return body;
}

/// Takes the signature off the end of `encoded`, which is not shorter than one; whether it is `root`'s.
[[nodiscard]] inline bool open_document(std::string_view domain, BytesView encoded, const Ed25519PublicKey& root,
                                        Ed25519Signature& signature) {
  const BytesView body = encoded.first(encoded.size() - Ed25519Signature::kSize);
  std::copy_n(encoded.begin() + static_cast<std::ptrdiff_t>(body.size()), Ed25519Signature::kSize,
              signature.bytes.begin());
  Bytes message;
  append(message, as_bytes(domain));
  append(message, body);
  return crypto::ed25519_verify(root, message, signature);
}

inline constexpr std::uint64_t kSkewSeconds = 300;

/// Five minutes of skew at both ends.
[[nodiscard]] inline bool is_current(std::uint64_t not_before, std::uint64_t expires, std::uint64_t now) {
  const bool begun = not_before <= kSkewSeconds || not_before - kSkewSeconds <= now;
  const bool ended = now >= kSkewSeconds && now - kSkewSeconds >= expires;
  return begun && !ended;
}

}  // namespace bonus::net::edge
