// `bonus devnet`: a whole network on this machine.
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/json.hpp>
#include <csignal>
#include <filesystem>

#include "bonus/cli/app.hpp"
#include "bonus/cli/devnet.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;

constexpr Duration kStartTimeout = std::chrono::seconds(60);
constexpr Duration kStartPerNode = std::chrono::seconds(2);  // on top: they share the cores of one machine
constexpr Duration kOfferTimeout = std::chrono::seconds(30);
constexpr Duration kStopGrace = std::chrono::seconds(20);
constexpr Duration kAsk = std::chrono::seconds(2);
constexpr Duration kPoll = std::chrono::milliseconds(100);
constexpr std::string_view kContextName = "devnet";

// Written by the signal handler, read by the loop.
std::atomic<bool> interrupted{false};
static_assert(std::atomic<bool>::is_always_lock_free);

struct UpOptions {
  std::size_t nodes = 4;
  bool nodes_given = false;
  std::string dir, cpu, memory, disk, topology;
  bool detach = false, no_context = false;
};

/// The folder of the devnet that the context points into; empty when it points elsewhere.
std::string dir_of_context(const Session& session) {
  const auto folder = session.environment().config_dir();
  const auto contexts = folder ? load_contexts(*folder) : Result<Contexts>(Contexts{});
  const Context* context = contexts ? contexts->selected() : nullptr;
  if (context == nullptr || context->wallets_dir.empty()) return {};
  const fs::path dir = fs::path(context->wallets_dir).parent_path();
  std::error_code error;
  return fs::exists(dir / "devnet.json", error) ? dir.string() : std::string();
}

Result<std::string> dir_of(const Session& session, const std::string& option, bool make = false) {
  std::string dir = option;
  if (dir.empty() && !make && !session.environment().get("BONUS_DEVNET_DIR")) dir = dir_of_context(session);
  if (dir.empty()) {
    TRY_ASSIGN(dir, default_devnet_dir(session.environment()));
  }
  std::error_code error;
  std::string out = fs::absolute(dir, error).lexically_normal().string();
  while (out.size() > 1 && out.ends_with('/')) out.pop_back();
  if (error || out.find_first_of(",:\\\n\r\"") != std::string::npos)
    return fail(ErrorCode::kInvalid, "--dir: the path must not contain , : \\ \" or line ends (overlayfs options)");
  return out;
}

json::value ask_status(const DevnetNode& node) {
  if (node.api.empty()) return nullptr;
  ApiRequest request;
  request.url = node.api + "/v1/status";
  request.timeout = kAsk;
  auto answer = api_call(request);
  return answer ? std::move(*answer) : json::value(nullptr);
}

std::uint64_t height_of(const DevnetNode& node) {
  return json_number(json_member(ask_status(node), "chain"), "height");
}

const DevnetNode* gateway_of(const Devnet& net) {
  const auto found = std::ranges::find_if(net.nodes, [](const DevnetNode& node) { return node.has_role("gateway"); });
  return found == net.nodes.end() ? nullptr : &*found;
}

Error died(const Devnet& net, const DevnetNode& node) {
  return {ErrorCode::kUnavailable, fmt::format("{} ended while starting; the end of {}/log:\n{}", node.name,
                                               net.node_dir(node), log_tail(net, node, 12))};
}

/// Until the node answers on its local API.
Result<> wait_answering(Devnet& net, DevnetNode& node, Instant end) {
  for (;;) {
    if (!is_running(node)) return fail(died(net, node));
    if (read_endpoints(net, node) && !ask_status(node).is_null()) return net.save();
    if (interrupted) return fail(ErrorCode::kCancelled, "interrupted");
    if (runtime::system_clock().now() >= end)
      return fail(ErrorCode::kTimeout, fmt::format("{} does not answer; the end of {}/log:\n{}", node.name,
                                                   net.node_dir(node), log_tail(net, node, 12)));
    sleep_blocking(kPoll);
  }
}

Result<> wait_ready(Console& console, Devnet& net) {
  const Duration patience = kStartTimeout + kStartPerNode * static_cast<std::int64_t>(net.nodes.size());
  const Instant end = runtime::system_clock().now() + patience;
  std::size_t ready = 0;
  for (auto& node : net.nodes) {
    if (ask_status(node).is_null()) console.progress(fmt::format("{} of {} nodes answer ...", ready, net.nodes.size()));
    TRY(wait_answering(net, node, end));
    ++ready;
  }
  for (auto& node : net.nodes) {
    while (height_of(node) < 1) {
      console.progress("waiting for the first block on every node ...");
      if (!is_running(node)) return fail(died(net, node));
      if (interrupted) return fail(ErrorCode::kCancelled, "interrupted");
      if (runtime::system_clock().now() >= end)
        return fail(ErrorCode::kTimeout,
                    fmt::format("{} has no block after {} s; logs: {}/*/log", node.name,
                                std::chrono::duration_cast<std::chrono::seconds>(patience).count(), net.dir));
      sleep_blocking(kPoll);
    }
  }
  console.end_progress();
  return {};
}

/// Until every worker's offer stands in a block: a network on which nothing can be rented yet is not up. Only a warning
/// when it does not, because everything else works.
void wait_offers(Console& console, const Devnet& net) {
  const Instant end = runtime::system_clock().now() + kOfferTimeout;
  for (const auto& node : net.nodes) {
    if (!node.has_role("worker")) continue;
    for (;;) {
      const json::value status = ask_status(node);
      const json::value& worker = json_member(status, "worker");
      if (json_number(worker, "offer") != 0 || interrupted || !is_running(node)) break;
      if (runtime::system_clock().now() >= end) {
        const std::string problem = printable(json_text(worker, "problem"));
        console.warn(fmt::format("{} offers nothing yet{}; its log: {}/log", node.name,
                                 problem.empty() ? "" : ": " + problem, net.node_dir(node)));
        break;
      }
      console.progress("waiting for the workers' offers ...");
      sleep_blocking(kPoll);
    }
  }
  console.end_progress();
}

/// Stops the daemons, then whatever their containers left. The first error is reported after all were tried.
Result<std::size_t> stop_all(Console& console, Devnet& net) {
  Result<> first;
  std::size_t containers = 0;
  for (auto& node : net.nodes)
    if (is_running(node) && ::kill(static_cast<pid_t>(node.pid), SIGTERM) != 0 && errno == EPERM)
      return fail(ErrorCode::kDenied,
                  fmt::format("{} (pid {}) belongs to another user; run this as the one who started "
                              "it, or as root",
                              node.name, node.pid));
  for (auto& node : net.nodes) {
    console.progress(fmt::format("stopping {} ...", node.name));
    auto stopped = stop_node(node, SIGTERM, kStopGrace);
    if (!stopped && first) first = fail(std::move(stopped).error());
  }
  for (auto& node : net.nodes)
    if (node.has_role("worker") && !is_running(node)) containers += clean_containers(net, node);
  console.end_progress();
  TRY(net.save());
  if (!first) return fail(std::move(first).error());
  TRY(lower_topology(net));
  return containers;
}

/// Where a node of a devnet with a topology is.
void add_machine(json::object& item, const Devnet& net, const DevnetNode& node) {
  const auto& plan = *net.topology;
  const std::size_t machine = machine_of(net, node);
  const auto& at = plan.topology.nodes[machine];
  item["region"] = plan.topology.regions[at.region].name;
  item["nat"] = net::topology::to_string(plan.topology.nat_of(at));
  item["carrier"] = at.router && plan.topology.routers[*at.router].carrier_router.has_value();
  item["namespace"] = plan.node_namespace(machine);
  item["address"] = net::to_string(plan.node_address(machine));
  item["public"] = net::to_string(plan.public_address(machine));
}

json::object status_json(Devnet& net) {
  refresh_topology(net);
  json::array nodes;
  for (auto& node : net.nodes) {
    const bool running = is_running(node);
    if (running) static_cast<void>(read_endpoints(net, node));
    const json::value status = running ? ask_status(node) : json::value(nullptr);
    json::array roles;
    for (const auto& role : node.roles) roles.emplace_back(role);
    json::object item{{"name", node.name},
                      {"id", node.id},
                      {"account", node.account},
                      {"roles", std::move(roles)},
                      {"rpc", node.rpc},
                      {"registry", node.registry},
                      {"api", node.api},
                      {"gateway", node.gateway},
                      {"metrics", node.metrics},
                      {"pid", node.pid},
                      {"running", running},
                      {"answering", !status.is_null()},
                      {"height", json_number(json_member(status, "chain"), "height")},
                      {"log", net.node_dir(node) + "/log"}};
    if (net.topology) add_machine(item, net, node);
    nodes.push_back(std::move(item));
  }
  json::object accounts;
  const auto add = [&](std::string name, std::uint32_t index) {
    const auto key = crypto::account_key(kDevnetMnemonic, index);
    const auto address = key ? crypto::address_of(*key) : fail(key.error());
    if (address)
      accounts[std::move(name)] =
          json::object{{"address", crypto::to_checksum(*address)}, {"path", fmt::format("m/44'/60'/0'/0/{}", index)}};
  };
  add("user", kDevnetUserIndex);
  add("developer", kDevnetDeveloperIndex);
  add("foundation", kDevnetFoundationIndex);
  for (const auto& node : net.nodes) add(node.name, node.account_index);
  const DevnetNode* gateway = gateway_of(net);
  return {{"nodes", std::move(nodes)},
          {"gateway", gateway == nullptr ? "" : gateway->gateway},
          {"dir", net.dir},
          {"topology", net.topology ? json::value(json::object{{"file", net.topology->file_name},
                                                               {"prefix", net.topology->prefix},
                                                               {"tag", net.topology->tag}})
                                    : json::value(nullptr)},
          {"chain_id", kDevnetChainId},
          {"chain_name", kDevnetName},
          {"mnemonic", kDevnetMnemonic},
          {"mnemonic_accounts", std::move(accounts)}};
}

void print_status(Console& console, Devnet& net) {
  const json::object status = status_json(net);
  if (console.json()) {
    console.print(pretty(status));
    return;
  }
  std::vector<std::string> titles{"NODE", "STATE", "HEIGHT", "ROLES", "PID", "RPC", "API"};
  if (net.topology) titles.insert(titles.end(), {"REGION", "NAT", "PUBLIC"});
  Table table(std::move(titles));
  for (const auto& node : status.at("nodes").as_array()) {
    std::vector<std::string> roles;
    for (const auto& role : node.at("roles").as_array()) roles.emplace_back(role.as_string());
    const bool running = json_flag(node, "running");
    const std::string state = !running ? "stopped" : json_flag(node, "answering") ? "running" : "no answer";
    std::vector<std::string> row{json_text(node, "name"),
                                 state,
                                 running ? std::to_string(json_number(node, "height")) : "-",
                                 fmt::format("{}", fmt::join(roles, ",")),
                                 running ? std::to_string(json_number(node, "pid")) : "-",
                                 json_text(node, "rpc"),
                                 json_text(node, "api")};
    if (net.topology)
      row.insert(row.end(),
                 {json_text(node, "region"), json_text(node, "nat") + (json_flag(node, "carrier") ? " +carrier" : ""),
                  json_text(node, "public")});
    table.add(std::move(row));
  }
  console.raw(table.to_string());
  console.print("");
  console.print(fmt::format("gateway   {}", json_text(status, "gateway")));
  if (const DevnetNode* gateway = gateway_of(net)) console.print(fmt::format("registry  {}", gateway->registry));
  console.print(fmt::format("chain     {} (id {})", kDevnetName, kDevnetChainId));
  console.print(fmt::format("folder    {}", net.dir));
}

Result<> write_context(Session& session, const Devnet& net) {
  const DevnetNode* gateway = gateway_of(net);
  if (gateway == nullptr) return {};
  TRY_ASSIGN(const auto folder, session.environment().config_dir());
  auto contexts = load_contexts(folder);
  if (!contexts) return fail(std::move(contexts).error());
  const std::string name(kContextName);
  contexts->all[name] = Context{name, gateway->api, "dev", net.dir + "/wallets"};
  contexts->current = name;
  return save_contexts(folder, *contexts);
}

/// A context that points into a network that is gone only misleads.
void remove_context(Session& session, const Devnet& net) {
  const auto folder = session.environment().config_dir();
  if (!folder) return;
  auto contexts = load_contexts(*folder);
  if (!contexts) return;
  const auto removed =
      std::erase_if(contexts->all, [&](const auto& item) { return item.second.wallets_dir == net.dir + "/wallets"; });
  if (removed == 0) return;
  if (!contexts->all.contains(contexts->current))
    contexts->current = contexts->all.empty() ? "" : contexts->all.begin()->first;
  if (!save_contexts(*folder, *contexts))
    session.console().warn("the context of the stopped devnet could not be removed");
}

/// One line per block until Ctrl-C.
void watch(Console& console, Devnet& net) {
  std::uint64_t shown = 0;
  console.note("Ctrl-C stops all nodes and their containers.");
  while (!interrupted) {
    std::uint64_t best = 0, lowest = UINT64_MAX, running = 0;
    json::value at;
    for (const auto& node : net.nodes) {
      if (!is_running(node)) continue;
      ++running;
      json::value status = ask_status(node);
      const auto height = json_number(json_member(status, "chain"), "height");
      lowest = std::min(lowest, height);
      if (height > best) {
        best = height;
        at = std::move(status);
      }
    }
    if (running == 0) {
      console.warn("all nodes have ended");
      return;
    }
    if (best > shown) {
      shown = best;
      const json::value& chain = json_member(at, "chain");
      const std::string line =
          fmt::format("block {}  {}  round {}  {}  {} of {} nodes run, the last is at {}", best,
                      json_text(chain, "hash").substr(0, 14), json_number(chain, "round"),
                      utc_text(json_number(chain, "timestamp")), running, net.nodes.size(), lowest);
      if (console.json()) {
        console.print(json::serialize(chain));
      } else {
        console.print(line);
      }
    }
    for (int i = 0; i < 5 && !interrupted; ++i) sleep_blocking(kPoll);
  }
}

/// The file that the option names; without --nodes, all of its node-1, node-2, ...
Result<> read_topology(DevnetOptions& wanted, const UpOptions& options) {
  TRY_ASSIGN(wanted.topology, read_text(options.topology, net::topology::kMaxTopologyFile));
  wanted.topology_file = options.topology;
  if (!options.nodes_given) {
    TRY_ASSIGN(const auto topology, net::topology::parse_topology(wanted.topology, options.topology));
    wanted.nodes = std::max<std::size_t>(topology_nodes(topology), 1);
  }
  return {};
}

Result<int> up(Session& session, const UpOptions& options) {
  Console& console = session.console();
  TRY_ASSIGN(const auto dir, dir_of(session, options.dir, true));
  TRY_ASSIGN(const auto bonusd, find_bonusd());
  std::signal(SIGINT, [](int) { interrupted = true; });
  std::signal(SIGTERM, [](int) { interrupted = true; });
  auto loaded = Devnet::load(dir);
  const bool fresh = !loaded && loaded.error().code == ErrorCode::kNotFound;
  DevnetOptions wanted{options.nodes, dir, options.cpu, options.memory, options.disk, {}, {}};
  if (!options.topology.empty()) TRY(read_topology(wanted, options));
  if (fresh) {
    loaded = make_devnet(wanted);
  } else if (loaded && !wanted.topology.empty() && (!loaded->topology || loaded->topology->toml != wanted.topology)) {
    return fail(ErrorCode::kConflict,
                fmt::format("{} holds a devnet that was made {}; its genesis names the addresses. Remove it (bonus "
                            "devnet down --purge --dir {}) or take another --dir",
                            dir, loaded->topology ? "with another topology" : "without a topology", dir));
  } else if (loaded && options.nodes_given && loaded->nodes.size() != options.nodes) {
    console.note(fmt::format("{} holds a devnet of {} nodes; it is used as it is (a new one: another --dir)", dir,
                             loaded->nodes.size()));
  }
  if (!loaded) return fail(std::move(loaded).error());
  Devnet net = std::move(*loaded);
  const bool already = std::ranges::all_of(net.nodes, is_running);
  if (!already && net.nodes.size() > 1 && ::geteuid() != 0)
    console.warn("workers start containers, which needs root: run this with sudo, or nothing can be rented");
  TRY(raise_topology(net));
  for (auto& node : net.nodes) TRY(start_node(net, node, bonusd));
  if (auto ready = wait_ready(console, net); !ready) {
    // A half-started network helps nobody; its folder stays for the logs.
    if (!already) static_cast<void>(stop_all(console, net));
    return fail(std::move(ready).error());
  }
  wait_offers(console, net);
  if (!options.no_context) TRY(write_context(session, net));
  if (options.detach || already) {
    if (!console.json() && already) console.note("it runs already");
    print_status(console, net);
    return kExitOk;
  }
  print_status(console, net);
  watch(console, net);
  TRY(stop_all(console, net));
  if (!options.no_context) remove_context(session, net);
  console.note("stopped");
  return kExitOk;
}

Result<int> down(Session& session, const std::string& option, bool purge) {
  TRY_ASSIGN(const auto dir, dir_of(session, option));
  Console& console = session.console();
  auto net = Devnet::load(dir);
  std::size_t stopped = 0, containers = 0;
  if (!net && net.error().code != ErrorCode::kNotFound) return fail(std::move(net).error());
  if (net) {
    stopped = static_cast<std::size_t>(std::ranges::count_if(net->nodes, is_running));
    TRY_ASSIGN(containers, stop_all(console, *net));
    remove_context(session, *net);
    if (purge) {
      std::error_code error;
      for (const auto& node : net->nodes) fs::remove_all(net->node_dir(node), error);
      for (const char* name : {"/wallets", "/genesis.json", "/devnet.json", "/names.json", "/registrations"})
        fs::remove_all(dir + name, error);
      fs::remove(dir, error);
    }
  }
  if (console.json()) {
    console.print(pretty(json::object{{"stopped", stopped}, {"containers", containers}, {"dir", dir}}));
  } else if (!net) {
    console.print(fmt::format("no devnet in {}: nothing to stop", dir));
  } else {
    console.print(fmt::format("stopped {} nodes and {} containers{}", stopped, containers,
                              purge ? "; their data is gone" : fmt::format("; their data stays in {}", dir)));
  }
  return kExitOk;
}

Result<int> status(Session& session, const std::string& option) {
  TRY_ASSIGN(const auto dir, dir_of(session, option));
  TRY_ASSIGN(auto net, Devnet::load(dir));
  print_status(session.console(), net);
  return std::ranges::any_of(net.nodes, is_running) ? kExitOk : kExitNotFound;
}

enum class NodeAction : std::uint8_t { kStart, kStop, kKill };

Result<int> one_node(Session& session, const std::string& option, const std::string& name, NodeAction action) {
  TRY_ASSIGN(const auto dir, dir_of(session, option));
  TRY_ASSIGN(auto net, Devnet::load(dir));
  const auto node = std::ranges::find(net.nodes, name, &DevnetNode::name);
  if (node == net.nodes.end()) {
    std::vector<std::string> names;
    for (const auto& item : net.nodes) names.push_back(item.name);
    return fail(ErrorCode::kNotFound,
                fmt::format("there is no node \"{}\"; there are: {}", printable(name), fmt::join(names, ", ")));
  }
  Console& console = session.console();
  std::string done = "running";
  if (action == NodeAction::kStart) {
    TRY_ASSIGN(const auto bonusd, find_bonusd());
    TRY(raise_topology(net));
    TRY(start_node(net, *node, bonusd));
    console.progress(fmt::format("waiting for {} ...", name));
    TRY(wait_answering(net, *node, runtime::system_clock().now() + kStartTimeout));
    if (node->has_role("gateway")) {
      TRY_ASSIGN(const auto folder, session.environment().config_dir());
      const auto contexts = load_contexts(folder);
      const Context* context = contexts ? contexts->selected() : nullptr;
      if (context != nullptr && context->wallets_dir == net.dir + "/wallets") TRY(write_context(session, net));
    }
  } else {
    TRY_ASSIGN(const bool was, stop_node(*node, action == NodeAction::kKill ? SIGKILL : SIGTERM, kStopGrace));
    done = was ? "stopped" : "stopped already";
    TRY(net.save());
  }
  console.end_progress();
  if (console.json()) {
    console.print(pretty(json::object{{"name", name}, {"pid", node->pid}, {"running", is_running(*node)}}));
  } else {
    console.print(
        fmt::format("{} is {}{}", name, done,
                    action == NodeAction::kStart ? fmt::format(" (pid {})", node->pid) : "; its containers go on"));
  }
  return kExitOk;
}

}  // namespace

void add_devnet_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "devnet", "A local network of ordinary nodes");
  const auto dir = std::make_shared<std::string>();
  const auto add_dir = [dir](CLI::App* leaf) {
    leaf->add_option("--dir", *dir,
                     "Its folder (else BONUS_DEVNET_DIR, else that of the context in use, else "
                     "~/.local/state/bonuscloud/devnet)")
        ->type_name("DIR");
  };
  const auto options = std::make_shared<UpOptions>();
  const auto nodes_option = std::make_shared<CLI::Option*>(nullptr);
  CLI::App* leaf = app.leaf(*group, "up", "Make it if there is none, start its nodes, wait until all have a block",
                            [&session, options, dir, nodes_option] {
                              options->dir = *dir;
                              options->nodes_given = *nodes_option != nullptr && (*nodes_option)->count() > 0;
                              return up(session, *options);
                            });
  add_dir(leaf);
  *nodes_option =
      leaf->add_option("--nodes", options->nodes,
                       "How many: the first 4 are bookkeepers, node 1 is the gateway, the others rent themselves out")
          ->capture_default_str()
          ->check(CLI::Range(std::size_t{1}, kMaxDevnetNodes));
  leaf->add_option("--topology", options->topology,
                   "A little Internet of namespaces under it: regions, latency, loss, kinds of NAT "
                   "(docs/formats/topology.md); needs root")
      ->type_name("FILE.toml");
  leaf->add_flag("-d,--detach", options->detach, "Return when it is up; otherwise it ends with Ctrl-C");
  leaf->add_flag("--no-context", options->no_context, "Do not make it the network that commands use");
  leaf->add_option("--worker-cpu", options->cpu, "What each worker rents out; all of the machine when absent")
      ->type_name("CORES");
  leaf->add_option("--worker-memory", options->memory, "The same; a share of half the machine when absent")
      ->type_name("SIZE");
  leaf->add_option("--worker-disk", options->disk, "The same; 8Gi when absent")->type_name("SIZE");

  const auto purge = std::make_shared<bool>(false);
  leaf = app.leaf(*group, "down", "Stop its nodes and containers",
                  [&session, dir, purge] { return down(session, *dir, *purge); });
  add_dir(leaf);
  leaf->add_flag("--purge", *purge, "Remove its data too");
  add_dir(
      app.leaf(*group, "status", "Its nodes and where they listen", [&session, dir] { return status(session, *dir); }));

  CLI::App* nodes = app.group(*group, "node", "One node of it");
  const auto name = std::make_shared<std::string>();
  const auto add_node = [&](const char* word, const char* text, NodeAction action) {
    CLI::App* one =
        app.leaf(*nodes, word, text, [&session, dir, name, action] { return one_node(session, *dir, *name, action); });
    app.complete(one->add_option("name", *name, "node-1, node-2, ...")->required(), WordKind::kDevnetNode);
    add_dir(one);
  };
  add_node("start", "Start its bonusd", NodeAction::kStart);
  add_node("stop", "End its bonusd gracefully; containers go on", NodeAction::kStop);
  add_node("kill", "End its bonusd as a crash would (SIGKILL)", NodeAction::kKill);
}

}  // namespace bonus::cli
