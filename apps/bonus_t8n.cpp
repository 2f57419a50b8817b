// bonus-t8n: one state transition with the conventions of go-ethereum's `evm t8n` (docs/operating/evm-tools.md).
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <optional>

#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/transition_tool.hpp"
#include "bonus/chain/vectors/eip3155.hpp"

namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
namespace eth = bonus::chain::eth;
using bonus::Error;
using bonus::ErrorCode;
using bonus::fail;
using bonus::Result;

// Exit codes of evm t8n.
constexpr int kOther = 2, kConfiguration = 3, kMissingBlockHash = 4, kJson = 10, kIo = 11;

struct Arguments {
  std::string alloc = "alloc.json", env = "env.json", txs = "txs.json";
  std::string out_alloc = "alloc.json", out_result = "result.json", out_body, base_dir;
  std::string fork = "GrayGlacier";
  std::uint64_t chain_id = 1;
  std::string reward = "0";
  bool trace = false;
};

struct Failure {
  int code;
  std::string message;
};

int report(const Failure& failure) {
  fmt::print(stderr, "ERROR({}): {}\n", failure.code, failure.message);
  return failure.code;
}

Failure failure_of(const Error& error) {
  switch (error.code) {
    case ErrorCode::kUnsupported:
      return {kConfiguration, error.message};
    case ErrorCode::kNotFound:
      return {kMissingBlockHash, error.message};
    case ErrorCode::kIo:
      return {kIo, error.message};
    case ErrorCode::kInvalid:
      return {kJson, error.message};
    default:
      return {kOther, error.message};
  }
}

/// alloc, env and txs, each from its file or from the one object on standard input.
struct Inputs {
  json::value alloc, env, txs;
};

Result<json::value> read_json(const std::string& path) {
  TRY_ASSIGN(const std::string text, eth::read_file(path));
  auto out = eth::parse_json(text);
  if (!out) return fail(std::move(out).error().wrap(path));
  return out;
}

Result<Inputs> read_inputs(const Arguments& arguments) {
  json::object piped;
  if (arguments.alloc == "stdin" || arguments.env == "stdin" || arguments.txs == "stdin") {
    const std::string text{std::istreambuf_iterator<char>(std::cin), {}};
    TRY_ASSIGN(json::value value, eth::parse_json(text));
    if (!value.is_object()) return fail(ErrorCode::kInvalid, "standard input is not an object");
    piped = std::move(value.get_object());
  }
  const auto take = [&](const std::string& path, const char* key) -> Result<json::value> {
    if (path != "stdin") return read_json(path);
    const auto* value = piped.if_contains(key);
    return value != nullptr ? *value : json::value();
  };
  Inputs out;
  TRY_ASSIGN(out.alloc, take(arguments.alloc, "alloc"));
  TRY_ASSIGN(out.env, take(arguments.env, "env"));
  TRY_ASSIGN(out.txs, take(arguments.txs, "txs"));
  if (arguments.txs == "stdin" && out.txs.is_null())
    if (const auto* raw = piped.if_contains("txsRlp")) out.txs = *raw;
  return out;
}

Result<> write_file(const fs::path& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary);
  out << text;
  out.flush();
  if (!out) return fail(ErrorCode::kIo, fmt::format("cannot write {}", path.string()));
  return {};
}

/// What goes to a file at once, and what goes to standard output or error together at the end.
class Outputs {
 public:
  explicit Outputs(fs::path folder) : folder_(std::move(folder)) {}
  [[nodiscard]] Result<> put(const std::string& where, const char* key, json::value value) {
    if (where.empty()) return {};
    if (where == "stdout") {
      out_[key] = std::move(value);
    } else if (where == "stderr") {
      error_[key] = std::move(value);
    } else {
      return write_file(folder_ / where, json::serialize(value));
    }
    return {};
  }
  void flush() const {
    if (!out_.empty()) fmt::print("{}\n", json::serialize(out_));
    if (!error_.empty()) fmt::print(stderr, "{}\n", json::serialize(error_));
  }

 private:
  fs::path folder_;
  json::object out_, error_;
};

/// Traces by EIP-3155, one file for each transaction: trace-<index>-<hash>.jsonl.
class Traces {
 public:
  explicit Traces(fs::path folder)
      : folder_(std::move(folder)), writer_([this](std::string_view line) { file_ << line << '\n'; }) {}
  void next(std::size_t index, const bonus::Hash32& hash) {
    file_ = std::ofstream(folder_ / fmt::format("trace-{}-{}.jsonl", index, bonus::to_hex0x(hash)), std::ios::binary);
  }
  [[nodiscard]] bonus::chain::evm::Tracer* tracer() { return &writer_; }

 private:
  fs::path folder_;
  std::ofstream file_;
  bonus::chain::vectors::TraceWriter writer_;
};

Result<std::optional<bonus::uint256>> read_reward(const std::string& text) {
  if (text.starts_with('-')) return std::optional<bonus::uint256>();
  auto out = bonus::uint256::parse(text);
  if (!out) return fail(ErrorCode::kUnsupported, "--state.reward: not a number");
  return std::optional(*out);
}

Result<> run(const Arguments& arguments) {
  TRY_ASSIGN(const Inputs inputs, read_inputs(arguments));
  eth::TransitionInput input;
  auto config = eth::ChainConfig::of_network(arguments.fork, arguments.chain_id);
  if (!config) return fail(ErrorCode::kUnsupported, fmt::format("--state.fork: {}", config.error().message));
  input.config = *std::move(config);
  TRY_ASSIGN(input.reward, read_reward(arguments.reward));
  if (!inputs.alloc.is_null()) {
    TRY_ASSIGN(const auto* accounts, eth::as_object(inputs.alloc, "alloc"));
    TRY_ASSIGN(input.alloc, eth::read_alloc(*accounts));
  }
  input.env = inputs.env;
  input.transactions = inputs.txs;
  const fs::path folder = arguments.base_dir.empty() ? fs::path(".") : fs::path(arguments.base_dir);
  std::error_code error;
  fs::create_directories(folder, error);
  if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", folder.string(), error.message()));
  Traces traces(folder);
  if (arguments.trace) {
    input.tracer = traces.tracer();
    input.on_transaction = [&](std::size_t index, const bonus::Hash32& hash) { traces.next(index, hash); };
  }
  TRY_ASSIGN(auto output, eth::run_transition(input));
  Outputs outputs(folder);
  TRY(outputs.put(arguments.out_alloc, "alloc", eth::write_alloc(output.alloc)));
  TRY(outputs.put(arguments.out_result, "result", std::move(output.result)));
  TRY(outputs.put(arguments.out_body, "body", json::value(bonus::to_hex0x(output.body))));
  outputs.flush();
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{
      "One state transition of Ethereum: accounts, environment and transactions in, accounts and roots out.\n"
      "Flags, files and exit codes as go-ethereum's `evm t8n`.",
      "bonus-t8n"};
  Arguments a;
  bool unused = false;
  app.add_option("--input.alloc", a.alloc, "Accounts; stdin: from standard input")->capture_default_str();
  app.add_option("--input.env", a.env, "The block's environment; stdin")->capture_default_str();
  app.add_option("--input.txs", a.txs, "Transactions, as objects or as the hex of their RLP list; stdin")
      ->capture_default_str();
  app.add_option("--output.basedir", a.base_dir, "Where output files go; made when it is missing");
  app.add_option("--output.alloc", a.out_alloc, "Accounts afterwards; stdout, stderr, or a file; empty: nowhere")
      ->capture_default_str();
  app.add_option("--output.result", a.out_result, "Roots, receipts, rejected transactions")->capture_default_str();
  app.add_option("--output.body", a.out_body, "RLP of the included transactions, hexadecimal");
  app.add_option("--state.fork", a.fork, "The rules: Frontier ... Osaka, BPO1, or a transition")->capture_default_str();
  app.add_option("--state.chainid", a.chain_id, "Chain id")->capture_default_str();
  app.add_option("--state.reward", a.reward, "Wei for the block; negative: none, not even zero")->capture_default_str();
  app.add_flag("--trace", a.trace, "EIP-3155 traces: trace-<index>-<hash>.jsonl in the output folder");
  // Accepted for scripts that set them: the traces have all of it that EIP-3155 asks for.
  for (const auto* flag : {"--trace.memory", "--trace.nomemory", "--trace.nostack", "--trace.returndata",
                           "--trace.noreturndata", "--verbosity"})
    app.add_flag(flag, unused)->group("");
  // `bonus-t8n t8n ...`, as tools call `evm t8n ...`.
  if (argc > 1 && std::string_view(argv[1]) == "t8n") {
    ++argv;
    --argc;
  }
  CLI11_PARSE(app, argc, argv);
  if (const auto done = run(a); !done) return report(failure_of(done.error()));
  return 0;
}
