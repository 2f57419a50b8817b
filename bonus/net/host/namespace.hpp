// Network namespaces: entering a configured one, leaving it for one of our own (namespaces(7), user_namespaces(7)), and
// working in another for a moment. Order in bonusd's main, all while there is a single thread: open the TCP listeners,
// enter_namespace(net.namespace), open the UDP socket, HelperProcess::start(), enter_own_namespace(), use_resolver().
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::host {

enum class Isolation : std::uint8_t {
  kPrivileged,     ///< Our own network namespace, owned by the machine's user namespace: every role works.
  kUserNamespace,  ///< Network namespace in a user namespace of our own: all but containers and the exit role.
};
[[nodiscard]] std::string_view to_string(Isolation isolation);

/// The namespace of the calling thread, or a named one: "blue" is /run/netns/blue, anything with '/' is a path.
[[nodiscard]] Result<Fd> current_namespace();
[[nodiscard]] Result<Fd> open_namespace(std::string_view name_or_path);
/// The namespace of a process.
[[nodiscard]] Result<Fd> namespace_of(int pid);
/// Moves the calling thread. kNotFound, kDenied.
[[nodiscard]] Result<> enter_namespace(std::string_view name_or_path);

struct OwnNamespaceOptions {
  bool allow_user_namespace = true;  ///< When the privileged way is refused.
};
/// What enter_own_namespace() would do, tried in a child process; this process stays where it is. The same errors.
[[nodiscard]] Result<Isolation> probe_own_namespace(const OwnNamespaceOptions& options = {});
/// Moves the process (one thread only: kConflict otherwise) into a new network namespace whose loopback is up. In the
/// unprivileged way user and group ids stay what they are, with all capabilities over the new namespaces; programs that
/// are executed later do not have them. kUnsupported says what the operator can do where neither way is open.
[[nodiscard]] Result<Isolation> enter_own_namespace(const OwnNamespaceOptions& options = {});

/// Gives this process (one thread only) and its later children a mount namespace in which /etc/resolv.conf names
/// `servers`; the machine's file is never changed. Mounts made on the machine still arrive here; containers are not
/// affected, as each shim mounts in a namespace of its own. The sockets of nscd and systemd-resolved, which would
/// answer from outside, are hidden. In a chroot /proc/self/exe does not lead to the program any more afterwards.
/// `folder`: where the file is kept, absolute, writable (the state directory).
[[nodiscard]] Result<> use_resolver(const std::string& folder, const std::vector<Ipv6>& servers);
/// Any time after use_resolver(), from any thread: puts the node's file back where it is not there any more, which
/// happens when the machine replaces its own by renaming (the kernel then detaches what was mounted on it). Whether it
/// had to.
[[nodiscard]] Result<bool> keep_resolver(const std::string& folder);
/// The text of that file.
[[nodiscard]] std::string resolver_file(const std::vector<Ipv6>& servers);

/// Runs `work` on a thread of its own inside the namespace and waits: sockets opened there belong to it for good.
[[nodiscard]] Result<> in_namespace(int namespace_fd, const std::function<Result<>()>& work);

}  // namespace bonus::net::host
