// BonusBft: the public face, the loop over the rules, and the next deadline.
#include "bonus/chain/consensus/core.hpp"

namespace bonus::chain::consensus {

BonusBft::Impl::Impl(Config c, Application& a, const std::vector<Bytes>& wal_records, Options o)
    : config(std::move(c)), app(a), options(std::move(o)), ed25519(config), peers(config.validators.size()) {
  rules.domain = {config.chain_id, config.epoch};
  rules.quorum = Quorum::of(config.validators.size());
  rules.signatures = options.signatures != nullptr ? options.signatures : &ed25519;
  rules.mutation = options.mutation;
  if (options.mutation == Mutation::kSmallQuorum) --rules.quorum.size;
  if (options.mutation == Mutation::kAmnesia) return;
  wal_understood = ledger.load(wal_records);
  load_past();
}

void BonusBft::Impl::begin_height(std::uint64_t height, const Hash32& seed, Instant not_before) {
  if (s && height <= s->height) return;
  s.emplace(height, rules.quorum.n, seed);
  s->entered_at = now;
  s->not_before = not_before;
  s->muted = must_be_muted(height);
  while (past.size() > 2 || (!past.empty() && past.begin()->first + 2 < height)) past.erase(past.begin());
  ledger.prune(height);
  restore();
  progress();
  for (std::size_t from = 0; from < peers.size(); ++from) {
    const auto waiting_messages = std::exchange(peers[from].future, {});
    peers[from].future_bytes = 0;
    for (const auto& bytes : waiting_messages) receive(from, bytes);
  }
}

void BonusBft::Impl::receive(std::size_t from, BytesView bytes) {
  if (!s || from >= rules.quorum.n || (config.self && from == *config.self)) return;
  auto message = decode_message(bytes);
  if (!message) return;
  const std::uint64_t height = height_of(*message);
  if (height > s->height) {
    keep_for_later(from, bytes, *message);
  } else if (height < s->height || s->decided) {
    answer_stale(from, *message);
  } else {
    std::visit([this, from](auto& m) { on(from, m); }, *message);
    progress();
  }
}

void BonusBft::Impl::progress() {
  if (!s || s->decided) return;
  if (now >= s->retry_at) s->retry_at = Instant::max();
  do {
    evaluate_proposals();
  } while (!s->decided &&
           (try_decide() || try_change_round() || try_timeout() || try_propose() || try_commit() || try_vote()));
  if (s->decided) return;
  fetch();
  retransmit();
}

Instant BonusBft::Impl::deadline() const {
  Instant next = Instant::max();
  if (!s || s->decided) return next;
  // What was due at `now` has been done as far as it could be; a time that has passed wakes nobody again.
  const auto consider = [this, &next](Instant at) {
    if (at > now) next = std::min(next, at);
  };
  consider(s->retransmit_at);
  consider(s->retry_at);
  if (s->wanted) consider(s->fetch_at);
  if (s->waiting || !can_sign()) return next;
  consider(round_end());
  consider(vote_time());
  const std::size_t own_rank = rank(s->round, self());
  if (own_rank < rules.quorum.proposers) consider(propose_time(own_rank));
  return next;
}

BonusBft::BonusBft(Config config, Application& app, const std::vector<Bytes>& wal)
    : BonusBft(std::move(config), app, wal, Options{}) {}
BonusBft::BonusBft(Config config, Application& app, const std::vector<Bytes>& wal, const Options& options)
    : impl_(std::make_unique<Impl>(std::move(config), app, wal, options)) {}
BonusBft::~BonusBft() = default;
BonusBft::BonusBft(BonusBft&&) noexcept = default;

Actions BonusBft::advance(Instant now, std::uint64_t height, const Hash32& seed, Instant not_before) {
  impl_->now = std::max(impl_->now, now);
  impl_->begin_height(height, seed, not_before);
  return std::exchange(impl_->out, {});
}

Actions BonusBft::on_message(Instant now, std::size_t from, BytesView message) {
  impl_->now = std::max(impl_->now, now);
  impl_->receive(from, message);
  return std::exchange(impl_->out, {});
}

Actions BonusBft::set_not_before(Instant now, Instant not_before) {
  impl_->now = std::max(impl_->now, now);
  if (impl_->s) impl_->s->not_before = not_before;
  impl_->progress();
  return std::exchange(impl_->out, {});
}

Actions BonusBft::on_tick(Instant now) {
  impl_->now = std::max(impl_->now, now);
  impl_->progress();
  return std::exchange(impl_->out, {});
}

Instant BonusBft::next_deadline() const { return impl_->deadline(); }

BonusBft::Status BonusBft::status() const {
  Status out;
  if (!impl_->s || impl_->rules.quorum.n == 0) return out;
  const auto& s = *impl_->s;
  out.height = s.height;
  out.round = s.round;
  out.waiting = s.waiting;
  out.locked = s.lock.has_value();
  out.primary = s.order.primary(s.round);
  out.muted = impl_->config.self.has_value() && !impl_->can_sign();
  return out;
}

std::vector<Bytes> BonusBft::live_records() const { return impl_->ledger.live(); }

}  // namespace bonus::chain::consensus
