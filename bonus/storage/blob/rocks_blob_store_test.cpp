// The blob store against RocksDB on a real disk: what it keeps, what it refuses, what it notices.
#include "bonus/storage/blob/rocks_blob_store.hpp"

#include <gtest/gtest.h>
#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "bonus/crypto/hash.hpp"
#include "bonus/storage/blob/record.hpp"

namespace bonus::storage {
namespace {

Bytes pattern(std::size_t size, std::uint64_t seed) {
  Bytes out(size);
  for (auto& b : out) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    b = static_cast<std::uint8_t>(seed >> 56);
  }
  return out;
}

Result<BlobInfo> put(BlobStore& store, BytesView content, std::size_t step = 100'000) {
  TRY_ASSIGN(auto writer, store.create());
  while (!content.empty()) {
    const auto n = std::min(step, content.size());
    TRY(writer->write(content.first(n)));
    content = content.subspan(n);
  }
  return writer->finish(std::nullopt);
}

Result<Bytes> get(BlobStore& store, const BlobId& id, std::uint64_t offset, std::size_t size) {
  Bytes out(size);
  TRY_ASSIGN(const auto n, store.read(id, offset, out));
  out.resize(n);
  return out;
}

class RocksBlobStore : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "bonus-blob-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    path_ = name;
  }
  void TearDown() override {
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  BlobStore& open(const BlobStoreOptions& options = {}) {
    store_.reset();
    auto opened = open_blob_store(path_, options);
    EXPECT_TRUE(opened) << opened.error().to_string();
    store_ = *std::move(opened);
    return *store_;
  }
  /// The database below a closed store.
  std::unique_ptr<rocksdb::DB> raw() {
    store_.reset();
    rocksdb::DB* db = nullptr;
    rocksdb::Options options;
    options.enable_blob_files = true;
    options.min_blob_size = 16 << 10;
    EXPECT_TRUE(rocksdb::DB::Open(options, path_, &db).ok());
    return std::unique_ptr<rocksdb::DB>(db);
  }
  static std::size_t count(rocksdb::DB& db, std::string_view prefix) {
    std::size_t out = 0;
    const std::unique_ptr<rocksdb::Iterator> at(db.NewIterator({}));
    for (at->Seek(rocksdb::Slice(prefix)); at->Valid() && at->key().starts_with(rocksdb::Slice(prefix)); at->Next())
      ++out;
    return out;
  }

  std::string path_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(RocksBlobStore, ReturnsEverySizeAtEveryBoundary) {
  auto& store = open();
  for (const std::size_t size : {std::size_t{0}, std::size_t{1}, kLeafBytes - 1, kLeafBytes, kLeafBytes + 1,
                                 2 * kLeafBytes, 3 * kLeafBytes + 17, 512 * kLeafBytes, 513 * kLeafBytes + 5}) {
    SCOPED_TRACE(size);
    const Bytes content = pattern(size, size + 1);
    const auto info = put(store, content);
    ASSERT_TRUE(info) << info.error().to_string();
    EXPECT_EQ(info->size_bytes, size);
    EXPECT_EQ(info->sha256, crypto::sha256(content));
    EXPECT_EQ(get(store, info->id, 0, size + 10).value(), content);
    EXPECT_EQ(store.find_sha256(info->sha256).value().id, info->id);
    EXPECT_EQ(store.stat(info->id).value().sha256, info->sha256);
    EXPECT_TRUE(get(store, info->id, size, 10).value().empty());
    EXPECT_TRUE(get(store, info->id, UINT64_MAX, 10).value().empty());
    for (const std::size_t at : {size / 3, size / 2, size > 0 ? size - 1 : 0}) {
      const std::size_t n = std::min<std::size_t>(size - at, 70'000);
      const auto part = get(store, info->id, at, n);
      ASSERT_TRUE(part);
      EXPECT_TRUE(std::ranges::equal(*part, BytesView(content).subspan(at, n)));
    }
  }
}

TEST_F(RocksBlobStore, IdIsTheMerkleRootOfTheFormatPage) {
  auto& store = open();
  // Computed apart from this program with Python's hashlib over bytes i * 7 % 251 (docs/formats/blob.md).
  Bytes content(3 * kLeafBytes + 1);
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::uint8_t>(i * 7 % 251);
  EXPECT_EQ(to_hex(put(store, content)->id), "a76637e898a91b665f58d11e3298dc7619ccab85e5e9aff0755f5281a51a70ee");
  EXPECT_EQ(to_hex(put(store, as_bytes("bonus"))->id),
            "7b153b053bef027aedf80f001ff43f22421b6ea5a6318fca3631f4e22be4cb65");
  EXPECT_EQ(to_hex(put(store, {})->id), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_F(RocksBlobStore, KeepsBlobsOverReopen) {
  const Bytes content = pattern(5 * kLeafBytes + 3, 7);
  const auto info = put(open(), content);
  ASSERT_TRUE(info);
  auto& store = open();
  EXPECT_EQ(get(store, info->id, 0, content.size()).value(), content);
  EXPECT_EQ(store.usage().blobs, 1U);
  EXPECT_EQ(store.usage().bytes, content.size());
}

TEST_F(RocksBlobStore, StoresTheSameContentOnce) {
  auto& store = open();
  const Bytes content = pattern(4 * kLeafBytes, 9);
  const auto first = put(store, content);
  const auto second = put(store, content, 1000);
  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->id, second->id);
  EXPECT_EQ(store.usage().blobs, 1U);
  EXPECT_EQ(store.usage().bytes, content.size());
  const auto db = raw();
  EXPECT_EQ(count(*db, "L"), 4U);
  EXPECT_EQ(count(*db, "P"), 0U);
}

TEST_F(RocksBlobStore, RefusesAnotherDigest) {
  auto& store = open();
  auto writer = store.create().value();
  ASSERT_TRUE(writer->write(pattern(2 * kLeafBytes, 1)));
  const auto info = writer->finish(crypto::sha256(as_bytes("something else")));
  ASSERT_FALSE(info);
  EXPECT_EQ(info.error().code, ErrorCode::kInvalid);
  EXPECT_FALSE(writer->finish(std::nullopt));
  writer.reset();
  EXPECT_EQ(store.usage().blobs, 0U);
  EXPECT_EQ(count(*raw(), "L"), 0U);
}

TEST_F(RocksBlobStore, DroppedWriterLeavesNothing) {
  auto& store = open();
  auto writer = store.create().value();
  ASSERT_TRUE(writer->write(pattern(3 * kLeafBytes, 2)));
  writer.reset();
  const auto db = raw();
  EXPECT_EQ(count(*db, "L"), 0U);
  EXPECT_EQ(count(*db, "P"), 0U);
}

TEST_F(RocksBlobStore, CrashedWriterIsCleanedAtOpen) {
  const Bytes kept = pattern(2 * kLeafBytes, 3);
  const auto info = put(open(), kept);
  ASSERT_TRUE(info);
  store_.reset();
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {  // dies with three leaves of a blob in the log, as after kill -9
    auto opened = open_blob_store(path_, {});
    auto writer = (*opened)->create();
    const bool written = (*writer)->write(pattern(3 * kLeafBytes + 1, 4)).has_value();
    ::_exit(written ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  {
    const auto db = raw();
    ASSERT_EQ(count(*db, "P"), 1U);
    ASSERT_EQ(count(*db, "L"), 5U);
  }
  auto& store = open();
  EXPECT_EQ(store.usage().blobs, 1U);
  EXPECT_EQ(get(store, info->id, 0, kept.size()).value(), kept);
  const Bytes more = pattern(2 * kLeafBytes, 5);
  const auto again = put(store, more);
  ASSERT_TRUE(again);
  EXPECT_EQ(get(store, again->id, 0, more.size()).value(), more);
  const auto db = raw();
  EXPECT_EQ(count(*db, "P"), 0U);
  EXPECT_EQ(count(*db, "L"), 4U);
}

TEST_F(RocksBlobStore, NamesADamagedLeaf) {
  const auto info = put(open(), pattern(4 * kLeafBytes, 6));
  ASSERT_TRUE(info);
  {
    const auto db = raw();
    const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}));
    at->Seek("L");
    at->Next();
    at->Next();
    std::string value = at->value().ToString();
    value[12345] = static_cast<char>(value[12345] ^ 1);
    ASSERT_TRUE(db->Put({}, at->key(), value).ok());
  }
  auto& store = open();
  EXPECT_TRUE(get(store, info->id, 0, 2 * kLeafBytes));
  const auto bad = get(store, info->id, 2 * kLeafBytes, 10);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kCorrupt);
  EXPECT_NE(bad.error().message.find("leaf 2"), std::string::npos) << bad.error().message;
  EXPECT_NE(bad.error().message.find(to_hex(info->id)), std::string::npos);
  EXPECT_TRUE(get(store, info->id, 3 * kLeafBytes, 10));
}

TEST_F(RocksBlobStore, NoticesDamagedLeafHashesAndMissingLeaves) {
  const auto first = put(open(), pattern(4 * kLeafBytes, 7));
  const auto second = put(*store_, pattern(3 * kLeafBytes, 8));
  ASSERT_TRUE(first && second);
  {
    const auto db = raw();
    const std::unique_ptr<rocksdb::Iterator> at(db->NewIterator({}));
    at->Seek("H");
    std::string value = at->value().ToString();
    value[40] = static_cast<char>(value[40] ^ 0x80);
    ASSERT_TRUE(db->Put({}, at->key(), value).ok());
    at->Seek("M");  // past the last leaf
    at->Prev();
    ASSERT_TRUE(db->Delete({}, at->key()).ok());
  }
  auto& store = open();
  EXPECT_EQ(get(store, first->id, 0, 10).error().code, ErrorCode::kCorrupt);
  EXPECT_TRUE(get(store, second->id, 0, 10));
  EXPECT_EQ(get(store, second->id, 2 * kLeafBytes, 10).error().code, ErrorCode::kCorrupt);
}

TEST_F(RocksBlobStore, NoticesAFlippedByteInABlobFile) {
  const auto info = put(open(), pattern(4 * kLeafBytes, 10));
  ASSERT_TRUE(info);
  ASSERT_TRUE(raw()->Flush({}).ok());
  std::size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path_)) {
    if (entry.path().extension() != ".blob") continue;
    ++files;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekg(100'000);
    const char byte = static_cast<char>(file.get() ^ 0x10);
    file.seekp(100'000);
    file.put(byte);
  }
  ASSERT_EQ(files, 1U);  // leaves are kept apart from the LSM tree
  const auto bad = get(open(), info->id, 0, 4 * kLeafBytes);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, ErrorCode::kCorrupt);
}

TEST_F(RocksBlobStore, HoldsItsQuota) {
  auto& store = open({.quota_bytes = 300'000});
  const auto info = put(store, pattern(200'000, 11));
  ASSERT_TRUE(info);
  auto writer = store.create().value();
  ASSERT_TRUE(writer->write(pattern(90'000, 12)));
  EXPECT_EQ(put(store, pattern(20'000, 13)).error().code, ErrorCode::kExhausted);
  EXPECT_EQ(writer->write(pattern(20'000, 12)).error().code, ErrorCode::kExhausted);
  writer.reset();
  EXPECT_TRUE(put(store, pattern(20'000, 13)));
  EXPECT_EQ(put(store, pattern(200'000, 14)).error().code, ErrorCode::kExhausted);
  ASSERT_TRUE(store.remove(info->id));
  EXPECT_TRUE(put(store, pattern(200'000, 14)));
  EXPECT_EQ(store.usage().quota_bytes, 300'000U);
}

TEST_F(RocksBlobStore, LimitsOneBlobAndTheWriters) {
  auto& store = open({.max_blob_bytes = 1000, .max_writers = 2});
  EXPECT_EQ(put(store, pattern(1001, 1)).error().code, ErrorCode::kExhausted);
  auto a = store.create();
  auto b = store.create();
  ASSERT_TRUE(a && b);
  EXPECT_EQ(store.create().error().code, ErrorCode::kExhausted);
  a->reset();
  EXPECT_TRUE(store.create());
}

TEST_F(RocksBlobStore, RemoveForgets) {
  auto& store = open();
  const auto info = put(store, pattern(3 * kLeafBytes, 15));
  ASSERT_TRUE(info);
  ASSERT_TRUE(store.remove(info->id));
  EXPECT_EQ(store.remove(info->id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.stat(info->id).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.find_sha256(info->sha256).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(get(store, info->id, 0, 1).error().code, ErrorCode::kNotFound);
  EXPECT_EQ(store.usage().blobs, 0U);
  EXPECT_EQ(store.usage().bytes, 0U);
  const auto db = raw();
  EXPECT_EQ(count(*db, "L") + count(*db, "H"), 0U);
}

TEST_F(RocksBlobStore, ServesReadersWhileOthersWriteAndRemove) {
  auto& store = open({.leaf_hash_cache_bytes = 4096});
  std::vector<Bytes> contents;
  std::vector<BlobInfo> infos;
  for (std::uint64_t i = 0; i < 6; ++i) {
    contents.push_back(pattern((i + 2) * kLeafBytes + i, 100 + i));
    infos.push_back(put(store, contents.back()).value());
  }
  std::atomic<int> failures = 0;
  std::vector<std::jthread> threads;
  for (std::size_t t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t i = 0; i < 60; ++i) {
        const std::size_t which = (i + t) % (infos.size() - 1);
        const auto part = get(store, infos[which].id, i * 1000, 100'000);
        if (!part || !std::ranges::equal(*part, BytesView(contents[which]).subspan(i * 1000, part->size()))) ++failures;
      }
    });
  // The last blob comes and goes: its readers see all of it or kNotFound.
  threads.emplace_back([&] {
    for (int i = 0; i < 20; ++i) {
      if (!store.remove(infos.back().id) || !put(store, contents.back())) ++failures;
    }
  });
  threads.emplace_back([&] {
    for (int i = 0; i < 100; ++i) {
      const auto part = get(store, infos.back().id, 0, contents.back().size());
      if (part ? *part != contents.back() : part.error().code != ErrorCode::kNotFound) ++failures;
    }
  });
  threads.clear();
  EXPECT_EQ(failures, 0);
  EXPECT_EQ(store.usage().blobs, infos.size());
}

TEST_F(RocksBlobStore, TwoWritersOfOneContentMakeOneBlob) {
  auto& store = open();
  const Bytes content = pattern(6 * kLeafBytes, 77);
  std::vector<std::jthread> threads;
  std::atomic<int> good = 0;
  for (int t = 0; t < 4; ++t) threads.emplace_back([&] { good += put(store, content).has_value(); });
  threads.clear();
  EXPECT_EQ(good, 4);
  EXPECT_EQ(store.usage().blobs, 1U);
  EXPECT_EQ(count(*raw(), "L"), 6U);
}

TEST_F(RocksBlobStore, OneProcessAtATime) {
  (void)open();
  const auto second = open_blob_store(path_, {});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::kConflict) << second.error().message;
}

TEST_F(RocksBlobStore, RefusesAnotherFormat) {
  (void)open();
  ASSERT_TRUE(raw()->Put({}, rocksdb::Slice(record::kFormatKey), "\x02").ok());
  EXPECT_EQ(open_blob_store(path_, {}).error().code, ErrorCode::kUnsupported);
}

TEST(BlobRecord, GoldenBytes) {
  record::BlobRecord value{.number = 0x0102, .size_bytes = 65537, .sha256 = crypto::sha256(as_bytes("bonus"))};
  const std::string encoded = record::encode(value);
  EXPECT_EQ(to_hex(as_bytes(encoded)),
            "010000000000000102"
            "0000000000010001" +
                to_hex(value.sha256));
  EXPECT_EQ(record::decode(encoded).value(), value);
  EXPECT_EQ(record::decode(encoded.substr(1)).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(record::decode("\x02" + encoded.substr(1)).error().code, ErrorCode::kCorrupt);
  EXPECT_EQ(to_hex(as_bytes(record::part_key('L', 258, 3))), "4c000000000000010200000003");
}

}  // namespace
}  // namespace bonus::storage
