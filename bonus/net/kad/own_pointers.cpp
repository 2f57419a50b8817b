// Turns of our own pointers: new ones first, then round and round.
#include "bonus/net/kad/own_pointers.hpp"

namespace bonus::net::kad {

Duration OwnPointers::interval() const {
  return std::max<Duration>(period_ / static_cast<std::int64_t>(std::max<std::size_t>(all_.size(), 1)), kPace);
}

Result<> OwnPointers::set(const Ed25519PublicKey& root, std::span<const Bytes> ids, const Place& place, Instant now) {
  if (ids.size() > kMaxPointers) return fail(ErrorCode::kExhausted, "DHT: too many address pointers");
  std::vector<One> next;
  next.reserve(ids.size());
  for (const auto& id : ids) {
    const AddressPointer pointer{root, id};
    TRY_ASSIGN(auto encoded, encode_pointer(pointer));
    const auto key = address_key(pointer.address());
    if (const auto* known = find(key)) {
      next.push_back(*known);
    } else {
      next.push_back({key, place(key), std::make_shared<const Bytes>(std::move(encoded)), now});
    }
  }
  if (all_.empty()) round_ = now + period_;
  std::ranges::sort(next, {}, &One::place);
  const auto same = std::ranges::unique(next, {}, &One::place);
  next.erase(same.begin(), same.end());
  all_ = std::move(next);
  return {};
}

void OwnPointers::moved(const Place& place, Instant now) {
  for (auto& one : all_) {
    one.place = place(one.key);
    one.early = 2;
    one.due = now;
  }
  std::ranges::sort(all_, {}, &One::place);
}

const OwnPointers::One* OwnPointers::take(Instant now) {
  if (all_.empty() || now < ready_) return nullptr;
  for (auto& one : all_) {
    if (one.early == 0 || one.due > now) continue;
    --one.early;
    one.due = now + kAgain;
    ready_ = now + kGap;
    return &one;
  }
  if (now < round_) return nullptr;
  auto it = std::ranges::upper_bound(all_, last_, {}, &One::place);
  if (it == all_.end()) it = all_.begin();
  last_ = it->place;
  round_ = now + interval();
  ready_ = now + kGap;
  return &*it;
}

std::optional<Instant> OwnPointers::next() const {
  if (all_.empty()) return std::nullopt;
  auto out = round_;
  for (const auto& one : all_)
    if (one.early > 0) out = std::min(out, one.due);
  return std::max(out, ready_);
}

const OwnPointers::One* OwnPointers::find(const Hash32& key) const {
  const auto it = std::ranges::find(all_, key, &One::key);
  return it == all_.end() ? nullptr : &*it;
}

std::size_t OwnPointers::memory_bytes() const {
  return all_.capacity() * sizeof(One) + all_.size() * (sizeof(Bytes) + kMaxPointerBytes + 32);
}

}  // namespace bonus::net::kad
