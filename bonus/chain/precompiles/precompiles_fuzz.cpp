// Fuzz target: any input to any precompile. First byte: which; second: rule set; the rest: input.
#include <cstdlib>

#include "bonus/chain/precompiles/precompiles.hpp"

namespace {
void require(bool holds) {
  if (!holds) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;
  using namespace bonus::chain;
  if (size < 2) return 0;
  const auto revision = static_cast<Revision>(data[1] % kRevisionCount);
  const auto all = precompiles::addresses(revision);
  const Address& address = all[data[0] % all.size()];
  require(precompiles::is_precompile(address, revision));
  const BytesView input(data + 2, size - 2);

  constexpr std::uint64_t kGas = 1'000'000;  // Bounds the rounds of BLAKE2 and the lengths of modexp.
  Bytes output{1, 2, 3};
  const auto reply = precompiles::run(address, revision, input, kGas, output);
  require(reply.gas_used <= kGas);
  if (!reply.success) {
    require(output.empty() && reply.gas_used == kGas);
    return 0;
  }
  // Exactly the price is enough, less is not, and the answer does not depend on the gas.
  Bytes again;
  const auto exact = precompiles::run(address, revision, input, reply.gas_used, again);
  require(exact.success && exact.gas_used == reply.gas_used && again == output);
  if (reply.gas_used > 0) {
    const auto poor = precompiles::run(address, revision, input, reply.gas_used - 1, again);
    require(!poor.success && again.empty());
  }
  return 0;
}
