// `bonus logs` and `bonus exec`: what goes on inside a lease.
#include <fmt/format.h>

#include <boost/json.hpp>

#include "bonus/cli/app.hpp"
#include "bonus/cli/exec_session.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;

constexpr Duration kFollowTimeout = std::chrono::hours(24 * 365);

struct LogOptions {
  std::string target;
  bool follow = false, timestamps = false;
  std::uint64_t tail = 0;
};

std::string time_text(std::int64_t ms) {
  const std::int64_t day_ms = ((ms % 86'400'000) + 86'400'000) % 86'400'000;
  return fmt::format("{:02}:{:02}:{:02}.{:03}Z ", day_ms / 3'600'000, day_ms / 60'000 % 60, day_ms / 1000 % 60,
                     day_ms % 1000);
}

void print_log_line(Console& console, const LogOptions& options, std::string_view line) {
  if (console.json()) {
    console.print(line);
    return;
  }
  boost::system::error_code bad;
  const json::value root = json::parse(line, bad);
  if (bad) return;
  std::string text = json_text(root, "text");
  // The container's own colours may pass to a terminal; a pipe gets the bytes as they were.
  if (options.timestamps) text = time_text(static_cast<std::int64_t>(json_number(root, "time_ms"))) + text;
  if (!text.ends_with('\n')) text += '\n';
  if (json_text(root, "stream") == "stderr") {
    console.raw_error(text);
  } else {
    console.raw(text);
  }
}

Result<int> logs(Session& session, const LogOptions& options) {
  TRY_ASSIGN(const auto urls, session.urls());
  TRY_ASSIGN(const auto lease, resolve_lease(session, options.target));
  TRY_ASSIGN(const auto key, session.key());
  ApiRequest request;
  std::string query;
  if (options.follow) query += "?follow=1";
  if (options.tail != 0) query += fmt::format("{}tail={}", query.empty() ? "?" : "&", options.tail);
  request.url = fmt::format("{}/v1/leases/{}/logs{}", urls.api, lease.id, query);
  request.key = key;
  if (options.follow) request.timeout = kFollowTimeout;
  TRY(api_lines(request, [&](std::string_view line) { print_log_line(session.console(), options, line); }));
  return kExitOk;
}

struct ExecOptions {
  std::string target;
  std::vector<std::string> command, env;
  bool interactive = false, tty = false;
};

Result<int> exec(Session& session, const ExecOptions& options) {
  TRY_ASSIGN(const auto urls, session.urls());
  TRY_ASSIGN(const auto lease, resolve_lease(session, options.target));
  if (lease.state == chain::market::LeaseState::kEnded)
    return fail(ErrorCode::kConflict,
                fmt::format("lease {} of {} has ended ({})", lease.id, options.target, to_string(lease.reason)));
  TRY_ASSIGN(const auto key, session.key());
  const std::string path = fmt::format("/v1/leases/{}/exec", lease.id);
  ExecCall call;
  call.url = urls.api + path;
  TRY_ASSIGN(call.authorization, sign_request(key, "GET", path, runtime::system_clock().unix_s()));
  call.argv = options.command;
  call.interactive = options.interactive;
  call.tty = options.tty;
  for (const auto& text : options.env) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not KEY=VALUE", text));
    call.env[text.substr(0, equals)] = text.substr(equals + 1);
  }
  return run_exec(session.console(), std::move(call));
}

}  // namespace

void add_stream_commands(App& app) {
  Session& session = app.session();
  const auto log = std::make_shared<LogOptions>();
  CLI::App* leaf =
      app.leaf(app.root(), "logs", "What a lease has printed", [&session, log] { return logs(session, *log); });
  app.complete(leaf->add_option("target", log->target, "Name, order-<number> or lease number")->required(),
               WordKind::kLease);
  leaf->add_flag("-f,--follow", log->follow, "Go on as it prints more; Ctrl-C ends it");
  leaf->add_option("--tail", log->tail, "Only the last so many lines")->check(CLI::Range(1, 1'000'000));
  leaf->add_flag("-t,--timestamps", log->timestamps, "With the time of each line");

  const auto call = std::make_shared<ExecOptions>();
  leaf = app.leaf(app.root(), "exec", "Run a command inside a lease; the exit code is the command's",
                  [&session, call] { return exec(session, *call); });
  app.complete(leaf->add_option("target", call->target, "Name, order-<number> or lease number")->required(),
               WordKind::kLease);
  leaf->add_option("command", call->command, "The command; put -- before it")->required();
  leaf->add_flag("-i,--interactive", call->interactive, "Pass standard input on");
  leaf->add_flag("-t,--tty", call->tty, "With a terminal");
  leaf->add_option("-e,--env", call->env, "Variable for the command; may be repeated")
      ->type_name("KEY=VALUE")
      ->take_all()
      ->allow_extra_args(false);
}

}  // namespace bonus::cli
