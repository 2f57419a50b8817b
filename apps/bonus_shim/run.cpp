// `bonus-shim run`: from mounting the file system to the exit file.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

#include "apps/bonus_shim/commands.hpp"
#include "apps/bonus_shim/log_writer.hpp"
#include "apps/bonus_shim/mounts.hpp"
#include "apps/bonus_shim/system.hpp"
#include "bonus/compute/vm/cgroup_usage.hpp"
#include "bonus/compute/vm/shim_protocol.hpp"

namespace bonus::shim {
namespace {

namespace names = compute::vm::shim;
constexpr int kRuntimeSeconds = 30;
constexpr long long kDrainMs = 1000;  // after the end of the process: what is still in the pipes

class Shim {
 public:
  Shim(std::string bundle, Settings settings)
      : bundle_(std::move(bundle)),
        settings_(std::move(settings)),
        log_(settings_.get("logs"), static_cast<std::size_t>(settings_.number("log_file_bytes")),
             static_cast<unsigned>(settings_.number("log_files"))) {}

  // Up to the running process. On failure nothing of the container is left in the kernel.
  Maybe<pid_t> start() {
    ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    if (auto done = mount_all(); !done) return std::unexpected(done.error());
    if (auto done = make_pipes(); !done) return std::unexpected(done.error());
    ::unlink(file(names::kRuntimeLog).c_str());
    const std::string pid_file = file(names::kInitPidFile);
    ::unlink(pid_file.c_str());
    // Create and start in one call of the runtime: a second one would cost as much as the container itself.
    auto started = runtime({"run", "--detach", "--bundle", bundle_, "--pid-file", pid_file, settings_.get("id")});
    init_ = static_cast<pid_t>(std::strtol(read_small(pid_file, 32).c_str(), nullptr, 10));
    if (started && init_ <= 1) started = std::unexpected(std::string("the runtime named no process"));
    if (!started) {
      remove();
      return std::unexpected(started.error());
    }
    ::close(out_[1]);
    ::close(err_[1]);
    return init_;
  }

  // Until the process has ended and its output is written.
  void supervise() {
    sigset_t child;
    sigemptyset(&child);
    sigaddset(&child, SIGCHLD);
    const int signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    std::optional<long long> drain_until;
    reap();  // it may have ended before the signalfd existed
    last_refill_ = monotonic_ms();
    while (true) {
      if (status_ && !drain_until) drain_until = monotonic_ms() + kDrainMs;
      if (drain_until && ((out_[0] < 0 && err_[0] < 0) || monotonic_ms() >= *drain_until)) break;
      refill();
      const bool may_read = tokens_ > 0;
      std::array<pollfd, 3> waits{pollfd{may_read ? out_[0] : -1, POLLIN, 0},
                                  pollfd{may_read ? err_[0] : -1, POLLIN, 0}, pollfd{signals, POLLIN, 0}};
      ::poll(waits.data(), waits.size(), drain_until || !may_read ? 50 : -1);
      signalfd_siginfo info{};
      while (::read(signals, &info, sizeof info) > 0) {
      }
      if (waits[0].revents != 0) pump(out_[0], false);
      if (waits[1].revents != 0) pump(err_[0], true);
      reap();
    }
    log_.finish();
    ::close(signals);
  }

  void finish() {
    const auto usage = compute::vm::read_cgroup(cgroups());
    remove();
    const int code = exit_code_of(status_.value_or(0));
    std::string text = "exit_code=" + std::to_string(code) + "\nfinished_ms=" + std::to_string(unix_ms()) +
                       "\noom_kills=" + std::to_string(usage.oom_kills) + "\ncpu_ns=" + std::to_string(usage.cpu_ns) +
                       "\nthrottled_ns=" + std::to_string(usage.throttled_ns) +
                       "\nmemory_peak_bytes=" + std::to_string(usage.memory_peak_bytes) + "\n";
    (void)write_atomically(file(names::kExitFile), text);
  }

 private:
  [[nodiscard]] std::string file(const char* name) const { return bundle_ + "/" + name; }

  compute::vm::CgroupPaths cgroups() const {
    return {static_cast<int>(settings_.number("cgroup_version")), settings_.get("cgroup_cpu"),
            settings_.get("cgroup_cpuacct"), settings_.get("cgroup_memory"), settings_.get("cgroup_pids")};
  }

  Maybe<> mount_all() const {
    if (auto done = enter_mount_namespace(bundle_ + "/root"); !done) return done;
    const std::string disk = file(names::kDiskFolder);
    if (const std::string image = settings_.get("disk_image"); !image.empty())
      if (auto done = mount_image(image, disk); !done) return done;
    return mount_overlay(settings_.all("lower"), bundle_, disk, file(names::kRootFolder));
  }

  Maybe<> make_pipes() {
    if (::pipe2(out_.data(), O_CLOEXEC) != 0 || ::pipe2(err_.data(), O_CLOEXEC) != 0) return failed("making pipes");
    ::fcntl(out_[0], F_SETFL, O_NONBLOCK);
    ::fcntl(err_[0], F_SETFL, O_NONBLOCK);
    null_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    return {};
  }

  std::vector<std::string> command(const std::vector<std::string>& arguments) const {
    std::vector<std::string> argv{
        settings_.get("runtime"), "--root", settings_.get("runtime_root"), "--log", file(names::kRuntimeLog),
        "--log-format",           "json"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return argv;
  }

  Maybe<> runtime(const std::vector<std::string>& arguments) const {
    const auto code = run_program(command(arguments), {null_, out_[1], err_[1]}, kRuntimeSeconds);
    if (!code) return std::unexpected(code.error());
    if (*code == 0) return {};
    return std::unexpected(arguments[0] + " failed with " + std::to_string(*code) + ": " +
                           read_small(file(names::kRuntimeLog), 2048, true));
  }

  void remove() const {
    const int sink = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)run_program(command({"delete", "--force", settings_.get("id")}), {sink, sink, sink}, kRuntimeSeconds);
    ::close(sink);
  }

  // As the subreaper we get every orphan of the container; only the first process counts.
  void reap() {
    int status = 0;
    pid_t pid = 0;
    while ((pid = ::waitpid(-1, &status, WNOHANG)) > 0)
      if (pid == init_) status_ = status;
    if (pid < 0 && errno == ECHILD && !status_) status_ = 255 << 8;  // cannot happen; do not wait for ever
  }

  // A container that floods its output is slowed down, not the machine: tokens are bytes.
  void refill() {
    const auto rate = static_cast<long long>(settings_.number("log_rate_bytes"));
    const long long now = monotonic_ms();
    tokens_ = std::min(rate * 4, tokens_ + rate * (now - last_refill_) / 1000);
    if (status_) tokens_ = rate * 4;  // what is left in two pipes is little
    last_refill_ = now;
  }

  void pump(int& fd, bool is_stderr) {
    std::array<char, 32768> buffer{};
    const ssize_t n = ::read(fd, buffer.data(), buffer.size());
    if (n > 0) {
      tokens_ -= n;
      log_.feed(is_stderr, {buffer.data(), static_cast<std::size_t>(n)});
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      ::close(fd);
      fd = -1;
    }
  }

  std::string bundle_;
  Settings settings_;
  LogWriter log_;
  std::array<int, 2> out_{-1, -1}, err_{-1, -1};
  int null_ = -1;
  pid_t init_ = -1;
  std::optional<int> status_;
  long long tokens_ = 1 << 20, last_refill_ = 0;
};

// The daemon: in a session of its own, without descriptors of bonusd, one per container.
[[noreturn]] void daemon(const std::string& bundle, int report) {
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  const auto tell = [&](const std::string& text) {
    (void)!::write(report, text.data(), text.size());
    ::close(report);
  };
  const int lock = ::open((bundle + "/" + names::kLockFile).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    tell("error: another shim runs this container\n");
    ::_exit(1);
  }
  const std::string self = std::to_string(::getpid());
  ::unlink((bundle + "/" + names::kExitFile).c_str());
  const std::string config = read_small(bundle + "/" + names::kConfigFile, 1 << 20);
  auto written =
      write_atomically(bundle + "/" + names::kPidFile, self + " " + std::to_string(start_time_of(::getpid())) + "\n");
  Shim shim(bundle, Settings(config));
  const auto init = written ? shim.start() : Maybe<pid_t>(std::unexpected(written.error()));
  if (!init) {
    tell("error: " + init.error() + "\n");
    ::_exit(1);
  }
  tell("ok " + std::to_string(*init) + " " + self + "\n");
  shim.supervise();
  shim.finish();
  ::_exit(0);
}

}  // namespace

int run_command(const std::string& bundle) {
  std::array<int, 2> report{};
  if (::pipe2(report.data(), O_CLOEXEC) != 0) return 1;
  const pid_t pid = ::fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    ::close(report[0]);
    ::setsid();
    if (::fork() == 0) daemon(bundle, report[1]);
    ::_exit(0);
  }
  ::close(report[1]);
  int status = 0;
  ::waitpid(pid, &status, 0);
  std::array<char, 4096> text{};
  std::size_t have = 0;
  while (have < text.size()) {
    const ssize_t n = ::read(report[0], text.data() + have, text.size() - have);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  const std::string_view answer(text.data(), have);
  if (answer.empty()) std::fputs("error: the shim ended without a word\n", stdout);
  std::fwrite(answer.data(), 1, answer.size(), stdout);
  return answer.starts_with("ok ") ? 0 : 1;
}

int probe_command(const std::string& folder) {
  // The folder holds `image`, a small ext4 image. Everything mounted here goes away with this process.
  bool loop = false, overlay = false;
  std::string why;
  if (auto entered = enter_mount_namespace(folder + "/root"); !entered) {
    why = entered.error();
  } else {
    const std::string disk = folder + "/disk", lower = folder + "/lower";
    ::mkdir(disk.c_str(), 0755);
    ::mkdir(lower.c_str(), 0755);
    if (auto done = mount_image(folder + "/image", disk); done)
      loop = true;
    else
      why = done.error();
    if (auto done = mount_overlay({lower}, folder, disk, folder + "/rootfs"); done)
      overlay = true;
    else
      why = done.error();
  }
  std::printf("loop=%d\noverlay=%d\nwhy=%s\n", loop ? 1 : 0, overlay ? 1 : 0, why.c_str());
  return 0;
}

}  // namespace bonus::shim
