// fork(2) into a new session, and /proc/<pid>/stat.
#include "bonus/runtime/detached.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <thread>

#include "bonus/base/os.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::runtime {
namespace {

constexpr Duration kPoll = std::chrono::milliseconds(10), kAfterKill = std::chrono::seconds(5);

/// 0 for a process that is gone or a zombie. Fields are counted behind the command, which may hold anything.
std::uint64_t start_ticks(pid_t pid) {
  const Fd file(::open(fmt::format("/proc/{}/stat", pid).c_str(), O_RDONLY | O_CLOEXEC));
  std::array<char, 4096> buffer{};
  const ssize_t size = file ? ::read(file.get(), buffer.data(), buffer.size()) : 0;
  if (size <= 0) return 0;
  const std::string text(buffer.data(), static_cast<std::size_t>(size));
  const auto close = text.rfind(')');
  if (close == std::string::npos || close + 2 >= text.size()) return 0;
  const char state = text[close + 2];
  if (state == 'Z' || state == 'X') return 0;
  constexpr int kStateField = 3, kStartField = 22;
  std::size_t at = close + 2;
  for (int field = kStateField; field < kStartField; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) return 0;
    ++at;
  }
  return std::strtoull(text.c_str() + at, nullptr, 10);
}

}  // namespace

Result<DetachedProcess> start_detached(const std::vector<std::string>& argv, const std::string& log) {
  // Everything that allocates happens before fork().
  std::vector<std::string> copy = argv;
  std::vector<char*> words;
  for (auto& word : copy) words.push_back(word.data());
  words.push_back(nullptr);
  const pid_t pid = ::fork();
  if (pid < 0) return fail(os_error("starting", argv[0]));
  if (pid == 0) {
    ::setsid();
    const int null = ::open("/dev/null", O_RDONLY);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    if (null < 0 || out < 0 || ::dup2(null, 0) < 0 || ::dup2(out, 1) < 0 || ::dup2(out, 2) < 0) ::_exit(126);
    ::closefrom(3);
    struct sigaction plain{};
    plain.sa_handler = SIG_DFL;
    for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP}) ::sigaction(number, &plain, nullptr);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    ::execvp(words[0], words.data());
    ::_exit(127);
  }
  return DetachedProcess{pid, start_ticks(pid)};
}

bool is_alive(const DetachedProcess& process) {
  return process.pid > 1 && process.start_ticks != 0 && start_ticks(process.pid) == process.start_ticks;
}

bool wait_gone(const DetachedProcess& process, Duration patience) {
  const Instant end = system_clock().now() + patience;
  for (;;) {
    if (process.pid > 1) ::waitpid(process.pid, nullptr, WNOHANG);
    if (!is_alive(process)) return true;
    if (system_clock().now() >= end) return false;
    std::this_thread::sleep_for(kPoll);
  }
}

Result<> end_process(const DetachedProcess& process, int signal, Duration grace) {
  if (!is_alive(process)) return {};
  if (::kill(process.pid, signal) != 0 && errno != ESRCH)
    return fail(os_error("ending process", std::to_string(process.pid)));
  if (wait_gone(process, grace)) return {};
  ::kill(process.pid, SIGKILL);
  if (wait_gone(process, kAfterKill)) return {};
  return fail(ErrorCode::kTimeout, fmt::format("process {} does not end", process.pid));
}

}  // namespace bonus::runtime
