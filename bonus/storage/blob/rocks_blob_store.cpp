// BlobStore on RocksDB: one column family, so that the order of the write-ahead log is the order of everything
// (docs/formats/blob.md).
#include "bonus/storage/blob/rocks_blob_store.hpp"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <filesystem>
#include <mutex>

#include "bonus/base/log.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/storage/blob/leaf_hash_cache.hpp"
#include "bonus/storage/blob/merkle.hpp"
#include "bonus/storage/blob/record.hpp"

namespace bonus::storage {
namespace {

using record::BlobRecord;

Error to_error(const rocksdb::Status& status, std::string_view what) {
  ErrorCode code = ErrorCode::kIo;
  if (status.IsNotFound()) code = ErrorCode::kNotFound;
  if (status.IsCorruption()) code = ErrorCode::kCorrupt;
  if (status.IsNoSpace()) code = ErrorCode::kExhausted;
  return {code, fmt::format("{}: {}", what, status.ToString())};
}

rocksdb::WriteOptions write_options(bool sync) {
  rocksdb::WriteOptions out;
  out.sync = sync;
  return out;
}

// Removes everything stored under a number.
void drop_parts(rocksdb::WriteBatch& batch, std::uint64_t number) {
  for (const char prefix : {'L', 'H'})
    batch.DeleteRange(record::part_key(prefix, number, 0), record::part_key(prefix, number + 1, 0));
}

class RocksBlobStore final : public BlobStore {
 public:
  RocksBlobStore(std::unique_ptr<rocksdb::DB> db, const BlobStoreOptions& options)
      : db_(std::move(db)), options_(options), cache_(options.leaf_hash_cache_bytes) {}

  Result<> recover();

  Result<std::unique_ptr<BlobWriter>> create() override;
  Result<BlobInfo> stat(const BlobId& id) override;
  Result<BlobInfo> find_sha256(const Hash32& digest) override;
  Result<std::size_t> read(const BlobId& id, std::uint64_t offset, std::span<std::uint8_t> out) override;
  Result<> remove(const BlobId& id) override;
  Usage usage() override {
    const std::scoped_lock lock(mutex_);
    return {blobs_, bytes_, options_.quota_bytes};
  }

 private:
  friend class RocksBlobWriter;

  Result<BlobRecord> find(const BlobId& id);
  Result<LeafHashes> leaf_hashes(const BlobId& id, const BlobRecord& blob);
  Error missing_part(const BlobId& id, std::string_view what);
  std::mutex& commit_mutex(const BlobId& id) { return commit_mutexes_[id.bytes[0] % commit_mutexes_.size()]; }
  Result<> reserve(std::uint64_t bytes);
  void release(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    pending_bytes_ -= bytes;
  }
  Result<std::uint64_t> take_number();
  void stored(std::uint64_t bytes) {
    const std::scoped_lock lock(mutex_);
    ++blobs_;
    bytes_ += bytes;
  }
  void writer_ended() {
    const std::scoped_lock lock(mutex_);
    --writers_;
  }

  std::unique_ptr<rocksdb::DB> db_;
  const BlobStoreOptions options_;
  LeafHashCache cache_;
  // Held while a blob comes into being or goes: the same content from two writers is stored once.
  std::array<std::mutex, 64> commit_mutexes_;
  std::mutex mutex_;  // guards what follows
  std::uint64_t blobs_ = 0, bytes_ = 0, pending_bytes_ = 0;
  std::uint64_t next_number_ = 1, number_limit_ = 1;  // numbers below the limit are recorded as used
  std::size_t writers_ = 0;
};

class RocksBlobWriter final : public BlobWriter {
 public:
  explicit RocksBlobWriter(RocksBlobStore& store) : store_(store) { leaf_.reserve(kLeafBytes); }
  ~RocksBlobWriter() override {
    discard();
    store_.release(size_);
    store_.writer_ended();
  }

  Result<> write(BytesView in) override;
  std::uint64_t size_bytes() const override { return size_; }
  Result<BlobInfo> finish(std::optional<Hash32> expected_sha256) override;

 private:
  Result<> store_leaf();
  [[nodiscard]] Result<> put_leaf(rocksdb::WriteBatch& batch);
  void put_hashes(rocksdb::WriteBatch& batch, std::size_t first);
  void discard();

  RocksBlobStore& store_;
  crypto::Sha256 whole_;
  std::vector<Hash32> hashes_;
  Bytes leaf_;
  std::uint64_t size_ = 0;
  std::uint64_t number_ = 0;  // 0: nothing stored yet
  bool ended_ = false;        // finished or failed
  bool keep_ = false;         // what is stored is (or may be) a finished blob
};

Result<> RocksBlobStore::recover() {
  std::string value;
  auto status = db_->Get({}, rocksdb::Slice(record::kFormatKey), &value);
  if (status.IsNotFound()) {
    value.assign(1, static_cast<char>(record::kVersion));
    status = db_->Put(write_options(true), rocksdb::Slice(record::kFormatKey), value);
  }
  if (!status.ok()) return fail(to_error(status, "opening the blob store"));
  if (value.size() != 1 || static_cast<std::uint8_t>(value[0]) != record::kVersion)
    return fail(ErrorCode::kUnsupported, "the blob store was written by another version of this program");

  status = db_->Get({}, rocksdb::Slice(record::kNextKey), &value);
  if (status.ok()) {
    TRY_ASSIGN(next_number_, record::from_big_endian(value));
  } else if (!status.IsNotFound()) {
    return fail(to_error(status, "opening the blob store"));
  }

  number_limit_ = next_number_;

  const std::unique_ptr<rocksdb::Iterator> at(db_->NewIterator({}));
  for (at->Seek("B"); at->Valid() && at->key().starts_with("B"); at->Next()) {
    TRY_ASSIGN(const auto blob, record::decode(at->value().ToStringView()));
    ++blobs_;
    bytes_ += blob.size_bytes;
  }
  rocksdb::WriteBatch batch;
  std::size_t abandoned = 0;
  for (at->Seek("P"); at->Valid() && at->key().starts_with("P"); at->Next()) {
    TRY_ASSIGN(const auto number, record::from_big_endian(at->key().ToStringView().substr(1)));
    drop_parts(batch, number);
    batch.Delete(at->key());
    ++abandoned;
  }
  if (!at->status().ok()) return fail(to_error(at->status(), "opening the blob store"));
  if (abandoned > 0) {
    status = db_->Write(write_options(true), &batch);
    if (!status.ok()) return fail(to_error(status, "removing unfinished blobs"));
    log::info("blob", "unfinished_removed", {{"writers", abandoned}});
  }
  return {};
}

Result<> RocksBlobStore::reserve(std::uint64_t bytes) {
  const std::scoped_lock lock(mutex_);
  if (options_.quota_bytes != 0 && bytes_ + pending_bytes_ + bytes > options_.quota_bytes)
    return fail(ErrorCode::kExhausted, fmt::format("the storage quota of {} bytes is used up", options_.quota_bytes));
  pending_bytes_ += bytes;
  return {};
}

Result<std::uint64_t> RocksBlobStore::take_number() {
  const std::scoped_lock lock(mutex_);
  if (next_number_ == number_limit_) {
    // Unsynced: the write-ahead log keeps this before anything that is stored under the new numbers.
    const std::uint64_t limit = number_limit_ + 4096;
    const auto status = db_->Put(write_options(false), rocksdb::Slice(record::kNextKey), record::big_endian(limit));
    if (!status.ok()) return fail(to_error(status, "storing a blob"));
    number_limit_ = limit;
  }
  return next_number_++;
}

Result<std::unique_ptr<BlobWriter>> RocksBlobStore::create() {
  {
    const std::scoped_lock lock(mutex_);
    if (writers_ >= options_.max_writers) return fail(ErrorCode::kExhausted, "too many blobs are being written");
    ++writers_;
  }
  return std::make_unique<RocksBlobWriter>(*this);
}

Result<BlobRecord> RocksBlobStore::find(const BlobId& id) {
  std::string value;
  const auto status = db_->Get({}, record::blob_key(id), &value);
  if (status.IsNotFound()) return fail(ErrorCode::kNotFound, fmt::format("no blob {} here", to_hex(id)));
  if (!status.ok()) return fail(to_error(status, fmt::format("blob {}", to_hex(id))));
  return record::decode(value);
}

Result<BlobInfo> RocksBlobStore::stat(const BlobId& id) {
  TRY_ASSIGN(const auto blob, find(id));
  return BlobInfo{id, blob.sha256, blob.size_bytes};
}

Result<BlobInfo> RocksBlobStore::find_sha256(const Hash32& digest) {
  std::string value;
  const auto status = db_->Get({}, record::digest_key(digest), &value);
  if (status.IsNotFound()) return fail(ErrorCode::kNotFound, fmt::format("no blob sha256:{} here", to_hex(digest)));
  if (!status.ok()) return fail(to_error(status, fmt::format("blob sha256:{}", to_hex(digest))));
  TRY_ASSIGN(const auto id, BlobId::from(as_bytes(value)));
  return stat(id);
}

Error RocksBlobStore::missing_part(const BlobId& id, std::string_view what) {
  // A blob may be removed while it is read; only then is a missing part not the disk's fault.
  if (auto again = find(id); !again && again.error().code == ErrorCode::kNotFound) return again.error();
  return {ErrorCode::kCorrupt, fmt::format("blob {}: {} is missing", to_hex(id), what)};
}

Result<LeafHashes> RocksBlobStore::leaf_hashes(const BlobId& id, const BlobRecord& blob) {
  if (auto cached = cache_.find(id)) return cached;
  const std::uint64_t count = leaf_count(blob.size_bytes);
  auto hashes = std::make_shared<std::vector<Hash32>>();
  if (count == 1) {
    hashes->push_back(Hash32{id.bytes});  // a tree of one leaf is its hash
    return hashes;
  }
  if (count > options_.max_blob_bytes / kLeafBytes + 1)
    return fail(ErrorCode::kCorrupt, fmt::format("blob {}: its size is damaged", to_hex(id)));
  hashes->reserve(count);
  for (std::uint32_t group = 0; hashes->size() < count; ++group) {
    rocksdb::PinnableSlice value;
    const auto key = record::part_key('H', blob.number, group);
    const auto status = db_->Get({}, db_->DefaultColumnFamily(), key, &value);
    if (status.IsNotFound()) return fail(missing_part(id, "a group of leaf hashes"));
    if (!status.ok()) return fail(to_error(status, fmt::format("blob {}, leaf hashes", to_hex(id))));
    const std::size_t expected = std::min<std::size_t>(count - hashes->size(), record::kHashesPerGroup);
    if (value.size() != expected * Hash32::kSize)
      return fail(ErrorCode::kCorrupt, fmt::format("blob {}: a group of leaf hashes is damaged", to_hex(id)));
    for (std::size_t i = 0; i < expected; ++i)
      std::memcpy(hashes->emplace_back().bytes.data(), value.data() + i * Hash32::kSize, Hash32::kSize);
  }
  if (merkle_root(*hashes) != id)
    return fail(ErrorCode::kCorrupt, fmt::format("blob {}: its leaf hashes do not give its id", to_hex(id)));
  cache_.insert(id, hashes);
  return hashes;
}

Result<std::size_t> RocksBlobStore::read(const BlobId& id, std::uint64_t offset, std::span<std::uint8_t> out) {
  TRY_ASSIGN(const auto blob, find(id));
  if (offset >= blob.size_bytes || out.empty()) return std::size_t{0};
  const std::size_t wanted = static_cast<std::size_t>(std::min<std::uint64_t>(out.size(), blob.size_bytes - offset));
  TRY_ASSIGN(const auto hashes, leaf_hashes(id, blob));
  std::size_t done = 0;
  while (done < wanted) {
    const std::uint64_t at = offset + done;
    const auto index = static_cast<std::uint32_t>(at / kLeafBytes);
    rocksdb::PinnableSlice value;
    const auto status = db_->Get({}, db_->DefaultColumnFamily(), record::part_key('L', blob.number, index), &value);
    if (status.IsNotFound()) return fail(missing_part(id, fmt::format("leaf {}", index)));
    if (!status.ok()) return fail(to_error(status, fmt::format("blob {}, leaf {}", to_hex(id), index)));
    const BytesView leaf = as_bytes(value.ToStringView());
    const std::uint64_t begin = std::uint64_t{index} * kLeafBytes;
    if (leaf.size() != std::min<std::uint64_t>(kLeafBytes, blob.size_bytes - begin) ||
        leaf_hash(leaf) != (*hashes)[index])
      return fail(ErrorCode::kCorrupt,
                  fmt::format("blob {} (sha256:{}): leaf {} is damaged", to_hex(id), to_hex(blob.sha256), index));
    const auto part = leaf.subspan(static_cast<std::size_t>(at - begin));
    const std::size_t n = std::min(part.size(), wanted - done);
    std::memcpy(out.data() + done, part.data(), n);
    done += n;
  }
  return done;
}

Result<> RocksBlobStore::remove(const BlobId& id) {
  const std::scoped_lock commit(commit_mutex(id));
  TRY_ASSIGN(const auto blob, find(id));
  rocksdb::WriteBatch batch;
  batch.Delete(record::blob_key(id));
  batch.Delete(record::digest_key(blob.sha256));
  drop_parts(batch, blob.number);
  const auto status = db_->Write(write_options(true), &batch);
  if (!status.ok()) return fail(to_error(status, fmt::format("removing blob {}", to_hex(id))));
  const std::scoped_lock lock(mutex_);
  --blobs_;
  bytes_ -= blob.size_bytes;
  return {};
}

Result<> RocksBlobWriter::write(BytesView in) {
  if (ended_) return fail(ErrorCode::kInvalid, "the blob was finished or failed before");
  if (in.size() > store_.options_.max_blob_bytes - size_) {
    ended_ = true;
    return fail(ErrorCode::kExhausted, fmt::format("a blob has at most {} bytes", store_.options_.max_blob_bytes));
  }
  if (auto room = store_.reserve(in.size()); !room) {
    ended_ = true;
    return room;
  }
  size_ += in.size();
  whole_.update(in);
  while (!in.empty()) {
    // A full leaf is stored only when more follows, so that a blob of one leaf needs a single write.
    if (leaf_.size() == kLeafBytes) TRY(store_leaf());
    const std::size_t n = std::min(in.size(), kLeafBytes - leaf_.size());
    append(leaf_, in.first(n));
    in = in.subspan(n);
  }
  return {};
}

Result<> RocksBlobWriter::put_leaf(rocksdb::WriteBatch& batch) {
  if (number_ == 0) {
    TRY_ASSIGN(number_, store_.take_number());
    // In one batch with the first leaf: whatever of this writer reaches the disk, the mark does too.
    batch.Put(record::pending_key(number_), "");
  }
  batch.Put(record::part_key('L', number_, static_cast<std::uint32_t>(hashes_.size())), rocksdb::Slice(as_text(leaf_)));
  hashes_.push_back(leaf_hash(leaf_));
  leaf_.clear();
  return {};
}

void RocksBlobWriter::put_hashes(rocksdb::WriteBatch& batch, std::size_t first) {
  std::string value;
  for (std::size_t i = first; i < hashes_.size(); ++i) value += as_text(hashes_[i]);
  batch.Put(record::part_key('H', number_, static_cast<std::uint32_t>(first / record::kHashesPerGroup)), value);
}

Result<> RocksBlobWriter::store_leaf() {
  rocksdb::WriteBatch batch;
  if (auto put = put_leaf(batch); !put) {
    ended_ = true;
    return put;
  }
  if (hashes_.size() % record::kHashesPerGroup == 0) put_hashes(batch, hashes_.size() - record::kHashesPerGroup);
  const auto status = store_.db_->Write(write_options(false), &batch);
  if (status.ok()) return {};
  ended_ = true;
  return fail(to_error(status, "storing a blob"));
}

Result<BlobInfo> RocksBlobWriter::finish(std::optional<Hash32> expected_sha256) {
  if (ended_) return fail(ErrorCode::kInvalid, "the blob was finished or failed before");
  ended_ = true;
  const Hash32 sha256 = whole_.finish();
  if (expected_sha256 && *expected_sha256 != sha256)
    return fail(ErrorCode::kInvalid,
                fmt::format("the content is sha256:{}, not sha256:{}", to_hex(sha256), to_hex(*expected_sha256)));
  rocksdb::WriteBatch batch;
  if (!leaf_.empty()) TRY(put_leaf(batch));
  if (hashes_.size() > 1) {
    const std::size_t rest = hashes_.size() % record::kHashesPerGroup;
    // The last leaf may also have filled its group.
    put_hashes(batch, hashes_.size() - (rest == 0 ? record::kHashesPerGroup : rest));
  }
  // The empty blob has no parts, but a number of its own.
  if (number_ == 0) number_ = TRY(store_.take_number());
  const BlobInfo info{merkle_root(hashes_), sha256, size_};
  const std::scoped_lock commit(store_.commit_mutex(info.id));
  auto present = store_.find(info.id);
  if (present) return info;  // stored before: the destructor drops this copy
  if (present.error().code != ErrorCode::kNotFound) return fail(std::move(present).error());
  batch.Put(record::blob_key(info.id), record::encode({.number = number_, .size_bytes = size_, .sha256 = sha256}));
  batch.Put(record::digest_key(sha256), rocksdb::Slice(as_text(info.id)));
  batch.Delete(record::pending_key(number_));
  // When this fails it may still have reached the log; then the blob is whole after recovery, so nothing is dropped
  // here.
  keep_ = true;
  const auto status = store_.db_->Write(write_options(true), &batch);
  if (!status.ok()) return fail(to_error(status, "finishing a blob"));
  store_.stored(size_);
  return info;
}

void RocksBlobWriter::discard() {
  if (number_ == 0 || keep_) return;
  rocksdb::WriteBatch batch;
  drop_parts(batch, number_);
  batch.Delete(record::pending_key(number_));
  // A failure is harmless: the mark stays, and opening removes what it marks.
  const auto status = store_.db_->Write(write_options(false), &batch);
  if (!status.ok()) log::warn("blob", "discard_failed", {{"error", status.ToString()}});
}

}  // namespace

Result<std::unique_ptr<BlobStore>> open_blob_store(const std::string& path, const BlobStoreOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("creating {}: {}", path, error.message()));
  rocksdb::Options db_options;
  db_options.create_if_missing = true;
  db_options.compression = rocksdb::kNoCompression;  // layers are compressed and objects encrypted already
  db_options.write_buffer_size = options.write_buffer_bytes;
  db_options.max_open_files = options.max_open_files;
  db_options.enable_blob_files = true;
  db_options.min_blob_size = 16 << 10;  // a full group of leaf hashes, and every larger leaf
  db_options.blob_file_size = 256ULL << 20;
  db_options.enable_blob_garbage_collection = true;
  db_options.blob_garbage_collection_age_cutoff = 0.5;
  db_options.keep_log_file_num = 4;
  db_options.info_log_level = rocksdb::WARN_LEVEL;
  rocksdb::DB* raw = nullptr;
  const auto status = rocksdb::DB::Open(db_options, path, &raw);
  std::unique_ptr<rocksdb::DB> db(raw);
  if (!status.ok()) {
    Error failure = to_error(status, fmt::format("opening the blob store in {}", path));
    if (status.IsIOError() && failure.message.find("/LOCK") != std::string::npos) failure.code = ErrorCode::kConflict;
    return fail(std::move(failure));
  }
  auto store = std::make_unique<RocksBlobStore>(std::move(db), options);
  TRY(store->recover());
  return store;
}

}  // namespace bonus::storage
