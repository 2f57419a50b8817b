// Transactions as eth_sendRawTransaction gets them, with and without blobs.
#include <cstdlib>

#include "bonus/chain/eth/pooled.hpp"

using namespace bonus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  for (const auto revision : {chain::Revision::kPrague, chain::Revision::kOsaka}) {
    const auto read = chain::eth::read_pooled_transaction(BytesView(data, size), revision);
    // Whatever was around it, what is left is a transaction as blocks hold it.
    if (read && chain::Transaction::decode((*read)->tx.encode())->hash() != (*read)->hash) std::abort();
  }
  return 0;
}
