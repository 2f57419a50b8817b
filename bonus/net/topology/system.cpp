// Namespaces, commands and files.
#include "bonus/net/topology/system.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <thread>

#include "bonus/runtime/process.hpp"

namespace bonus::net::topology {
namespace {

namespace fs = std::filesystem;
constexpr std::string_view kNamespaces = "/run/netns/";

Result<> run_tool(std::vector<std::string> argv, const std::string& input) {
  if (input.empty()) return {};
  runtime::ProcessOptions options;
  options.argv = std::move(argv);
  options.input = Bytes(input.begin(), input.end());
  const std::string name = options.argv[0];
  TRY_ASSIGN(const auto result, runtime::run_process(options));
  if (result.exit_code == 0) return {};
  constexpr std::size_t kMost = 500;
  return fail(ErrorCode::kIo, fmt::format("{}: {}", name, result.err.substr(0, kMost)));
}

}  // namespace

Result<> in_namespace(const std::string& name, const std::function<Result<>()>& action) {
  const Fd space(::open((std::string(kNamespaces) + name).c_str(), O_RDONLY | O_CLOEXEC));
  if (!space) return fail(os_error("namespace " + name));
  Result<> result;
  // A namespace belongs to a thread; this one ends with the visit, so that nobody has to find the way back.
  std::thread visitor([&] {
    if (::setns(space.get(), CLONE_NEWNET) != 0)
      result = fail(os_error("entering namespace " + name));
    else
      result = action();
  });
  visitor.join();
  if (!result) return fail(std::move(result).error().wrap(name));
  return {};
}

std::vector<std::string> namespaces_with(const std::string& beginning) {
  std::vector<std::string> out;
  std::error_code error;
  for (fs::directory_iterator it(kNamespaces, error), end; !error && it != end; it.increment(error))
    if (std::string name = it->path().filename().string(); name.starts_with(beginning)) out.push_back(std::move(name));
  return out;
}

Result<> remove_namespace(const std::string& name) {
  const std::string path = std::string(kNamespaces) + name;
  if (::umount2(path.c_str(), MNT_DETACH) != 0 && errno != EINVAL && errno != ENOENT)
    return fail(os_error("unmounting " + path));
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return fail(os_error("removing " + path));
  return {};
}

Result<> run_ip(const std::string& lines) { return run_tool({"ip", "-batch", "-"}, lines); }
Result<> run_nft(const std::string& script) { return run_tool({"nft", "-f", "-"}, script); }

Result<> set_switch(const std::string& name, std::string_view value) {
  const std::string path = "/proc/sys/" + name;
  const Fd file(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file && errno == ENOENT) return {};
  if (!file || ::write(file.get(), value.data(), value.size()) < 0) return fail(os_error(path));
  return {};
}

Result<> replace_file(const std::string& path, std::string_view text) {
  const std::string fresh = path + ".new";
  {
    const Fd file(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
    if (!file) return fail(os_error(fresh));
    while (!text.empty()) {
      const ssize_t n = ::write(file.get(), text.data(), text.size());
      if (n < 0) return fail(os_error(fresh));
      text.remove_prefix(static_cast<std::size_t>(n));
    }
  }
  if (::rename(fresh.c_str(), path.c_str()) != 0) return fail(os_error(path));
  return {};
}

Result<std::string> whole_file(const std::string& path, std::size_t limit) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(os_error(path));
  std::string out;
  std::array<char, 16384> buffer{};
  for (;;) {
    const ssize_t n = ::read(file.get(), buffer.data(), buffer.size());
    if (n < 0) return fail(os_error(path));
    if (n == 0) return out;
    if (out.size() + static_cast<std::size_t>(n) > limit)
      return fail(ErrorCode::kExhausted, fmt::format("{}: larger than {} bytes", path, limit));
    out.append(buffer.data(), static_cast<std::size_t>(n));
  }
}

}  // namespace bonus::net::topology
