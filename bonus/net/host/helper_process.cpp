// The process that stays outside: one dispatcher, one short-lived child per request, so that a slow resolver or a hung
// call holds up nobody and needs no threads.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/capability.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>

#include <cerrno>
#include <csignal>
#include <map>
#include <set>

#include "bonus/net/host/helper.hpp"
#include "bonus/net/host/helper_sockets.hpp"
#include "bonus/net/host/helper_wire.hpp"

namespace bonus::net::host {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kSocket = 3;
constexpr int kAnswered = 0;
constexpr int kDropsWhenDead = 50;  // times 100 ms: patience with a helper that cleans up

// capset(2) with no more than `wanted` (a set of one or none).
bool keep_capability(int wanted) {
  __user_cap_header_struct header{.version = _LINUX_CAPABILITY_VERSION_3, .pid = 0};
  __user_cap_data_struct data[2] = {};
  if (wanted >= 0) data[0].permitted = data[0].effective = 1u << wanted;
  return ::syscall(SYS_capset, &header, data) == 0;
}

// Nothing that this process does needs to be root, but for CAP_NET_ADMIN in the exit role. As nobody it owns no file.
bool drop_rights(bool may_exit) {
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  if (::geteuid() == 0) {
    if (::prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) != 0) return false;
    // In a user namespace or container that does not map nobody, root without rights has to do.
    const bool changed = ::syscall(SYS_setgroups, 0, nullptr) == 0 && ::setresgid(kNobody, kNobody, kNobody) == 0 &&
                         ::setresuid(kNobody, kNobody, kNobody) == 0;
    if (!changed && errno != EINVAL && errno != EPERM) return false;
  }
  const bool kept = keep_capability(may_exit ? CAP_NET_ADMIN : -1);
  // Nobody else's process may look into this one.
  return kept && ::prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0;
}

wire::Reply refusal(std::uint64_t id, const Error& error) {
  wire::Reply out;
  out.id = id;
  out.code = error.code;
  out.message = error.message;
  return out;
}

void answer(const wire::Reply& reply, int descriptor = -1) {
  (void)wire::send_record(kSocket, wire::encode(reply), descriptor, 0);
}

class Dispatcher {
 public:
  Dispatcher(const HelperOptions& options, pid_t parent, int signals)
      : options_(options), parent_(parent), signals_(signals) {}

  void run() {
    while (::getppid() == parent_) {
      pollfd waiting[2] = {{.fd = kSocket, .events = POLLIN, .revents = 0},
                           {.fd = signals_, .events = POLLIN, .revents = 0}};
      if (::poll(waiting, 2, -1) < 0 && errno != EINTR) break;
      if ((waiting[1].revents & POLLIN) != 0) {
        signalfd_siginfo ignored{};
        (void)!::read(signals_, &ignored, sizeof(ignored));
        reap();
      }
      if (waiting[0].revents == 0) continue;
      auto received = wire::receive_record(kSocket);
      if (!received) continue;
      if (received->record.empty()) break;  // bonusd has ended
      take(*received);
    }
    for (const auto& [pid, id] : live_) ::kill(pid, SIGKILL);
    for (const auto& id : exits_) (void)remove_exit_outside(id);
  }

 private:
  void take(wire::Received& received) {
    const auto request = wire::decode_request(received.record);
    if (!request) return;  // no id that could be answered
    if (auto allowed = check(*request); !allowed) return answer(refusal(request->id, allowed.error()));
    // Asked every second, and only the kernel answers: not worth a process.
    if (request->kind == wire::Kind::kAddresses) return respond(*request, serve_sockets(options_.allow, *request));
    if (live_.size() >= options_.concurrent)
      return answer(refusal(request->id, Error{ErrorCode::kExhausted, "the helper is busy; try again"}));
    if (request->kind == wire::Kind::kExitUp && exits_.size() < 16) exits_.insert(request->host);
    const pid_t child = ::fork();
    if (child < 0) return answer(refusal(request->id, os_error("starting a process", "")));
    if (child == 0) serve(*request, received.descriptor.get());
    live_[child] = request->id;
  }

  Result<> check(const wire::Request& request) const {
    switch (request.kind) {
      case wire::Kind::kExitUp:
      case wire::Kind::kExitDown: {
        if (!options_.may_exit) return fail(ErrorCode::kDenied, "this node was not started with the exit role");
        TRY(exit_table(request.host));
        return {};
      }
      case wire::Kind::kCall:
        if (!options_.calls.contains(request.host))
          return fail(ErrorCode::kNotFound, fmt::format("the helper knows no call '{}'", request.host));
        return {};
      default:
        return check_allowed(options_.allow, request);
    }
  }

  // In the child.
  [[noreturn]] void serve(const wire::Request& request, int descriptor) {
    // SIGALRM kills: the dispatcher then answers that the time is over.
    const itimerval timer{.it_interval = {},
                          .it_value = {.tv_sec = static_cast<time_t>(request.timeout_ms / 1000),
                                       .tv_usec = static_cast<suseconds_t>(request.timeout_ms % 1000) * 1000}};
    sigset_t none;
    ::sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
    const bool needs_rights = request.kind == wire::Kind::kExitUp || request.kind == wire::Kind::kExitDown;
    if (::setitimer(ITIMER_REAL, &timer, nullptr) != 0 || (!needs_rights && !keep_capability(-1))) ::_exit(1);
    (void)::prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    respond(request, work(request, descriptor));
    ::_exit(kAnswered);
  }

  void respond(const wire::Request& request, Result<Served> served) {
    wire::Reply reply;
    reply.id = request.id;
    if (served && served->payload.size() > wire::kPayloadLimit)
      served = fail(ErrorCode::kExhausted, "the helper's reply is too large");
    int out = -1;
    if (served) {
      reply.ok = true;
      reply.payload = std::move(served->payload);
      out = served->descriptor.get();
    } else {
      reply = refusal(request.id, served.error());
    }
    answer(reply, out);
  }

  Result<Served> work(const wire::Request& request, int descriptor) {
    Served out;
    switch (request.kind) {
      case wire::Kind::kCall: {
        TRY_ASSIGN(out.payload, options_.calls.at(request.host)(request.payload));
        return out;
      }
      case wire::Kind::kExitUp: {
        TRY_ASSIGN(const ExitOptions options, wire::decode_exit_options(request.payload));
        if (descriptor < 0 || options.id != request.host)
          return fail(ErrorCode::kInvalid, "the request for an exit is malformed");
        TRY_ASSIGN(const ExitLink link, make_exit_outside(options, descriptor));
        out.payload = wire::encode(link);
        return out;
      }
      case wire::Kind::kExitDown:
        TRY(remove_exit_outside(request.host));
        return out;
      default:
        return serve_sockets(options_.allow, request);
    }
  }

  void reap() {
    int status = 0;
    for (pid_t pid = 0; (pid = ::waitpid(-1, &status, WNOHANG)) > 0;) {
      const auto found = live_.find(pid);
      if (found == live_.end()) continue;
      const std::uint64_t id = found->second;
      live_.erase(found);
      if (WIFEXITED(status) && WEXITSTATUS(status) == kAnswered) continue;
      const bool late = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
      answer(refusal(id, late ? Error{ErrorCode::kTimeout, "no answer from outside in time"}
                              : Error{ErrorCode::kInternal, "the helper's worker ended unexpectedly"}));
    }
  }

  const HelperOptions& options_;
  pid_t parent_;
  int signals_;
  std::map<pid_t, std::uint64_t> live_;
  std::set<std::string> exits_;
};

[[noreturn]] void run_helper(const HelperOptions& options, int socket, pid_t parent) {
  // Ends when bonusd does, not on a Ctrl-C or a stop of the whole service: bonusd still needs it to end in order.
  for (const int ignored : {SIGINT, SIGTERM, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(ignored, SIG_IGN);
  for (const int plain : {SIGCHLD, SIGALRM, SIGHUP}) ::signal(plain, SIG_DFL);
  sigset_t handled;
  ::sigemptyset(&handled);
  ::sigaddset(&handled, SIGCHLD);
  ::sigaddset(&handled, SIGHUP);
  if (::sigprocmask(SIG_SETMASK, &handled, nullptr) != 0) ::_exit(1);
  // Standard error stays for diagnostics; everything else that bonusd had open is closed.
  const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || ::dup2(null, 0) < 0 || ::dup2(null, 1) < 0) ::_exit(1);
  if (socket != kSocket && ::dup3(socket, kSocket, O_CLOEXEC) < 0) ::_exit(1);
  (void)::syscall(SYS_close_range, kSocket + 1, ~0u, 0);
  if (::chdir("/") != 0 || !drop_rights(options.may_exit)) ::_exit(1);
  (void)::prctl(PR_SET_NAME, "bonusd-helper", 0, 0, 0);
  // After the change of ids, which clears it. Not SIGKILL: what the exit role made outside has to be removed.
  if (::prctl(PR_SET_PDEATHSIG, SIGHUP, 0, 0, 0) != 0) ::_exit(1);
  const int signals = ::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK);
  if (signals < 0) ::_exit(1);
  Dispatcher(options, parent, signals).run();
  ::_exit(0);
}

}  // namespace

std::string_view to_string(Purpose purpose) {
  switch (purpose) {
    case Purpose::kDnsUpstream:
      return "DNS upstream";
    case Purpose::kImageMirror:
      return "image mirror";
    case Purpose::kUnderlay:
      return "underlay";
    case Purpose::kGateway:
      return "home router";
  }
  return "unknown";
}

Result<HelperProcess> HelperProcess::start(const HelperOptions& options) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0)
    return fail(os_error("making a socket pair", "for the helper"));
  Fd ours(ends[0]);
  const Fd theirs(ends[1]);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child < 0) return fail(os_error("starting", "the helper"));
  if (child == 0) {
    ours.reset();
    run_helper(options, theirs.get(), parent);
  }
  return HelperProcess(child, std::move(ours));
}

HelperProcess::HelperProcess(HelperProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)), socket_(std::move(other.socket_)) {}

HelperProcess::~HelperProcess() {
  if (pid_ <= 0) return;
  socket_.reset();  // which ends it
  for (int i = 0; i < kDropsWhenDead; ++i) {
    const pid_t ended = ::waitpid(pid_, nullptr, WNOHANG);
    if (ended == pid_ || (ended < 0 && errno == ECHILD)) return;
    ::usleep(i < 10 ? 2'000 : 100'000);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace bonus::net::host
