// What a tracer of debug_trace* is: it watches one transaction and then has a result as JSON.
#pragma once

#include <boost/json/object.hpp>
#include <memory>

#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/rpc/methods.hpp"

namespace bonus::chain::rpc {

/// Bounds of one trace. A tracer that meets one stops collecting and reports the failure instead of a result.
struct TraceLimits {
  std::uint64_t max_steps = 20'000'000;  ///< Instructions looked at.
  std::size_t max_bytes = 20 << 20;      ///< Of the result, roughly.
};

/// The transaction that is traced, as tracers need to know it.
struct TracedTransaction {
  const SenderTransaction* item = nullptr;
  const BlockContext* block = nullptr;
  uint256 price;                            ///< Wei per gas, as GASPRICE reads it.
  std::size_t first_log = 0;                ///< Logs of the block before this transaction.
  const state::Journal* journal = nullptr;  ///< During the run, and after it.
};

class TransactionTracer : public evm::Tracer {
 public:
  /// Before the run; the journal has the state before the transaction.
  virtual void begin(const TracedTransaction& traced) = 0;
  /// After the run. A failure when a bound was met.
  [[nodiscard]] virtual JsonReply finish(const evm::TransactionOutcome& outcome) = 0;
};

/// Counts what the tracers of one request do together; ok() is false for good once a bound is met. Not thread-safe.
class TraceBudget {
 public:
  TraceBudget(const TraceLimits& limits, const Deadline& deadline) : limits_(limits), deadline_(deadline) {}
  /// One instruction. Looks at the clock now and then.
  bool step() {
    constexpr std::uint64_t kClockEvery = 4096;
    if (!failure_ && ++steps_ > limits_.max_steps) failure_ = Failure{kLimitExceeded, "trace has too many steps", {}};
    if (!failure_ && steps_ % kClockEvery == 0 && deadline_.passed())
      failure_ = Failure{kServerError, "execution timeout", {}};
    return !failure_;
  }
  bool take(std::size_t bytes) {
    bytes_ += bytes;
    if (!failure_ && bytes_ > limits_.max_bytes) {
      failure_ = Failure{kResponseTooLarge, "trace is too large: disable stack, memory or storage, or set a limit", {}};
    }
    return !failure_;
  }
  [[nodiscard]] bool ok() const { return !failure_; }
  [[nodiscard]] const std::optional<Failure>& failed() const { return failure_; }

 private:
  const TraceLimits limits_;
  const Deadline deadline_;
  std::uint64_t steps_ = 0;
  std::size_t bytes_ = 0;
  std::optional<Failure> failure_;
};

/// By the request's options: {tracer, tracerConfig} and the struct logger's own. -32000 for an unknown tracer. `budget`
/// is borrowed.
[[nodiscard]] Reply<std::unique_ptr<TransactionTracer>> make_tracer(const boost::json::object& options,
                                                                    TraceBudget& budget);

// The tracers; each reads its own options.
[[nodiscard]] std::unique_ptr<TransactionTracer> make_struct_logger(const boost::json::object& options,
                                                                    TraceBudget& budget);
[[nodiscard]] std::unique_ptr<TransactionTracer> make_call_tracer(const boost::json::object& config,
                                                                  TraceBudget& budget);
[[nodiscard]] std::unique_ptr<TransactionTracer> make_flat_call_tracer(const boost::json::object& config,
                                                                       TraceBudget& budget);
[[nodiscard]] std::unique_ptr<TransactionTracer> make_prestate_tracer(const boost::json::object& config,
                                                                      TraceBudget& budget);

/// options[name] is true.
[[nodiscard]] bool flag(const boost::json::object& options, std::string_view name);

}  // namespace bonus::chain::rpc
