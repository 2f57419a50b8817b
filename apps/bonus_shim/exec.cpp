// `bonus-shim exec`: one more process in a running container. bonusd holds the other end of descriptor 3; when it
// closes (bonusd is gone, or wants it) the process is killed.
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "apps/bonus_shim/commands.hpp"
#include "apps/bonus_shim/system.hpp"
#include "bonus/compute/vm/shim_protocol.hpp"

namespace bonus::shim {
namespace {

namespace names = compute::vm::shim;
constexpr int kControl = 3;
constexpr int kRuntimeSeconds = 30;
constexpr const char* kConsoleSocket = "console.sock";  // relative: a socket's path is limited to 107 bytes

void say(char kind, const std::string& text) {
  const std::string packet = kind + text;
  (void)!::send(kControl, packet.data(), packet.size(), MSG_NOSIGNAL);
}

int listen_for_console() {
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strcpy(address.sun_path, kConsoleSocket);
  ::unlink(kConsoleSocket);
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 || ::listen(fd, 1) != 0)
    return -1;
  return fd;
}

// One byte and one descriptor; -1 when there is none.
int receive_descriptor(int socket) {
  std::array<char, 256> data{};
  iovec io{data.data(), data.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  if (::recvmsg(socket, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd = -1;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

void send_terminal(int terminal) {
  char kind = names::kExecTerminal;
  iovec io{&kind, 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &io;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  cmsghdr* header = CMSG_FIRSTHDR(&message);
  header->cmsg_level = SOL_SOCKET;
  header->cmsg_type = SCM_RIGHTS;
  header->cmsg_len = CMSG_LEN(sizeof terminal);
  std::memcpy(CMSG_DATA(header), &terminal, sizeof terminal);
  (void)!::sendmsg(kControl, &message, MSG_NOSIGNAL);
}

// The process is our child now (subreaper). Reports its end; kills it when bonusd closes the control socket.
void wait_for_end(pid_t pid) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  const int signals = ::signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
  bool listening = true;
  while (true) {
    int status = 0;
    const pid_t done = ::waitpid(pid, &status, WNOHANG);
    if (done == pid) return say(names::kExecExited, std::to_string(exit_code_of(status)));
    if (done < 0 && errno == ECHILD) return say(names::kExecFailed, "the process was lost");
    std::array<pollfd, 2> waits{pollfd{signals, POLLIN, 0}, pollfd{listening ? kControl : -1, POLLIN, 0}};
    ::poll(waits.data(), waits.size(), -1);
    signalfd_siginfo info{};
    while (::read(signals, &info, sizeof info) > 0) {
    }
    if (waits[1].revents != 0) {
      ::kill(pid, SIGKILL);  // our unreaped child: the pid is still its own
      listening = false;
    }
  }
}

[[noreturn]] void session(const std::vector<std::string>& arguments) {
  const std::string &runtime = arguments[0], &root = arguments[1], &id = arguments[2], &folder = arguments[3];
  const bool terminal = arguments[4] == "tty";
  ::prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
  ::fcntl(kControl, F_SETFD, FD_CLOEXEC);
  const auto give_up = [](const std::string& text) {
    say(names::kExecFailed, text);
    ::_exit(1);
  };
  if (::chdir(folder.c_str()) != 0) give_up("entering " + folder);
  std::vector<std::string> argv{runtime, "--root",   root,        "--log",        "exec.log",   "--log-format", "json",
                                "exec",  "--detach", "--process", "process.json", "--pid-file", "exec.pid"};
  const int listener = terminal ? listen_for_console() : -1;
  if (terminal) {
    if (listener < 0) give_up("no console socket could be made");
    argv.insert(argv.end(), {"--console-socket", kConsoleSocket});
  }
  argv.push_back(id);
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  const auto code = run_program(argv, terminal ? Stdio{null, null, null} : Stdio{0, 1, 2}, kRuntimeSeconds);
  // Only the process may hold the pipes now, else their readers would never see the end.
  for (const int fd : {0, 1, 2}) ::dup2(null, fd);
  if (!code) give_up(code.error());
  if (*code != 0) give_up(read_small("exec.log", 2048, true));
  if (terminal) {
    // runc has connected and sent the descriptor before it exits.
    const int connection = ::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    const int master = connection < 0 ? -1 : receive_descriptor(connection);
    if (master < 0) give_up("the runtime sent no terminal");
    send_terminal(master);
    ::close(master);
    ::close(connection);
    ::close(listener);
  }
  const auto pid = static_cast<pid_t>(std::strtol(read_small("exec.pid", 32).c_str(), nullptr, 10));
  if (pid <= 1) give_up("the runtime named no process");
  say(names::kExecStarted, "");
  wait_for_end(pid);
  ::_exit(0);
}

}  // namespace

int exec_command(const std::vector<std::string>& arguments) {
  const pid_t pid = ::fork();
  if (pid < 0) return 1;
  if (pid == 0) {
    ::setsid();
    session(arguments);
  }
  return 0;
}

}  // namespace bonus::shim
