// `bonus ps`, `inspect`, `stop`, `topup`: the orders of the wallet.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <map>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;

constexpr Duration kTimeout = std::chrono::seconds(60);
constexpr std::size_t kMaxOrders = 500;

struct Route {
  std::string name;
  std::vector<std::string> urls;
};

std::map<std::uint64_t, Route> routes(Session& session) {
  std::map<std::uint64_t, Route> out;
  const auto all = session.urls();
  if (!all) return out;
  ApiRequest request;
  request.url = all->api + "/v1/routes";
  const auto answer = api_call(request);
  const auto* list = answer ? json_member(*answer, "routes").if_array() : nullptr;
  if (list == nullptr) return out;
  for (const auto& item : *list) {
    Route& route = out[json_number(item, "order")];
    if (route.name.empty()) route.name = printable(json_text(item, "name"));
    if (const auto* urls = json_member(item, "urls").if_array(); urls != nullptr)
      for (const auto& url : *urls)
        if (url.is_string()) route.urls.push_back(printable(url.get_string()));
  }
  return out;
}

std::string state_text(const Console& console, const market::Lease& lease) {
  if (lease.state == market::LeaseState::kRunning) return console.paint(Colour::kGreen, "running");
  if (lease.state == market::LeaseState::kEnded) return fmt::format("ended: {}", to_string(lease.reason));
  return console.paint(Colour::kYellow, to_string(lease.state));
}

Result<int> ps(Session& session, bool all) {
  TRY_ASSIGN(const auto wallet, session.wallet());
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(auto orders, client->orders_of(wallet.address, kMaxOrders));
  if (!all)
    std::erase_if(orders, [](const market::Order& order) { return order.state == market::OrderState::kClosed; });
  const auto named = routes(session);
  Console& console = session.console();
  const UnixSeconds now = runtime::system_clock().unix_s();
  json::array out;
  Table table({"NAME", "ORDER", "LEASE", "IMAGE", "WORKER", "PRICE", "AGE", "STATE", "URL"});
  for (const auto& order : orders) {
    TRY_ASSIGN(auto leases, client->leases_of(order.id));
    if (!all)
      std::erase_if(leases, [](const market::Lease& lease) { return lease.state == market::LeaseState::kEnded; });
    const auto route = named.find(order.id);
    const std::string name = route == named.end() ? fmt::format("order-{}", order.id) : route->second.name;
    const std::string url = order.state == market::OrderState::kClosed ? "" : session.url_of_name(name);
    if (console.json()) {
      json::object item{{"name", name}, {"order", to_json(order)}, {"url", url}};
      json::array list;
      for (const auto& lease : leases) list.push_back(to_json(lease));
      item["leases"] = std::move(list);
      out.push_back(std::move(item));
      continue;
    }
    const std::string image = printable(order.spec.image);
    if (leases.empty())
      table.add({name, std::to_string(order.id), "-", image, "-", "-", age(order.created_at, now),
                 std::string(to_string(order.state)), printable(order.explanation)});
    for (const auto& lease : leases)
      table.add({name, std::to_string(order.id), std::to_string(lease.id), image, short_hash(lease.node_id),
                 price_per_hour(lease.price_per_second), age(lease.matched_at, now), state_text(console, lease), url});
  }
  if (console.json()) {
    console.print(pretty(json::object{{"orders", std::move(out)}}));
  } else if (orders.empty()) {
    console.print(all ? "no order yet; rent something: bonus run IMAGE" : "nothing runs; older orders: bonus ps -a");
  } else {
    console.raw(table.to_string());
  }
  return kExitOk;
}

/// What the worker says about a live lease; null with a reason when it does not answer.
json::value container_of(Session& session, const market::Lease& lease) {
  const auto all = session.urls();
  const auto key = session.key();
  if (!all || !key) return json::object{{"error", all ? key.error().message : all.error().message}};
  ApiRequest request;
  request.url = fmt::format("{}/v1/leases/{}", all->api, lease.id);
  request.key = *key;
  auto answer = api_call(request);
  if (!answer) return json::object{{"error", answer.error().message}};
  return std::move(*answer);
}

void print_lease(Session& session, const market::Lease& lease, const json::value& live) {
  Console& console = session.console();
  const auto line = [&](std::string_view name, const std::string& value) {
    if (!value.empty()) console.print(fmt::format("  {:<14}{}", name, value));
  };
  console.print(fmt::format("lease {}  {}", lease.id, state_text(console, lease)));
  line("worker", fmt::format("{}  node {}", crypto::to_checksum(lease.worker), to_hex(lease.node_id)));
  line("price", price_per_hour(lease.price_per_second));
  line("matched", utc_text(lease.matched_at));
  line("started", utc_text(lease.started_at));
  if (lease.ended_at != 0) line("ended", utc_text(lease.ended_at));
  line("detail", printable(lease.detail));
  line("paid",
       fmt::format("{} BNC: worker {}, developer {}, foundation {}", short_bnc(lease.paid_total),
                   short_bnc(lease.paid_worker), short_bnc(lease.paid_developer), short_bnc(lease.paid_foundation)));
  if (!live.is_object()) return;
  const json::value& container = json_member(live, "container");
  const json::value& usage = json_member(live, "usage");
  if (container.is_object())
    line("container",
         fmt::format("{}, {} restarts{}{}", printable(json_text(container, "state")),
                     json_number(container, "restarts"), json_flag(container, "oom") ? ", out of memory" : "",
                     json_text(container, "message").empty() ? "" : ": " + printable(json_text(container, "message"))));
  if (usage.is_object())
    line("uses",
         fmt::format("{:.1f} s of CPU (held back {:.1f} s), {} of memory (at most {}), {} processes, {} on disk",
                     static_cast<double>(json_number(usage, "cpu_ns")) / 1e9,
                     static_cast<double>(json_number(usage, "throttled_ns")) / 1e9,
                     format_size(json_number(usage, "memory_bytes") >> 20 << 20),
                     format_size(json_number(usage, "memory_peak_bytes") >> 20 << 20), json_number(usage, "pids"),
                     format_size(json_number(usage, "disk_bytes") >> 10 << 10)));
  if (const std::string error = json_text(live, "error"); !error.empty()) line("worker says", printable(error));
}

Result<int> inspect(Session& session, const std::string& text) {
  TRY_ASSIGN(const auto target, resolve(session, text));
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto order, client->order(target.order));
  TRY_ASSIGN(auto leases, client->leases_of(target.order));
  if (target.lease != 0) std::erase_if(leases, [&](const market::Lease& lease) { return lease.id != target.lease; });
  std::uint64_t seconds_left = 0;
  if (order.state != market::OrderState::kClosed) {
    TRY_ASSIGN(seconds_left, client->seconds_left(order.id));
  }
  const auto wallet = session.wallet();
  const bool own = wallet && wallet->address == order.user;
  const auto named = routes(session);
  const auto route = named.find(order.id);
  Console& console = session.console();
  std::vector<json::value> live(leases.size());
  for (std::size_t i = 0; i < leases.size(); ++i)
    if (own && leases[i].state != market::LeaseState::kEnded) live[i] = container_of(session, leases[i]);
  const std::string name = route == named.end() ? fmt::format("order-{}", order.id) : route->second.name;
  if (console.json()) {
    json::array list;
    for (std::size_t i = 0; i < leases.size(); ++i) {
      json::object item = to_json(leases[i]);
      if (const auto split = client->accrued(leases[i].id))
        item["accrued"] = json::object{{"worker", split->worker.to_decimal()},
                                       {"developer", split->developer.to_decimal()},
                                       {"foundation", split->foundation.to_decimal()}};
      if (live[i].is_object()) item["live"] = std::move(live[i]);
      list.push_back(std::move(item));
    }
    json::array urls;
    if (route != named.end())
      for (const auto& url : route->second.urls) urls.emplace_back(url);
    console.print(pretty(json::object{{"name", name},
                                      {"order", to_json(order)},
                                      {"seconds_left", seconds_left},
                                      {"urls", std::move(urls)},
                                      {"leases", std::move(list)}}));
    return kExitOk;
  }
  const auto line = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) console.print(fmt::format("  {:<14}{}", label, value));
  };
  console.print(fmt::format("order {}  {}  {}", order.id, console.paint(Colour::kBold, name), to_string(order.state)));
  line("image", fmt::format("{}  sha256:{}", printable(order.spec.image), to_hex(order.spec.image_digest)));
  line("user", crypto::to_checksum(order.user));
  line("wants", fmt::format("{} x {}, at most {}", order.spec.replicas, resources_text(order.spec.resources),
                            price_per_hour(order.spec.max_price_per_second)));
  if (order.spec.royalty_bps != 0)
    line("royalty", fmt::format("{}.{:02}% to {}", order.spec.royalty_bps / 100, order.spec.royalty_bps % 100,
                                crypto::to_checksum(order.spec.developer)));
  line("created", utc_text(order.created_at));
  line("escrow",
       short_bnc(order.escrow) + " BNC" +
           (seconds_left == 0 || seconds_left > (1ULL << 40) ? "" : ", lasts for " + seconds_text(seconds_left)));
  line("waiting", printable(order.explanation));
  if (route != named.end() && order.state != market::OrderState::kClosed)
    for (const auto& url : route->second.urls) line("url", url);
  for (std::size_t i = 0; i < leases.size(); ++i) print_lease(session, leases[i], live[i]);
  return kExitOk;
}

Result<int> stop(Session& session, const std::vector<std::string>& targets) {
  Console& console = session.console();
  json::array out;
  for (const auto& text : targets) {
    TRY_ASSIGN(const auto target, resolve(session, text));
    TRY_ASSIGN(RpcClient * rpc, session.rpc());
    TRY_ASSIGN(MarketClient * client, session.market());
    TRY_ASSIGN(const auto before, client->order(target.order));
    if (before.state == market::OrderState::kClosed)
      return fail(ErrorCode::kConflict,
                  fmt::format("order {} ended already; see: bonus inspect order-{}", target.order, target.order));
    TRY_ASSIGN(const auto key, session.key());
    TxCall call;
    call.to = chain::kMarketAddress;
    call.data = market::encode::stop(target.order);
    console.progress(fmt::format("stopping {} ...", text));
    TRY_ASSIGN(const auto receipt, rpc->execute(key, call, kTimeout));
    console.end_progress();
    drop_routes(session, target.order);
    TRY_ASSIGN(const auto leases, client->leases_of(target.order));
    uint256 paid;
    for (const auto& lease : leases) paid += lease.paid_total;
    if (console.json()) {
      out.push_back(json::object{{"order", target.order},
                                 {"hash", to_hex0x(receipt.hash)},
                                 {"block", receipt.block},
                                 {"paid", paid.to_decimal()}});
    } else {
      console.print(fmt::format("order {} ended in block {}; paid in all: {} BNC, the rest of the deposit came back",
                                target.order, receipt.block, short_bnc(paid)));
    }
  }
  if (console.json()) console.print(pretty(json::object{{"stopped", std::move(out)}}));
  return kExitOk;
}

Result<int> topup(Session& session, const std::string& text, const std::string& amount_text) {
  TRY_ASSIGN(const auto amount, parse_bnc(amount_text));
  if (amount.is_zero()) return fail(ErrorCode::kInvalid, "nothing to add: the amount is zero");
  TRY_ASSIGN(const auto target, resolve(session, text));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = chain::kMarketAddress;
  call.value = amount;
  call.data = market::encode::top_up(target.order);
  TRY_ASSIGN(const auto receipt, rpc->execute(key, call, kTimeout));
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto seconds, client->seconds_left(target.order));
  Console& console = session.console();
  if (console.json()) {
    console.print(pretty(json::object{{"order", target.order},
                                      {"added", amount.to_decimal()},
                                      {"seconds_left", seconds},
                                      {"hash", to_hex0x(receipt.hash)},
                                      {"block", receipt.block}}));
  } else {
    console.print(fmt::format("added {} BNC to order {}{}", format_bnc(amount), target.order,
                              seconds > (1ULL << 40) ? "" : "; it lasts for " + seconds_text(seconds)));
  }
  return kExitOk;
}

}  // namespace

void add_lease_commands(App& app) {
  Session& session = app.session();
  const auto all = std::make_shared<bool>(false);
  CLI::App* leaf = app.leaf(app.root(), "ps", "What you have rented", [&session, all] { return ps(session, *all); });
  leaf->add_flag("-a,--all", *all, "What has ended too");

  const auto target = std::make_shared<std::string>();
  leaf = app.leaf(app.root(), "inspect", "All about an order and its leases",
                  [&session, target] { return inspect(session, *target); });
  app.complete(leaf->add_option("target", *target, "Name, order-<number> or lease number")->required(),
               WordKind::kLease);

  const auto targets = std::make_shared<std::vector<std::string>>();
  leaf = app.leaf(app.root(), "stop", "End orders; what is left of their deposits comes back",
                  [&session, targets] { return stop(session, *targets); });
  app.complete(leaf->add_option("target", *targets, "Name, order-<number> or lease number")->required(),
               WordKind::kTarget);

  const auto order = std::make_shared<std::string>(), amount = std::make_shared<std::string>();
  leaf = app.leaf(app.root(), "topup", "Add to the deposit of an order",
                  [&session, order, amount] { return topup(session, *order, *amount); });
  app.complete(leaf->add_option("target", *order, "Name, order-<number> or lease number")->required(),
               WordKind::kTarget);
  leaf->add_option("amount", *amount, "BNC: 1.5")->required()->check(checked_by(parse_bnc, "AMOUNT"));
}

}  // namespace bonus::cli
