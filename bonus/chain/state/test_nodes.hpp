// Trie nodes in a map, for tests.
#pragma once

#include <map>

#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::state::testing {

class MapNodes final : public NodeSource {
 public:
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> node(const Hash32& hash) const override {
    const auto found = nodes.find(hash);
    if (found == nodes.end()) return fail(ErrorCode::kCorrupt, "missing node");
    return std::make_shared<const Bytes>(found->second);
  }
  void add(const NewNodes& fresh) {
    for (const auto& [hash, rlp] : fresh) nodes[hash] = rlp;
  }
  std::map<Hash32, Bytes> nodes;
};

}  // namespace bonus::chain::state::testing
