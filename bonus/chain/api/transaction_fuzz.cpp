// Any bytes as a transaction: what decodes must encode to the same bytes.
#include <cstdlib>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/types.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  const auto tx = bonus::chain::Transaction::decode(in);
  if (!tx) return 0;
  const bonus::Bytes again = tx->encode();
  if (!std::ranges::equal(again, in)) std::abort();
  (void)tx->sender();
  (void)bonus::chain::check_static(*tx, 7667, 60'000'000);
  return 0;
}
