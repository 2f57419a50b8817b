// run_process: posix_spawn(3) in an own process group, bounded output, SIGKILL to the group on timeout.
#include "bonus/runtime/process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "bonus/base/os.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/offload.hpp"

extern char** environ;  // NOLINT: POSIX names it so

namespace bonus::runtime {
namespace {

// A descriptor above 2, so that the dup2() calls of the child never overwrite one another.
Result<Fd> above_stdio(Fd fd) {
  if (fd.get() > 2) return fd;
  Fd moved(::fcntl(fd.get(), F_DUPFD_CLOEXEC, 3));
  if (moved.get() < 0) return fail(os_error("duplicating a descriptor"));
  return moved;
}

struct Pipe {
  Fd read, write;
};
Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(os_error("making a pipe"));
  Fd read(ends[0]), write(ends[1]);
  Pipe out;
  out.read = TRY(above_stdio(std::move(read)));
  out.write = TRY(above_stdio(std::move(write)));
  ::fcntl(out.read.get(), F_SETFL, O_NONBLOCK);
  return out;
}

// Standard input as a file in memory: the child can take its time, and a child that never reads costs no SIGPIPE.
Result<Fd> make_input(BytesView input) {
  if (input.empty()) return above_stdio(Fd(::open("/dev/null", O_RDONLY | O_CLOEXEC)));
  Fd file(::memfd_create("bonus-stdin", MFD_CLOEXEC));
  if (file.get() < 0) return fail(os_error("making the standard input"));
  for (std::size_t at = 0; at < input.size();) {
    const ssize_t n = ::write(file.get(), input.data() + at, input.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(os_error("filling the standard input"));
    at += static_cast<std::size_t>(n);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return fail(os_error("rewinding the standard input"));
  return above_stdio(std::move(file));
}

struct SpawnSettings {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;
};

std::vector<std::string> environment_with(const std::map<std::string, std::string>& extra) {
  std::vector<std::string> out;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!extra.contains(std::string(text.substr(0, text.find('='))))) out.emplace_back(text);
  }
  for (const auto& [key, value] : extra) out.push_back(key + "=" + value);
  return out;
}

Result<pid_t> spawn(const ProcessOptions& options, int in, int out, int err) {
  SpawnSettings settings;
  auto* files = &settings.files;
  if (!options.working_directory.empty())
    posix_spawn_file_actions_addchdir_np(files, options.working_directory.c_str());
  posix_spawn_file_actions_adddup2(files, in, 0);
  posix_spawn_file_actions_adddup2(files, out, 1);
  posix_spawn_file_actions_adddup2(files, err, 2);
  posix_spawn_file_actions_addclosefrom_np(files, 3);  // sockets of libraries are not all close-on-exec
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&settings.attributes, &none);
  posix_spawnattr_setsigdefault(&settings.attributes, &all);
  posix_spawnattr_setpgroup(&settings.attributes, 0);
  posix_spawnattr_setflags(&settings.attributes,
                           POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);

  std::vector<std::string> environment = environment_with(options.extra_env);
  std::vector<std::string> arguments = options.argv;
  std::vector<char*> argv, envp;
  for (auto& text : arguments) argv.push_back(text.data());
  for (auto& text : environment) envp.push_back(text.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  pid_t pid = -1;
  const int code = posix_spawnp(&pid, argv[0], files, &settings.attributes, argv.data(), envp.data());
  if (code == ENOENT || code == ENOTDIR)
    return fail(ErrorCode::kNotFound, fmt::format("{}: no such program or working directory", options.argv[0]));
  if (code != 0) return fail(ErrorCode::kIo, fmt::format("starting {}: {}", options.argv[0], std::strerror(code)));
  return pid;
}

// Reads what is there, at most 1 MiB so that a child that never stops writing meets its deadline. False at the end of
// the pipe.
bool drain(int fd, std::string& into, std::size_t limit) {
  std::array<char, 16384> buffer{};
  for (int round = 0; round < 64; ++round) {
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) {
      into.append(buffer.data(), std::min(static_cast<std::size_t>(n), limit - std::min(limit, into.size())));
      continue;
    }
    if (n < 0 && errno == EINTR) continue;
    return n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
  }
  return true;
}

int wait_for(pid_t pid) {
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

Result<ProcessResult> run_process(const ProcessOptions& options) {
  if (options.argv.empty() || options.argv[0].empty())
    return fail(ErrorCode::kInvalid, "a process needs a program name");
  TRY_ASSIGN(auto input, make_input(options.input));
  TRY_ASSIGN(auto out, make_pipe());
  TRY_ASSIGN(auto err, make_pipe());
  TRY_ASSIGN(const pid_t pid, spawn(options, input.get(), out.write.get(), err.write.get()));
  out.write.reset();
  err.write.reset();
  input.reset();

  // The pid cannot be reused before our waitpid. Without pidfd_open (Linux < 5.3, some sandboxes) the poll below ticks
  // instead.
  const Fd exited(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  const Instant deadline = system_clock().now() + options.timeout;
  ProcessResult result;
  bool out_open = true, err_open = true, timed_out = false;
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - system_clock().now()).count();
    if (left <= 0) {
      timed_out = true;
      break;
    }
    std::array<pollfd, 3> waits{pollfd{out_open ? out.read.get() : -1, POLLIN, 0},
                                pollfd{err_open ? err.read.get() : -1, POLLIN, 0}, pollfd{exited.get(), POLLIN, 0}};
    const auto longest = exited.get() >= 0 ? left : std::min<decltype(left)>(left, 10);
    ::poll(waits.data(), waits.size(), static_cast<int>(std::min<decltype(left)>(longest, 60'000)));
    if (out_open) out_open = drain(out.read.get(), result.out, options.output_limit_bytes);
    if (err_open) err_open = drain(err.read.get(), result.err, options.output_limit_bytes);
    siginfo_t info{};
    if (::waitid(P_PID, static_cast<id_t>(pid), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid) break;
  }
  if (timed_out) ::kill(-pid, SIGKILL);
  result.exit_code = wait_for(pid);
  // What the child had written before its end; a grandchild that keeps the pipe open is not waited for.
  if (out_open) (void)drain(out.read.get(), result.out, options.output_limit_bytes);
  if (err_open) (void)drain(err.read.get(), result.err, options.output_limit_bytes);
  if (timed_out)
    return fail(ErrorCode::kTimeout,
                fmt::format("{} did not end within {} ms and was killed", options.argv[0],
                            std::chrono::duration_cast<std::chrono::milliseconds>(options.timeout).count()));
  return result;
}

Task<Result<ProcessResult>> run_process_async(BlockingPool& pool, ProcessOptions options) {
  std::function<Result<ProcessResult>()> work = [options = std::move(options)] { return run_process(options); };
  auto pending = offload<ProcessResult>(pool, std::move(work));
  co_return co_await std::move(pending);
}

}  // namespace bonus::runtime
