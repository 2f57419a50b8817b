// `bonus run`: from an image's name to a running container with a URL.
#include <fmt/format.h>

#include <boost/json.hpp>
#include <set>

#include "bonus/base/parse.hpp"
#include "bonus/chain/api/host.hpp"
#include "bonus/cli/app.hpp"
#include "bonus/cli/format.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/cli/order_options.hpp"
#include "bonus/cli/registry_client.hpp"
#include "bonus/compute/api/workload.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace market = chain::market;

constexpr Duration kTxTimeout = std::chrono::seconds(60);
constexpr Duration kPoll = std::chrono::milliseconds(300);

struct RunOptions : OrderOptions {
  std::string image, name, restart = "on-failure", timeout = "3m";
  std::vector<std::string> args, env, publish;
  std::vector<std::uint16_t> ports;
  std::uint32_t pids = 256;
  bool no_wait = false, wait = false, queue = false, read_only = false, internet = false;
};

struct Rented {
  std::uint64_t order = 0;
  std::string name;
  uint256 deposit;
  TxReceipt receipt;
  std::vector<std::string> urls;
  json::array publish;
  std::vector<market::Lease> leases;
};

Result<compute::RestartPolicy> parse_restart(std::string_view text) {
  if (text == "never" || text == "no") return compute::RestartPolicy::kNever;
  if (text == "on-failure") return compute::RestartPolicy::kOnFailure;
  if (text == "always") return compute::RestartPolicy::kAlways;
  return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not never, on-failure or always", text));
}

Result<compute::Workload> workload_of(const RunOptions& options, const market::OrderSpec& spec,
                                      const ResolvedImage& image) {
  compute::Workload out;
  out.image = image.name;
  out.manifest_digest = image.manifest_digest;
  out.args = options.args;
  for (const auto& text : options.env) {
    TRY_ASSIGN(auto variable, parse_env(text));
    out.env.insert_or_assign(std::move(variable.first), std::move(variable.second));
  }
  std::set<std::uint16_t> ports(options.ports.begin(), options.ports.end());
  for (const auto& text : options.publish) {
    TRY_ASSIGN(const auto port, parse_publish(text));
    ports.insert(port.port);
  }
  // With a command of the user's own the image's ports may never open, and a worker waits for the first port.
  if (ports.empty() && options.args.empty()) ports.insert(image.exposed_ports.begin(), image.exposed_ports.end());
  out.ports.assign(ports.begin(), ports.end());
  TRY_ASSIGN(out.restart, parse_restart(options.restart));
  out.cpu_millis = spec.resources.cpu_millis;
  out.memory_mib = spec.resources.memory_mib;
  out.disk_mib = spec.resources.disk_mib;
  out.pids = options.pids;
  out.read_only_root = options.read_only;
  out.internet = options.internet;
  // What a worker would refuse is refused here, before any money is spent.
  auto checked = compute::Workload::from_json(out.to_json());
  if (!checked) return fail(std::move(checked).error());
  return out;
}

Result<Hash32> upload(const NodeUrls& urls, const std::string& document) {
  ApiRequest request;
  request.method = "PUT";
  request.url = urls.api + "/v1/blobs";
  request.body = document;
  request.content_type = "application/octet-stream";
  TRY_ASSIGN(const auto answer, api_call(request));
  std::string text = json_text(answer, "sha256");
  if (text.starts_with("sha256:")) text.erase(0, 7);
  auto digest = fixed_from_hex<Hash32>(text);
  if (!digest) return fail(ErrorCode::kInvalid, "the node's answer to the workload document names no digest");
  return *digest;
}

Result<> name_is_free(Session& session, const NodeUrls& urls, const std::string& name) {
  if (!valid_name(name) || name.find_first_not_of("0123456789") == std::string::npos || name.starts_with("lease-") ||
      name.starts_with("order-"))
    return fail(ErrorCode::kInvalid,
                fmt::format("\"{}\" cannot be a name: at most 32 of a-z, 0-9 and inner hyphens, not only digits, not "
                            "beginning with lease- or order-",
                            printable(name)));
  ApiRequest request;
  request.url = urls.api + "/v1/routes";
  TRY_ASSIGN(const auto answer, api_call(request));
  const auto* routes = json_member(answer, "routes").if_array();
  if (routes == nullptr) return {};
  for (const auto& route : *routes) {
    if (json_text(route, "name") != name) continue;
    const std::uint64_t order = json_number(route, "order");
    TRY_ASSIGN(MarketClient * client, session.market());
    if (const auto holder = client->order(order); holder && holder->state == market::OrderState::kClosed) {
      drop_routes(session, order);
      continue;
    }
    return fail(ErrorCode::kExists,
                fmt::format("\"{}\" is the name of order {} already; stop it (bonus stop {}) or choose another --name",
                            name, order, name));
  }
  return {};
}

/// "library/hello-world:1" of order 7 -> "hello-world-7".
std::string name_from_image(const std::string& image, std::uint64_t order) {
  std::string base = split_image(image.substr(0, image.find('@'))).first;
  base.erase(0, base.rfind('/') + 1);  // npos + 1 is 0
  for (char& c : base)
    if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) c = '-';
  base.resize(std::min<std::size_t>(base.size(), 16));
  while (!base.empty() && base.back() == '-') base.pop_back();
  if (base.empty() || base == "lease" || base == "order" || base.find_first_not_of("0123456789") == std::string::npos)
    base = "run-" + base;
  if (base.ends_with('-')) base.pop_back();
  return fmt::format("{}-{}", base, order);
}

Result<> add_route(Session& session, const NodeUrls& urls, const RunOptions& options, Rented& rented) {
  json::array publish;
  for (const auto& text : options.publish) {
    TRY_ASSIGN(const auto port, parse_publish(text));
    publish.push_back(json::object{{"listen", port.listen}, {"port", port.port}});
  }
  ApiRequest request;
  request.method = "POST";
  request.url = urls.api + "/v1/routes";
  request.body =
      json::serialize(json::object{{"order", rented.order}, {"name", rented.name}, {"publish", std::move(publish)}});
  TRY_ASSIGN(request.key, session.key());
  // The node may be a block behind the one whose receipt we saw.
  for (int attempt = 0;; ++attempt) {
    auto answer = api_call(request);
    if (answer) {
      if (const auto* list = json_member(*answer, "urls").if_array(); list != nullptr)
        for (const auto& url : *list)
          if (url.is_string()) rented.urls.push_back(printable(url.get_string()));
      if (const auto* list = json_member(*answer, "publish").if_array(); list != nullptr) rented.publish = *list;
      return {};
    }
    if (attempt >= 5 || answer.error().code != ErrorCode::kNotFound) return fail(std::move(answer).error());
    sleep_blocking(kPoll);
  }
}

Result<> stop_order(Session& session, std::uint64_t order) {
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TRY_ASSIGN(const auto key, session.key());
  TxCall call;
  call.to = chain::kMarketAddress;
  call.data = market::encode::stop(order);
  TRY(rpc->execute(key, call, kTxTimeout));
  drop_routes(session, order);
  return {};
}

/// What the worker is doing for a lease that has not started; empty when it does not say.
std::string container_phase(Session& session, const NodeUrls& urls, std::uint64_t lease) {
  const auto key = session.key();
  if (!key) return {};
  ApiRequest request;
  request.url = fmt::format("{}/v1/leases/{}", urls.api, lease);
  request.key = *key;
  request.timeout = std::chrono::seconds(3);
  const auto answer = api_call(request);
  if (!answer) return {};
  const json::value& container = json_member(*answer, "container");
  const std::string message = json_text(container, "message");
  return printable(message.empty() ? json_text(container, "state") : message);
}

bool is_final_failure(market::EndReason reason) {
  switch (reason) {
    case market::EndReason::kWorkerFailed:
    case market::EndReason::kWorkerLeft:
    case market::EndReason::kStartTimeout:
      return false;  // the market looks for another worker
    default:
      return true;
  }
}

/// Follows the order until every replica runs. The order is stopped when it cannot run at all.
Result<> wait_until_running(Session& session, const NodeUrls& urls, const RunOptions& options, Rented& rented) {
  Console& console = session.console();
  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(const auto patience, parse_duration(options.timeout));
  const Instant end = runtime::system_clock().now() + patience;
  std::string waiting = "waiting for a worker";
  for (;;) {
    TRY_ASSIGN(const auto order, client->order(rented.order));
    TRY_ASSIGN(auto leases, client->leases_of(rented.order));
    std::size_t running = 0;
    std::string phase = order.explanation.empty() ? waiting : "waiting: " + printable(order.explanation);
    for (const auto& lease : leases) {
      if (lease.state == market::LeaseState::kRunning) ++running;
      if (lease.state == market::LeaseState::kEnded && is_final_failure(lease.reason)) {
        std::string text = fmt::format("lease {} ended: {}{}{}", lease.id, to_string(lease.reason),
                                       lease.detail.empty() ? "" : ": ", printable(lease.detail));
        if (order.state != market::OrderState::kClosed)
          text += stop_order(session, rented.order)
                      ? "; the order was stopped and the rest of the deposit came back"
                      : fmt::format("; end the order with: bonus stop order-{}", rented.order);
        return fail(ErrorCode::kConflict, text);
      }
      if (lease.state == market::LeaseState::kStarting) {
        const std::string doing = console.err_is_tty() ? container_phase(session, urls, lease.id) : std::string();
        phase = fmt::format("matched: worker {} prepares lease {} (pulls the image, starts the container){}",
                            short_address(lease.worker), lease.id, doing.empty() ? "" : ": " + doing);
      }
    }
    if (running >= options.replicas) {
      std::erase_if(leases, [](const market::Lease& lease) { return lease.state != market::LeaseState::kRunning; });
      rented.leases = std::move(leases);
      return {};
    }
    if (order.state == market::OrderState::kClosed)
      return fail(ErrorCode::kConflict, fmt::format("order {} was closed before it ran; see: bonus inspect order-{}",
                                                    rented.order, rented.order));
    if (options.replicas > 1) phase = fmt::format("{} of {} run; {}", running, options.replicas, phase);
    console.progress(phase);
    if (runtime::system_clock().now() >= end)
      return fail(
          ErrorCode::kTimeout,
          fmt::format("{} does not run after {}: {}; it goes on trying. Look: bonus inspect {}   End it: bonus stop {}",
                      rented.name, options.timeout, phase, rented.name, rented.name));
    sleep_blocking(kPoll);
  }
}

void print_result(Session& session, const RunOptions& options, const Rented& rented, const uint256& expected) {
  Console& console = session.console();
  uint256 price;
  for (const auto& lease : rented.leases) price += lease.price_per_second;
  if (rented.leases.empty()) price = expected * uint256(options.replicas);
  if (console.json()) {
    json::array leases, urls;
    for (const auto& lease : rented.leases) leases.push_back(to_json(lease));
    for (const auto& url : rented.urls) urls.emplace_back(url);
    console.print(pretty(json::object{{"order", rented.order},
                                      {"name", rented.name},
                                      {"state", rented.leases.empty() ? "ordered" : "running"},
                                      {"leases", std::move(leases)},
                                      {"urls", std::move(urls)},
                                      {"publish", rented.publish},
                                      {"price_per_second", price.to_decimal()},
                                      {"price_per_hour_bnc", format_bnc(price * uint256(3600))},
                                      {"deposit", rented.deposit.to_decimal()},
                                      {"hash", to_hex0x(rented.receipt.hash)},
                                      {"block", rented.receipt.block}}));
    return;
  }
  console.print(fmt::format("{}  {}", console.paint(Colour::kBold, rented.name),
                            rented.leases.empty() ? "ordered" : console.paint(Colour::kGreen, "running")));
  const auto line = [&](std::string_view label, const std::string& value) {
    if (!value.empty()) console.print(fmt::format("  {:<9}{}", label, value));
  };
  for (const auto& url : rented.urls) line("url", url);
  for (const auto& port : rented.publish)
    line("port", fmt::format("{} -> {}", printable(json_text(port, "address")), json_number(port, "port")));
  line("price", price_per_hour(price) + (rented.leases.empty() ? " expected" : ""));
  line("deposit", short_bnc(rented.deposit) + " BNC");
  line("order", std::to_string(rented.order));
  for (const auto& lease : rented.leases)
    line("lease", fmt::format("{} on node {}", lease.id, short_hash(lease.node_id)));
  console.note(fmt::format(
      "Look around: bonus logs -f {0} | bonus exec -it {0} -- sh | bonus inspect {0}    End it: bonus stop {0}",
      rented.name));
}

Result<int> run(Session& session, const RunOptions& options) {
  Console& console = session.console();
  TRY_ASSIGN(auto spec, order_spec(options));
  TRY_ASSIGN(const auto patience, parse_duration(options.timeout));
  static_cast<void>(patience);
  TRY_ASSIGN(const auto urls, session.urls());
  TRY_ASSIGN(const auto registry, session.registry_url());
  TRY_ASSIGN(const auto wallet, session.wallet());
  if (!options.name.empty()) TRY(name_is_free(session, urls, options.name));
  console.progress("looking up the image ...");
  TRY_ASSIGN(const auto image, resolve_image(registry, options.image));
  TRY_ASSIGN(const auto workload, workload_of(options, spec, image));
  spec.image = image.name;
  spec.image_digest = image.manifest_digest;

  TRY_ASSIGN(MarketClient * client, session.market());
  TRY_ASSIGN(spec.max_price_per_second, max_price_of(options));
  TRY_ASSIGN(auto asked_deposit, deposit_of(options, uint256()));
  console.progress("asking the market ...");
  TRY_ASSIGN(const auto found, preflight(*client, spec, asked_deposit, wallet.address));
  console.end_progress();
  if (found.matching == 0) {
    if (!options.queue) {
      if (console.json()) console.print(pretty(to_json(found)));
      return fail(ErrorCode::kConflict,
                  explanation_text(found, spec) +
                      "\nNothing was ordered and no money spent; --queue orders all the same and waits.");
    }
    if (options.deposit.empty() || options.max_price.empty())
      return fail(ErrorCode::kInvalid, "--queue without a match has no price to go by: give --max-price and --deposit");
    console.note(explanation_text(found, spec));
  }
  Rented rented;
  if (options.max_price.empty()) spec.max_price_per_second = found.expected_price_per_second * uint256(2);
  TRY_ASSIGN(rented.deposit, deposit_of(options, found.expected_price_per_second));
  TRY_ASSIGN(const auto key, session.key());
  TRY_ASSIGN(spec.workload, upload(urls, workload.to_json()));
  TRY_ASSIGN(RpcClient * rpc, session.rpc());
  TxCall call;
  call.to = chain::kMarketAddress;
  call.value = rented.deposit;
  call.data = market::encode::create_order(spec);
  console.progress(fmt::format("ordering: deposit {} BNC, at about {} ...", short_bnc(rented.deposit),
                               price_per_hour(found.expected_price_per_second * uint256(options.replicas))));
  TRY_ASSIGN(rented.receipt, rpc->execute(key, call, kTxTimeout));
  for (const auto& log : rented.receipt.logs)
    if (const auto created = market::event::order_created(log)) rented.order = created->order_id;
  if (rented.order == 0) return fail(ErrorCode::kInternal, "the order's block names no order");
  console.progress(fmt::format("ordered: order {} in block {}", rented.order, rented.receipt.block));
  rented.name = options.name.empty() ? name_from_image(image.name, rented.order) : options.name;
  session.remember_order(rented.name, rented.order);
  if (auto routed = add_route(session, urls, options, rented); !routed) {
    const bool stopped = stop_order(session, rented.order).has_value();
    return fail(std::move(routed).error().wrap(stopped ? "the order was stopped, its deposit came back"
                                                       : fmt::format("order {} has no route", rented.order)));
  }
  if (rented.urls.empty()) rented.urls.push_back(session.url_of_name(rented.name));
  if (!options.no_wait) TRY(wait_until_running(session, urls, options, rented));
  console.end_progress();
  print_result(session, options, rented, found.expected_price_per_second);
  return kExitOk;
}

}  // namespace

void add_run_command(App& app) {
  Session& session = app.session();
  const auto options = std::make_shared<RunOptions>();
  CLI::App* leaf = app.leaf(app.root(), "run", "Rent a container: order, match, pull, start, and print its URL",
                            [&session, options] { return run(session, *options); });
  app.complete(
      leaf->add_option("image", options->image, "NAME[:TAG] or NAME@sha256:... in the node's registry")->required(),
      WordKind::kImage);
  leaf->add_option("args", options->args,
                   "Arguments instead of the image's own; put -- before the first that begins with -");
  leaf->add_option("--name", options->name, "For URLs and commands; made from the image when absent")
      ->type_name("NAME");
  leaf->add_option("-e,--env", options->env, "Variable for the container; may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false)
      ->check(checked_by(parse_env, ""));
  leaf->add_option("-p,--publish", options->publish,
                   "HERE:THERE: a port of your own loopback to a port of the container; may be repeated")
      ->type_name("PORT:PORT")
      ->take_all()
      ->allow_extra_args(false)
      ->check(checked_by(parse_publish, ""));
  leaf->add_option("--port", options->ports,
                   "Port that the container listens on; may be repeated. Without it those of --publish, else those "
                   "that the image exposes (not with arguments of your own)")
      ->type_name("PORT")
      ->take_all()
      ->allow_extra_args(false)
      ->check(CLI::Range(1, 65535));
  app.complete(leaf->add_option("--restart", options->restart, "never, on-failure or always")
                   ->capture_default_str()
                   ->check(checked_by(parse_restart, "")),
               WordKind::kWords, {"never", "on-failure", "always"});
  leaf->add_option("--pids", options->pids, "Most processes and threads")
      ->capture_default_str()
      ->check(CLI::Range(1, 65536));
  leaf->add_flag("--internet", options->internet,
                 "The container may reach the Internet, where its worker has a way there");
  leaf->add_flag("--read-only", options->read_only, "The container cannot write to its own file system");
  auto* no_wait = leaf->add_flag("--no-wait", options->no_wait, "Return as soon as the order stands in a block");
  leaf->add_flag("--wait", options->wait, "Until it runs (the default)")->excludes(no_wait);
  leaf->add_option("--timeout", options->timeout, "How long to wait for it to run")
      ->capture_default_str()
      ->check(checked_by(parse_duration, "TIME"));
  leaf->add_flag("--queue", options->queue, "Order even when nothing matches now, and wait for an offer");
  add_resource_options(app, *leaf, *options);
}

}  // namespace bonus::cli
