// Cgroup layout detection from mountinfo (proc(5)).
#include "bonus/compute/vm/cgroups.hpp"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>
#include <string_view>

#include "bonus/runtime/disk.hpp"

namespace bonus::compute::vm {
namespace {

std::string read_text(const std::string& path) {
  auto bytes = runtime::system_disk().read_file(path, 1 << 20);
  return bytes ? std::string(as_text(*bytes)) : std::string();
}

bool has_word(std::string_view list, std::string_view word, char separator) {
  for (std::size_t at = 0; at <= list.size();) {
    const std::size_t end = std::min(list.find(separator, at), list.size());
    std::string_view item = list.substr(at, end - at);
    while (item.ends_with('\n')) item.remove_suffix(1);
    if (item == word) return true;
    at = end + 1;
  }
  return false;
}

struct Mount {
  std::string point, type, super_options;
};

// "36 35 98:0 /root /mount/point rw,noatime master:1 - ext4 /dev/root rw,errors=continue"
std::vector<Mount> parse_mounts(const std::string& mountinfo) {
  std::vector<Mount> out;
  std::istringstream lines(mountinfo);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream head(line.substr(0, dash)), tail(line.substr(dash + 3));
    std::string skip, source;
    Mount mount;
    head >> skip >> skip >> skip >> skip >> mount.point;
    tail >> mount.type >> source >> mount.super_options;
    out.push_back(std::move(mount));
  }
  return out;
}

std::unexpected<Error> missing(std::string_view controller) {
  return fail(
      ErrorCode::kUnsupported,
      fmt::format("this machine has no usable '{}' cgroup controller; containers cannot be limited", controller));
}

}  // namespace

Result<Cgroups> Cgroups::parse(const std::string& mountinfo, const std::string& controllers_v2) {
  Cgroups out;
  std::string unified;
  for (const auto& mount : parse_mounts(mountinfo)) {
    if (mount.type == "cgroup2" && unified.empty()) unified = mount.point;
    if (mount.type != "cgroup") continue;
    out.hierarchies_.push_back(mount.point);
    for (const auto& [name, into] : {std::pair{"cpu", &out.roots_.cpu}, std::pair{"cpuacct", &out.roots_.cpuacct},
                                     std::pair{"memory", &out.roots_.memory}, std::pair{"pids", &out.roots_.pids}})
      if (into->empty() && has_word(mount.super_options, name, ',')) *into = mount.point;
  }
  const bool any_v1 = !out.roots_.cpu.empty() || !out.roots_.memory.empty() || !out.roots_.pids.empty();
  if (any_v1) {
    if (out.roots_.cpu.empty()) return missing("cpu");
    if (out.roots_.memory.empty()) return missing("memory");
    if (out.roots_.pids.empty()) return missing("pids");
    out.version_ = out.roots_.version = 1;
    if (!unified.empty()) out.hierarchies_.push_back(unified);
    return out;
  }
  if (unified.empty()) return missing("memory");
  for (const std::string_view name : {"cpu", "memory", "pids"})
    if (!has_word(controllers_v2, name, ' ')) return missing(name);
  out.roots_ = {2, unified, unified, unified, unified};
  out.version_ = 2;
  out.hierarchies_ = {unified};
  return out;
}

Result<Cgroups> Cgroups::detect() {
  TRY_ASSIGN(Cgroups out, parse(read_text("/proc/self/mountinfo"), read_text("/sys/fs/cgroup/cgroup.controllers")));
  if (out.version_ == 1) {
    out.limits_swap_ = ::access((out.roots_.memory + "/memory.memsw.limit_in_bytes").c_str(), F_OK) == 0;
  } else {
    out.limits_swap_ = ::access("/proc/swaps", F_OK) == 0;
  }
  return out;
}

CgroupPaths Cgroups::paths_of(const std::string& path) const {
  const auto at = [&](const std::string& root) { return root.empty() ? std::string() : root + path; };
  return {version_, at(roots_.cpu), at(roots_.cpuacct), at(roots_.memory), at(roots_.pids)};
}

bool Cgroups::kill_all(const std::string& path) const {
  const std::string folder = roots_.pids + path;
  if (::access(folder.c_str(), F_OK) != 0) return true;
  // A process may fork while we read: repeat until none is left; the pids limit bounds the race.
  for (int round = 0; round < 100; ++round) {
    std::istringstream pids(read_text(folder + "/cgroup.procs"));
    bool any = false;
    for (long pid = 0; pids >> pid;) {
      any = true;
      if (pid > 1) ::kill(static_cast<pid_t>(pid), SIGKILL);
    }
    if (!any) return true;
    ::usleep(20'000);
  }
  return false;
}

void Cgroups::remove(const std::string& path) const {
  for (const auto& root : hierarchies_) (void)::rmdir((root + path).c_str());
}

}  // namespace bonus::compute::vm
