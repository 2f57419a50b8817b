// States by their roots: trie nodes and code by their hashes, and the view of one state on top of them.
#pragma once

#include <unordered_map>

#include "bonus/chain/api/state_view.hpp"
#include "bonus/chain/state/state_diff.hpp"
#include "bonus/chain/state/trie.hpp"

namespace bonus::chain::eth {

/// Trie nodes and contract code by hash. Thread-safe.
class NodesAndCode : public state::NodeSource {
 public:
  /// kCorrupt when it is missing. Never null.
  [[nodiscard]] virtual Result<std::shared_ptr<const Bytes>> code(const Hash32& hash) const = 0;
};

/// In memory, for tools. add() must not run beside readers.
class MemoryNodes final : public NodesAndCode {
 public:
  [[nodiscard]] Result<state::StoredNode> node(BytesView place, const Hash32& hash) const override;
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> code(const Hash32& hash) const override;
  void add(const state::StateDiff& diff);

 private:
  // Shared: see StoredNode and StateView::code().
  std::unordered_map<Hash32, std::shared_ptr<const Bytes>> nodes_;
  std::unordered_map<Hash32, std::shared_ptr<const Bytes>> codes_;
};

/// The state with this root. Not thread-safe; `nodes` must outlive it.
class NodeView final : public StateView {
 public:
  NodeView(const NodesAndCode& nodes, const Hash32& root) : nodes_(nodes), root_(root), accounts_(&nodes, root) {}
  [[nodiscard]] Account account(const Address& address) const override;
  [[nodiscard]] uint256 storage(const SlotKey& key) const override;
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override;
  [[nodiscard]] const Hash32& root() const { return root_; }

 private:
  const NodesAndCode& nodes_;
  const Hash32 root_;
  const state::Trie accounts_;
  mutable std::unordered_map<Address, Account> seen_;
  mutable std::unordered_map<Address, state::Trie> storage_;
};

}  // namespace bonus::chain::eth
