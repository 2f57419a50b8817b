// A command inside a lease over a WebSocket (docs/formats/local_api.md, "Exec channels").
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bonus/cli/console.hpp"

namespace bonus::cli {

struct ExecCall {
  std::string url;  ///< http://...; the upgrade is made there.
  std::string authorization;
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  bool interactive = false;  ///< Standard input is passed on.
  bool tty = false;          ///< The terminal becomes raw, its size follows.
};
/// Runs to the end on this thread. Returns the command's exit code; kUnavailable when the connection breaks before.
[[nodiscard]] Result<int> run_exec(Console& console, ExecCall call);

}  // namespace bonus::cli
