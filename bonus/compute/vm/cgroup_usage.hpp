// What the kernel has counted for one container's cgroup (Documentation/admin-guide/cgroup-v1 and cgroup-v2.rst).
// Only the standard library: bonus-shim compiles this file too.
#pragma once

#include <cstdint>
#include <string>

namespace bonus::compute::vm {

/// Folders of the container's cgroup. For version 2 all are the same; a controller that is missing is an empty string.
struct CgroupPaths {
  int version = 1;
  std::string cpu, cpuacct, memory, pids;
};
struct CgroupUsage {
  std::uint64_t cpu_ns = 0, throttled_ns = 0;
  std::uint64_t memory_bytes = 0, memory_peak_bytes = 0;
  std::uint64_t oom_kills = 0;  ///< Processes killed because the limit was reached.
  std::uint64_t pids = 0;
};
/// A counter that cannot be read is 0.
[[nodiscard]] CgroupUsage read_cgroup(const CgroupPaths& paths);

}  // namespace bonus::compute::vm
