// bonus-bench-evm: CPU time of the EVM on the inputs of evm-benchmarks (or any state test file).
#include <fmt/format.h>
#include <time.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "bonus/chain/api/gas.hpp"
#include "bonus/chain/evm/transition.hpp"
#include "bonus/chain/vectors/state_run.hpp"

namespace {

namespace fs = std::filesystem;
namespace vectors = bonus::chain::vectors;
namespace chain = bonus::chain;
using bonus::Result;

struct Arguments {
  std::vector<std::string> paths;
  std::string filter;
  double seconds = 1;
  bool json = false, reference = false;
};

struct Measurement {
  std::string name;
  double min_us = 0, median_us = 0;
  std::uint64_t gas = 0;  ///< Of the code alone: what the transaction costs before it is not counted.
  std::size_t runs = 0;
  std::string trouble;  ///< What differs from the file's expectation; then there are no times.
  [[nodiscard]] double mgas_per_second() const { return static_cast<double>(gas) / median_us; }
};

/// CPU time of this process: what other processes do does not count, except for the caches.
double cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

/// Executes the code of one transaction again and again: accounts and storage are in the journal's memory after the
/// first time, the program is analysed; each execution starts with nothing warm and is undone.
class Execution {
 public:
  Execution(const vectors::StateTest& test, const vectors::StateCase& item, const vectors::Fork& fork, bool reference)
      : tx_(item.transaction->tx),
        sender_(item.transaction->sender),
        hashes_(test.environment),
        block_(vectors::block_context(test.environment, fork, test.chain_id, hashes_)),
        journal_(*test.state),
        machine_(journal_, block_, {.programs = &programs_, .reference = reference}) {
    machine_.set_transaction({sender_, tx_.effective_gas_price(block_.base_fee), tx_.blob_hashes});
    message_.gas = static_cast<std::int64_t>(tx_.gas_limit - chain::intrinsic_gas(tx_, fork.revision));
    message_.sender = sender_;
    message_.recipient = message_.code_address = tx_.to.value_or(bonus::Address{});
    message_.value = tx_.value;
    message_.input = tx_.data;
    if (!tx_.to) {
      message_.kind = chain::evm::CallKind::kCreate;
      message_.recipient = chain::evm::create_address(sender_, tx_.nonce);
    }
  }

  /// Gas that the code used.
  std::int64_t once() {
    journal_.begin_transaction();
    const auto before = journal_.snapshot();
    if (block_.revision >= chain::Revision::kBerlin) {
      (void)journal_.warm(sender_);
      (void)journal_.warm(message_.recipient);
    }
    const auto outcome = machine_.run(message_);
    journal_.revert(before);
    return message_.gas - outcome.gas_left;
  }

 private:
  const chain::Transaction& tx_;
  bonus::Address sender_;
  vectors::TestHashes hashes_;
  chain::BlockContext block_;
  chain::evm::ProgramCache programs_;
  chain::state::Journal journal_;
  chain::evm::Machine machine_;
  chain::evm::Message message_;
};

constexpr double kSampleUs = 1000;  // Short runs are measured in batches of about this length.
constexpr std::size_t kMinSamples = 5;

void measure(Execution& execution, double seconds, Measurement& out) {
  out.gas = static_cast<std::uint64_t>(execution.once());
  const double before = cpu_us();
  (void)execution.once();
  const double one = std::max(cpu_us() - before, 0.1);
  const auto batch = static_cast<std::size_t>(std::max(1.0, kSampleUs / one));
  std::vector<double> samples;
  const double start = cpu_us();
  while (samples.size() < kMinSamples || cpu_us() - start < seconds * 1e6) {
    const double from = cpu_us();
    for (std::size_t i = 0; i < batch; ++i) {
      if (static_cast<std::uint64_t>(execution.once()) != out.gas) {
        out.trouble = "executions differ in gas";
        return;
      }
    }
    samples.push_back((cpu_us() - from) / static_cast<double>(batch));
  }
  std::ranges::sort(samples);
  out.min_us = samples.front();
  out.median_us = samples[samples.size() / 2];
  out.runs = samples.size() * batch;
}

/// "main/blake2b_huff/8415nulls": folder, test, label of the data; the label "empty" of a lone case says nothing.
std::string name_of(const fs::path& path, const vectors::StateTest& test, const vectors::StateCase& item) {
  std::string out = path.parent_path().filename().string() + "/" + test.name;
  if (test.cases.size() == 1 && (item.label.empty() || item.label == "empty")) return out;
  return out + "/" + (item.label.empty() ? std::to_string(item.index) : item.label);
}

class Bench {
 public:
  explicit Bench(const Arguments& arguments) : arguments_(arguments) {}

  Result<> run_file(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    if (!in) return bonus::fail(bonus::ErrorCode::kIo, path.string() + ": cannot be read");
    const std::string text{std::istreambuf_iterator<char>(in), {}};
    const auto tests = vectors::read_state_tests(text);
    if (!tests) return std::unexpected(bonus::Error(tests.error()).wrap(path.string()));
    for (const auto& test : *tests)
      for (const auto& item : test.cases) run_case(name_of(path, test, item), test, item);
    return {};
  }
  [[nodiscard]] const std::vector<Measurement>& results() const { return results_; }

 private:
  void run_case(std::string name, const vectors::StateTest& test, const vectors::StateCase& item) {
    const auto fork = vectors::fork_of(item.fork);
    if (name.find(arguments_.filter) == std::string::npos) return;
    Measurement out;
    out.name = std::move(name);
    out.trouble =
        fork ? vectors::run_case(test, item, {.reference = arguments_.reference}).trouble : "unknown fork " + item.fork;
    if (out.trouble.empty() && !item.exception.empty()) out.trouble = "the transaction is not valid, nothing to run";
    if (out.trouble.empty()) {
      Execution execution(test, item, *fork, arguments_.reference);
      measure(execution, arguments_.seconds, out);
    }
    if (!arguments_.json) print(out);
    results_.push_back(std::move(out));
  }

  static void print(const Measurement& out) {
    if (out.trouble.empty()) {
      fmt::print("{:<44} {:>12.2f} {:>12.2f} {:>12} {:>10.1f} {:>9}\n", out.name, out.min_us, out.median_us, out.gas,
                 out.mgas_per_second(), out.runs);
    } else {
      fmt::print("{:<44} FAILED: {}\n", out.name, out.trouble);
    }
    std::fflush(stdout);
  }

  const Arguments& arguments_;
  std::vector<Measurement> results_;
};

void print_json(const std::vector<Measurement>& results) {
  namespace json = boost::json;
  json::array out;
  for (const auto& item : results) {
    json::object row{{"name", item.name}};
    if (item.trouble.empty()) {
      row["minUs"] = item.min_us;
      row["medianUs"] = item.median_us;
      row["gas"] = item.gas;
      row["mgasPerSecond"] = item.mgas_per_second();
      row["runs"] = item.runs;
    } else {
      row["error"] = item.trouble;
    }
    out.push_back(std::move(row));
  }
  fmt::print("{}\n", json::serialize(out));
}

std::vector<fs::path> files_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> out;
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::is_directory(path, error)) {
      out.emplace_back(path);
      continue;
    }
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".json") out.push_back(at->path());
  }
  std::ranges::sort(out);
  return out;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Measures the CPU time of executing the code of each transaction in state test files; reading, the pre-state and "
      "the analysis of the code are not in it. Results (gas, logs, state root) are checked against the file first.");
  Arguments arguments;
  app.add_option("PATH", arguments.paths, "State test files, or folders that are searched for *.json")->required();
  app.add_option("--filter", arguments.filter, "Only cases whose name (main/sha1_shifts/5311) contains this");
  app.add_option("--seconds", arguments.seconds, "CPU time to spend on each case")->check(CLI::Range(0.001, 600.0));
  app.add_flag("--json", arguments.json, "A JSON array instead of the table");
  app.add_flag("--reference", arguments.reference, "Measure the slow reference interpreter");
  CLI11_PARSE(app, argc, argv);

  if (!arguments.json)
    fmt::print("{:<44} {:>12} {:>12} {:>12} {:>10} {:>9}\n", "case", "min us", "median us", "gas", "Mgas/s", "runs");
  Bench bench(arguments);
  for (const auto& file : files_of(arguments.paths)) {
    if (const auto done = bench.run_file(file); !done) {
      fmt::print(stderr, "bonus-bench-evm: {}\n", done.error().message);
      return 2;
    }
  }
  if (arguments.json) print_json(bench.results());
  const bool failed = std::ranges::any_of(bench.results(), [](const auto& item) { return !item.trouble.empty(); });
  return failed || bench.results().empty() ? 1 : 0;
}
