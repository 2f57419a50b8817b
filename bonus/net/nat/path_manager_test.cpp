// Every pair of NAT kinds on a simulated Internet.
#include "bonus/net/nat/path_manager.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "bonus/net/nat/sim_net.hpp"

namespace bonus::net::nat::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

Duration first(Host& from, Host& to, Instant since, bool direct) {
  for (const auto& [at, change] : from.history[to.key()])
    if (!direct || change.kind == PathKind::kDirect) return at - since;
  return Duration::max();
}

double ms(Duration d) { return static_cast<double>(d.count()) / 1e6; }

bool hard(Router a, Router b) {
  return (a == Router::kSymmetric && (b == Router::kSymmetric || b == Router::kPort)) ||
         (b == Router::kSymmetric && a == Router::kPort);
}

TEST(Paths, AllPairsOfNatKinds) {
  // More of them by hand: BONUS_NAT_SEEDS=200.
  const char* asked = std::getenv("BONUS_NAT_SEEDS");
  const int seeds = asked != nullptr ? std::clamp(std::atoi(asked), 1, 10000) : 20;
  for (std::size_t i = 0; i < kRouters.size(); ++i) {
    for (std::size_t j = i; j < kRouters.size(); ++j) {
      std::vector<double> met, direct;
      int birthdays = 0;
      for (int seed = 1; seed <= seeds; ++seed) {
        // Both directions of asking.
        const bool swap = seed % 2 == 0;
        Pair pair(static_cast<std::uint64_t>(seed), swap ? kRouters[j] : kRouters[i], swap ? kRouters[i] : kRouters[j]);
        pair.settle();
        const Instant since = pair.net.events.now();
        pair.a->connect(*pair.b);
        pair.net.run(seconds(15));
        SCOPED_TRACE(fmt::format("{} x {}, seed {}", name(kRouters[i]), name(kRouters[j]), seed));
        ASSERT_TRUE(pair.kind(*pair.a, *pair.b).has_value());
        ASSERT_TRUE(pair.kind(*pair.b, *pair.a).has_value());
        met.push_back(ms(std::max(first(*pair.a, *pair.b, since, false), first(*pair.b, *pair.a, since, false))));
        const bool is_direct =
            pair.kind(*pair.a, *pair.b) == PathKind::kDirect && pair.kind(*pair.b, *pair.a) == PathKind::kDirect;
        if (is_direct)
          direct.push_back(ms(std::max(first(*pair.a, *pair.b, since, true), first(*pair.b, *pair.a, since, true))));
        if (!hard(kRouters[i], kRouters[j])) {
          EXPECT_TRUE(is_direct);
        }
        if (kRouters[i] == Router::kSymmetric && kRouters[j] == Router::kSymmetric) EXPECT_FALSE(is_direct);
        if (is_direct && !pair.a->sockets.empty()) ++birthdays;
        // Both ends really receive what the other sends on its path.
        for (std::uint32_t mark = 0; mark < 20; ++mark) {
          pair.a->send_data(*pair.b, mark);
          pair.b->send_data(*pair.a, 100 + mark);
        }
        pair.net.run(seconds(1));
        EXPECT_GE(pair.a->received_marks.size(), 15U);
        EXPECT_GE(pair.b->received_marks.size(), 15U);
        EXPECT_LE(pair.a->paths().peers().size(), 8U);
        for (const auto& status : pair.a->paths().peers())
          if (status.peer == pair.b->key()) EXPECT_LE(status.switches, 3U);
      }
      std::ranges::sort(met);
      std::ranges::sort(direct);
      const auto at = [](const std::vector<double>& v, double q) {
        return v.empty() ? -1.0 : v[static_cast<std::size_t>(q * static_cast<double>(v.size() - 1))];
      };
      fmt::print(
          "{:>19} x {:<19} direct {:2}/{} (birthday {}) met p50 {:5.0f} p95 {:5.0f} ms, direct p50 {:5.0f} p95 {:5.0f} "
          "ms\n",
          name(kRouters[i]), name(kRouters[j]), direct.size(), seeds, birthdays, at(met, 0.5), at(met, 0.95),
          at(direct, 0.5), at(direct, 0.95));
      EXPECT_LE(at(met, 0.95), 2000);
      if (!hard(kRouters[i], kRouters[j])) EXPECT_LE(at(direct, 0.95), 2000);
    }
  }
}

TEST(Paths, InAHurryOneRoundTripProvesThePath) {
  for (const bool at_once : {false, true}) {
    Pair pair(3, Router::kOpen, Router::kOpen);
    pair.net.link.loss = 0;
    pair.net.link.jitter = {};
    pair.settle();
    const Instant since = pair.net.events.now();
    pair.a->act([&](Actions& out) { ASSERT_TRUE(pair.a->paths().connect(pair.b->record(), since, out, at_once)); });
    pair.net.run(seconds(1));
    const auto one_way = pair.net.link.delay;
    EXPECT_LE(first(*pair.a, *pair.b, since, true), (at_once ? 2 : 4) * one_way + milliseconds(2));
    if (!at_once) EXPECT_GT(first(*pair.a, *pair.b, since, true), 3 * one_way);
  }
}

TEST(Paths, MeetingSomebodyNamedGivesItsRecordAndAPathInOneRoundTrip) {
  Pair pair(4, Router::kOpen, Router::kOpen);
  pair.net.link.loss = 0;
  pair.settle();
  const Instant since = pair.net.events.now();
  pair.a->act([&](Actions& out) { pair.a->paths().meet(pair.b->key(), {pair.b->address, pair.b->port}, since, out); });
  pair.net.run(2 * pair.net.link.delay + milliseconds(10));
  ASSERT_FALSE(pair.a->learned.empty());
  EXPECT_EQ(pair.a->learned[0], pair.b->encode_record());
  pair.net.run(milliseconds(50));
  EXPECT_TRUE(pair.a->paths().path(pair.b->key())) << "before anybody wants it";
  ASSERT_FALSE(pair.b->learned.empty()) << "the other can answer a handshake";
  EXPECT_EQ(pair.b->learned[0], pair.a->encode_record());
}

TEST(Paths, BlockedUdpGoesThroughTls) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    for (const Router other : {Router::kOpen, Router::kPort, Router::kSymmetric}) {
      for (const bool asks : {true, false}) {
        SCOPED_TRACE(fmt::format("{}, asks {}, seed {}", name(other), asks, seed));
        Pair pair(seed, Router::kPort, other);
        pair.a->udp_blocked = true;
        pair.settle();
        pair.net.run(seconds(5));  // until the relays have not answered by UDP and the links stand
        EXPECT_EQ(pair.a->paths().nat_kind(), NatKind::kBlocked);
        if (asks)
          pair.a->connect(*pair.b);
        else
          pair.b->connect(*pair.a);
        pair.net.run(seconds(4));
        ASSERT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kTls);
        EXPECT_EQ(pair.kind(*pair.b, *pair.a), PathKind::kRelayed);
        EXPECT_TRUE(pair.a->send_data(*pair.b, 1));
        EXPECT_TRUE(pair.b->send_data(*pair.a, 2));
        pair.net.run(seconds(1));
        EXPECT_EQ(pair.b->received_marks.size() + pair.a->received_marks.size(), 2U);
        // The firewall goes away: UDP is found again, then the direct path.
        pair.a->udp_blocked = false;
        for (std::uint32_t i = 0; i < 250; ++i) {
          pair.a->send_data(*pair.b, i);
          pair.net.run(seconds(1));
        }
        EXPECT_TRUE(pair.a->links.empty());
        if (other != Router::kSymmetric) EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
      }
    }
  }
}

TEST(Paths, BothBlockedMeetAtARelayByTls) {
  Pair pair(5, Router::kPort, Router::kFullCone);
  pair.a->udp_blocked = pair.b->udp_blocked = true;
  pair.settle();
  pair.net.run(seconds(6));
  pair.a->connect(*pair.b);
  pair.net.run(seconds(5));
  EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kTls);
  EXPECT_EQ(pair.kind(*pair.b, *pair.a), PathKind::kTls);
}

/// Sends every 100 ms both ways; the longest time in which nothing arrived at either end.
Duration longest_gap(Pair& pair, Duration span) {
  Duration longest{};
  std::size_t a_had = pair.a->received_marks.size(), b_had = pair.b->received_marks.size();
  Instant a_at = pair.net.events.now(), b_at = a_at;
  const Instant end = pair.net.events.now() + span;
  while (pair.net.events.now() < end) {
    pair.a->send_data(*pair.b, 1);
    pair.b->send_data(*pair.a, 2);
    pair.net.run(milliseconds(100));
    const Instant now = pair.net.events.now();
    if (pair.a->received_marks.size() != a_had) a_had = pair.a->received_marks.size(), a_at = now;
    if (pair.b->received_marks.size() != b_had) b_had = pair.b->received_marks.size(), b_at = now;
    longest = std::max({longest, now - a_at, now - b_at});
  }
  return longest;
}

TEST(Paths, RoamsWithinTwoSeconds) {
  std::vector<double> gaps;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    for (const Router kind : {Router::kOpen, Router::kFullCone, Router::kPort}) {
      SCOPED_TRACE(fmt::format("{}, seed {}", name(kind), seed));
      Pair pair(seed, Router::kPort, kind);
      pair.settle();
      pair.a->connect(*pair.b);
      pair.net.run(seconds(5));
      (void)longest_gap(pair, seconds(3));
      ASSERT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
      // From the home network to a mobile one.
      Nat& mobile = pair.net.add_nat(Router::kPort, v4(7, 7, 7, 1));
      pair.a->set_address(v4(10, 64, 0, 9), &mobile);
      gaps.push_back(ms(longest_gap(pair, seconds(12))));
      EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
    }
  }
  std::ranges::sort(gaps);
  fmt::print("roaming: longest silence p50 {:.0f}, p95 {:.0f}, max {:.0f} ms of {} runs\n", gaps[gaps.size() / 2],
             gaps[gaps.size() * 95 / 100], gaps.back(), gaps.size());
  EXPECT_LE(gaps[gaps.size() * 95 / 100], 2000);
}

TEST(Paths, SurvivesARouterThatForgetsItsMappings) {
  std::vector<double> gaps;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Pair pair(seed, Router::kPort, seed % 2 == 0 ? Router::kPort : Router::kAddress);
    pair.settle();
    pair.a->connect(*pair.b);
    pair.net.run(seconds(5));
    (void)longest_gap(pair, seconds(2));
    pair.a->nat->reboot();  // nobody tells the node
    gaps.push_back(ms(longest_gap(pair, seconds(20))));
    EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
    EXPECT_EQ(pair.kind(*pair.b, *pair.a), PathKind::kDirect);
  }
  std::ranges::sort(gaps);
  fmt::print("rebooted router: longest silence p50 {:.0f}, max {:.0f} ms\n", gaps[gaps.size() / 2], gaps.back());
  EXPECT_LE(gaps.back(), 5000);
}

TEST(Paths, DoesNotFlapUnderLossAndJitter) {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Pair pair(seed, Router::kPort, Router::kFullCone);
    pair.net.link.loss = 0.05;
    pair.net.link.jitter = milliseconds(30);
    pair.settle();
    pair.a->connect(*pair.b);
    pair.net.run(seconds(8));
    for (int i = 0; i < 600; ++i) {
      pair.a->send_data(*pair.b, 1);
      pair.b->send_data(*pair.a, 2);
      pair.net.run(milliseconds(500));
    }
    for (const auto& status : pair.a->paths().peers())
      if (status.peer == pair.b->key()) EXPECT_LE(status.switches, 4U);
    EXPECT_EQ(pair.a->lost[pair.b->key()], 0);
    EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
  }
}

TEST(Paths, IdlePeersCostNothingAndComeBack) {
  Pair pair(3, Router::kPort, Router::kPort);
  pair.settle();
  pair.a->connect(*pair.b);
  pair.net.run(seconds(200));
  const std::size_t before = pair.a->sent_packets;
  pair.net.run(seconds(600));
  // Two home relays every 20 s, and nothing to the idle peer.
  EXPECT_LE(pair.a->sent_packets - before, 75U);
  pair.a->send_data(*pair.b, 7);
  pair.net.run(seconds(5));
  EXPECT_EQ(pair.kind(*pair.a, *pair.b), PathKind::kDirect);
  pair.b->received_marks.clear();
  pair.a->send_data(*pair.b, 8);
  pair.net.run(seconds(1));
  EXPECT_EQ(pair.b->received_marks, std::vector<std::uint32_t>{8});
}

TEST(Paths, FindsTheLargestMtuAndNoticesWhenItShrinks) {
  for (const std::size_t link : {1340U, 1400U, 1500U, 9000U}) {
    Pair pair(4, Router::kOpen, Router::kFullCone);
    pair.net.link.mtu = link;
    pair.settle();
    pair.a->connect(*pair.b);
    for (std::uint32_t i = 0; i < 100; ++i) {
      pair.a->send_data(*pair.b, i);
      pair.net.run(milliseconds(100));
    }
    std::uint16_t expected = 1280;
    for (const std::uint16_t size : std::array<std::uint16_t, 3>{1360, 1420, 8920})
      if (size + 60U <= link) expected = size;  // IPv4 20, UDP 8, WireGuard 32
    EXPECT_EQ(pair.a->paths().path(pair.b->key())->mtu, expected) << link;
    pair.net.link.mtu = 1340;
    for (std::uint32_t i = 0; i < 900; ++i) {
      pair.a->send_data(*pair.b, i);
      pair.net.run(milliseconds(100));
    }
    EXPECT_EQ(pair.a->paths().path(pair.b->key())->mtu, 1280);
  }
}

TEST(Paths, FindsTheLargestMtuOfASlowPathToo) {
  Pair pair(4, Router::kOpen, Router::kFullCone);
  pair.net.link.mtu = 9000;
  pair.net.link.delay = milliseconds(300);
  pair.settle();
  pair.net.run(seconds(10));
  pair.a->connect(*pair.b);
  for (std::uint32_t i = 0; i < 200; ++i) {
    pair.a->send_data(*pair.b, i);
    pair.net.run(milliseconds(100));
  }
  EXPECT_EQ(pair.a->paths().path(pair.b->key())->mtu, 8920);
}

TEST(Paths, ARelayThatDiesIsReplaced) {
  Pair pair(6, Router::kSymmetric, Router::kSymmetric);
  pair.settle();
  pair.a->connect(*pair.b);
  pair.net.run(seconds(5));
  const auto first_path = pair.a->paths().path(pair.b->key());
  ASSERT_TRUE(first_path);
  for (Host* relay : pair.net.relays)
    if (relay->address == first_path->path.udp.address) relay->powered = false;
  EXPECT_LE(ms(longest_gap(pair, seconds(60))), 30000);
  const auto second_path = pair.a->paths().path(pair.b->key());
  ASSERT_TRUE(second_path);
  EXPECT_NE(second_path->path.udp, first_path->path.udp);
}

TEST(Paths, WithoutRelaysAPeerIntroduces) {
  // Two nodes behind routers and one open node that both have a path to; nobody relays.
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Internet net(seed);
    std::vector<Host*> open;
    for (unsigned i = 0; i < 2; ++i) open.push_back(&net.add_host("open", v4(6, 6, i + 1, 6), nullptr));
    Nat& nat_a = net.add_nat(Router::kPort, v4(8, 8, 1, 1));
    Nat& nat_b = net.add_nat(Router::kPort, v4(8, 8, 2, 1));
    Host& a = net.add_host("a", v4(192, 168, 1, 2), &nat_a);
    Host& b = net.add_host("b", v4(192, 168, 1, 3), &nat_b);
    for (Host* host : {open[0], open[1], &a, &b}) host->start();
    for (Host* host : {&a, &b})
      for (Host* other : open) host->connect(*other);
    net.run(seconds(2));
    EXPECT_EQ(a.paths().observed().size(), 1U);
    EXPECT_EQ(a.paths().nat_kind(), NatKind::kCone);
    a.connect(b);
    net.run(seconds(5));
    ASSERT_TRUE(a.paths().path(b.key()));
    ASSERT_TRUE(b.paths().path(a.key()));
    EXPECT_EQ(a.paths().path(b.key())->kind, PathKind::kDirect);
  }
}

TEST(Paths, TheSameLanIsUsedDirectly) {
  Internet net(2);
  for (unsigned i = 1; i <= 2; ++i) net.add_relay(i).start();
  Nat& nat = net.add_nat(Router::kPort, v4(8, 8, 1, 1));
  Host& a = net.add_host("a", v4(192, 168, 1, 2), &nat);
  Host& b = net.add_host("b", v4(192, 168, 1, 3), &nat);
  net.lan = true;
  a.start();
  b.start();
  net.run(seconds(3));
  a.connect(b);
  net.run(seconds(3));
  ASSERT_TRUE(a.paths().path(b.key()));
  EXPECT_EQ(to_string(a.paths().path(b.key())->path.udp), "192.168.1.3:51820");
}

TEST(Paths, BoundsItsTable) {
  Internet net(2);
  PathOptions options;
  options.max_peers = 4;
  Host& a = net.add_host("a", v4(8, 8, 1, 2), nullptr, options);
  a.start();
  std::vector<Host*> others;
  for (unsigned i = 0; i < 6; ++i) {
    others.push_back(&net.add_host("x", v4(8, 8, 2, i + 1), nullptr));
    others.back()->start();
  }
  int refused = 0;
  for (Host* other : others)
    a.act([&](Actions& out) {
      const auto done = a.paths().connect(other->record(), net.events.now(), out);
      if (!done && done.error().code == ErrorCode::kExhausted) ++refused;
    });
  EXPECT_EQ(refused, 2);
  a.act([&](Actions& out) {
    EXPECT_FALSE(a.paths().connect(a.record(), net.events.now(), out));
    a.paths().forget(others[0]->key(), out);
    EXPECT_TRUE(a.paths().connect(others[5]->record(), net.events.now(), out));
  });
  EXPECT_EQ(a.paths().peers().size(), 4U);
}

}  // namespace
}  // namespace bonus::net::nat::sim
