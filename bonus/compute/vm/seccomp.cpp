// The allow list by theme. Names that a kernel or libseccomp does not know are skipped by the runtime.
#include "bonus/compute/vm/seccomp.hpp"

#include <cerrno>
#include <string_view>

#include <boost/json.hpp>

namespace bonus::compute::vm {
namespace {

namespace json = boost::json;

constexpr std::string_view kFiles[] = {"access",
                                       "chdir",
                                       "chmod",
                                       "chown",
                                       "close",
                                       "close_range",
                                       "copy_file_range",
                                       "creat",
                                       "dup",
                                       "dup2",
                                       "dup3",
                                       "faccessat",
                                       "faccessat2",
                                       "fadvise64",
                                       "fallocate",
                                       "fchdir",
                                       "fchmod",
                                       "fchmodat",
                                       "fchmodat2",
                                       "fchown",
                                       "fchownat",
                                       "fcntl",
                                       "fdatasync",
                                       "fgetxattr",
                                       "flistxattr",
                                       "flock",
                                       "fremovexattr",
                                       "fsetxattr",
                                       "fstat",
                                       "fstatfs",
                                       "fsync",
                                       "ftruncate",
                                       "futimesat",
                                       "getcwd",
                                       "getdents",
                                       "getdents64",
                                       "getxattr",
                                       "inotify_add_watch",
                                       "inotify_init",
                                       "inotify_init1",
                                       "inotify_rm_watch",
                                       "ioctl",
                                       "lchown",
                                       "lgetxattr",
                                       "link",
                                       "linkat",
                                       "listxattr",
                                       "llistxattr",
                                       "lremovexattr",
                                       "lseek",
                                       "lsetxattr",
                                       "lstat",
                                       "memfd_create",
                                       "mkdir",
                                       "mkdirat",
                                       "mknod",
                                       "mknodat",
                                       "name_to_handle_at",
                                       "newfstatat",
                                       "open",
                                       "openat",
                                       "openat2",
                                       "pipe",
                                       "pipe2",
                                       "pread64",
                                       "preadv",
                                       "preadv2",
                                       "pwrite64",
                                       "pwritev",
                                       "pwritev2",
                                       "read",
                                       "readahead",
                                       "readlink",
                                       "readlinkat",
                                       "readv",
                                       "removexattr",
                                       "rename",
                                       "renameat",
                                       "renameat2",
                                       "rmdir",
                                       "sendfile",
                                       "setxattr",
                                       "splice",
                                       "stat",
                                       "statfs",
                                       "statx",
                                       "symlink",
                                       "symlinkat",
                                       "sync",
                                       "sync_file_range",
                                       "syncfs",
                                       "tee",
                                       "truncate",
                                       "umask",
                                       "unlink",
                                       "unlinkat",
                                       "utime",
                                       "utimensat",
                                       "utimes",
                                       "vmsplice",
                                       "write",
                                       "writev",
                                       "cachestat",
                                       "chroot"};
constexpr std::string_view kProcesses[] = {"arch_prctl",
                                           "brk",
                                           "capget",
                                           "capset",
                                           "execve",
                                           "execveat",
                                           "exit",
                                           "exit_group",
                                           "fork",
                                           "futex",
                                           "futex_wait",
                                           "futex_waitv",
                                           "futex_wake",
                                           "futex_requeue",
                                           "get_robust_list",
                                           "get_thread_area",
                                           "getcpu",
                                           "getegid",
                                           "geteuid",
                                           "getgid",
                                           "getgroups",
                                           "getpgid",
                                           "getpgrp",
                                           "getpid",
                                           "getppid",
                                           "getpriority",
                                           "getresgid",
                                           "getresuid",
                                           "getrlimit",
                                           "getrusage",
                                           "getsid",
                                           "gettid",
                                           "getuid",
                                           "ioprio_get",
                                           "ioprio_set",
                                           "kill",
                                           "landlock_add_rule",
                                           "landlock_create_ruleset",
                                           "landlock_restrict_self",
                                           "madvise",
                                           "map_shadow_stack",
                                           "membarrier",
                                           "mincore",
                                           "mlock",
                                           "mlock2",
                                           "mlockall",
                                           "mmap",
                                           "mprotect",
                                           "mremap",
                                           "mseal",
                                           "msync",
                                           "munlock",
                                           "munlockall",
                                           "munmap",
                                           "pidfd_open",
                                           "pidfd_send_signal",
                                           "pkey_alloc",
                                           "pkey_free",
                                           "pkey_mprotect",
                                           "prctl",
                                           "prlimit64",
                                           "restart_syscall",
                                           "rseq",
                                           "rt_sigaction",
                                           "rt_sigpending",
                                           "rt_sigprocmask",
                                           "rt_sigqueueinfo",
                                           "rt_sigreturn",
                                           "rt_sigsuspend",
                                           "rt_sigtimedwait",
                                           "rt_tgsigqueueinfo",
                                           "sched_get_priority_max",
                                           "sched_get_priority_min",
                                           "sched_getaffinity",
                                           "sched_getattr",
                                           "sched_getparam",
                                           "sched_getscheduler",
                                           "sched_rr_get_interval",
                                           "sched_setaffinity",
                                           "sched_setattr",
                                           "sched_setparam",
                                           "sched_setscheduler",
                                           "sched_yield",
                                           "seccomp",
                                           "set_robust_list",
                                           "set_thread_area",
                                           "set_tid_address",
                                           "setfsgid",
                                           "setfsuid",
                                           "setgid",
                                           "setgroups",
                                           "setitimer",
                                           "setpgid",
                                           "setpriority",
                                           "setregid",
                                           "setresgid",
                                           "setresuid",
                                           "setreuid",
                                           "setrlimit",
                                           "setsid",
                                           "setuid",
                                           "sigaltstack",
                                           "tgkill",
                                           "tkill",
                                           "vfork",
                                           "wait4",
                                           "waitid",
                                           "waitpid"};
constexpr std::string_view kWaitingAndTime[] = {"alarm",
                                                "clock_getres",
                                                "clock_gettime",
                                                "clock_nanosleep",
                                                "epoll_create",
                                                "epoll_create1",
                                                "epoll_ctl",
                                                "epoll_pwait",
                                                "epoll_pwait2",
                                                "epoll_wait",
                                                "eventfd",
                                                "eventfd2",
                                                "getitimer",
                                                "gettimeofday",
                                                "io_cancel",
                                                "io_destroy",
                                                "io_getevents",
                                                "io_pgetevents",
                                                "io_setup",
                                                "io_submit",
                                                "nanosleep",
                                                "pause",
                                                "poll",
                                                "ppoll",
                                                "pselect6",
                                                "select",
                                                "signalfd",
                                                "signalfd4",
                                                "time",
                                                "timer_create",
                                                "timer_delete",
                                                "timer_getoverrun",
                                                "timer_gettime",
                                                "timer_settime",
                                                "timerfd_create",
                                                "timerfd_gettime",
                                                "timerfd_settime",
                                                "times"};
constexpr std::string_view kCommunication[] = {
    "accept", "accept4",       "bind",       "connect", "getpeername",     "getrandom",    "getsockname", "getsockopt",
    "listen", "mq_getsetattr", "mq_notify",  "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink",   "msgctl",
    "msgget", "msgrcv",        "msgsnd",     "recv",    "recvfrom",        "recvmmsg",     "recvmsg",     "semctl",
    "semget", "semop",         "semtimedop", "send",    "sendmmsg",        "sendmsg",      "sendto",      "setsockopt",
    "shmat",  "shmctl",        "shmdt",      "shmget",  "shutdown",        "socketpair",   "sysinfo",     "uname"};

template <std::size_t N>
void add(json::array& names, const std::string_view (&list)[N]) {
  for (const auto name : list) names.emplace_back(name);
}

json::object rule(json::array names, std::string_view action) {
  json::object out;
  out["names"] = std::move(names);
  out["action"] = action;
  return out;
}

json::object argument(unsigned index, std::uint64_t value, std::uint64_t value_two, std::string_view op) {
  json::object out;
  out["index"] = index;
  out["value"] = value;
  out["valueTwo"] = value_two;
  out["op"] = op;
  return out;
}

}  // namespace

json::object seccomp_profile() {
  json::array allowed;
  add(allowed, kFiles);
  add(allowed, kProcesses);
  add(allowed, kWaitingAndTime);
  add(allowed, kCommunication);
  json::array rules;
  rules.push_back(rule(std::move(allowed), "SCMP_ACT_ALLOW"));

  // clone without any CLONE_NEW* flag (linux/sched.h): NEWTIME 0x80 is an exit signal bit here and reaches only clone3.
  constexpr std::uint64_t kNewNamespaces = 0x7E020000;
  json::object clone = rule({"clone"}, "SCMP_ACT_ALLOW");
  clone["args"] = json::array{argument(0, kNewNamespaces, 0, "SCMP_CMP_MASKED_EQ")};
  rules.push_back(std::move(clone));
  json::object clone3 = rule({"clone3"}, "SCMP_ACT_ERRNO");
  clone3["errnoRet"] = ENOSYS;
  rules.push_back(std::move(clone3));

  // Sockets of the families programs use: local, IPv4, IPv6, routing netlink (16; read-only without NET_ADMIN).
  for (const std::uint64_t family : {1ULL, 2ULL, 10ULL, 16ULL}) {
    json::object socket = rule({"socket"}, "SCMP_ACT_ALLOW");
    socket["args"] = json::array{argument(0, family, 0, "SCMP_CMP_EQ")};
    rules.push_back(std::move(socket));
  }
  // personality: Linux, 32 bit layout, and the query.
  for (const std::uint64_t value : {0ULL, 8ULL, 0x20000ULL, 0x20008ULL, 0xffffffffULL}) {
    json::object personality = rule({"personality"}, "SCMP_ACT_ALLOW");
    personality["args"] = json::array{argument(0, value, 0, "SCMP_CMP_EQ")};
    rules.push_back(std::move(personality));
  }

  json::object out;
  out["defaultAction"] = "SCMP_ACT_ERRNO";
  out["defaultErrnoRet"] = EPERM;
  out["architectures"] = json::array{"SCMP_ARCH_X86_64"};
#if defined(__aarch64__)
  out["architectures"] = json::array{"SCMP_ARCH_AARCH64"};
#endif
  out["syscalls"] = std::move(rules);
  return out;
}

}  // namespace bonus::compute::vm
