// Kad: lookups from plan to report, and publishing, which is a lookup that ends with stores.
#include <cmath>

#include "bonus/net/kad/bytes_io.hpp"
#include "bonus/net/kad/kad_impl.hpp"

namespace bonus::net::kad {

namespace {

constexpr std::size_t kDisjoint = 4, kWide = 8;  // design: d = 4 for keys, names, relays; 8 on conflict or miss
constexpr std::size_t kEnoughDisjoint = 8;       // answers at the end of each disjoint path
constexpr std::size_t kPointerCopies = 8;        // they are many, small and cheap to miss: a lookup asks 16 nodes
constexpr unsigned kNames = 3;
constexpr std::size_t kDenseStore = 64;  // stored where somebody has crowded around the key
constexpr double kDense = 4;             // times the expected density: by chance once in a thousand keys
constexpr Duration kSettle = std::chrono::seconds(4);
constexpr Duration kHardTimeout = std::chrono::milliseconds(1500);

Position head(const Hash32& key) { return Reader(key).u64(); }

// What answers a lookup: of an address its owner's record, or a pointer to the owner.
bool answers(LookupKind kind, DataKind data) {
  if (kind == LookupKind::kValue) return data == DataKind::kValue;
  return kind == LookupKind::kRecord && (data == DataKind::kRecord || data == DataKind::kPointer);
}

Duration milliseconds(double ms) {
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

}  // namespace

Kad::Impl::Lookup* Kad::Impl::lookup(LookupId id) {
  for (const auto& one : lookups_)
    if (one->id == id) return one.get();
  return nullptr;
}

Kad::Impl::Lookup& Kad::Impl::new_lookup(const Hash32& key, LookupKind kind, Instant now) {
  auto one = std::make_unique<Lookup>();
  one->id = ++last_lookup_;
  one->kind = kind;
  one->key = key;
  one->started = now;
  lookups_.push_back(std::move(one));
  return *lookups_.back();
}

std::vector<Kad::Impl::Attempt> Kad::Impl::plan_for(LookupKind kind) const {
  std::vector<Attempt> out;
  const auto& main = primary();
  if (kind == LookupKind::kNodes) return {{main.scope(), 1}};
  const bool record = kind == LookupKind::kRecord;
  if (record)
    for (const Ring ring : {Ring::kMetro, Ring::kCountry})
      for (const auto& one : views_)
        if (one->scope().ring == ring && one->scope().epoch == main.scope().epoch && !one->entries().empty())
          out.push_back({one->scope(), 1});
  out.push_back({main.scope(), record ? 1 : kDisjoint});
  for (const auto& one : views_)
    if (one->scope().ring == Ring::kGlobal && one.get() != &main) out.push_back({one->scope(), record ? 1 : kDisjoint});
  out.push_back({main.scope(), kWide});
  return out;
}

bool Kad::Impl::local_answer(Lookup& one, Instant now) {
  if (one.kind == LookupKind::kNodes) return false;
  for (const auto& own : publications_)
    if (own.key == one.key && answers(one.kind, own.kind)) {
      one.best = *own.data;
      return one.found = true;
    }
  if (one.kind == LookupKind::kValue) return false;  // others may hold a newer one
  if (const auto* own = own_pointers_.find(one.key)) {
    one.best = *own->data;
    one.best_kind = DataKind::kPointer;
    return one.found = true;
  }
  for (const auto& table : views_) {
    const auto* held = store_.find(key_in(table->scope(), one.key), seconds(now));
    if (held == nullptr || !answers(one.kind, held->kind)) continue;
    std::uint64_t sequence = 0;
    if (!check(held->kind, held->data, one.key, sequence, unix_at(now))) continue;  // expired meanwhile
    one.best = held->data;
    one.best_kind = held->kind;
    return one.found = true;
  }
  return false;
}

void Kad::Impl::start_step(Lookup& one, Instant now, Actions& actions) {
  const auto& attempt = one.plan[one.step];
  const auto* table = view(attempt.scope);
  one.wait_until = now;
  if (table == nullptr) {  // the epoch went by
    one.search.emplace(0, Search::Rules{});
    return;
  }
  if (!one.placed) one.target = key_in(attempt.scope, one.key);
  Search::Rules rules;
  rules.paths = attempt.paths;
  rules.enough = attempt.paths == 1 ? kBucketSize : kEnoughDisjoint;
  if (one.publishes(DataKind::kPointer)) rules.enough = kPointerCopies;
  rules.per_prefix = settings_.limits.per_prefix_lookup;
  rules.nodes = table->nodes_estimate();
  rules.by_rtt = settings_.policy == Policy::kNear;
  one.search.emplace(head(one.target), rules);
  std::vector<View::Entry> entries;
  table->closest(book_, head(one.target), kBucketSize * attempt.paths, SIZE_MAX, entries);
  std::vector<Candidate> own;
  for (const auto& entry : entries) {
    Candidate candidate{book_.told(entry.contact, entry.position())};
    const auto rtt = book_[entry.contact].rtt;
    candidate.rtt_ms = rtt != 0 ? static_cast<float>(rtt) / 16 : estimate_ms(candidate.told);
    own.push_back(candidate);
  }
  // A value that we hold ourselves counts as one answer: others may have a newer one.
  if (one.kind == LookupKind::kValue && !one.found)
    if (const auto* held = store_.find(one.target, seconds(now)); held != nullptr && held->kind == DataKind::kValue)
      if (check(DataKind::kValue, held->data, one.key, one.best_sequence, unix_at(now))) {
        one.best = held->data;
        one.found = true;
      }
  name_it(one, own, 0, now, actions);
  one.search->start(std::move(own));
}

Kad::Impl::Sent Kad::Impl::request(Pending pending, Message out, std::size_t pad_to, bool maintenance, Instant now,
                                   Actions& actions) {
  if (!usable(pending.endpoint) || pending.key == config_.certificate.key) return Sent::kNever;
  if (pending_.size() >= settings_.limits.pending) return Sent::kWait;
  if (!flows_.allow(pending.endpoint, now, maintenance)) {
    ++stats_.flow_waits;
    return Sent::kWait;
  }
  pending.transaction = out.transaction = random_.next_u64();
  pending.sent = now;
  if (pending.soft <= now) pending.soft = now + kHardTimeout;
  pending.hard = std::max(pending.soft, now + kHardTimeout);
  emit(pending.key, pending.endpoint, encode(out, kMaxPayload, pad_to), actions);
  pending_.push_back(std::move(pending));
  return Sent::kYes;
}

void Kad::Impl::pump(LookupId id, Instant now, Actions& actions) {
  auto* one = lookup(id);
  if (one == nullptr || !one->search || one->storing) return;
  const auto& attempt = one->plan[one->step];
  const auto* table = view(attempt.scope);
  while (table != nullptr) {
    const auto pick = one->search->next();
    if (!pick) break;
    Pending pending;
    pending.key = pick->told.key;
    pending.endpoint = pick->told.endpoint;
    pending.purpose = Purpose::kLookup;
    pending.lookup = id;
    pending.step = one->step;
    pending.path = static_cast<std::uint32_t>(pick->path);
    pending.depth = pick->depth;
    pending.position = pick->told.position;
    pending.scope = attempt.scope;
    const auto known = book_.find(pending.key);
    const bool measured = known != kNoContact && book_[known].rtt != 0;
    const double ms = measured ? static_cast<double>(book_[known].rtt) / 16 : estimate_ms(pick->told);
    // A guess may be wrong by much: it gets more patience than a measurement.
    pending.soft = now + milliseconds(measured ? std::clamp(1.5 * ms + 50, 150.0, 1500.0)
                                               : std::clamp(2.0 * ms + 100, 300.0, 1500.0));
    auto out = message(Type::kFind, 0);
    out.find = one->kind == LookupKind::kNodes ? Find::kNodes : Find::kData;
    out.scope = attempt.scope;
    out.target = one->target;
    out.position = serves() ? table->self() : 0;
    out.wants_proof = known == kNoContact;
    const auto sent = request(std::move(pending), std::move(out), kMaxPayload, one->silent, now, actions);
    if (sent == Sent::kYes) continue;
    if (sent == Sent::kWait) {
      one->search->put_back(pick->path, pick->told.key);
      one->wait_until = flows_.next_token(now);
      return;
    }
    one->search->failed(pick->path, pick->told.key);
  }
  if (table == nullptr || one->search->finished()) step_done(*one, now, actions);
}

void Kad::Impl::name_it(Lookup& one, std::span<const Candidate> told, unsigned depth, Instant now, Actions& actions) {
  if (one.kind != LookupKind::kRecord) return;
  for (const auto& candidate : told) {
    if (candidate.told.position != head(one.target) || one.names >= kNames) continue;
    ++one.names;
    if (!one.named_at) {
      one.named_at = now;
      one.named_hops = depth;
    }
    actions.named.push_back({one.id, {candidate.told.key, candidate.told.endpoint}});
  }
}

void Kad::Impl::found_data(Lookup& one, std::uint32_t path, const Message& m, const crypto::X25519Public& from,
                           float rtt_ms, unsigned depth, Instant now, Actions& actions) {
  std::uint64_t sequence = 0;
  if (!answers(one.kind, m.kind) || !check(m.kind, m.data, one.key, sequence, unix_at(now))) {
    ++stats_.refused;  // forged or stale: whoever says so has not answered
    one.search->failed(path, from);
    return;
  }
  if (!one.search->answered(path, from, m.token, rtt_ms, {})) return;
  one.search->end_path(path);
  if (m.kind == DataKind::kRecord) actions.learned.push_back({m.data});
  if (one.found && sequence != one.best_sequence) one.conflict = true;
  if (!one.found || sequence > one.best_sequence) {
    one.best = m.data;
    one.best_kind = m.kind;
    one.best_sequence = sequence;
    one.hops = depth;
  }
  one.found = true;
  if (one.kind == LookupKind::kRecord) finish(one.id, now, actions);
}

void Kad::Impl::step_done(Lookup& one, Instant now, Actions& actions) {
  one.requests += one.search->requests();
  if (one.store != nullptr || one.kind == LookupKind::kNodes) {
    const auto closest = one.search->closest(one.publishes(DataKind::kPointer) ? kPointerCopies : kBucketSize);
    const auto* table = view(one.plan[one.step].scope);
    if (one.store == nullptr || table == nullptr) {
      for (const auto& c : closest) one.nodes.push_back({c.told.key, c.told.endpoint});
      one.found = !closest.empty();
      return finish(one.id, now, actions);
    }
    // Far denser around the key than anywhere else: Sybils, perhaps. Then it is stored on more nodes than they have.
    const auto dense = [&](std::size_t rank) {
      if (closest.size() < rank) return false;
      const auto far = std::ldexp(static_cast<double>(closest[rank - 1].told.position ^ head(one.target)), -64);
      return far < static_cast<double>(rank) / table->nodes_estimate() / kDense;
    };
    if (!one.widened && settings_.policy == Policy::kNear && (dense(8) || dense(12) || dense(kBucketSize))) {
      one.widened = true;
      one.search->want(kDenseStore);
      return pump(one.id, now, actions);
    }
    return store_all(one, now, actions);
  }
  const bool last = one.step + 1 == one.plan.size();
  if (one.found && (!one.conflict || last)) return finish(one.id, now, actions);
  if (last) return finish(one.id, now, actions);
  one.step = one.found ? static_cast<std::uint32_t>(one.plan.size() - 1) : one.step + 1;  // conflict: 8 paths at once
  start_step(one, now, actions);
  pump(one.id, now, actions);
}

void Kad::Impl::store_all(Lookup& one, Instant now, Actions& actions) {
  const auto scope = one.plan[one.step].scope;
  const auto* table = view(scope);
  const auto copies = one.publishes(DataKind::kPointer) ? kPointerCopies : kBucketSize;
  const auto closest = one.search->closest(one.widened ? kDenseStore : copies);
  one.storing = true;
  const auto target = head(one.target);
  if (serves() && (closest.size() < copies || (table->self() ^ target) < (closest.back().told.position ^ target))) {
    Held held{one.target, *one.store, 0, 0, one.store_kind, 0};
    if (check(one.store_kind, held.data, one.key, held.sequence, unix_at(now))) {
      held.until =
          seconds(now) + static_cast<std::uint32_t>(
                             std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.record_life).count());
      if (store_.put(std::move(held), table->self(), seconds(now))) ++one.stored;
    }
  }
  for (const auto& candidate : closest) {
    if (candidate.token == 0) continue;
    Pending pending;
    pending.key = candidate.told.key;
    pending.endpoint = candidate.told.endpoint;
    pending.purpose = Purpose::kStore;
    pending.forgiven = one.store_kind == DataKind::kPointer;
    pending.lookup = one.id;
    auto out = message(Type::kStore, 0);
    out.token = candidate.token;
    out.scope = scope;
    out.kind = one.store_kind;
    out.target = one.key;
    out.data = *one.store;
    if (request(std::move(pending), std::move(out), kMinRequest, false, now, actions) == Sent::kYes)
      ++one.stores_waiting;
  }
  if (one.stores_waiting == 0) finish(one.id, now, actions);
}

void Kad::Impl::finish(LookupId id, Instant now, Actions& actions) {
  const auto it = std::ranges::find(lookups_, id, [](const auto& one) { return one->id; });
  if (it == lookups_.end()) return;
  const auto one = std::move(*it);
  lookups_.erase(it);
  std::erase_if(pending_, [&](const Pending& p) { return p.lookup == id && p.is_slow; });
  if (one->store != nullptr) one->found = one->stored > 0;
  if (one->fills) {
    // Our neighbourhood is known: now every bucket, quickly.
    for (const auto& table : views_) refresh_left_ += std::min(table->deepest_bucket(), 63u) + 1;
    refresh_left_ = std::min<std::uint32_t>(refresh_left_, 256);
    refresh_cursor_ = 0;
    next_refresh_ = now;
    // Those that we asked had not heard of us, and datagrams are lost: again until we know enough, and once more.
    if (settle_left_ > 0) {
      --settle_left_;
      next_settle_ = now + (book_.size() < kSiblings ? kSettle : 3 * kSettle);
      if (book_.size() >= kSiblings) settle_left_ = 0;
    }
  }
  if (one->silent) return;
  if (one->found) ++stats_.lookups_found;
  LookupDone done;
  done.id = id;
  done.kind = one->kind;
  done.key = one->key;
  done.found = one->found;
  done.data = one->store != nullptr ? Bytes() : std::move(one->best);
  done.pointer = done.found && one->store == nullptr && one->best_kind == DataKind::kPointer;
  done.nodes = std::move(one->nodes);
  done.hops = one->hops;
  done.requests = one->requests + (one->search && one->kind != LookupKind::kNodes && one->store == nullptr && one->found
                                       ? one->search->requests()
                                       : 0);
  done.stored = one->stored;
  done.took = now - one->started;
  done.named_hops = one->named_at ? one->named_hops : one->hops;
  done.named = one->named_at ? *one->named_at - one->started : done.took;
  actions.done.push_back(std::move(done));
}

LookupId Kad::Impl::publish(const Publication& publication, bool report, Instant now, Actions& actions) {
  LookupId first = 0;
  std::vector<LookupId> started;
  const auto main = primary().scope();
  for (const auto& table : views_) {
    // Pointers are many: the other rings only shorten searches.
    if (publication.kind == DataKind::kPointer && table->scope().ring != Ring::kGlobal) continue;
    auto& one = new_lookup(publication.key, LookupKind::kNodes, now);
    one.silent = !report || table->scope() != main;
    if (!one.silent) first = one.id;
    one.store = publication.data;
    one.store_kind = publication.kind;
    one.plan = {{table->scope(), 1}};
    start_step(one, now, actions);
    started.push_back(one.id);
  }
  for (const auto id : started) pump(id, now, actions);
  return first;
}

void Kad::Impl::search_position(const Scope& scope, Position target, bool fills, Instant now, Actions& actions) {
  if (lookups_.size() >= 2 * settings_.limits.lookups) return;
  auto& one = new_lookup({}, LookupKind::kNodes, now);
  one.silent = true;
  one.fills = fills;
  Writer key;
  key.u64(target);
  std::ranges::copy(key.out, one.target.bytes.begin());
  one.placed = true;
  one.plan = {{scope, 1}};
  start_step(one, now, actions);
  pump(one.id, now, actions);
}

}  // namespace bonus::net::kad
