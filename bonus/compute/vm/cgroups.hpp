// Which control groups this machine has, and where a container's lie: cgroup v1, v2, or v1 with an empty v2 beside it
// (hybrid).
#pragma once

#include <string>
#include <vector>

#include "bonus/base/result.hpp"
#include "bonus/compute/vm/cgroup_usage.hpp"

namespace bonus::compute::vm {

class Cgroups {
 public:
  /// Reads /proc/self/mountinfo. kUnsupported: cpu, memory or pids cannot be limited here; says which.
  [[nodiscard]] static Result<Cgroups> detect();
  /// The same over given text, for tests. `controllers_v2` is the content of the v2 root's cgroup.controllers.
  [[nodiscard]] static Result<Cgroups> parse(const std::string& mountinfo, const std::string& controllers_v2);

  [[nodiscard]] int version() const { return version_; }
  /// Folders of the group `path` ("/bonus-1234/lease-7").
  [[nodiscard]] CgroupPaths paths_of(const std::string& path) const;
  /// Whether the kernel can limit memory plus swap (v1 needs swapaccount, v2 CONFIG_SWAP).
  [[nodiscard]] bool limits_swap() const { return limits_swap_; }
  /// SIGKILL for every process in the group. True when it is empty afterwards.
  [[nodiscard]] bool kill_all(const std::string& path) const;
  /// Removes the empty group of every controller; what is busy stays.
  void remove(const std::string& path) const;

 private:
  int version_ = 1;
  bool limits_swap_ = false;
  CgroupPaths roots_;
  std::vector<std::string> hierarchies_;  // every mounted hierarchy, for removal
};

}  // namespace bonus::compute::vm
