// System calls with std::expected errors, child processes with a deadline, small files. The shim is one thread.
#pragma once

#include <sys/types.h>

#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace bonus::shim {

template <class T = void>
using Maybe = std::expected<T, std::string>;

[[nodiscard]] std::unexpected<std::string> failed(std::string_view what);  ///< "what: strerror(errno)".
/// Whole or not at all, against kill -9; not against power failure, which ends the container as well.
[[nodiscard]] Maybe<> write_atomically(const std::string& path, const std::string& content);
[[nodiscard]] std::string read_small(const std::string& path, std::size_t limit, bool tail = false);
/// key=value lines; keys may repeat. Empty when absent.
class Settings {
 public:
  explicit Settings(std::string text) : text_(std::move(text)) {}
  [[nodiscard]] std::string get(std::string_view key) const;
  [[nodiscard]] unsigned long long number(std::string_view key) const;
  [[nodiscard]] std::vector<std::string> all(std::string_view key) const;

 private:
  std::string text_;
};

struct Stdio {
  int in, out, err;
};
/// Runs a program with these descriptors as 0, 1, 2 and nothing else open. Its exit code, 128 + signal, or 128 +
/// SIGKILL when it had to be killed after `seconds`. Needs SIGCHLD blocked.
[[nodiscard]] Maybe<int> run_program(const std::vector<std::string>& argv, Stdio stdio, int seconds);
/// Exit code as a shell has it: 128 + signal when killed.
[[nodiscard]] int exit_code_of(int wait_status);
/// "2026-01-31T23:59:59.123456789Z" (RFC 3339) of the wall clock.
[[nodiscard]] std::string timestamp();
[[nodiscard]] long long unix_ms();
[[nodiscard]] long long monotonic_ms();
/// Field 22 of /proc/<pid>/stat: with the pid it names one process for ever. 0 when it is gone.
[[nodiscard]] unsigned long long start_time_of(pid_t pid);

}  // namespace bonus::shim
