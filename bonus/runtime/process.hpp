// Child processes: started without a shell, bounded output, never left as zombies.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::runtime {

struct ProcessOptions {
  std::vector<std::string> argv;  ///< argv[0] is looked up in PATH.
  std::map<std::string, std::string> extra_env;
  std::string working_directory;                ///< Empty: this process's.
  Bytes input;                                  ///< Given on standard input.
  std::size_t output_limit_bytes = 1 << 20;     ///< Of each of stdout and stderr; more is read and dropped.
  Duration timeout = std::chrono::seconds(60);  ///< Then SIGKILL and kTimeout.
};
struct ProcessResult {
  int exit_code = 0;  ///< 128 + signal when it was killed.
  std::string out, err;
};
/// Blocking; call from a BlockingPool thread or a command-line program. kNotFound: no such program.
[[nodiscard]] Result<ProcessResult> run_process(const ProcessOptions& options);
/// The same as a coroutine.
[[nodiscard]] Task<Result<ProcessResult>> run_process_async(BlockingPool& pool, ProcessOptions options);

}  // namespace bonus::runtime
