// Seeded randomness: xoshiro256** (Blackman, Vigna 2018), seeded by SplitMix64.
#pragma once

#include <array>

#include "bonus/runtime/clock.hpp"

namespace bonus::runtime::sim {

/// Not for secrets. Not thread-safe.
class SeededRandom final : public Random {
 public:
  explicit SeededRandom(std::uint64_t seed);
  void fill(std::span<std::uint8_t> out) override;
  [[nodiscard]] std::uint64_t next_u64() override;
  /// True with this probability, 0 to 1.
  [[nodiscard]] bool chance(double probability);
  /// Uniform in [low, high].
  [[nodiscard]] Duration between(Duration low, Duration high);
  /// An independent generator for a part of the run.
  [[nodiscard]] SeededRandom fork() { return SeededRandom(next_u64()); }

 private:
  std::array<std::uint64_t, 4> state_{};
};

}  // namespace bonus::runtime::sim
