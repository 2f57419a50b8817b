// One more process in a running container, through `bonus-shim exec`.
#pragma once

#include <memory>
#include <string>

#include "bonus/base/os.hpp"
#include "bonus/compute/vm/launcher.hpp"

namespace bonus::compute::vm {

/// What a started exec is made of. Descriptors not used are empty.
struct ExecProcess {
  Fd control;   ///< To the helper: says how it ended; closing it kills the process.
  Fd terminal;  ///< Master of its terminal, when it has one.
  Fd in, out, err;
};
/// Blocking. `folder` is made, used and removed. kInvalid: the program cannot be run in the container.
[[nodiscard]] Result<ExecProcess> start_exec(const Launcher& launcher, const std::string& id, const std::string& folder,
                                             const ExecRequest& request);
[[nodiscard]] Result<std::unique_ptr<ExecSession>> make_exec_session(runtime::Executor executor, ExecProcess process);

}  // namespace bonus::compute::vm
