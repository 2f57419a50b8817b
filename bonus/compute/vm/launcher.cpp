// Launching through bonus-shim; see docs/formats/shim.md for the files.
#include "bonus/compute/vm/launcher.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "bonus/base/log.hpp"
#include "bonus/compute/vm/netns.hpp"
#include "bonus/compute/vm/shim_protocol.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/disk.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::compute::vm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kSmallFile = 64 << 10;
constexpr std::uint32_t kLeastDiskMib = 16;
constexpr const char* kNetworkLink = "network";

std::string read_text(const std::string& path) {
  auto bytes = runtime::system_disk().read_file(path, kSmallFile);
  return bytes ? std::string(as_text(*bytes)) : std::string();
}

Result<> make_folders(const std::string& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("making {}: {}", path, error.message()));
  return {};
}

std::uint64_t value_of(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.starts_with(key) && line.size() > key.size() && line[key.size()] == '=')
      return std::strtoull(line.c_str() + key.size() + 1, nullptr, 10);
  return 0;
}

// Not synced: after a power failure the container is prepared anew.
Result<> write_text(const std::string& path, std::string_view text, mode_t mode) {
  const Fd fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode));
  if (!fd) return fail(os_error("creating", path));
  for (std::size_t at = 0; at < text.size();) {
    const ssize_t n = ::write(fd.get(), text.data() + at, text.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return fail(os_error("writing", path));
    at += static_cast<std::size_t>(n);
  }
  return {};
}

Fd open_process(pid_t pid) { return Fd(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))); }

// Field `index` (1-based) of /proc/<pid>/stat, counted behind the command in parentheses.
std::uint64_t stat_field(pid_t pid, int index) {
  const std::string text = read_text(fmt::format("/proc/{}/stat", pid));
  std::size_t at = text.rfind(')');
  if (at == std::string::npos) return 0;
  for (int field = 2; field < index && at != std::string::npos; ++field) at = text.find(' ', at + 1);
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 1, nullptr, 10);
}

std::uint64_t folder_bytes(const std::string& folder, std::uint64_t enough) {
  std::uint64_t sum = 0;
  std::error_code error;
  const auto options = fs::directory_options::skip_permission_denied;
  for (auto it = fs::recursive_directory_iterator(folder, options, error);
       !error && it != fs::recursive_directory_iterator() && sum <= enough; it.increment(error)) {
    struct stat info{};
    if (::lstat(it->path().c_str(), &info) == 0) sum += static_cast<std::uint64_t>(info.st_blocks) * 512;
  }
  return sum;
}

}  // namespace

// The words of runc's JSON log that people can use: the msg of its last error.
std::string readable_runtime_error(std::string text) {
  while (text.ends_with('\n')) text.pop_back();
  constexpr std::string_view kKey = "\"msg\":\"";
  const std::size_t at = text.rfind(kKey);
  if (at == std::string::npos) return text;
  std::string out;
  for (std::size_t i = at + kKey.size(); i < text.size() && text[i] != '"'; ++i) {
    if (text[i] == '\\' && i + 1 < text.size()) ++i;
    out.push_back(text[i]);
  }
  return out;
}

Launcher::Launcher(VmOptions options, Cgroups cgroups, std::string prefix)
    : options_(std::move(options)),
      cgroups_(std::move(cgroups)),
      prefix_(std::move(prefix)),
      state_(options_.state_directory),
      machine_(read_machine_limits()) {
  machine_.limits_swap = cgroups_.limits_swap();
}

Result<std::unique_ptr<Launcher>> Launcher::open(const VmOptions& wanted) {
  VmOptions options = wanted;
  if (::geteuid() != 0) return fail(ErrorCode::kUnsupported, "running containers needs root");
  if (!options.state_directory.starts_with('/') ||
      options.state_directory.find_first_of(",:\\\n\r") != std::string::npos)
    return fail(ErrorCode::kInvalid,
                "the state directory must be an absolute path without ',', ':', '\\' and line ends");
  if (options.shim_path.empty()) {
    std::error_code error;
    options.shim_path = fs::read_symlink("/proc/self/exe", error).parent_path().string() + "/bonus-shim";
  }
  if (::access(options.shim_path.c_str(), X_OK) != 0)
    return fail(ErrorCode::kUnsupported, fmt::format("{} is missing; it belongs beside bonusd", options.shim_path));
  TRY_ASSIGN(auto cgroups, Cgroups::detect());
  runtime::ProcessOptions version;
  version.argv = {options.runtime_path, "--version"};
  if (auto ran = runtime::run_process(version); !ran || ran->exit_code != 0)
    return fail(ErrorCode::kUnsupported,
                fmt::format("the OCI runtime '{}' does not run; install runc", options.runtime_path));
  for (const char* folder : {"/containers", "/logs", "/runtime"}) TRY(make_folders(options.state_directory + folder));
  std::error_code ignored;
  fs::permissions(options.state_directory, fs::perms::owner_all, ignored);
  const std::string prefix = "bonus-" + to_hex(crypto::sha256(as_bytes(options.state_directory))).substr(0, 8);
  auto out = std::unique_ptr<Launcher>(new Launcher(std::move(options), std::move(cgroups), prefix));
  TRY(out->probe());
  return out;
}

// Tries what cannot be asked: loop devices and overlayfs may be missing or forbidden (in a container, for example).
Result<> Launcher::probe() {
  const std::string folder = state_ + "/probe";
  TRY(make_folders(folder));
  std::string reason = "not wanted";
  if (options_.use_loop_disks) {
    auto made = make_disk(folder + "/image", kLeastDiskMib);
    reason = made ? "" : made.error().message;
  }
  if (!reason.empty()) (void)::unlink((folder + "/image").c_str());
  runtime::ProcessOptions options;
  options.argv = {options_.shim_path, "probe", folder};
  TRY_ASSIGN(const auto ran, runtime::run_process(options));
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  if (value_of(ran.out, "overlay") != 1) {
    const std::size_t why = ran.out.find("why=");
    return fail(ErrorCode::kUnsupported, fmt::format("overlayfs cannot be mounted here: {}",
                                                     why == std::string::npos ? ran.err : ran.out.substr(why + 4)));
  }
  loop_disks_ = value_of(ran.out, "loop") == 1;
  if (reason.empty()) reason = ran.out;
  if (!loop_disks_)
    log::warn("vm", "no_loop_disks", {{"effect", "disk limits are enforced by polling"}, {"reason", reason}});
  return {};
}

Result<> Launcher::make_disk(const std::string& image, std::uint32_t disk_mib) const {
  {
    const Fd fd(::open(image.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!fd || ::ftruncate(fd.get(), static_cast<off_t>(std::max(disk_mib, kLeastDiskMib)) << 20) != 0)
      return fail(os_error("making the disk", image));
  }
  runtime::ProcessOptions options;
  // No journal: what a container wrote does not outlive the machine's crash anyhow. Tables are written when needed.
  options.argv = {
      "mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", "lazy_itable_init=1,nodiscard",
      image};
  options.extra_env = {{"PATH", "/usr/sbin:/sbin:/usr/bin:/bin"}};
  TRY_ASSIGN(const auto ran, runtime::run_process(options));
  if (ran.exit_code != 0) return fail(ErrorCode::kIo, fmt::format("mkfs.ext4 failed: {}", ran.err));
  return {};
}

std::string Launcher::shim_config(const Record& record, const std::vector<std::string>& layers) const {
  const std::string& id = record.status.id;
  const CgroupPaths groups = cgroups_.paths_of(cgroup_of(id));
  std::string out = fmt::format(
      "version=1\nruntime={}\nruntime_root={}\nid={}\nlogs={}\nlog_file_bytes={}\nlog_files={}\nlog_rate_bytes={}\n"
      "disk_image={}\ncgroup_version={}\ncgroup_cpu={}\ncgroup_cpuacct={}\ncgroup_memory={}\ncgroup_pids={}\n",
      options_.runtime_path, runtime_root(), runtime_id(id), log_folder_of(id), options_.log_file_bytes,
      options_.log_files, options_.log_rate_bytes, loop_disks_ ? folder_of(id) + "/disk.img" : "", groups.version,
      groups.cpu, groups.cpuacct, groups.memory, groups.pids);
  for (auto it = layers.rbegin(); it != layers.rend(); ++it)
    out += "lower=" + *it + "\n";  // overlayfs: uppermost first
  return out;
}

Result<> Launcher::prepare(const Record& record, const std::vector<std::string>& layers) const {
  const std::string& id = record.status.id;
  const std::string folder = folder_of(id);
  TRY(make_folders(folder + "/" + shim::kDiskFolder));
  TRY(make_folders(folder + "/" + shim::kRootFolder));
  TRY(make_folders(log_folder_of(id)));
  (void)::unlink((log_folder_of(id) + "/ended").c_str());
  if (layers.empty()) TRY(make_folders(folder + "/empty"));
  const std::vector<std::string> lower = layers.empty() ? std::vector{folder + "/empty"} : layers;

  std::vector<std::string> uppermost_first(layers.rbegin(), layers.rend());
  TRY_ASSIGN(UserIds user, resolve_user(record.image.user, read_from_layers(uppermost_first, "etc", "passwd", 1 << 20),
                                        read_from_layers(uppermost_first, "etc", "group", 1 << 20)));
  const SpecInput input{record.workload,
                        record.image,
                        std::move(user),
                        machine_,
                        id,
                        folder,
                        cgroup_of(id),
                        options_.network != nullptr ? folder + "/" + kNetworkLink : ""};
  TRY_ASSIGN(const std::string spec, make_spec(input));
  TRY(write_text(folder + "/config.json", spec, 0600));
  TRY(write_text(folder + "/hostname", id + "\n", 0644));
  std::string hosts = "127.0.0.1 localhost\n::1 localhost ip6-localhost\n";
  hosts += (options_.network != nullptr ? options_.network->address_of(id) : "127.0.0.1") + " " + id + "\n";
  TRY(write_text(folder + "/hosts", hosts, 0644));
  TRY(write_text(folder + "/resolv.conf",
                 options_.network != nullptr ? options_.network->resolver()
                                             : "# this container has no network beyond its own loopback\n",
                 0644));
  TRY(write_text(folder + "/" + shim::kConfigFile, shim_config(record, lower), 0600));
  if (!loop_disks_) return {};
  // The disk has no journal: it is good for the container's restarts, not for the machine's.
  const std::string boot = read_text("/proc/sys/kernel/random/boot_id");
  if (::access((folder + "/disk.img").c_str(), F_OK) == 0 && read_text(folder + "/boot") == boot) return {};
  TRY(make_disk(folder + "/disk.img", record.workload.disk_mib));
  TRY(write_text(folder + "/boot", boot, 0600));
  return {};
}

Result<Fd> Launcher::make_network(const std::string& id, const Workload& workload) const {
  if (options_.network == nullptr) return Fd();
  TRY_ASSIGN(Fd network, new_network());
  TRY(options_.network->attach(id, network.get(), workload.ports, workload.internet));
  // The runtime joins what the link names; afterwards the container's processes keep the namespace.
  const std::string link = folder_of(id) + "/" + kNetworkLink;
  (void)::unlink(link.c_str());
  if (::symlink(fmt::format("/proc/{}/fd/{}", ::getpid(), network.get()).c_str(), link.c_str()) != 0)
    return fail(os_error("naming the container's network"));
  return network;
}

Result<Running> Launcher::launch(const std::string& id, const Workload& workload) const {
  auto network = make_network(id, workload);
  if (!network) return fail(std::move(network).error().wrap("the container's network"));
  runtime::ProcessOptions options;
  options.argv = {options_.shim_path, "run", folder_of(id)};
  options.timeout = std::chrono::seconds(120);  // the shim gives the runtime 30 s for each of its calls
  auto ran = runtime::run_process(options);
  if (!ran || ran->exit_code != 0) {
    remove_remains(id);
    if (!ran) return fail(std::move(ran).error().wrap("starting the container"));
    return fail(ErrorCode::kIo, "starting the container: " + readable_runtime_error(ran->out));
  }
  auto running = open_running(id);
  // A process that ended at once leaves nothing to open, but its shim or its exit file tells.
  if (!running) return Running{};
  return std::move(*running);
}

std::optional<Running> Launcher::open_running(const std::string& id) const {
  std::istringstream pids(read_text(folder_of(id) + "/" + shim::kPidFile));
  Running out;
  std::uint64_t started = 0;
  pids >> out.shim_pid >> started;
  out.init_pid = std::atoi(read_text(folder_of(id) + "/" + shim::kInitPidFile).c_str());
  if (out.shim_pid <= 1 || out.init_pid <= 1) return std::nullopt;
  out.shim = open_process(out.shim_pid);
  // Start time: the pid may belong to another process by now.
  if (!out.shim || stat_field(out.shim_pid, 22) != started) return std::nullopt;
  Fd init = open_process(out.init_pid);
  Fd network(::open(fmt::format("/proc/{}/ns/net", out.init_pid).c_str(), O_RDONLY | O_CLOEXEC));
  // The first process is the shim's child until the shim has reaped it: only then are the descriptors really its.
  if (init && network && stat_field(out.init_pid, 4) == static_cast<std::uint64_t>(out.shim_pid)) {
    out.init = std::move(init);
    out.network = std::move(network);
  }
  return out;
}

std::optional<Running> Launcher::adopt(const std::string& id, const Workload& workload) const {
  const Fd lock(::open((folder_of(id) + "/" + shim::kLockFile).c_str(), O_RDWR | O_CLOEXEC));
  if (!lock || ::flock(lock.get(), LOCK_EX | LOCK_NB) == 0) return std::nullopt;  // nobody holds it: no shim
  auto running = open_running(id);
  if (running && running->network && options_.network != nullptr) {
    // Our end of its link went away with the process that had made it.
    if (auto attached = options_.network->attach(id, running->network.get(), workload.ports, workload.internet);
        !attached)
      log::warn("vm", "network_not_joined", {{"container", id}, {"error", attached.error().message}});
  }
  return running;
}

ExitInfo Launcher::exit_info(const std::string& id) const {
  ExitInfo out;
  const std::string text = read_text(folder_of(id) + "/" + shim::kExitFile);
  if (text.empty()) return out;
  out.known = true;
  out.exit_code = static_cast<int>(value_of(text, "exit_code"));
  out.out_of_memory = out.exit_code != 0 && value_of(text, "oom_kills") > 0;
  out.finished_at_ms = static_cast<UnixMillis>(value_of(text, "finished_ms"));
  out.cpu_ns = value_of(text, "cpu_ns");
  out.throttled_ns = value_of(text, "throttled_ns");
  out.memory_peak_bytes = value_of(text, "memory_peak_bytes");
  return out;
}

Result<> Launcher::signal(const std::string& id, const char* name) const {
  runtime::ProcessOptions options;
  options.argv = {options_.runtime_path, "--root", runtime_root(), "kill", runtime_id(id), name};
  TRY_ASSIGN(const auto ran, runtime::run_process(options));
  if (ran.exit_code != 0)
    return fail(ErrorCode::kConflict, "signalling the container: " + readable_runtime_error(ran.err));
  return {};
}

void Launcher::remove_remains(const std::string& id) const {
  if (!cgroups_.kill_all(cgroup_of(id))) log::error("vm", "processes_do_not_end", {{"container", id}});
  runtime::ProcessOptions options;
  options.argv = {options_.runtime_path, "--root", runtime_root(), "delete", "--force", runtime_id(id)};
  (void)runtime::run_process(options);
  cgroups_.remove(cgroup_of(id));
}

void Launcher::remove(const std::string& id) const {
  remove_remains(id);
  if (options_.network != nullptr) options_.network->detach(id);
  std::error_code error;
  fs::remove_all(folder_of(id), error);
  if (error) log::warn("vm", "folder_not_removed", {{"container", id}, {"error", error.message()}});
  const Fd mark(::open((log_folder_of(id) + "/ended").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
}

ContainerUsage Launcher::usage(const std::string& id, pid_t shim_pid) const {
  ContainerUsage out;
  if (shim_pid < 0) {
    const ExitInfo info = exit_info(id);
    out.cpu_ns = info.cpu_ns;
    out.throttled_ns = info.throttled_ns;
    out.memory_peak_bytes = info.memory_peak_bytes;
    return out;
  }
  const CgroupUsage counted = read_cgroup(cgroups_.paths_of(cgroup_of(id)));
  out.cpu_ns = counted.cpu_ns;
  out.throttled_ns = counted.throttled_ns;
  out.memory_bytes = counted.memory_bytes;
  out.memory_peak_bytes = counted.memory_peak_bytes;
  out.pids = counted.pids;
  if (loop_disks_) {
    // The disk is mounted in the shim's mount namespace only.
    struct statvfs info{};
    const std::string path = fmt::format("/proc/{}/root{}/{}", shim_pid, folder_of(id), shim::kDiskFolder);
    if (::statvfs(path.c_str(), &info) == 0) out.disk_bytes = (info.f_blocks - info.f_bfree) * info.f_frsize;
  } else {
    out.disk_bytes = folder_bytes(folder_of(id) + "/disk/upper", UINT64_MAX);
  }
  return out;
}

bool Launcher::over_disk_limit(const std::string& id, std::uint32_t disk_mib) const {
  if (loop_disks_) return false;
  const std::uint64_t limit = static_cast<std::uint64_t>(disk_mib) << 20;
  return folder_bytes(folder_of(id) + "/disk/upper", limit) > limit;
}

std::vector<std::string> Launcher::folders() const {
  std::vector<std::string> out;
  std::error_code error;
  for (auto it = fs::directory_iterator(state_ + "/containers", error); !error && it != fs::directory_iterator();
       it.increment(error))
    out.push_back(it->path().filename().string());
  return out;
}

}  // namespace bonus::compute::vm
