// Key pairs: Ed25519 (nodes, consensus), X25519 (tunnels), secp256k1 (accounts), and the VRF over Ed25519 keys.
#pragma once

#include <optional>

#include "bonus/base/bytes.hpp"

namespace bonus::crypto {

using Ed25519Seed = FixedBytes<32, struct Ed25519SeedTag>;
using SecretKey256 = FixedBytes<32, struct Secp256k1SecretTag>;
using X25519Secret = FixedBytes<32, struct X25519SecretTag>;
using X25519Public = FixedBytes<32, struct X25519PublicTag>;
using VrfProof = FixedBytes<80, struct VrfProofTag>;
using VrfOutput = FixedBytes<64, struct VrfOutputTag>;

/// Operating-system randomness, for keys only; everything else asks runtime::Random.
[[nodiscard]] Hash32 random_secret();

/// RFC 8032. Thread-safe: immutable after construction; the secret is wiped on destruction.
class Ed25519KeyPair {
 public:
  [[nodiscard]] static Ed25519KeyPair from_seed(const Ed25519Seed& seed);
  ~Ed25519KeyPair();
  Ed25519KeyPair(const Ed25519KeyPair&) = default;
  Ed25519KeyPair& operator=(const Ed25519KeyPair&) = default;
  [[nodiscard]] const Ed25519PublicKey& public_key() const { return public_; }
  [[nodiscard]] const Ed25519Seed& seed() const { return seed_; }
  [[nodiscard]] Ed25519Signature sign(BytesView message) const;
  /// ECVRF-EDWARDS25519-SHA512-TAI, RFC 9381.
  [[nodiscard]] VrfProof vrf_prove(BytesView alpha) const;

 private:
  Ed25519KeyPair() = default;
  Ed25519Seed seed_;
  Ed25519PublicKey public_;
  FixedBytes<64, struct Ed25519ExpandedTag> secret_;
};
[[nodiscard]] bool ed25519_verify(const Ed25519PublicKey& key, BytesView message, const Ed25519Signature& signature);
/// The VRF output when the proof is valid, nothing otherwise.
[[nodiscard]] std::optional<VrfOutput> vrf_verify(const Ed25519PublicKey& key, BytesView alpha, const VrfProof& proof);

/// NodeId = SHA-256("bonus/node/v1" || public key).
[[nodiscard]] NodeId node_id(const Ed25519PublicKey& key);

/// r, s big-endian, and the recovery bit (0 or 1). s is always in the lower half (EIP-2).
struct Secp256k1Signature {
  Hash32 r, s;
  std::uint8_t recovery = 0;
};
[[nodiscard]] Result<Address> address_of(
    const SecretKey256& key);  ///< kInvalid when the key is zero or above the group order.
[[nodiscard]] Result<Secp256k1Signature> secp256k1_sign(const SecretKey256& key, const Hash32& digest);  ///< RFC 6979.
/// The address whose key made the signature. kInvalid for r, s out of range or (by EIP-2) high s.
[[nodiscard]] Result<Address> secp256k1_recover(const Hash32& digest, const Secp256k1Signature& signature);
/// EIP-191 version 0x45 ("\x19Ethereum Signed Message:\n").
[[nodiscard]] Hash32 personal_message_hash(BytesView message);
/// EIP-55 mixed-case text with "0x".
[[nodiscard]] std::string to_checksum(const Address& address);
/// Accepts lower, upper or a correct EIP-55 mixture. kInvalid otherwise, naming what is wrong.
[[nodiscard]] Result<Address> parse_address(std::string_view text);

[[nodiscard]] X25519Public x25519_public(const X25519Secret& secret);
[[nodiscard]] Result<Hash32> x25519(const X25519Secret& secret,
                                    const X25519Public& peer);  ///< kInvalid for a low-order point.

}  // namespace bonus::crypto
