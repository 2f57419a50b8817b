// Byzantine strategies: equivocation split over halves, coordinated voting for both sides, withholding (it never
// relays), lying RoundChanges, replayed certificates and messages, unjustified proposals.
#include "bonus/chain/consensus/sim/adversary.hpp"

namespace bonus::chain::consensus::sim {

void Adversary::observe(const Bytes& bytes) {
  auto message = decode_message(bytes);
  if (!message) return;
  View& view = views_[height_of(*message)];
  if (view.raw.size() < 200) view.raw.push_back(bytes);
  if (auto* p = std::get_if<Propose>(&*message)) {
    const auto permitted = judge(around_.rules, p->height, p->round, p->justification);
    const bool justified = permitted && (!permitted->forced || *permitted->forced == p->hash);
    for (const auto& known : view.proposals)
      if (known.message.signature == p->signature) return;
    const Hash32 id = proposal_hash(around_.rules.domain, *p);
    view.proposals.push_back({std::move(*p), id, justified});
  } else if (const auto* v = std::get_if<VoteBlock>(&*message)) {
    auto& votes = view.votes[{v->round, v->hash}];
    votes.emplace(v->signer, *v);
    if (votes.size() >= around_.rules.quorum.size) {
      VoteCert cert{v->height, v->round, v->hash, {}};
      for (const auto& [signer, vote] : votes)
        cert.seals.push_back({signer, vote.proposal, vote.weight, vote.signature});
      view.certs.try_emplace({v->round, v->hash}, std::move(cert));
    }
  } else if (const auto* c = std::get_if<CommitRequest>(&*message)) {
    view.certs.try_emplace({c->cert.round, c->cert.hash}, c->cert);
  } else if (const auto* r = std::get_if<RoundChange>(&*message)) {
    view.changes[r->statement.round].try_emplace(r->statement.signer, *r);
    if (r->cert) view.certs.try_emplace({r->cert->round, r->cert->hash}, *r->cert);
  }
}

void Adversary::forget_below(std::uint64_t height) { views_.erase(views_.begin(), views_.lower_bound(height)); }

void Adversary::send(const Puppet& puppet, const Message& message, const Targets& to) {
  const auto bytes = std::make_shared<const Bytes>(encode(message));
  observe(*bytes);
  for (const std::size_t target : to) around_.network.send(puppet.index, target, bytes);
}

const VoteCert* Adversary::any_cert(const View& view, std::uint32_t below) {
  std::vector<const VoteCert*> all{nullptr};
  for (const auto& [key, cert] : view.certs)
    if (key.first < below) all.push_back(&cert);
  return all[static_cast<std::size_t>(random_.below(all.size()))];
}

RoundChange Adversary::make_change(std::uint64_t height, std::uint32_t round, const VoteCert* lock,
                                   const Puppet& puppet) {
  RoundChange m;
  m.statement.height = height;
  m.statement.round = round;
  m.statement.signer = static_cast<Validator>(puppet.index);
  if (lock != nullptr) {
    m.statement.lock = LockPoint{lock->round, lock->hash};
    m.cert = *lock;
  }
  sign(m.statement, puppet);
  return m;
}

void Adversary::change(std::uint64_t height, std::uint32_t round, const VoteCert* lock, const Puppet& puppet,
                       const Targets& to) {
  if (round > 0) send(puppet, make_change(height, round, lock, puppet), to);
}

void Adversary::vote(const SeenProposal& proposal, const Puppet& puppet, const Targets& to) {
  const Order order(around_.rules.quorum.n, proposal.message.height, around_.order_seed);
  VoteBlock m;
  m.height = proposal.message.height;
  m.round = proposal.message.round;
  m.signer = static_cast<Validator>(puppet.index);
  m.hash = proposal.message.hash;
  m.proposal = proposal.id;
  m.weight = static_cast<std::uint16_t>(around_.rules.quorum.n - order.rank(m.round, proposal.message.signer));
  sign(m, puppet);
  send(puppet, m, to);
}

void Adversary::commit(const VoteCert& cert, const Puppet& puppet, const Targets& to) {
  Commit m{cert.height, cert.round, static_cast<Validator>(puppet.index), cert.hash, {}};
  sign(m, puppet);
  send(puppet, m, to);
}

void Adversary::offer(std::uint64_t height, std::uint32_t round, const Puppet& puppet, Justification j,
                      const Application::Built& block, const Targets& to) {
  Propose m;
  m.height = height;
  m.round = round;
  m.signer = static_cast<Validator>(puppet.index);
  m.hash = block.hash;
  m.justification = std::move(j);
  m.justification_hash = hash_of(m.justification);
  m.body = block.body;
  sign(m, puppet);
  send(puppet, m, to);
}

void Adversary::propose_on_side(View& view, std::uint64_t height, std::uint32_t round, const Puppet& puppet, int side,
                                const Targets& to) {
  const Order order(around_.rules.quorum.n, height, around_.order_seed);
  if (order.rank(round, puppet.index) >= around_.rules.quorum.proposers) return;
  // Blocks of a side are told by a bit of their hash, so that all puppets push the same side the same way.
  Application::Built block;
  for (std::uint64_t salt = 0;; ++salt) {
    block = ToyApplication::make(height, round, puppet.index, salt);
    if ((block.hash.bytes[31] & 1) == side) break;
  }
  Justification j;
  Targets receivers = to;
  if (round > 0) {
    // The justification with the lowest locks that can be had: our own statements deny any lock.
    std::vector<RoundChangeStatement> pool;
    for (const auto& other : puppets_) pool.push_back(make_change(height, round, nullptr, other).statement);
    for (const auto& [signer, m] : view.changes[round])
      if (std::ranges::none_of(puppets_, [s = signer](const Puppet& p) { return p.index == s; }))
        pool.push_back(m.statement);
    std::ranges::sort(pool, {}, [](const auto& m) { return std::pair(m.lock ? m.lock->round + 1 : 0, m.signer); });
    if (pool.size() > around_.rules.quorum.size) pool.resize(around_.rules.quorum.size);
    const bool enough = pool.size() == around_.rules.quorum.size && !pool.back().lock;
    // An unjustified proposal, to everybody: who does not check J drops a lock that others have committed.
    if (!enough && !random_.chance(0.5)) return;
    if (!enough) receivers = honest_;
    std::ranges::sort(pool, {}, &RoundChangeStatement::signer);
    j.changes = std::move(pool);
  }
  offer(height, round, puppet, std::move(j), block, receivers);
}

void Adversary::play_both_sides(View& view, std::uint64_t height, int side, const Targets& to, std::uint32_t round) {
  const auto is_puppet = [this](std::size_t v) {
    return std::ranges::any_of(puppets_, [v](const Puppet& p) { return p.index == v; });
  };
  std::vector<std::size_t> mine;
  for (std::size_t i = 0; i < view.proposals.size(); ++i) {
    const auto& p = view.proposals[i];
    if (p.message.round == round && p.justified &&
        ((p.message.hash.bytes[31] & 1) == side || !is_puppet(p.message.signer)))
      mine.push_back(i);
  }
  if (!mine.empty()) {
    const SeenProposal chosen = view.proposals[mine[static_cast<std::size_t>(random_.below(mine.size()))]];
    for (const auto& puppet : puppets_) vote(chosen, puppet, to);
    if (const auto it = view.certs.find({round, chosen.message.hash}); it != view.certs.end()) {
      const VoteCert cert = it->second;
      for (const auto& puppet : puppets_) {
        send(puppet, CommitRequest{cert}, to);
        commit(cert, puppet, to);
      }
    }
  }
  for (const auto& puppet : puppets_) {
    change(height, round, nullptr, puppet, to);
    propose_on_side(view, height, round, puppet, side, to);
  }
}

void Adversary::propose(View& view, std::uint64_t height, std::uint32_t round, const Puppet& puppet,
                        const Targets& to) {
  auto block = ToyApplication::make(height, round, puppet.index, 1000 + random_.below(3));
  Justification j;
  if (round > 0) {
    std::map<Validator, RoundChangeStatement> pool;
    for (const auto& [signer, m] : view.changes[round]) pool.insert_or_assign(signer, m.statement);
    for (const auto& other : puppets_)
      pool.insert_or_assign(static_cast<Validator>(other.index),
                            make_change(height, round, any_cert(view, round), other).statement);
    if (pool.size() < around_.rules.quorum.size && random_.chance(0.7)) return;
    std::optional<LockPoint> highest;
    while (pool.size() > around_.rules.quorum.size)
      pool.erase(std::next(pool.begin(), static_cast<std::ptrdiff_t>(random_.below(pool.size()))));
    for (const auto& [_, m] : pool) {
      j.changes.push_back(m);
      if (m.lock && (!highest || m.lock->round > highest->round)) highest = m.lock;
    }
    if (highest && random_.chance(0.8)) {
      if (const auto it = view.certs.find({highest->round, highest->hash}); it != view.certs.end()) {
        j.cert = it->second;
        for (const auto& p : view.proposals)
          if (p.message.hash == j.cert->hash) block = {p.message.hash, p.message.body};
      }
    }
  }
  offer(height, round, puppet, std::move(j), block, to);
}

void Adversary::assemble(View& view, const Puppet& puppet, const Targets& to) {
  std::vector<VoteCert> all;
  for (const auto& [_, cert] : view.certs) all.push_back(cert);
  for (const auto& cert : all) send(puppet, CommitRequest{cert}, to);
}

void Adversary::act(const std::function<BonusBft::Status(std::size_t)>& status) {
  if (puppets_.empty()) return;
  const auto victim = status(honest_[static_cast<std::size_t>(random_.below(honest_.size()))]);
  if (victim.height == 0) return;
  const std::uint64_t height = victim.height;
  View& view = views_[height];
  std::uint32_t top = 0;
  for (const std::size_t node : honest_)
    if (const auto at = status(node); at.height == height) top = std::max(top, at.round);
  const int side = random_.chance(0.5) ? 1 : 0;
  if (random_.chance(0.5)) {
    std::uint32_t round = 0;
    for (const std::size_t node : halves_[static_cast<std::size_t>(side)])
      if (const auto at = status(node); at.height == height) round = std::max(round, at.round);
    play_both_sides(view, height, side, halves_[static_cast<std::size_t>(side)], round);
    return;
  }
  const Puppet& puppet = puppets_[static_cast<std::size_t>(random_.below(puppets_.size()))];
  const auto round = static_cast<std::uint32_t>(random_.below(std::uint64_t{top} + 2));
  Targets to = random_.chance(0.7) ? halves_[static_cast<std::size_t>(side)] : honest_;
  if (random_.chance(0.3) && !to.empty()) to = {to[static_cast<std::size_t>(random_.below(to.size()))]};
  const std::uint64_t move = random_.below(100);
  if (move < 25) {
    propose(view, height, round, puppet, to);
  } else if (move < 55) {
    std::vector<std::size_t> choice;
    for (std::size_t i = 0; i < view.proposals.size(); ++i)
      if (view.proposals[i].message.round == round) choice.push_back(i);
    if (choice.empty()) return;
    const SeenProposal chosen = view.proposals[choice[static_cast<std::size_t>(random_.below(choice.size()))]];
    vote(chosen, puppet, to);
  } else if (move < 70) {
    if (const VoteCert* cert = any_cert(view, UINT32_MAX)) {
      const VoteCert copy = *cert;
      if (random_.chance(0.5))
        commit(copy, puppet, to);
      else
        send(puppet, CommitRequest{copy}, to);
    }
  } else if (move < 85) {
    const VoteCert* cert = any_cert(view, round);
    const std::optional<VoteCert> copy = cert != nullptr ? std::optional(*cert) : std::nullopt;
    change(height, round, copy ? &*copy : nullptr, puppet, to);
  } else if (move < 95) {
    assemble(view, puppet, to);
  } else if (!view.raw.empty()) {
    const auto replay =
        std::make_shared<const Bytes>(view.raw[static_cast<std::size_t>(random_.below(view.raw.size()))]);
    for (const std::size_t target : to) around_.network.send(puppet.index, target, replay);
  }
}

}  // namespace bonus::chain::consensus::sim
