// BonusVM's container service. Implemented by compute/vm; driven by the worker's lease agent and by users' exec and
// logs.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bonus/compute/api/workload.hpp"
#include "bonus/runtime/stream.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::compute {

enum class ContainerState : std::uint8_t { kPreparing, kRunning, kExited, kFailed };

struct ContainerStatus {
  std::string id;  ///< "lease-42".
  ContainerState state = ContainerState::kPreparing;
  int exit_code = 0;  ///< When exited; 128 + signal.
  bool out_of_memory = false;
  std::string message;  ///< Why it failed or exited, for people.
  std::uint32_t restarts = 0;
  UnixMillis started_at_ms = 0, finished_at_ms = 0;
  std::string address;  ///< Its overlay address; empty without a network.
};
struct ContainerUsage {
  std::uint64_t cpu_ns = 0, memory_bytes = 0, memory_peak_bytes = 0, pids = 0, throttled_ns = 0, disk_bytes = 0;
};
struct ExecRequest {
  std::vector<std::string> argv;
  bool tty = false;
  std::uint16_t columns = 80, rows = 24;
  std::map<std::string, std::string> env;
};
/// A running exec. Output arrives as frames; for a tty everything is on stdout.
class ExecSession {
 public:
  virtual ~ExecSession() = default;
  struct Frame {
    enum class Kind : std::uint8_t { kStdout, kStderr, kExit } kind = Kind::kStdout;
    Bytes data;
    int exit_code = 0;
  };
  [[nodiscard]] virtual runtime::Task<Result<Frame>> read() = 0;  ///< kExit comes last.
  [[nodiscard]] virtual runtime::Task<Result<>> write_stdin(BytesView in) = 0;
  [[nodiscard]] virtual runtime::Task<Result<>> close_stdin() = 0;
  [[nodiscard]] virtual Result<> resize(std::uint16_t columns, std::uint16_t rows) = 0;
  virtual void kill() = 0;
};
struct LogLine {
  UnixMillis time_ms = 0;
  bool is_stderr = false;
  std::string text;
};
struct LogQuery {
  bool follow = false;
  std::size_t tail = 0;  ///< Only the last so many lines; 0: all that is kept.
};

/// Coroutines run on the service's executor. Ids are [a-z0-9-], at most 64.
class Containers {
 public:
  virtual ~Containers() = default;
  /// Pull, prepare, create, start. Returns when the process runs. kExists: the id is known already.
  [[nodiscard]] virtual runtime::Task<Result<ContainerStatus>> start(std::string id, Workload workload) = 0;
  /// SIGTERM, after `grace` SIGKILL; then everything of it is removed, logs last kept `log_retention`.
  [[nodiscard]] virtual runtime::Task<Result<>> stop(std::string id, Duration grace) = 0;
  [[nodiscard]] virtual Result<ContainerStatus> status(const std::string& id) const = 0;
  [[nodiscard]] virtual std::vector<ContainerStatus> list() const = 0;
  [[nodiscard]] virtual Result<ContainerUsage> usage(const std::string& id) const = 0;
  /// Calls `sink` for each line until it returns false, the log ends (no follow) or the container is gone.
  [[nodiscard]] virtual runtime::Task<Result<>> logs(std::string id, LogQuery query,
                                                     std::function<runtime::Task<bool>(LogLine)> sink) = 0;
  [[nodiscard]] virtual runtime::Task<Result<std::unique_ptr<ExecSession>>> exec(std::string id,
                                                                                 ExecRequest request) = 0;
  /// A connection to a TCP port inside the container.
  [[nodiscard]] virtual runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(std::string id,
                                                                                         std::uint16_t port) = 0;
  /// Called (on the service's executor) when a container changes state by itself.
  virtual void on_change(std::function<void(ContainerStatus)> listener) = 0;
};

}  // namespace bonus::compute
