// Any bytes as each of the gossip's messages: what decodes encodes to the same bytes.
#include <cstdlib>

#include "bonus/node/tx_gossip_messages.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus::node;  // NOLINT(google-build-using-namespace)
  const bonus::BytesView in(data, size);
  if (const auto hashes = decode_hashes(in))
    if (!std::ranges::equal(encode_hashes(*hashes), in)) std::abort();
  if (const auto views = decode_bodies(in)) {
    std::vector<bonus::Bytes> bodies;
    for (const auto& view : *views) bodies.emplace_back(view.begin(), view.end());
    if (!std::ranges::equal(encode_bodies(bodies), in)) std::abort();
  }
  return 0;
}
