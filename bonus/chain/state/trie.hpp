// Merkle-Patricia trie (Yellow Paper, appendix D) that loads only the nodes on the paths it touches.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::chain::state {

/// Names a trie in the store: the one of all accounts, or an account's storage.
[[nodiscard]] Bytes accounts_trie();
[[nodiscard]] Bytes storage_trie(const Address& contract);
/// Where a node stands: its trie and the nibbles on the way from the root (at most 255). docs/formats/state.md, table
/// `trie`.
[[nodiscard]] Bytes node_place(BytesView trie, BytesView nibbles);

struct StoredNode {
  std::shared_ptr<const Bytes> rlp;  // Shared: with the cache it comes from. Never null.
  std::uint64_t version = 0;         ///< The block that wrote it at this place.
};

/// Where stored nodes come from. Thread-safe.
class NodeSource {
 public:
  virtual ~NodeSource() = default;
  /// The node at `place` with this keccak256. kCorrupt when there is none, or another one.
  [[nodiscard]] virtual Result<StoredNode> node(BytesView place, const Hash32& hash) const = 0;
};

/// What a commit changes in the store.
struct NewNodes {
  struct Made {
    Bytes place;
    Hash32 hash;
    Bytes rlp;
  };
  struct Replaced {
    Bytes place;
    std::uint64_t version;  ///< Of the node that this state no longer has there.
  };
  std::vector<Made> made;
  std::vector<Replaced> replaced;
};

/// One trie at one root, with changes in memory until commit(). Not thread-safe. Keys are taken as given: a secure trie
/// is one whose caller hashes them.
class Trie {
 public:
  /// `source` may be null for a trie that starts empty. It must outlive the trie. `id` is accounts_trie() or a
  /// storage_trie(); it matters only where nodes are stored.
  explicit Trie(const NodeSource* source, const Hash32& root, Bytes id = accounts_trie());
  Trie();
  ~Trie();
  Trie(Trie&&) noexcept;
  Trie& operator=(Trie&&) noexcept;

  /// The value, or empty bytes when there is none.
  [[nodiscard]] Result<Bytes> get(BytesView key) const;
  /// The stored nodes from the root towards `key`, as eth_getProof lists them: nodes below 32 bytes stand inside their
  /// parents. Ends where the key, or its absence, shows; empty for an empty trie. Of the trie as it was opened or last
  /// committed and stored: kInvalid when there are changes since.
  [[nodiscard]] Result<std::vector<Bytes>> prove(BytesView key) const;
  /// An empty value erases, as in Ethereum.
  [[nodiscard]] Result<> put(BytesView key, BytesView value);
  /// The root after all changes; appends what they change in the store to `out`. Once for a trie that is stored: what a
  /// second call would replace has no version yet.
  [[nodiscard]] Hash32 commit(NewNodes& out);
  /// The root alone, for a trie that is not stored.
  [[nodiscard]] Hash32 commit();
  /// See verify_proof().
  [[nodiscard]] static Result<std::optional<Bytes>> check_proof(const Hash32& root, BytesView key,
                                                                std::span<const Bytes> proof);

 private:
  struct Node;
  struct Ref;
  struct Coder;
  struct Committer;
  struct Walk;
  struct Loaded {
    Bytes place;
    std::uint64_t version;
    Hash32 hash;
    bool kept;  ///< commit() found it unchanged in its place.
  };
  const NodeSource* source_ = nullptr;
  Bytes id_;
  std::unique_ptr<Ref> root_;
  std::vector<Loaded> loaded_;  ///< Stored nodes that a change has brought to memory.
  Bytes key_;                   ///< Nibbles of the key that is being changed.

  /// The nibbles from the root to where `rest` of the key begins.
  [[nodiscard]] BytesView above(BytesView rest) const { return BytesView(key_).first(key_.size() - rest.size()); }
  [[nodiscard]] Hash32 commit_to(NewNodes* out);
  [[nodiscard]] Result<> resolve(Ref& ref, BytesView at);
  [[nodiscard]] Result<> insert(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<> insert_into_leaf(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<> insert_into_extension(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<bool> erase(Ref& ref, BytesView path);
  [[nodiscard]] Result<bool> erase_in_branch(Ref& ref, BytesView path);
  [[nodiscard]] Result<> collapse_branch(Ref& ref, BytesView at);
  [[nodiscard]] Result<> merge_extension(Ref& ref, BytesView at);
};

/// What the proof shows about `key` in the trie with this root: its value, or nothing when it is absent. kInvalid when
/// it shows neither: a node that is missing, foreign, malformed or not needed. Safe on foreign input.
[[nodiscard]] Result<std::optional<Bytes>> verify_proof(const Hash32& root, BytesView key,
                                                        std::span<const Bytes> proof);

/// Root of the trie rlp(index) -> item, as for transactionsRoot and receiptsRoot.
[[nodiscard]] Hash32 ordered_root(std::span<const Bytes> items);

}  // namespace bonus::chain::state
