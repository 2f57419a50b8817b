// Pointers: a version, a key and an id.
#include "bonus/net/record/pointer.hpp"

namespace bonus::net {

namespace {
constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kHead = 1 + Ed25519PublicKey::kSize;
}  // namespace

Result<Bytes> encode_pointer(const AddressPointer& pointer) {
  if (pointer.container.empty() || pointer.container.size() > kMaxContainerId)
    return fail(ErrorCode::kInvalid, "address pointer: a container id must have 1 to 16 bytes");
  Bytes out{kVersion};
  append(out, pointer.root);
  append(out, pointer.container);
  return out;
}

Result<AddressPointer> decode_pointer(BytesView encoded) {
  if (encoded.size() <= kHead || encoded.size() > kMaxPointerBytes)
    return fail(ErrorCode::kInvalid, "address pointer: wrong size");
  if (encoded[0] != kVersion) return fail(ErrorCode::kInvalid, "address pointer: unknown version");
  AddressPointer out;
  std::ranges::copy(encoded.subspan(1, Ed25519PublicKey::kSize), out.root.bytes.begin());
  const auto id = encoded.subspan(kHead);
  out.container.assign(id.begin(), id.end());
  return out;
}

}  // namespace bonus::net
