// Partly fetched blobs on disk.
#include "bonus/compute/oci/partial_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

namespace bonus::compute::oci {
namespace {
Error io_error(std::string_view path) {
  const int code = errno;
  return {code == ENOSPC || code == EDQUOT ? ErrorCode::kExhausted : ErrorCode::kIo,
          fmt::format("{}: {}", path, std::strerror(code))};
}
}  // namespace

Result<std::unique_ptr<PartialFile>> PartialFile::open(const std::string& folder, const Hash32& sha256) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("creating {}: {}", folder, error.message()));
  const std::string path = folder + "/" + to_hex(sha256) + ".part";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return fail(io_error(path));
  struct stat info{};
  if (::fstat(fd, &info) != 0) {
    ::close(fd);
    return fail(io_error(path));
  }
  return std::unique_ptr<PartialFile>(new PartialFile(path, sha256, fd, static_cast<std::uint64_t>(info.st_size)));
}

PartialFile::~PartialFile() { ::close(fd_); }

Result<> PartialFile::append(BytesView in) {
  while (!in.empty()) {
    const ssize_t n = ::pwrite(fd_, in.data(), in.size(), static_cast<off_t>(size_));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(io_error(path_));
    size_ += static_cast<std::uint64_t>(n);
    in = in.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> PartialFile::clear() {
  if (::ftruncate(fd_, 0) != 0) return fail(io_error(path_));
  size_ = 0;
  return {};
}

Result<> PartialFile::store(storage::BlobStore& store) {
  TRY_ASSIGN(auto writer, store.create());
  Bytes buffer(1 << 20);
  for (std::uint64_t at = 0; at < size_;) {
    const ssize_t n = ::pread(fd_, buffer.data(), buffer.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(io_error(path_));
    if (n == 0) return fail(ErrorCode::kIo, fmt::format("{}: it became shorter", path_));
    TRY(writer->write(BytesView(buffer).first(static_cast<std::size_t>(n))));
    at += static_cast<std::uint64_t>(n);
  }
  TRY(writer->finish(sha256_));
  return {};
}

void PartialFile::remove() { ::unlink(path_.c_str()); }

}  // namespace bonus::compute::oci
