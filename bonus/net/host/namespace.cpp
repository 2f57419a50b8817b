// Entering and leaving network namespaces; network_namespaces(7), user_namespaces(7), setns(2), unshare(2).
#include "bonus/net/host/namespace.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

namespace bonus::net::host {
namespace {

constexpr std::string_view kAdvice =
    "run bonusd as root, or allow unprivileged user namespaces (sysctl kernel.unprivileged_userns_clone=1, "
    "user.max_user_namespaces above 0, kernel.apparmor_restrict_unprivileged_userns=0), or configure this node as a "
    "client only";

Result<> write_file(const char* path, const std::string& text) {
  const Fd file(::open(path, O_WRONLY | O_CLOEXEC));
  if (!file) return fail(os_error("opening", path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(os_error("writing", path));
  return {};
}

Result<> loopback_up() {
  const Fd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return fail(os_error("opening a socket", "for the loopback"));
  ifreq request{};
  std::strncpy(request.ifr_name, "lo", IFNAMSIZ - 1);
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) != 0) return fail(os_error("reading the flags of", "lo"));
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  if (::ioctl(socket.get(), SIOCSIFFLAGS, &request) != 0) return fail(os_error("taking up", "lo"));
  return {};
}

// Whether a TUN device can be made in the namespace that we are in. It goes away with the descriptor.
Result<> try_tun() {
  const Fd device(::open("/dev/net/tun", O_RDWR | O_CLOEXEC));
  if (!device)
    return fail(os_error("opening", "/dev/net/tun (load the module 'tun', or give the container the device)"));
  ifreq request{};
  request.ifr_flags = IFF_TUN | IFF_NO_PI;
  if (::ioctl(device.get(), TUNSETIFF, &request) != 0) return fail(os_error("making a TUN device", ""));
  return {};
}

Result<> enter_user_namespace() {
  const auto uid = ::geteuid();
  const auto gid = ::getegid();
  // A process that changed its user or has file capabilities does not own its /proc files otherwise.
  if (::prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) != 0) return fail(os_error("preparing", "the user namespace"));
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) return fail(os_error("making a user namespace", ""));
  // Ids stay what they are: files keep their owner, and nobody takes this process for root.
  if (auto denied = write_file("/proc/self/setgroups", "deny"); !denied && denied.error().code != ErrorCode::kNotFound)
    return denied;
  TRY(write_file("/proc/self/uid_map", fmt::format("{} {} 1", uid, uid)));
  TRY(write_file("/proc/self/gid_map", fmt::format("{} {} 1", gid, gid)));
  return {};
}

Result<> enter_as(Isolation isolation) {
  if (isolation == Isolation::kPrivileged) {
    if (::unshare(CLONE_NEWNET) != 0) return fail(os_error("making a network namespace", ""));
  } else {
    TRY(enter_user_namespace());
  }
  return loopback_up();
}

// Tried in a child, because a process that has entered a user namespace without rights in it cannot go back.
Result<> try_in_child(Isolation isolation) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return fail(os_error("making a pipe", ""));
  Fd reading(ends[0]);
  Fd writing(ends[1]);
  const pid_t child = ::fork();
  if (child < 0) return fail(os_error("starting a process", ""));
  if (child == 0) {
    auto entered = enter_as(isolation);
    if (entered) entered = try_tun();
    std::string text = "+";
    if (!entered)
      text =
          fmt::format("{}{}", static_cast<char>('A' + static_cast<int>(entered.error().code)), entered.error().message);
    const auto written = ::write(writing.get(), text.data(), text.size());
    ::_exit(written == static_cast<ssize_t>(text.size()) ? 0 : 1);
  }
  writing.reset();
  std::string text(1024, '\0');
  ssize_t n = 0;
  do n = ::read(reading.get(), text.data(), text.size());
  while (n < 0 && errno == EINTR);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (n <= 0) return fail(ErrorCode::kInternal, "the process that tried namespaces ended without an answer");
  text.resize(static_cast<std::size_t>(n));
  if (text == "+") return {};
  return fail(static_cast<ErrorCode>(text[0] - 'A'), text.substr(1));
}

std::size_t thread_count() {
  std::size_t count = 0;
  std::error_code error;
  for (auto it = std::filesystem::directory_iterator("/proc/self/task", error);
       !error && it != std::filesystem::directory_iterator(); it.increment(error))
    ++count;
  return count;
}

}  // namespace

std::string_view to_string(Isolation isolation) {
  return isolation == Isolation::kPrivileged ? "privileged" : "user namespace";
}

Result<Fd> current_namespace() {
  Fd out(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
  if (!out) return fail(os_error("opening", "the own network namespace"));
  return out;
}

Result<Fd> open_namespace(std::string_view name_or_path) {
  if (name_or_path.empty() || name_or_path.find('\0') != std::string_view::npos)
    return fail(ErrorCode::kInvalid, "the name of a network namespace is empty or malformed");
  const bool path = name_or_path.find('/') != std::string_view::npos;
  const std::string file = path ? std::string(name_or_path) : fmt::format("/run/netns/{}", name_or_path);
  Fd out(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!out) return fail(os_error("opening the network namespace", file));
  return out;
}

Result<Fd> namespace_of(int pid) { return open_namespace(fmt::format("/proc/{}/ns/net", pid)); }

Result<> enter_namespace(std::string_view name_or_path) {
  TRY_ASSIGN(const Fd file, open_namespace(name_or_path));
  if (::setns(file.get(), CLONE_NEWNET) != 0) return fail(os_error("entering the network namespace", name_or_path));
  return {};
}

Result<Isolation> probe_own_namespace(const OwnNamespaceOptions& options) {
  const auto privileged = try_in_child(Isolation::kPrivileged);
  if (privileged) return Isolation::kPrivileged;
  std::string reason = fmt::format("privileged: {}", privileged.error().message);
  if (options.allow_user_namespace) {
    const auto unprivileged = try_in_child(Isolation::kUserNamespace);
    if (unprivileged) return Isolation::kUserNamespace;
    reason += fmt::format("; with a user namespace: {}", unprivileged.error().message);
  }
  return fail(ErrorCode::kUnsupported, fmt::format("this node cannot have a network namespace with a TUN device of its "
                                                   "own ({}): {}",
                                                   reason, kAdvice));
}

Result<Isolation> enter_own_namespace(const OwnNamespaceOptions& options) {
  if (thread_count() != 1)
    return fail(ErrorCode::kConflict, "the process has threads already, which would stay in the former namespace");
  TRY_ASSIGN(const Isolation isolation, probe_own_namespace(options));
  TRY(enter_as(isolation));
  return isolation;
}

Result<> in_namespace(int namespace_fd, const std::function<Result<>()>& work) {
  Result<> out;
  std::thread inside([&] {
    if (::setns(namespace_fd, CLONE_NEWNET) != 0)
      out = fail(os_error("entering a network namespace", ""));
    else
      out = work();
  });
  inside.join();
  return out;
}

}  // namespace bonus::net::host
