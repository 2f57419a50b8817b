// The production checker: what the DHT accepts is what net/record and net/kad/value open.
#include "bonus/net/kad/kad.hpp"

namespace bonus::net::kad {

namespace {

class RecordChecker final : public Checker {
 public:
  [[nodiscard]] Result<RecordFacts> record(BytesView encoded, UnixSeconds now) const override {
    TRY_ASSIGN(const auto record, open_record(encoded, now));
    RecordFacts out{record.root, record.tunnel.key, {address_key(record.address())}, record.sequence, record.expires};
    for (const auto& id : record.containers) out.keys.push_back(address_key(container_address(record.root, id)));
    return out;
  }
  [[nodiscard]] bool certificate(const Ed25519PublicKey& root, const TunnelCertificate& certificate,
                                 UnixSeconds now) const override {
    return certificate_valid(root, certificate, now);
  }
  [[nodiscard]] Result<SignedValue> value(BytesView encoded) const override { return open_value(encoded); }
};

}  // namespace

Position Checker::position(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon, Ring ring,
                           std::uint64_t ring_id) const {
  return position_of(root, epoch, beacon, ring, ring_id);
}

const Checker& record_checker() {
  static const RecordChecker checker;
  return checker;
}

Limits without_prefix_caps(Limits limits) {
  limits.per_prefix_bucket = limits.per_asn_bucket = limits.per_asn_table = limits.per_prefix_lookup = SIZE_MAX;
  return limits;
}

}  // namespace bonus::net::kad
