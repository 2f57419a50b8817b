// Processes that outlive the one that started them, told from later ones of the same number by their start time.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "bonus/base/result.hpp"
#include "bonus/base/time.hpp"

namespace bonus::runtime {

struct DetachedProcess {
  pid_t pid = 0;
  std::uint64_t start_ticks = 0;  ///< Field 22 of /proc/<pid>/stat, in clock ticks since boot; 0: unknown.
};

/// In a session of its own, signals as by default, nothing open but its output, which is appended to `log` (mode 0600).
/// argv[0] is looked up in PATH. kIo, kExhausted.
[[nodiscard]] Result<DetachedProcess> start_detached(const std::vector<std::string>& argv, const std::string& log);
/// Whether that process, not a later one of its number, runs; a zombie does not.
[[nodiscard]] bool is_alive(const DetachedProcess& process);
/// Blocks at most `patience`; whether it is gone. Reaps it when it is a child of this process.
[[nodiscard]] bool wait_gone(const DetachedProcess& process, Duration patience);
/// `signal`, after `grace` SIGKILL; blocks. kDenied when it belongs to another user, kTimeout when it does not end.
/// Nothing happens to a process that is gone.
[[nodiscard]] Result<> end_process(const DetachedProcess& process, int signal, Duration grace);

}  // namespace bonus::runtime
