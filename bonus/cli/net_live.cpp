// `bonus net ping` and `trace`: what happens on the way to a node, now.
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "bonus/base/parse.hpp"
#include "bonus/cli/net_commands.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr std::uint32_t kMaxPings = 1'000;             // what the local API takes
constexpr Duration kSlack = std::chrono::seconds(15);  // lookups and handshakes before the first answer

struct PingOptions {
  std::string target, interval = "1s", timeout = "2s";
  std::uint32_t count = 4;
};

std::int64_t milliseconds(Duration duration) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count();
}

/// Sums up the answers while it prints them.
class PingReport {
 public:
  explicit PingReport(Console& console) : console_(console) {}

  void line(std::string_view text) {
    boost::system::error_code bad;
    const json::value entry = json::parse(text, bad);
    if (bad || !entry.is_object()) return;
    if (console_.json()) console_.print(json::serialize(entry));
    const std::uint64_t sequence = json_number(entry, "sequence");
    if (sequence == 0) {
      if (!console_.json())
        console_.print(
            fmt::format("ping {}: {}  node {}", cell(entry, "target"), cell(entry, "address"), id_cell(entry)));
      return;
    }
    ++sent_;
    const auto rtt = json_real(entry, "rtt_ms");
    if (!rtt) {
      if (!console_.json()) console_.print(fmt::format("seq={} {}", sequence, cell(entry, "error")));
      return;
    }
    ++received_;
    sum_ += *rtt;
    least_ = received_ == 1 ? *rtt : std::min(least_, *rtt);
    most_ = std::max(most_, *rtt);
    if (!console_.json())
      console_.print(fmt::format("seq={} time={} {} {}", sequence, ms_text(entry, "rtt_ms"), cell(entry, "kind"),
                                 cell(entry, "endpoint")));
  }

  /// 1 when nothing came back.
  [[nodiscard]] int finish() const {
    const double lost = sent_ == 0 ? 1 : 1 - static_cast<double>(received_) / static_cast<double>(sent_);
    const double mean = received_ == 0 ? 0 : sum_ / static_cast<double>(received_);
    if (console_.json()) {
      json::object out{{"sent", sent_}, {"received", received_}, {"loss", lost}};
      const auto number = [&](double value) { return received_ == 0 ? json::value() : json::value(value); };
      out["min_ms"] = number(least_);
      out["avg_ms"] = number(mean);
      out["max_ms"] = number(most_);
      console_.print(json::serialize(out));
    } else {
      console_.print(fmt::format(
          "{} sent, {} came back, {:.1f}% lost{}", sent_, received_, lost * 100,
          received_ == 0 ? "" : fmt::format("; least {:.2f} ms, mean {:.2f} ms, most {:.2f} ms", least_, mean, most_)));
    }
    return received_ == 0 ? kExitFailed : kExitOk;
  }

 private:
  Console& console_;
  std::uint64_t sent_ = 0, received_ = 0;
  double sum_ = 0, least_ = 0, most_ = 0;
};

Result<int> ping(Session& session, const PingOptions& options) {
  TRY_ASSIGN(const auto interval, parse_duration(options.interval));
  TRY_ASSIGN(const auto timeout, parse_duration(options.timeout));
  TRY_ASSIGN(auto request, net_request(session, "ping"));
  request.method = "POST";
  request.body = json::serialize(json::object{{"target", options.target},
                                              {"count", options.count},
                                              {"interval_ms", milliseconds(interval)},
                                              {"timeout_ms", milliseconds(timeout)}});
  request.timeout = interval + timeout + kSlack;
  PingReport report(session.console());
  TRY(api_lines(request, [&report](std::string_view line) { report.line(line); }));
  return report.finish();
}

Result<int> trace(Session& session, const std::string& target) {
  TRY_ASSIGN(auto request, net_request(session, "trace"));
  request.method = "POST";
  request.body = json::serialize(json::object{{"target", target}});
  session.console().progress(fmt::format("tracing {} ...", target));
  TRY_ASSIGN(const auto answer, api_call(request));
  Console& console = session.console();
  console.end_progress();
  if (console.json()) {
    console.print(pretty(answer));
    return kExitOk;
  }
  console.print(fmt::format("trace {}: {}  node {}", cell(answer, "target"), cell(answer, "address"), id_cell(answer)));
  Table table({"HOP", "KIND", "NODE", "ENDPOINT", "RTT"});
  if (const auto* hops = json_member(answer, "hops").if_array(); hops != nullptr)
    for (const auto& hop : *hops)
      table.add({cell(hop, "hop"), cell(hop, "kind"), id_cell(hop), cell(hop, "endpoint"), ms_text(hop, "rtt_ms")});
  console.raw(table.to_string());
  return kExitOk;
}

}  // namespace

void add_net_live_commands(App& app, CLI::App& group) {
  Session& session = app.session();
  const auto options = std::make_shared<PingOptions>();
  CLI::App* leaf = app.leaf(group, "ping", "Round trips to a node through the overlay, and the path they take",
                            [&session, options] { return ping(session, *options); });
  app.complete(leaf->add_option("target", options->target, "A name, a node id, an overlay address")->required(),
               WordKind::kName);
  leaf->add_option("-c,--count", options->count, "How many")->capture_default_str()->check(CLI::Range(1U, kMaxPings));
  leaf->add_option("-i,--interval", options->interval, "Between two")
      ->capture_default_str()
      ->check(checked_by(parse_duration, "TIME"));
  leaf->add_option("-t,--timeout", options->timeout, "For each answer")
      ->capture_default_str()
      ->check(checked_by(parse_duration, "TIME"));
  const auto target = std::make_shared<std::string>();
  leaf =
      app.leaf(group, "trace", "Relays on the way to a node", [&session, target] { return trace(session, *target); });
  app.complete(leaf->add_option("target", *target, "A name, a node id, an overlay address")->required(),
               WordKind::kName);
}

}  // namespace bonus::cli
