// Flags of an order, its default deposit, and the market's explanation in words.
#include "bonus/cli/order_options.hpp"

#include <fmt/format.h>

#include "bonus/base/parse.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/crypto/hash.hpp"

namespace bonus::cli {

namespace market = chain::market;

namespace {

constexpr std::uint64_t kDefaultDepositSeconds = 3600;
/// Stands for "any price" and "any deposit": the ABI's largest price.
uint256 no_limit() { return (uint256(1) << 128) - uint256(1); }

std::string in_words(std::string_view dimension, const uint256& value, bool per_replica_price) {
  if (dimension == "cpu") return fmt::format("{}m of CPU", value.to_decimal());
  if (dimension == "memory") return format_size(value.clamp_u64() << 20) + " of memory";
  if (dimension == "disk") return format_size(value.clamp_u64() << 20) + " of disk";
  if (dimension == "price" && per_replica_price) return price_per_hour(value) + " for one replica";
  if (dimension == "deposit") return short_bnc(value) + " BNC of deposit";
  return {};
}

}  // namespace

void add_resource_options(App& app, CLI::App& leaf, OrderOptions& options) {
  constexpr const char* kGroup = "What to rent";
  const auto add = [&](const char* name, auto& variable, const char* text, const char* type) {
    auto* option = leaf.add_option(name, variable, text)->type_name(type)->group(kGroup);
    return option;
  };
  add("--cpu", options.cpu, "Cores of one replica: 500m, 2, 1.5", "CORES")
      ->capture_default_str()
      ->check(checked_by(parse_cpu, ""));
  add("--memory", options.memory, "Memory of one replica", "SIZE")
      ->capture_default_str()
      ->check(checked_by(parse_mebibytes, ""));
  add("--disk", options.disk, "What one replica may write", "SIZE")
      ->capture_default_str()
      ->check(checked_by(parse_mebibytes, ""));
  add("--replicas", options.replicas, "How many containers", "N")->capture_default_str()->check(CLI::Range(1, 64));
  leaf.add_flag("--distinct", options.distinct, "Each replica on another worker")->group(kGroup);
  add("--region", options.region, "Only there; any when absent", "REGION");
  app.complete(add("--tier", options.tier, "At least this tier", "TIER")
                   ->capture_default_str()
                   ->check(checked_by(parse_tier, "")),
               WordKind::kWords, {"any", "lite", "normal", "super"});
  app.complete(add("--runtime", options.runtime, "How the container is isolated", "CLASS")
                   ->capture_default_str()
                   ->check(checked_by(parse_runtime, "")),
               WordKind::kWords, {"runc"});
  add("--max-price", options.max_price, "BNC per hour for one replica; twice the expected price when absent", "BNC")
      ->check(checked_by(parse_hourly_price, ""));
  add("--deposit", options.deposit, "BNC to pay from, the rest comes back; one hour's worth when absent", "BNC")
      ->check(checked_by(parse_bnc, ""));
  add("--duration", options.duration, "End each lease after this time: 90s, 2h, 1d; until the deposit ends when absent",
      "TIME")
      ->check(checked_by(parse_duration, ""));
  auto* developer = add("--developer", options.developer, "Account that gets the royalty", "ADDRESS")
                        ->check(checked_by(crypto::parse_address, ""));
  add("--royalty", options.royalty, "Its share of what you pay: 5%", "SHARE")
      ->check(checked_by(parse_royalty, ""))
      ->needs(developer);
}

Result<market::OrderSpec> order_spec(const OrderOptions& options) {
  market::OrderSpec out;
  // Placeholders for questions without an image; `run` fills in what is meant.
  out.image = "any";
  out.image_digest = crypto::sha256({});
  out.workload = out.image_digest;
  TRY_ASSIGN(const auto cpu, parse_cpu(options.cpu));
  out.resources.cpu_millis = cpu.value;
  TRY_ASSIGN(out.resources.memory_mib, parse_mebibytes(options.memory));
  TRY_ASSIGN(out.resources.disk_mib, parse_mebibytes(options.disk));
  out.replicas = options.replicas;
  out.region = options.region;
  TRY_ASSIGN(out.min_tier, parse_tier(options.tier));
  TRY_ASSIGN(out.runtime, parse_runtime(options.runtime));
  out.max_price_per_second = no_limit();
  if (!options.duration.empty()) {
    TRY_ASSIGN(const auto duration, parse_duration(options.duration));
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(duration).count();
    if (seconds < 1) return fail(ErrorCode::kInvalid, "--duration: at least one second");
    out.duration = static_cast<std::uint64_t>(seconds);
  }
  if (!options.developer.empty()) {
    TRY_ASSIGN(out.developer, crypto::parse_address(options.developer));
    if (options.royalty.empty())
      return fail(ErrorCode::kInvalid, "--developer: say its share too, such as --royalty 5%");
    TRY_ASSIGN(out.royalty_bps, parse_royalty(options.royalty));
  }
  out.distinct_operators = options.distinct;
  return out;
}

Result<uint256> max_price_of(const OrderOptions& options) {
  if (options.max_price.empty()) return no_limit();
  return parse_hourly_price(options.max_price);
}

Result<uint256> deposit_of(const OrderOptions& options, const uint256& price_per_second) {
  if (!options.deposit.empty()) {
    TRY_ASSIGN(const auto deposit, parse_bnc(options.deposit));
    if (deposit.is_zero()) return fail(ErrorCode::kInvalid, "--deposit: must be more than nothing");
    return deposit;
  }
  std::uint64_t seconds = kDefaultDepositSeconds;
  if (!options.duration.empty()) {
    TRY_ASSIGN(const auto duration, parse_duration(options.duration));
    const auto asked = static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::seconds>(duration).count());
    // A little more than the duration, so that it and not the deposit ends the lease.
    seconds = std::min(seconds, asked + std::max<std::uint64_t>(60, asked / 10));
  }
  return price_per_second * uint256(seconds) * uint256(options.replicas);
}

Result<market::Explanation> preflight(MarketClient& client, const market::OrderSpec& spec, const uint256& deposit,
                                      const Address& user) {
  return client.preflight(spec, deposit.is_zero() ? no_limit() : deposit, user);
}

std::string explanation_text(const market::Explanation& found, const market::OrderSpec& spec) {
  if (found.matching > 0) {
    std::string out = fmt::format("{} of {} offers match, at about {} for one replica", found.matching, found.offers,
                                  price_per_hour(found.expected_price_per_second));
    if (spec.replicas > 1)
      out += fmt::format(" ({} for all {})", price_per_hour(found.expected_price_per_second * uint256(spec.replicas)),
                         spec.replicas);
    if (!found.advice.empty()) out += "\n" + found.advice;
    return out;
  }
  std::string out = fmt::format("none of {} offers matches: {}", found.offers, found.dimension);
  const std::string asked = in_words(found.dimension, found.asked, true);
  const std::string best = in_words(found.dimension, found.best, true);
  if (!asked.empty() && !best.empty()) out += fmt::format(" (asked: {}; would match: {})", asked, best);
  if (!found.advice.empty()) out += "\n" + found.advice;
  return out;
}

}  // namespace bonus::cli
