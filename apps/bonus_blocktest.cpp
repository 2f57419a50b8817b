// bonus-blocktest: runs Ethereum's block tests (docs/operating/evm-tools.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <filesystem>
#include <map>

#include "bonus/chain/eth/blocktest.hpp"
#include "bonus/chain/eth/json.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace eth = bonus::chain::eth;
using bonus::Result;

struct Arguments {
  std::vector<std::string> paths;
  std::string filter;
  bool as_json = false, quiet = false;
};

struct Totals {
  std::size_t files = 0, passed = 0;
  std::map<std::string, std::size_t> skipped;                 ///< By network.
  std::vector<std::pair<std::string, std::string>> failures;  ///< Name and reason.
  [[nodiscard]] std::size_t skipped_count() const {
    std::size_t sum = 0;
    for (const auto& [network, count] : skipped) sum += count;
    return sum;
  }
  [[nodiscard]] bool ok() const { return failures.empty() && passed > 0; }
};

/// Files as given, folders by all JSON files below them, in order of their names.
Result<std::vector<fs::path>> files_of(const std::vector<std::string>& paths) {
  std::vector<fs::path> out;
  for (const auto& path : paths) {
    std::error_code error;
    if (!fs::exists(path, error)) return bonus::fail(bonus::ErrorCode::kNotFound, path + ": no such file or folder");
    if (!fs::is_directory(path, error)) {
      out.emplace_back(path);
      continue;
    }
    std::vector<fs::path> found;
    for (fs::recursive_directory_iterator at(path, error), end; !error && at != end; at.increment(error))
      if (at->path().extension() == ".json" && at->is_regular_file(error)) found.push_back(at->path());
    if (error) return bonus::fail(bonus::ErrorCode::kIo, path + ": " + error.message());
    std::ranges::sort(found);
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

void run_file(const fs::path& path, const Arguments& arguments, Totals& totals) {
  const auto failed = [&](const std::string& name, const std::string& why) {
    totals.failures.emplace_back(name, why);
    if (!arguments.quiet) fmt::print(stderr, "[  FAILED  ] {}: {}\n", name, why);
  };
  ++totals.files;
  const auto text = eth::read_file(path.string());
  if (!text) return failed(path.string(), text.error().message);
  const auto tests = eth::read_block_tests(*text);
  if (!tests) return failed(path.string(), tests.error().message);
  for (const auto& test : *tests) {
    const std::string name = fmt::format("{}: {}", path.string(), test.name);
    if (name.find(arguments.filter) == std::string::npos) continue;
    if (!test.known_network) {
      ++totals.skipped[test.network];
      continue;
    }
    if (const auto wrong = eth::run_block_test(test)) {
      failed(name, *wrong);
    } else {
      ++totals.passed;
    }
  }
}

void print_json(const Totals& totals) {
  json::object out;
  out["files"] = totals.files;
  out["passed"] = totals.passed;
  json::array failures;
  for (const auto& [name, why] : totals.failures) {
    json::object one;
    one["name"] = name;
    one["reason"] = why;
    failures.emplace_back(std::move(one));
  }
  out["failures"] = std::move(failures);
  json::object skipped;
  for (const auto& [network, count] : totals.skipped) skipped[network] = count;
  out["skippedNetworks"] = std::move(skipped);
  fmt::print("{}\n", json::serialize(out));
}

void print_text(const Totals& totals) {
  for (const auto& [name, why] : totals.failures) fmt::print("FAILED {}: {}\n", name, why);
  for (const auto& [network, count] : totals.skipped) fmt::print("skipped {} tests of network {}\n", count, network);
  fmt::print("{} files, {} tests passed, {} failed, {} skipped\n", totals.files, totals.passed, totals.failures.size(),
             totals.skipped_count());
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "Runs Ethereum's block tests: BlockchainTests of ethereum/tests, blockchain_tests and\n"
      "blockchain_tests_engine of execution-spec-tests.",
      "bonus-blocktest"};
  Arguments arguments;
  app.add_option("PATH", arguments.paths, "Files, and folders whose JSON files are all run")->required();
  app.add_option("-k,--filter", arguments.filter, "Only tests whose path and name contain this");
  app.add_flag("--json", arguments.as_json, "The summary as JSON");
  app.add_flag("-q,--quiet", arguments.quiet, "No failures on standard error while it runs");
  CLI11_PARSE(app, argc, argv);
  const auto files = files_of(arguments.paths);
  if (!files) {
    fmt::print(stderr, "bonus-blocktest: {}\n", files.error().message);
    return 2;
  }
  Totals totals;
  for (const auto& file : *files) run_file(file, arguments, totals);
  if (arguments.as_json) {
    print_json(totals);
  } else {
    print_text(totals);
  }
  return totals.ok() ? 0 : 1;
}
