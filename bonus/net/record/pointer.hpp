// Address pointers: whose a container's address is, for containers that do not fit into their node's record. A pointer
// proves itself, as the address is a hash of what it says; nobody signs it (docs/formats/net_record.md).
#pragma once

#include "bonus/net/record/record.hpp"

namespace bonus::net {

inline constexpr std::size_t kMaxPointerBytes = 1 + Ed25519PublicKey::kSize + kMaxContainerId;
/// Containers of one node that pointers lead to, besides those in its record.
inline constexpr std::size_t kMaxPointers = 1024;

struct AddressPointer {
  Ed25519PublicKey root;
  Bytes container;  ///< 1 to 16 bytes.

  /// The only address that this pointer can be of.
  [[nodiscard]] Ipv6 address() const { return container_address(root, container); }
  /// Of the node that the pointer leads to; its record is there.
  [[nodiscard]] Ipv6 node_address() const { return overlay_address(crypto::node_id(root)); }
  friend bool operator==(const AddressPointer&, const AddressPointer&) = default;
};

/// version 1 | root key 32 | container id. kInvalid: the id is empty or too long.
[[nodiscard]] Result<Bytes> encode_pointer(const AddressPointer& pointer);
/// kInvalid: version or size. That it is of the address in question remains to be seen: address().
[[nodiscard]] Result<AddressPointer> decode_pointer(BytesView encoded);

}  // namespace bonus::net
