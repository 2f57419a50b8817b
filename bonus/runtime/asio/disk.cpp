// Files that survive kill -9 and power loss: the append-only log (docs/formats/append-log.md) and whole small files.
#include "bonus/runtime/disk.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "bonus/base/os.hpp"
#include "bonus/runtime/asio/append_log.hpp"

namespace bonus::runtime {
namespace {

Result<> write_all(int fd, BytesView in, const std::string& path) {
  while (!in.empty()) {
    const ssize_t n = ::write(fd, in.data(), in.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(os_error("writing", path));
    in = in.subspan(static_cast<std::size_t>(n));
  }
  return {};
}

Result<> sync_folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  if (folder.empty()) folder = ".";
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) return fail(os_error("opening the folder", folder));
  if (::fsync(fd.get()) != 0) return fail(os_error("syncing the folder", folder));
  return {};
}

Result<> replace_file(const std::string& path, BytesView content, unsigned mode) {
  const std::string temporary = path + ".tmp";
  {
    const Fd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, static_cast<mode_t>(mode)));
    if (fd.get() < 0) return fail(os_error("creating", temporary));
    // The mode counts also when the temporary file was left over from a crash, and whatever the umask.
    if (::fchmod(fd.get(), static_cast<mode_t>(mode)) != 0) return fail(os_error("setting the mode of", temporary));
    TRY(write_all(fd.get(), content, temporary));
    if (::fsync(fd.get()) != 0) return fail(os_error("syncing", temporary));
  }
  if (::rename(temporary.c_str(), path.c_str()) != 0) return fail(os_error("renaming to", path));
  return sync_folder_of(path);
}

Result<Bytes> read_whole(const std::string& path, std::size_t limit_bytes) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd.get() < 0) return fail(os_error("opening", path));
  Bytes out;
  std::array<std::uint8_t, 65536> buffer{};
  while (true) {
    const ssize_t n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(os_error("reading", path));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > limit_bytes)
      return fail(ErrorCode::kExhausted, fmt::format("{} is longer than {} bytes", path, limit_bytes));
    append(out, BytesView(buffer).first(static_cast<std::size_t>(n)));
  }
}

class FileLog final : public AppendLog {
 public:
  FileLog(std::string path, Fd fd, std::vector<Bytes> recovered, std::uint64_t size)
      : path_(std::move(path)), fd_(std::move(fd)), recovered_(std::move(recovered)), size_(size), durable_(size) {}

  const std::vector<Bytes>& recovered() const override { return recovered_; }

  Result<> append(BytesView record) override {
    TRY(check());
    if (record.size() > append_log::kMaxRecordBytes)
      return fail(ErrorCode::kInvalid, "the record is too long for " + path_);
    Bytes framed;
    append_log::append_record(framed, record, durable_);
    if (auto done = write_all(fd_.get(), framed, path_); !done) {
      // A part may have reached the file (disk full). Cut it off, or the next record would stand behind a torn one.
      if (::ftruncate(fd_.get(), static_cast<off_t>(size_)) != 0 ||
          ::lseek(fd_.get(), static_cast<off_t>(size_), SEEK_SET) < 0)
        broken_ = true;
      return done;
    }
    size_ += framed.size();
    return {};
  }

  Result<> sync() override {
    TRY(check());
    if (::fdatasync(fd_.get()) != 0) {
      broken_ = true;  // the kernel may have dropped the pages: nothing that follows could be trusted
      return fail(os_error("syncing", path_));
    }
    durable_ = size_;
    return {};
  }

  Result<> rewrite(const std::vector<Bytes>& records) override {
    TRY(check());
    Bytes content = append_log::header();
    for (const auto& record : records) {
      if (record.size() > append_log::kMaxRecordBytes)
        return fail(ErrorCode::kInvalid, "a record is too long for " + path_);
      append_log::append_record(content, record, content.size());
    }
    TRY(replace_file(path_, content, 0600));
    Fd fd(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (fd.get() < 0) {
      broken_ = true;
      return fail(os_error("reopening", path_));
    }
    fd_ = std::move(fd);
    size_ = durable_ = content.size();
    return {};
  }

 private:
  Result<> check() const {
    if (broken_) return fail(ErrorCode::kIo, path_ + " failed before and is closed for writing");
    return {};
  }
  std::string path_;
  Fd fd_;
  std::vector<Bytes> recovered_;
  std::uint64_t size_;
  std::uint64_t durable_;  // offset up to which all is on the disk
  bool broken_ = false;
};

class SystemDisk final : public Disk {
 public:
  Result<std::unique_ptr<AppendLog>> open_log(const std::string& path) override {
    if (!exists(path)) TRY(replace_file(path, append_log::header(), 0600));
    TRY_ASSIGN(auto content, read_whole(path, append_log::kMaxLogBytes));
    auto parsed = append_log::parse(content);
    if (!parsed) return fail(std::move(parsed).error().wrap(path));
    Fd fd(::open(path.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (fd.get() < 0) return fail(os_error("opening", path));
    if (parsed->valid_bytes != content.size()) {
      if (::ftruncate(fd.get(), static_cast<off_t>(parsed->valid_bytes)) != 0 || ::fsync(fd.get()) != 0)
        return fail(os_error("cutting the torn tail of", path));
    } else if (::fsync(fd.get()) != 0) {
      return fail(os_error("syncing", path));  // what is reported as recovered is durable from now on
    }
    return std::make_unique<FileLog>(path, std::move(fd), std::move(parsed->records), parsed->valid_bytes);
  }

  Result<Bytes> read_file(const std::string& path, std::size_t limit_bytes) override {
    return read_whole(path, limit_bytes);
  }
  Result<> write_file(const std::string& path, BytesView content, unsigned mode) override {
    return replace_file(path, content, mode);
  }
  bool exists(const std::string& path) override {
    struct stat info{};
    return ::stat(path.c_str(), &info) == 0;
  }
};

}  // namespace

Disk& system_disk() {
  static SystemDisk disk;
  return disk;
}

}  // namespace bonus::runtime
