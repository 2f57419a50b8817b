// Reads what the shim's LogWriter writes: numbered files of CRI log lines, growing and rotating while they are read.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/compute/api/containers.hpp"

namespace bonus::compute::vm {

/// Blocking, not thread-safe. Partial lines are joined, up to 1 MiB; what is no CRI line is skipped.
class LogReader {
 public:
  /// `tail`: begin with the last so many lines; 0: with the oldest that is kept.
  LogReader(std::string folder, std::size_t tail);
  /// The next lines, at most about `limit`; none when nothing new is there now.
  [[nodiscard]] Result<std::vector<LogLine>> next(std::size_t limit);

 private:
  [[nodiscard]] std::vector<std::uint64_t> numbers() const;
  [[nodiscard]] std::string name_of(std::uint64_t number) const;
  void seek_tail(std::size_t lines);
  [[nodiscard]] bool advance_file();
  void take_line(std::string_view line, std::vector<LogLine>& out);

  std::string folder_;
  std::uint64_t number_ = 0;  // 0: no file chosen yet
  Fd file_;
  std::string buffer_;      // the begun line at the end of what was read
  std::string partial_[2];  // joined pieces of stdout and stderr
};

/// "2026-01-31T23:59:59.123456789Z" to milliseconds since 1970; 0 when it is no such time.
[[nodiscard]] UnixMillis parse_rfc3339(std::string_view text);

}  // namespace bonus::compute::vm
