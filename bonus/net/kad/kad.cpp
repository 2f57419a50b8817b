// The public calls, publications and status.
#include "bonus/net/kad/kad.hpp"

#include "bonus/crypto/hash.hpp"
#include "bonus/net/kad/bytes_io.hpp"
#include "bonus/net/kad/kad_impl.hpp"

namespace bonus::net::kad {

namespace {

constexpr std::size_t kMaxPublications = 64, kMaxSeeds = 16;
constexpr UnixSeconds kJump = 600;  // of the wall clock against the steady one

std::uint64_t ring_id_of(Ring ring, const std::string& label) {
  if (label.empty()) return 0;
  Writer in;
  in.bytes(as_bytes("bonus/ring/v1"));
  in.u8(static_cast<std::uint8_t>(ring));
  in.bytes(as_bytes(label));
  return std::max<std::uint64_t>(Reader(crypto::sha256(in.out)).u64(), 1);
}

Config complete(Config config) {
  static const auto kDefaults = std::make_shared<const Settings>();
  if (config.settings == nullptr) config.settings = kDefaults;
  if (config.pool == nullptr) config.pool = std::make_shared<IdentityPool>();
  return config;
}

}  // namespace

Hash32 key_at(const Hash32& key, std::uint64_t epoch, const Hash32& beacon, Ring ring, std::uint64_t ring_id) {
  Writer in;
  in.bytes(as_bytes("bonus/dht-key/v1"));
  in.bytes(key);
  in.u64(epoch);
  in.bytes(beacon);
  in.u8(static_cast<std::uint8_t>(ring));
  in.u64(ring_id);
  return crypto::sha256(in.out);
}

Position position_of(const Ed25519PublicKey& root, std::uint64_t epoch, const Hash32& beacon, Ring ring,
                     std::uint64_t ring_id) {
  const auto address = overlay_address(crypto::node_id(root));
  return Reader(key_at(address_key(address), epoch, beacon, ring, ring_id)).u64();
}

Kad::Impl::Impl(Config config, runtime::Random& random, const Checker& checker, Instant now, UnixSeconds unix_now)
    : config_(complete(std::move(config))),
      settings_(*config_.settings),
      random_(random),
      checker_(checker),
      start_(now),
      unix_start_(unix_now),
      pool_(config_.pool),
      book_(*pool_, std::min<std::size_t>(settings_.limits.contacts, kNoContact)),
      flows_(settings_, config_.serves_dht && !settings_.assume_reachable && !settings_.allow_private),
      store_(settings_.limits.records, settings_.limits.pointers),
      tokens_(random),
      strangers_(settings_.limits.requests_per_second, settings_.limits.request_burst),
      dials_(1, 5),
      own_pointers_(settings_.periods.republish),
      reachable_(settings_.assume_reachable) {
  ring_ids_ = {0, ring_id_of(Ring::kCountry, config_.country), ring_id_of(Ring::kMetro, config_.metro)};
  coordinate_.x = static_cast<float>(random_.below(1000)) / 1000;
  coordinate_.y = static_cast<float>(random_.below(1000)) / 1000;
  add_views(epoch_at(now));
  rotate_epochs(now);
  next_refresh_ = now + settings_.periods.refresh;
  next_check_ = now + std::min<Duration>(settings_.periods.probe, std::chrono::seconds(30));
  next_expire_ = now + std::chrono::minutes(1);
  next_dial_ = now;
  next_settle_ = now + std::chrono::hours(24 * 365);
}

std::uint32_t Kad::Impl::seconds(Instant now) const {
  return static_cast<std::uint32_t>(1 + std::chrono::duration_cast<std::chrono::seconds>(now - start_).count());
}

UnixSeconds Kad::Impl::unix_at(Instant now) const {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - start_).count();
  return static_cast<UnixSeconds>(static_cast<std::int64_t>(unix_start_) + passed);
}

std::uint64_t Kad::Impl::epoch_at(Instant now) const {
  const auto length = std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.epoch).count();
  return unix_at(now) / static_cast<std::uint64_t>(std::max<std::int64_t>(length, 1));
}

Hash32 Kad::Impl::beacon(std::uint64_t epoch) const { return settings_.beacon ? settings_.beacon(epoch) : Hash32{}; }

void Kad::Impl::add_views(std::uint64_t epoch) {
  std::vector<std::unique_ptr<View>> fresh;
  for (const Ring ring : {Ring::kGlobal, Ring::kCountry, Ring::kMetro}) {
    const auto id = ring_ids_[static_cast<std::size_t>(ring)];
    if (ring != Ring::kGlobal && id == 0) continue;
    const Scope scope{ring, id, static_cast<std::uint32_t>(epoch)};
    fresh.push_back(std::make_unique<View>(scope, position_at(scope, config_.root), settings_));
  }
  views_.insert(views_.begin(), std::make_move_iterator(fresh.begin()), std::make_move_iterator(fresh.end()));
}

void Kad::Impl::rotate_epochs(Instant now) {
  const auto length = std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.epoch).count();
  const auto overlap = std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.overlap).count();
  const auto epoch = static_cast<std::uint32_t>(epoch_at(now));
  const auto unix_now = static_cast<std::int64_t>(unix_at(now));
  const auto into = unix_now - static_cast<std::int64_t>(epoch) * length;
  if (views_.front()->scope().epoch != epoch) {
    const auto known = views_.size();
    add_views(epoch);
    // Everybody we know moves; who stands close to our new place is found by searching for it.
    const auto added = views_.size() - known;
    for (std::size_t i = 0; i < added; ++i) {
      auto& fresh = *views_[i];
      for (std::size_t c = 0; c < book_.slots(); ++c) {
        const auto contact = static_cast<ContactIndex>(c);
        if (!book_.used(contact)) continue;
        if (fresh.scope().ring != Ring::kGlobal) {  // only members of the old one are known to belong
          const auto old = view({fresh.scope().ring, fresh.scope().ring_id, epoch - 1});
          if (old == nullptr ||
              std::ranges::find(old->entries(), contact, &View::Entry::contact) == old->entries().end())
            continue;
        }
        fresh.insert(book_, contact, position_in(fresh, book_[contact].identity));
      }
    }
    for (auto& one : publications_) one.due = now;
    own_pointers_.moved(pointer_place(), now);
    filled_ = false;
    next_refresh_ = now;
  }
  // Views of the epoch before live as long as the overlap; older ones and ones of a clock set back go.
  std::erase_if(views_, [&](const auto& one) {
    const auto e = one->scope().epoch;
    const bool keep = e == epoch || (e + 1 == epoch && into < overlap);
    if (!keep) one->clear(book_);
    return !keep;
  });
  old_first_ = into < overlap / 2;
  const auto boundary = static_cast<std::int64_t>(epoch + std::int64_t{1}) * length;
  auto wait = boundary - unix_now;
  if (into < overlap / 2) wait = std::min(wait, overlap / 2 - into);
  if (into < overlap) wait = std::min(wait, overlap - into);
  next_epoch_ = now + std::chrono::seconds(std::max<std::int64_t>(wait, 1));
}

View* Kad::Impl::view(const Scope& scope) const {
  for (const auto& one : views_)
    if (one->scope() == scope) return one.get();
  return nullptr;
}

const View& Kad::Impl::primary() const {
  // In the first half of the overlap the old positions are complete and the new ones are still being found.
  if (old_first_)
    for (const auto& one : views_)
      if (one->scope().ring == Ring::kGlobal && one->scope().epoch != views_.front()->scope().epoch) return *one;
  return *views_.front();
}

bool Kad::Impl::serves() const { return config_.serves_dht && reachable_; }

bool Kad::Impl::usable(const UdpEndpoint& endpoint) const {
  if (!endpoint.valid() || is_overlay(endpoint.address)) return false;
  return settings_.allow_private || is_global_unicast(endpoint.address);
}

Kad::Kad(Config config, runtime::Random& random, const Checker& checker, Instant now, UnixSeconds unix_now)
    : impl_(std::make_unique<Impl>(std::move(config), random, checker, now, unix_now)) {}
Kad::~Kad() = default;

void Kad::bootstrap(std::span<const Seed> seeds, Instant now, Actions& actions) {
  for (const auto& seed : seeds) {
    if (seed.key == impl_->config_.certificate.key || impl_->seeds_.size() >= kMaxSeeds) continue;
    if (std::ranges::find(impl_->seeds_, seed.key, &Impl::ToProbe::key) == impl_->seeds_.end())
      impl_->seeds_.push_back({seed.key, seed.endpoint, seed.id});
    impl_->probe({seed.key, seed.endpoint, seed.id});
  }
  impl_->pump_probes(now, actions);
}

Result<> Kad::on_payload(const crypto::X25519Public& from, const UdpEndpoint& endpoint, BytesView payload, Instant now,
                         Actions& actions) {
  ++impl_->stats_.received;
  impl_->stats_.bytes_received += payload.size();
  auto out = impl_->receive(from, endpoint, payload, now, actions);
  if (!out) ++(out.error().code == ErrorCode::kInvalid ? impl_->stats_.malformed : impl_->stats_.refused);
  return out;
}

void Kad::on_timer(Instant now, Actions& actions) { impl_->timer(now, actions); }
std::optional<Instant> Kad::next_timer() const { return impl_->next(); }

void Kad::set_wall_clock(Instant now, UnixSeconds unix_now) {
  const auto passed = std::chrono::duration_cast<std::chrono::seconds>(now - impl_->start_).count();
  const auto expected = impl_->unix_at(now);
  impl_->unix_start_ =
      unix_now - static_cast<UnixSeconds>(std::min<std::int64_t>(passed, static_cast<std::int64_t>(unix_now)));
  impl_->rotate_epochs(now);
  // The machine slept, or its clock was wrong: what others hold of us may be forgotten, and contacts gone.
  if (std::max(expected, unix_now) - std::min(expected, unix_now) > kJump) {
    for (auto& one : impl_->publications_) one.due = now;
    impl_->own_pointers_.moved(impl_->pointer_place(), now);
    impl_->next_refresh_ = impl_->next_check_ = impl_->next_dial_ = now;
  }
}

void Kad::set_certificate(const TunnelCertificate& certificate) { impl_->config_.certificate = certificate; }

Result<> Kad::set_own_record(Bytes record, Instant now, Actions& actions) {
  TRY_ASSIGN(const auto facts, impl_->checker_.record(record, impl_->unix_at(now)));
  if (facts.root != impl_->config_.root) return fail(ErrorCode::kDenied, "DHT: the record is another node's");
  const auto shared = std::make_shared<const Bytes>(std::move(record));
  clear_own_record();
  for (const auto& key : facts.keys)
    impl_->publications_.push_back({key, DataKind::kRecord, shared, facts.sequence, now});
  impl_->timer(now, actions);
  return {};
}

void Kad::clear_own_record() {
  std::erase_if(impl_->publications_,
                [](const auto& one) { return one.kind == DataKind::kRecord && one.proxied.is_zero(); });
}

Result<> Kad::set_own_pointers(std::span<const Bytes> containers, Instant now, Actions& actions) {
  TRY(impl_->own_pointers_.set(impl_->config_.root, containers, impl_->pointer_place(), now));
  impl_->timer(now, actions);
  return {};
}

Result<> Kad::publish_for(Bytes record, Instant now, Actions& actions) {
  TRY_ASSIGN(const auto facts, impl_->checker_.record(record, impl_->unix_at(now)));
  if (facts.root == impl_->config_.root) return fail(ErrorCode::kDenied, "DHT: the record is our own");
  auto& all = impl_->publications_;
  const auto former = std::ranges::find(all, facts.root, &Impl::Publication::proxied);
  if (former != all.end() && former->sequence >= facts.sequence) return {};
  withdraw_for(facts.root);
  const auto proxied =
      static_cast<std::size_t>(std::ranges::count_if(all, [](const auto& one) { return !one.proxied.is_zero(); }));
  if (proxied + facts.keys.size() > kMaxProxied)
    return fail(ErrorCode::kExhausted, "DHT: this node publishes for too many others already");
  const auto shared = std::make_shared<const Bytes>(std::move(record));
  for (const auto& key : facts.keys) all.push_back({key, DataKind::kRecord, shared, facts.sequence, now, facts.root});
  impl_->timer(now, actions);
  return {};
}

void Kad::withdraw_for(const Ed25519PublicKey& root) {
  std::erase_if(impl_->publications_, [&](const auto& one) { return one.proxied == root; });
}

Result<LookupId> Kad::lookup(const Hash32& key, LookupKind kind, Instant now, Actions& actions) {
  if (impl_->lookups_.size() >= impl_->settings_.limits.lookups)
    return fail(ErrorCode::kExhausted, "DHT: too many lookups are under way");
  ++impl_->stats_.lookups;
  auto& one = impl_->new_lookup(key, kind, now);
  const auto id = one.id;
  if (impl_->local_answer(one, now)) {
    impl_->finish(id, now, actions);
    return id;
  }
  one.plan = impl_->plan_for(kind);
  impl_->start_step(one, now, actions);
  impl_->pump(id, now, actions);
  return id;
}

Result<LookupId> Kad::find_address(const Ipv6& address, Instant now, Actions& actions) {
  return lookup(address_key(address), LookupKind::kRecord, now, actions);
}

Result<LookupId> Kad::put_value(const SignedValue& value, Instant now, Actions& actions) {
  auto encoded = encode_value(value);
  TRY(impl_->checker_.value(encoded));
  const auto key = value_key(value.key, value.salt);
  const auto same = [&](const auto& one) { return one.kind == DataKind::kValue && one.key == key; };
  const auto it = std::ranges::find_if(impl_->publications_, same);
  if (it != impl_->publications_.end() &&
      (it->sequence > value.sequence || (it->sequence == value.sequence && *it->data != encoded)))
    return fail(ErrorCode::kConflict, "DHT: a newer value of this key is being published");
  if (impl_->lookups_.size() >= impl_->settings_.limits.lookups ||
      (it == impl_->publications_.end() &&
       static_cast<std::size_t>(std::ranges::count(impl_->publications_, DataKind::kValue, &Impl::Publication::kind)) >=
           kMaxPublications))
    return fail(ErrorCode::kExhausted, "DHT: too many values or lookups");
  Impl::Publication fresh{key, DataKind::kValue, std::make_shared<const Bytes>(std::move(encoded)), value.sequence,
                          now + impl_->settings_.periods.republish};
  if (it == impl_->publications_.end())
    impl_->publications_.push_back(fresh);
  else
    *it = fresh;
  return impl_->publish(fresh, true, now, actions);
}

void Kad::withdraw_value(const Hash32& key) {
  std::erase_if(impl_->publications_, [&](const auto& one) { return one.kind == DataKind::kValue && one.key == key; });
}

Result<LookupId> Kad::get_value(const Ed25519PublicKey& key, BytesView salt, Instant now, Actions& actions) {
  return lookup(value_key(key, salt), LookupKind::kValue, now, actions);
}

void Kad::cancel(LookupId id) {
  std::erase_if(impl_->lookups_, [&](const auto& one) { return one->id == id && !one->silent; });
}

void Kad::on_contact_rtt(const crypto::X25519Public& key, Duration rtt, Instant now) {
  const auto contact = impl_->book_.find(key);
  if (contact == kNoContact || rtt <= Duration::zero()) return;
  impl_->book_.measured(contact, rtt);
  impl_->book_[contact].hear(impl_->seconds(now));
}

std::optional<Duration> Kad::rtt_of(const crypto::X25519Public& key) const {
  const auto contact = impl_->book_.find(key);
  if (contact == kNoContact) return std::nullopt;
  const auto& state = impl_->book_[contact];
  if (state.rtt != 0) return unpack_rtt(state.rtt);
  const auto ms = predict_ms(impl_->coordinate_, unpack({state.x, state.y, state.height, 1000}));
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(ms));
}

bool Kad::restore(const Contact& contact, const Ed25519PublicKey& root, Duration rtt, const Coordinate& coordinate,
                  Instant now) {
  return impl_->enter(contact.key, root, contact.endpoint, pack_rtt(rtt), pack(coordinate), nullptr, now);
}

void Kad::set_coordinate(const Coordinate& coordinate) { impl_->coordinate_ = coordinate; }

void Kad::refresh_now(Instant now, Actions& actions) {
  for (std::size_t i = 0; i < impl_->views_.size(); ++i) {
    auto& view = *impl_->views_[i];
    for (unsigned b = 0; b <= std::min(view.deepest_bucket(), 63u); ++b) impl_->refresh_bucket(view, b, now, actions);
  }
  impl_->pump_probes(now, actions);
}

const Stats& Kad::stats() const { return impl_->stats_; }

Status Kad::status(Instant now) const {
  const auto& in = *impl_;
  const auto& main = in.primary();
  Status out;
  out.epoch = main.scope().epoch;
  out.position = main.self();
  out.serves = in.serves();
  out.reachable = in.reachable_;
  out.contacts = main.entries().size();
  out.siblings = std::min(out.contacts, kSiblings);
  Duration sum{};
  std::size_t measured = 0;
  for (const auto& entry : main.entries()) {
    out.old += entry.role == View::Role::kOld;
    if (entry.role != View::Role::kNear) continue;
    ++out.near;
    if (in.book_[entry.contact].rtt == 0) continue;
    sum += unpack_rtt(in.book_[entry.contact].rtt);
    ++measured;
  }
  if (measured > 0) out.near_rtt = sum / static_cast<std::int64_t>(measured);
  out.buckets = main.entries().empty() ? 0 : main.deepest_bucket() + 1;
  out.memory_bytes = sizeof(Kad) + sizeof(Impl) + in.book_.memory_bytes() + in.flows_.memory_bytes() +
                     in.views_.capacity() * sizeof(in.views_[0]) + in.pending_.capacity() * sizeof(Impl::Pending) +
                     in.lookups_.capacity() * sizeof(in.lookups_[0]) + in.lookups_.size() * sizeof(Impl::Lookup) +
                     in.publications_.capacity() * sizeof(Impl::Publication) + in.own_pointers_.memory_bytes() +
                     in.probes_.capacity() * sizeof(Impl::ToProbe) + in.visitors_.capacity() * sizeof(Contact);
  for (const auto& one : in.views_) {
    out.memory_bytes += one->memory_bytes();
    if (one->scope().ring == Ring::kCountry) out.country = one->entries().size();
    if (one->scope().ring == Ring::kMetro) out.metro = one->entries().size();
  }
  out.identity_bytes = in.book_.size() * (sizeof(Identity) + 4 * sizeof(void*));
  out.records = in.store_.size();
  out.pointers = in.store_.pointers();
  out.own_pointers = in.own_pointers_.size();
  out.record_bytes = in.store_.data_bytes();
  out.lookups = in.lookups_.size();
  out.pending = in.pending_.size();
  out.flows = in.flows_.live(now);
  out.nodes_estimate = main.nodes_estimate();
  out.coordinate = in.coordinate_;
  return out;
}

std::vector<TableEntry> Kad::table(Instant now) const {
  std::vector<TableEntry> out;
  const auto& in = *impl_;
  const auto at = in.seconds(now);
  for (const auto& view : in.views_) {
    for (std::size_t i = 0; i < view->entries().size(); ++i) {
      const auto& entry = view->entries()[i];
      const auto& state = in.book_[entry.contact];
      const auto& who = in.book_.identity(entry.contact);
      TableEntry row;
      row.key = who.key;
      row.root = who.root;
      row.endpoint = who.endpoint;
      row.ring = view->scope().ring;
      row.epoch = view->scope().epoch;
      row.position = entry.position();
      row.bucket = view->bucket_of(entry.position());
      row.slot = entry.role == View::Role::kNear  ? Slot::kNear
                 : entry.role == View::Role::kOld ? Slot::kOld
                                                  : Slot::kSibling;
      row.sibling = view->is_sibling(i);
      row.rtt = unpack_rtt(state.rtt);
      row.coordinate = unpack({state.x, state.y, state.height, 1000});
      row.known_for = std::chrono::seconds(state.known_for(at));
      row.silent_for = std::chrono::seconds(state.silent_for(at));
      row.failures = state.failures;
      out.push_back(row);
    }
  }
  return out;
}

std::optional<Bytes> Kad::held_record(const Ipv6& address) const {
  for (const auto& view : impl_->views_) {
    const auto key = impl_->key_in(view->scope(), address_key(address));
    for (const auto& held : impl_->store_.all())
      if (held.key == key && held.kind == DataKind::kRecord) return held.data;
  }
  return std::nullopt;
}

}  // namespace bonus::net::kad
