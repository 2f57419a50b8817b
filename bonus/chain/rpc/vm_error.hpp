// geth's texts for what ends a frame, which tools parse, and the JSON-RPC failure that they become.
#pragma once

#include <string>

#include "bonus/chain/api/revision.hpp"
#include "bonus/chain/evm/tracer.hpp"
#include "bonus/chain/rpc/failure.hpp"

namespace bonus::chain::rpc {

/// The instruction at which a frame ended, for texts that name it.
struct FaultPlace {
  std::uint8_t op = 0;
  std::size_t stack_height = 0;
};
/// "stack underflow (0 <=> 2)", "invalid opcode: INVALID"; without a place the bare text.
[[nodiscard]] std::string vm_error(evm::Status status, const FaultPlace* place = nullptr);
/// The same for a frame that a step reported as ended.
[[nodiscard]] std::string vm_error(const evm::Step& step);
/// geth's name of an instruction; "opcode 0xc not defined" for a number that is none.
[[nodiscard]] std::string op_name(std::uint8_t op, Revision revision);

/// The reason in revert data: an Error(string) or a Panic(uint256); nothing when there is none.
[[nodiscard]] std::optional<std::string> revert_reason(BytesView output);
/// "execution reverted: <reason>".
[[nodiscard]] std::string revert_text(BytesView output);
/// Code 3 with the data.
[[nodiscard]] std::unexpected<Failure> reverted(BytesView output);

/// Remembers where the transaction's own frame ended.
class FaultProbe final : public evm::Tracer {
 public:
  void on_step(const evm::Step& step) override {
    if (step.depth == 0 && step.error != evm::Status::kSuccess) place_ = FaultPlace{step.op, step.stack.size()};
  }
  [[nodiscard]] const FaultPlace* place() const { return place_ ? &*place_ : nullptr; }

 private:
  std::optional<FaultPlace> place_;
};

}  // namespace bonus::chain::rpc
