// Checks of signatures, certificates and justifications.
#pragma once

#include "bonus/chain/consensus/messages.hpp"
#include "bonus/chain/consensus/options.hpp"
#include "bonus/chain/consensus/order.hpp"

namespace bonus::chain::consensus {

/// Ed25519 with the keys of a Config; signs with Config::key, which must be set for that.
class Ed25519Signatures final : public Signatures {
 public:
  explicit Ed25519Signatures(const Config& config) : config_(config) {}
  [[nodiscard]] Ed25519Signature sign(BytesView statement) const override;
  [[nodiscard]] bool verify(std::size_t validator, BytesView statement,
                            const Ed25519Signature& signature) const override;

 private:
  const Config& config_;
};

/// Everything that a check needs besides the thing checked.
struct Rules {
  Domain domain;
  Quorum quorum;
  const Signatures* signatures = nullptr;
  Mutation mutation = Mutation::kNone;
};

template <class Statement>
[[nodiscard]] bool signature_ok(const Rules& rules, const Statement& m) {
  return m.signer < rules.quorum.n && rules.signatures->verify(m.signer, statement_bytes(rules.domain, m), m.signature);
}
/// A vote's weight must be one that a proposer of rank < k can have.
[[nodiscard]] bool weight_ok(const Rules& rules, std::uint16_t weight);
[[nodiscard]] bool valid(const Rules& rules, const VoteCert& cert);
[[nodiscard]] Result<> check(const Rules& rules, const CommitCert& cert);
/// Signature, rho < r, and the certificate that proves the reported lock.
[[nodiscard]] bool valid(const Rules& rules, const RoundChange& m);

/// What J permits in (height, round): nothing = J is invalid; otherwise the block it forces, or a free choice.
struct Permitted {
  std::optional<Hash32> forced;
};
[[nodiscard]] std::optional<Permitted> judge(const Rules& rules, std::uint64_t height, std::uint32_t round,
                                             const Justification& j);

}  // namespace bonus::chain::consensus
