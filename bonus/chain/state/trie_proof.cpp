// Merkle proofs: making them from stored nodes, checking them against a root alone.
#include <algorithm>

#include "bonus/chain/api/constants.hpp"
#include "bonus/chain/state/trie_node.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::chain::state {

/// Where a walk along a key stands.
struct Trie::Walk {
  BytesView path;             ///< What is left of the key, in nibbles.
  Bytes value{};              ///< Once found.
  const Ref* next = nullptr;  ///< The stored node to go on with; null: the walk is over.

  /// Follows `node` and what is embedded in it.
  void through(const Node* node) {
    next = nullptr;
    while (node != nullptr) {
      const Ref* child = nullptr;
      switch (node->kind) {
        case Node::Kind::kLeaf:
          if (std::ranges::equal(node->path, path)) value = node->value;
          return;
        case Node::Kind::kExtension:
          if (path.size() < node->path.size() || !std::ranges::equal(path.first(node->path.size()), node->path)) return;
          path = path.subspan(node->path.size());
          child = &node->next;
          break;
        case Node::Kind::kBranch:
          if (path.empty()) {
            value = node->value;
            return;
          }
          child = &(*node->children)[path[0]];
          path = path.subspan(1);
          break;
      }
      if (child->kind == Ref::Kind::kHash) {
        next = child;
        return;
      }
      node = child->node.get();
    }
  }
};

Result<std::vector<Bytes>> Trie::prove(BytesView key) const {
  std::vector<Bytes> out;
  if (root_->empty()) return out;
  if (root_->kind == Ref::Kind::kNode && root_->dirty)
    return fail(ErrorCode::kInvalid, "a trie with changes cannot prove anything before it is committed");
  if (source_ == nullptr) return fail(ErrorCode::kInvalid, "a trie without stored nodes cannot prove anything");
  const Bytes nibbles = to_nibbles(key);
  Walk walk{nibbles};
  Hash32 hash = root_->hash;
  for (;;) {
    const BytesView above = BytesView(nibbles).first(nibbles.size() - walk.path.size());
    TRY_ASSIGN(const StoredNode stored, source_->node(node_place(id_, above), hash));
    TRY_ASSIGN(const auto node, Coder::decode(*stored.rlp));
    out.push_back(*stored.rlp);
    walk.through(node.get());
    if (walk.next == nullptr) return out;
    hash = walk.next->hash;
  }
}

Result<std::optional<Bytes>> Trie::check_proof(const Hash32& root, BytesView key, std::span<const Bytes> proof) {
  const auto bad = [](std::size_t i, std::string_view what) {
    return fail(ErrorCode::kInvalid, "proof node " + std::to_string(i) + ": " + std::string(what));
  };
  if (root == kEmptyTrieRoot) {
    if (!proof.empty()) return bad(0, "an empty trie has none");
    return std::optional<Bytes>();
  }
  const Bytes nibbles = to_nibbles(key);
  Walk walk{nibbles};
  Hash32 expected = root;
  for (std::size_t i = 0; i < proof.size(); ++i) {
    if (crypto::keccak256(proof[i]) != expected) return bad(i, "it does not hash to " + to_hex0x(expected));
    const auto node = Coder::decode(proof[i]);
    if (!node) return bad(i, node.error().message);
    walk.through(node->get());
    if (walk.next == nullptr) {
      if (i + 1 != proof.size()) return bad(i + 1, "it is not on the way to the key");
      if (walk.value.empty()) return std::optional<Bytes>();
      return std::optional(std::move(walk.value));
    }
    expected = walk.next->hash;
  }
  return bad(proof.size(), "it is missing; expected " + to_hex0x(expected));
}

Result<std::optional<Bytes>> verify_proof(const Hash32& root, BytesView key, std::span<const Bytes> proof) {
  return Trie::check_proof(root, key, proof);
}

}  // namespace bonus::chain::state
