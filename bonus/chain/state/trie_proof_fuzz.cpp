// Any bytes as a proof: key length, key, then nodes with a two-byte length each. The root is the first node's own hash,
// so that the walk goes on. Nothing may crash; a proof that holds must need all of its nodes.
#include <cstdlib>

#include "bonus/chain/state/trie.hpp"
#include "bonus/crypto/hash.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace bonus;  // NOLINT(google-build-using-namespace): one function
  BytesView rest(data, size);
  if (rest.empty()) return 0;
  const std::size_t key_size = std::min<std::size_t>(rest[0] % 40, rest.size() - 1);
  const BytesView key = rest.subspan(1, key_size);
  rest = rest.subspan(1 + key_size);
  std::vector<Bytes> proof;
  while (rest.size() >= 2) {
    const std::size_t n = std::min<std::size_t>(static_cast<std::size_t>(rest[0]) << 8 | rest[1], rest.size() - 2);
    proof.emplace_back(rest.begin() + 2, rest.begin() + 2 + static_cast<std::ptrdiff_t>(n));
    rest = rest.subspan(2 + n);
  }
  if (proof.empty()) return 0;
  const Hash32 root = crypto::keccak256(proof[0]);
  const auto shown = chain::state::verify_proof(root, key, proof);
  if (!shown) return 0;
  proof.pop_back();
  if (chain::state::verify_proof(root, key, proof).has_value()) std::abort();
  return 0;
}
