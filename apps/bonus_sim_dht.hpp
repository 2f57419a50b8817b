// The `dht` subcommand of bonus-sim.
#pragma once

#include <functional>

namespace CLI {
class App;
}

/// Adds the subcommand; the function returned runs it when it was chosen and gives the exit code.
std::function<int()> add_dht_command(CLI::App& app);
