// `bonus logs` and `bonus exec`: what goes on inside a lease.
#include <fmt/format.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/json.hpp>

#include "bonus/cli/app.hpp"
#include "bonus/cli/exec_session.hpp"
#include "bonus/cli/node_api.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace json = boost::json;
namespace net = boost::asio;
using runtime::Task;

constexpr Duration kFollowTimeout = std::chrono::hours(24 * 365);
constexpr std::size_t kMaxLineBytes = 1 << 20;

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

Task<Result<>> read_logs(Console& console, LogOptions options, runtime::http::ClientRequest request) {
  const std::string url = request.url;
  CO_TRY_ASSIGN(auto response, co_await runtime::http::send(std::move(request)));
  if (response->status() != 200) {
    CO_TRY_ASSIGN(const auto body, co_await response->read_all(64 << 10));
    co_return fail(api_error(response->status(), as_text(body), url));
  }
  std::string pending;
  std::array<std::uint8_t, 16384> buffer{};
  for (;;) {
    CO_TRY_ASSIGN(const auto got, co_await response->read(buffer));
    if (got == 0) break;
    pending.append(reinterpret_cast<const char*>(buffer.data()), got);
    std::size_t start = 0;
    for (auto end = pending.find('\n'); end != std::string::npos; end = pending.find('\n', start)) {
      print_log_line(console, options, std::string_view(pending).substr(start, end - start));
      start = end + 1;
    }
    pending.erase(0, start);
    if (pending.size() > kMaxLineBytes) co_return fail(ErrorCode::kExhausted, "a log line of more than 1 MiB");
  }
  if (!pending.empty()) print_log_line(console, options, pending);
  co_return Result<>{};
}

Result<int> logs(Session& session, const LogOptions& options) {
  TRY_ASSIGN(const auto urls, session.urls());
  TRY_ASSIGN(const auto lease, resolve_lease(session, options.target));
  TRY_ASSIGN(const auto key, session.key());
  runtime::http::ClientRequest request;
  const std::string path = fmt::format("/v1/leases/{}/logs", lease.id);
  std::string query;
  if (options.follow) query += "?follow=1";
  if (options.tail != 0) query += fmt::format("{}tail={}", query.empty() ? "?" : "&", options.tail);
  request.url = urls.api + path + query;
  if (options.follow) request.timeout = kFollowTimeout;
  TRY_ASSIGN(auto header, sign_request(key, "GET", path, runtime::system_clock().unix_s()));
  request.headers.set("Authorization", std::move(header));
  net::io_context io;
  Result<> result;
  auto task = read_logs(session.console(), options, std::move(request));
  net::co_spawn(io, std::move(task), [&](const std::exception_ptr& thrown, Result<> ended) {
    result = thrown ? fail(ErrorCode::kInternal, "reading the log failed unexpectedly") : std::move(ended);
  });
  io.run();
  if (!result) return fail(std::move(result).error());
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
