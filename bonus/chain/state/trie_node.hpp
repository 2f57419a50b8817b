// In-memory nodes of the trie and their RLP form (Yellow Paper, appendix D, functions c and n). Internal to trie*.cpp.
#pragma once

#include <array>
#include <memory>

#include "bonus/chain/state/trie.hpp"
#include "bonus/codec/rlp.hpp"

namespace bonus::chain::state {

[[nodiscard]] inline Bytes to_nibbles(BytesView key) {
  Bytes out;
  out.reserve(2 * key.size());
  for (const std::uint8_t b : key) {
    out.push_back(b >> 4);
    out.push_back(b & 0x0f);
  }
  return out;
}

/// A child: nothing, the hash of a stored node, or a node in memory.
struct Trie::Ref {
  enum class Kind : std::uint8_t { kEmpty, kHash, kNode };
  Kind kind = Kind::kEmpty;
  bool dirty = false;  ///< kNode only: changed since it was loaded, so `hash` is not its hash.
  Hash32 hash;
  std::unique_ptr<Node> node;

  [[nodiscard]] bool empty() const { return kind == Kind::kEmpty; }
  void set(std::unique_ptr<Node> fresh);
  void clear();
};

struct Trie::Node {
  enum class Kind : std::uint8_t { kLeaf, kExtension, kBranch };
  static constexpr std::uint32_t kMade = UINT32_MAX;
  Kind kind = Kind::kLeaf;
  std::uint32_t loaded = kMade;                   ///< Index of where it stood when it was read; kMade: made here.
  Bytes path;                                     ///< Nibbles; leaf and extension.
  Bytes value;                                    ///< Leaf and branch; empty: none.
  Ref next;                                       ///< Extension.
  std::unique_ptr<std::array<Ref, 16>> children;  ///< Branch.
};

struct Trie::Coder {
  [[nodiscard]] static Result<std::unique_ptr<Node>> decode(BytesView rlp);

 private:
  [[nodiscard]] static Result<std::unique_ptr<Node>> decode_at(BytesView rlp, unsigned depth);
  [[nodiscard]] static Result<> decode_reference(BytesView item, Ref& out, unsigned depth);
};

/// One walk over what a trie has in memory, children first.
struct Trie::Committer {
  const Bytes& id;
  std::vector<Loaded>& loaded;
  NewNodes* out;  ///< Null: only the root is wanted.
  Bytes path{};   ///< Nibbles from the root to the node at hand.

  /// The node gets its hash; stored unless it is the one that was read from this place.
  void store(Ref& ref, Bytes rlp);
  /// RLP of the node; children are committed first.
  [[nodiscard]] Bytes encode(Node& node);
  /// How a parent names this child: the hash as an item, or the node itself when its RLP is below 32 bytes.
  void append_reference(rlp::Encoder& e, Ref& ref);
  /// Of a node that did not change: it and what was read below it stay.
  void keep(Node& node);
};

}  // namespace bonus::chain::state
