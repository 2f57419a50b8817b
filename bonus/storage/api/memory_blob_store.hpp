// A BlobStore in memory, for tests of what stands on storage/api. Ids are plain SHA-256 digests here, not Merkle roots.
#pragma once

#include <cstring>
#include <map>
#include <mutex>

#include "bonus/crypto/hash.hpp"
#include "bonus/storage/api/blob_store.hpp"

namespace bonus::storage {

/// Thread-safe. `corrupt()` makes every later read of a blob fail as a lying disk would.
class MemoryBlobStore final : public BlobStore {
 public:
  explicit MemoryBlobStore(std::uint64_t quota_bytes = 0) : quota_(quota_bytes) {}

  Result<std::unique_ptr<BlobWriter>> create() override { return std::make_unique<Writer>(*this); }

  Result<BlobInfo> stat(const BlobId& id) override {
    const std::scoped_lock lock(mutex_);
    const auto at = blobs_.find(id);
    if (at == blobs_.end()) return fail(ErrorCode::kNotFound, "no blob " + to_hex(id));
    return BlobInfo{id, Hash32{id.bytes}, at->second.size()};
  }
  Result<BlobInfo> find_sha256(const Hash32& digest) override { return stat(BlobId{digest.bytes}); }

  Result<std::size_t> read(const BlobId& id, std::uint64_t offset, std::span<std::uint8_t> out) override {
    const std::scoped_lock lock(mutex_);
    const auto at = blobs_.find(id);
    if (at == blobs_.end()) return fail(ErrorCode::kNotFound, "no blob " + to_hex(id));
    if (corrupt_ == id) return fail(ErrorCode::kCorrupt, "blob " + to_hex(id) + ": leaf 0 is damaged");
    if (offset >= at->second.size()) return std::size_t{0};
    const std::size_t n = std::min<std::size_t>(out.size(), at->second.size() - static_cast<std::size_t>(offset));
    std::memcpy(out.data(), at->second.data() + offset, n);
    return n;
  }

  Result<> remove(const BlobId& id) override {
    const std::scoped_lock lock(mutex_);
    const auto at = blobs_.find(id);
    if (at == blobs_.end()) return fail(ErrorCode::kNotFound, "no blob " + to_hex(id));
    bytes_ -= at->second.size();
    blobs_.erase(at);
    return {};
  }

  Usage usage() override {
    const std::scoped_lock lock(mutex_);
    return {blobs_.size(), bytes_, quota_};
  }

  void corrupt(const Hash32& sha256) {
    const std::scoped_lock lock(mutex_);
    corrupt_.bytes = sha256.bytes;
  }

 private:
  class Writer final : public BlobWriter {
   public:
    explicit Writer(MemoryBlobStore& store) : store_(store) {}
    Result<> write(BytesView in) override {
      const std::scoped_lock lock(store_.mutex_);
      if (store_.quota_ != 0 && store_.bytes_ + content_.size() + in.size() > store_.quota_)
        return fail(ErrorCode::kExhausted, "the storage quota is used up");
      append(content_, in);
      return {};
    }
    std::uint64_t size_bytes() const override { return content_.size(); }
    Result<BlobInfo> finish(std::optional<Hash32> expected_sha256) override {
      const Hash32 digest = crypto::sha256(content_);
      if (expected_sha256 && *expected_sha256 != digest)
        return fail(ErrorCode::kInvalid, "the content is sha256:" + to_hex(digest));
      const std::scoped_lock lock(store_.mutex_);
      const std::uint64_t size = content_.size();
      if (store_.blobs_.try_emplace(BlobId{digest.bytes}, std::move(content_)).second) store_.bytes_ += size;
      return BlobInfo{BlobId{digest.bytes}, digest, size};
    }

   private:
    MemoryBlobStore& store_;
    Bytes content_;
  };

  std::mutex mutex_;
  const std::uint64_t quota_;
  std::uint64_t bytes_ = 0;
  std::map<BlobId, Bytes> blobs_;
  BlobId corrupt_;
};

}  // namespace bonus::storage
