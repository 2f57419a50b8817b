// The fast interpreter against the reference on programs that follow from the fuzzer's bytes.
#include <cstdio>
#include <cstdlib>

#include "bonus/chain/vectors/differential.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::chain::vectors;
  Choices choices(bonus::BytesView(data, size));
  const std::string difference = compare_interpreters(random_scenario(choices));
  if (!difference.empty()) {
    std::fputs(difference.c_str(), stderr);
    std::abort();
  }
  return 0;
}
