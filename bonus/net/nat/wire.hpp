// Reading and writing of big-endian fields (docs/formats/net_path.md).
#pragma once

#include "bonus/net/api/address.hpp"

namespace bonus::net::nat {

/// After a read past the end, or of something malformed, everything else reads as zero and ok() is false.
class Reader {
 public:
  explicit Reader(BytesView in) : rest_(in) {}
  [[nodiscard]] bool ok() const { return ok_; }
  [[nodiscard]] std::uint64_t number(std::size_t bytes) {
    std::uint64_t value = 0;
    for (const std::uint8_t byte : take(bytes)) value = value << 8 | byte;
    return value;
  }
  [[nodiscard]] std::uint8_t u8() { return static_cast<std::uint8_t>(number(1)); }
  [[nodiscard]] std::uint16_t u16() { return static_cast<std::uint16_t>(number(2)); }
  [[nodiscard]] std::uint32_t u32() { return static_cast<std::uint32_t>(number(4)); }
  [[nodiscard]] std::uint64_t u64() { return number(8); }
  template <class Fixed>
  [[nodiscard]] Fixed fixed() {
    Fixed out;
    const BytesView raw = take(Fixed::kSize);
    if (ok_) std::ranges::copy(raw, out.bytes.begin());
    return out;
  }
  [[nodiscard]] UdpEndpoint endpoint() {
    UdpEndpoint out;
    out.address = fixed<Ipv6>();
    out.port = u16();
    return out;
  }
  /// Length (2), bytes.
  [[nodiscard]] BytesView block(std::size_t limit) {
    const std::size_t size = u16();
    if (size > limit) ok_ = false;
    return take(size);
  }
  [[nodiscard]] BytesView take(std::size_t bytes) {
    if (!ok_ || rest_.size() < bytes) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const BytesView out = rest_.first(bytes);
    rest_ = rest_.subspan(bytes);
    return out;
  }
  void refuse() { ok_ = false; }

 private:
  BytesView rest_;
  bool ok_ = true;
};

class Writer {
 public:
  Writer& number(std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = bytes; i-- > 0;) out_.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
    return *this;
  }
  Writer& u8(std::uint8_t value) { return number(value, 1); }
  Writer& u16(std::uint16_t value) { return number(value, 2); }
  Writer& u32(std::uint32_t value) { return number(value, 4); }
  Writer& u64(std::uint64_t value) { return number(value, 8); }
  Writer& raw(BytesView in) {
    append(out_, in);
    return *this;
  }
  Writer& endpoint(const UdpEndpoint& in) { return raw(in.address).u16(in.port); }
  Writer& block(BytesView in) { return u16(static_cast<std::uint16_t>(in.size())).raw(in); }
  /// Zeros up to `size` in all.
  Writer& pad(std::size_t size) {
    if (out_.size() < size) out_.resize(size);
    return *this;
  }
  [[nodiscard]] Bytes take() { return std::move(out_); }

 private:
  Bytes out_;
};

}  // namespace bonus::net::nat
