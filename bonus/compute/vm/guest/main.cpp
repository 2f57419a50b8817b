// The program in the test images of compute/vm: behaves well or badly as its first argument says.
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

void say(const std::string& text) {
  std::printf("%s\n", text.c_str());
  std::fflush(stdout);
}

volatile sig_atomic_t terminated = 0;
volatile sig_atomic_t resized = 0;

// Touches memory until it is stopped.
int hog() {
  for (int mib = 1;; ++mib) {
    void* block = std::malloc(1 << 20);
    if (block == nullptr) return 9;
    std::memset(block, mib, 1 << 20);
    asm volatile("" : : "r"(block) : "memory");  // an optimiser may drop memory that nobody reads
    if (mib % 8 == 0) say("holding " + std::to_string(mib));
  }
}

// Forks as much as it may; says how far it came.
int fork_bomb() {
  int children = 0;
  while (children < 100'000) {
    const pid_t pid = ::fork();
    if (pid < 0) break;
    if (pid == 0) {
      ::pause();
      ::_exit(0);
    }
    ++children;
  }
  say("forked " + std::to_string(children) + " then " + std::strerror(errno));
  ::pause();
  return 0;
}

int serve(int port) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_ANY);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return 1;
  ::listen(listener, 16);
  say("serving");
  while (true) {
    const int peer = ::accept(listener, nullptr, nullptr);
    char buffer[4096];
    for (ssize_t n = 0; (n = ::read(peer, buffer, sizeof buffer)) > 0;) {
      const std::string reply = "echo:" + std::string(buffer, static_cast<std::size_t>(n));
      (void)!::write(peer, reply.data(), reply.size());
    }
    ::close(peer);
  }
}

void report(const char* what, bool worked) {
  say(std::string(what) + "=" + (worked ? "ALLOWED" : std::strerror(errno)));
}

// Everything that a container must not be able to do.
int attack() {
  report("mount", ::mount("none", "/tmp", "tmpfs", 0, "") == 0);
  report("unshare_user", ::unshare(CLONE_NEWUSER) == 0);
  report("unshare_net", ::unshare(CLONE_NEWNET) == 0);
  report("mknod", ::mknod("/tmp/disk", S_IFBLK | 0600, makedev(254, 0)) == 0);
  report("raw_socket", ::socket(AF_INET, SOCK_RAW, IPPROTO_ICMP) >= 0);
  report("packet_socket", ::socket(AF_PACKET, SOCK_RAW, 0) >= 0);
  report("sethostname", ::sethostname("x", 1) == 0);
  report("ptrace", ::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0);
  report("open_sysctl", ::open("/proc/sys/kernel/hostname", O_WRONLY) >= 0);
  char one = 0;
  const int kcore = ::open("/proc/kcore", O_RDONLY);
  errno = EPERM;
  report("kcore", kcore >= 0 && ::read(kcore, &one, 1) == 1);
  const int sock = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in outside{};
  outside.sin_family = AF_INET;
  outside.sin_port = htons(80);
  ::inet_pton(AF_INET, "192.0.2.1", &outside.sin_addr);
  report("connect_outside", ::connect(sock, reinterpret_cast<sockaddr*>(&outside), sizeof outside) == 0);
  std::string interfaces;
  struct if_nameindex* list = ::if_nameindex();
  for (auto* item = list; item != nullptr && item->if_index != 0; ++item)
    interfaces += (interfaces.empty() ? "" : ",") + std::string(item->if_name);
  say("interfaces=" + interfaces);
  FILE* status = std::fopen("/proc/self/status", "r");
  for (char line[256]; status != nullptr && std::fgets(line, sizeof line, status) != nullptr;)
    for (const char* key : {"CapEff", "CapBnd", "NoNewPrivs", "Seccomp:"})
      if (std::strncmp(line, key, std::strlen(key)) == 0) std::printf("%s", line);
  say("pid=" + std::to_string(::getpid()));
  return 0;
}

int terminal() {
  const auto show = [] {
    winsize size{};
    ::ioctl(0, TIOCGWINSZ, &size);
    say("tty=" + std::to_string(::isatty(0)) + " size=" + std::to_string(size.ws_col) + "x" +
        std::to_string(size.ws_row));
  };
  // The signal comes only while it is waited for: one that came between a look and a read would be lost.
  sigset_t change, none;
  sigemptyset(&change);
  sigaddset(&change, SIGWINCH);
  sigemptyset(&none);
  ::sigprocmask(SIG_BLOCK, &change, nullptr);
  struct sigaction action{};
  action.sa_handler = [](int) { resized = 1; };
  ::sigaction(SIGWINCH, &action, nullptr);
  show();
  char line[256];
  while (true) {
    pollfd input{0, POLLIN, 0};
    ::ppoll(&input, 1, nullptr, &none);
    if (resized != 0) {
      resized = 0;
      show();
    }
    if (input.revents == 0) continue;
    const ssize_t n = ::read(0, line, sizeof line);
    if (n <= 0) return 3;
    if (std::strncmp(line, "quit", 4) == 0) return 5;
    say("read " + std::string(line, static_cast<std::size_t>(n)));
  }
}

int copy_input() {
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(0, buffer, sizeof buffer)) > 0;)
    (void)!::write(1, buffer, static_cast<std::size_t>(n));
  std::fprintf(stderr, "end of input\n");
  return 4;
}

int write_file(const char* path, int mib) {
  const int fd = ::open(path, O_WRONLY | O_CREAT, 0600);
  if (fd < 0) {
    say(std::string("open: ") + std::strerror(errno));
    return 1;
  }
  const std::vector<char> block(1 << 20, 'x');
  int done = 0;
  for (; done < mib; ++done)
    if (::write(fd, block.data(), block.size()) != static_cast<ssize_t>(block.size())) break;
  say("wrote " + std::to_string(done) + (done < mib ? std::string(" ") + std::strerror(errno) : ""));
  return done == mib ? 0 : 8;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  const auto number = [&](int i) { return argc > i ? std::atoi(argv[i]) : 0; };
  if (command == "exit") {
    say("out line");
    std::fprintf(stderr, "err line\n");
    return number(2);
  }
  if (command == "wait") {
    say("waiting");
    ::pause();
    return 0;
  }
  if (command == "polite") {
    struct sigaction action{};
    action.sa_handler = [](int) { terminated = 1; };
    ::sigaction(SIGTERM, &action, nullptr);
    say("waiting");
    while (terminated == 0) ::usleep(10'000);
    say("goodbye");
    return 7;
  }
  if (command == "who") {
    char directory[4096] = "";
    (void)!::getcwd(directory, sizeof directory);
    say("uid=" + std::to_string(::getuid()) + " gid=" + std::to_string(::getgid()) + " cwd=" + directory);
    for (char** entry = environ; *entry != nullptr; ++entry) say(std::string("env ") + *entry);
    for (int i = 2; i < argc; ++i) {
      struct stat info{};
      say(std::string(argv[i]) + (::lstat(argv[i], &info) == 0 ? " exists" : " absent"));
    }
    return 0;
  }
  if (command == "spin")
    for (volatile unsigned long i = 0;;) i = i + 1;
  if (command == "flood") {
    for (int i = 0; i < number(2); ++i) std::printf("line %d of a log that is long enough to be rotated some day\n", i);
    return 0;
  }
  if (command == "count") {
    // One more byte in a file of the writable layer at each run.
    FILE* file = std::fopen("/count", "a");
    std::fputc('x', file);
    say("run " + std::to_string(std::ftell(file)));
    std::fclose(file);
    return number(2);
  }
  if (command == "hog") return hog();
  if (command == "forkbomb") return fork_bomb();
  if (command == "serve") return serve(number(2));
  if (command == "attack") return attack();
  if (command == "terminal") return terminal();
  if (command == "cat") return copy_input();
  if (command == "write") return write_file(argv[2], number(3));
  std::fprintf(stderr, "unknown command\n");
  return 99;
}
