// Fixed-size fields of the signed documents.
#pragma once

#include "bonus/base/bytes.hpp"

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

inline constexpr std::uint64_t kSkewSeconds = 300;

/// Five minutes of skew at both ends.
[[nodiscard]] inline bool is_current(std::uint64_t not_before, std::uint64_t expires, std::uint64_t now) {
  const bool begun = not_before <= kSkewSeconds || not_before - kSkewSeconds <= now;
  const bool ended = now >= kSkewSeconds && now - kSkewSeconds >= expires;
  return begun && !ended;
}

}  // namespace bonus::net::edge
