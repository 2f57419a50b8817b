// The states a reader can ask for: the head (flat tables, cached), a recent block (undo over the head), an older one
// (history tables over the head), any block whose nodes are kept (trie).
#pragma once

#include <deque>
#include <unordered_map>

#include "bonus/chain/state/slot_cache.hpp"
#include "bonus/chain/state/state_diff.hpp"
#include "bonus/chain/state/store.hpp"

namespace bonus::chain::state {

/// Trie nodes of the store, checked against their hash when read from disk. Thread-safe.
class StoredNodes {
 public:
  StoredNodes(const Store& store, std::size_t cache_entries) : store_(store), cache_(cache_entries) {}
  /// The node of the state after block `number`. `newest`: `number` is the head and stays it during the call (the
  /// ledger's lock is held), so that the cache may learn from it.
  [[nodiscard]] Result<StoredNode> node(BytesView place, const Hash32& hash, std::uint64_t number,
                                        const StoreSnapshot* at, bool newest) const;
  /// Block `version`, the new head, made it.
  void remember(NewNodes::Made made, std::uint64_t version);

 private:
  struct Cached {
    Bytes place;
    StoredNode stored;
  };
  const Store& store_;
  // Shared: a reader may hold a node that was just evicted. By hash; where one node stands at two places, one is
  // cached. The version is the newest at its place, so that the writer knows what it replaces.
  mutable SetCache<Hash32, std::shared_ptr<const Cached>, CacheHasher> cache_;
};

/// The nodes of one state. `at` keeps them from being pruned meanwhile; it must outlive this.
class NodesAt final : public NodeSource {
 public:
  NodesAt(const StoredNodes& nodes, std::uint64_t number, const StoreSnapshot* at, bool newest)
      : nodes_(nodes), number_(number), at_(at), newest_(newest) {}
  [[nodiscard]] Result<StoredNode> node(BytesView place, const Hash32& hash) const override {
    return nodes_.node(place, hash, number_, at_, newest_);
  }

 private:
  const StoredNodes& nodes_;
  std::uint64_t number_;
  const StoreSnapshot* at_;
  bool newest_;
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

/// The state after block `number`, at or before the one that `at` shows: the flat tables, with the values that later
/// blocks have changed taken from the history tables. Needs no lock.
class HistoryView final : public StateView {
 public:
  HistoryView(const Store& store, const StoredCodes& codes, const StoreSnapshot* at, std::uint64_t number)
      : store_(store), codes_(codes), at_(at), number_(number) {}
  [[nodiscard]] Account account(const Address& address) const override;
  [[nodiscard]] uint256 storage(const SlotKey& key) const override;
  [[nodiscard]] std::shared_ptr<const Bytes> code(const Hash32& code_hash) const override;

 private:
  /// As recorded by the first later block that changed it, else as it is at the head; nothing when it is missing.
  [[nodiscard]] Result<std::optional<Bytes>> record(Table history, Table flat, BytesView key) const;

  const Store& store_;
  const StoredCodes& codes_;
  const StoreSnapshot* at_;
  std::uint64_t number_;
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
