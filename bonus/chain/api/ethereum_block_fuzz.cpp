// Ethereum's blocks from foreign bytes: what is accepted encodes to the same bytes.
#include <cstdlib>

#include "bonus/chain/api/block_codec.hpp"
#include "bonus/chain/api/ethereum_block.hpp"

using namespace bonus;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const BytesView in(data, size);
  auto bare = chain::decode_ethereum_block(in);
  if (!bare) return 0;
  for (auto& item : bare->transactions) {
    chain::SenderTransaction tx{std::move(item.tx), {}, item.hash};
    bare->block.transactions.push_back(std::make_shared<const chain::SenderTransaction>(std::move(tx)));
  }
  const bool lists_agree = bare->has_withdrawals == bare->block.header.has(chain::HeaderForm::kShanghai);
  if (lists_agree && !std::ranges::equal(chain::encode_ethereum_block(bare->block), in)) std::abort();
  return 0;
}
