// Parsing of the command line, running of one command, and `version`.
#include "bonus/cli/app.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <csignal>

#include "bonus/cli/node_api.hpp"

#ifndef BONUS_VERSION
#define BONUS_VERSION "0.1.0"
#endif

namespace bonus::cli {

App::App(Session& session)
    : session_(session),
      root_(std::make_unique<CLI::App>(
          "BonusCloud from the command line: a local network, wallets, images, rented containers.", "bonus")) {
  root_->require_subcommand(1);
  root_->set_help_flag("-h,--help", "This text");
  root_->footer("A local network to try it on: bonus devnet up\n" + std::string(kExitCodesText));
  root_->get_formatter()->column_width(34);
}

CLI::App* App::group(CLI::App& parent, std::string name, std::string description) {
  CLI::App* out = parent.add_subcommand(std::move(name), std::move(description));
  out->require_subcommand(1);
  out->footer(std::string(kExitCodesText));
  return out;
}

CLI::App* App::leaf(CLI::App& parent, std::string name, std::string description, std::function<Result<int>()> action) {
  CLI::App* out = parent.add_subcommand(std::move(name), std::move(description));
  CommonOptions& common = session_.options();
  out->add_flag("--json", common.json, "One JSON document on standard output, errors as JSON on standard error")
      ->group("Common options");
  out->add_option("--node", common.node, "URL of the node's local API (else BONUS_NODE, else the context)")
      ->type_name("URL")
      ->group("Common options");
  complete(out->add_option("--wallet", common.wallet, "Wallet that signs (else BONUS_WALLET, else the context)")
               ->type_name("NAME")
               ->group("Common options"),
           WordKind::kWallet);
  out->add_option("--password-file", common.password_file,
                  "Its first line opens the wallet (else BONUS_PASSWORD_FILE, else a question)")
      ->type_name("FILE")
      ->group("Common options");
  out->footer(std::string(kExitCodesText));
  actions_[out] = std::move(action);
  return out;
}

void App::complete(const CLI::Option* option, WordKind kind, std::vector<std::string> words) {
  completions_[option] = {kind, std::move(words)};
}

int App::report(const Error& error) {
  session_.console().end_progress();
  session_.console().error(error);
  return exit_code(error.code);
}

int App::run(std::vector<std::string> arguments) {
  Console& console = session_.console();
  // Before `--` only: behind it words belong to the container.
  const auto end_of_options = std::ranges::find(arguments, "--");
  console.set_json(std::find(arguments.begin(), end_of_options, "--json") != end_of_options);
  try {
    std::ranges::reverse(arguments);  // as CLI11 takes them
    root_->parse(std::move(arguments));
  } catch (const CLI::CallForHelp&) {
    console.raw(root_->help());
    return kExitOk;
  } catch (const CLI::ParseError& problem) {
    CLI::App* where = root_.get();
    std::string path = "bonus";
    while (!where->get_subcommands().empty()) {
      where = where->get_subcommands().back();
      path += " " + where->get_name();
    }
    std::string what = problem.what();
    const auto unknown = where->remaining();
    if (dynamic_cast<const CLI::RequiredError*>(&problem) != nullptr && !unknown.empty() &&
        !unknown.front().starts_with('-'))
      what = fmt::format("there is no command \"{}\"", printable(unknown.front()));
    console.error({ErrorCode::kInvalid, fmt::format("{} (see: {} --help)", what, path)});
    return kExitUsage;
  } catch (const std::exception& problem) {
    return report({ErrorCode::kInternal, problem.what()});
  }
  CLI::App* chosen = root_.get();
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().back();
  console.set_json(session_.options().json);
  const auto action = actions_.find(chosen);
  if (action == actions_.end()) return report({ErrorCode::kInternal, "the command has no action"});
  try {
    auto code = action->second();
    console.end_progress();
    return code ? *code : report(code.error());
  } catch (const std::exception& problem) {
    return report({ErrorCode::kInternal, fmt::format("unexpected: {}", problem.what())});
  }
}

void add_all_commands(App& app) {
  add_devnet_commands(app);
  add_context_commands(app);
  add_wallet_commands(app);
  add_node_commands(app);
  add_offer_commands(app);
  add_image_commands(app);
  add_run_command(app);
  add_lease_commands(app);
  add_stream_commands(app);
  add_market_commands(app);
  add_tx_commands(app);
  add_name_commands(app);
  add_net_commands(app);
  add_completion_commands(app);
  Session& session = app.session();
  app.leaf(app.root(), "version", "The version of this program", [&session]() -> Result<int> {
    if (session.console().json()) {
      session.console().print(boost::json::serialize(boost::json::object{{"version", BONUS_VERSION}}));
    } else {
      session.console().print("bonus " BONUS_VERSION);
    }
    return kExitOk;
  });
}

int main_of_bonus(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  Console console = Console::standard();
  Session session(console, Environment::of_process());
  App app(session);
  add_all_commands(app);
  return app.run(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
}

}  // namespace bonus::cli
