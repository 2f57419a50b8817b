// Stand-ins for signatures: a keyed hash that nobody in the simulation tries to forge but where a test says so.
#pragma once

#include "bonus/net/kad/kad.hpp"

namespace bonus::net::kad::sim {

/// Records are root 32 | tunnel key 32 | sequence 8 | mark 8. Roots that begin with kGround carry the global position
/// that their owner has ground them to.
class SimChecker final : public Checker {
 public:
  static constexpr std::array<std::uint8_t, 8> kGround{'g', 'r', 'o', 'u', 'n', 'd', 0, 1};

  [[nodiscard]] Result<RecordFacts> record(BytesView encoded, UnixSeconds now) const override;
  [[nodiscard]] bool certificate(const Ed25519PublicKey& root, const TunnelCertificate& certificate,
                                 UnixSeconds now) const override;
  [[nodiscard]] Result<SignedValue> value(BytesView encoded) const override;
  [[nodiscard]] Position position(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon, Ring ring,
                                  std::uint64_t ring_id) const override;

  [[nodiscard]] static Bytes make_record(const Ed25519PublicKey& root, const crypto::X25519Public& key,
                                         std::uint64_t sequence);
  [[nodiscard]] static TunnelCertificate make_certificate(const Ed25519PublicKey& root,
                                                          const crypto::X25519Public& key);
  [[nodiscard]] static SignedValue make_value(const Ed25519PublicKey& root, BytesView salt, std::uint64_t sequence,
                                              BytesView value);
  [[nodiscard]] static Ed25519PublicKey ground_root(Position position, std::uint64_t salt);
};

}  // namespace bonus::net::kad::sim
