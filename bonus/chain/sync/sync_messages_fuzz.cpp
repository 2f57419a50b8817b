// Any bytes as a synchronisation message: what decodes must encode to the same bytes.
#include <cstdlib>

#include "bonus/chain/sync/messages.hpp"

namespace {
template <class T>
void round_trip(bonus::BytesView in) {
  const auto value = T::decode(in);
  if (value && !std::ranges::equal(value->encode(), in)) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const bonus::BytesView in(data, size);
  round_trip<bonus::chain::sync::Status>(in);
  round_trip<bonus::chain::sync::RangeRequest>(in);
  round_trip<bonus::chain::sync::RangeReply>(in);
  return 0;
}
