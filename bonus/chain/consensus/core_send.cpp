// Signing permission, durable records, repetition of own messages, fetching of missing blocks.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

using Impl = BonusBft::Impl;

bool Impl::can_sign() const {
  return config.self && *config.self < rules.quorum.n && (options.signatures != nullptr || config.key) && !s->muted;
}

void Impl::persist(const wal::Record& record) {
  Bytes bytes = wal::encode(record);
  ledger.add(record, bytes);
  Bytes signer_state;
  if (std::holds_alternative<wal::Own>(record.content)) signer_state = signed_up_to->encode();
  out.emplace_back(Persist{std::move(bytes), std::move(signer_state)});
}

void Impl::persist_body(const Hash32& hash) {
  if (!s->durable_bodies.insert(hash).second) return;
  persist({s->height, wal::StoredBody{hash, s->bodies.at(hash)}});
}

// A new message starts the repetition anew: after 2 Dr, then at doubling intervals.
void Impl::sent_something() {
  s->backoff = 0;
  s->retransmit_at = now + std::min<Duration>(2 * delay(s->round), std::chrono::seconds(2));
}

void Impl::retransmit() {
  if (now < s->retransmit_at) return;
  const Round& round = current();
  if (!round.own_change.empty()) broadcast(round.own_change);
  if (!s->waiting) {
    if (!round.own_propose.empty()) broadcast(round.own_propose);
    if (!round.own_vote.empty()) broadcast(round.own_vote);
    if (!round.own_commit.empty()) {
      if (round.cert) broadcast(encode(CommitRequest{*round.cert}));
      broadcast(round.own_commit);
    }
  }
  s->backoff = std::min(s->backoff + 1, 3U);
  // At least every two seconds: a node that comes back is heard soon however long the rounds have become.
  s->retransmit_at = now + std::min<Duration>((2 << s->backoff) * delay(s->round), std::chrono::seconds(2));
}

void Impl::want(const Hash32& hash, const std::vector<Validator>& holders, Duration patience) {
  if (s->wanted && *s->wanted == hash) return;
  s->wanted = hash;
  // Whoever told us first, then those who signed for the block.
  if (!(s->pending && s->pending->hash == hash)) s->holders.clear();
  for (const Validator v : holders)
    if ((!config.self || v != *config.self) && std::ranges::find(s->holders, v) == s->holders.end())
      s->holders.push_back(v);
  s->asked = 0;
  s->fetch_at = now + patience;
}

// A block that is final, that must be proposed again, or on which we are locked, but that we have not got.
void Impl::fetch() {
  std::vector<Validator> holders;
  const auto voters = [&holders](const VoteCert& cert) {
    for (const auto& seal : cert.seals) holders.push_back(seal.validator);
  };
  if (s->pending) {
    for (const auto& seal : s->pending->seals) holders.push_back(seal.validator);
    want(s->pending->hash, holders, Duration(0));
  } else if (const auto j = s->round > 0 && !s->waiting ? justification(current()) : std::nullopt;
             j && j->cert && !s->bodies.contains(j->cert->hash)) {
    voters(*j->cert);
    want(j->cert->hash, holders, Duration(0));
  } else if (s->lock && !s->bodies.contains(s->lock->hash)) {
    voters(*s->lock);
    want(s->lock->hash, holders, config.timing.d0);
  } else {
    s->wanted.reset();
  }
  if (!s->wanted || s->holders.empty() || now < s->fetch_at) return;
  const Validator holder = s->holders[s->asked % s->holders.size()];
  send(holder, encode(BodyRequest{s->height, *s->wanted}));
  ++s->asked;
  s->fetch_at = now + 2 * config.timing.d0;
  // Peers may have moved on so far that only their block store has it.
  if (s->pending && s->asked % 4 == 0) out.emplace_back(Behind{holder, s->height});
}

}  // namespace bonus::chain::consensus
