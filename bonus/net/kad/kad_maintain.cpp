// Kad: what time does: timeouts, probing, the discovery cycle that converges on physical distance, republishing,
// dial-back, moving epochs.
#include <cmath>

#include "bonus/net/kad/bytes_io.hpp"
#include "bonus/net/kad/kad_impl.hpp"

namespace bonus::net::kad {

namespace {

constexpr std::size_t kMaxProbes = 64, kNearPeers = 8, kPublishing = 8, kPublishingPointers = 4;
constexpr Duration kHurry = std::chrono::milliseconds(300), kRetry = std::chrono::seconds(3);
constexpr Duration kSeedRetry = std::chrono::seconds(10), kDialRetry = std::chrono::seconds(10);
constexpr Duration kEarly = std::chrono::seconds(15);
constexpr Duration kFar = std::chrono::hours(24 * 365);

}  // namespace

void Kad::Impl::probe(const ToProbe& one) {
  if (probes_.size() >= kMaxProbes || !usable(one.endpoint) || one.key == config_.certificate.key) return;
  if (std::ranges::find(probes_, one.key, &ToProbe::key) != probes_.end()) return;
  for (const auto& p : pending_)
    if (p.key == one.key && p.purpose == Purpose::kContact) return;
  probes_.push_back(one);
}

void Kad::Impl::pump_probes(Instant now, Actions& actions) {
  std::size_t done = 0;
  probes_wait_.reset();
  for (; done < probes_.size(); ++done) {
    const auto& one = probes_[done];
    Pending pending;
    pending.key = one.key;
    pending.endpoint = one.endpoint;
    pending.purpose = Purpose::kContact;
    pending.id = one.id;
    auto out = message(Type::kPing, 0);
    out.wants_proof = book_.find(one.key) == kNoContact;
    const auto pad = out.wants_proof ? kProofPing : kMinRequest;
    if (request(std::move(pending), std::move(out), pad, true, now, actions) == Sent::kWait) {
      probes_wait_ = flows_.next_token(now);
      break;
    }
  }
  probes_.erase(probes_.begin(), probes_.begin() + static_cast<std::ptrdiff_t>(done));
  if (probes_.empty()) probes_.shrink_to_fit();
}

void Kad::Impl::expire_pending(Instant now, Actions& actions) {
  std::vector<LookupId> wake;
  std::vector<Pending> dead;
  for (auto it = pending_.begin(); it != pending_.end();) {
    if (it->purpose == Purpose::kLookup && !it->is_slow && it->soft <= now) {
      it->is_slow = true;
      wake.push_back(it->lookup);
      if (auto* one = lookup(it->lookup); one != nullptr && one->search && one->step == it->step)
        one->search->slow(it->path, it->key);
    }
    if (it->hard <= now) {
      dead.push_back(std::move(*it));
      it = pending_.erase(it);
    } else {
      ++it;
    }
  }
  if (pending_.empty()) pending_.shrink_to_fit();
  for (const auto& gone : dead) {
    ++stats_.timeouts;
    if (!gone.forgiven) failed(gone.key);
    next_check_ = std::min(next_check_, now + kRetry);
    auto* one = lookup(gone.lookup);
    if (one == nullptr) continue;
    if (gone.purpose == Purpose::kStore && one->storing && --one->stores_waiting == 0) finish(one->id, now, actions);
    if (gone.purpose == Purpose::kLookup && one->search && one->step == gone.step) {
      one->search->failed(gone.path, gone.key);
      wake.push_back(gone.lookup);
    }
  }
  for (const auto id : wake) pump(id, now, actions);
}

void Kad::Impl::refresh_bucket(View& table, unsigned b, Instant now, Actions& actions) {
  if (b >= 64) return;
  const auto [first, last] = table.bucket(b);
  const Position flipped = table.self() ^ (Position{1} << (63 - b));
  const double expected = std::ldexp(table.nodes_estimate(), -static_cast<int>(b) - 1);
  // Places are free and there are surely nodes for them: a lookup into the bucket. (Small buckets are the siblings'.)
  if (last - first < kBucketSize && expected >= 2 * kBucketSize) {
    const Position mask = (Position{1} << (63 - b)) - 1;
    search_position(table.scope(), (flipped & ~mask) | (random_.next_u64() & mask), false, now, actions);
  }
  if (settings_.policy == Policy::kRandom) return;
  // Those of this bucket and all deeper ones know others in this bucket's range; the nearest know near ones. Now and
  // then somebody at random, or a neighbourhood would only ever talk to itself.
  std::vector<std::pair<std::uint16_t, ContactIndex>> peers;
  for (std::size_t i = 0; i < last; ++i) {
    const auto contact = table.entries()[i].contact;
    if (book_[contact].rtt != 0 && book_[contact].failures == 0) peers.emplace_back(book_[contact].rtt, contact);
  }
  if (peers.empty()) return;
  const auto count = random_.below(8) == 0 ? peers.size() : std::min(peers.size(), kNearPeers);
  std::ranges::partial_sort(peers, peers.begin() + static_cast<std::ptrdiff_t>(count));
  const auto& who = book_.identity(peers[random_.below(count)].second);
  Pending pending;
  pending.key = who.key;
  pending.endpoint = who.endpoint;
  pending.purpose = Purpose::kNear;
  pending.scope = table.scope();
  auto out = message(Type::kFind, 0);
  out.find = Find::kNear;
  out.scope = table.scope();
  Writer target;
  target.u64(flipped);
  std::ranges::copy(target.out, out.target.bytes.begin());
  out.bits = static_cast<std::uint8_t>(b + 1);
  out.position = serves() ? table.self() : 0;
  (void)request(std::move(pending), std::move(out), kMaxPayload, true, now, actions);
}

void Kad::Impl::refresh_step(Instant now, Actions& actions) {
  std::uint32_t total = 0;
  for (const auto& one : views_) total += std::min(one->deepest_bucket(), 63u) + 1;
  auto at = refresh_cursor_ % total;
  refresh_cursor_ = (at + 1) % total;
  for (std::size_t i = 0; i < views_.size(); ++i) {
    auto& table = *views_[i];
    const auto buckets = std::min(table.deepest_bucket(), 63u) + 1;
    if (at >= buckets) {
      at -= buckets;
      continue;
    }
    if (at == 0 && book_.size() > 0) search_position(table.scope(), table.self(), false, now, actions);
    refresh_bucket(table, at, now, actions);
    break;
  }
  if (refresh_left_ > 0) --refresh_left_;
  const auto usual = settings_.periods.refresh / total;
  const auto jitter =
      Duration(static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(usual.count() / 4 + 1))));
  next_refresh_ = now + (refresh_left_ > 0 ? kHurry : usual - usual / 8 + jitter);
}

void Kad::Impl::check_contacts(Instant now, Actions& actions) {
  const auto at = seconds(now);
  const auto patience =
      static_cast<std::uint32_t>(std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.probe).count());
  std::size_t asked = 0;
  const auto slots = book_.slots();
  const auto offset = slots == 0 ? 0 : random_.below(slots);
  for (std::size_t i = 0; i < slots && asked < 16; ++i) {
    const auto contact = static_cast<ContactIndex>((i + offset) % slots);
    if (!book_.used(contact)) continue;
    const auto& state = book_[contact];
    if (state.failures == 0 && state.silent_for(at) < patience) continue;
    probe({book_.identity(contact).key, book_.identity(contact).endpoint, std::nullopt});
    ++asked;
  }
  next_check_ = now + std::min<Duration>(settings_.periods.probe / 4, std::chrono::seconds(15));
  // A small table may be an island, a large one a half of a parted network: seeds lead out of both.
  if (book_.size() < kSiblings || now >= next_seeds_) {
    for (const auto& seed : seeds_)
      if (book_.find(seed.key) == kNoContact) probe(seed);
    next_seeds_ = now + settings_.periods.refresh;
    if (book_.size() == 0) filled_ = false;
    if (book_.size() < kSiblings && !seeds_.empty()) next_check_ = std::min(next_check_, now + kSeedRetry);
  }
  pump_probes(now, actions);
}

void Kad::Impl::dial_back(Instant now, Actions& actions) {
  if (!config_.serves_dht || settings_.assume_reachable) {
    next_dial_ = now + kFar;
    return;
  }
  if (dial_nonce_ != 0 && reachable_ && ++dial_rounds_ >= 3) reachable_ = false;
  next_dial_ = now + kDialRetry;
  const auto entries = views_.front()->entries();
  if (entries.empty()) return;
  // A token first: a dial-back costs others packets.
  const auto& who = book_.identity(entries[random_.below(entries.size())].contact);
  Pending pending;
  pending.key = who.key;
  pending.endpoint = who.endpoint;
  pending.purpose = Purpose::kReach;
  dial_helper_ = who.key;
  (void)request(std::move(pending), message(Type::kPing, 0), kMinRequest, true, now, actions);
}

OwnPointers::Place Kad::Impl::pointer_place() const {
  return [this](const Hash32& key) { return key_in(views_.front()->scope(), key); };
}

void Kad::Impl::publish_pointers(Instant now, Actions& actions) {
  const auto next = own_pointers_.next();
  if (!next || *next > now) return;
  const auto under_way =
      std::ranges::count_if(lookups_, [](const auto& l) { return l->publishes(DataKind::kPointer); });
  if (book_.size() == 0 || static_cast<std::size_t>(under_way) >= kPublishingPointers) {
    own_pointers_.pause(now + (book_.size() == 0 ? kRetry : OwnPointers::kGap));
    return;
  }
  if (const auto* one = own_pointers_.take(now))
    publish(Publication{one->key, DataKind::kPointer, one->data, 0, now}, false, now, actions);
}

void Kad::Impl::timer(Instant now, Actions& actions) {
  if (now >= next_epoch_) rotate_epochs(now);
  expire_pending(now, actions);
  std::vector<LookupId> waiting;
  for (const auto& one : lookups_)
    if (!one->storing && one->wait_until > one->started && one->wait_until <= now) waiting.push_back(one->id);
  for (const auto id : waiting) {
    if (auto* one = lookup(id); one != nullptr) one->wait_until = one->started;
    pump(id, now, actions);
  }
  if (probes_wait_ && *probes_wait_ <= now) pump_probes(now, actions);
  if (now >= next_check_) check_contacts(now, actions);
  if (now >= next_refresh_) {
    if (!filled_ && book_.size() > 0) {
      filled_ = true;
      for (std::size_t i = 0; i < views_.size(); ++i)
        search_position(views_[i]->scope(), views_[i]->self(), true, now, actions);
    }
    refresh_step(now, actions);
  }
  if (now >= next_settle_) {
    next_settle_ = now + kFar;
    for (std::size_t i = 0; i < views_.size(); ++i)
      search_position(views_[i]->scope(), views_[i]->self(), true, now, actions);
  }
  if (now >= next_dial_) dial_back(now, actions);
  auto publishing =
      static_cast<std::size_t>(std::ranges::count_if(lookups_, [](const auto& one) { return one->store != nullptr; }));
  for (std::size_t i = 0; i < publications_.size() && publishing < kPublishing; ++i) {
    auto& one = publications_[i];
    if (one.due > now) continue;
    const auto period = settings_.periods.republish;
    // Nobody there yet: soon again.
    // The first ones follow each other quickly, while our table and others' grow.
    const Duration early = one.times == 0 ? kEarly : one.times == 1 ? 8 * kEarly : period;
    one.due = book_.size() == 0 ? now + kRetry
              : early < period  ? now + early
                                : now + period - period / 8 +
                                     Duration(static_cast<std::int64_t>(
                                         random_.below(static_cast<std::uint64_t>(period.count() / 4 + 1))));
    if (book_.size() == 0) continue;
    ++one.times;
    publish(Publication(one), false, now, actions);
    publishing += views_.size();
  }
  publish_pointers(now, actions);
  if (now >= next_expire_) {
    store_.expire(seconds(now));
    flows_.expire(now);
    next_expire_ = now + std::chrono::minutes(1);
  }
}

std::optional<Instant> Kad::Impl::next() const {
  Instant out = std::min({next_settle_, next_refresh_, next_check_, next_expire_, next_dial_, next_epoch_});
  for (const auto& p : pending_) out = std::min(out, p.purpose == Purpose::kLookup && !p.is_slow ? p.soft : p.hard);
  for (const auto& one : lookups_)
    if (!one->storing && one->wait_until > one->started) out = std::min(out, one->wait_until);
  if (probes_wait_) out = std::min(out, *probes_wait_);
  if (const auto pointers = own_pointers_.next()) out = std::min(out, *pointers);
  std::size_t publishing = 0;
  for (const auto& one : lookups_) publishing += one->store != nullptr;
  if (publishing < kPublishing)
    for (const auto& one : publications_) out = std::min(out, one.due);
  return out;
}

}  // namespace bonus::net::kad
