// bonus-wire: a little Internet on one machine. `up` makes it from a TOML file, `run` is the wire itself.
#include <fmt/format.h>
#include <sched.h>
#include <sys/resource.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>

#include "bonus/net/topology/network.hpp"
#include "bonus/net/topology/system.hpp"
#include "bonus/net/topology/wire.hpp"
#include "bonus/runtime/clock.hpp"

namespace {

namespace topology = bonus::net::topology;
using bonus::Result;
using topology::Network;

struct Arguments {
  std::string file, tag, prefix = "bn", capture, config, control, node, router, region_a, region_b;
  std::optional<std::uint64_t> seed;
  std::optional<double> latency_ms, jitter_ms, loss;
  bool json = false, off = false;
};

int complain(const bonus::Error& error) {
  fmt::print(stderr, "bonus-wire: {}\n", error.message);
  return 1;
}

int finish(const Result<>& done) { return done ? 0 : complain(done.error()); }

std::optional<bonus::Duration> from_ms(const std::optional<double>& ms) {
  if (!ms) return std::nullopt;
  return bonus::Duration(static_cast<std::int64_t>(*ms * 1e6));
}

std::string absolute(const std::string& path) { return path.empty() ? path : std::filesystem::absolute(path).string(); }

void print(const Network& network, bool json) {
  if (json) {
    fmt::print("{}\n", network.to_json());
    return;
  }
  const auto& plan = network.plan();
  fmt::print("{:<24} {:<40} {:<10} {:<20} {:<16} {:<16}\n", "NODE", "NAMESPACE", "REGION", "NAT", "ADDRESS", "PUBLIC");
  for (std::size_t i = 0; i < plan.nodes.size(); ++i) {
    const auto& node = plan.topology.nodes[i];
    const bool carrier = node.router && plan.topology.routers[*node.router].carrier_router;
    const std::string nat = fmt::format("{}{}", to_string(plan.topology.nat_of(node)), carrier ? " +carrier" : "");
    fmt::print("{:<24} {:<40} {:<10} {:<20} {:<16} {:<16}{}{}\n", node.name, plan.node_namespace(i),
               plan.topology.regions[node.region].name, nat, bonus::net::to_string(plan.node_address(i)),
               bonus::net::to_string(plan.public_address(i)), plan.nodes[i].udp_blocked ? " no UDP" : "",
               plan.nodes[i].cut ? " cut" : "");
  }
  fmt::print("seed {}, wire {}\n", plan.topology.seed, plan.wire_pid);
}

int up(const Arguments& a) {
  topology::UpOptions options;
  auto text = topology::whole_file(a.file, topology::kMaxTopologyFile);
  if (!text) return complain(text.error());
  options.toml = std::move(*text);
  options.file_name = a.file;
  options.prefix = a.prefix;
  options.tag = a.tag;
  options.capture = absolute(a.capture);
  options.seed = a.seed;
  std::error_code error;
  options.wire_program = std::filesystem::read_symlink("/proc/self/exe", error).string();
  const auto network = Network::up(options);
  if (!network) return complain(network.error());
  print(*network, a.json);
  return 0;
}

int down(const Arguments& a) {
  const auto tags = a.tag == "all" ? topology::network_tags(a.prefix) : std::vector<std::string>{a.tag};
  for (const auto& tag : tags) {
    const auto count = Network::down(a.prefix, tag);
    if (!count) return complain(count.error());
    if (!a.json) fmt::print("{}: {} namespaces removed\n", tag, *count);
  }
  return 0;
}

int run(const Arguments& a) {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&signals, number);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  // Latency is only as good as the wire's turn on a busy machine, where a nice value counts within the session only.
  // Where this is not permitted, it is what it is.
  const sched_param first{.sched_priority = 1};
  constexpr int kBefore = -10;
  if (::sched_setscheduler(0, SCHED_RR, &first) != 0) static_cast<void>(::setpriority(PRIO_PROCESS, 0, kBefore));
  auto wire = topology::Wire::open({a.config, a.control}, bonus::runtime::system_clock());
  if (!wire) return complain(wire.error());
  return finish((*wire)->run());
}

/// A command on a network that is up.
int change(const Arguments& a, const std::function<Result<>(Network&)>& action) {
  auto network = Network::load(a.prefix, a.tag);
  if (!network) return complain(network.error());
  const auto done = action(*network);
  if (!done) return complain(done.error());
  if (a.json) print(*network, true);
  return 0;
}

int show(const Arguments& a) {
  const auto network = Network::load(a.prefix, a.tag);
  if (!network) return complain(network.error());
  print(*network, a.json);
  return 0;
}

int stats(const Arguments& a) {
  const auto network = Network::load(a.prefix, a.tag);
  if (!network) return complain(network.error());
  const auto text = network->stats();
  if (!text) return complain(text.error());
  fmt::print("{}\n", *text);
  return 0;
}

int check(const Arguments& a) {
  const auto text = topology::whole_file(a.file, topology::kMaxTopologyFile);
  if (!text) return complain(text.error());
  const auto parsed = topology::parse_topology(*text, a.file);
  if (!parsed) return complain(parsed.error());
  fmt::print("{}: {} nodes, {} routers, {} regions\n", a.file, parsed->nodes.size(), parsed->routers.size(),
             parsed->regions.size());
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("A little Internet of network namespaces on this machine: latency, loss, NAT, regions.", "bonus-wire");
  app.require_subcommand(1);
  Arguments a;
  std::function<int()> action;
  const auto leaf = [&](const char* name, const char* text, std::function<int()> what) {
    CLI::App* out = app.add_subcommand(name, text);
    out->callback([&action, what = std::move(what)] { action = what; });
    return out;
  };
  const auto tagged = [&](CLI::App* command) {
    command->add_option("--tag", a.tag, "Which network: 1 to 16 of a-z and 0-9")->required();
    command->add_option("--prefix", a.prefix, "Its namespaces are PREFIX-TAG-NODE")->capture_default_str();
    command->add_flag("--json", a.json, "JSON on standard output");
    return command;
  };
  const auto of_node = [&](CLI::App* command) {
    tagged(command)->add_option("node", a.node, "Name of the node")->required();
    return command;
  };
  CLI::App* command = tagged(leaf("up", "Make the network of a file and start its wire", [&] { return up(a); }));
  command->add_option("file", a.file, "TOML, docs/formats/topology.md")->required();
  command->add_option("--seed", a.seed, "Of loss and jitter; else the file's");
  command->add_option("--capture", a.capture, "pcap file of everything that enters the wire");
  tagged(
      leaf("down", "Remove it, also what a crash left (--tag all: every one of the prefix)", [&] { return down(a); }));
  tagged(leaf("show", "Its nodes, namespaces and addresses", [&] { return show(a); }));
  tagged(leaf("stats", "What the wire counted, JSON", [&] { return stats(a); }));
  leaf("check", "Read a file only", [&] { return check(a); })->add_option("file", a.file)->required();
  command = of_node(leaf("roam", "Give a node another public address, or plug it in at another router", [&] {
    return change(a, [&](Network& n) { return a.router.empty() ? n.roam(a.node) : n.roam_to(a.node, a.router); });
  }));
  command->add_option("--to", a.router, "A lan, or a node that has a router of its own");
  command = of_node(leaf("block", "Let UDP of a node vanish beyond its LAN",
                         [&] { return change(a, [&](Network& n) { return n.block_udp(a.node, !a.off); }); }));
  command->add_flag("--off", a.off, "Let it through again");
  command = of_node(leaf("cut", "Take a node off the network",
                         [&] { return change(a, [&](Network& n) { return n.cut(a.node, !a.off); }); }));
  command->add_flag("--off", a.off, "Plug it in again");
  command = tagged(leaf("link", "Change the path between two regions, or inside one", [&] {
    return change(a, [&](Network& n) {
      return n.set_path(a.region_a, a.region_b, {from_ms(a.latency_ms), from_ms(a.jitter_ms), a.loss});
    });
  }));
  command->add_option("from", a.region_a)->required();
  command->add_option("to", a.region_b)->required();
  command->add_option("--latency-ms", a.latency_ms)->check(CLI::Range(0.0, 60000.0));
  command->add_option("--jitter-ms", a.jitter_ms)->check(CLI::Range(0.0, 60000.0));
  command->add_option("--loss", a.loss)->check(CLI::Range(0.0, 1.0));
  command = tagged(leaf("capture", "Write everything that enters the wire from now on to a pcap file", [&] {
    return change(a, [&](Network& n) { return n.capture(a.off ? "" : absolute(a.capture)); });
  }));
  command->add_option("file", a.capture);
  command->add_flag("--off", a.off, "End that");
  command = leaf("run", "The wire of a network that is set up, in the foreground", [&] { return run(a); });
  command->add_option("--config", a.config, "JSON, as `up` writes it")->required();
  command->add_option("--control", a.control, "Socket that answers to reload and stats");
  CLI11_PARSE(app, argc, argv);
  return action();
}
