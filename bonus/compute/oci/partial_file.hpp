// A partly fetched blob on disk: bytes from the beginning, without gaps. Blocking, not thread-safe.
#pragma once

#include <memory>
#include <string>

#include "bonus/storage/api/blob_store.hpp"

namespace bonus::compute::oci {

class PartialFile {
 public:
  /// Opens or creates `folder`/<sha256>.part; whatever an earlier run fetched is counted in size().
  [[nodiscard]] static Result<std::unique_ptr<PartialFile>> open(const std::string& folder, const Hash32& sha256);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] Result<> append(BytesView in);
  [[nodiscard]] Result<> clear();
  /// Copies everything into the store. kInvalid: it is not the blob of this digest.
  [[nodiscard]] Result<> store(storage::BlobStore& store);
  void remove();

 private:
  PartialFile(std::string path, const Hash32& sha256, int fd, std::uint64_t size)
      : path_(std::move(path)), sha256_(sha256), fd_(fd), size_(size) {}

  const std::string path_;
  const Hash32 sha256_;
  const int fd_;
  std::uint64_t size_;
};

}  // namespace bonus::compute::oci
