// The command tree: what a command is made of, and one run of the program.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "bonus/cli/session.hpp"

namespace bonus::cli {

/// What a word on the command line can be completed to; kNone leaves it to the shell's file names.
enum class WordKind : std::uint8_t { kNone, kTarget, kLease, kWallet, kImage, kContext, kDevnetNode, kName, kWords };

/// Owns the tree and the actions of its leaves. Options of a command live in structs that the actions share.
class App {
 public:
  explicit App(Session& session);

  [[nodiscard]] CLI::App& root() { return *root_; }
  [[nodiscard]] Session& session() { return session_; }

  /// A command that does something: adds the common options and remembers what to run. The action returns the exit
  /// code.
  CLI::App* leaf(CLI::App& parent, std::string name, std::string description, std::function<Result<int>()> action);
  /// A command that only groups others.
  CLI::App* group(CLI::App& parent, std::string name, std::string description);
  /// What `option` can be completed to; for kWords the words themselves.
  void complete(const CLI::Option* option, WordKind kind, std::vector<std::string> words = {});

  /// Parses (without the program's name) and runs. Never throws.
  [[nodiscard]] int run(std::vector<std::string> arguments);
  /// Candidates for the last word, one a line: "word\tdescription" (the hidden `__complete`).
  [[nodiscard]] std::vector<std::string> candidates(const std::vector<std::string>& words);

 private:
  struct Completion {
    WordKind kind = WordKind::kNone;
    std::vector<std::string> words;
  };
  [[nodiscard]] std::vector<std::string> dynamic_words(const Completion& completion);
  [[nodiscard]] int report(const Error& error);

  Session& session_;
  std::unique_ptr<CLI::App> root_;
  std::map<const CLI::App*, std::function<Result<int>()>> actions_;
  std::map<const CLI::Option*, Completion> completions_;
};

/// A CLI11 check that refuses what `parse` refuses, with its message (exit code 2).
template <class Parse>
CLI::Validator checked_by(Parse parse, std::string description) {
  return {[parse](std::string& text) -> std::string {
            auto value = parse(text);
            return value ? std::string() : value.error().message;
          },
          std::move(description)};
}

// Each adds one group of commands (the files of these names).
void add_devnet_commands(App& app);
void add_wallet_commands(App& app);
void add_node_commands(App& app);
void add_offer_commands(App& app);
void add_image_commands(App& app);
void add_run_command(App& app);
void add_lease_commands(App& app);
void add_stream_commands(App& app);
void add_market_commands(App& app);
void add_tx_commands(App& app);
void add_name_commands(App& app);
void add_net_commands(App& app);
void add_context_commands(App& app);
void add_completion_commands(App& app);
/// All of them, and `version`.
void add_all_commands(App& app);

/// The program.
[[nodiscard]] int main_of_bonus(int argc, char** argv);

}  // namespace bonus::cli
