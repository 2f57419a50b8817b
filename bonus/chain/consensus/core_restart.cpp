// Rule 10 after a restart: what the WAL says was signed stays signed, and only identical bytes are sent again.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

using Impl = BonusBft::Impl;

namespace {
std::optional<SignerState> state_of(const Message& message) {
  using Step = SignerState::Step;
  if (const auto* m = std::get_if<Propose>(&message)) return SignerState{m->height, m->round, Step::kPropose, m->hash};
  if (const auto* m = std::get_if<VoteBlock>(&message)) return SignerState{m->height, m->round, Step::kVote, m->hash};
  if (const auto* m = std::get_if<Commit>(&message)) return SignerState{m->height, m->round, Step::kCommit, m->hash};
  if (const auto* m = std::get_if<RoundChange>(&message))
    return SignerState{m->statement.height, m->statement.round, Step::kRoundChange, {}};
  return std::nullopt;
}
}  // namespace

void Impl::load_past() {
  const std::uint64_t last = ledger.highest();
  for (std::uint64_t height = last >= 2 ? last - 2 : 0; height <= last; ++height) {
    std::optional<CommitCert> cert;
    std::map<Hash32, Bytes> bodies;
    for (auto& record : ledger.at(height)) {
      if (auto* body = std::get_if<wal::StoredBody>(&record.content)) bodies.emplace(body->hash, std::move(body->body));
      if (auto* finished = std::get_if<wal::Finished>(&record.content)) cert = finished->cert;
      if (const auto* own = std::get_if<wal::Own>(&record.content))
        if (const auto message = decode_message(own->message))
          if (const auto state = state_of(*message); state && (!signed_up_to || *signed_up_to < *state))
            signed_up_to = state;
    }
    if (cert && bodies.contains(cert->hash))
      past.insert_or_assign(height, PastHeight{*cert, bodies.at(cert->hash), Instant{}});
  }
}

bool Impl::must_be_muted(std::uint64_t height) const {
  if (!wal_understood || height < ledger.highest()) return true;
  if (!options.signer_state || options.signer_state->height < height) return false;
  if (options.signer_state->height > height) return true;
  // Signed at this very height: the WAL must know it.
  return !signed_up_to || *signed_up_to < *options.signer_state;
}

void Impl::restore() {
  const auto records = ledger.at(s->height);
  for (const auto& record : records)
    if (const auto* body = std::get_if<wal::StoredBody>(&record.content)) {
      s->bodies.insert_or_assign(body->hash, body->body);
      s->durable_bodies.insert(body->hash);
    }
  bool spoke = false;
  for (const auto& record : records) {
    if (const auto* own = std::get_if<wal::Own>(&record.content)) {
      if (const auto message = decode_message(own->message)) restore(*message);
      spoke = true;
    } else if (const auto* lock = std::get_if<wal::Lock>(&record.content)) {
      if (!s->lock || lock->cert.round > s->lock->round) s->lock = lock->cert;
      s->rounds[lock->cert.round].cert = lock->cert;
    } else if (const auto* entered = std::get_if<wal::Entered>(&record.content)) {
      s->entry_round = entered->round;
      s->entry = entered->changes;
      s->round = std::max(s->round, entered->round);
      for (const auto& bytes : entered->changes)
        if (const auto message = decode_message(bytes))
          if (const auto* change = std::get_if<RoundChange>(&*message)) store(*change);
    } else if (const auto* finished = std::get_if<wal::Finished>(&record.content)) {
      s->pending = finished->cert;
      s->finished_in_wal = true;
    }
  }
  s->waiting = s->round > s->entry_round;
  if (spoke) s->retransmit_at = now;
}

void Impl::restore(const Message& own) {
  if (const auto* m = std::get_if<Propose>(&own)) {
    Proposal proposal;
    proposal.message = *m;
    proposal.id = proposal_hash(rules.domain, *m);
    proposal.rank = rank(m->round, m->signer);
    if (m->justification.cert) proposal.forced = m->hash;
    Propose whole = *m;
    if (const auto it = s->bodies.find(m->hash); it != s->bodies.end()) {
      proposal.state = Proposal::State::kValid;
      whole.body = it->second;
    }
    Round& round = s->rounds[m->round];
    round.own_propose = encode(whole);
    round.proposals.insert_or_assign(m->signer, std::move(proposal));
  } else if (const auto* vote = std::get_if<VoteBlock>(&own)) {
    s->rounds[vote->round].own_vote = encode(*vote);
    store(*vote);
  } else if (const auto* commit = std::get_if<Commit>(&own)) {
    s->rounds[commit->round].own_commit = encode(*commit);
    store(*commit);
  } else if (const auto* change = std::get_if<RoundChange>(&own)) {
    const std::uint32_t round = change->statement.round;
    s->round = std::max(s->round, round);
    s->rounds[round].own_change = encode(*change);
    store(*change);
  }
}

}  // namespace bonus::chain::consensus
