// The ledger's tables in RocksDB, behind a small interface without RocksDB headers. Layout: docs/formats/state.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bonus/base/bytes.hpp"

namespace bonus::chain::state {

enum class Table : std::uint8_t {
  kMeta,            ///< "version", "genesis", "head".
  kBlocks,          ///< number -> block record.
  kHashes,          ///< block hash -> number.
  kReceipts,        ///< number -> receipts and system logs.
  kBlooms,          ///< number -> logs bloom, only where it is not empty.
  kTxIndex,         ///< transaction hash -> number, index.
  kTrie,            ///< place, ~version -> trie node.
  kAccounts,        ///< address -> account, at the head.
  kStorage,         ///< address, slot -> value, at the head.
  kCode,            ///< code hash -> contract code.
  kReplaced,        ///< number -> places and versions of trie nodes that block `number` put out of use.
  kAccountHistory,  ///< address, number -> the account before block `number`, which changed it.
  kStorageHistory,  ///< address, slot, number -> the value before block `number`, which changed it.
  kChanges,         ///< number -> the keys that it has in the two tables above.
};
inline constexpr std::size_t kTableCount = 14;

/// Numbers as keys: 8 bytes big-endian, so that they sort.
[[nodiscard]] Bytes number_key(std::uint64_t number);

/// Changes to be written together. One allocation for all keys and values: a block has tens of thousands.
class Batch {
 public:
  void put(Table table, BytesView key, BytesView value) {
    changes_.push_back({table, true, key.size(), value.size()});
    append(bytes_, key);
    append(bytes_, value);
  }
  void erase(Table table, BytesView key) {
    changes_.push_back({table, false, key.size(), 0});
    append(bytes_, key);
  }
  [[nodiscard]] bool empty() const { return changes_.empty(); }
  /// In the order in which they were added; a value of nothing erases.
  template <class Use>
  [[nodiscard]] Result<> for_each(const Use& use) const {
    BytesView rest = bytes_;
    for (const Change& change : changes_) {
      const BytesView key = rest.first(change.key_size);
      const BytesView value = rest.subspan(change.key_size, change.value_size);
      rest = rest.subspan(change.key_size + change.value_size);
      TRY(use(change.table, key, change.put ? std::optional(value) : std::nullopt));
    }
    return {};
  }

 private:
  struct Change {
    Table table;
    bool put;
    std::size_t key_size, value_size;
  };
  Bytes bytes_;
  std::vector<Change> changes_;
};

/// A consistent view of all tables; released with the last reference, before the store.
class StoreSnapshot {
 public:
  virtual ~StoreSnapshot() = default;
};

struct StoreOptions {
  std::size_t cache_bytes = 64 << 20;   ///< Blocks of tables, uncompressed.
  std::size_t buffer_bytes = 16 << 20;  ///< Of each table, before it is written to a file. The log may grow to four.
};

/// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;
  /// Creates the folder when it does not exist. kConflict when another process has it open, kCorrupt when it is
  /// damaged: the message names the file. The end of the log, if a crash tore it, is cut: the store is then as after an
  /// earlier write, and repairs() says so.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& path, const StoreOptions& options);
  /// Nothing when the key does not exist. With a snapshot: the value as of then.
  [[nodiscard]] virtual Result<std::optional<Bytes>> get(Table table, BytesView key,
                                                         const StoreSnapshot* at = nullptr) const = 0;
  struct Entry {
    Bytes key, value;
  };
  /// The first entry at or after `from` that differs from it at most in the last eight bytes (a number). For kTrie and
  /// the history tables, where it is as fast as get().
  [[nodiscard]] virtual Result<std::optional<Entry>> next(Table table, BytesView from,
                                                          const StoreSnapshot* at = nullptr) const = 0;
  /// All changes or none; durable on return when `sync`.
  [[nodiscard]] virtual Result<> write(const Batch& batch, bool sync) = 0;
  /// Visits keys from `first` on, in order, until the visitor returns false.
  using Visitor = std::function<Result<bool>(BytesView key, BytesView value)>;
  [[nodiscard]] virtual Result<> scan(Table table, BytesView first, const Visitor& visit,
                                      const StoreSnapshot* at = nullptr) const = 0;
  [[nodiscard]] virtual std::shared_ptr<const StoreSnapshot> snapshot() const = 0;
  /// What open() had to cut from the log, one line each.
  [[nodiscard]] virtual std::vector<std::string> repairs() const = 0;
  /// Reads every block of every table and checks its checksum. Minutes on a large store.
  [[nodiscard]] virtual Result<> verify() const = 0;
};

}  // namespace bonus::chain::state
