// Big-endian writing and bounded reading of the DHT's small messages.
#pragma once

#include "bonus/base/bytes.hpp"

namespace bonus::net::kad {

struct Writer {
  Bytes out;
  void u8(std::uint8_t v) { out.push_back(v); }
  void u16(std::uint16_t v) { number(v, 2); }
  void u32(std::uint32_t v) { number(v, 4); }
  void u64(std::uint64_t v) { number(v, 8); }
  void bytes(BytesView in) { append(out, in); }
  void number(std::uint64_t v, unsigned width) {
    for (unsigned i = width; i-- > 0;) out.push_back(static_cast<std::uint8_t>(v >> (8 * i)));
  }
};

/// After the first read beyond the end everything reads as zero and done() is false.
class Reader {
 public:
  explicit Reader(BytesView in) : in_(in) {}
  [[nodiscard]] std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  [[nodiscard]] std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  [[nodiscard]] std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  [[nodiscard]] std::uint64_t u64() { return number(8); }
  [[nodiscard]] Bytes bytes(std::size_t count) {
    if (!take(count)) return {};
    return {in_.begin() + static_cast<std::ptrdiff_t>(at_ - count), in_.begin() + static_cast<std::ptrdiff_t>(at_)};
  }
  template <class Fixed>
  void fixed(Fixed& out) {
    if (take(Fixed::kSize)) std::memcpy(out.bytes.data(), in_.data() + at_ - Fixed::kSize, Fixed::kSize);
  }
  [[nodiscard]] BytesView rest() const { return in_.subspan(at_); }
  [[nodiscard]] bool good() const { return good_; }
  [[nodiscard]] bool done() const { return good_ && at_ == in_.size(); }

 private:
  [[nodiscard]] bool take(std::size_t count) {
    if (!good_ || in_.size() - at_ < count) return good_ = false;
    at_ += count;
    return true;
  }
  [[nodiscard]] std::uint64_t number(unsigned width) {
    if (!take(width)) return 0;
    std::uint64_t out = 0;
    for (std::size_t i = at_ - width; i < at_; ++i) out = out << 8 | in_[i];
    return out;
  }
  BytesView in_;
  std::size_t at_ = 0;
  bool good_ = true;
};

}  // namespace bonus::net::kad
