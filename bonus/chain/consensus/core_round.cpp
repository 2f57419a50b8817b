// Rules 1, 8 and 9: timers, RoundChange, joining, entering, and the justification of a later round.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

using Impl = BonusBft::Impl;

// Rule 9: Dr = D0 * 1.5^min(r, 20).
Duration Impl::delay(std::uint32_t round) const {
  Duration d = config.timing.d0;
  for (std::uint32_t i = 0; i < std::min<std::uint32_t>(round, 20); ++i) d += d / 2;
  return d;
}
Instant Impl::timer_start() const { return s->round == 0 ? std::max(s->entered_at, s->not_before) : s->entered_at; }
Instant Impl::vote_time() const { return timer_start() + 3 * delay(s->round) + config.timing.build; }
Instant Impl::round_end() const {
  return timer_start() + 9 * delay(s->round) + 2 * config.timing.build + 2 * config.timing.execute;
}
Instant Impl::propose_time(std::size_t own_rank) const {
  if (own_rank == 0) return timer_start();
  const Duration d = delay(s->round);
  return timer_start() + config.timing.build + d + static_cast<std::int64_t>(own_rank - 1) * d / 2;
}

bool Impl::try_timeout() {
  if (s->waiting || !can_sign() || now < round_end() || s->round == UINT32_MAX) return false;
  change_to(s->round + 1);
  return true;
}

// Sends RoundChange(round): from here on nothing is voted for or committed below it.
void Impl::change_to(std::uint32_t round) {
  s->round = round;
  s->waiting = true;
  s->backoff = 0;
  RoundChange m;
  m.statement.height = s->height;
  m.statement.round = round;
  m.statement.signer = self();
  if (s->lock && rules.mutation != Mutation::kAmnesia) {
    m.statement.lock = LockPoint{s->lock->round, s->lock->hash};
    m.cert = s->lock;
  }
  sign(m.statement, SignerState::Step::kRoundChange);
  Round& state = current();
  state.own_change = encode(m);
  persist({s->height, wal::Own{state.own_change}});
  if (m.cert)
    if (const auto it = s->bodies.find(m.cert->hash); it != s->bodies.end()) m.body = it->second;
  broadcast(encode(m));  // repetitions go without the body: whoever lacks it asks
  m.body.clear();
  sent_something();
  store(m);
}

bool Impl::try_change_round() {
  if (can_sign()) {
    // f + 1 senders above us: at least one honest node is there. Join the (f+1)-th highest.
    std::vector<std::uint32_t> above;
    for (const auto& [_, round] : s->highest_change)
      if (round > s->round) above.push_back(round);
    if (above.size() > rules.quorum.f) {
      std::ranges::sort(above, std::greater<>());
      change_to(above[rules.quorum.f]);
      return true;
    }
  }
  for (auto it = s->rounds.rbegin(); it != s->rounds.rend() && it->first >= s->round; ++it) {
    if (it->second.changes.size() < rules.quorum.size || (it->first == s->round && !s->waiting)) continue;
    if (it->first == 0) continue;
    enter(it->first);
    return true;
  }
  return false;
}

void Impl::enter(std::uint32_t round) {
  if (can_sign() && s->rounds[round].own_change.empty()) change_to(round);
  s->round = round;
  s->waiting = false;
  s->entered_at = now;
  s->entry_round = round;
  s->entry.clear();
  for (const auto& [_, change] : s->rounds[round].changes) {
    if (s->entry.size() == rules.quorum.size) break;
    s->entry.push_back(encode(change));
  }
  if (config.self) persist({s->height, wal::Entered{round, s->entry}});
  std::erase_if(s->rounds, [this](const auto& entry) { return std::uint64_t{entry.first} + kBehind < s->round; });
  for (auto& [r, old] : s->rounds) {
    if (r >= round) break;
    old.own_propose.clear();
    old.own_propose.shrink_to_fit();
    for (auto& [_, proposal] : old.proposals) {
      proposal.message.body.clear();
      proposal.message.body.shrink_to_fit();
    }
  }
  // Bodies that nobody was asked to vote for by us, and that no certificate names, can go.
  std::set<Hash32> needed = s->durable_bodies;
  if (s->lock) needed.insert(s->lock->hash);
  for (const auto& [_, state] : s->rounds)
    for (const auto& [_2, change] : state.changes)
      if (change.cert) needed.insert(change.cert->hash);
  std::erase_if(s->bodies, [&needed](const auto& entry) { return !needed.contains(entry.first); });
}

// Q RoundChanges, those with the highest locks first, and the certificate of the highest.
std::optional<Justification> Impl::justification(const Round& round) const {
  if (round.changes.size() < rules.quorum.size) return std::nullopt;
  std::vector<const RoundChange*> all;
  for (const auto& [_, change] : round.changes) all.push_back(&change);
  const auto lock_order = [](const RoundChange* m) {
    return std::pair(m->cert ? -std::int64_t{m->cert->round} : 1, m->statement.signer);
  };
  std::ranges::sort(all, {}, lock_order);
  all.resize(rules.quorum.size);
  Justification j;
  j.cert = all.front()->cert;
  std::ranges::sort(all, {}, [](const RoundChange* m) { return m->statement.signer; });
  for (const auto* change : all) j.changes.push_back(change->statement);
  return j;
}

}  // namespace bonus::chain::consensus
