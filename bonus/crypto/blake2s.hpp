// BLAKE2s (RFC 7693) in pieces and with a shorter output; blake2s() in hash.hpp is the one-call form.
#pragma once

#include <cstdint>

#include "bonus/base/bytes.hpp"

namespace bonus::crypto {

class Blake2s {
 public:
  /// `output`: 1 to 32 bytes, part of the hash's parameters (a short output is not a cut long one). `key`: at most 32.
  explicit Blake2s(std::size_t output = 32, BytesView key = {});
  void update(BytesView in);
  /// Once; `out` has the length given to the constructor.
  void finish(std::span<std::uint8_t> out);
  [[nodiscard]] Hash32 finish();  ///< For 32 bytes of output.
  void wipe();                    ///< For keys.

 private:
  static constexpr std::size_t kBlock = 64;
  std::array<std::uint32_t, 8> h_;
  std::array<std::uint8_t, kBlock> block_{};
  std::size_t fill_ = 0, output_;
  std::uint64_t total_ = 0;
};

}  // namespace bonus::crypto
