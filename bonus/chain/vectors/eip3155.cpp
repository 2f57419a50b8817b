// EIP-3155 traces.
#include "bonus/chain/vectors/eip3155.hpp"

#include <fmt/format.h>

#include <iterator>

#include "bonus/chain/evm/opcodes.hpp"

namespace bonus::chain::vectors {

void TraceWriter::on_step(const evm::Step& step) {
  fmt::memory_buffer out;
  auto to = std::back_inserter(out);
  fmt::format_to(to, R"({{"pc":{},"op":{},"gas":"{:#x}","gasCost":"{:#x}","memSize":{},"stack":[)", step.pc, step.op,
                 step.gas, step.gas_cost, step.memory.size());
  for (std::size_t i = 0; i < step.stack.size(); ++i)
    fmt::format_to(to, R"({}"{}")", i == 0 ? "" : ",", step.stack[i].to_quantity());
  fmt::format_to(to, R"(],"depth":{},"refund":{},)", step.depth + 1, step.refund);
  const std::string_view name = evm::op_infos()[step.op].name;
  if (name.empty()) {
    fmt::format_to(to, R"("opName":"opcode {:#x} not defined")", step.op);
  } else {
    fmt::format_to(to, R"("opName":"{}")", name);
  }
  if (step.error != evm::Status::kSuccess) fmt::format_to(to, R"(,"error":"{}")", to_string(step.error));
  fmt::format_to(to, "}}");
  line_({out.data(), out.size()});
}

void TraceWriter::finish(const StateRun& run, std::string_view fork) {
  const bool passed = run.valid() && run.status == evm::Status::kSuccess;
  const std::string output = run.output.empty() ? std::string() : to_hex0x(run.output);
  if (run.valid()) {
    const std::string error = passed ? std::string() : fmt::format(R"(,"error":"{}")", to_string(run.status));
    line_(fmt::format(R"({{"output":"{}","gasUsed":"{:#x}"{}}})", output, run.gas_used, error));
  }
  line_(fmt::format(R"({{"stateRoot":"{}","output":"{}","gasUsed":"{:#x}","pass":{},"fork":"{}"}})",
                    to_hex0x(run.state_root), output, run.gas_used, passed, fork));
}

}  // namespace bonus::chain::vectors
