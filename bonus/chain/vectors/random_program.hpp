// Random but mostly sensible contracts and transactions: what one interpreter is compared with another on. Everything
// follows from the given bytes or seed.
#pragma once

#include "bonus/chain/vectors/environment.hpp"
#include "bonus/chain/vectors/memory_state.hpp"

namespace bonus::chain::vectors {

/// A source of choices: the bytes of a fuzzer first, then a generator (SplitMix64) seeded by them.
class Choices {
 public:
  explicit Choices(std::uint64_t seed) : state_(seed) {}
  explicit Choices(BytesView bytes);
  /// Below `bound`, which is not 0.
  std::uint64_t below(std::uint64_t bound);
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint64_t word();

 private:
  BytesView bytes_;
  std::uint64_t state_ = 0;
};

/// Programs use the storage slots below this one.
inline constexpr std::uint64_t kRandomSlots = 6;
/// Code for the rules of `revision`: mostly valid stack heights, jumps to JUMPDESTs, calls between `contracts` (of
/// which it may be one itself) and precompiles, creations, storage, logs, copies; now and then anything at all.
[[nodiscard]] Bytes random_program(Choices& choices, Revision revision, std::span<const Address> contracts);
/// A word that is an edge of some rule more often than not.
[[nodiscard]] uint256 random_word(Choices& choices);

struct Scenario {
  Revision revision = Revision::kOsaka;
  Accounts pre;
  Environment environment;
  SenderTransaction transaction;
};
/// Some contracts, plain accounts and a transaction to one of them or with init code.
[[nodiscard]] Scenario random_scenario(Choices& choices);
[[nodiscard]] Scenario random_scenario(Choices& choices, Revision revision);

}  // namespace bonus::chain::vectors
