// The default tracer: every instruction with stack, storage, memory (geth's struct logger, execution-apis'
// OpcodeTransactionTrace).
#include <boost/json/array.hpp>
#include <unordered_map>

#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/rpc/trace_tracer.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

class StructLogger final : public TransactionTracer {
 public:
  StructLogger(const json::object& options, TraceBudget& budget)
      : budget_(budget),
        with_stack_(!flag(options, "disableStack")),
        with_storage_(!flag(options, "disableStorage")),
        with_memory_(flag(options, "enableMemory")),
        with_return_data_(flag(options, "enableReturnData")) {
    if (const auto* limit = options.if_contains("limit"); limit != nullptr && limit->is_number())
      limit_ = limit->to_number<std::int64_t>() > 0 ? limit->to_number<std::size_t>() : 0;
  }

  void begin(const TracedTransaction& traced) override { traced_ = traced; }

  void on_step(const evm::Step& step) override {
    if (!budget_.step() || (limit_ != 0 && steps_.size() >= limit_)) return;
    if (!budget_.take(kStepBytes)) return;
    json::object out;
    out["pc"] = step.pc;
    out["op"] = op_name(step.op, traced_.block->revision);
    out["gas"] = step.gas;
    out["gasCost"] = cost_of(step);
    out["depth"] = step.depth + 1;
    if (step.error != evm::Status::kSuccess) out["error"] = vm_error(step);
    if (with_stack_) out["stack"] = stack_of(step);
    if (with_return_data_ && !step.return_data.empty() && budget_.take(2 * step.return_data.size()))
      out["returnData"] = to_hex0x(step.return_data);
    if (with_memory_ && !step.memory.empty()) out["memory"] = memory_of(step);
    if (with_storage_) add_storage(step, out);
    if (step.refund > 0) out["refund"] = step.refund;
    steps_.emplace_back(std::move(out));
  }

  [[nodiscard]] bool stopped() const override { return !budget_.ok(); }

  JsonReply finish(const evm::TransactionOutcome& outcome) override {
    if (budget_.failed()) return std::unexpected(*budget_.failed());
    const bool shows_output = outcome.status == evm::Status::kSuccess || outcome.status == evm::Status::kRevert;
    json::object out;
    out["gas"] = outcome.gas_used;
    out["failed"] = outcome.status != evm::Status::kSuccess;
    out["returnValue"] = shows_output ? to_hex0x(outcome.output) : "0x";
    out["structLogs"] = std::move(steps_);
    return out;
  }

 private:
  static constexpr std::size_t kStepBytes = 160;  // Of JSON, without what is variable.
  static constexpr std::size_t kWordBytes = 70;

  /// An instruction whose stack is wrong has not paid, but geth shows what is fixed of its price.
  [[nodiscard]] std::int64_t cost_of(const evm::Step& step) const {
    if (step.error != evm::Status::kStackUnderflow && step.error != evm::Status::kStackOverflow) return step.gas_cost;
    return std::max<std::int64_t>(evm::gas_costs(traced_.block->revision)[step.op], 0);
  }
  json::array stack_of(const evm::Step& step) {
    json::array out;
    if (!budget_.take(step.stack.size() * 8)) return out;
    out.reserve(step.stack.size());
    for (const uint256& word : step.stack) {
      out.emplace_back(word.to_quantity());
      if (!budget_.take(out.back().get_string().size())) return out;
    }
    return out;
  }
  json::array memory_of(const evm::Step& step) {
    json::array out;
    if (!budget_.take(step.memory.size() / 32 * kWordBytes)) return out;
    for (std::size_t at = 0; at + 32 <= step.memory.size(); at += 32)
      out.emplace_back(to_hex0x(step.memory.subspan(at, 32)));
    return out;
  }
  /// What the contract has read and written so far, shown where it does either.
  void add_storage(const evm::Step& step, json::object& out) {
    const bool load = step.op == evm::OP_SLOAD && !step.stack.empty();
    const bool store = step.op == evm::OP_SSTORE && step.stack.size() >= 2;
    if (!load && !store) return;
    const Address& contract = step.message->recipient;
    const uint256& slot = step.stack.back();
    const uint256 value = load ? traced_.journal->storage({contract, slot}) : step.stack[step.stack.size() - 2];
    json::object& seen = storage_[contract];
    seen[to_hex0x(slot.to_be())] = to_hex0x(value.to_be());
    if (budget_.take(2 * kWordBytes * seen.size())) out["storage"] = seen;
  }

  TraceBudget& budget_;
  const bool with_stack_, with_storage_, with_memory_, with_return_data_;
  std::size_t limit_ = 0;  ///< Steps shown; 0: all.
  TracedTransaction traced_;
  json::array steps_;
  std::unordered_map<Address, json::object> storage_;
};

}  // namespace

std::unique_ptr<TransactionTracer> make_struct_logger(const json::object& options, TraceBudget& budget) {
  return std::make_unique<StructLogger>(options, budget);
}

}  // namespace bonus::chain::rpc
