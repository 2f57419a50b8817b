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

/// Where stored nodes come from, by keccak256 of their RLP. Thread-safe.
class NodeSource {
 public:
  virtual ~NodeSource() = default;
  /// kCorrupt when the node is missing or does not hash to its name.
  [[nodiscard]] virtual Result<std::shared_ptr<const Bytes>> node(const Hash32& hash) const = 0;
};

using NewNodes = std::vector<std::pair<Hash32, Bytes>>;

/// One trie at one root, with changes in memory until commit(). Not thread-safe. Keys are taken as given: a secure trie
/// is one whose caller hashes them.
class Trie {
 public:
  /// `source` may be null for a trie that starts empty. It must outlive the trie.
  explicit Trie(const NodeSource* source, const Hash32& root);
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
  /// The root after all changes; appends each node made since the last commit (hash, RLP) to `out`.
  [[nodiscard]] Hash32 commit(NewNodes& out);
  /// See verify_proof().
  [[nodiscard]] static Result<std::optional<Bytes>> check_proof(const Hash32& root, BytesView key,
                                                                std::span<const Bytes> proof);

 private:
  struct Node;
  struct Ref;
  struct Coder;
  struct Walk;
  const NodeSource* source_ = nullptr;
  std::unique_ptr<Ref> root_;

  [[nodiscard]] Result<> resolve(Ref& ref) const;
  [[nodiscard]] Result<> insert(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<> insert_into_leaf(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<> insert_into_extension(Ref& ref, BytesView path, BytesView value);
  [[nodiscard]] Result<bool> erase(Ref& ref, BytesView path);
  [[nodiscard]] Result<bool> erase_in_branch(Ref& ref, BytesView path);
  [[nodiscard]] Result<> collapse_branch(Ref& ref);
  [[nodiscard]] Result<> merge_extension(Ref& ref);
};

/// What the proof shows about `key` in the trie with this root: its value, or nothing when it is absent. kInvalid when
/// it shows neither: a node that is missing, foreign, malformed or not needed. Safe on foreign input.
[[nodiscard]] Result<std::optional<Bytes>> verify_proof(const Hash32& root, BytesView key,
                                                        std::span<const Bytes> proof);

/// Root of the trie rlp(index) -> item, as for transactionsRoot and receiptsRoot.
[[nodiscard]] Hash32 ordered_root(std::span<const Bytes> items);

}  // namespace bonus::chain::state
