// The shim's helpers over Linux.
#include "apps/bonus_shim/system.hpp"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

namespace bonus::shim {

std::unexpected<std::string> failed(std::string_view what) {
  return std::unexpected(std::string(what) + ": " + std::strerror(errno));
}

Maybe<> write_atomically(const std::string& path, const std::string& content) {
  const std::string temporary = path + ".tmp";
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return failed("creating " + temporary);
  const ssize_t n = ::write(fd, content.data(), content.size());
  ::close(fd);
  if (n != static_cast<ssize_t>(content.size())) return failed("writing " + temporary);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return failed("renaming " + temporary);
  return {};
}

std::string read_small(const std::string& path, std::size_t limit, bool tail) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  struct stat info{};
  if (tail && ::fstat(fd, &info) == 0 && info.st_size > static_cast<off_t>(limit))
    ::lseek(fd, info.st_size - static_cast<off_t>(limit), SEEK_SET);
  std::string out(limit, '\0');
  std::size_t have = 0;
  while (have < limit) {
    const ssize_t n = ::read(fd, out.data() + have, limit - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  ::close(fd);
  out.resize(have);
  return out;
}

std::vector<std::string> Settings::all(std::string_view key) const {
  std::vector<std::string> out;
  for (std::size_t at = 0; at < text_.size();) {
    const std::size_t end = std::min(text_.find('\n', at), text_.size());
    const std::string_view line = std::string_view(text_).substr(at, end - at);
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=')
      out.emplace_back(line.substr(key.size() + 1));
    at = end + 1;
  }
  return out;
}
std::string Settings::get(std::string_view key) const {
  auto found = all(key);
  return found.empty() ? std::string() : found.front();
}
unsigned long long Settings::number(std::string_view key) const { return std::strtoull(get(key).c_str(), nullptr, 10); }

int exit_code_of(int wait_status) {
  return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : WEXITSTATUS(wait_status);
}

Maybe<int> run_program(const std::vector<std::string>& argv, Stdio stdio, int seconds) {
  std::vector<char*> arguments;
  for (const auto& text : argv) arguments.push_back(const_cast<char*>(text.c_str()));
  arguments.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return failed("fork");
  if (pid == 0) {
    // Copies above 9 first: a descriptor of the three may be 0, 1 or 2 itself.
    const std::array<int, 3> copies{::fcntl(stdio.in, F_DUPFD, 10), ::fcntl(stdio.out, F_DUPFD, 10),
                                    ::fcntl(stdio.err, F_DUPFD, 10)};
    for (int i = 0; i < 3; ++i) ::dup2(copies[static_cast<std::size_t>(i)], i);
    ::close_range(3, ~0U, 0);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const long long deadline = monotonic_ms() + seconds * 1000LL;
  bool killed = false;
  while (true) {
    int status = 0;
    const pid_t done = ::waitpid(pid, &status, WNOHANG);
    if (done == pid) return exit_code_of(status);
    if (done < 0 && errno != EINTR) return failed("waitpid");
    if (!killed && monotonic_ms() >= deadline) {
      ::kill(pid, SIGKILL);
      killed = true;
    }
    const timespec tick{0, 100'000'000};  // SIGCHLD wakes at once; the tick only guards the deadline
    ::sigtimedwait(&child, nullptr, &tick);
  }
}

std::string timestamp() {
  timespec now{};
  (void)::timespec_get(&now, TIME_UTC);
  tm parts{};
  ::gmtime_r(&now.tv_sec, &parts);
  std::array<char, 64> text{};
  const std::size_t n = ::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::snprintf(text.data() + n, text.size() - n, ".%09ldZ", now.tv_nsec);
  return text.data();
}

long long unix_ms() {
  timespec now{};
  (void)::timespec_get(&now, TIME_UTC);
  return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

long long monotonic_ms() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000LL + now.tv_nsec / 1'000'000;
}

unsigned long long start_time_of(pid_t pid) {
  const std::string text = read_small("/proc/" + std::to_string(pid) + "/stat", 4096);
  std::size_t at = text.rfind(')');  // the command may contain anything, also ')'
  if (at == std::string::npos) return 0;
  for (int field = 2; field < 22; ++field) {
    at = text.find(' ', at + 1);
    if (at == std::string::npos) return 0;
  }
  return std::strtoull(text.c_str() + at + 1, nullptr, 10);
}

}  // namespace bonus::shim
