// RocksDB adapter of the ledger's tables.
#include "bonus/chain/state/store.hpp"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <cassert>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <mutex>

namespace bonus::chain::state {
namespace {

constexpr std::array<const char*, kTableCount> kTableNames{
    "meta",     "blocks",  "hashes", "receipts", "blooms",          "tx_index",        "trie",
    "accounts", "storage", "code",   "replaced", "account_history", "storage_history", "changes"};

/// Keys that end in a number: all numbers of one key are found through one bloom filter entry.
class WithoutNumber final : public rocksdb::SliceTransform {
 public:
  [[nodiscard]] const char* Name() const override { return "bonus.WithoutNumber"; }
  [[nodiscard]] rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), key.size() - kNumberBytes};
  }
  [[nodiscard]] bool InDomain(const rocksdb::Slice& key) const override { return key.size() >= kNumberBytes; }

  static constexpr std::size_t kNumberBytes = 8;
};
constexpr bool ends_in_number(Table table) {
  return table == Table::kTrie || table == Table::kAccountHistory || table == Table::kStorageHistory;
}

/// RocksDB tells only its log what it cuts from a torn write-ahead log: listen for it.
class RepairListener final : public rocksdb::Logger {
 public:
  RepairListener() : rocksdb::Logger(rocksdb::WARN_LEVEL) {}
  using rocksdb::Logger::Logv;
  void Logv(const char* format, va_list arguments) override {
    std::array<char, 1024> line{};
    (void)std::vsnprintf(line.data(), line.size(), format, arguments);
    const std::string_view text(line.data());
    if (text.find("dropping") == std::string_view::npos) return;
    const std::lock_guard lock(mutex_);
    if (repairs_.size() < kMaxRepairs) repairs_.emplace_back(text);
  }
  [[nodiscard]] std::vector<std::string> repairs() const {
    const std::lock_guard lock(mutex_);
    return repairs_;
  }

 private:
  static constexpr std::size_t kMaxRepairs = 64;
  mutable std::mutex mutex_;
  std::vector<std::string> repairs_;
};

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

  [[nodiscard]] Result<> open(const std::string& path, const StoreOptions& wanted) {
    rocksdb::BlockBasedTableOptions table;
    table.block_cache = rocksdb::NewLRUCache(wanted.cache_bytes);
    table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
    rocksdb::ColumnFamilyOptions column;
    column.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
    column.write_buffer_size = wanted.buffer_bytes;
    rocksdb::ColumnFamilyOptions numbered = column;
    numbered.prefix_extractor = std::make_shared<WithoutNumber>();
    rocksdb::DBOptions options;
    options.create_if_missing = true;
    options.create_missing_column_families = true;
    options.max_open_files = 256;
    options.keep_log_file_num = 2;
    options.max_total_wal_size = 4 * wanted.buffer_bytes;
    // What a crash tears is the end of the log: everything from there on is cut, so that the store is as after an
    // earlier write. Damage anywhere else must be seen: closed logs are compared with what the manifest says of them,
    // and all tables are flushed together, so that no table can be ahead of another.
    options.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
    options.track_and_verify_wals_in_manifest = true;
    options.atomic_flush = true;
    options.paranoid_checks = true;
    options.info_log = listener_;
    std::vector<rocksdb::ColumnFamilyDescriptor> columns{{rocksdb::kDefaultColumnFamilyName, column}};
    for (std::size_t i = 0; i < kTableCount; ++i)
      columns.emplace_back(kTableNames[i], ends_in_number(static_cast<Table>(i)) ? numbered : column);

    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("cannot make the ledger folder {}: {}", path, error.message()));
    std::vector<rocksdb::ColumnFamilyHandle*> handles;
    rocksdb::DB* db = nullptr;
    const auto status = rocksdb::DB::Open(options, path, columns, &handles, &db);
    if (!status.ok()) {
      if (status.IsIOError() && status.ToString().find("/LOCK: ") != std::string::npos) {
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

  [[nodiscard]] Result<std::optional<Entry>> next(Table table, BytesView from, const StoreSnapshot* at) const override {
    assert(ends_in_number(table) && from.size() >= WithoutNumber::kNumberBytes);
    rocksdb::ReadOptions options = read_options(at);
    options.prefix_same_as_start = true;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, handle(table)));
    it->Seek(slice(from));
    if (!it->Valid()) {
      if (!it->status().ok())
        return fail(to_error(it->status(), fmt::format("read of {} in {}", to_hex(from), name(table))));
      return std::optional<Entry>();
    }
    const BytesView key = view(it->key());
    if (key.size() != from.size() || !std::ranges::equal(key.first(key.size() - WithoutNumber::kNumberBytes),
                                                         from.first(from.size() - WithoutNumber::kNumberBytes)))
      return std::optional<Entry>();
    const BytesView value = view(it->value());
    return std::optional<Entry>(std::in_place, Bytes(key.begin(), key.end()), Bytes(value.begin(), value.end()));
  }

  [[nodiscard]] Result<> write(const Batch& batch, bool sync) override {
    rocksdb::WriteBatch out;
    TRY(batch.for_each([&](Table table, BytesView key, std::optional<BytesView> value) -> Result<> {
      const auto status =
          value ? out.Put(handle(table), slice(key), slice(*value)) : out.Delete(handle(table), slice(key));
      if (!status.ok()) return fail(to_error(status, "batch"));
      return {};
    }));
    rocksdb::WriteOptions options;
    options.sync = sync;
    const auto status = db_->Write(options, &out);
    if (!status.ok()) return fail(to_error(status, "write"));
    return {};
  }

  [[nodiscard]] Result<> scan(Table table, BytesView first, const Visitor& visit,
                              const StoreSnapshot* at) const override {
    rocksdb::ReadOptions options = read_options(at);
    options.total_order_seek = true;
    const std::unique_ptr<rocksdb::Iterator> it(db_->NewIterator(options, handle(table)));
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

  [[nodiscard]] std::vector<std::string> repairs() const override { return listener_->repairs(); }

  [[nodiscard]] Result<> verify() const override {
    const auto status = db_->VerifyChecksum();
    if (!status.ok()) return fail(to_error(status, "verification"));
    return {};
  }

 private:
  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Table table) const {
    return handles_[static_cast<std::size_t>(table)];
  }
  [[nodiscard]] static const char* name(Table table) { return kTableNames[static_cast<std::size_t>(table)]; }

  const std::shared_ptr<RepairListener> listener_ = std::make_shared<RepairListener>();  // Shared: RocksDB keeps it.
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

Result<std::unique_ptr<Store>> Store::open(const std::string& path, const StoreOptions& options) {
  auto store = std::make_unique<RocksStore>();
  TRY(store->open(path, options));
  return store;
}

}  // namespace bonus::chain::state
