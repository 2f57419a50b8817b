// Coordinates converge on distances; nonsense moves nothing.
#include "bonus/net/kad/vivaldi.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "bonus/runtime/sim/random.hpp"

namespace bonus::net::kad {
namespace {

using runtime::sim::SeededRandom;

TEST(Vivaldi, ConvergesOnDistancesOfAPlaneWithAccessDelays) {
  constexpr std::uint64_t kSeed = 21;
  SCOPED_TRACE(kSeed);
  SeededRandom random(kSeed);
  constexpr std::size_t kNodes = 200;
  struct Place {
    double x, y, access;
  };
  std::vector<Place> places;
  for (std::size_t i = 0; i < kNodes; ++i)
    places.push_back({static_cast<double>(random.below(200)), static_cast<double>(random.below(120)),
                      1 + static_cast<double>(random.below(10))});
  const auto rtt = [&](std::size_t a, std::size_t b) {
    return std::hypot(places[a].x - places[b].x, places[a].y - places[b].y) + places[a].access + places[b].access;
  };
  std::vector<Coordinate> nodes(kNodes);
  const auto error = [&] {
    std::vector<double> errors;
    for (std::size_t a = 0; a < kNodes; ++a)
      for (std::size_t b = 0; b < a; ++b)
        errors.push_back(std::abs(predict_ms(nodes[a], nodes[b]) - rtt(a, b)) / rtt(a, b));
    std::ranges::sort(errors);
    return errors[errors.size() / 2];
  };
  const double before = error();
  for (unsigned round = 0; round < 400; ++round)
    for (std::size_t i = 0; i < kNodes; ++i) {
      const auto other = random.below(kNodes);
      if (other != i) observe(nodes[i], nodes[other], rtt(i, other), static_cast<double>(random.below(1000)) / 1000);
    }
  EXPECT_GT(before, 0.5);
  EXPECT_LT(error(), 0.1);
}

TEST(Vivaldi, NonsenseMovesNothing) {
  Coordinate self{3, 4, 1, 0.5f};
  const auto before = self;
  for (const double rtt : {0.0, -5.0, 1e9, std::nan("")}) observe(self, {}, rtt, 0.1);
  observe(self, {NAN, 0, 1, 1}, 10, 0.1);
  observe(self, {0, INFINITY, 1, 1}, 10, 0.1);
  EXPECT_EQ(self.x, before.x);
  EXPECT_EQ(self.height, before.height);
  EXPECT_EQ(pack({NAN, 0, 0, 0}), PackedCoordinate{});
}

TEST(Vivaldi, TravelsInQuarterMilliseconds) {
  const auto back = unpack(pack({-12.5f, 100.25f, 3, 0.25f}));
  EXPECT_EQ(back.x, -12.5f);
  EXPECT_EQ(back.y, 100.25f);
  EXPECT_EQ(back.height, 3);
  EXPECT_EQ(pack({1e9f, -1e9f, 1e9f, -1}).x, INT16_MAX);
}

}  // namespace
}  // namespace bonus::net::kad
