// Any bytes as a record of the ledger's tables; the first byte chooses which. What is read must be written back the
// same.
#include <cstdlib>

#include "bonus/chain/state/records.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::chain::state;  // NOLINT(google-build-using-namespace): one function
  if (size == 0) return 0;
  const bonus::BytesView in(data + 1, size - 1);
  const auto same = [&](const bonus::Bytes& again) {
    if (!std::ranges::equal(again, in)) std::abort();
  };
  switch (data[0] % 5) {
    case 0:
      if (const auto account = decode_account(in)) same(encode_account(*account));
      break;
    case 1:
      if (const auto nodes = decode_replaced_record(in)) same(encode_replaced_record(*nodes));
      break;
    case 2:
      if (auto changes = decode_changes_record(in)) {
        // One contract may be named twice, or out of order: what counts is that the sorted form reads back.
        sort_changes(*changes);
        const auto once = encode_changes_record(*changes);
        const auto again = decode_changes_record(once);
        if (!again || encode_changes_record(*again) != once) std::abort();
      }
      break;
    case 3:
      if (const auto receipts = decode_receipts_record(in)) {
        const auto once = encode_receipts_record(receipts->receipts, receipts->system_logs);
        const auto again = decode_receipts_record(once);
        if (!again || encode_receipts_record(again->receipts, again->system_logs) != once) std::abort();
      }
      break;
    default:
      (void)decode_block_record(in);
  }
  return 0;
}
