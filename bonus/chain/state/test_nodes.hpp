// Trie nodes in a map, for tests: by place and version as the ledger's store keeps them, with the same pruning.
#pragma once

#include <map>

#include "bonus/chain/state/trie.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state::testing {

class MapNodes final : public NodeSource {
 public:
  [[nodiscard]] Result<StoredNode> node(BytesView place, const Hash32& hash) const override {
    // The newest at or below the version that is read.
    auto found = nodes.upper_bound({Bytes(place.begin(), place.end()), version});
    if (found == nodes.begin()) return fail(ErrorCode::kCorrupt, "missing node");
    --found;
    if (!std::ranges::equal(found->first.first, place)) return fail(ErrorCode::kCorrupt, "missing node");
    if (crypto::keccak256(found->second) != hash) return fail(ErrorCode::kCorrupt, "another node");
    return StoredNode{std::make_shared<const Bytes>(found->second), found->first.second};
  }
  /// What was committed on the state of `version` becomes the next version.
  void add(const NewNodes& fresh) {
    ++version;
    for (const auto& made : fresh.made) nodes[{made.place, version}] = made.rlp;
    for (const auto& old : fresh.replaced) {
      if (!nodes.contains({old.place, old.version})) ++unknown_replaced;
      replaced[version].push_back({old.place, old.version});
    }
  }
  /// Drops what states before `first` need and `first` does not.
  void prune(std::uint64_t first) {
    while (!replaced.empty() && replaced.begin()->first <= first) {
      for (const auto& key : replaced.begin()->second) nodes.erase(key);
      replaced.erase(replaced.begin());
    }
  }

  using Key = std::pair<Bytes, std::uint64_t>;
  std::map<Key, Bytes> nodes;
  std::map<std::uint64_t, std::vector<Key>> replaced;
  std::uint64_t version = 0;
  int unknown_replaced = 0;
};

}  // namespace bonus::chain::state::testing
