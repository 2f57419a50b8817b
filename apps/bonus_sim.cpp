// bonus-sim: seeded simulations from the command line. `bonus-sim consensus` runs BonusBFT against a hostile world,
// `bonus-sim dht` the overlay's DHT in a synthetic Internet.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <map>

#include "bonus/chain/consensus/sim/simulation.hpp"
#include "bonus_sim_dht.hpp"

namespace {

using bonus::chain::consensus::Mutation;
namespace sim = bonus::chain::consensus::sim;

struct Arguments {
  sim::Setup setup;
  std::uint64_t runs = 1000, seed = 1;
  bool json = false;
};

struct Totals {
  std::uint64_t runs = 0, heights = 0, messages = 0, crashes = 0, evidence = 0;
  std::uint32_t highest_round = 0;
};

// JSON strings here hold only our own ASCII sentences without quotes.
void report(const Arguments& arguments, const Totals& totals, const sim::Outcome* bad, std::uint64_t seed) {
  const auto& setup = arguments.setup;
  if (arguments.json) {
    std::string failure = "null";
    if (bad != nullptr)
      failure = fmt::format(R"({{"seed":{},"agreed":{},"decided":{},"honest_blamed":{},"trouble":"{}"}})", seed,
                            bad->agreed, bad->decided, bad->honest_blamed, bad->trouble);
    fmt::print(
        R"({{"nodes":{},"byzantine":{},"mutation":"{}","signatures":"{}","first_seed":{},"runs":{},"heights":{},)"
        R"("messages":{},"crashes":{},"evidence":{},"highest_round":{},"failure":{}}})"
        "\n",
        setup.nodes, setup.byzantine, sim::to_string(setup.mutation), setup.ed25519 ? "ed25519" : "keyed-hash",
        arguments.seed, totals.runs, totals.heights, totals.messages, totals.crashes, totals.evidence,
        totals.highest_round, failure);
    return;
  }
  fmt::print(
      "{} nodes, {} Byzantine, mutation {}: {} runs, {} heights, {} messages, {} crashes, {} pieces of evidence, "
      "highest round {}\n",
      setup.nodes, setup.byzantine, sim::to_string(setup.mutation), totals.runs, totals.heights, totals.messages,
      totals.crashes, totals.evidence, totals.highest_round);
  if (bad == nullptr)
    fmt::print("every run agreed and decided\n");
  else
    fmt::print("seed {} {}: {}\n", seed, bad->agreed ? "failed" : "FORKED", bad->trouble);
}

int run(const Arguments& arguments) {
  Totals totals;
  const bool mutated = arguments.setup.mutation != Mutation::kNone;
  for (std::uint64_t seed = arguments.seed; seed - arguments.seed < arguments.runs; ++seed) {
    const auto outcome = sim::simulate(arguments.setup, seed);
    ++totals.runs;
    totals.heights += outcome.heights;
    totals.messages += outcome.messages;
    totals.crashes += outcome.crashes;
    totals.evidence += outcome.evidence;
    totals.highest_round = std::max(totals.highest_round, outcome.highest_round);
    // A mutation is looked at for forks; that it may also stall says nothing about safety.
    if (mutated ? outcome.agreed : outcome.good()) continue;
    report(arguments, totals, &outcome, seed);
    return 1;
  }
  report(arguments, totals, nullptr, 0);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App app("Seeded simulations of BonusCloud's protocols: the same arguments give the same run.", "bonus-sim");
  app.require_subcommand(1);
  Arguments arguments;
  auto* consensus = app.add_subcommand("consensus", "BonusBFT under loss, partitions, crashes and Byzantine nodes");
  consensus->add_option("--nodes", arguments.setup.nodes, "Bookkeepers")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  consensus->add_option("--byzantine", arguments.setup.byzantine, "How many of them are Byzantine")
      ->check(CLI::Range(0, 63))
      ->capture_default_str();
  consensus->add_option("--runs", arguments.runs, "Runs, one per seed")->capture_default_str();
  consensus->add_option("--seed", arguments.seed, "Seed of the first run")->capture_default_str();
  const std::map<std::string, Mutation> mutations{{"none", Mutation::kNone},
                                                  {"nolock", Mutation::kNoLock},
                                                  {"amnesia", Mutation::kAmnesia},
                                                  {"nojustification", Mutation::kNoJustification},
                                                  {"commit-after-roundchange", Mutation::kCommitAfterRoundChange},
                                                  {"small-quorum", Mutation::kSmallQuorum}};
  std::string mutation = "none";
  std::vector<std::string> names;
  for (const auto& [name, _] : mutations) names.push_back(name);
  consensus->add_option("--mutate", mutation, "Break one rule in every honest node, to see it fork")
      ->check(CLI::IsMember(names))
      ->capture_default_str();
  consensus->add_flag("--ed25519", arguments.setup.ed25519, "Real signatures instead of a keyed hash (slower)");
  consensus->add_flag("--json", arguments.json, "One JSON object on standard output");
  consensus->footer(
      "Exit code: 0 every run agreed and decided; 1 a run did not, its seed is printed; 2 wrong arguments.");
  const auto run_dht = add_dht_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? 0 : 2;
  }
  if (app.got_subcommand("dht")) return run_dht();
  arguments.setup.mutation = mutations.at(mutation);
  if (arguments.setup.byzantine >= arguments.setup.nodes) {
    fmt::print(stderr, "--byzantine must be smaller than --nodes: somebody has to be honest\n");
    return 2;
  }
  return run(arguments);
}
