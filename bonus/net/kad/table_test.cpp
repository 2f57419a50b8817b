// Properties of the table over random contacts.
#include "bonus/net/kad/table.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <map>

#include "bonus/net/kad/flows.hpp"
#include "bonus/net/kad/store.hpp"
#include "bonus/net/kad/value.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad {
namespace {

using runtime::sim::SeededRandom;
using std::chrono::milliseconds;
using std::chrono::seconds;

class Tables : public ::testing::Test {
 protected:
  UdpEndpoint endpoint(std::uint32_t prefix, std::uint8_t host) {
    UdpEndpoint out;
    out.address.bytes[10] = out.address.bytes[11] = 0xff;
    const std::uint32_t address = (20u << 24) + (prefix << 8) + host;
    for (unsigned i = 0; i < 4; ++i) out.address.bytes[12 + i] = static_cast<std::uint8_t>(address >> (24 - 8 * i));
    out.port = 1;
    return out;
  }
  // Offers a contact to the view; dropped again when refused.
  bool offer(View& view, Position position, std::uint32_t prefix, unsigned rtt_ms, std::uint32_t since = 1) {
    crypto::X25519Public key;
    Ed25519PublicKey root;
    random_.fill(key.bytes);
    random_.fill(root.bytes);
    const auto contact =
        book_.add(key, root, endpoint(prefix, static_cast<std::uint8_t>(1 + random_.below(250))), since);
    if (contact == kNoContact) return false;
    book_.measured(contact, milliseconds(rtt_ms));
    const bool wanted = view.wants(book_, position, book_.identity(contact).endpoint, book_[contact].rtt);
    const bool taken = view.insert(book_, contact, position);
    EXPECT_EQ(wanted, taken);
    book_.drop_unused(contact);
    return taken;
  }
  void check(const View& view, const Settings& settings) {
    std::map<unsigned, std::map<std::uint64_t, std::size_t>> prefixes;
    std::map<unsigned, std::pair<std::size_t, std::size_t>> slots;
    Position last = 0;
    std::size_t index = 0;
    for (const auto& entry : view.entries()) {
      const auto distance = entry.position() ^ view.self();
      EXPECT_GT(distance, last);
      last = distance;
      const auto b = view.bucket_of(entry.position());
      if (entry.role == View::Role::kNone) EXPECT_LT(index, kSiblings);
      if (entry.role == View::Role::kNear) ++slots[b].first;
      if (entry.role == View::Role::kOld) ++slots[b].second;
      if (entry.role != View::Role::kNone) ++prefixes[b][cap_prefix(book_.identity(entry.contact).endpoint.address)];
      EXPECT_EQ(book_[entry.contact].views, 1);
      ++index;
    }
    for (const auto& [b, count] : slots) {
      EXPECT_LE(count.first, kNearSlots);
      EXPECT_LE(count.first + count.second, kBucketSize);
    }
    for (const auto& [b, each] : prefixes)
      for (const auto& [_, count] : each) EXPECT_LE(count, settings.limits.per_prefix_bucket);
    EXPECT_EQ(book_.size(), view.entries().size());
  }
  SeededRandom random_{3};
  IdentityPool pool_;
  Book book_{pool_, 1024};
};

TEST_F(Tables, HoldTheirBoundsWhateverIsOffered) {
  for (const auto policy : {Policy::kNear, Policy::kRandom}) {
    Settings settings;
    settings.policy = policy;
    View view({}, random_.next_u64(), settings);
    for (unsigned i = 0; i < 5000; ++i) {
      const Position position = random_.next_u64() >> random_.below(20) ^ (random_.below(2) == 0 ? view.self() : 0);
      offer(view, position, static_cast<std::uint32_t>(random_.below(400)),
            static_cast<unsigned>(1 + random_.below(300)));
      if (i % 7 == 0 && !view.entries().empty())
        view.remove(book_, view.entries()[random_.below(view.entries().size())].contact);
    }
    check(view, settings);
    view.clear(book_);
    EXPECT_EQ(book_.size(), 0u);
    EXPECT_EQ(pool_.size(), 0u);
  }
}

TEST_F(Tables, SiblingsAreTheClosestByXor) {
  Settings settings;
  View view({}, 0, settings);
  std::vector<Position> all;
  for (unsigned i = 0; i < 3000; ++i) {
    all.push_back(random_.next_u64());
    offer(view, all.back(), i % 5, 50);  // five prefixes only: caps do not touch siblings
  }
  std::ranges::sort(all);
  for (std::size_t i = 0; i < kSiblings; ++i) EXPECT_EQ(view.entries()[i].position(), all[i]);
}

TEST_F(Tables, NearSlotsConvergeOnTheLowestRtt) {
  Settings settings;
  View view({}, 0, settings);
  std::vector<unsigned> rtts;
  for (unsigned i = 0; i < 200; ++i) {
    const auto rtt = static_cast<unsigned>(10 + random_.below(1000));
    if (i >= kOldSlots) rtts.push_back(rtt);  // the first live longest: they have the old slots
    offer(view, Position{1} << 63 | random_.next_u64(), i, rtt);
  }
  std::ranges::sort(rtts);
  std::vector<unsigned> near;
  for (const auto& entry : view.entries())
    if (entry.role == View::Role::kNear) near.push_back(book_[entry.contact].rtt / 16u);
  std::ranges::sort(near);
  ASSERT_EQ(near.size(), kNearSlots);
  for (std::size_t i = 0; i < kNearSlots; ++i) EXPECT_EQ(near[i], rtts[i]);
}

TEST_F(Tables, TheOldestNearOneTakesAFreedOldSlot) {
  Settings settings;
  View view({}, 0, settings);
  for (unsigned i = 0; i < kBucketSize; ++i)
    offer(view, Position{1} << 63 | random_.next_u64(), i, 50, 600 * (100 - i));
  for (unsigned i = 0; i < 60; ++i) offer(view, random_.next_u64() >> 10, 100 + i, 50);  // siblings are others
  ContactIndex old = kNoContact;
  for (const auto& entry : view.entries())
    if (entry.role == View::Role::kOld && view.bucket_of(entry.position()) == 0) old = entry.contact;
  view.remove(book_, old);
  std::uint32_t oldest_near = UINT32_MAX;
  std::size_t olds = 0;
  for (const auto& entry : view.entries()) {
    if (view.bucket_of(entry.position()) != 0) continue;
    if (entry.role == View::Role::kNear) oldest_near = std::min<std::uint32_t>(oldest_near, book_[entry.contact].since);
    olds += entry.role == View::Role::kOld;
  }
  EXPECT_EQ(olds, kOldSlots);
  // since of the near ones is 85..92: 85 had waited longest
  EXPECT_GT(oldest_near, 85u);
}

TEST_F(Tables, OneProviderGetsTwoPlacesInABucketAndTenInAll) {
  Settings settings;
  settings.asn_of = [](const Ipv6&) { return 65001u; };
  View view({}, 0, settings);
  for (unsigned b = 0; b < 12; ++b)
    for (unsigned i = 0; i < 20; ++i)
      offer(view, Position{1} << (63 - b) | (random_.next_u64() >> (b + 1)), 1000 * b + i, 500 - i);
  std::map<unsigned, std::size_t> slots;
  std::size_t all = 0;
  for (const auto& entry : view.entries())
    if (entry.role != View::Role::kNone) ++slots[view.bucket_of(entry.position())], ++all;
  EXPECT_LE(all, settings.limits.per_asn_table);
  for (const auto& [b, count] : slots) EXPECT_LE(count, 2u) << b;
}

TEST_F(Tables, ClosestIsByXorWithTwoOfAPrefix) {
  Settings settings;
  View view({}, random_.next_u64(), settings);
  for (unsigned i = 0; i < 3000; ++i)
    offer(view, random_.next_u64(), static_cast<std::uint32_t>(random_.below(3000)), 50);
  for (unsigned i = 0; i < 200; ++i) {
    const Position target = i % 3 == 0 ? view.self() ^ (random_.next_u64() >> (10 + i % 40)) : random_.next_u64();
    std::vector<View::Entry> out;
    view.closest(book_, target, kBucketSize, SIZE_MAX, out);
    std::vector<Position> all;
    for (const auto& entry : view.entries()) all.push_back(entry.position() ^ target);
    std::ranges::sort(all);
    ASSERT_EQ(out.size(), kBucketSize);
    for (std::size_t k = 0; k < kBucketSize; ++k) ASSERT_EQ(out[k].position() ^ target, all[k]);
    view.closest(book_, target, kBucketSize, 2, out);
    std::map<std::uint64_t, int> prefixes;
    for (const auto& entry : out) EXPECT_LE(++prefixes[cap_prefix(book_.identity(entry.contact).endpoint.address)], 2);
  }
}

TEST_F(Tables, TheSizeOfTheNetworkIsGuessedFromSiblings) {
  Settings settings;
  View view({}, random_.next_u64(), settings);
  for (unsigned i = 0; i < 4000; ++i) offer(view, random_.next_u64(), i, 50);
  EXPECT_GT(view.nodes_estimate(), 2000);
  EXPECT_LT(view.nodes_estimate(), 8000);
}

TEST(Tokens, BelongToKeyEndpointAndTime) {
  SeededRandom random(1);
  Tokens tokens(random);
  crypto::X25519Public key, other;
  other.bytes.fill(1);
  const auto here = *parse_endpoint("192.0.2.1:1"), there = *parse_endpoint("192.0.2.1:2");
  const Instant now{};
  const auto token = tokens.make(key, here, now);
  EXPECT_TRUE(tokens.valid(token, key, here, now));
  EXPECT_FALSE(tokens.valid(token, other, here, now));
  EXPECT_FALSE(tokens.valid(token, key, there, now));
  EXPECT_FALSE(tokens.valid(0, key, here, now));
  EXPECT_FALSE(tokens.valid(token + 1, key, here, now));
  EXPECT_TRUE(tokens.valid(token, key, here, now + std::chrono::minutes(6)));
  EXPECT_FALSE(tokens.valid(token, key, here, now + std::chrono::minutes(12)));
  const auto late = tokens.make(key, here, now + std::chrono::minutes(12));
  EXPECT_FALSE(tokens.valid(late, key, here, now + std::chrono::hours(3)));
}

TEST(Store, KeepsTheNewestAndTheClosest) {
  Store store(3, 3);
  const auto held = [](std::uint8_t key, std::uint64_t sequence, std::uint8_t content) {
    Held out;
    out.key.bytes[0] = key;
    out.data = {content};
    out.sequence = sequence;
    out.until = 100;
    return out;
  };
  EXPECT_TRUE(store.put(held(8, 5, 1), 0, 1));
  EXPECT_EQ(store.put(held(8, 4, 2), 0, 1).error().code, ErrorCode::kConflict);
  EXPECT_EQ(store.put(held(8, 5, 2), 0, 1).error().code, ErrorCode::kConflict) << "two contents of one sequence";
  EXPECT_TRUE(store.put(held(8, 5, 1), 0, 1)) << "the same again";
  EXPECT_TRUE(store.put(held(8, 6, 3), 0, 1));
  EXPECT_EQ(store.find(held(8, 0, 0).key, 1)->data, Bytes{3});
  EXPECT_TRUE(store.put(held(4, 1, 1), 0, 1));
  EXPECT_TRUE(store.put(held(16, 1, 1), 0, 1));
  EXPECT_FALSE(store.put(held(32, 1, 1), 0, 1)) << "farther than all others";
  EXPECT_TRUE(store.put(held(2, 1, 1), 0, 1));
  EXPECT_EQ(store.find(held(16, 0, 0).key, 1), nullptr) << "the farthest had to go";
  EXPECT_EQ(store.find(held(8, 0, 0).key, 100), nullptr) << "its time is over";
  store.expire(100);
  EXPECT_EQ(store.size(), 0u);
}

TEST(Store, OneNetworkDoesNotTakeThePlacesOfOthers) {
  constexpr std::size_t kLimit = 64;
  for (const DataKind kind : {DataKind::kRecord, DataKind::kPointer}) {
    Store store(kLimit, kLimit);
    const auto put = [&](std::uint32_t key, std::uint64_t from) {
      Held out;
      out.kind = kind;
      for (unsigned i = 0; i < 4; ++i) out.key.bytes[i] = static_cast<std::uint8_t>(key >> (24 - 8 * i));
      out.data = {1};
      out.sequence = 1;
      out.until = 100;
      out.from = from;
      return store.put(std::move(out), 0, 1).has_value();
    };
    const auto held_of = [&](std::uint64_t from) { return std::ranges::count(store.all(), from, &Held::from); };
    for (std::uint32_t i = 0; i < 40; ++i) EXPECT_TRUE(put(0x8000'0000 + i, 100 + i)) << "of forty networks";
    // Keys that are closer to us than anybody's: they can be made.
    for (std::uint32_t i = 1; i <= 1000; ++i) (void)put(i, 7);
    EXPECT_LE(held_of(7), static_cast<std::ptrdiff_t>(kLimit / 4));
    EXPECT_GE(held_of(7), 1);
    for (std::uint32_t i = 0; i < 40; ++i) EXPECT_EQ(held_of(100 + i), 1) << i;
    for (std::uint32_t i = 1; i <= 20; ++i) EXPECT_TRUE(put(0xf000'0000 + i, 200 + i)) << "and others find room";
  }
}

TEST(Flows, NewOnesPerSecondAndLiveOnesAreCapped) {
  Settings settings;
  Flows flows(settings, false);
  Instant now{};
  const auto to = [](unsigned i) {
    return *parse_endpoint("198.51." + std::to_string(i / 250) + "." + std::to_string(1 + i % 250) + ":9");
  };
  unsigned sent = 0;
  for (unsigned i = 0; i < 1000; ++i) sent += flows.allow(to(i), now, false);
  EXPECT_EQ(sent, 40u) << "the burst";
  EXPECT_TRUE(flows.allow(to(0), now, false)) << "a flow that exists costs nothing";
  for (unsigned i = 1000; i < 1400; ++i) {
    now += milliseconds(50);
    sent += flows.allow(to(i), now, false);
  }
  EXPECT_LE(sent, 200u);
  EXPECT_LE(flows.live(now), settings.limits.live_flows);
  now += seconds(60);
  EXPECT_EQ(flows.live(now), 0u);
  unsigned upkeep = 0;
  for (unsigned i = 0; i < 100; ++i) upkeep += flows.allow(to(i), now, true);
  EXPECT_EQ(upkeep, 21u) << "maintenance leaves half to lookups";
  EXPECT_TRUE(flows.allow(to(500), now, false));
  // Strangers cause upkeep: it never uses up what is alive at once.
  for (unsigned i = 1000; i < 2000; ++i) {
    now += milliseconds(20);
    (void)flows.allow(to(i), now, true);
  }
  unsigned lookups = 0;
  for (unsigned i = 2000; i < 2010; ++i) lookups += flows.allow(to(i), now, false);
  EXPECT_EQ(lookups, 10u);
}

TEST(SignedValues, OpenWithTheirKeyOnly) {
  crypto::Ed25519Seed seed;
  seed.bytes.fill(9);
  const auto key = crypto::Ed25519KeyPair::from_seed(seed);
  const auto value = sign_value(key, as_bytes("alice"), 7, as_bytes("content"));
  ASSERT_TRUE(value);
  const auto bytes = encode_value(*value);
  ASSERT_TRUE(open_value(bytes));
  EXPECT_EQ(*open_value(bytes), *value);
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    auto forged = bytes;
    forged[i] ^= 1;
    EXPECT_FALSE(open_value(forged)) << i;
  }
  EXPECT_FALSE(sign_value(key, {}, 1, Bytes(kMaxValue + 1)));
  EXPECT_FALSE(sign_value(key, Bytes(kMaxSalt + 1), 1, {}));
  EXPECT_FALSE(sign_value(key, Bytes(kMaxSalt), 1, Bytes(kMaxValue)));
  const auto largest = sign_value(key, Bytes(8), 1, Bytes(kMaxValue));
  ASSERT_TRUE(largest);
  EXPECT_EQ(encode_value(*largest).size(), kMaxEncodedValue);
  EXPECT_NE(value_key(key.public_key(), as_bytes("a")), value_key(key.public_key(), as_bytes("b")));
}

}  // namespace
}  // namespace bonus::net::kad
