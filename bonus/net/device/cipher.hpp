// ChaCha20-Poly1305 of transport packets (RFC 8439; WireGuard whitepaper, section 5.4.6), in place, as fast as the
// machine can: Intel's Multi-Buffer Crypto on processors with AVX-512, OpenSSL elsewhere.
#pragma once

#include <memory>
#include <string_view>

#include "bonus/base/bytes.hpp"

namespace bonus::net::device {

/// Not thread-safe: one a thread. Keys are borrowed for each call.
class PacketCipher {
 public:
  enum class Backend : std::uint8_t { kFastest, kOpenSsl, kMultiBuffer };
  /// kMultiBuffer falls back to OpenSSL where it is not built in or the processor cannot.
  explicit PacketCipher(Backend backend = Backend::kFastest);
  ~PacketCipher();
  PacketCipher(const PacketCipher&) = delete;
  PacketCipher& operator=(const PacketCipher&) = delete;

  static constexpr std::size_t kTag = 16;
  /// Encrypts data[0, size) and puts the tag behind it. Nonce: four zero bytes, then the counter, little-endian.
  void seal(const Hash32& key, std::uint64_t counter, std::uint8_t* data, std::size_t size);
  /// The reverse of data[0, size) with the tag at data[size]. False: not authentic; the bytes are garbage then.
  [[nodiscard]] bool open(const Hash32& key, std::uint64_t counter, std::uint8_t* data, std::size_t size);
  /// No key stays in memory that is not of a later packet.
  void forget();
  [[nodiscard]] std::string_view name() const;

 private:
  struct OpenSsl;
  struct MultiBuffer;
  std::unique_ptr<OpenSsl> openssl_;
  std::unique_ptr<MultiBuffer> multi_buffer_;
};

}  // namespace bonus::net::device
