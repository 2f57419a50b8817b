// RocksDB adapter of the ledger's tables.
#include "bonus/chain/state/store.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <filesystem>

namespace bonus::chain::state {
namespace {

constexpr std::array<const char*, kTableCount> kTableNames{"meta",     "blocks", "hashes",   "receipts", "blooms",
                                                           "tx_index", "trie",   "accounts", "storage",  "code"};

rocksdb::Slice slice(BytesView in) { return {reinterpret_cast<const char*>(in.data()), in.size()}; }
BytesView view(const rocksdb::Slice& in) { return {reinterpret_cast<const std::uint8_t*>(in.data()), in.size()}; }

Error to_error(const rocksdb::Status& status, std::string_view what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNoSpace()) code = ErrorCode::kExhausted;
  return {code, fmt::format("ledger store: {}: {}", what, status.ToString())};
}

class RocksSnapshot final : public StoreSnapshot {
 public:
  explicit RocksSnapshot(rocksdb::DB* db) : db_(db), snapshot_(db->GetSnapshot()) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  [[nodiscard]] const rocksdb::Snapshot* get() const { return snapshot_; }

 private:
  rocksdb::DB* db_;
  const rocksdb::Snapshot* snapshot_;
};

rocksdb::ReadOptions read_options(const StoreSnapshot* at) {
  rocksdb::ReadOptions options;
  if (at != nullptr) options.snapshot = static_cast<const RocksSnapshot*>(at)->get();
  return options;
}

class RocksStore final : public Store {
 public:
  ~RocksStore() override {
    if (!db_) return;  // open() failed
    for (auto* handle : handles_) (void)db_->DestroyColumnFamilyHandle(handle);
    (void)db_->DestroyColumnFamilyHandle(default_);
  }

  [[nodiscard]] Result<> open(const std::string& path, std::size_t cache_bytes) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(cache_bytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    rocksdb::ColumnFamilyOptions column;
    column.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    column.write_buffer_size = 16 << 20;
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.max_open_files = 256;
    options.keep_log_file_num = 2;
    options.max_total_wal_size = 64 << 20;
    // A torn tail of the write-ahead log is what a crash leaves; anything else is damage and must be seen.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kTolerateCorruptedTailRecords;
    std::vector<rocksdb::ColumnFamilyDescriptor> columns{{rocksdb::kDefaultColumnFamilyName, column}};
    for (const char* name : kTableNames) columns.emplace_back(name, column);

    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("cannot make the ledger folder {}: {}", path, error.message()));
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, path, columns, &handles, &db);
    if (!status.ok()) {
      if (status.ToString().find("lock") != std::string::npos) {
        return fail(ErrorCode::kConflict,
                    fmt::format("the ledger in {} is open in another process: stop that one first ({})", path,
                                status.ToString()));
      }
      return fail(to_error(status, "open " + path));
    }
    db_.reset(db);
    default_ = handles[0];
    std::copy(handles.begin() + 1, handles.end(), handles_.begin());
    return {};
  }

  [[nodiscard]] Result<std::optional<Bytes>> get(Table table, BytesView key, const StoreSnapshot* at) const override {
    rocksdb::PinnableSlice value;
    const auto status = db_->Get(read_options(at), handle(table), slice(key), &value);
    if (status.IsNotFound()) return std::optional<Bytes>{};
    if (!status.ok()) return fail(to_error(status, fmt::format("read of {} in {}", to_hex(key), name(table))));
    const BytesView bytes = view(value);
    return std::optional<Bytes>(std::in_place, bytes.begin(), bytes.end());
  }

  [[nodiscard]] Result<> write(const Batch& batch, bool sync) override {
    rocksdb::WriteBatch out;
    for (const Batch::Change& change : batch.changes) {
      const auto status = change.value ? out.Put(handle(change.table), slice(change.key), slice(*change.value))
                                       : out.Delete(handle(change.table), slice(change.key));
      if (!status.ok()) return fail(to_error(status, "batch"));
    }
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto status = db_->Write(options, &out);
    if (!status.ok()) return fail(to_error(status, "write"));
    return {};
  }

  [[nodiscard]] Result<> scan(Table table, BytesView first, const Visitor& visit,
                              const StoreSnapshot* at) const override {
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(read_options(at), handle(table)));
    for (it->Seek(slice(first)); it->Valid(); it->Next()) {
      TRY_ASSIGN(const bool more, visit(view(it->key()), view(it->value())));
      if (!more) return {};
    }
    if (!it->status().ok()) return fail(to_error(it->status(), fmt::format("scan of {}", name(table))));
    return {};
  }

  [[nodiscard]] std::shared_ptr<const StoreSnapshot> snapshot() const override {
    return std::make_shared<const RocksSnapshot>(db_.get());  // Shared by all readers of one head.
  }

 private:
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Table table) const {
    return handles_[static_cast<std::size_t>(table)];
  }
  [[nodiscard]] static const char* name(Table table) { return kTableNames[static_cast<std::size_t>(table)]; }

  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* default_ = nullptr;
  std::array<rocksdb::ColumnFamilyHandle*, kTableCount> handles_{};
};

}  // namespace

Bytes number_key(std::uint64_t number) {
  Bytes out(8);
  for (unsigned i = 0; i < 8; ++i) out[7 - i] = static_cast<std::uint8_t>(number >> (8 * i));
  return out;
}

Result<std::unique_ptr<Store>> Store::open(const std::string& path, std::size_t cache_bytes) {
  auto store = std::make_unique<RocksStore>();
  TRY(store->open(path, cache_bytes));
  return store;
}

}  // namespace bonus::chain::state
