// Byte strings, fixed-size byte strings and hexadecimal text.
#pragma once

#include <algorithm>
#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/hash_table.hpp"
#include "bonus/base/result.hpp"

namespace bonus {

using Bytes = std::vector<std::uint8_t>;
using BytesView = std::span<const std::uint8_t>;

/// N bytes compared and ordered as an unsigned big-endian number. Tag keeps kinds apart (an Address is not a Hash).
template <std::size_t N, class Tag>
struct FixedBytes {
  static constexpr std::size_t kSize = N;
  std::array<std::uint8_t, N> bytes{};

  friend auto operator<=>(const FixedBytes&, const FixedBytes&) = default;
  [[nodiscard]] constexpr BytesView view() const { return bytes; }
  constexpr operator BytesView() const { return bytes; }  // NOLINT(google-explicit-constructor): reading is always safe
  [[nodiscard]] constexpr bool is_zero() const {
    return std::ranges::all_of(bytes, [](std::uint8_t b) { return b == 0; });
  }
  /// The given bytes, which must be exactly N long.
  [[nodiscard]] static Result<FixedBytes> from(BytesView in) {
    if (in.size() != N)
      return fail(ErrorCode::kInvalid, "expected " + std::to_string(N) + " bytes, got " + std::to_string(in.size()));
    FixedBytes out;
    std::ranges::copy(in, out.bytes.begin());
    return out;
  }
};

using Hash32 = FixedBytes<32, struct HashTag>;      ///< Keccak-256 or SHA-256 digest; the name of the field says which.
using Address = FixedBytes<20, struct AddressTag>;  ///< Ethereum account address.
using NodeId =
    FixedBytes<32, struct NodeIdTag>;  ///< SHA-256("bonus/node/v1" || Ed25519 public key), architecture "Identity".
using Ed25519PublicKey = FixedBytes<32, struct Ed25519PublicTag>;  ///< RFC 8032.
using Ed25519Signature = FixedBytes<64, struct Ed25519SignatureTag>;

/// Lower-case hexadecimal without prefix.
[[nodiscard]] std::string to_hex(BytesView in);
/// The same with "0x", as Ethereum's JSON-RPC writes byte strings.
[[nodiscard]] std::string to_hex0x(BytesView in);
/// Accepts an optional "0x", both cases, an even count of digits. Errors: kInvalid.
[[nodiscard]] Result<Bytes> from_hex(std::string_view text);
template <class Fixed>
[[nodiscard]] Result<Fixed> fixed_from_hex(std::string_view text) {
  TRY_ASSIGN(auto raw, from_hex(text));
  return Fixed::from(raw);
}

[[nodiscard]] inline BytesView as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}
[[nodiscard]] inline std::string_view as_text(BytesView bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}
inline void append(Bytes& out, BytesView in) { out.insert(out.end(), in.begin(), in.end()); }

}  // namespace bonus

template <std::size_t N, class Tag>
struct std::hash<bonus::FixedBytes<N, Tag>> {
  std::size_t operator()(const bonus::FixedBytes<N, Tag>& value) const noexcept {
    return static_cast<std::size_t>(bonus::hash_bytes(value.bytes.data(), N));
  }
};
