// Trace lines of EIP-3155 as geth and evmone write them: one JSON object per instruction.
#pragma once

#include <functional>
#include <string_view>

#include "bonus/chain/evm/tracer.hpp"
#include "bonus/chain/vectors/state_run.hpp"

namespace bonus::chain::vectors {

/// Calls `line` with each line, without the line feed. Not thread-safe.
class TraceWriter final : public evm::Tracer {
 public:
  using Line = std::function<void(std::string_view)>;
  explicit TraceWriter(Line line) : line_(std::move(line)) {}

  void on_step(const evm::Step& step) override;
  /// The two lines that end a run: geth's output and gas, then the state root with what EIP-3155 wants beside it.
  void finish(const StateRun& run, std::string_view fork);

 private:
  Line line_;
};

}  // namespace bonus::chain::vectors
