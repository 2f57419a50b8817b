// The fast interpreter against the reference on programs that follow from the fuzzer's bytes.
#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "bonus/chain/vectors/differential.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::chain::vectors;
  Choices choices(bonus::BytesView(data, size));
  Scenario scenario = random_scenario(choices);
  // The reference divides bit by bit: a loop of divisions would count as a hang under the sanitizers.
  scenario.transaction.tx.gas_limit = std::min<std::uint64_t>(scenario.transaction.tx.gas_limit, 400'000);
  const std::string difference = compare_interpreters(scenario);
  if (!difference.empty()) {
    std::fputs(difference.c_str(), stderr);
    std::abort();
  }
  return 0;
}
