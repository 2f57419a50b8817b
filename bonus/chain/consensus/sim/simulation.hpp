// One simulated run of consensus: hostile phase, then a calm phase; what must hold is checked all the time.
#pragma once

#include <string>

#include "bonus/chain/consensus/options.hpp"

namespace bonus::chain::consensus::sim {

struct Setup {
  std::size_t nodes = 4;
  std::size_t byzantine = 1;
  Mutation mutation = Mutation::kNone;  ///< Of every honest node.
  bool ed25519 = false;                 ///< Real signatures instead of a keyed hash.
};

struct Outcome {
  bool agreed = true;   ///< No two honest nodes decided different blocks at one height.
  bool decided = true;  ///< After the network had calmed, every honest node decided two more heights in time.
  bool honest_blamed =
      false;  ///< An honest node was accused, or evidence did not verify, or a node with a whole WAL was muted.
  std::uint64_t heights = 0;  ///< Decided by the slowest honest node.
  std::uint32_t highest_round = 0;
  std::uint64_t messages = 0, crashes = 0, evidence = 0;
  std::string trouble;  ///< A sentence when something above is wrong.
  [[nodiscard]] bool good() const { return agreed && decided && !honest_blamed; }
};

/// Deterministic in its arguments. Needs 1 <= nodes <= 64, byzantine <= nodes - 1.
[[nodiscard]] Outcome simulate(const Setup& setup, std::uint64_t seed);
[[nodiscard]] std::string_view to_string(Mutation mutation);

}  // namespace bonus::chain::consensus::sim
