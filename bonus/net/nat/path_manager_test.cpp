// Every pair of NAT kinds on a simulated Internet.
#include "bonus/net/nat/path_manager.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bonus/net/nat/sim_net.hpp"

namespace bonus::net::nat::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Pair {
  Pair(std::uint64_t seed, Router ka, Router kb, PathOptions options = {}) : net(seed) {
    for (unsigned i = 1; i <= 3; ++i) net.add_relay(i);
    for (Host* relay : net.relays) relay->start();
    a = &make("a", ka, 1, options);
    b = &make("b", kb, 2, options);
  }
  Host& make(const std::string& label, Router kind, unsigned number, const PathOptions& options) {
    if (kind == Router::kOpen) return net.add_host(label, v4(8, 8, number, 10), nullptr, options);
    Nat& nat = net.add_nat(kind, v4(8, 8, number, 1));
    return net.add_host(label, v4(192, 168, 1, 10 + number), &nat, options);
  }
  /// Registered at their relays, with records that say so.
  void settle() {
    a->start();
    b->start();
    net.run(seconds(3));
  }
  [[nodiscard]] std::optional<PathKind> kind(Host& from, Host& to) {
    const auto path = from.paths().path(to.key());
    if (!path) return std::nullopt;
    return path->kind;
  }
  Internet net;
  Host *a, *b;
};

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
  constexpr int kSeeds = 20;
  for (std::size_t i = 0; i < kRouters.size(); ++i) {
    for (std::size_t j = i; j < kRouters.size(); ++j) {
      std::vector<double> met, direct;
      int birthdays = 0;
      for (int seed = 1; seed <= kSeeds; ++seed) {
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
        if (met.back() > 700)
          fmt::print("slow: {} x {}, seed {}: {:.0f} ms\n", name(kRouters[i]), name(kRouters[j]), seed, met.back());
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
          name(kRouters[i]), name(kRouters[j]), direct.size(), kSeeds, birthdays, at(met, 0.5), at(met, 0.95),
          at(direct, 0.5), at(direct, 0.95));
      EXPECT_LE(at(met, 0.95), 2000);
      if (!hard(kRouters[i], kRouters[j])) EXPECT_LE(at(direct, 0.95), 2000);
    }
  }
}

}  // namespace
}  // namespace bonus::net::nat::sim
