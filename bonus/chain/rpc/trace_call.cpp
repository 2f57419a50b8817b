// callTracer: the tree of calls; flatCallTracer: the same as a list with places in the tree (OpenEthereum's form).
#include <boost/json/array.hpp>

#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/rpc/encode.hpp"
#include "bonus/chain/rpc/trace_tracer.hpp"
#include "bonus/chain/rpc/vm_error.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

struct CallLog {
  Log log;
  std::size_t index = 0;     ///< In the block, as the receipt has it.
  std::size_t position = 0;  ///< Calls made before it.
};
struct CallFrame {
  std::uint8_t op = 0;
  Address from, to;
  uint256 value;
  std::uint64_t gas = 0, gas_used = 0;
  Bytes input, output;
  evm::Status status = evm::Status::kSuccess;
  std::string error;  ///< Empty when it succeeded.
  std::vector<CallLog> logs;
  std::vector<CallFrame> calls;

  [[nodiscard]] bool failed() const { return status != evm::Status::kSuccess; }
  [[nodiscard]] bool creates() const { return op == evm::OP_CREATE || op == evm::OP_CREATE2; }
};

/// Builds the tree; what it looks like is the subclasses' matter.
class CallTreeTracer : public TransactionTracer {
 public:
  CallTreeTracer(TraceBudget& budget, bool only_top, bool with_log)
      : budget_(budget), only_top_(only_top), with_log_(with_log) {}

  void begin(const TracedTransaction& traced) override { traced_ = traced; }

  void on_enter(const evm::Message& message, std::uint8_t op) override {
    ++depth_;
    if (only_top_ && message.depth > 0) return;
    if (!budget_.step() || !budget_.take(kFrameBytes + 2 * message.input.size())) return;
    CallFrame frame;
    frame.op = op;
    frame.from = message.sender;
    // As the caller wrote it: of DELEGATECALL and CALLCODE the account whose code runs.
    frame.to = is_create(message.kind) ? message.recipient : message.code_address;
    if (message.kind == evm::CallKind::kDelegateCall || message.kind == evm::CallKind::kCallCode)
      frame.from = message.recipient;
    frame.value = message.value;
    frame.gas = static_cast<std::uint64_t>(message.gas);
    frame.input.assign(message.input.begin(), message.input.end());
    open_.push_back(std::move(frame));
    faults_.emplace_back();
  }

  void on_exit(const evm::Message& message, const evm::Outcome& outcome) override {
    --depth_;
    if ((only_top_ && message.depth > 0) || !budget_.ok() || open_.empty()) return;
    CallFrame& frame = open_.back();
    const std::int64_t left = std::max<std::int64_t>(outcome.gas_left, 0);
    frame.gas_used = frame.gas - std::min(frame.gas, static_cast<std::uint64_t>(left));
    frame.status = outcome.status;
    const bool shown = outcome.status == evm::Status::kSuccess || outcome.status == evm::Status::kRevert;
    if (frame.failed()) {
      const auto& fault = faults_.back();
      frame.error = vm_error(outcome.status, fault ? &*fault : nullptr);
      if (frame.creates()) {
        // No instruction failed: the deposit of the code did.
        if (outcome.status == evm::Status::kOutOfGas && !fault)
          frame.error = "contract creation code storage out of gas";
        frame.to = {};
      }
    }
    if (shown && budget_.take(2 * outcome.output.size()))
      frame.output.assign(outcome.output.begin(), outcome.output.end());
    faults_.pop_back();
    if (open_.size() == 1) return;
    CallFrame done = std::move(open_.back());
    open_.pop_back();
    open_.back().calls.push_back(std::move(done));
  }

  void on_step(const evm::Step& step) override {
    if (!budget_.step()) return;
    if (only_top_ && step.depth > 0) return;
    if (step.error != evm::Status::kSuccess && !faults_.empty())
      faults_.back() = FaultPlace{step.op, step.stack.size()};
  }

  void on_log(const Log& log) override {
    if (!with_log_ || open_.empty() || !budget_.ok() || (only_top_ && depth_ > 1)) return;
    // Logs that are undone later do not count, as they have no place in the receipt.
    const std::size_t index = traced_.first_log + traced_.journal->logs().size();
    if (!budget_.take(kFrameBytes + 2 * log.data.size())) return;
    open_.back().logs.push_back({log, index, open_.back().calls.size()});
  }

  [[nodiscard]] bool stopped() const override { return !budget_.ok(); }

  JsonReply finish(const evm::TransactionOutcome& outcome) override {
    if (budget_.failed()) return std::unexpected(*budget_.failed());
    if (open_.size() != 1) return failure(kServerError, "incorrect number of top-level calls");
    CallFrame& top = open_.front();
    top.gas = traced_.item->tx.gas_limit;
    top.gas_used = outcome.gas_used;
    return encode(top);
  }

 protected:
  [[nodiscard]] virtual json::value encode(const CallFrame& top) const = 0;
  [[nodiscard]] const TracedTransaction& traced() const { return traced_; }

 private:
  static constexpr std::size_t kFrameBytes = 300;

  TraceBudget& budget_;
  const bool only_top_, with_log_;
  TracedTransaction traced_;
  std::vector<CallFrame> open_;  ///< From the transaction's own frame to the running one.
  std::vector<std::optional<FaultPlace>> faults_;
  std::size_t depth_ = 0;
};

class CallTracer final : public CallTreeTracer {
 public:
  using CallTreeTracer::CallTreeTracer;

 private:
  [[nodiscard]] json::value encode(const CallFrame& top) const override { return frame_of(top, false); }

  [[nodiscard]] json::object frame_of(const CallFrame& frame, bool lost) const {
    lost = lost || frame.failed();
    json::object out;
    out["from"] = to_hex0x(frame.from);
    out["gas"] = quantity(frame.gas);
    out["gasUsed"] = quantity(frame.gas_used);
    if (!frame.creates() || !frame.failed()) out["to"] = to_hex0x(frame.to);
    out["input"] = to_hex0x(frame.input);
    if (!frame.output.empty()) out["output"] = to_hex0x(frame.output);
    if (frame.failed()) out["error"] = frame.error;
    if (frame.status == evm::Status::kRevert) {
      if (const auto reason = revert_reason(frame.output); reason && !reason->empty()) out["revertReason"] = *reason;
    }
    if (!frame.calls.empty()) {
      json::array calls;
      calls.reserve(frame.calls.size());
      for (const CallFrame& call : frame.calls) calls.emplace_back(frame_of(call, lost));
      out["calls"] = std::move(calls);
    }
    if (!frame.logs.empty() && !lost) out["logs"] = logs_of(frame);
    // A static call has no value of its own.
    if (frame.op != evm::OP_STATICCALL) out["value"] = quantity(frame.value);
    out["type"] = op_name(frame.op, traced().block->revision);
    return out;
  }
  [[nodiscard]] static json::array logs_of(const CallFrame& frame) {
    json::array out;
    for (const auto& [log, index, position] : frame.logs) {
      json::object one;
      one["address"] = to_hex0x(log.address);
      json::array topics;
      for (const Hash32& topic : log.topics) topics.emplace_back(to_hex0x(topic));
      one["topics"] = std::move(topics);
      one["data"] = to_hex0x(log.data);
      one["index"] = quantity(static_cast<std::uint64_t>(index));
      one["position"] = quantity(static_cast<std::uint64_t>(position));
      out.emplace_back(std::move(one));
    }
    return out;
  }
};

/// OpenEthereum's words for errors that have some.
std::string parity_error(const CallFrame& frame) {
  using evm::Status;
  switch (frame.status) {
    case Status::kRevert:
      return "Reverted";
    case Status::kOutOfGas:
    case Status::kCodeTooLarge:
      return "Out of gas";
    case Status::kBadJump:
      return "Bad jump destination";
    case Status::kUndefinedInstruction:
    case Status::kInvalidInstruction:
      return "Bad instruction";
    case Status::kStackUnderflow:
      return "Stack underflow";
    case Status::kStackOverflow:
      return "Out of stack";
    case Status::kStaticViolation:
      return "Mutable Call In Static Context";
    case Status::kPrecompileFailure:
      return "Built-in failed";
    default:
      return frame.error;
  }
}

class FlatCallTracer final : public CallTreeTracer {
 public:
  FlatCallTracer(TraceBudget& budget, bool parity_errors)
      : CallTreeTracer(budget, false, false), parity_errors_(parity_errors) {}

 private:
  [[nodiscard]] json::value encode(const CallFrame& top) const override {
    json::array out;
    json::array place;
    add(top, place, out);
    return out;
  }

  void add(const CallFrame& frame, json::array& place, json::array& out) const {
    json::object one;
    json::object action;
    json::object result;
    if (frame.op == evm::OP_SELFDESTRUCT) {
      action["address"] = to_hex0x(frame.from);
      action["balance"] = quantity(frame.value);
      action["refundAddress"] = to_hex0x(frame.to);
      one["type"] = "suicide";
    } else if (frame.creates()) {
      action["creationMethod"] = frame.op == evm::OP_CREATE2 ? "create2" : "create";
      action["from"] = to_hex0x(frame.from);
      action["gas"] = quantity(frame.gas);
      action["init"] = to_hex0x(frame.input);
      action["value"] = quantity(frame.value);
      result["address"] = to_hex0x(frame.to);
      result["code"] = to_hex0x(frame.output);
      result["gasUsed"] = quantity(frame.gas_used);
      one["type"] = "create";
    } else {
      action["callType"] = call_type(frame.op);
      action["from"] = to_hex0x(frame.from);
      action["gas"] = quantity(frame.gas);
      action["input"] = to_hex0x(frame.input);
      action["to"] = to_hex0x(frame.to);
      action["value"] = quantity(frame.op == evm::OP_STATICCALL ? uint256() : frame.value);
      result["gasUsed"] = quantity(frame.gas_used);
      result["output"] = to_hex0x(frame.output);
      one["type"] = "call";
    }
    one["action"] = std::move(action);
    one["blockNumber"] = traced().block->number;
    if (frame.failed()) {
      one["error"] = parity_errors_ ? parity_error(frame) : frame.error;
    } else if (frame.op != evm::OP_SELFDESTRUCT) {
      one["result"] = std::move(result);
    }
    one["subtraces"] = frame.calls.size();
    one["traceAddress"] = place;
    one["transactionHash"] = to_hex0x(traced().item->hash);
    out.emplace_back(std::move(one));
    for (std::size_t i = 0; i < frame.calls.size(); ++i) {
      place.emplace_back(i);
      add(frame.calls[i], place, out);
      place.pop_back();
    }
  }
  static std::string_view call_type(std::uint8_t op) {
    switch (op) {
      case evm::OP_STATICCALL:
        return "staticcall";
      case evm::OP_DELEGATECALL:
        return "delegatecall";
      case evm::OP_CALLCODE:
        return "callcode";
      default:
        return "call";
    }
  }

  const bool parity_errors_;
};

}  // namespace

std::unique_ptr<TransactionTracer> make_call_tracer(const json::object& config, TraceBudget& budget) {
  return std::make_unique<CallTracer>(budget, flag(config, "onlyTopCall"), flag(config, "withLog"));
}
std::unique_ptr<TransactionTracer> make_flat_call_tracer(const json::object& config, TraceBudget& budget) {
  return std::make_unique<FlatCallTracer>(budget, flag(config, "convertParityErrors"));
}

}  // namespace bonus::chain::rpc
