// Recursive Length Prefix (Yellow Paper, appendix B). Decoding accepts canonical encodings only.
#pragma once

#include <concepts>
#include <string_view>

#include "bonus/base/bytes.hpp"
#include "bonus/base/uint256.hpp"

namespace bonus::rlp {

/// Appends items to a byte string. Lists are opened and closed: `e.begin_list(); ...; e.end_list();`
class Encoder {
 public:
  Encoder& bytes(BytesView in);
  Encoder& text(std::string_view in) { return bytes(as_bytes(in)); }
  Encoder& number(std::uint64_t value);
  Encoder& number(const uint256& value);
  Encoder& raw(BytesView encoded);  ///< An item that is encoded already.
  Encoder& begin_list();
  Encoder& end_list();
  [[nodiscard]] Bytes take();  ///< All lists must be closed.

 private:
  Bytes out_;
  std::vector<std::size_t> open_;
};

/// Reads items in order from a view that must outlive it. A failed read leaves the position where it was.
class Decoder {
 public:
  explicit Decoder(BytesView in) : rest_(in) {}
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] bool next_is_list() const { return !rest_.empty() && rest_[0] >= 0xc0; }
  [[nodiscard]] Result<BytesView> bytes();       ///< A byte string item.
  [[nodiscard]] Result<std::uint64_t> number();  ///< Without leading zeros, at most 8 bytes.
  [[nodiscard]] Result<uint256> number256();
  [[nodiscard]] Result<Decoder> list();        ///< A decoder over the items of the list; this one steps behind it.
  [[nodiscard]] Result<BytesView> raw_item();  ///< The next item with its prefix, whatever it is.
  template <class Fixed>
  [[nodiscard]] Result<Fixed> fixed() {
    Decoder probe = *this;
    TRY_ASSIGN(auto raw, probe.bytes());
    TRY_ASSIGN(auto value, Fixed::from(raw));
    *this = probe;
    return value;
  }
  [[nodiscard]] Result<> expect_end() const;  ///< kInvalid when something follows.

 private:
  BytesView rest_;
};

}  // namespace bonus::rlp
