// The system calls a container may make (OCI runtime-spec, config-linux.md "Seccomp").
#pragma once

#include <boost/json/object.hpp>

namespace bonus::compute::vm {

/// An allow list: everything else fails with EPERM; clone3 with ENOSYS so that the C library falls back to clone, whose
/// flags the filter can read. New namespaces, mounting, keyrings, BPF, tracing of others, modules and clocks are not
/// allowed.
[[nodiscard]] boost::json::object seccomp_profile();

}  // namespace bonus::compute::vm
