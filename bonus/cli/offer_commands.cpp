// `bonus offer`: what the wallet's own machine has for rent. Workers do this by themselves (bonusd, [worker]).
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;

constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr std::uint64_t kSecondsPerHour = 3600;

struct OfferOptions {
  std::string cpu, memory, disk = "10Gi", cpu_price = "0.02", memory_price = "0.005", disk_price = "0.0001";
  std::string tier = "normal", region = "local";
};

/// BNC per hour for `units` as wei per unit and second.
Result<uint256> unit_price(const std::string& text, std::uint64_t units) {
  TRY_ASSIGN(const auto wei, parse_bnc(text));
  return wei / uint256(kSecondsPerHour * units);
}

Result<int> create(Session& session, const OfferOptions& options) {
  market::OfferSpec spec;
  TRY_ASSIGN(const auto cpu, parse_cpu(options.cpu));
  spec.capacity.cpu_millis = cpu.value;
  TRY_ASSIGN(spec.capacity.memory_mib, parse_mebibytes(options.memory));
  TRY_ASSIGN(spec.capacity.disk_mib, parse_mebibytes(options.disk));
  TRY_ASSIGN(spec.prices.cpu, unit_price(options.cpu_price, 1000));
  TRY_ASSIGN(spec.prices.memory, unit_price(options.memory_price, 1024));
  TRY_ASSIGN(spec.prices.disk, unit_price(options.disk_price, 1024));
  TRY_ASSIGN(const auto tier, parse_tier(options.tier));
  if (tier < 0) return fail(ErrorCode::kInvalid, "--tier: an offer is lite, normal or super");
  spec.tier = static_cast<std::uint8_t>(tier);
  spec.region = options.region;
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = chain::kMarketAddress;
  call.data = market::encode::create_offer(spec);
  session.console().progress("creating the offer ...");
  TRY_ASSIGN(const auto receipt, rpc->execute(key, call, kTimeout));
  std::uint64_t id = 0;
  for (const auto& log : receipt.logs)
    if (const auto found = market::event::offer_created(log)) id = *found;
  Console& console = session.console();
  console.end_progress();
  if (console.json()) {
    console.print(pretty(json::object{{"offer", id}, {"hash", to_hex0x(receipt.hash)}, {"block", receipt.block}}));
  } else {
    console.print(fmt::format("offer {}: {} in block {}", id, resources_text(spec.capacity), receipt.block));
    console.note("An offer is matched only while its worker sends heartbeats: run bonusd with this account.");
  }
  return kExitOk;
}

Result<int> list(Session& session) {
  TRY_ASSIGN(const auto wallet, session.wallet());
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto offers, client->offers_of(wallet.address));
  Console& console = session.console();
  if (console.json()) {
    json::array out;
    for (const auto& offer : offers) out.push_back(to_json(offer));
    console.print(pretty(json::object{{"offers", std::move(out)}}));
    return kExitOk;
  }
  if (offers.empty()) {
    console.print(
        fmt::format("{} offers nothing; all offers: bonus market offers", crypto::to_checksum(wallet.address)));
    return kExitOk;
  }
  Table table({"OFFER", "CAPACITY (CPU MEM DISK)", "USED", "CORE/H", "LEASES", "STATE"});
  for (const auto& offer : offers)
    table.add({std::to_string(offer.id), resources_text(offer.spec.capacity), resources_text(offer.used),
               price_per_hour(offer.spec.prices.cpu * uint256(1000)), std::to_string(offer.running_leases),
               offer.active ? "active" : "suspended"});
  console.raw(table.to_string());
  return kExitOk;
}

Result<int> close(Session& session, std::uint64_t id) {
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = chain::kMarketAddress;
  call.data = market::encode::close_offer(id);
  TRY_ASSIGN(const auto receipt, rpc->execute(key, call, kTimeout));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(json::object{{"offer", id}, {"hash", to_hex0x(receipt.hash)}, {"block", receipt.block}}));
  } else {
    console.print(fmt::format("offer {} is closed; its leases go on", id));
  }
  return kExitOk;
}

}  // namespace

void add_offer_commands(App& app) {
  Session& session = app.session();
  CLI::App* group = app.group(app.root(), "offer", "What the wallet's account has for rent");
  const auto options = std::make_shared<OfferOptions>();
  CLI::App* leaf = app.leaf(*group, "create", "Offer resources (bonusd does this by itself for workers)",
                            [&session, options] { return create(session, *options); });
  leaf->add_option("--cpu", options->cpu, "Cores")->required()->check(checked_by(parse_cpu, "CORES"));
  leaf->add_option("--memory", options->memory, "Memory")->required()->check(checked_by(parse_mebibytes, "SIZE"));
  leaf->add_option("--disk", options->disk, "Disk")->capture_default_str()->check(checked_by(parse_mebibytes, "SIZE"));
  leaf->add_option("--cpu-price", options->cpu_price, "BNC per core and hour")
      ->capture_default_str()
      ->check(checked_by(parse_bnc, "BNC"));
  leaf->add_option("--memory-price", options->memory_price, "BNC per GiB and hour")
      ->capture_default_str()
      ->check(checked_by(parse_bnc, "BNC"));
  leaf->add_option("--disk-price", options->disk_price, "BNC per GiB and hour")
      ->capture_default_str()
      ->check(checked_by(parse_bnc, "BNC"));
  app.complete(leaf->add_option("--tier", options->tier, "lite, normal or super")
                   ->capture_default_str()
                   ->check(checked_by(parse_tier, "TIER")),
               WordKind::kWords, {"lite", "normal", "super"});
  leaf->add_option("--region", options->region, "Where the machine stands")->capture_default_str();
  app.leaf(*group, "list", "The account's offers", [&session] { return list(session); });
  const auto id = std::make_shared<std::uint64_t>(0);
  leaf = app.leaf(*group, "close", "Take an offer back; running leases go on",
                  [&session, id] { return close(session, *id); });
  leaf->add_option("offer", *id, "Its number")->required();
}

}  // namespace bonus::cli
