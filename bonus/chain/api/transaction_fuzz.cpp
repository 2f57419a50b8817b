// Any bytes as a transaction: what decodes must encode to the same bytes, and no fork's rules may trip over it.
#include <cstdlib>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/api/transaction_rules.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::chain;  // NOLINT(google-build-using-namespace)
  const bonus::BytesView in(data, size);
  const auto tx = decode_transaction(in);
  if (!tx) {
    if (Transaction::decode(in)) std::abort();
    return 0;
  }
  const bonus::Bytes again = tx->encode();
  if (!std::ranges::equal(again, in)) std::abort();
  (void)tx->sender();
  (void)sender_under(*tx, Revision::kFrontier);
  if (!tx->authorizations.empty()) (void)tx->authorizations.front().authority();
  (void)check_static(*tx, 7667, 60'000'000);
  for (std::size_t i = 0; i < kRevisionCount; ++i) {
    const auto revision = static_cast<Revision>(i);
    // What a fork accepts can pay for what it is charged.
    if (check_rules_under(*tx, revision) && tx->gas_limit < minimum_gas(*tx, revision)) std::abort();
  }
  return 0;
}
