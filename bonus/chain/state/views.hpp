// The states a reader can ask for: the head (flat tables, cached), a recent block (undo over the head), any block
// (trie).
#pragma once

#include <deque>
#include <unordered_map>

#include "bonus/chain/state/slot_cache.hpp"
#include "bonus/chain/state/state_diff.hpp"
#include "bonus/chain/state/store.hpp"

namespace bonus::chain::state {

/// Trie nodes of the store, checked against their hash when read from disk. Thread-safe.
class StoredNodes final : public NodeSource {
 public:
  StoredNodes(const Store& store, std::size_t cache_entries) : store_(store), cache_(cache_entries) {}
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> node(const Hash32& hash) const override;
  void remember(const Hash32& hash, Bytes rlp);

 private:
  const Store& store_;
  mutable SetCache<Hash32, std::shared_ptr<const Bytes>, CacheHasher>
      cache_;  // Shared: a reader may hold a node that was just evicted.
};

/// Contract code of the store, checked against its hash when read from disk. Thread-safe.
class StoredCodes {
 public:
  StoredCodes(const Store& store, std::size_t cache_entries) : store_(store), cache_(cache_entries) {}
  // Shared: see StateView::code().
  [[nodiscard]] Result<std::shared_ptr<const Bytes>> code(const Hash32& hash) const;

 private:
  const Store& store_;
  mutable SetCache<Hash32, std::shared_ptr<const Bytes>, CacheHasher> cache_;
};

/// Accounts and slots of the head. Filled by readers under the ledger's shared lock, updated under its exclusive lock.
struct HeadCaches {
  HeadCaches(std::size_t account_entries, std::size_t slot_entries) : accounts(account_entries), slots(slot_entries) {}
  SetCache<Address, Account, CacheHasher> accounts;
  SlotCache slots;
};

using Undo =
    std::vector<std::shared_ptr<const StateDiff>>;  // Shared: the ledger drops old ones while readers use them.

/// The head, or a recent block: `undo` are the diffs of the blocks after it, oldest first. Valid under the shared lock.
class HeadView final : public StateView {
 public:
  HeadView(const Store& store, const StoredCodes& codes, const StoreSnapshot* at, HeadCaches& caches, Undo undo)
      : store_(store), codes_(codes), at_(at), caches_(caches), undo_(std::move(undo)) {}
  [[nodiscard]] Account account(const Address& address) const override;
  [[nodiscard]] uint256 storage(const SlotKey& key) const override;
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override;

 private:
  [[nodiscard]] Account read_account(const Address& address) const;
  [[nodiscard]] uint256 read_slot(const SlotKey& key) const;

  const Store& store_;
  const StoredCodes& codes_;
  const StoreSnapshot* at_;
  HeadCaches& caches_;
  Undo undo_;
  mutable PageMemo memo_;
};

/// Any state by its root; slower, needs no lock.
class TrieView final : public StateView {
 public:
  TrieView(const NodeSource& nodes, const StoredCodes& codes, const Hash32& root)
      : nodes_(nodes), codes_(codes), accounts_(&nodes, root) {}
  [[nodiscard]] Account account(const Address& address) const override;
  [[nodiscard]] uint256 storage(const SlotKey& key) const override;
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override;

 private:
  const NodeSource& nodes_;
  const StoredCodes& codes_;
  Trie accounts_;
  mutable std::unordered_map<Address, Trie> storage_;
};

/// Before genesis.
class EmptyView final : public StateView {
 public:
  [[nodiscard]] Account account(const Address& /*address*/) const override { return {}; }
  [[nodiscard]] uint256 storage(const SlotKey& /*key*/) const override { return {}; }
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& /*code_hash*/) const override {
    return std::make_shared<const Bytes>();
  }
};

}  // namespace bonus::chain::state
