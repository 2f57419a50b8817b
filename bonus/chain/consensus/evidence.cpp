// Evidence: detection on statement pairs, encoding, verification.
#include "bonus/chain/consensus/evidence.hpp"

#include "bonus/codec/rlp.hpp"

namespace bonus::chain::consensus {
namespace {

constexpr std::uint8_t kVersion = 1;

void put(rlp::Encoder& out, const Statement& statement) {
  out.begin_list();
  if (const auto* p = std::get_if<Propose>(&statement)) {
    out.number(static_cast<std::uint64_t>(MessageType::kPropose)).number(p->height).number(p->round).number(p->signer);
    out.bytes(p->hash).bytes(p->justification_hash).bytes(p->signature);
  } else if (const auto* v = std::get_if<VoteBlock>(&statement)) {
    out.number(static_cast<std::uint64_t>(MessageType::kVoteBlock))
        .number(v->height)
        .number(v->round)
        .number(v->signer);
    out.bytes(v->hash).bytes(v->proposal).number(v->weight).bytes(v->signature);
  } else if (const auto* c = std::get_if<Commit>(&statement)) {
    out.number(static_cast<std::uint64_t>(MessageType::kCommit)).number(c->height).number(c->round).number(c->signer);
    out.bytes(c->hash).bytes(c->signature);
  } else {
    const auto& r = std::get<RoundChangeStatement>(statement);
    out.number(static_cast<std::uint64_t>(MessageType::kRoundChange)).number(r.height).number(r.round).number(r.signer);
    out.begin_list();
    if (r.lock) out.number(r.lock->round).bytes(r.lock->hash);
    out.end_list().bytes(r.signature);
  }
  out.end_list();
}

Result<std::uint32_t> read_u32(rlp::Decoder& in, std::uint64_t limit = UINT32_MAX) {
  TRY_ASSIGN(const std::uint64_t value, in.number());
  if (value > limit) return fail(ErrorCode::kInvalid, "a number of the evidence is out of range");
  return static_cast<std::uint32_t>(value);
}

Result<Statement> read_body(rlp::Decoder& in) {
  TRY_ASSIGN(const std::uint64_t type, in.number());
  TRY_ASSIGN(const std::uint64_t height, in.number());
  TRY_ASSIGN(const std::uint32_t round, read_u32(in));
  const auto signer = static_cast<Validator>(TRY(read_u32(in, kMaxValidators - 1)));
  switch (type) {
    case static_cast<std::uint64_t>(MessageType::kPropose): {
      Propose p;
      p.height = height, p.round = round, p.signer = signer;
      p.hash = TRY(in.fixed<Hash32>());
      p.justification_hash = TRY(in.fixed<Hash32>());
      p.signature = TRY(in.fixed<Ed25519Signature>());
      return p;
    }
    case static_cast<std::uint64_t>(MessageType::kVoteBlock): {
      VoteBlock v;
      v.height = height, v.round = round, v.signer = signer;
      v.hash = TRY(in.fixed<Hash32>());
      v.proposal = TRY(in.fixed<Hash32>());
      v.weight = static_cast<std::uint16_t>(TRY(read_u32(in, UINT16_MAX)));
      v.signature = TRY(in.fixed<Ed25519Signature>());
      return v;
    }
    case static_cast<std::uint64_t>(MessageType::kCommit): {
      Commit c;
      c.height = height, c.round = round, c.signer = signer;
      c.hash = TRY(in.fixed<Hash32>());
      c.signature = TRY(in.fixed<Ed25519Signature>());
      return c;
    }
    case static_cast<std::uint64_t>(MessageType::kRoundChange): {
      RoundChangeStatement r;
      r.height = height, r.round = round, r.signer = signer;
      TRY_ASSIGN(auto lock, in.list());
      if (!lock.at_end()) {
        LockPoint point;
        point.round = TRY(read_u32(lock));
        point.hash = TRY(lock.fixed<Hash32>());
        TRY(lock.expect_end());
        r.lock = point;
      }
      r.signature = TRY(in.fixed<Ed25519Signature>());
      return r;
    }
    default:
      return fail(ErrorCode::kInvalid, "a statement of this type is no evidence");
  }
}

Result<Statement> get(rlp::Decoder& outer) {
  TRY_ASSIGN(auto in, outer.list());
  TRY_ASSIGN(auto out, read_body(in));
  TRY(in.expect_end());
  return out;
}

}  // namespace

std::optional<Offence> offence_of(const Statement& a, const Statement& b) {
  const auto same_slot = [](const auto& x, const auto& y) {
    return x.height == y.height && x.round == y.round && x.signer == y.signer;
  };
  if (const auto *x = std::get_if<Propose>(&a), *y = std::get_if<Propose>(&b); x && y)
    if (same_slot(*x, *y) && (x->hash != y->hash || x->justification_hash != y->justification_hash))
      return Offence::kTwoProposals;
  if (const auto *x = std::get_if<VoteBlock>(&a), *y = std::get_if<VoteBlock>(&b); x && y)
    if (same_slot(*x, *y) && (x->hash != y->hash || x->proposal != y->proposal || x->weight != y->weight))
      return Offence::kTwoVotes;
  if (const auto *x = std::get_if<Commit>(&a), *y = std::get_if<Commit>(&b); x && y)
    if (same_slot(*x, *y) && x->hash != y->hash) return Offence::kTwoCommits;
  const auto* commit = std::get_if<Commit>(&a);
  const auto* change = std::get_if<RoundChangeStatement>(&b);
  if (commit != nullptr && change != nullptr && commit->height == change->height && commit->signer == change->signer &&
      change->round > commit->round && (!change->lock || change->lock->round < commit->round))
    return Offence::kForgottenLock;
  return std::nullopt;
}

Bytes encode_evidence(const Domain& domain, const Statement& a, const Statement& b) {
  rlp::Encoder out;
  out.begin_list().number(domain.chain_id).number(domain.epoch);
  put(out, a);
  put(out, b);
  Bytes bytes{kVersion};
  append(bytes, out.end_list().take());
  return bytes;
}

Result<Conviction> check_evidence(const Rules& rules, BytesView proof) {
  if (proof.empty() || proof[0] != kVersion) return fail(ErrorCode::kInvalid, "unknown version of an evidence");
  rlp::Decoder outer(proof.subspan(1));
  TRY_ASSIGN(auto in, outer.list());
  TRY(outer.expect_end());
  TRY_ASSIGN(const std::uint64_t chain_id, in.number());
  TRY_ASSIGN(const std::uint64_t epoch, in.number());
  if (chain_id != rules.domain.chain_id || epoch != rules.domain.epoch)
    return fail(ErrorCode::kInvalid, "the evidence belongs to another chain or epoch");
  TRY_ASSIGN(const auto a, get(in));
  TRY_ASSIGN(const auto b, get(in));
  TRY(in.expect_end());
  const auto offence = offence_of(a, b);
  if (!offence) return fail(ErrorCode::kInvalid, "the two statements do not contradict each other");
  Conviction out{*offence, 0, 0};
  for (const auto* statement : {&a, &b}) {
    const bool signed_well = std::visit([&rules](const auto& m) { return signature_ok(rules, m); }, *statement);
    if (!signed_well) return fail(ErrorCode::kInvalid, "a statement of the evidence is not signed by the accused");
    std::visit([&out](const auto& m) { out.offender = m.signer, out.height = m.height; }, *statement);
  }
  return out;
}

Result<Conviction> verify_evidence(const Config& config, BytesView proof) {
  const Ed25519Signatures signatures(config);
  Rules rules;
  rules.domain = {config.chain_id, config.epoch};
  rules.quorum = Quorum::of(config.validators.size());
  rules.signatures = &signatures;
  return check_evidence(rules, proof);
}

}  // namespace bonus::chain::consensus
