// Processes of a devnet: started in sessions of their own, recognised by pid and start time, ended with their
// containers.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <filesystem>
#include <sstream>

#include "bonus/base/os.hpp"
#include "bonus/cli/devnet.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/rpc_client.hpp"
#include "bonus/compute/vm/shim_protocol.hpp"
#include "bonus/crypto/hash.hpp"
#include "bonus/runtime/detached.hpp"
#include "bonus/runtime/process.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace shim = compute::vm::shim;

constexpr std::size_t kSmallFile = 64 << 10;
constexpr Duration kShimGrace = std::chrono::seconds(5);

struct Socket {
  Fd fd;
  explicit Socket(int type = SOCK_STREAM) : fd(::socket(AF_INET, type | SOCK_CLOEXEC, 0)) {}
  /// The port bound on the loopback, 0 on failure.
  [[nodiscard]] std::uint16_t bind(std::uint16_t port) const {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const int yes = 1;
    ::setsockopt(fd.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (!fd || ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) return 0;
    socklen_t size = sizeof address;
    if (::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
    return ntohs(address.sin_port);
  }
};

runtime::DetachedProcess process_of(const DevnetNode& node) {
  return {.pid = static_cast<pid_t>(node.pid), .start_ticks = node.start_ticks};
}

/// Value of a "key=value" line.
std::string setting(const std::string& text, std::string_view key) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);)
    if (line.size() > key.size() && line.starts_with(key) && line[key.size()] == '=')
      return line.substr(key.size() + 1);
  return {};
}

void clean_container(const fs::path& folder) {
  const auto settings = read_text((folder / shim::kConfigFile).string(), kSmallFile);
  if (settings) {
    const std::string runtime_path = setting(*settings, "runtime"), root = setting(*settings, "runtime_root"),
                      id = setting(*settings, "id");
    if (!runtime_path.empty() && !root.empty() && !id.empty()) {
      runtime::ProcessOptions remove;
      remove.argv = {runtime_path, "--root", root, "delete", "--force", id};
      static_cast<void>(runtime::run_process(remove));
    }
  }
  if (const auto text = read_text((folder / shim::kPidFile).string(), kSmallFile)) {
    std::istringstream fields(*text);
    runtime::DetachedProcess keeper;
    fields >> keeper.pid >> keeper.start_ticks;
    // It ends by itself now that its container is gone.
    if (!runtime::wait_gone(keeper, kShimGrace)) static_cast<void>(runtime::end_process(keeper, SIGKILL, kShimGrace));
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
}

}  // namespace

Result<std::vector<std::uint16_t>> free_ports(std::size_t count) {
  std::vector<Socket> held;  // until all are chosen, so that they differ
  std::vector<std::uint16_t> out;
  constexpr std::size_t kSpareTries = 256;
  for (std::size_t i = 0; out.size() < count; ++i) {
    held.emplace_back();
    const std::uint16_t port = held.back().bind(0);
    if (port == 0 || i == count + kSpareTries) return fail(ErrorCode::kIo, "no free port on 127.0.0.1");
    held.emplace_back(SOCK_DGRAM);
    if (held.back().bind(port) == port) out.push_back(port);
  }
  return out;
}

bool port_is_free(std::uint16_t port) {
  const Socket probe;
  return port != 0 && probe.bind(port) == port;
}

bool is_running(const DevnetNode& node) { return runtime::is_alive(process_of(node)); }

Result<std::string> find_program(std::string_view name) {
  std::error_code error;
  const fs::path own = fs::read_symlink("/proc/self/exe", error);
  const fs::path beside = own.parent_path() / name;
  if (error || !fs::exists(beside))
    return fail(ErrorCode::kNotFound, fmt::format("there is no {}: {} belongs beside bonus", beside.string(), name));
  return beside.string();
}

Result<std::string> find_bonusd() { return find_program("bonusd"); }

Result<> start_node(Devnet& net, DevnetNode& node, const std::string& bonusd) {
  if (is_running(node)) return {};
  const auto index = static_cast<std::size_t>(&node - net.nodes.data());
  const std::string folder = net.node_dir(node);
  TRY(make_private_folder(folder + "/data"));
  std::string settings = devnet_config(net, index, true);
  // What somebody tries out on one node: lines for its [net], kept over restarts.
  if (const auto more = read_text(folder + "/net.toml", kSmallFile))
    settings.insert(settings.find("\n[net]\n") + 7, *more + "\n");
  TRY(write_text(folder + "/bonusd.toml", settings, 0600));
  std::error_code ignored;
  fs::remove(folder + "/data/endpoints.json", ignored);

  auto started = runtime::start_detached({bonusd, "run", "--config", folder + "/bonusd.toml"}, folder + "/log");
  if (!started) return fail(std::move(started).error().wrap(node.name));
  node.pid = started->pid;
  node.start_ticks = started->start_ticks;
  return net.save();
}

bool read_endpoints(const Devnet& net, DevnetNode& node) {
  const auto text = read_text(net.node_dir(node) + "/data/endpoints.json", kSmallFile);
  if (!text) return false;
  boost::system::error_code bad;
  const json::value root = json::parse(*text, bad);
  if (bad) return false;
  const auto url = [&](std::string_view name) {
    std::string value = json_text(root, name);
    if (!value.empty() && value.find("://") == std::string::npos) value = "http://" + value;
    while (value.ends_with('/')) value.pop_back();
    return value;
  };
  node.rpc = url("rpc");
  node.api = url("api");
  node.registry = url("registry");
  node.gateway = url("gateway");
  node.metrics = url("metrics");
  return !node.api.empty();
}

Result<bool> stop_node(DevnetNode& node, int signal, Duration grace) {
  if (!is_running(node)) return false;
  auto ended = runtime::end_process(process_of(node), signal, grace);
  if (ended) return true;
  if (ended.error().code == ErrorCode::kDenied)
    ended.error().message += "; stop it as the one who started it, or as root";
  return fail(std::move(ended).error().wrap(node.name));
}

std::size_t clean_containers(const Devnet& net, const DevnetNode& node) {
  const std::string state = net.node_dir(node) + "/containers";
  std::vector<fs::path> folders;
  std::error_code error;
  for (fs::directory_iterator it(state + "/containers", error), end; !error && it != end; it.increment(error))
    folders.push_back(it->path());
  for (const auto& folder : folders) clean_container(folder);
  // bonusd names its control groups by its state folder (bonus/compute/vm/launcher.cpp); rmdir refuses used ones.
  const std::string group = "bonus-" + to_hex(crypto::sha256(as_bytes(state))).substr(0, 8);
  ::rmdir(("/sys/fs/cgroup/" + group).c_str());
  for (fs::directory_iterator it("/sys/fs/cgroup", error), end; !error && it != end; it.increment(error))
    if (!it->is_symlink(error)) ::rmdir((it->path() / group).c_str());
  return folders.size();
}

std::string log_tail(const Devnet& net, const DevnetNode& node, std::size_t lines) {
  constexpr long kMaxTail = 64 << 10;
  std::FILE* file = std::fopen((net.node_dir(node) + "/log").c_str(), "re");
  if (file == nullptr) return {};
  std::fseek(file, 0, SEEK_END);
  const long size = std::ftell(file);
  std::fseek(file, std::max(0L, size - kMaxTail), SEEK_SET);
  std::string text(static_cast<std::size_t>(std::min(size, kMaxTail)), '\0');
  text.resize(std::fread(text.data(), 1, text.size(), file));
  std::fclose(file);
  std::size_t at = text.size();
  for (std::size_t i = 0; i <= lines && at != std::string::npos && at > 0; ++i) at = text.rfind('\n', at - 1);
  return at == std::string::npos || at == 0 ? text : text.substr(at + 1);
}

Result<std::string> default_devnet_dir(const Environment& environment) {
  if (auto dir = environment.get("BONUS_DEVNET_DIR")) return *dir;
  TRY_ASSIGN(const auto state, environment.state_dir());
  return state + "/devnet";
}

std::vector<std::string> devnet_node_names(const Environment& environment) {
  std::vector<std::string> out;
  if (const auto dir = default_devnet_dir(environment))
    if (const auto net = Devnet::load(*dir))
      for (const auto& node : net->nodes) out.push_back(node.name);
  return out;
}

}  // namespace bonus::cli
