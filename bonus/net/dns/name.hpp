// Domain names as they stand on the wire, uncompressed (RFC 1035, section 3.1).
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::net::dns {

inline constexpr std::size_t kMaxNameBytes = 255, kMaxLabelBytes = 63;

/// Always well-formed: labels of 1 to 63 bytes and the root's zero byte, at most 255 bytes together. Case is kept as it
/// came (queriers hide entropy in it, draft-vixie-dnsext-dns0x20); compare lower() for equality in the sense of DNS.
class Name {
 public:
  Name() : wire_(1, '\0') {}  ///< The root.
  /// "alice.bonus", "alice.bonus."; backslash escapes \. and \DDD of RFC 1035, section 5.1. kInvalid.
  [[nodiscard]] static Result<Name> parse(std::string_view text);
  /// Uncompressed wire bytes, nothing before or after. kInvalid.
  [[nodiscard]] static Result<Name> from_wire(BytesView wire);
  /// kInvalid when it becomes too long.
  [[nodiscard]] static Result<Name> from_labels(const std::vector<std::string>& labels);

  /// Without the final dot, "." for the root; unusual bytes escaped.
  [[nodiscard]] std::string to_string() const;
  [[nodiscard]] std::vector<std::string> labels() const;  ///< First label first, without the root.
  [[nodiscard]] BytesView wire() const { return as_bytes(wire_); }
  [[nodiscard]] Name lower() const;  ///< ASCII letters only (RFC 4343).
  /// Same name or below it, case-insensitive; everything ends with the root.
  [[nodiscard]] bool ends_with(const Name& suffix) const;
  [[nodiscard]] bool equals(const Name& other) const;           ///< Case-insensitive.
  friend auto operator<=>(const Name&, const Name&) = default;  ///< Of the bytes, case included.

 private:
  std::string wire_;
};

}  // namespace bonus::net::dns
