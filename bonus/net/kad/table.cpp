// Buckets of near and oldest slots, their caps, and the siblings.
#include "bonus/net/kad/table.hpp"

#include <bit>
#include <cmath>

namespace bonus::net::kad {

namespace {

std::uint16_t tag_of(const crypto::X25519Public& key) {
  return static_cast<std::uint16_t>(key.bytes[7] << 8 | key.bytes[13]);
}

Position distance(const View::Entry& entry, Position to) { return entry.position() ^ to; }

// A reply or a bucket names few of one prefix; small lists, so that counting is a scan.
class PrefixCount {
 public:
  explicit PrefixCount(std::size_t cap) : cap_(cap) {}
  bool take(std::uint64_t prefix) {
    if (cap_ == SIZE_MAX) return true;
    if (static_cast<std::size_t>(std::ranges::count(seen_, prefix)) >= cap_) return false;
    seen_.push_back(prefix);
    return true;
  }

 private:
  std::size_t cap_;
  std::vector<std::uint64_t> seen_;
};

}  // namespace

std::uint64_t cap_prefix(const Ipv6& address) {
  const auto& b = address.bytes;
  if (is_ipv4(address)) return 1ull << 63 | static_cast<std::uint64_t>(b[12] << 16 | b[13] << 8 | b[14]);
  std::uint64_t out = 0;
  for (unsigned i = 0; i < 6; ++i) out = out << 8 | b[i];
  return out;
}

std::uint16_t pack_rtt(Duration rtt) {
  const auto sixteenths = rtt.count() * 16 / 1'000'000;
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(sixteenths, rtt.count() > 0 ? 1 : 0, 0xffff));
}
Duration unpack_rtt(std::uint16_t rtt) { return Duration(std::int64_t{rtt} * 1'000'000 / 16); }

Book::~Book() {
  for (const auto& one : contacts_)
    if (one.identity != ContactState::kFree) pool_.release(one.identity);
}

ContactIndex Book::find(const crypto::X25519Public& key) const {
  const auto tag = tag_of(key);
  for (std::size_t i = 0; i < contacts_.size(); ++i)
    if (contacts_[i].tag == tag && contacts_[i].identity != ContactState::kFree &&
        pool_[contacts_[i].identity].key == key)
      return static_cast<ContactIndex>(i);
  return kNoContact;
}

ContactIndex Book::add(const crypto::X25519Public& key, const Ed25519PublicKey& root, const UdpEndpoint& endpoint,
                       std::uint32_t now) {
  if (size_ >= limit_) return kNoContact;
  auto it = size_ == contacts_.size() ? contacts_.end()
                                      : std::ranges::find(contacts_, ContactState::kFree, &ContactState::identity);
  if (it == contacts_.end()) {
    if (contacts_.size() == contacts_.capacity()) contacts_.reserve(contacts_.size() + 16);
    contacts_.emplace_back();
    it = contacts_.end() - 1;
  }
  *it = {};
  it->identity = pool_.acquire(key, root, endpoint);
  it->tag = tag_of(key);
  it->known_from(now);
  it->hear(now);
  ++size_;
  return static_cast<ContactIndex>(it - contacts_.begin());
}

void Book::drop_unused(ContactIndex contact) {
  auto& one = contacts_[contact];
  if (one.views > 0 || one.identity == ContactState::kFree) return;
  pool_.release(one.identity);
  one = {};
  --size_;
}

void Book::remove_view(ContactIndex contact) {
  --contacts_[contact].views;
  drop_unused(contact);
}

void Book::move(ContactIndex contact, const UdpEndpoint& endpoint) {
  const Identity before = identity(contact);
  const auto id = pool_.acquire(before.key, before.root, endpoint);
  pool_.release(contacts_[contact].identity);
  contacts_[contact].identity = id;
}

Told Book::told(ContactIndex contact, Position position) const {
  const auto& state = contacts_[contact];
  const auto& who = identity(contact);
  return {who.key, who.endpoint, position, {state.x, state.y, state.height, 1000}};
}

void Book::measured(ContactIndex contact, Duration rtt) {
  auto& state = contacts_[contact];
  const auto fresh = pack_rtt(rtt);
  if (fresh == 0) return;
  // The lowest is what distance makes; queues only add. A way that has become longer is believed slowly.
  state.rtt =
      state.rtt == 0 || fresh < state.rtt ? fresh : static_cast<std::uint16_t>(state.rtt + (fresh - state.rtt) / 8);
}

unsigned View::bucket_of(Position position) const { return static_cast<unsigned>(std::countl_zero(position ^ self_)); }

std::size_t View::lower_bound(Position limit) const {
  const auto it = std::ranges::partition_point(entries_, [&](const Entry& e) { return distance(e, self_) < limit; });
  return static_cast<std::size_t>(it - entries_.begin());
}

std::pair<std::size_t, std::size_t> View::bucket(unsigned b) const {
  if (b >= 64) return {0, 0};
  const Position low = Position{1} << (63 - b);
  return {lower_bound(low), b == 0 ? entries_.size() : lower_bound(low << 1)};
}

unsigned View::deepest_bucket() const { return entries_.empty() ? 0 : bucket_of(entries_.front().position()); }

bool View::contains(Position position) const {
  const auto at = lower_bound(position ^ self_);
  return at < entries_.size() && entries_[at].position() == position;
}

bool View::becomes_sibling(Position position) const {
  return entries_.size() < kSiblings || (position ^ self_) < distance(entries_[kSiblings - 1], self_);
}

View::Choice View::choose(const Book& book, Position position, const UdpEndpoint& endpoint, std::uint16_t rtt) const {
  const auto [first, last] = bucket(bucket_of(position));
  std::size_t near = 0, old = 0, worst = SIZE_MAX;
  const auto rtt_at = [&](std::size_t i) { return book[entries_[i].contact].rtt; };
  // An unmeasured one is the first to go.
  const auto slower = [](std::uint16_t a, std::uint16_t b) { return b != 0 && (a == 0 || a > b); };
  for (auto i = first; i < last; ++i) {
    if (entries_[i].role == Role::kOld) ++old;
    if (entries_[i].role != Role::kNear) continue;
    ++near;
    if (worst == SIZE_MAX || slower(rtt_at(i), rtt_at(worst))) worst = i;
  }
  Choice out;
  if (settings_.policy == Policy::kRandom) {
    if (old < kBucketSize) out.role = Role::kOld;
  } else if (old < kOldSlots) {
    out.role = Role::kOld;
  } else if (near < kNearSlots) {
    out.role = Role::kNear;
  } else if (slower(rtt_at(worst), rtt)) {
    out = {Role::kNear, worst};
  }
  if (out.role == Role::kNone) return out;

  // Caps: one that would exceed them may only take the place of a slower near one of the same prefix or network.
  const auto& limits = settings_.limits;
  const auto capped = [&](std::size_t cap, auto same, std::size_t from, std::size_t to) {
    if (cap == SIZE_MAX) return true;
    std::size_t count = 0, slowest = SIZE_MAX;
    for (auto i = from; i < to; ++i) {
      if (entries_[i].role == Role::kNone || !same(book.identity(entries_[i].contact).endpoint.address)) continue;
      ++count;
      if (entries_[i].role == Role::kNear && i >= first && i < last &&
          (slowest == SIZE_MAX || slower(rtt_at(i), rtt_at(slowest))))
        slowest = i;
    }
    if (count < cap ||
        (out.victim != SIZE_MAX && count == cap && same(book.identity(entries_[out.victim].contact).endpoint.address)))
      return true;
    if (count > cap || slowest == SIZE_MAX || !slower(rtt_at(slowest), rtt)) return false;
    out = {Role::kNear, slowest};
    return true;
  };
  const auto prefix = cap_prefix(endpoint.address);
  const auto same_prefix = [&](const Ipv6& other) { return cap_prefix(other) == prefix; };
  if (!capped(limits.per_prefix_bucket, same_prefix, first, last)) return {};
  const auto asn = settings_.asn_of ? settings_.asn_of(endpoint.address) : 0;
  if (asn != 0) {
    const auto same_asn = [&](const Ipv6& other) { return settings_.asn_of(other) == asn; };
    if (!capped(limits.per_asn_bucket, same_asn, first, last) ||
        !capped(limits.per_asn_table, same_asn, 0, entries_.size()))
      return {};
    // The last choice of a victim must not undo the first cap.
    const auto victim = out.victim;
    if (!capped(limits.per_prefix_bucket, same_prefix, first, last) || out.victim != victim) return {};
  }
  return out;
}

bool View::wants(const Book& book, Position position, const UdpEndpoint& endpoint, std::uint16_t rtt) const {
  if (position == self_ || contains(position)) return false;
  return becomes_sibling(position) || choose(book, position, endpoint, rtt).role != Role::kNone;
}

bool View::insert(Book& book, ContactIndex contact, Position position) {
  if (position == self_) return false;
  if (contains(position)) return true;
  const auto choice = choose(book, position, book.identity(contact).endpoint, book[contact].rtt);
  if (choice.role == Role::kNone && !becomes_sibling(position)) return false;
  auto at = lower_bound(position ^ self_);
  if (entries_.size() == entries_.capacity()) entries_.reserve(entries_.size() + 16);
  auto victim = choice.victim;
  if (victim != SIZE_MAX) {
    entries_[victim].role = Role::kNone;
    if (victim >= at) ++victim;
    ++replacements_;
  }
  Entry entry{static_cast<std::uint32_t>(position >> 32), static_cast<std::uint32_t>(position), contact, choice.role};
  entries_.insert(entries_.begin() + static_cast<std::ptrdiff_t>(at), entry);
  book.add_view(contact);
  // Who is now beyond the siblings and has no slot goes.
  if (victim != SIZE_MAX && victim > kSiblings) erase(book, victim);
  if (entries_.size() > kSiblings && entries_[kSiblings].role == Role::kNone) erase(book, kSiblings);
  return true;
}

void View::erase(Book& book, std::size_t index) {
  const auto contact = entries_[index].contact;
  entries_.erase(entries_.begin() + static_cast<std::ptrdiff_t>(index));
  book.remove_view(contact);
}

void View::remove(Book& book, ContactIndex contact) {
  const auto it = std::ranges::find(entries_, contact, &Entry::contact);
  if (it == entries_.end()) return;
  const auto b = bucket_of(it->position());
  const auto role = it->role;
  erase(book, static_cast<std::size_t>(it - entries_.begin()));
  if (role == Role::kNone) return;
  if (role == Role::kOld && settings_.policy == Policy::kNear) {
    // The whitepaper's rule: who has lived longest moves up; the near slot becomes free for a candidate.
    const auto [first, last] = bucket(b);
    std::size_t oldest = SIZE_MAX;
    for (auto i = first; i < last; ++i)
      if (entries_[i].role == Role::kNear &&
          (oldest == SIZE_MAX || book[entries_[i].contact].since < book[entries_[oldest].contact].since))
        oldest = i;
    if (oldest != SIZE_MAX) entries_[oldest].role = Role::kOld;
  }
  refill(book, b);
}

void View::refill(Book& book, unsigned b) {
  const auto [first, last] = bucket(b);
  for (auto i = first; i < last; ++i) {
    if (entries_[i].role != Role::kNone) continue;
    const auto contact = entries_[i].contact;
    const auto choice = choose(book, entries_[i].position(), book.identity(contact).endpoint, book[contact].rtt);
    if (choice.victim == SIZE_MAX) entries_[i].role = choice.role;
  }
}

void View::clear(Book& book) {
  for (const auto& entry : entries_) book.remove_view(entry.contact);
  entries_.clear();
}

void View::closest(const Book& book, Position target, std::size_t count, std::size_t per_prefix,
                   std::vector<Entry>& out) const {
  out.clear();
  PrefixCount prefixes(per_prefix);
  std::vector<Entry> group;
  const auto take = [&](std::size_t first, std::size_t last) {
    group.clear();
    for (auto i = first; i < last; ++i)
      if (book[entries_[i].contact].failures == 0) group.push_back(entries_[i]);
    std::ranges::sort(group, {}, [&](const Entry& e) { return distance(e, target); });
    for (const auto& entry : group) {
      if (out.size() >= count) return;
      if (prefixes.take(cap_prefix(book.identity(entry.contact).endpoint.address))) out.push_back(entry);
    }
  };
  // By the XOR metric: first the bucket that `target` falls into, then all deeper ones, then the shallower ones.
  const auto shared = bucket_of(target);
  const auto [first, last] = shared >= 64 ? std::pair<std::size_t, std::size_t>{0, 0} : bucket(shared);
  take(first, last);
  if (out.size() < count) take(0, shared >= 64 ? entries_.size() : first);
  if (shared >= 64) return;
  for (unsigned b = shared; b-- > 0 && out.size() < count;) {
    const auto [begin, end] = bucket(b);
    take(begin, end);
  }
}

void View::nearest(const Book& book, Position target, unsigned bits, std::size_t count, std::size_t per_prefix,
                   std::vector<Entry>& out) const {
  out.clear();
  std::vector<Entry> fitting;
  for (const auto& entry : entries_) {
    const auto& state = book[entry.contact];
    if (state.rtt != 0 && state.failures == 0 && (bits == 0 || distance(entry, target) >> (64 - bits) == 0))
      fitting.push_back(entry);
  }
  std::ranges::sort(fitting, {}, [&](const Entry& e) { return std::pair(book[e.contact].rtt, e.position()); });
  PrefixCount prefixes(per_prefix);
  for (const auto& entry : fitting) {
    if (out.size() >= count) return;
    if (prefixes.take(cap_prefix(book.identity(entry.contact).endpoint.address))) out.push_back(entry);
  }
}

double View::nodes_estimate() const {
  if (entries_.size() < kSiblings) return static_cast<double>(entries_.size()) + 1;
  // The median of the estimates at several ranks: a dense cluster of Sybils at one place moves it little.
  std::vector<double> estimates;
  for (std::size_t rank = 8; rank <= kSiblings; rank += 4) {
    const auto far = static_cast<double>(distance(entries_[rank - 1], self_)) + 1;
    estimates.push_back(static_cast<double>(rank) * std::ldexp(1.0, 64) / far);
  }
  std::ranges::sort(estimates);
  return std::max(estimates[estimates.size() / 2], static_cast<double>(entries_.size()) + 1);
}

}  // namespace bonus::net::kad
