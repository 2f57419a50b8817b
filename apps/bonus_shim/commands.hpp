// The shim's commands. Each returns the exit code of the process that was started by bonusd.
#pragma once

#include <string>
#include <vector>

namespace bonus::shim {

/// run CONTAINER_FOLDER: prints "ok INIT_PID SHIM_PID" when the container's process runs, or "error: ..." (exit code
/// 1).
[[nodiscard]] int run_command(const std::string& bundle);
/// exec RUNTIME ROOT ID FOLDER tty|pipes: see docs/formats/shim.md. FOLDER holds process.json.
[[nodiscard]] int exec_command(const std::vector<std::string>& arguments);
/// probe FOLDER: prints "loop=0|1" and "overlay=0|1", after trying both in the folder.
[[nodiscard]] int probe_command(const std::string& folder);

}  // namespace bonus::shim
