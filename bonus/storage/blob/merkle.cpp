// RFC 6962 section 2.1, computed level by level: an odd node moves up unchanged, which gives the same tree as its
// recursion.
#include "bonus/storage/blob/merkle.hpp"

#include <vector>

#include "bonus/crypto/hash.hpp"

namespace bonus::storage {

Hash32 leaf_hash(BytesView leaf) {
  static constexpr std::uint8_t kPrefix[1] = {0x00};
  crypto::Sha256 hash;
  hash.update(kPrefix);
  hash.update(leaf);
  return hash.finish();
}

BlobId merkle_root(std::span<const Hash32> leaf_hashes) {
  BlobId root;
  if (leaf_hashes.empty()) {
    root.bytes = crypto::sha256({}).bytes;
    return root;
  }
  std::vector<Hash32> level(leaf_hashes.begin(), leaf_hashes.end());
  static constexpr std::uint8_t kPrefix[1] = {0x01};
  while (level.size() > 1) {
    std::size_t out = 0;
    for (std::size_t i = 0; i + 1 < level.size(); i += 2) {
      crypto::Sha256 hash;
      hash.update(kPrefix);
      hash.update(level[i]);
      hash.update(level[i + 1]);
      level[out++] = hash.finish();
    }
    if (level.size() % 2 != 0) level[out++] = level.back();
    level.resize(out);
  }
  root.bytes = level.front().bytes;
  return root;
}

}  // namespace bonus::storage
