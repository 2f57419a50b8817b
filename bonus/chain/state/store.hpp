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
  kMeta,      ///< "version", "genesis", "head".
  kBlocks,    ///< number -> block record.
  kHashes,    ///< block hash -> number.
  kReceipts,  ///< number -> receipts and system logs.
  kBlooms,    ///< number -> logs bloom, only where it is not empty.
  kTxIndex,   ///< transaction hash -> number, index.
  kTrie,      ///< node hash -> node.
  kAccounts,  ///< address -> account, at the head.
  kStorage,   ///< address, slot -> value, at the head.
  kCode,      ///< code hash -> contract code.
};
inline constexpr std::size_t kTableCount = 10;

/// Numbers as keys: 8 bytes big-endian, so that they sort.
[[nodiscard]] Bytes number_key(std::uint64_t number);

struct Batch {
  struct Change {
    Table table;
    Bytes key;
    std::optional<Bytes> value;  ///< Nothing: erase.
  };
  std::vector<Change> changes;
  void put(Table table, BytesView key, BytesView value) {
    changes.push_back({table, {key.begin(), key.end()}, Bytes(value.begin(), value.end())});
  }
  void erase(Table table, BytesView key) { changes.push_back({table, {key.begin(), key.end()}, std::nullopt}); }
};

/// A consistent view of all tables; released with the last reference, before the store.
class StoreSnapshot {
 public:
  virtual ~StoreSnapshot() = default;
};

/// Thread-safe.
class Store {
 public:
  virtual ~Store() = default;
  /// Creates the folder when it does not exist. kConflict when another process has it open, kCorrupt when it is
  /// damaged.
  [[nodiscard]] static Result<std::unique_ptr<Store>> open(const std::string& path, std::size_t cache_bytes);
  /// Nothing when the key does not exist. With a snapshot: the value as of then.
  [[nodiscard]] virtual Result<std::optional<Bytes>> get(Table table, BytesView key,
                                                         const StoreSnapshot* at = nullptr) const = 0;
  /// All changes or none; durable on return when `sync`.
  [[nodiscard]] virtual Result<> write(const Batch& batch, bool sync) = 0;
  /// Visits keys from `first` on, in order, until the visitor returns false.
  using Visitor = std::function<Result<bool>(BytesView key, BytesView value)>;
  [[nodiscard]] virtual Result<> scan(Table table, BytesView first, const Visitor& visit,
                                      const StoreSnapshot* at = nullptr) const = 0;
  [[nodiscard]] virtual std::shared_ptr<const StoreSnapshot> snapshot() const = 0;
};

}  // namespace bonus::chain::state
