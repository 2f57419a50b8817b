// bonusd import and serve: a chain of Ethereum under Ethereum's own rules, for tools that expect one.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace bonus::apps {

/// Adds the subcommands. What to run when one was chosen: nothing otherwise. `app` must outlive the result.
[[nodiscard]] std::function<std::function<int()>()> add_eth_commands(CLI::App& app);

}  // namespace bonus::apps
