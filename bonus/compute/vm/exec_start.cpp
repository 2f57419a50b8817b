// Starting an exec: pipes or terminal, the helper, its first packets.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <termios.h>

#include <array>
#include <csignal>
#include <filesystem>
#include <optional>
#include <system_error>

#include "bonus/compute/vm/exec_session.hpp"
#include "bonus/compute/vm/shim_protocol.hpp"
#include "bonus/runtime/disk.hpp"

extern char** environ;  // NOLINT: POSIX names it so

namespace bonus::compute::vm {
namespace {

constexpr int kStartSeconds = 40;

struct Pair {
  Fd ours, theirs;
};

// `theirs` stands above the descriptors that it will be copied to.
Result<Pair> raise(Fd ours, Fd theirs) {
  Fd raised(::fcntl(theirs.get(), F_DUPFD_CLOEXEC, 10));
  if (!raised) return fail(os_error("duplicating a descriptor"));
  return Pair{std::move(ours), std::move(raised)};
}
Result<Pair> make_pipe(bool we_read) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return fail(os_error("making a pipe"));
  Fd read(ends[0]), write(ends[1]);
  Fd& ours = we_read ? read : write;
  if (::fcntl(ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail(os_error("making a pipe"));
  return we_read ? raise(std::move(read), std::move(write)) : raise(std::move(write), std::move(read));
}

Result<> spawn_helper(const std::vector<std::string>& argv, const std::array<int, 4>& descriptors) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  for (int i = 0; i < 4; ++i) posix_spawn_file_actions_adddup2(&files, descriptors[static_cast<std::size_t>(i)], i);
  posix_spawn_file_actions_addclosefrom_np(&files, 4);
  sigset_t none, all;
  sigemptyset(&none);
  sigfillset(&all);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &all);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::vector<char*> arguments;
  for (const auto& text : argv) arguments.push_back(const_cast<char*>(text.c_str()));
  arguments.push_back(nullptr);
  pid_t pid = -1;
  const int code = posix_spawn(&pid, arguments[0], &files, &attributes, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  if (code != 0) return fail(ErrorCode::kIo, fmt::format("starting {}: {}", argv[0], std::strerror(code)));
  // It forks and ends at once: the helper itself is nobody's zombie.
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  if (status != 0) return fail(ErrorCode::kIo, "the exec helper could not start");
  return {};
}

struct Packet {
  char kind = 0;
  std::string text;
  Fd descriptor;
};
Result<Packet> receive(const Fd& control) {
  std::array<char, 4096> data{};
  iovec io{data.data(), data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> space{};
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  message.msg_control = space.data();
  message.msg_controllen = space.size();
  ssize_t n = 0;
  do n = ::recvmsg(control.get(), &message, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
    return fail(ErrorCode::kTimeout, "exec did not start in time");
  if (n <= 0) return fail(ErrorCode::kIo, "the exec helper ended without a word");
  Packet out{data[0], std::string(data.data() + 1, static_cast<std::size_t>(n - 1)), Fd()};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
    int fd = -1;
    std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
    out.descriptor = Fd(fd);
  }
  return out;
}

Result<ExecProcess> start_in(const Launcher& launcher, const std::string& id, const std::string& folder,
                             const ExecRequest& request) {
  auto& disk = runtime::system_disk();
  TRY_ASSIGN(const Bytes spec, disk.read_file(launcher.folder_of(id) + "/config.json", 4 << 20));
  TRY_ASSIGN(const std::string process, make_exec_process(std::string(as_text(spec)), request));
  TRY(disk.write_file(folder + "/process.json", as_bytes(process), 0600));

  std::array<int, 2> sockets{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets.data()) != 0)
    return fail(os_error("making a socket"));
  Fd first(sockets[0]), second(sockets[1]);
  TRY_ASSIGN(Pair control, raise(std::move(first), std::move(second)));
  const timeval patience{kStartSeconds, 0};
  ::setsockopt(control.ours.get(), SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  ExecProcess out;
  Pair in, stdout_pair, stderr_pair;
  std::array<int, 4> descriptors{-1, -1, -1, control.theirs.get()};
  const Fd null(::fcntl(Fd(::open("/dev/null", O_RDWR | O_CLOEXEC)).get(), F_DUPFD_CLOEXEC, 10));
  if (request.tty) {
    descriptors[0] = descriptors[1] = descriptors[2] = null.get();
  } else {
    in = TRY(make_pipe(false));
    stdout_pair = TRY(make_pipe(true));
    stderr_pair = TRY(make_pipe(true));
    descriptors = {in.theirs.get(), stdout_pair.theirs.get(), stderr_pair.theirs.get(), control.theirs.get()};
  }
  TRY(spawn_helper({launcher.shim_path(), "exec", launcher.runtime_path(), launcher.runtime_root(),
                    launcher.runtime_id(id), folder, request.tty ? "tty" : "pipes"},
                   descriptors));
  control.theirs.reset();
  while (true) {
    TRY_ASSIGN(Packet packet, receive(control.ours));
    if (packet.kind == shim::kExecFailed)
      return fail(ErrorCode::kInvalid, "exec: " + readable_runtime_error(std::move(packet.text)));
    if (packet.kind == shim::kExecTerminal) out.terminal = std::move(packet.descriptor);
    if (packet.kind == shim::kExecStarted) break;
  }
  if (request.tty) {
    const winsize size{request.rows, request.columns, 0, 0};
    if (!out.terminal || ::ioctl(out.terminal.get(), TIOCSWINSZ, &size) != 0)
      return fail(os_error("sizing the terminal"));
    if (::fcntl(out.terminal.get(), F_SETFL, O_NONBLOCK) != 0) return fail(os_error("preparing the terminal"));
  }
  if (::fcntl(control.ours.get(), F_SETFL, O_NONBLOCK) != 0) return fail(os_error("preparing the control socket"));
  out.control = std::move(control.ours);
  out.in = std::move(in.ours);
  out.out = std::move(stdout_pair.ours);
  out.err = std::move(stderr_pair.ours);
  return out;
}

}  // namespace

Result<ExecProcess> start_exec(const Launcher& launcher, const std::string& id, const std::string& folder,
                               const ExecRequest& request) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("making {}: {}", folder, error.message()));
  auto out = start_in(launcher, id, folder, request);
  std::filesystem::remove_all(folder, error);
  return out;
}

}  // namespace bonus::compute::vm
