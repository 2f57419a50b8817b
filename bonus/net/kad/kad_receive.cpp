// Kad: what arrives. Requests are answered with no more bytes than they had until the sender's address is proven by a
// token; answers are matched to requests by transaction and key.
#include "bonus/net/kad/bytes_io.hpp"
#include "bonus/net/kad/kad_impl.hpp"

namespace bonus::net::kad {

namespace {

constexpr std::size_t kVisitors = 4;
constexpr std::size_t kCrowds = 20, kCrowdsKnown = 1024;  // a network's share of strangers' requests in need

Position head(const Hash32& key) { return Reader(key).u64(); }
Error refused(std::string_view what) { return {ErrorCode::kDenied, "DHT: " + std::string(what)}; }

bool is_answer(Type type) {
  return type == Type::kPong || type == Type::kNodes || type == Type::kValue || type == Type::kStored;
}

}  // namespace

Message Kad::Impl::message(Type type, std::uint64_t transaction) const {
  Message out;
  out.type = type;
  out.transaction = transaction;
  out.serves = serves();
  out.coordinate = pack(coordinate_);
  return out;
}

void Kad::Impl::emit(const crypto::X25519Public& to, const UdpEndpoint& endpoint, Bytes payload, Actions& actions) {
  ++stats_.sent;
  stats_.bytes_sent += payload.size();
  actions.sends.push_back({to, endpoint, std::move(payload)});
}

Proof Kad::Impl::proof() const {
  const auto& c = config_.certificate;
  return {config_.root, c.not_before, c.expires, c.signature, ring_ids_[1], ring_ids_[2]};
}

Position Kad::Impl::position_in(const View& view, IdentityPool::Id identity) {
  const auto& scope = view.scope();
  if (scope.ring == Ring::kGlobal) return pool_->position(identity, scope.epoch, beacon(scope.epoch), checker_);
  return position_at(scope, (*pool_)[identity].root);
}

Hash32 Kad::Impl::key_in(const Scope& scope, const Hash32& key) const {
  return key_at(key, scope.epoch, beacon(scope.epoch), scope.ring, scope.ring_id);
}

const Kad::Impl::Publication* Kad::Impl::published(const Scope& scope, const Hash32& at) {
  for (auto& own : publications_) {
    if (own.cached_scope != scope) {
      own.cached_scope = scope;
      own.cached_key = key_in(scope, own.key);
    }
    if (own.cached_key == at) return &own;
  }
  return nullptr;
}

Position Kad::Impl::position_at(const Scope& scope, const Ed25519PublicKey& root) const {
  return checker_.position(root, scope.epoch, beacon(scope.epoch), scope.ring, scope.ring_id);
}

float Kad::Impl::estimate_ms(const Told& told) const {
  return static_cast<float>(predict_ms(coordinate_, unpack(told.coordinate)));
}

bool Kad::Impl::enter(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint,
                      std::uint16_t rtt, const PackedCoordinate& coordinate, const Proof* proof, Instant now) {
  if (root == config_.root || key == config_.certificate.key || !usable(endpoint)) return false;
  auto contact = book_.find(key);
  const bool known = contact != kNoContact;
  if (!known) {
    // Most candidates are refused: look before taking a place.
    const auto kept = pool_->find(key, root, endpoint);
    const auto wanted = [&](const auto& view) {
      if (view->scope().ring != Ring::kGlobal) return proof != nullptr;
      const auto position = kept == UINT32_MAX ? position_at(view->scope(), root) : position_in(*view, kept);
      return view->wants(book_, position, endpoint, rtt);
    };
    if (!std::ranges::any_of(views_, wanted)) return false;
    contact = book_.add(key, root, endpoint, seconds(now));
    if (contact == kNoContact) return false;
  }
  auto& state = book_[contact];
  state.rtt = rtt;
  state.x = coordinate.x;
  state.y = coordinate.y;
  state.height = coordinate.height;
  bool taken = false;
  for (const auto& view : views_) {
    const auto& scope = view->scope();
    if (scope.ring != Ring::kGlobal) {
      const auto claimed = proof == nullptr ? 0 : scope.ring == Ring::kCountry ? proof->country : proof->metro;
      const auto limit = scope.ring == Ring::kCountry ? kCountryRtt : kMetroRtt;
      if (claimed != scope.ring_id || rtt == 0 || unpack_rtt(rtt) > limit) continue;
      if (settings_.admits && !settings_.admits(scope.ring, scope.ring_id, endpoint)) continue;
    }
    if (view->insert(book_, contact, position_in(*view, book_[contact].identity))) taken = true;
  }
  book_.drop_unused(contact);
  return taken;
}

bool Kad::Impl::useful(const Ed25519PublicKey& root, const UdpEndpoint& endpoint, Duration rtt) const {
  return std::ranges::any_of(views_, [&](const auto& view) {
    return view->wants(book_, position_at(view->scope(), root), endpoint, pack_rtt(rtt));
  });
}

void Kad::Impl::adopt(const crypto::X25519Public& key, const UdpEndpoint& endpoint, const Proof& proof, Duration rtt,
                      const PackedCoordinate& coordinate, Instant now, Actions& actions) {
  if (!enter(key, proof.root, endpoint, pack_rtt(rtt), coordinate, &proof, now)) return;
  // With few contacts each new one may know others that nobody here does.
  if (book_.size() < kSiblings) next_settle_ = std::min(next_settle_, now + std::chrono::seconds(4));
  if (filled_) return;
  filled_ = true;
  settle_left_ = 4;
  for (const auto& view : views_) search_position(view->scope(), view->self(), true, now, actions);
}

bool Kad::Impl::stands_there(const Pending& pending, const std::optional<Proof>& proof) {
  const auto* table = view(pending.scope);
  if (table == nullptr) return false;
  if (const auto contact = book_.find(pending.key); contact != kNoContact)
    return position_in(*table, book_[contact].identity) == pending.position;
  return proof && position_at(table->scope(), proof->root) == pending.position;
}

void Kad::Impl::remove(ContactIndex contact) {
  for (const auto& view : views_) {
    if (!book_.used(contact)) return;
    view->remove(book_, contact);
  }
}

void Kad::Impl::failed(const crypto::X25519Public& key) {
  const auto contact = book_.find(key);
  if (contact != kNoContact && ++book_[contact].failures >= 2) remove(contact);
}

Result<> Kad::Impl::receive(const crypto::X25519Public& from, const UdpEndpoint& endpoint, BytesView payload,
                            Instant now, Actions& actions) {
  TRY_ASSIGN(const auto m, decode(payload));
  if (from == config_.certificate.key || !usable(endpoint)) return fail(refused("from ourselves or nowhere"));
  if (is_answer(m.type)) return on_answer(m, from, endpoint, now, actions);
  return on_request(m, payload.size(), from, endpoint, now, actions);
}

bool Kad::Impl::stranger_allowed(const UdpEndpoint& endpoint, Instant now) {
  // Where all nodes share a prefix (a LAN), it tells nothing.
  if (strangers_.scarce(now) && settings_.limits.per_prefix_lookup != SIZE_MAX) {
    const auto& limits = settings_.limits;
    if (crowds_ == nullptr)
      crowds_ = std::make_unique<PrefixLimiter>(limits.requests_per_second / kCrowds, limits.request_burst / kCrowds,
                                                kCrowdsKnown);
    if (!crowds_->allow(endpoint.address, now)) return false;
  }
  return strangers_.take(now);
}

Result<> Kad::Impl::on_request(const Message& m, std::size_t size, const crypto::X25519Public& from,
                               const UdpEndpoint& endpoint, Instant now, Actions& actions) {
  if (m.type == Type::kReached) return on_reached(m, from, endpoint, now);
  const auto contact = book_.find(from);
  if (contact == kNoContact && !stranger_allowed(endpoint, now)) return fail(refused("too many requests of strangers"));
  if (m.type == Type::kProbe) return on_probe(m, from, now, actions);
  if (contact != kNoContact) {
    // It lives, but has perhaps moved: asked at its new address before that is believed.
    if (book_.identity(contact).endpoint == endpoint) {
      book_[contact].hear(seconds(now));
      book_[contact].failures = 0;
    } else {
      probe({from, endpoint, std::nullopt});
    }
  }
  const bool routable = tokens_.valid(m.token, from, endpoint, now);
  auto reply = message(Type::kPong, m.transaction);
  reply.token = tokens_.make(from, endpoint, now);
  if (m.wants_proof) reply.proof = proof();
  switch (m.type) {
    case Type::kPing:
      reply.observed = endpoint;
      break;
    case Type::kFind: {
      if (!serves()) return fail(refused("asked for contacts, but we are a client"));
      reply.observed = endpoint;
      answer_find(m, reply, from, now);
      const auto* scope = view(m.scope);
      if (contact == kNoContact && m.serves && m.position != 0 && scope != nullptr &&
          scope->wants(book_, m.position, endpoint,
                       pack_rtt(std::chrono::microseconds(
                           static_cast<std::int64_t>(1000 * estimate_ms({from, endpoint, 0, m.coordinate}))))))
        probe({from, endpoint, std::nullopt});
      break;
    }
    case Type::kStore: {
      if (!serves()) return fail(refused("asked to store, but we are a client"));
      if (!routable) return fail(refused("a store without a valid token"));
      reply.type = Type::kStored;
      const auto stored = answer_store(m, endpoint, now, actions);
      reply.accepted = stored.has_value();
      if (!stored) ++stats_.refused;
      break;
    }
    case Type::kReach:
      if (!routable) return fail(refused("dial-back without a valid token"));
      return on_reach(m, from, endpoint, now, actions);
    default:
      return fail(refused("not a request"));
  }
  if (contact == kNoContact) {
    std::erase_if(visitors_, [&](const Contact& c) { return c.key == from; });
    if (visitors_.size() >= kVisitors) visitors_.erase(visitors_.begin());
    visitors_.push_back({from, endpoint});
  }
  auto payload = encode(reply, routable ? kMaxPayload : size);
  if (!routable && payload.size() > size) {
    // A value that does not fit: the nodes closest to it instead, as many as do.
    reply.type = Type::kNodes;
    reply.proof.reset();
    reply.observed.reset();
    payload = encode(reply, size);
    if (payload.size() > size) return fail(refused("a request too small for its answer"));
  }
  emit(from, endpoint, std::move(payload), actions);
  pump_probes(now, actions);
  return {};
}

void Kad::Impl::answer_find(const Message& m, Message& reply, const crypto::X25519Public& from, Instant now) {
  reply.type = Type::kNodes;
  if (m.find == Find::kData) {
    if (const auto* held = store_.find(m.target, seconds(now)); held != nullptr) {
      reply.type = Type::kValue;
      reply.kind = held->kind;
      reply.data = held->data;
    } else {
      if (const auto* own = view(m.scope) == nullptr ? nullptr : published(m.scope, m.target); own != nullptr) {
        reply.type = Type::kValue;
        reply.kind = own->kind;
        reply.data = *own->data;
      }
    }
  }
  const auto* scope = view(m.scope);
  if (scope == nullptr) return;  // another epoch or ring: no contacts
  std::vector<View::Entry> entries;
  const auto per_prefix = settings_.limits.per_prefix_lookup;
  if (m.find == Find::kNear)
    scope->nearest(book_, head(m.target), m.bits, kBucketSize + 1, per_prefix, entries);
  else
    scope->closest(book_, head(m.target), kBucketSize + 1, per_prefix, entries);
  for (const auto& entry : entries) {
    if (reply.contacts.size() == kBucketSize) break;
    auto told = book_.told(entry.contact, entry.position());
    if (told.key != from) reply.contacts.push_back(std::move(told));
  }
}

Result<> Kad::Impl::check(DataKind kind, BytesView data, const Hash32& key, std::uint64_t& sequence,
                          UnixSeconds now) const {
  if (kind == DataKind::kRecord) {
    TRY_ASSIGN(const auto facts, checker_.record(data, now));
    if (std::ranges::find(facts.keys, key) == facts.keys.end()) return fail(refused("a record of somebody else"));
    sequence = facts.sequence;
    return {};
  }
  if (kind == DataKind::kPointer) {
    // Root key and id hash to the address, or it is another's: there is nothing else to forge.
    TRY_ASSIGN(const auto pointer, decode_pointer(data));
    if (address_key(pointer.address()) != key) return fail(refused("a pointer of another address"));
    sequence = 0;
    return {};
  }
  TRY_ASSIGN(const auto value, checker_.value(data));
  if (value_key(value.key, value.salt) != key) return fail(refused("a value of another key"));
  sequence = value.sequence;
  return {};
}

Result<> Kad::Impl::answer_store(const Message& m, const UdpEndpoint& endpoint, Instant now, Actions& actions) {
  const auto* scope = view(m.scope);
  if (scope == nullptr) return fail(refused("a store for another epoch"));
  auto key = m.target;
  if (m.kind == DataKind::kValue) {
    TRY_ASSIGN(const auto value, decode_value(m.data));
    key = value_key(value.key, value.salt);
  } else if (m.kind == DataKind::kPointer) {
    TRY_ASSIGN(const auto pointer, decode_pointer(m.data));
    key = address_key(pointer.address());
  }
  Held held{key_in(m.scope, key), m.data, 0, 0, m.kind, 0};
  TRY(check(m.kind, m.data, key, held.sequence, unix_at(now)));
  held.until =
      seconds(now) + static_cast<std::uint32_t>(
                         std::chrono::duration_cast<std::chrono::seconds>(settings_.periods.record_life).count());
  if (settings_.limits.per_prefix_lookup != SIZE_MAX) held.from = cap_prefix(endpoint.address);
  TRY(store_.put(std::move(held), scope->self(), seconds(now)));
  ++stats_.stores_accepted;
  if (m.kind == DataKind::kRecord) actions.learned.push_back({m.data});
  return {};
}

Result<> Kad::Impl::on_answer(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                              Instant now, Actions& actions) {
  const auto it =
      std::ranges::find_if(pending_, [&](const Pending& p) { return p.transaction == m.transaction && p.key == from; });
  if (it == pending_.end()) return fail(refused("an answer that nobody waits for"));
  const auto pending = std::move(*it);
  pending_.erase(it);
  if (pending_.empty()) pending_.shrink_to_fit();
  const auto rtt = now - pending.sent;
  const auto rtt_ms = std::chrono::duration<double, std::milli>(rtt).count();
  observe(coordinate_, unpack(m.coordinate), rtt_ms, static_cast<double>(random_.below(1024)) / 1024);
  if (m.observed) actions.observed.push_back({from, *m.observed});
  bool proven = book_.find(from) != kNoContact;
  if (const auto contact = book_.find(from); contact != kNoContact) {
    auto& state = book_[contact];
    if (!m.serves) {
      remove(contact);  // it does not serve any more
    } else {
      if (book_.identity(contact).endpoint != endpoint && pending.endpoint == endpoint) book_.move(contact, endpoint);
      state.hear(seconds(now));
      state.failures = 0;
      state.x = m.coordinate.x;
      state.y = m.coordinate.y;
      state.height = m.coordinate.height;
      book_.measured(contact, rtt);
    }
  } else if (m.proof && pending.endpoint == endpoint) {
    // The signature is the dear part: looked at where something depends on it.
    const auto& p = *m.proof;
    const bool wanted = m.serves && useful(p.root, endpoint, rtt);
    const bool asked = pending.purpose == Purpose::kLookup && m.type == Type::kNodes;
    if (wanted || asked) {
      const TunnelCertificate certificate{from, p.not_before, p.expires, p.signature};
      proven = checker_.certificate(p.root, certificate, unix_at(now)) &&
               (!pending.id || crypto::node_id(p.root) == *pending.id);
      if (!proven) ++stats_.refused;
      if (proven && wanted) adopt(from, endpoint, p, rtt, m.coordinate, now, actions);
    }
  }

  switch (pending.purpose) {
    case Purpose::kContact:
      break;
    case Purpose::kReach:
      if (m.type == Type::kPong) {
        auto out = message(Type::kReach, 0);
        out.token = m.token;
        if (dial_nonce_ == 0) dial_nonce_ = std::max<std::uint64_t>(random_.next_u64(), 1);
        out.nonce = dial_nonce_;
        Pending next;
        next.key = from;
        next.endpoint = endpoint;
        next.purpose = Purpose::kReach;
        (void)request(std::move(next), std::move(out), kMinRequest, true, now, actions);
      }
      break;
    case Purpose::kNear:
      if (m.type == Type::kNodes) on_near(m, pending.scope, now, actions);
      break;
    case Purpose::kStore:
      if (auto* one = lookup(pending.lookup); one != nullptr && one->storing) {
        if (m.type == Type::kStored && m.accepted) {
          ++one->stored;
          one->nodes.push_back({from, endpoint});
        }
        if (--one->stores_waiting == 0) finish(one->id, now, actions);
      }
      break;
    case Purpose::kLookup: {
      auto* one = lookup(pending.lookup);
      if (one == nullptr || !one->search || one->step != pending.step) break;
      const auto ms = static_cast<float>(rtt_ms);
      if (m.type == Type::kValue) {
        found_data(*one, pending.path, m, from, ms, pending.depth, now, actions);
      } else if (m.type == Type::kNodes && (!proven || !stands_there(pending, m.proof))) {
        ++stats_.refused;  // not who or where others said
        one->search->failed(pending.path, from);
      } else if (m.type == Type::kNodes) {
        std::vector<Candidate> fresh;
        for (const auto& told : m.contacts) {
          if (!usable(told.endpoint) || told.key == config_.certificate.key || told.key.is_zero()) continue;
          Candidate candidate{told, estimate_ms(told)};
          if (const auto known = book_.find(told.key); known != kNoContact && book_[known].rtt != 0)
            candidate.rtt_ms = static_cast<float>(book_[known].rtt) / 16;
          fresh.push_back(candidate);
        }
        name_it(*one, fresh, pending.depth, now, actions);
        one->search->answered(pending.path, from, m.token, ms, fresh);
      } else {
        one->search->failed(pending.path, from);
      }
      pump(pending.lookup, now, actions);
      break;
    }
  }
  pump_probes(now, actions);
  return {};
}

void Kad::Impl::on_near(const Message& m, const Scope& scope, Instant now, Actions& actions) {
  auto* table = view(scope);
  if (table == nullptr) return;
  // Design: of what a near peer names, three are tried; who turns out nearer than the worst near one replaces it.
  std::vector<std::pair<float, const Told*>> fitting;
  for (const auto& told : m.contacts) {
    if (!usable(told.endpoint) || told.key == config_.certificate.key || book_.find(told.key) != kNoContact) continue;
    const auto ms = estimate_ms(told);
    const auto rtt = pack_rtt(std::chrono::microseconds(static_cast<std::int64_t>(ms * 1000)));
    if (table->wants(book_, told.position, told.endpoint, rtt)) fitting.emplace_back(ms, &told);
  }
  std::ranges::sort(fitting, {}, [](const auto& one) { return std::pair(one.first, one.second->position); });
  if (fitting.size() > 3) fitting.resize(3);
  for (const auto& [_, told] : fitting) probe({told->key, told->endpoint, std::nullopt});
  pump_probes(now, actions);
}

Result<> Kad::Impl::on_reach(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                             Instant now, Actions& actions) {
  if (!dials_.take(now)) return fail(refused("too many dial-backs"));
  // Somebody the asker has hardly ever talked to: visitors of ours, then contacts.
  std::vector<Contact> helpers;
  for (std::size_t i = visitors_.size(); i-- > 0 && helpers.empty();)
    if (visitors_[i].key != from && book_.find(visitors_[i].key) == kNoContact) helpers.push_back(visitors_[i]);
  const auto entries = views_.front()->entries();
  for (std::size_t tries = 0; tries < 4 && helpers.size() < 2 && !entries.empty(); ++tries) {
    const auto& who = book_.identity(entries[random_.below(entries.size())].contact);
    if (who.key != from && std::ranges::none_of(helpers, [&](const Contact& c) { return c.key == who.key; }))
      helpers.push_back({who.key, who.endpoint});
  }
  for (const auto& helper : helpers) {
    auto out = message(Type::kProbe, random_.next_u64());
    out.nonce = m.nonce;
    out.peer = from;
    out.endpoint = endpoint;
    emit(helper.key, helper.endpoint, encode(out), actions);
  }
  auto reply = message(Type::kStored, m.transaction);
  reply.accepted = !helpers.empty();
  emit(from, endpoint, encode(reply), actions);
  return {};
}

Result<> Kad::Impl::on_probe(const Message& m, const crypto::X25519Public& from, Instant now, Actions& actions) {
  // One small packet on the word of a contact of ours, and few a second in all.
  if (book_.find(from) == kNoContact) return fail(refused("dial-back on a stranger's word"));
  if (!usable(m.endpoint) || !dials_.take(now) || !flows_.allow(m.endpoint, now, true))
    return fail(refused("dial-back to nowhere, or too many"));
  auto out = message(Type::kReached, random_.next_u64());
  out.nonce = m.nonce;
  emit(m.peer, m.endpoint, encode(out), actions);
  return {};
}

Result<> Kad::Impl::on_reached(const Message& m, const crypto::X25519Public& from, const UdpEndpoint& endpoint,
                               Instant now) {
  if (dial_nonce_ == 0 || m.nonce != dial_nonce_ || from == dial_helper_)
    return fail(refused("dial-back that was not asked for"));
  if (flows_.knows(endpoint, now)) return fail(refused("dial-back from where we had sent: it proves nothing"));
  dial_nonce_ = 0;
  dial_rounds_ = 0;
  reachable_ = true;
  next_dial_ = now + settings_.periods.dial_back;
  return {};
}

}  // namespace bonus::net::kad
