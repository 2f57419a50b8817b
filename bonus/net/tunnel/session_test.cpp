// The replay window against a plain model, counters under threads, routing against a plain list, packets.
#include "bonus/net/tunnel/session.hpp"

#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "bonus/net/tunnel/routing.hpp"
#include "bonus/net/tunnel/transport.hpp"
#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::tunnel {
namespace {

/// All that was seen, and the rule of section 5.4.6 in words.
class Model {
 public:
  bool accept(std::uint64_t counter) {
    if (greatest_ && *greatest_ >= kReplayWindow && counter <= *greatest_ - kReplayWindow) return false;
    greatest_ = std::max(greatest_.value_or(0), counter);
    return seen_.insert(counter).second;
  }
  [[nodiscard]] std::uint64_t greatest() const { return greatest_.value_or(0); }

 private:
  std::optional<std::uint64_t> greatest_;
  std::set<std::uint64_t> seen_;
};

TEST(Replay, AgreesWithTheModel) {
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    runtime::sim::SeededRandom random(seed);
    ReplayWindow window;
    Model model;
    for (int i = 0; i < 5000; ++i) {
      std::uint64_t counter = 0;
      switch (random.below(6)) {
        case 0:  // far ahead
          counter = model.greatest() + random.below(3 * kReplayWindow);
          break;
        case 1:  // at the edge
          counter = model.greatest() - std::min(model.greatest(), kReplayWindow - 3 + random.below(6));
          break;
        default:  // near
          counter = model.greatest() + 5 - std::min(model.greatest() + 5, random.below(200));
          break;
      }
      ASSERT_EQ(window.accept(counter), model.accept(counter)) << "seed " << seed << " step " << i << ": " << counter;
      ASSERT_EQ(window.next(), model.greatest() + 1);
    }
  }
}

TEST(Replay, WindowIsExactly8192Wide) {
  ReplayWindow window;
  EXPECT_TRUE(window.accept(10'000));
  EXPECT_FALSE(window.accept(10'000));
  EXPECT_TRUE(window.accept(10'000 - kReplayWindow + 1));
  EXPECT_FALSE(window.accept(10'000 - kReplayWindow));
  EXPECT_TRUE(window.accept(~std::uint64_t{0} - 1));
  EXPECT_FALSE(window.accept(10'001));
}

TEST(Session, NoCounterTwiceAndNoReplayTwiceAmongThreads) {
  Session session;
  session.reject_after = 40'000;
  std::array<std::vector<std::uint64_t>, 4> claimed;
  std::atomic<std::uint64_t> accepted{0};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < claimed.size(); ++t) {
      threads.emplace_back([&, t] {
        while (const auto first = session.claim(7)) claimed[t].push_back(*first);
        for (std::uint64_t c = 0; c < 4096; ++c) accepted += session.accept(c) ? 1 : 0;
      });
    }
  }
  std::set<std::uint64_t> all;
  for (const auto& list : claimed) {
    for (const std::uint64_t first : list) EXPECT_TRUE(all.insert(first).second);
  }
  EXPECT_EQ(all.size(), 40'000u / 7);  // a rest that does not fit is not given out
  EXPECT_LE(*all.rbegin() + 7, 40'000u);
  EXPECT_EQ(accepted, 4096u);
}

TEST(Session, BatchesAreCheckedAsSingles) {
  Session session;
  const std::array<std::uint64_t, 6> counters{0, 1, 1, 9000, 2, kRejectAfterMessages};
  std::array<bool, 6> ok{};
  EXPECT_EQ(session.accept(counters, ok), 3u);
  EXPECT_EQ(ok, (std::array<bool, 6>{true, true, false, true, false, false}));
}

TEST(Routing, AgreesWithAListOfPrefixes) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    runtime::sim::SeededRandom random(seed);
    RoutingTable table;
    std::map<Prefix, PeerRef> list;
    const auto any_address = [&] {
      // Few distinct ones, so that prefixes cover each other.
      Ipv6 out = random.chance(0.3) ? *parse_ip("10.0.0.0") : *parse_ip("fd00::");
      for (std::size_t i = 13; i < 16; ++i) out.bytes[i] = static_cast<std::uint8_t>(random.below(4) * 0x41);
      return out;
    };
    const auto any_prefix = [&] {
      Prefix out{any_address(), 128};
      const bool v4 = is_ipv4(out.address);
      if (!random.chance(0.3)) out.bits = static_cast<std::uint8_t>(v4 ? 96 + random.below(33) : random.below(129));
      for (unsigned i = out.bits; i < 128; ++i) {
        out.address.bytes[i / 8] &= static_cast<std::uint8_t>(~(0x80u >> (i % 8)));
      }
      return out;
    };
    for (int i = 0; i < 600; ++i) {
      const Prefix prefix = any_prefix();
      const auto peer = PeerRef{static_cast<std::uint32_t>(1 + random.below(5))};
      if (random.chance(0.7)) {
        ASSERT_TRUE(table.set(prefix, peer));
        list[prefix] = peer;
      } else {
        table.erase(prefix, peer);
        if (const auto at = list.find(prefix); at != list.end() && at->second == peer) list.erase(at);
      }
      ASSERT_EQ(table.size(), list.size());
      const Ipv6 wanted = any_address();
      PeerRef expected = kNoPeer;
      int best = -1;
      for (const auto& [candidate, owner] : list) {
        const bool same_family = is_ipv4(wanted) == (candidate.bits >= 96 && is_ipv4(candidate.address));
        if (same_family && candidate.contains(wanted) && candidate.bits > best) {
          best = candidate.bits;
          expected = owner;
        }
      }
      ASSERT_EQ(table.find(wanted), expected) << "seed " << seed << " step " << i << ": " << to_string(wanted);
    }
  }
}

TEST(Routing, IsBounded) {
  RoutingTable table(2, 1);
  EXPECT_TRUE(table.set(*parse_prefix("fd00::1"), PeerRef{1}));
  EXPECT_TRUE(table.set(*parse_prefix("fd00::2"), PeerRef{1}));
  EXPECT_EQ(table.set(*parse_prefix("fd00::3"), PeerRef{1}).error().code, ErrorCode::kExhausted);
  EXPECT_TRUE(table.set(*parse_prefix("fd00::2"), PeerRef{2}));  // taking over needs no room
  EXPECT_TRUE(table.set(*parse_prefix("fd00::/64"), PeerRef{1}));
  EXPECT_EQ(table.set(*parse_prefix("fd01::/64"), PeerRef{1}).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(table.find(*parse_ip("fd00::2")), PeerRef{2});
  table.erase(*parse_prefix("fd00::2"), PeerRef{1});  // not its own
  EXPECT_EQ(table.find(*parse_ip("fd00::2")), PeerRef{2});
  table.erase(*parse_prefix("fd00::2"), PeerRef{2});
  EXPECT_EQ(table.find(*parse_ip("fd00::2")), PeerRef{1});
}

TEST(Transport, TypesHaveTheirSizes) {
  for (std::size_t size = 0; size < 200; ++size) {
    for (std::uint8_t type = 0; type < 8; ++type) {
      Bytes datagram(size);
      if (size > 0) datagram[0] = type;
      const bool expected = (type == 1 && size == 148) || (type == 2 && size == 92) || (type == 3 && size == 64) ||
                            (type == 4 && size >= 32);
      ASSERT_EQ(message_type(datagram).has_value(), expected) << int(type) << " " << size;
    }
  }
  Bytes reserved(148);
  reserved[0] = 1;
  reserved[3] = 1;
  EXPECT_FALSE(message_type(reserved));
}

TEST(Transport, PadsToSixteenButNotBeyondTheMtu) {
  Session session;
  for (const auto& [length, mtu, expected] : std::vector<std::array<std::size_t, 3>>{{0, 1420, 0},
                                                                                     {1, 1420, 16},
                                                                                     {16, 1420, 16},
                                                                                     {17, 1420, 32},
                                                                                     {1409, 1420, 1420},
                                                                                     {1420, 1420, 1420},
                                                                                     {1500, 1420, 1500}}) {
    EXPECT_EQ(seal_transport(session, Bytes(length), mtu)->size(), kTransportOverhead + expected) << length;
  }
}

TEST(Transport, ReplaysAndChangesAreRefused) {
  Session session;
  const Bytes sealed = *seal_transport(session, as_bytes("payload"));
  for (std::size_t i = 8; i < sealed.size(); ++i) {
    Bytes changed = sealed;
    changed[i] ^= 4;
    EXPECT_EQ(open_transport(session, changed).error().code, ErrorCode::kCorrupt) << i;
  }
  EXPECT_TRUE(open_transport(session, sealed));
  EXPECT_EQ(open_transport(session, sealed).error().code, ErrorCode::kExists);
}

TEST(Transport, PacketLengthsComeFromTheHeader) {
  Bytes v6(64);
  v6[0] = 0x60;
  v6[5] = 20;
  EXPECT_EQ(trim_packet(v6).value(), 60u);
  v6[5] = 25;
  EXPECT_FALSE(trim_packet(v6));
  Bytes v4(32);
  v4[0] = 0x45;
  v4[3] = 28;
  EXPECT_EQ(trim_packet(v4).value(), 28u);
  v4[3] = 19;
  EXPECT_FALSE(trim_packet(v4));
  EXPECT_EQ(trim_packet({}).value(), 0u);
  EXPECT_FALSE(trim_packet(Bytes(64)));
  EXPECT_FALSE(packet_addresses(Bytes(64)));
  // IPv6 with a mapped source would pass for IPv4.
  Bytes mapped(40);
  mapped[0] = 0x60;
  mapped[18] = mapped[19] = 0xff;
  mapped[20] = 10;
  EXPECT_FALSE(packet_addresses(mapped));
}

}  // namespace
}  // namespace bonus::net::tunnel
