// What an observer of an execution sees. With a tracer the machine runs the reference interpreter.
#pragma once

#include <span>

#include "bonus/chain/api/types.hpp"
#include "bonus/chain/evm/message.hpp"

namespace bonus::chain::evm {

/// One instruction before it runs.
struct Step {
  std::uint64_t pc = 0;
  std::uint8_t op = 0;
  std::uint32_t depth = 0;    ///< 0: the transaction's own frame.
  std::int64_t gas = 0;       ///< Left before the instruction.
  std::int64_t gas_cost = 0;  ///< All of it; for calls with the gas that is passed on, as geth counts.
  std::int64_t refund = 0;
  std::span<const uint256> stack;  ///< Bottom first.
  BytesView memory;                ///< Before the instruction (not yet expanded).
  BytesView return_data;
  const Message* message = nullptr;
  Status error = Status::kSuccess;  ///< Set when the instruction cannot run: the frame ends here.
};

class Tracer {
 public:
  virtual ~Tracer() = default;
  /// A call or creation begins, precompiles and system contracts included. `op` is the instruction (OP_CALL, ...,
  /// OP_SELFDESTRUCT for the transfer it makes); for the transaction itself OP_CALL or OP_CREATE.
  virtual void on_enter(const Message& /*message*/, std::uint8_t /*op*/) {}
  virtual void on_exit(const Message& /*message*/, const Outcome& /*outcome*/) {}
  virtual void on_step(const Step& /*step*/) {}
  virtual void on_log(const Log& /*log*/) {}
  /// True ends every frame at its next instruction as if it were out of gas: for a bound on what a trace may take.
  [[nodiscard]] virtual bool stopped() const { return false; }
};

}  // namespace bonus::chain::evm
