// xoshiro256**.
#include "bonus/runtime/sim/random.hpp"

#include <bit>

namespace bonus::runtime::sim {

SeededRandom::SeededRandom(std::uint64_t seed) {
  for (auto& word : state_) {
    seed += 0x9E3779B97F4A7C15ULL;
    std::uint64_t z = seed;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ULL;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBULL;
    word = z ^ (z >> 31);
  }
}

std::uint64_t SeededRandom::next_u64() {
  const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
  const std::uint64_t t = state_[1] << 17;
  state_[2] ^= state_[0];
  state_[3] ^= state_[1];
  state_[1] ^= state_[2];
  state_[0] ^= state_[3];
  state_[2] ^= t;
  state_[3] = std::rotl(state_[3], 45);
  return result;
}

void SeededRandom::fill(std::span<std::uint8_t> out) {
  std::uint64_t word = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    if (i % 8 == 0) word = next_u64();
    out[i] = static_cast<std::uint8_t>(word >> (8 * (i % 8)));
  }
}

bool SeededRandom::chance(double probability) {
  return static_cast<double>(next_u64() >> 11) * 0x1.0p-53 < probability;
}

Duration SeededRandom::between(Duration low, Duration high) {
  if (high <= low) return low;
  return low + Duration(static_cast<std::int64_t>(below(static_cast<std::uint64_t>((high - low).count()) + 1)));
}

}  // namespace bonus::runtime::sim
