// Writing config.json. Capabilities, masked paths and mounts follow what container images expect, minus what is
// dangerous.
#include "bonus/compute/vm/oci_spec.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstdlib>
#include <map>

#include "bonus/compute/vm/seccomp.hpp"
#include "bonus/runtime/disk.hpp"

namespace bonus::compute::vm {
namespace {

namespace json = boost::json;

constexpr std::uint64_t kCpuPeriodUs = 100'000;
constexpr std::uint64_t kWantedOpenFiles = 1'048'576;
constexpr int kWantedOomScoreAdj = 500;  // when the machine itself runs out, guests die before its services
constexpr std::size_t kMaxExecArguments = 256;
constexpr const char* kDefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

json::array strings(const std::vector<std::string>& list) {
  json::array out;
  for (const auto& item : list) out.emplace_back(item);
  return out;
}
template <std::size_t N>
json::array literals(const char* const (&list)[N]) {
  json::array out;
  for (const char* item : list) out.emplace_back(item);
  return out;
}

std::vector<std::string> command_of(const Workload& workload, const ImageConfig& image) {
  std::vector<std::string> out = workload.entrypoint.empty() ? image.entrypoint : workload.entrypoint;
  // Cmd belongs to the image's entrypoint: with another one it would be arguments to the wrong program.
  const bool use_cmd = workload.args.empty() && workload.entrypoint.empty();
  const auto& arguments = use_cmd ? image.cmd : workload.args;
  out.insert(out.end(), arguments.begin(), arguments.end());
  return out;
}

json::array environment_of(const SpecInput& input) {
  std::map<std::string, std::string> all{
      {"PATH", kDefaultPath}, {"HOME", input.user.home}, {"HOSTNAME", input.hostname}};
  for (const auto& entry : input.image.env) {
    const std::size_t equals = entry.find('=');
    if (equals != std::string::npos && equals > 0) all[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  for (const auto& [name, value] : input.workload.env) all[name] = value;
  json::array out;
  for (const auto& [name, value] : all) out.emplace_back(name + "=" + value);
  return out;
}

json::object capabilities() {
  // Enough to be root over one's own files, users and ports; nothing that reaches the kernel, the network or devices.
  constexpr const char* kKept[] = {"CAP_CHOWN",  "CAP_DAC_OVERRIDE", "CAP_FOWNER",  "CAP_FSETID",          "CAP_KILL",
                                   "CAP_SETGID", "CAP_SETUID",       "CAP_SETPCAP", "CAP_NET_BIND_SERVICE"};
  json::object out;
  for (const char* set : {"bounding", "effective", "permitted"}) out[set] = literals(kKept);
  return out;
}

json::object rlimit(const char* type, std::uint64_t value) {
  return {{"type", type}, {"hard", value}, {"soft", value}};
}

json::object process_of(const SpecInput& input, const std::vector<std::string>& command) {
  json::object user{{"uid", input.user.uid}, {"gid", input.user.gid}};
  if (!input.user.additional_gids.empty()) {
    json::array groups;
    for (const auto gid : input.user.additional_gids) groups.emplace_back(gid);
    user["additionalGids"] = std::move(groups);
  }
  std::string directory = input.workload.working_directory;
  if (directory.empty()) directory = input.image.working_directory;
  if (!directory.starts_with('/')) directory = "/" + directory;
  json::object out;
  out["terminal"] = false;
  out["user"] = std::move(user);
  out["args"] = strings(command);
  out["env"] = environment_of(input);
  out["cwd"] = directory;
  out["capabilities"] = capabilities();
  out["noNewPrivileges"] = true;
  out["oomScoreAdj"] = std::clamp(std::max(kWantedOomScoreAdj, input.machine.oom_score_adj), -1000, 1000);
  out["rlimits"] = json::array{rlimit("RLIMIT_NOFILE", std::min(kWantedOpenFiles, input.machine.open_files)),
                               rlimit("RLIMIT_CORE", 0)};
  return out;
}

json::object mount(std::string_view where, std::string_view type, std::string_view source,
                   std::initializer_list<std::string_view> options) {
  json::array list;
  for (const auto option : options) list.emplace_back(option);
  return {{"destination", where}, {"type", type}, {"source", source}, {"options", std::move(list)}};
}

json::array mounts_of(const SpecInput& input) {
  json::array out;
  out.push_back(mount("/proc", "proc", "proc", {"nosuid", "noexec", "nodev"}));
  out.push_back(mount("/dev", "tmpfs", "tmpfs", {"nosuid", "strictatime", "mode=755", "size=65536k"}));
  out.push_back(mount("/dev/pts", "devpts", "devpts",
                      {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}));
  out.push_back(mount("/dev/shm", "tmpfs", "shm", {"nosuid", "noexec", "nodev", "mode=1777", "size=65536k"}));
  out.push_back(mount("/dev/mqueue", "mqueue", "mqueue", {"nosuid", "noexec", "nodev"}));
  out.push_back(mount("/sys", "sysfs", "sysfs", {"nosuid", "noexec", "nodev", "ro"}));
  out.push_back(mount("/sys/fs/cgroup", "cgroup", "cgroup", {"nosuid", "noexec", "nodev", "relatime", "ro"}));
  for (const char* name : {"hosts", "hostname", "resolv.conf"})
    out.push_back(mount(std::string("/etc/") + name, "bind", input.bundle + "/" + name,
                        {"rbind", "rprivate", "nosuid", "nodev", "noexec", "ro"}));
  return out;
}

json::object linux_of(const SpecInput& input) {
  const Workload& w = input.workload;
  constexpr const char* kMasked[] = {"/proc/acpi",        "/proc/asound",  "/proc/interrupts",
                                     "/proc/kcore",       "/proc/keys",    "/proc/latency_stats",
                                     "/proc/sched_debug", "/proc/scsi",    "/proc/timer_list",
                                     "/proc/timer_stats", "/sys/firmware", "/sys/devices/virtual/powercap",
                                     "/sys/kernel"};
  constexpr const char* kReadOnly[] = {"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"};
  const std::uint64_t memory_bytes = static_cast<std::uint64_t>(w.memory_mib) << 20;
  json::object memory{{"limit", memory_bytes}};
  if (input.machine.limits_swap) memory["swap"] = memory_bytes;  // memory and swap together: none of it is swap
  json::object resources;
  resources["devices"] = json::array{json::object{{"allow", false}, {"access", "rwm"}}};
  resources["memory"] = std::move(memory);
  resources["cpu"] = json::object{{"quota", std::max<std::uint64_t>(w.cpu_millis * kCpuPeriodUs / 1000, 1000)},
                                  {"period", kCpuPeriodUs},
                                  {"shares", std::max<std::uint64_t>(w.cpu_millis * 1024ULL / 1000, 2)}};
  resources["pids"] = json::object{{"limit", w.pids}};
  json::array namespaces;
  for (const char* type : {"pid", "network", "ipc", "uts", "mount", "cgroup"})
    namespaces.push_back(json::object{{"type", type}});
  if (!input.network.empty()) namespaces[1].as_object()["path"] = input.network;
  json::object out;
  out["cgroupsPath"] = input.cgroup_path;
  out["resources"] = std::move(resources);
  out["namespaces"] = std::move(namespaces);
  out["maskedPaths"] = literals(kMasked);
  out["readonlyPaths"] = literals(kReadOnly);
  out["seccomp"] = seccomp_profile();
  // The container's own network: ports below 1024 belong to nobody else there, and ping(8) needs no raw sockets.
  out["sysctl"] =
      json::object{{"net.ipv4.ip_unprivileged_port_start", "0"}, {"net.ipv4.ping_group_range", "0 2147483647"}};
  return out;
}

}  // namespace

MachineLimits read_machine_limits() {
  MachineLimits out;
  rlimit64 files{};
  if (::getrlimit64(RLIMIT_NOFILE, &files) == 0) out.open_files = files.rlim_max;
  if (auto text = runtime::system_disk().read_file("/proc/self/oom_score_adj", 16); text)
    out.oom_score_adj = std::atoi(std::string(as_text(*text)).c_str());
  return out;
}

Result<std::string> make_spec(const SpecInput& input) {
  const auto command = command_of(input.workload, input.image);
  if (command.empty() || command[0].empty())
    return fail(ErrorCode::kInvalid, "nothing to run: neither the workload nor the image names a program");
  json::object out;
  out["ociVersion"] = "1.0.2";
  out["process"] = process_of(input, command);
  out["root"] = json::object{{"path", input.bundle + "/rootfs"}, {"readonly", input.workload.read_only_root}};
  out["hostname"] = input.hostname;
  out["mounts"] = mounts_of(input);
  out["linux"] = linux_of(input);
  return json::serialize(out);
}

Result<std::string> make_exec_process(const std::string& spec, const ExecRequest& request) {
  if (request.argv.empty() || request.argv[0].empty()) return fail(ErrorCode::kInvalid, "exec: no program is named");
  if (request.argv.size() > kMaxExecArguments || request.env.size() > kMaxExecArguments)
    return fail(ErrorCode::kInvalid, "exec: more than 256 arguments or variables");
  boost::system::error_code error;
  const json::value parsed = json::parse(spec, error);
  const json::value* process = error ? nullptr : parsed.find_pointer("/process", error);
  if (process == nullptr || !process->is_object())
    return fail(ErrorCode::kCorrupt, "the container's config.json is damaged");
  json::object out = process->get_object();
  out["args"] = strings(request.argv);
  out["terminal"] = request.tty;
  if (request.tty) out["consoleSize"] = json::object{{"height", request.rows}, {"width", request.columns}};
  json::array* env = out["env"].if_array();
  if (env == nullptr) return fail(ErrorCode::kCorrupt, "the container's config.json is damaged");
  if (request.tty && !request.env.contains("TERM")) env->emplace_back("TERM=xterm");
  for (const auto& [name, value] : request.env) {
    if (name.empty() || name.find('=') != std::string::npos || (name + value).find('\0') != std::string::npos)
      return fail(ErrorCode::kInvalid, "exec: a variable's name is empty or contains '='");
    env->emplace_back(name + "=" + value);
  }
  return json::serialize(out);
}

}  // namespace bonus::compute::vm
