// One container's way from files to a process and back: bundle, disk, shim, cgroup. All calls block.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/compute/vm/cgroups.hpp"
#include "bonus/compute/vm/options.hpp"
#include "bonus/compute/vm/record.hpp"

namespace bonus::compute::vm {

/// A container whose shim lives. Descriptors name the processes for ever, whatever becomes of their pids.
struct Running {
  pid_t shim_pid = -1, init_pid = -1;
  Fd shim;     ///< pidfd: readable when the shim has ended.
  Fd init;     ///< pidfd of the container's first process.
  Fd network;  ///< Its network namespace.
};
/// What the shim wrote down.
struct ExitInfo {
  int exit_code = 255;
  bool out_of_memory = false;
  bool known = false;  ///< False: the shim died without telling (kill -9, power failure).
  UnixMillis finished_at_ms = 0;
  std::uint64_t cpu_ns = 0, throttled_ns = 0, memory_peak_bytes = 0;
};

/// The words of the last error in runc's JSON log, for people.
[[nodiscard]] std::string readable_runtime_error(std::string log);

/// Thread-safe for different ids.
class Launcher {
 public:
  /// Checks the machine: root, runtime, shim, cgroups, overlayfs, loop devices. kUnsupported says what is missing.
  [[nodiscard]] static Result<std::unique_ptr<Launcher>> open(const VmOptions& options);

  /// Writes the container's folder: config.json, hosts, its disk (an existing one is kept, unless the machine was
  /// restarted). `layers`: unpacked folders, bottom first.
  [[nodiscard]] Result<> prepare(const Record& record, const std::vector<std::string>& layers) const;
  /// Starts the prepared container. Its writable disk keeps what an earlier run wrote. `workload`: for its network.
  [[nodiscard]] Result<Running> launch(const std::string& id, const Workload& workload) const;
  /// The running container of an earlier bonusd, or none if its shim is gone.
  [[nodiscard]] std::optional<Running> adopt(const std::string& id, const Workload& workload) const;
  [[nodiscard]] ExitInfo exit_info(const std::string& id) const;
  /// SIGTERM or SIGKILL through the runtime.
  [[nodiscard]] Result<> signal(const std::string& id, const char* name) const;
  /// Whatever is left in the kernel: processes, runtime state, cgroup. Safe to repeat.
  void remove_remains(const std::string& id) const;
  /// remove_remains and the folder; the log stays.
  void remove(const std::string& id) const;
  /// Of the present run; with shim_pid -1 of the last one.
  [[nodiscard]] ContainerUsage usage(const std::string& id, pid_t shim_pid) const;
  /// Bytes in the writable layer above its limit; always false where the disk is a real one.
  [[nodiscard]] bool over_disk_limit(const std::string& id, std::uint32_t disk_mib) const;
  [[nodiscard]] bool has_loop_disks() const { return loop_disks_; }
  [[nodiscard]] std::string folder_of(const std::string& id) const { return state_ + "/containers/" + id; }
  [[nodiscard]] std::string log_folder_of(const std::string& id) const { return state_ + "/logs/" + id; }
  /// Removes the daemon's own (empty) cgroup; with containers in it, it stays.
  void leave() const { cgroups_.remove("/" + prefix_); }
  /// Ids that have a folder.
  [[nodiscard]] std::vector<std::string> folders() const;
  [[nodiscard]] const std::string& runtime_path() const { return options_.runtime_path; }
  [[nodiscard]] std::string runtime_root() const { return state_ + "/runtime"; }
  [[nodiscard]] const std::string& shim_path() const { return options_.shim_path; }
  /// The name the OCI runtime knows it by: several daemons share a machine.
  [[nodiscard]] std::string runtime_id(const std::string& id) const { return prefix_ + "-" + id; }

 private:
  Launcher(VmOptions options, Cgroups cgroups, std::string prefix);
  [[nodiscard]] Result<> probe();
  [[nodiscard]] Result<Fd> make_network(const std::string& id, const Workload& workload) const;
  [[nodiscard]] Result<> make_disk(const std::string& image, std::uint32_t disk_mib) const;
  [[nodiscard]] std::string shim_config(const Record& record, const std::vector<std::string>& layers) const;
  [[nodiscard]] std::string cgroup_of(const std::string& id) const { return "/" + prefix_ + "/" + id; }
  [[nodiscard]] std::optional<Running> open_running(const std::string& id) const;

  VmOptions options_;
  Cgroups cgroups_;
  std::string prefix_;  // "bonus-" and eight digits of a hash of the state directory
  std::string state_;
  MachineLimits machine_;
  bool loop_disks_ = false;
};

}  // namespace bonus::compute::vm
