// Records held for others, ordered by key; tokens by keyed hash.
#include "bonus/net/kad/store.hpp"

#include <unordered_map>

#include "bonus/crypto/hash.hpp"
#include "bonus/net/kad/bytes_io.hpp"

namespace bonus::net::kad {

namespace {
constexpr Duration kTokenPeriod = std::chrono::minutes(5);

Position prefix_of(const Hash32& key) { return Reader(key).u64(); }
}  // namespace

const Held* Store::find(const Hash32& key, std::uint32_t now) const {
  const auto it = std::ranges::lower_bound(held_, key, {}, &Held::key);
  return it != held_.end() && it->key == key && it->until > now ? &*it : nullptr;
}

template <class Which>
std::vector<Held>::iterator Store::farthest(bool pointer, Position self, const Which& which) {
  auto far = held_.end();
  for (auto it = held_.begin(); it != held_.end(); ++it)
    if ((it->kind == DataKind::kPointer) == pointer && which(*it) &&
        (far == held_.end() || (prefix_of(it->key) ^ self) > (prefix_of(far->key) ^ self)))
      far = it;
  return far;
}

Result<> Store::make_room(const Held& held, Position self, std::uint32_t now) {
  const bool pointer = held.kind == DataKind::kPointer;
  const auto limit = pointer ? pointer_limit_ : limit_;
  const auto used = [&] { return pointer ? pointers_ : held_.size() - pointers_; };
  if (2 * used() < limit) return {};
  if (used() >= limit) expire(now);
  // Keys close to any place can be made, networks cannot: beyond its quarter one makes room among its own, and where
  // all is full the largest crowd does.
  const auto all = [](const Held&) { return true; };
  const auto remove = [&](std::vector<Held>::iterator which) {
    if (pointer) --pointers_;
    held_.erase(which);
  };
  const auto closer_than = [&](std::vector<Held>::iterator far) {
    return far != held_.end() && (prefix_of(far->key) ^ self) > (prefix_of(held.key) ^ self);
  };
  const auto full = [] { return fail(ErrorCode::kExhausted, "DHT store: full of closer ones"); };
  std::unordered_map<std::uint64_t, std::size_t> crowds;
  if (held.from != 0)
    for (const auto& one : held_)
      if ((one.kind == DataKind::kPointer) == pointer) ++crowds[one.from];
  if (held.from != 0 && crowds[held.from] >= std::max<std::size_t>(limit / 4, 1)) {
    const auto far = farthest(pointer, self, [&](const Held& one) { return one.from == held.from; });
    if (!closer_than(far)) return full();
    remove(far);
    return {};
  }
  if (used() < limit) return {};
  crowds.erase(0);
  const auto largest = std::ranges::max_element(crowds, {}, [](const auto& one) { return one.second; });
  if (held.from != 0 && largest != crowds.end() && largest->second >= std::max<std::size_t>(limit / 16, 2)) {
    remove(farthest(pointer, self, [&](const Held& one) { return one.from == largest->first; }));
    return {};
  }
  const auto far = farthest(pointer, self, all);
  if (!closer_than(far)) return full();
  remove(far);
  return {};
}

Result<> Store::put(Held held, Position self, std::uint32_t now) {
  auto it = std::ranges::lower_bound(held_, held.key, {}, &Held::key);
  const auto taken = [&] { return it != held_.end() && it->key == held.key; };
  const bool pointer = held.kind == DataKind::kPointer;
  // A record says more than a pointer to it: it takes its place, never the other way round.
  if (taken() && it->until > now && !(it->kind == DataKind::kPointer && held.kind == DataKind::kRecord) &&
      (it->kind != held.kind || it->sequence > held.sequence ||
       (it->sequence == held.sequence && it->data != held.data)))
    return fail(ErrorCode::kConflict, "DHT store: a newer one is held");
  if (!taken() || (it->kind == DataKind::kPointer) != pointer) {
    TRY(make_room(held, self, now));
    it = std::ranges::lower_bound(held_, held.key, {}, &Held::key);
  }
  if (taken()) {
    if (it->kind == DataKind::kPointer) --pointers_;
    if (pointer) ++pointers_;
    *it = std::move(held);
    return {};
  }
  if (held_.size() == held_.capacity()) {
    const auto at = it - held_.begin();
    held_.reserve(held_.size() + std::max<std::size_t>(8, held_.size() / 8));
    it = held_.begin() + at;
  }
  held.data.shrink_to_fit();
  if (pointer) ++pointers_;
  held_.insert(it, std::move(held));
  return {};
}

void Store::expire(std::uint32_t now) {
  std::erase_if(held_, [&](const Held& h) { return h.until <= now; });
  pointers_ = static_cast<std::size_t>(std::ranges::count(held_, DataKind::kPointer, &Held::kind));
}

std::size_t Store::data_bytes() const {
  std::size_t out = held_.capacity() * sizeof(Held);
  for (const auto& held : held_) out += held.data.capacity();
  return out;
}

void Tokens::rotate(Instant now) {
  if (started_ && now - rotated_ < kTokenPeriod) return;
  // After a long silence the one before is too old as well.
  if (started_ && now - rotated_ < 2 * kTokenPeriod)
    previous_ = current_;
  else
    random_.fill(previous_);
  random_.fill(current_);
  rotated_ = now;
  started_ = true;
}

std::uint64_t Tokens::compute(const std::array<std::uint8_t, 16>& secret, const crypto::X25519Public& key,
                              const UdpEndpoint& endpoint) {
  Writer in;
  in.bytes(key);
  in.bytes(endpoint.address);
  in.u16(endpoint.port);
  const auto digest = crypto::blake2s(in.out, secret);
  const auto token = Reader(digest).u64();
  return token == 0 ? 1 : token;  // 0 says "none"
}

std::uint64_t Tokens::make(const crypto::X25519Public& key, const UdpEndpoint& endpoint, Instant now) {
  rotate(now);
  return compute(current_, key, endpoint);
}

bool Tokens::valid(std::uint64_t token, const crypto::X25519Public& key, const UdpEndpoint& endpoint, Instant now) {
  if (token == 0) return false;
  rotate(now);
  return token == compute(current_, key, endpoint) || token == compute(previous_, key, endpoint);
}

}  // namespace bonus::net::kad
