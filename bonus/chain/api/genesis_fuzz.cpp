// Any text as a genesis file: what is accepted must survive a round trip.
#include <cstdlib>

#include "bonus/chain/api/genesis.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto genesis = bonus::chain::Genesis::from_json(bonus::as_text({data, size}));
  if (!genesis) return 0;
  const std::string text = genesis->to_json();
  const auto again = bonus::chain::Genesis::from_json(text);
  if (!again || again->to_json() != text) std::abort();
  return 0;
}
