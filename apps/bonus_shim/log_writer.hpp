// The container's output as CRI log lines (kubernetes, design "CRI: logging"): "<time> stdout|stderr P|F <text>", in
// numbered files.
#pragma once

#include <string>
#include <string_view>

namespace bonus::shim {

/// <folder>/<8 digits>.log: the highest number is written to; when it is full the next begins and the oldest goes.
class LogWriter {
 public:
  LogWriter(std::string folder, std::size_t file_bytes, unsigned files);
  ~LogWriter();
  LogWriter(const LogWriter&) = delete;
  LogWriter& operator=(const LogWriter&) = delete;
  /// Bytes as they come from a pipe; whole lines are written, the rest waits (16 KiB at most, then a partial line).
  void feed(bool is_stderr, std::string_view bytes);
  /// What waits is written as the last line of its stream.
  void finish();

 private:
  void line(bool is_stderr, std::string_view text, bool full);
  void open_next();
  std::string name_of(unsigned long long number) const;

  std::string folder_;
  std::size_t file_bytes_;
  unsigned files_;
  unsigned long long number_ = 0;
  int fd_ = -1;
  std::size_t written_ = 0;
  std::string waiting_[2];
};

}  // namespace bonus::shim
