// Any bytes as a block, a header or extra data: what decodes must encode to the same bytes.
#include <cstdlib>

#include "bonus/chain/api/block_codec.hpp"

namespace {
template <class T>
void round_trip(bonus::BytesView in, const bonus::Result<T>& value) {
  if (value && !std::ranges::equal(value->encode(), in)) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::chain;  // NOLINT(google-build-using-namespace)
  const bonus::BytesView in(data, size);
  round_trip(in, Header::decode(in));
  round_trip(in, ExtraData::decode(in));
  // Without recovery, so that the fuzzer reaches what stands behind a transaction with a wrong signature.
  round_trip(
      in, decode_block(in, [](Transaction tx, const bonus::Hash32& hash, std::size_t) -> bonus::Result<TransactionPtr> {
        return std::make_shared<const SenderTransaction>(SenderTransaction{std::move(tx), {}, hash});
      }));
  return 0;
}
