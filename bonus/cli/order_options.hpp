// The flags that describe what to rent, shared by `run` and `market explain`.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "bonus/chain/api/market.hpp"
#include "bonus/cli/app.hpp"

namespace bonus::cli {

struct OrderOptions {
  std::string cpu = "500m", memory = "256Mi", disk = "1Gi";
  std::uint16_t replicas = 1;
  std::string region, tier = "any", runtime = "runc";
  std::string max_price, deposit, duration;
  std::string developer, royalty;
  bool distinct = false;
};

void add_resource_options(App& app, CLI::App& leaf, OrderOptions& options);

/// Everything but image, workload and price. The options have passed their checks already; kInvalid otherwise.
[[nodiscard]] Result<chain::market::OrderSpec> order_spec(const OrderOptions& options);
/// Wei per second for one replica; without --max-price the most that the market takes.
[[nodiscard]] Result<uint256> max_price_of(const OrderOptions& options);
/// --deposit, or one hour (--duration when shorter) of all replicas at `price_per_second`.
[[nodiscard]] Result<uint256> deposit_of(const OrderOptions& options, const uint256& price_per_second);

/// Asks the market. A zero `deposit` means "enough": first any deposit, then the one for an hour.
[[nodiscard]] Result<chain::market::Explanation> preflight(MarketClient& client, const chain::market::OrderSpec& spec,
                                                           const uint256& deposit, const Address& user);
/// For people: what matches at what price, or which dimension stands in the way and what would help.
[[nodiscard]] std::string explanation_text(const chain::market::Explanation& found,
                                           const chain::market::OrderSpec& spec);

}  // namespace bonus::cli
