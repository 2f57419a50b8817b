// Reading counters of cgroup v1 and v2.
#include "bonus/compute/vm/cgroup_usage.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <string_view>

namespace bonus::compute::vm {
namespace {

std::string slurp(const std::string& folder, const char* name) {
  if (folder.empty()) return {};
  const int fd = ::open((folder + "/" + name).c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return {};
  std::array<char, 4096> buffer{};
  const ssize_t n = ::read(fd, buffer.data(), buffer.size());
  ::close(fd);
  return n <= 0 ? std::string() : std::string(buffer.data(), static_cast<std::size_t>(n));
}

std::uint64_t number(const std::string& folder, const char* name) {
  return std::strtoull(slurp(folder, name).c_str(), nullptr, 10);
}

// The value of "key value" in a flat-keyed file.
std::uint64_t keyed(const std::string& folder, const char* name, std::string_view key) {
  const std::string text = slurp(folder, name);
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view line = std::string_view(text).substr(at, end - at);
    if (line.starts_with(key) && line.substr(key.size()).starts_with(' '))
      return std::strtoull(text.c_str() + at + key.size() + 1, nullptr, 10);
    at = end + 1;
  }
  return 0;
}

}  // namespace

CgroupUsage read_cgroup(const CgroupPaths& paths) {
  CgroupUsage out;
  if (paths.version == 2) {
    out.cpu_ns = keyed(paths.cpu, "cpu.stat", "usage_usec") * 1000;
    out.throttled_ns = keyed(paths.cpu, "cpu.stat", "throttled_usec") * 1000;
    out.memory_bytes = number(paths.memory, "memory.current");
    out.memory_peak_bytes = number(paths.memory, "memory.peak");
    out.oom_kills = keyed(paths.memory, "memory.events", "oom_kill");
  } else {
    out.cpu_ns = number(paths.cpuacct, "cpuacct.usage");
    out.throttled_ns = keyed(paths.cpu, "cpu.stat", "throttled_time");
    out.memory_bytes = number(paths.memory, "memory.usage_in_bytes");
    out.memory_peak_bytes = number(paths.memory, "memory.max_usage_in_bytes");
    out.oom_kills = keyed(paths.memory, "memory.oom_control", "oom_kill");
  }
  if (out.memory_peak_bytes < out.memory_bytes) out.memory_peak_bytes = out.memory_bytes;  // no peak before Linux 5.19
  out.pids = number(paths.pids, "pids.current");
  return out;
}

}  // namespace bonus::compute::vm
