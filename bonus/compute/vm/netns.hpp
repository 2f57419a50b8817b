// Containers' network namespaces: making one, and connecting to its loopback from here.
#pragma once

#include "bonus/base/os.hpp"
#include "bonus/runtime/stream.hpp"

namespace bonus::compute::vm {

/// A new, empty network namespace: it lives as long as the descriptor, or a process in it.
[[nodiscard]] Result<Fd> new_network();
/// A TCP socket that belongs to the namespace. Blocking for microseconds: a thread of its own enters the namespace and
/// ends, so that no other thread is ever in it.
[[nodiscard]] Result<Fd> socket_in(const Fd& network, int family);
/// Connects `socket` (of `family`) to its own namespace's loopback. kUnavailable: nobody listens on the port; kTimeout.
[[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect_loopback(Fd socket, int family,
                                                                                           std::uint16_t port,
                                                                                           Duration timeout);

}  // namespace bonus::compute::vm
