// bonusd import --eth-rules, bonusd serve --eth-rules.
#include "apps/bonusd_eth.hpp"

#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <fstream>
#include <memory>

#include "bonus/base/log.hpp"
#include "bonus/chain/eth/import.hpp"
#include "bonus/chain/eth/json.hpp"
#include "bonus/chain/eth/pooled.hpp"
#include "bonus/chain/eth/testing_methods.hpp"
#include "bonus/chain/mempool/mempool.hpp"
#include "bonus/chain/rpc/rpc.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/version.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::apps {
namespace {

namespace eth = chain::eth;
namespace http = runtime::http;

struct Options {
  bool eth_rules = false;
  std::string data = "eth-data";
  std::string genesis, chain;
  std::string listen = "127.0.0.1:8545";
  std::string cors = "*";
  std::vector<std::string> hosts;
};

int report(const Error& error) {
  fmt::print(stderr, "bonusd: {}\n", error.message);
  return 1;
}

int need_eth_rules(const char* command) {
  fmt::print(stderr, "bonusd {}: give --eth-rules; BonusChain's own blocks come from peers (bonusd run)\n", command);
  return 2;
}

std::string summary(const eth::EthLedger& ledger, const eth::Imported& done) {
  const auto head = ledger.head();
  return fmt::format("{} blocks imported, {} here already; head {} {}", done.blocks, done.skipped, head.number,
                     to_hex0x(ledger.head_hash()));
}

int import_chain(const Options& options) {
  if (!options.eth_rules) return need_eth_rules("import");
  auto genesis = eth::read_file(options.genesis);
  if (!genesis) return report(genesis.error());
  std::ifstream in(options.chain, std::ios::binary);
  if (!in) return report({ErrorCode::kIo, fmt::format("cannot read {}", options.chain)});
  auto ledger = eth::EthLedger::open({.path = options.data, .genesis_json = *std::move(genesis)});
  if (!ledger) return report(ledger.error());

  const auto& clock = runtime::system_clock();
  auto shown = clock.now();
  const auto progress = [&](const eth::Imported& done) {
    if (clock.now() - shown < std::chrono::seconds(2)) return;
    shown = clock.now();
    fmt::print(stderr, "{}\n", summary(**ledger, done));
  };
  const auto done = eth::import_blocks(**ledger, in, progress);
  if (!done) {
    Error error = done.error();
    return report(std::move(error).wrap(options.chain));
  }
  fmt::print("{}\n", summary(**ledger, *done));
  return 0;
}

int serve(const Options& options) {
  if (!options.eth_rules) return need_eth_rules("serve");
  const auto listen = node::parse_listen(options.listen);
  if (!listen) return report(listen.error());
  auto opened = eth::EthLedger::open({.path = options.data, .genesis_json = {}});
  if (!opened) {
    if (opened.error().code == ErrorCode::kNotFound)
      opened.error().message += "; first: bonusd import --eth-rules GENESIS CHAIN.rlp --data " + options.data;
    return report(opened.error());
  }
  const auto ledger = *std::move(opened);
  const auto mempool = chain::mempool::make_mempool(*ledger, {.rules = eth::pool_rules(*ledger)});

  runtime::BlockingPool pool(2, 256);
  boost::asio::io_context io;
  boost::asio::signal_set stop(io, SIGTERM, SIGINT);
  chain::rpc::RpcOptions rpc_options;
  rpc_options.client_version = fmt::format("BonusCloud/v{}", node::kVersion);
  rpc_options.cors_origin = options.cors;
  rpc_options.hosts = options.hosts;
  rpc_options.pool = &pool;
  rpc_options.read_transaction = [&](BytesView raw) {
    return eth::read_pooled_transaction(raw, ledger->next_rules().revision);
  };
  rpc_options.extra_methods = eth::testing_methods(*ledger, *mempool);
  chain::rpc::RpcService service(*ledger, *mempool, rpc_options);
  http::ServerOptions server_options;
  server_options.address = listen->host == "localhost" ? "127.0.0.1" : listen->host;
  server_options.port = listen->port;
  server_options.name = "rpc";
  auto server = http::Server::listen(io.get_executor(), std::move(server_options),
                                     [&](http::Exchange& exchange) { return service.handle(exchange); });
  if (!server) return report(server.error());
  stop.async_wait([&](const boost::system::error_code&, int) {
    (*server)->stop();
    boost::asio::co_spawn(io, (*server)->join(), [&](const std::exception_ptr&) { io.stop(); });
  });
  fmt::print("chain {}, head {} {}\nhttp://{}:{}\n", ledger->config().chain_id, ledger->head().number,
             to_hex0x(ledger->head_hash()), listen->host, (*server)->port());
  (void)std::fflush(stdout);
  io.run();
  return 0;
}

}  // namespace

std::function<std::function<int()>()> add_eth_commands(CLI::App& app) {
  const auto options = std::make_shared<Options>();  // Shared: by the parser's bindings and the commands.
  auto* import_command =
      app.add_subcommand("import", "Check a chain of Ethereum from its genesis on and keep every state of it");
  import_command->add_flag("--eth-rules", options->eth_rules, "By Ethereum's own rules (the only ones offered)");
  import_command->add_option("GENESIS", options->genesis, "geth's genesis.json")->required();
  import_command->add_option("CHAIN", options->chain, "Encoded blocks, as `geth export` writes them")->required();
  import_command->add_option("--data", options->data, "The database; blocks that it has are skipped")
      ->capture_default_str();
  auto* serve_command = app.add_subcommand("serve", "JSON-RPC over HTTP and WebSocket on an imported chain");
  serve_command->add_flag("--eth-rules", options->eth_rules, "By Ethereum's own rules (the only ones offered)");
  serve_command->add_option("--data", options->data, "The database")->capture_default_str();
  serve_command->add_option("--http", options->listen, "ADDRESS:PORT to listen on; port 0: any free one")
      ->capture_default_str();
  serve_command->add_option("--cors", options->cors, "Access-Control-Allow-Origin; empty: none")->capture_default_str();
  serve_command->add_option("--host", options->hosts, "Host names served besides addresses and localhost; *: any");
  return [=]() -> std::function<int()> {
    if (*import_command) return [options] { return import_chain(*options); };
    if (*serve_command) return [options] { return serve(*options); };
    return {};
  };
}

}  // namespace bonus::apps
