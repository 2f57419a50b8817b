// Verification of vote and commit certificates, RoundChanges and justifications (rules 2, 3, 6, 7).
#include "bonus/chain/consensus/certificates.hpp"

#include <fmt/format.h>

#include "bonus/codec/rlp.hpp"

namespace bonus::chain::consensus {

namespace {
constexpr std::uint8_t kCertVersion = 1;
}

Ed25519Signature Ed25519Signatures::sign(BytesView statement) const { return config_.key->sign(statement); }
bool Ed25519Signatures::verify(std::size_t validator, BytesView statement, const Ed25519Signature& signature) const {
  return validator < config_.validators.size() &&
         crypto::ed25519_verify(config_.validators[validator], statement, signature);
}

bool weight_ok(const Rules& rules, std::uint16_t weight) {
  return weight <= rules.quorum.n && weight + rules.quorum.proposers > rules.quorum.n;
}

bool valid(const Rules& rules, const VoteCert& cert) {
  if (cert.seals.size() < rules.quorum.size || cert.seals.size() > rules.quorum.n) return false;
  std::optional<Validator> last;
  for (const auto& seal : cert.seals) {
    if (last && seal.validator <= *last) return false;  // distinct signers
    last = seal.validator;
    if (!weight_ok(rules, seal.weight) || !signature_ok(rules, cert.vote(seal))) return false;
  }
  return true;
}

Result<> check(const Rules& rules, const CommitCert& cert) {
  if (cert.seals.size() < rules.quorum.size || cert.seals.size() > rules.quorum.n)
    return fail(ErrorCode::kInvalid,
                fmt::format("{} seals are no quorum of {} bookkeepers", cert.seals.size(), rules.quorum.n));
  std::optional<Validator> last;
  for (const auto& seal : cert.seals) {
    if (last && seal.validator <= *last)
      return fail(ErrorCode::kInvalid, "the seals of a commit certificate are not ascending");
    last = seal.validator;
    const Commit commit{cert.height, cert.round, seal.validator, cert.hash, seal.signature};
    if (!signature_ok(rules, commit))
      return fail(ErrorCode::kInvalid, fmt::format("the commit seal of bookkeeper {} is not valid", seal.validator));
  }
  return {};
}

bool valid(const Rules& rules, const RoundChange& m) {
  const auto& s = m.statement;
  if (!signature_ok(rules, s)) return false;
  if (!s.lock) return !m.cert;
  return m.cert && s.lock->round < s.round && m.cert->height == s.height && m.cert->round == s.lock->round &&
         m.cert->hash == s.lock->hash && valid(rules, *m.cert);
}

std::optional<Permitted> judge(const Rules& rules, std::uint64_t height, std::uint32_t round, const Justification& j) {
  if (round == 0) {
    if (!j.changes.empty() || j.cert) return std::nullopt;
    return Permitted{};
  }
  if (rules.mutation == Mutation::kNoJustification) return Permitted{};
  if (j.changes.size() < rules.quorum.size || j.changes.size() > rules.quorum.n) return std::nullopt;
  std::optional<Validator> last;
  std::optional<LockPoint> highest;
  for (const auto& change : j.changes) {
    if (last && change.signer <= *last) return std::nullopt;
    last = change.signer;
    if (change.height != height || change.round != round || (change.lock && change.lock->round >= round))
      return std::nullopt;
    if (!signature_ok(rules, change)) return std::nullopt;
    if (change.lock && (!highest || change.lock->round > highest->round)) highest = change.lock;
  }
  if (!highest) {
    if (j.cert) return std::nullopt;
    return Permitted{};
  }
  if (!j.cert || j.cert->height != height || j.cert->round != highest->round || !valid(rules, *j.cert))
    return std::nullopt;
  // Two certificates of one round cannot name two blocks; a statement that says otherwise lies and spoils this J.
  for (const auto& change : j.changes)
    if (change.lock && change.lock->round == highest->round && change.lock->hash != j.cert->hash) return std::nullopt;
  return Permitted{j.cert->hash};
}

Bytes CommitCert::encode() const {
  rlp::Encoder out;
  out.begin_list().number(height).number(round).bytes(hash).begin_list();
  for (const auto& seal : seals) out.begin_list().number(seal.validator).bytes(seal.signature).end_list();
  out.end_list().end_list();
  Bytes bytes{kCertVersion};
  append(bytes, out.take());
  return bytes;
}

Result<CommitCert> CommitCert::decode(BytesView in) {
  if (in.empty() || in[0] != kCertVersion) return fail(ErrorCode::kInvalid, "unknown version of a commit certificate");
  rlp::Decoder outer(in.subspan(1));
  TRY_ASSIGN(auto list, outer.list());
  TRY(outer.expect_end());
  CommitCert out;
  out.height = TRY(list.number());
  TRY_ASSIGN(const std::uint64_t round, list.number());
  if (round > UINT32_MAX) return fail(ErrorCode::kInvalid, "the round of a commit certificate is out of range");
  out.round = static_cast<std::uint32_t>(round);
  out.hash = TRY(list.fixed<Hash32>());
  TRY_ASSIGN(auto seals, list.list());
  TRY(list.expect_end());
  while (!seals.at_end()) {
    TRY_ASSIGN(auto item, seals.list());
    TRY_ASSIGN(const std::uint64_t validator, item.number());
    if (validator >= kMaxValidators || (!out.seals.empty() && validator <= out.seals.back().validator))
      return fail(ErrorCode::kInvalid, "the seals of a commit certificate are not ascending");
    Seal seal;
    seal.validator = static_cast<std::uint16_t>(validator);
    seal.signature = TRY(item.fixed<Ed25519Signature>());
    TRY(item.expect_end());
    out.seals.push_back(seal);
  }
  return out;
}

Result<> verify_commit_cert(const Config& config, const CommitCert& cert) {
  const Ed25519Signatures signatures(config);
  Rules rules;
  rules.domain = {config.chain_id, config.epoch};
  rules.quorum = Quorum::of(config.validators.size());
  rules.signatures = &signatures;
  return check(rules, cert);
}

}  // namespace bonus::chain::consensus
