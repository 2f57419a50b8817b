// Many nodes at once: everybody wants everybody, then a third of them and a relay die.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "bonus/net/nat/sim_net.hpp"

namespace bonus::net::nat::sim {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Town {
  Town(std::uint64_t seed, unsigned of_each) : net(seed) {
    for (unsigned i = 1; i <= 3; ++i) net.add_relay(i).start();
    unsigned number = 0;
    for (const Router kind : kRouters) {
      for (unsigned i = 0; i < of_each; ++i) {
        ++number;
        Nat* nat = kind == Router::kOpen ? nullptr : &net.add_nat(kind, v4(8, 8, number, 1));
        const Ipv6 address = nat == nullptr ? v4(8, 8, number, 10) : v4(192, 168, 1, 10 + number);
        nodes.push_back(&net.add_host(std::string(name(kind)), address, nat));
        kinds.push_back(kind);
      }
    }
    for (Host* node : nodes) node->start();
    net.run(seconds(3));
  }
  [[nodiscard]] bool direct_expected(std::size_t i, std::size_t j) const {
    const Router a = std::min(kinds[i], kinds[j]), b = std::max(kinds[i], kinds[j]);
    return b != Router::kSymmetric || (a != Router::kSymmetric && a != Router::kPort);
  }
  /// Pairs of living nodes without a working path in both directions, proven by what arrives.
  std::size_t silent_pairs() {
    std::size_t silent = 0;
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::size_t j = 0; j < nodes.size(); ++j) {
        if (i == j || !nodes[i]->powered || !nodes[j]->powered) continue;
        const auto mark = static_cast<std::uint32_t>(1000000 + i * 1000 + j);
        for (int copy = 0; copy < 3; ++copy) (void)nodes[i]->send_data(*nodes[j], mark);
      }
    }
    net.run(seconds(1));
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      for (std::size_t j = 0; j < nodes.size(); ++j) {
        if (i == j || !nodes[i]->powered || !nodes[j]->powered) continue;
        const auto mark = static_cast<std::uint32_t>(1000000 + i * 1000 + j);
        silent += std::ranges::count(nodes[j]->received_marks, mark) == 0 ? 1U : 0U;
      }
    }
    for (Host* node : nodes) node->received_marks.clear();
    return silent;
  }
  Internet net;
  std::vector<Host*> nodes;
  std::vector<Router> kinds;
};

TEST(Town, EverybodyTalksAndTheSurvivorsOfAThirdTalkAgain) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE(fmt::format("seed {}", seed));
    Town town(seed, 3);
    for (Host* a : town.nodes)
      for (Host* b : town.nodes)
        if (a != b) a->connect(*b);
    town.net.run(seconds(10));
    // A pair that crosses a symmetric NAT by birthday may be changing from the relay just now.
    int calm = 0;
    while (calm < 5 && town.silent_pairs() != 0) ++calm;
    EXPECT_LT(calm, 5);
    std::size_t direct = 0, expected = 0;
    for (std::size_t i = 0; i < town.nodes.size(); ++i) {
      for (std::size_t j = 0; j < town.nodes.size(); ++j) {
        if (i == j || !town.direct_expected(i, j)) continue;
        ++expected;
        const auto path = town.nodes[i]->paths().path(town.nodes[j]->key());
        direct += path && path->kind == PathKind::kDirect ? 1U : 0U;
      }
    }
    EXPECT_EQ(direct, expected);
    // Every third node and the first relay, without a word.
    for (std::size_t i = 0; i < town.nodes.size(); i += 3) town.nodes[i]->powered = false;
    town.net.relays[0]->powered = false;
    int waited = 0;
    while (waited < 60 && town.silent_pairs() != 0) ++waited;
    fmt::print("seed {}: {} nodes, {} of {} direct; survivors talk after {} s\n", seed, town.nodes.size(), direct,
               expected, waited);
    EXPECT_LT(waited, 60);
    // Nothing is kept for the dead but the wish.
    for (Host* node : town.nodes)
      for (const auto& status : node->paths().peers()) EXPECT_LE(status.candidates, 16U);
  }
}

TEST(Town, ASilentTownIsQuiet) {
  Town town(9, 2);
  for (Host* a : town.nodes)
    for (Host* b : town.nodes)
      if (a != b) a->connect(*b);
  town.net.run(seconds(300));
  std::size_t before = 0, after = 0;
  for (Host* node : town.nodes) before += node->sent_packets;
  town.net.run(seconds(100));
  for (Host* node : town.nodes) after += node->sent_packets;
  // Two home relays every 20 s for each node, and what relayed pairs still hold.
  fmt::print("{} nodes without traffic send {:.2f} packets a second together\n", town.nodes.size(),
             static_cast<double>(after - before) / 100);
  EXPECT_LE(after - before, town.nodes.size() * 40);
}

}  // namespace
}  // namespace bonus::net::nat::sim
