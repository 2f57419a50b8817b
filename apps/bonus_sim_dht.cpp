// `bonus-sim dht`: the DHT's production core in a synthetic Internet.
#include "bonus_sim_dht.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <map>
#include <memory>

#include "bonus/net/kad/sim/dht_run.hpp"

std::function<int()> add_dht_command(CLI::App& app) {
  namespace sim = bonus::net::kad::sim;
  using bonus::net::kad::Policy;
  struct Arguments {
    sim::DhtSetup setup;
    bool json = false, no_caps = false;
    double least = 0;
  };
  const auto arguments = std::make_shared<Arguments>();  // shared: the parser writes it, the command reads it
  auto& setup = arguments->setup;
  auto* dht = app.add_subcommand("dht", "Kademlia with physical distance in a synthetic Internet of 16 metros");
  dht->add_option("--nodes", setup.nodes, "Nodes")->check(CLI::Range(50, 1'000'000))->capture_default_str();
  dht->add_option("--seed", setup.seed, "Seed of the run")->capture_default_str();
  const std::map<std::string, Policy> policies{{"near", Policy::kNear}, {"random", Policy::kRandom}};
  dht->add_option("--policy", setup.policy, "near: the design; random: any neighbours and strict XOR, to compare with")
      ->transform(CLI::CheckedTransformer(policies))
      ->default_str("near");
  dht->add_option("--lookups", setup.lookups, "Lookups of random nodes' records")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  dht->add_option("--rounds", setup.rounds, "Refresh rounds before the lookups (policy near)")
      ->check(CLI::Range(0, 100))
      ->capture_default_str();
  dht->add_option("--publishers", setup.publishers, "Nodes whose records are published and looked up; 0: all")
      ->capture_default_str();
  dht->add_option("--warm", setup.warm, "Candidates of each bucket that tables start with")
      ->check(CLI::Range(16, 1024))
      ->capture_default_str();
  dht->add_flag("--churn", setup.churn, "Sessions of 30 minutes (exponential); new nodes join through old ones");
  dht->add_option("--hours", setup.hours, "Length of churn")->check(CLI::Range(0.1, 48.0))->capture_default_str();
  dht->add_option("--loss", setup.loss, "Probability that a datagram is lost")
      ->check(CLI::Range(0.0, 0.9))
      ->capture_default_str();
  dht->add_option("--sybils", setup.sybils, "Attackers around the record of each target; only targets are looked up")
      ->check(CLI::Range(0, 2000))
      ->capture_default_str();
  dht->add_option("--prefixes", setup.prefixes, "/24s that the attackers of a target have")
      ->check(CLI::Range(1, 2000))
      ->capture_default_str();
  dht->add_option("--targets", setup.targets, "Records under attack")
      ->check(CLI::Range(1, 10'000))
      ->capture_default_str();
  dht->add_flag("--values", setup.values, "Signed values instead of node records: nobody stands where they live");
  dht->add_flag("--no-caps", arguments->no_caps, "Without the caps per prefix in tables, answers and lookups");
  dht->add_option("--require-success", arguments->least, "Exit with 1 when a smaller share of lookups succeeds")
      ->check(CLI::Range(0.0, 1.0));
  dht->add_flag("--json", arguments->json, "One JSON object on standard output");
  dht->footer(
      "Tables start warm: candidates of each bucket (and all close nodes) go through the production insertion, with\n"
      "their true round-trip times; coordinates are converged by 64 measurements each. Publishing, refresh rounds,\n"
      "lookups, churn and joins are the production core's messages on a virtual clock. Only signatures are stand-ins,\n"
      "and attackers' keys are placed, not ground. Records are of 80 bytes.\n"
      "Exit code: 0; 1 fewer lookups succeeded than required; 2 wrong arguments.");
  return [arguments] {
    arguments->setup.caps = !arguments->no_caps;
    const auto report = sim::simulate(arguments->setup);
    fmt::print(
        "{}", arguments->json ? sim::to_json(arguments->setup, report) + "\n" : sim::to_text(arguments->setup, report));
    const auto share =
        report.lookups == 0 ? 0.0 : static_cast<double>(report.found) / static_cast<double>(report.lookups);
    return share >= arguments->least ? 0 : 1;
  };
}
