// Which tracer a request means; the small ones: 4byteTracer, noopTracer, muxTracer.
#include "bonus/chain/rpc/trace_tracer.hpp"

#include <fmt/format.h>

#include <map>

#include "bonus/chain/evm/opcodes.hpp"
#include "bonus/chain/precompiles/precompiles.hpp"

namespace bonus::chain::rpc {
namespace {

namespace json = boost::json;

/// How often each function selector was called, with the size of its arguments.
class SelectorTracer final : public TransactionTracer {
 public:
  explicit SelectorTracer(TraceBudget& budget) : budget_(budget) {}
  void begin(const TracedTransaction& traced) override { traced_ = traced; }
  void on_step(const evm::Step& /*step*/) override { (void)budget_.step(); }
  void on_enter(const evm::Message& message, std::uint8_t op) override {
    constexpr std::size_t kSelector = 4;
    if (op == evm::OP_SELFDESTRUCT || is_create(message.kind) || message.input.size() < kSelector) return;
    if (message.depth > 0 && precompiles::is_precompile(message.code_address, traced_.block->revision)) return;
    const auto key = fmt::format("{}-{}", to_hex0x(message.input.first(kSelector)), message.input.size() - kSelector);
    const auto [place, made] = counts_.try_emplace(key, 0);
    if (made) (void)budget_.take(2 * key.size());
    ++place->second;
  }
  [[nodiscard]] bool stopped() const override { return !budget_.ok(); }
  JsonReply finish(const evm::TransactionOutcome& /*outcome*/) override {
    if (budget_.failed()) return std::unexpected(*budget_.failed());
    json::object out;
    for (const auto& [key, count] : counts_) out[key] = count;
    return out;
  }

 private:
  TraceBudget& budget_;
  TracedTransaction traced_;
  std::map<std::string, std::uint64_t> counts_;
};

class NoopTracer final : public TransactionTracer {
 public:
  void begin(const TracedTransaction& /*traced*/) override {}
  JsonReply finish(const evm::TransactionOutcome& /*outcome*/) override { return json::object(); }
};

/// Several tracers at once.
class MuxTracer final : public TransactionTracer {
 public:
  void add(std::string name, std::unique_ptr<TransactionTracer> tracer) {
    tracers_.emplace_back(std::move(name), std::move(tracer));
  }
  void begin(const TracedTransaction& traced) override {
    for (const auto& [name, tracer] : tracers_) tracer->begin(traced);
  }
  void on_enter(const evm::Message& message, std::uint8_t op) override {
    for (const auto& [name, tracer] : tracers_) tracer->on_enter(message, op);
  }
  void on_exit(const evm::Message& message, const evm::Outcome& outcome) override {
    for (const auto& [name, tracer] : tracers_) tracer->on_exit(message, outcome);
  }
  void on_step(const evm::Step& step) override {
    for (const auto& [name, tracer] : tracers_) tracer->on_step(step);
  }
  void on_log(const Log& log) override {
    for (const auto& [name, tracer] : tracers_) tracer->on_log(log);
  }
  [[nodiscard]] bool stopped() const override {
    return std::ranges::any_of(tracers_, [](const auto& entry) { return entry.second->stopped(); });
  }
  JsonReply finish(const evm::TransactionOutcome& outcome) override {
    json::object out;
    for (const auto& [name, tracer] : tracers_) {
      TRY_ASSIGN(out[name], tracer->finish(outcome));
    }
    return out;
  }

 private:
  std::vector<std::pair<std::string, std::unique_ptr<TransactionTracer>>> tracers_;
};

using TracerReply = Reply<std::unique_ptr<TransactionTracer>>;

TracerReply named_tracer(std::string_view name, const json::object& config, TraceBudget& budget, bool nested) {
  if (name == "callTracer") return make_call_tracer(config, budget);
  if (name == "flatCallTracer") return make_flat_call_tracer(config, budget);
  if (name == "prestateTracer") return make_prestate_tracer(config, budget);
  if (name == "4byteTracer") return std::make_unique<SelectorTracer>(budget);
  if (name == "noopTracer") return std::make_unique<NoopTracer>();
  if (name != "muxTracer" || nested) return failure(kServerError, fmt::format("tracer \"{}\" not found", name));
  constexpr std::size_t kMaxTracers = 8;
  if (config.size() > kMaxTracers) return failure(kServerError, fmt::format("more than {} tracers", kMaxTracers));
  auto out = std::make_unique<MuxTracer>();
  for (const auto& [key, value] : config) {
    static const json::object nothing;
    const json::object* inner = value.if_object();
    TRY_ASSIGN(auto one, named_tracer(std::string_view(key.data(), key.size()), inner != nullptr ? *inner : nothing,
                                      budget, true));
    out->add(std::string(key), std::move(one));
  }
  return out;
}

}  // namespace

bool flag(const json::object& options, std::string_view name) {
  const auto* value = options.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

TracerReply make_tracer(const json::object& options, TraceBudget& budget) {
  const auto* name = options.if_contains("tracer");
  if (name == nullptr || name->is_null()) return make_struct_logger(options, budget);
  if (!name->is_string()) return failure(kInvalidParams, "the tracer must be named by a string");
  static const json::object nothing;
  const auto* config = options.if_contains("tracerConfig");
  const json::object* given = config != nullptr ? config->if_object() : nullptr;
  if (config != nullptr && !config->is_null() && given == nullptr)
    return failure(kInvalidParams, "tracerConfig must be an object");
  const std::string_view text(name->get_string().data(), name->get_string().size());
  if (text.empty() || text == "structLogger") return make_struct_logger(options, budget);
  return named_tracer(text, given != nullptr ? *given : nothing, budget, false);
}

}  // namespace bonus::chain::rpc
