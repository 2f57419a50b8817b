// What a core does with each message: check, keep the first of each signer, report contradictions.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

using Impl = BonusBft::Impl;

bool Impl::near(std::uint32_t round) const {
  return std::uint64_t{round} <= std::uint64_t{s->round} + kAhead && std::uint64_t{round} + kBehind >= s->round;
}

void Impl::report(const Statement& a, const Statement& b) {
  const auto offence = offence_of(a, b);
  if (!offence) return;
  const Validator offender = std::visit([](const auto& m) { return m.signer; }, a);
  if (!s->reported.emplace(offender, *offence).second) return;
  out.emplace_back(Evidence{offender, encode_evidence(rules.domain, a, b)});
}

void Impl::on(std::size_t, Propose& m) {
  if (m.signer >= rules.quorum.n || m.body.empty()) return;
  const std::size_t proposer_rank = rank(m.round, m.signer);
  if (proposer_rank >= rules.quorum.proposers || !near(m.round)) return;
  const auto round = s->rounds.find(m.round);
  const Proposal* known = nullptr;
  if (round != s->rounds.end())
    if (const auto it = round->second.proposals.find(m.signer); it != round->second.proposals.end())
      known = &it->second;
  if (known != nullptr) {
    if (offence_of(known->message, m) && signature_ok(rules, m)) report(known->message, m);
    return;
  }
  // A body of an earlier round is of no use for voting any more; of rounds far ahead none is kept.
  if (m.round < s->round || m.round > s->round + kProposalsAhead || !signature_ok(rules, m)) return;
  const auto permitted = judge(rules, m.height, m.round, m.justification);
  if (!permitted || (permitted->forced && *permitted->forced != m.hash)) return;
  for (const auto& change : m.justification.changes)
    for (const auto& [_, other] : s->rounds)
      if (const auto it = other.commits.find(change.signer); it != other.commits.end()) report(it->second, change);
  Proposal proposal;
  proposal.id = proposal_hash(rules.domain, m);
  proposal.rank = proposer_rank;
  proposal.forced = permitted->forced;
  const std::uint32_t at = m.round;
  const Validator signer = m.signer;
  proposal.message = std::move(m);
  s->rounds[at].proposals.emplace(signer, std::move(proposal));
}

void Impl::on(std::size_t, VoteBlock& m) {
  if (m.signer >= rules.quorum.n || !near(m.round) || !weight_ok(rules, m.weight)) return;
  const auto& votes = s->rounds[m.round].votes;
  if (const auto it = votes.find(m.signer); it != votes.end() && !offence_of(it->second, m)) return;
  if (signature_ok(rules, m)) store(m);
}

void Impl::store(const VoteBlock& m) {
  Round& round = s->rounds[m.round];
  const auto [it, fresh] = round.votes.try_emplace(m.signer, m);
  if (!fresh) {
    report(it->second, m);
    return;
  }
  if (round.cert) return;
  VoteCert cert{m.height, m.round, m.hash, {}};
  for (const auto& [signer, vote] : round.votes)
    if (vote.hash == m.hash) cert.seals.push_back({signer, vote.proposal, vote.weight, vote.signature});
  if (cert.seals.size() >= rules.quorum.size) round.cert = std::move(cert);
}

void Impl::on(std::size_t, CommitRequest& m) {
  // Only a certificate of the current round or a later one can still be acted on (rules 6, 8).
  if (!near(m.cert.round) || (m.cert.round < s->round && rules.mutation != Mutation::kCommitAfterRoundChange)) return;
  Round& round = s->rounds[m.cert.round];
  if (round.cert || !valid(rules, m.cert)) return;
  round.cert = m.cert;
  for (const auto& seal : m.cert.seals) store(m.cert.vote(seal));
}

void Impl::on(std::size_t, Commit& m) {
  if (m.signer >= rules.quorum.n || !near(m.round)) return;
  const auto& commits = s->rounds[m.round].commits;
  if (const auto it = commits.find(m.signer); it != commits.end() && !offence_of(it->second, m)) return;
  if (signature_ok(rules, m)) store(m);
}

void Impl::store(const Commit& m) {
  Round& round = s->rounds[m.round];
  const auto [it, fresh] = round.commits.try_emplace(m.signer, m);
  if (!fresh) {
    report(it->second, m);
    return;
  }
  for (auto later = s->rounds.upper_bound(m.round); later != s->rounds.end(); ++later)
    if (const auto change = later->second.changes.find(m.signer); change != later->second.changes.end())
      report(m, change->second.statement);
  if (s->pending) return;
  CommitCert cert{m.height, m.round, m.hash, {}};
  for (const auto& [signer, commit] : round.commits)
    if (commit.hash == m.hash) cert.seals.push_back({signer, commit.signature});
  if (cert.seals.size() >= rules.quorum.size) s->pending = std::move(cert);
}

void Impl::on(std::size_t from, NewHeight& m) {
  if (s->pending || !check(rules, m.cert)) return;
  s->pending = std::move(m.cert);
  s->wanted.reset();
  // The sender has stored the block before it said so: ask it first.
  s->holders.assign(1, static_cast<Validator>(from));
}

void Impl::on(std::size_t from, RoundChange& m) {
  const auto& statement = m.statement;
  if (statement.signer >= rules.quorum.n || statement.round == 0) return;
  // A peer that repeats an old RoundChange lacks what let us enter: give it the quorum that we saw.
  auto& limit = peers[from].entry;
  if (statement.round <= s->entry_round && now >= s->entered_at + 2 * config.timing.d0 && now >= limit) {
    limit = now + 2 * config.timing.d0;
    for (const auto& change : s->entry) send(from, change);
  }
  const bool kept = near(statement.round);
  if (kept && s->rounds[statement.round].changes.contains(statement.signer)) return;
  const auto highest = s->highest_change.find(statement.signer);
  if (!kept && highest != s->highest_change.end() && highest->second >= statement.round) return;
  if (!valid(rules, m)) return;
  if (!m.body.empty()) (void)accept_body(m.cert->hash, std::exchange(m.body, {}), false);
  store(m);
}

void Impl::store(const RoundChange& m) {
  const auto& statement = m.statement;
  auto& highest = s->highest_change[statement.signer];
  highest = std::max(highest, statement.round);
  for (const auto& [r, round] : s->rounds) {
    if (r >= statement.round) break;
    if (const auto it = round.commits.find(statement.signer); it != round.commits.end()) report(it->second, statement);
  }
  if (near(statement.round)) s->rounds[statement.round].changes.try_emplace(statement.signer, m);
}

void Impl::on(std::size_t from, BodyRequest& m) {
  const auto it = s->bodies.find(m.hash);
  auto& limit = peers[from].body;
  if (it == s->bodies.end() || now < limit) return;
  limit = now + config.timing.d0;
  send(from, encode(Body{m.height, m.hash, it->second}));
}

void Impl::on(std::size_t, Body& m) {
  if (s->wanted && *s->wanted == m.hash) (void)accept_body(m.hash, m.body, false);
}

void Impl::keep_for_later(std::size_t from, BytesView bytes, const Message& message) {
  const std::uint64_t height = height_of(message);
  const std::uint64_t next = s->decided ? s->height + 1 : s->height;  // the first height that we lack
  auto& peer = peers[from];
  if (const auto* proof = std::get_if<NewHeight>(&message); proof != nullptr && height > next) {
    if (now < peer.behind || !check(rules, proof->cert)) return;
    peer.behind = now + 2 * config.timing.d0;
    out.emplace_back(Behind{from, next});
    return;
  }
  if (height != s->height + 1) return;
  // Bounded per sender, so that one cannot push out another. Whoever repeats itself is heard again later.
  if (peer.future.size() >= kFutureMessages || peer.future_bytes + bytes.size() > kMaxMessageBytes) return;
  peer.future_bytes += bytes.size();
  peer.future.emplace_back(bytes.begin(), bytes.end());
}

void Impl::answer_stale(std::size_t from, const Message& message) {
  if (past.empty() || std::holds_alternative<NewHeight>(message) || std::holds_alternative<Body>(message)) return;
  auto& peer = peers[from];
  auto found = past.find(height_of(message));
  if (const auto* request = std::get_if<BodyRequest>(&message)) {
    if (found == past.end() || found->second.cert.hash != request->hash || now < peer.body) return;
    peer.body = now + config.timing.d0;
    send(from, encode(Body{request->height, request->hash, found->second.body}));
    return;
  }
  if (found == past.end()) found = std::prev(past.end());
  // Votes that were under way when we decided need no answer; a RoundChange or a repetition does.
  const bool late = now >= found->second.at + 2 * config.timing.d0;
  if ((!late && !std::holds_alternative<RoundChange>(message)) || now < peer.new_height) return;
  peer.new_height = now + config.timing.d0;
  send(from, encode(NewHeight{found->second.cert}));
}

}  // namespace bonus::chain::consensus
