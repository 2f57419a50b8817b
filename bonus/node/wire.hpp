// Fixed-width integers of the node services (docs/formats/node_services.md): big endian.
#pragma once

#include <fmt/format.h>

#include "bonus/base/bytes.hpp"

namespace bonus::node {

inline void put_u32(Bytes& out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}
inline void put_u64(Bytes& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(value >> shift));
}

/// Reads from a view that must outlive it. kInvalid at the end of the input.
class ByteReader {
 public:
  explicit ByteReader(BytesView in) : rest_(in) {}
  [[nodiscard]] Result<BytesView> take(std::size_t n) {
    if (rest_.size() < n)
      return fail(ErrorCode::kInvalid, fmt::format("the message is {} bytes too short", n - rest_.size()));
    const auto out = rest_.first(n);
    rest_ = rest_.subspan(n);
    return out;
  }
  [[nodiscard]] Result<std::uint64_t> number(std::size_t width) {
    TRY_ASSIGN(const auto raw, take(width));
    std::uint64_t out = 0;
    for (const auto byte : raw) out = out << 8 | byte;
    return out;
  }
  [[nodiscard]] Result<std::uint32_t> u32() {
    TRY_ASSIGN(const auto value, number(4));
    return static_cast<std::uint32_t>(value);
  }
  [[nodiscard]] Result<std::uint64_t> u64() { return number(8); }
  template <class Fixed>
  [[nodiscard]] Result<Fixed> fixed() {
    TRY_ASSIGN(const auto raw, take(Fixed::kSize));
    return Fixed::from(raw);
  }
  [[nodiscard]] Result<> expect_end() const {
    if (!rest_.empty()) return fail(ErrorCode::kInvalid, fmt::format("{} bytes follow the message", rest_.size()));
    return {};
  }

 private:
  BytesView rest_;
};

}  // namespace bonus::node
