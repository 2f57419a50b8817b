// CRI log files with rotation. A log that cannot be written (disk full) loses lines, never the container.
#include "apps/bonus_shim/log_writer.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "apps/bonus_shim/system.hpp"

namespace bonus::shim {
namespace {
constexpr std::size_t kLineBytes = 16 << 10;
}

LogWriter::LogWriter(std::string folder, std::size_t file_bytes, unsigned files)
    : folder_(std::move(folder)), file_bytes_(std::max<std::size_t>(file_bytes, 4096)), files_(std::max(files, 2U)) {
  // An earlier run of the same container may have left files: its log goes on.
  if (DIR* dir = ::opendir(folder_.c_str()); dir != nullptr) {
    while (const dirent* entry = ::readdir(dir))
      if (std::strlen(entry->d_name) == 12 && std::strcmp(entry->d_name + 8, ".log") == 0)
        number_ = std::max(number_, std::strtoull(entry->d_name, nullptr, 10));
    ::closedir(dir);
  }
  if (number_ > 0) --number_;
  open_next();
}

LogWriter::~LogWriter() {
  if (fd_ >= 0) ::close(fd_);
}

std::string LogWriter::name_of(unsigned long long number) const {
  char name[32];
  std::snprintf(name, sizeof name, "/%08llu.log", number);
  return folder_ + name;
}

void LogWriter::open_next() {
  if (fd_ >= 0) ::close(fd_);
  ++number_;
  fd_ = ::open(name_of(number_).c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  struct stat info{};
  written_ = fd_ >= 0 && ::fstat(fd_, &info) == 0 ? static_cast<std::size_t>(info.st_size) : 0;
  if (number_ > files_) ::unlink(name_of(number_ - files_).c_str());
}

void LogWriter::line(bool is_stderr, std::string_view text, bool full) {
  std::string out = timestamp();
  out += is_stderr ? " stderr " : " stdout ";
  out += full ? "F " : "P ";
  out += text;
  out += '\n';
  if (written_ + out.size() > file_bytes_ && written_ > 0) open_next();
  if (fd_ < 0) return;
  const ssize_t n = ::write(fd_, out.data(), out.size());
  if (n > 0) written_ += static_cast<std::size_t>(n);
}

void LogWriter::feed(bool is_stderr, std::string_view bytes) {
  std::string& waiting = waiting_[is_stderr ? 1 : 0];
  while (!bytes.empty()) {
    const std::size_t end = bytes.find('\n');
    const std::size_t take = std::min(std::min(end, bytes.size()), kLineBytes - waiting.size());
    waiting.append(bytes.substr(0, take));
    bytes.remove_prefix(take);
    if (!bytes.empty() && bytes.front() == '\n') {
      line(is_stderr, waiting, true);
      bytes.remove_prefix(1);
      waiting.clear();
    } else if (waiting.size() == kLineBytes) {
      line(is_stderr, waiting, false);
      waiting.clear();
    }
  }
}

void LogWriter::finish() {
  for (const bool is_stderr : {false, true}) {
    std::string& waiting = waiting_[is_stderr ? 1 : 0];
    if (!waiting.empty()) line(is_stderr, waiting, true);
    waiting.clear();
  }
}

}  // namespace bonus::shim
