// bonusd, the daemon of a node: run, init, config, key; import, serve for chains of Ethereum.
#include <fmt/format.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <filesystem>
#include <mutex>
#include <optional>

#include "apps/bonusd_eth.hpp"
#include "bonus/base/log.hpp"
#include "bonus/base/os.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/identity.hpp"
#include "bonus/node/node.hpp"
#include "bonus/node/version.hpp"

namespace {

using bonus::Error;
using bonus::node::Config;

int report(const Error& error) {
  fmt::print(stderr, "bonusd: {}\n", error.message);
  return 1;
}

int run(const std::string& path) {
  auto config = bonus::node::load_config(path);
  if (!config) return report(config.error());
  bonus::log::Options options;
  options.level = config->log.level;
  options.json = config->log.json;
  options.file = config->log.file;
  bonus::log::configure(options);

  // The usual bound of 1024 is for programs that use select(2); a ledger and a thousand peers need more.
  constexpr std::uint64_t kFewFiles = 8192;
  if (const auto files = bonus::raise_open_files(); files < kFewFiles)
    bonus::log::warn("node", "few_open_files",
                     {{"limit", files}, {"wanted", kFewFiles}, {"hint", "raise LimitNOFILE or ulimit -Hn"}});

  // One thread until the node has left for its own namespace: no other may be left behind in the machine's.
  auto identity = bonus::node::load_identity(config->node, bonus::runtime::system_disk(), true);
  if (!identity) return report(identity.error());
  // Afterwards, in a mount namespace of its own, a chrooted process is not told its program's path any more.
  std::error_code error;
  if (config->vm.shim.empty())
    config->vm.shim = (std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "bonus-shim").string();
  auto underlay = bonus::node::Underlay::prepare(*config, *identity);
  if (!underlay) return report(underlay.error());

  // Handlers, not a blocked mask: programs that the node starts would inherit the mask.
  boost::asio::io_context signals;
  boost::asio::signal_set stop(signals, SIGTERM, SIGINT);
  stop.async_wait([&](const boost::system::error_code&, int) { signals.stop(); });
  std::optional<Error> halted;
  std::mutex mutex;
  auto on_halt = [&](Error error) {
    const std::scoped_lock guard(mutex);
    halted = std::move(error);
    signals.stop();
  };
  auto node = bonus::node::Node::start(*config, *std::move(identity), *std::move(underlay), on_halt);
  if (!node) return report(node.error());
  signals.run();
  bonus::log::info("node", "stopping");
  (*node)->stop();
  const std::scoped_lock guard(mutex);
  return halted ? report(*halted) : 0;
}

int init(const std::string& path) {
  auto config = bonus::node::load_config(path);
  if (!config) return report(config.error());
  std::error_code error;
  std::filesystem::create_directories(config->node.data_dir, error);
  if (error) return report({bonus::ErrorCode::kIo, fmt::format("{}: {}", config->node.data_dir, error.message())});
  auto identity = bonus::node::load_identity(config->node, bonus::runtime::system_disk(), true);
  if (!identity) return report(identity.error());
  fmt::print("data     {}\nnode     {}\nkey      {}\naccount  {}\n", config->node.data_dir,
             bonus::to_hex(identity->id.view()), bonus::to_hex(identity->node_key.public_key().view()),
             bonus::crypto::to_checksum(identity->account));
  return 0;
}

int show_key(const std::string& path) {
  auto config = bonus::node::load_config(path);
  if (!config) return report(config.error());
  auto identity = bonus::node::load_identity(config->node, bonus::runtime::system_disk(), false);
  if (!identity) return report(identity.error());
  fmt::print("{{\"id\":\"{}\",\"key\":\"{}\",\"account\":\"{}\"}}\n", bonus::to_hex(identity->id.view()),
             bonus::to_hex(identity->node_key.public_key().view()), bonus::crypto::to_checksum(identity->account));
  return 0;
}

int check(const std::string& path) {
  auto config = bonus::node::load_config(path);
  if (!config) return report(config.error());
  fmt::print("{}: good\n", path);
  return 0;
}

/// The node must be stopped: the ledger's folder is opened by one process only.
int verify(const std::string& path) {
  auto config = bonus::node::load_config(path);
  if (!config) return report(config.error());
  auto head = bonus::node::verify_stores(*config);
  if (!head) return report(head.error());
  fmt::print("the ledger is whole: blocks 0 to {}, state {}\n", head->number, bonus::to_hex0x(head->state_root));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app{"The daemon of a BonusCloud node.", "bonusd"};
  app.set_version_flag("--version", std::string("bonusd ") + std::string(bonus::node::kVersion));
  std::string path = "/etc/bonus/bonusd.toml";
  const auto with_config = [&path](CLI::App* command) {
    command->add_option("-c,--config,config", path, "The configuration file")->capture_default_str();
    return command;
  };
  app.add_option("-c,--config", path, "The configuration file, as for `bonusd run`")->capture_default_str();
  auto* run_command =
      with_config(app.add_subcommand("run", "Run the node until SIGTERM or SIGINT; containers outlive it"));
  auto* init_command =
      with_config(app.add_subcommand("init", "Make the data folder and the keys that are missing, and show them"));
  auto* config_command = app.add_subcommand("config", "About the configuration file")->require_subcommand(1);
  auto* example_command =
      config_command->add_subcommand("example", "Print a commented file with every key and its default");
  auto* reference_command = config_command->add_subcommand("reference", "Print a table of every key as Markdown");
  auto* check_command = with_config(config_command->add_subcommand("check", "Check a file without starting anything"));
  auto* verify_command = with_config(app.add_subcommand(
      "verify", "Check everything that the stopped node has stored: checksums, every block, the state root"));
  auto* key_command = app.add_subcommand("key", "About the keys of this node")->require_subcommand(1);
  auto* show_command =
      with_config(key_command->add_subcommand("show", "Print id, public key and account as JSON; no secrets"));
  const auto eth_command = bonus::apps::add_eth_commands(app);
  app.require_subcommand(0, 1);
  CLI11_PARSE(app, argc, argv);

  if (*example_command) {
    fmt::print("{}", bonus::node::config_example());
    return 0;
  }
  if (*reference_command) {
    fmt::print("{}", bonus::node::config_reference());
    return 0;
  }
  if (const auto command = eth_command()) return command();
  if (*init_command) return init(path);
  if (*check_command) return check(path);
  if (*verify_command) return verify(path);
  if (*show_command) return show_key(path);
  if (*run_command || app.count("--config") > 0) return run(path);
  fmt::print("{}", app.help());
  return 2;
}
