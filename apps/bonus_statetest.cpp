// bonus-statetest: runs Ethereum's state tests, with the conventions of evmone-statetest.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>

#include "bonus/chain/vectors/differential.hpp"
#include "bonus/chain/vectors/eip3155.hpp"
#include "bonus/chain/vectors/state_run.hpp"

namespace {

namespace fs = std::filesystem;
namespace vectors = bonus::chain::vectors;
using bonus::Result;

struct Arguments {
  std::vector<std::string> paths;
  std::string filter;
  bool trace = false, json = false, reference = false, reasons = false, quiet = false;
  std::uint64_t generate = 0, seed = 1;
  std::string fork;
};

struct Failure {
  std::string test, fork;
  std::size_t index;
  std::string reason;
};

struct Totals {
  std::size_t files = 0, tests = 0, passed = 0, refused = 0;
  std::map<std::string, std::size_t> by_fork, skipped_forks;
  std::vector<Failure> failures;
  std::vector<std::pair<std::string, std::string>> unreadable;  ///< File and reason.

  [[nodiscard]] std::size_t skipped() const {
    std::size_t sum = 0;
    for (const auto& [fork, count] : skipped_forks) sum += count;
    return sum;
  }
  [[nodiscard]] bool ok() const { return failures.empty() && unreadable.empty() && tests != 0; }
};

/// The files of a path in order of their names; a path that does not exist is an error.
Result<std::vector<fs::path>> files_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> out;
  for (const auto& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      std::vector<fs::path> found;
      for (fs::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error))
        if (at->path().extension() == ".json" && at->is_regular_file(error)) found.push_back(at->path());
      std::ranges::sort(found);
      out.insert(out.end(), found.begin(), found.end());
    } else if (fs::exists(path, error)) {
      out.emplace_back(path);
    } else {
      return bonus::fail(bonus::ErrorCode::kNotFound, path + ": no such file or folder");
    }
    if (error) return bonus::fail(bonus::ErrorCode::kIo, path + ": " + error.message());
  }
  return out;
}

Result<std::vector<vectors::StateTest>> read(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return bonus::fail(bonus::ErrorCode::kIo, "cannot be read");
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return vectors::read_state_tests(text);
}

/// "stExample.add11"; with the key of the test behind it where that is another one.
std::string name_of(const fs::path& path, const std::string& key) {
  const std::string stem = path.stem().string();
  const std::string base = path.parent_path().filename().string() + "." + stem;
  return key == stem ? base : base + " " + key;
}

class Runner {
 public:
  explicit Runner(const Arguments& arguments)
      : arguments_(arguments), tracer_([](std::string_view line) {
          std::fwrite(line.data(), 1, line.size(), stderr);
          std::fputc('\n', stderr);
        }) {}

  void run_file(const fs::path& path) {
    const auto tests = read(path);
    if (!tests) {
      totals_.unreadable.emplace_back(path.string(), tests.error().message);
      progress(fmt::format("[  FAILED  ] {}: {}", path.string(), tests.error().message));
      return;
    }
    ++totals_.files;
    for (const auto& test : *tests) {
      const std::string name = name_of(path, test.name);
      if (name.find(arguments_.filter) != std::string::npos) run_test(test, name);
    }
  }

  /// Every thousand cases, so that a long run shows life.
  void tick() {
    const std::size_t done = totals_.passed + totals_.failures.size();
    if (done / 1000 == shown_) return;
    shown_ = done / 1000;
    progress(fmt::format("[          ] {} cases, {} failed", done, totals_.failures.size()));
  }
  [[nodiscard]] const Totals& totals() const { return totals_; }

 private:
  void progress(const std::string& line) const {
    if (!arguments_.quiet) fmt::print(stderr, "{}\n", line);
  }

  void run_test(const vectors::StateTest& test, const std::string& name) {
    ++totals_.tests;
    for (const auto& item : test.cases) {
      const vectors::RunOptions options{.tracer = arguments_.trace ? &tracer_ : nullptr,
                                        .reference = arguments_.reference,
                                        .check_reason = arguments_.reasons};
      const auto run = vectors::run_case(test, item, options);
      if (run.skipped) {
        ++totals_.skipped_forks[item.fork];
        continue;
      }
      if (arguments_.trace) tracer_.finish(run, item.fork);
      ++totals_.by_fork[item.fork];
      if (!run.valid()) ++totals_.refused;
      if (run.trouble.empty()) {
        ++totals_.passed;
      } else {
        progress(fmt::format("[  FAILED  ] {} [{}/{}]: {}", name, item.fork, item.index, run.trouble));
        totals_.failures.push_back({name, item.fork, item.index, run.trouble});
      }
      tick();
    }
  }

  const Arguments& arguments_;
  vectors::TraceWriter tracer_;
  Totals totals_;
  std::size_t shown_ = 0;
};

void print_json(const Totals& totals) {
  namespace json = boost::json;
  json::object forks, skipped;
  for (const auto& [fork, count] : totals.by_fork) forks[fork] = count;
  for (const auto& [fork, count] : totals.skipped_forks) skipped[fork] = count;
  json::array failures, unreadable;
  for (const auto& failure : totals.failures)
    failures.push_back(json::object{
        {"name", failure.test}, {"fork", failure.fork}, {"index", failure.index}, {"error", failure.reason}});
  for (const auto& [file, reason] : totals.unreadable)
    unreadable.push_back(json::object{{"file", file}, {"error", reason}});
  const json::object out{{"pass", totals.ok()},
                         {"files", totals.files},
                         {"tests", totals.tests},
                         {"passed", totals.passed},
                         {"failed", totals.failures.size()},
                         {"refusedTransactions", totals.refused},
                         {"skipped", totals.skipped()},
                         {"forks", forks},
                         {"skippedForks", skipped},
                         {"failures", failures},
                         {"unreadable", unreadable}};
  fmt::print("{}\n", json::serialize(out));
}

void print_text(const Totals& totals) {
  fmt::print("{} files, {} tests, {} cases passed ({} of them refused transactions), {} failed, {} skipped\n",
             totals.files, totals.tests, totals.passed, totals.refused, totals.failures.size(), totals.skipped());
  for (const auto& [fork, count] : totals.skipped_forks)
    fmt::print("skipped: {} cases of unknown fork {}\n", count, fork);
  for (const auto& [file, reason] : totals.unreadable) fmt::print("unreadable: {}: {}\n", file, reason);
  for (const auto& failure : totals.failures)
    fmt::print("failed: {} [{}/{}]: {}\n", failure.test, failure.fork, failure.index, failure.reason);
  if (totals.tests == 0) fmt::print("no test was run\n");
}

/// Random tests whose expectation is what our own interpreter gives, for other implementations to disagree with.
Result<> generate(const Arguments& arguments) {
  const auto revision = bonus::chain::revision_from(arguments.fork);
  if (!arguments.fork.empty() && !revision)
    return bonus::fail(bonus::ErrorCode::kInvalid, "unknown fork " + arguments.fork);
  const fs::path folder = arguments.paths.front();
  std::error_code error;
  fs::create_directories(folder, error);
  for (std::uint64_t seed = arguments.seed; seed - arguments.seed < arguments.generate; ++seed) {
    vectors::Choices choices(seed);
    const auto scenario = revision ? vectors::random_scenario(choices, *revision) : vectors::random_scenario(choices);
    const std::string name = fmt::format("random{}", seed);
    std::ofstream out(folder / (name + ".json"), std::ios::binary);
    out << vectors::to_state_test(scenario, vectors::run_scenario(scenario, {}), name) << '\n';
    if (!out.flush()) return bonus::fail(bonus::ErrorCode::kIo, folder.string() + ": cannot be written");
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app(
      "Runs Ethereum's state tests (JSON files, or folders of them): each post[fork][i] must give its state root and "
      "logs hash, or its exception. Exit code 0: all passed; 1: some failed, or none was there; 2: wrong usage.");
  Arguments arguments;
  app.add_option("PATH", arguments.paths, "Files, or folders that are searched for *.json")->required();
  app.add_option("-k", arguments.filter, "Only tests whose name contains this (folder.file key)");
  app.add_flag("--trace", arguments.trace, "EIP-3155 traces on standard error");
  app.add_flag("--json", arguments.json, "A summary as JSON on standard output");
  app.add_flag("--reference", arguments.reference, "Run the slow reference interpreter");
  app.add_flag("--reasons", arguments.reasons, "A refused transaction must be refused for the named reason");
  app.add_flag("-q,--quiet", arguments.quiet, "No progress on standard error");
  app.add_option("--generate", arguments.generate, "Write this many random tests into the folder PATH instead");
  app.add_option("--seed", arguments.seed, "The first seed of --generate");
  app.add_option("--fork", arguments.fork, "The fork of --generate; without it any");
  CLI11_PARSE(app, argc, argv);

  if (arguments.generate != 0) {
    const auto done = generate(arguments);
    if (!done) fmt::print(stderr, "bonus-statetest: {}\n", done.error().message);
    return done ? 0 : 2;
  }

  const auto files = files_of(arguments.paths);
  if (!files) {
    fmt::print(stderr, "bonus-statetest: {}\n", files.error().message);
    return 2;
  }
  Runner runner(arguments);
  for (const auto& file : *files) runner.run_file(file);
  if (arguments.json) {
    print_json(runner.totals());
  } else {
    print_text(runner.totals());
  }
  return runner.totals().ok() ? 0 : 1;
}
