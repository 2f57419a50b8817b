// Rules 2 to 7: proposing, voting, locking and committing, deciding.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

using Impl = BonusBft::Impl;

bool Impl::accept_body(const Hash32& hash, const Bytes& body, bool fresh) {
  if (s->bodies.contains(hash)) return true;
  const auto found = app.validate(s->height, body, fresh);
  if (!found || *found != hash) return false;
  s->bodies.emplace(hash, body);
  return true;
}

// Rule 3. Executed once, when the round is current.
void Impl::evaluate_proposals() {
  if (s->waiting) return;
  for (auto& [_, proposal] : current().proposals) {
    if (proposal.state != Proposal::State::kUnknown || s->retry_at != Instant::max()) continue;
    const auto& m = proposal.message;
    if (s->bodies.contains(m.hash)) {
      proposal.state = Proposal::State::kValid;
    } else {
      const auto hash = app.validate(m.height, m.body, !proposal.forced);
      if (!hash && hash.error().code != ErrorCode::kInvalid) {
        s->retry_at = now + config.timing.d0;  // not the block's fault
        continue;
      }
      const bool good = hash && *hash == m.hash;
      proposal.state = good ? Proposal::State::kValid : Proposal::State::kInvalid;
      if (good) s->bodies.emplace(m.hash, m.body);
    }
    if (proposal.state == Proposal::State::kValid) proposal.message.body.clear();  // it is in bodies now
  }
}

// Rule 2.
bool Impl::try_propose() {
  if (s->waiting || !can_sign() || s->retry_at != Instant::max()) return false;
  Round& round = current();
  const std::size_t own_rank = rank(s->round, self());
  if (!round.own_propose.empty() || own_rank >= rules.quorum.proposers || now < propose_time(own_rank)) return false;
  for (const auto& [_, proposal] : round.proposals)
    if (proposal.rank < own_rank && proposal.state == Proposal::State::kValid) return false;
  Justification j;
  if (s->round > 0) {
    auto found = justification(round);
    if (!found) return false;
    j = *std::move(found);
  }
  if (j.cert) {
    const Hash32 hash = j.cert->hash;
    if (!have_body(hash)) return false;  // fetch() asks for it
    propose(hash, s->bodies.at(hash), std::move(j));
    return true;
  }
  auto built = app.build(s->height, s->round);
  if (!built || built->body.empty()) {
    s->retry_at = now + config.timing.d0;
    return false;
  }
  s->bodies.emplace(built->hash, built->body);
  propose(built->hash, built->body, std::move(j));
  return true;
}

void Impl::propose(const Hash32& hash, const Bytes& body, Justification j) {
  Propose m;
  m.height = s->height;
  m.round = s->round;
  m.signer = self();
  m.hash = hash;
  m.justification = std::move(j);
  m.justification_hash = hash_of(m.justification);
  sign(m, SignerState::Step::kPropose);
  persist_body(hash);
  persist({s->height, wal::Own{encode(m)}});  // without body so far
  Proposal own;
  own.id = proposal_hash(rules.domain, m);
  own.rank = rank(m.round, m.signer);
  own.state = Proposal::State::kValid;
  if (m.justification.cert) own.forced = hash;
  own.message = m;
  m.body = body;
  Round& round = current();
  round.own_propose = encode(m);
  round.proposals.emplace(m.signer, std::move(own));
  broadcast(round.own_propose);
  sent_something();
}

// Rule 4.
bool Impl::try_vote() {
  if (s->waiting || !can_sign()) return false;
  Round& round = current();
  if (!round.own_vote.empty() || !round.own_commit.empty()) return false;
  const Proposal* best = nullptr;
  for (const auto& [_, proposal] : round.proposals)
    if (proposal.state == Proposal::State::kValid && (best == nullptr || proposal.rank < best->rank)) best = &proposal;
  if (best == nullptr || (best->rank > 0 && now < vote_time())) return false;
  VoteBlock m;
  m.height = s->height;
  m.round = s->round;
  m.signer = self();
  m.hash = best->message.hash;
  m.proposal = best->id;
  m.weight = static_cast<std::uint16_t>(rules.quorum.n - best->rank);
  sign(m, SignerState::Step::kVote);
  persist_body(m.hash);  // a block that Q vote for survives the restart of all of them
  round.own_vote = encode(m);
  persist({s->height, wal::Own{round.own_vote}});
  broadcast(round.own_vote);
  sent_something();
  store(m);
  return true;
}

// Rules 5 and 6.
bool Impl::try_commit() {
  if (!can_sign()) return false;
  if (rules.mutation == Mutation::kCommitAfterRoundChange) {
    for (auto& [r, _] : s->rounds)
      if (r <= s->round && commit_in(r)) return true;
    return false;
  }
  return !s->waiting && commit_in(s->round);
}

bool Impl::commit_in(std::uint32_t r) {
  Round& round = s->rounds[r];
  if (!round.cert || !round.own_commit.empty()) return false;
  const VoteCert& cert = *round.cert;
  const bool locked_elsewhere = s->lock && s->lock->round == r && s->lock->hash != cert.hash;
  if (locked_elsewhere) return false;  // only with more than f faulty nodes; our lock is on disk already
  const auto own = round.proposals.find(self());
  if (own != round.proposals.end() && own->second.message.hash == cert.hash && !round.commit_requested) {
    round.commit_requested = true;
    broadcast(encode(CommitRequest{cert}));
  }
  if (rules.mutation != Mutation::kNoLock && (!s->lock || r > s->lock->round)) {
    if (s->bodies.contains(cert.hash)) persist_body(cert.hash);
    persist({s->height, wal::Lock{cert}});
    s->lock = cert;
  }
  Commit m{s->height, r, self(), cert.hash, {}};
  sign(m, SignerState::Step::kCommit);
  round.own_commit = encode(m);
  persist({s->height, wal::Own{round.own_commit}});
  broadcast(round.own_commit);
  sent_something();
  store(m);
  return true;
}

bool Impl::have_body(const Hash32& hash) {
  if (s->bodies.contains(hash)) return true;
  // A block that our own check refused (its time lay too far ahead, say) may have become final nevertheless.
  for (auto& [_, round] : s->rounds)
    for (auto& [_2, proposal] : round.proposals) {
      if (proposal.message.hash != hash || proposal.message.body.empty() || std::exchange(proposal.judged_final, true))
        continue;
      if (accept_body(hash, proposal.message.body, false)) return true;
    }
  return false;
}

// Rule 7.
bool Impl::try_decide() {
  if (!s->pending || !have_body(s->pending->hash)) return false;
  const CommitCert& cert = *s->pending;
  const Bytes body = s->bodies.at(cert.hash);
  if (config.self && !s->finished_in_wal) {
    persist_body(cert.hash);
    persist({s->height, wal::Finished{cert}});
  }
  out.emplace_back(Decided{s->height, cert.hash, body, cert});
  if (config.self) broadcast(encode(NewHeight{cert}));
  past.insert_or_assign(s->height, PastHeight{cert, body, now});
  while (past.size() > 2) past.erase(past.begin());
  s->decided = true;
  return true;
}

}  // namespace bonus::chain::consensus
