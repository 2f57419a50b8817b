// The node's own view of /etc/resolv.conf (resolv.conf(5)) in a mount namespace of its own (mount_namespaces(7)).
#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include <cerrno>
#include <filesystem>

#include "bonus/net/host/namespace.hpp"

namespace bonus::net::host {
namespace {

// Daemons that answer name queries beside resolv.conf: glibc's cache and nss-resolve. They live outside and know
// nothing of .bonus; with their sockets hidden, the C library asks the servers of resolv.conf.
constexpr const char* kNameSockets[] = {"/run/nscd/socket", "/var/run/nscd/socket",
                                        "/run/systemd/resolve/io.systemd.Resolve"};

Result<> write_text(const std::string& path, const std::string& text) {
  const Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file) return fail(os_error("creating", path));
  if (::write(file.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size()))
    return fail(os_error("writing", path));
  return {};
}

// Slave, not private: what the machine mounts still arrives here, and what it unmounts does not stay busy.
Result<> make_mounts_slaves() {
  const Fd root(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd folder(::open(".", O_PATH | O_DIRECTORY | O_CLOEXEC));
  const Fd self(::open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC));
  // In a chroot "/" is not a mount. Entering the namespace we are in already leads to its real root.
  if (!root || !folder || !self || ::setns(self.get(), CLONE_NEWNS) != 0)
    return fail(os_error("finding the root of", "the mount namespace"));
  const int changed = ::mount(nullptr, "/", nullptr, MS_SLAVE | MS_REC, nullptr);
  const int code = errno;
  if (::fchdir(root.get()) != 0 || ::chroot(".") != 0 || ::fchdir(folder.get()) != 0)
    return fail(os_error("returning to", "the root folder"));
  if (changed != 0) return fail(os_error("detaching", "mounts from the machine's", code));
  return {};
}

Result<> put_over(const std::string& file) {
  if (::mount(file.c_str(), "/etc/resolv.conf", nullptr, MS_BIND, nullptr) != 0)
    return fail(os_error("mounting", "/etc/resolv.conf"));
  return {};
}

}  // namespace

std::string resolver_file(const std::vector<Ipv6>& servers) {
  std::string out = "# Names inside this node's network namespace; the machine's own file is unchanged.\n";
  for (const auto& server : servers) out += fmt::format("nameserver {}\n", to_string(server));
  return out + "options edns0\n";
}

Result<> use_resolver(const std::string& folder, const std::vector<Ipv6>& servers) {
  if (!folder.starts_with('/') || servers.empty() || servers.size() > 3)
    return fail(ErrorCode::kInvalid, "resolv.conf needs an absolute folder and one to three servers");
  struct stat info{};
  if (::stat("/etc/resolv.conf", &info) != 0)
    return fail(os_error("finding", "/etc/resolv.conf (make an empty one, so that the node can put its own over it)"));
  const std::string file = folder + "/resolv.conf";
  const std::string hidden = folder + "/hidden";
  TRY(write_text(file, resolver_file(servers)));
  TRY(write_text(hidden, ""));
  if (::unshare(CLONE_NEWNS) != 0) return fail(os_error("making a mount namespace", ""));
  TRY(make_mounts_slaves());
  TRY(put_over(file));
  for (const char* name : kNameSockets) {
    if (::stat(name, &info) != 0 || !S_ISSOCK(info.st_mode)) continue;
    if (::mount(hidden.c_str(), name, nullptr, MS_BIND, nullptr) != 0) return fail(os_error("hiding", name));
  }
  return {};
}

Result<bool> keep_resolver(const std::string& folder) {
  const std::string file = folder + "/resolv.conf";
  struct stat wanted{}, present{};
  if (::stat(file.c_str(), &wanted) != 0) return fail(os_error("finding", file));
  if (::stat("/etc/resolv.conf", &present) != 0) return fail(os_error("finding", "/etc/resolv.conf"));
  if (wanted.st_dev == present.st_dev && wanted.st_ino == present.st_ino) return false;
  TRY(put_over(file));
  return true;
}

}  // namespace bonus::net::host
