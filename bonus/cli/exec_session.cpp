// WebSocket, terminal and signals of `bonus exec`.
#include "bonus/cli/exec_session.hpp"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/json.hpp>
#include <csignal>
#include <deque>
#include <optional>

#include "bonus/cli/node_api.hpp"
#include "bonus/runtime/http/http.hpp"

namespace bonus::cli {
namespace {

namespace net = boost::asio;
namespace json = boost::json;
using runtime::Task;
using runtime::http::WebSocket;

constexpr std::size_t kMessageLimit = 1 << 20;
constexpr std::size_t kInputChunk = 16 << 10;
constexpr std::uint8_t kStdin = 0, kStdout = 1, kStderr = 2, kExit = 3, kResize = 4, kError = 5;

/// The terminal as it was comes back at the end, whatever happens.
class RawTerminal {
 public:
  RawTerminal() {
    if (tcgetattr(STDIN_FILENO, &before_) != 0) return;
    termios raw = before_;
    cfmakeraw(&raw);
    active_ = tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw) == 0;
  }
  ~RawTerminal() {
    if (active_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  RawTerminal(const RawTerminal&) = delete;
  RawTerminal& operator=(const RawTerminal&) = delete;

 private:
  termios before_{};
  bool active_ = false;
};

json::object terminal_size() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) return {{"columns", 80}, {"rows", 24}};
  return {{"columns", size.ws_col}, {"rows", size.ws_row}};
}

struct Exec {
  Console& console;
  net::io_context& io;
  ExecCall call;
  std::unique_ptr<WebSocket> socket{};
  net::posix::stream_descriptor input;
  net::signal_set resizes;
  std::deque<Bytes> outbox{};  ///< Frames to write; one writer. Bounded by one chunk of input and one resize at a time.
  bool writing = false, ended = false;
  int exit_code = 0;
  Result<> result{};

  Exec(Console& c, net::io_context& context, ExecCall what)
      : console(c), io(context), call(std::move(what)), input(context), resizes(context) {}

  Task<Result<>> write(std::uint8_t channel, BytesView data) {
    Bytes frame{channel};
    append(frame, data);
    outbox.push_back(std::move(frame));
    if (writing) co_return Result<>{};
    writing = true;
    while (!outbox.empty()) {
      const Bytes next = std::move(outbox.front());
      outbox.pop_front();
      auto written = co_await socket->write(next, false);
      if (!written) {
        writing = false;
        co_return written;
      }
    }
    writing = false;
    co_return Result<>{};
  }

  Task<> pass_input() {
    std::array<std::uint8_t, kInputChunk> buffer{};
    for (;;) {
      boost::system::error_code error;
      const std::size_t got =
          co_await input.async_read_some(net::buffer(buffer), net::redirect_error(net::use_awaitable, error));
      if (ended) co_return;
      if (error || got == 0) break;
      const BytesView data = BytesView(buffer).first(got);
      if (!co_await write(kStdin, data)) co_return;
    }
    static_cast<void>(co_await write(kStdin, BytesView()));
  }

  Task<> follow_size() {
    for (;;) {
      boost::system::error_code error;
      co_await resizes.async_wait(net::redirect_error(net::use_awaitable, error));
      if (error || ended) co_return;
      const std::string size = json::serialize(terminal_size());
      if (!co_await write(kResize, as_bytes(size))) co_return;
    }
  }

  void finish(Result<> how) {
    ended = true;
    result = std::move(how);
    boost::system::error_code ignored;
    resizes.cancel(ignored);
    input.close(ignored);
    if (socket) socket->close();
    io.stop();
  }

  Task<> run() {
    runtime::http::Headers headers;
    headers.set("Authorization", call.authorization);
    auto connected = co_await runtime::http::connect_websocket(call.url, headers, kMessageLimit);
    if (!connected) {
      finish(fail(std::move(connected).error()));
      co_return;
    }
    socket = std::move(*connected);
    json::array argv;
    for (const auto& word : call.argv) argv.emplace_back(word);
    json::object env;
    for (const auto& [name, value] : call.env) env[name] = value;
    if (call.tty && !env.contains("TERM")) env["TERM"] = "xterm-256color";
    json::object hello = terminal_size();
    hello["argv"] = std::move(argv);
    hello["tty"] = call.tty;
    hello["env"] = std::move(env);
    const std::string text = json::serialize(hello);
    auto sent = co_await socket->write(as_bytes(text), true);
    if (!sent) {
      finish(std::move(sent));
      co_return;
    }
    if (call.interactive) {
      boost::system::error_code error;
      input.assign(dup(STDIN_FILENO), error);
      // A regular file cannot be polled; it is read to its end instead.
      net::co_spawn(io, error ? read_file_input() : pass_input(), net::detached);
    } else {
      static_cast<void>(co_await write(kStdin, BytesView()));
    }
    if (call.tty) {
      resizes.add(SIGWINCH);
      net::co_spawn(io, follow_size(), net::detached);
    }
    finish(co_await read_output());
  }

  Task<> read_file_input() {
    std::array<std::uint8_t, kInputChunk> buffer{};
    for (;;) {
      const ssize_t got = ::read(STDIN_FILENO, buffer.data(), buffer.size());
      if (got <= 0 || ended) break;
      const BytesView data = BytesView(buffer).first(static_cast<std::size_t>(got));
      if (!co_await write(kStdin, data)) co_return;
    }
    static_cast<void>(co_await write(kStdin, BytesView()));
  }

  Task<Result<>> read_output() {
    for (;;) {
      auto message = co_await socket->read();
      if (!message)
        co_return fail(std::move(message).error().wrap("the connection to the container ended before the command did"));
      if (message->data.empty()) continue;
      const BytesView data = BytesView(message->data).subspan(1);
      switch (message->data.front()) {
        case kStdout:
          console.raw(as_text(data));
          break;
        case kStderr:
          console.raw_error(as_text(data));
          break;
        case kExit: {
          boost::system::error_code bad;
          const json::value root = json::parse(as_text(data), bad);
          if (bad) co_return fail(ErrorCode::kInvalid, "the worker's exit message is malformed");
          exit_code = static_cast<int>(json_number(root, "exit_code") & 0xff);
          co_return Result<>{};
        }
        case kError:
          co_return fail(ErrorCode::kConflict, printable(as_text(data)));
        default:
          break;  // of a later version
      }
    }
  }
};

}  // namespace

Result<int> run_exec(Console& console, ExecCall call) {
  if (call.tty && (isatty(STDIN_FILENO) != 1 || !console.out_is_tty()))
    return fail(ErrorCode::kInvalid, "-t needs a terminal on both sides; leave it away in scripts");
  net::io_context io(1);
  Exec exec(console, io, std::move(call));
  {
    std::optional<RawTerminal> raw;
    if (exec.call.tty && exec.call.interactive) raw.emplace();
    net::co_spawn(io, exec.run(), [&](const std::exception_ptr& thrown) {
      if (thrown) exec.finish(fail(ErrorCode::kInternal, "exec failed unexpectedly"));
    });
    io.run();
  }
  if (!exec.result) return fail(std::move(exec.result).error());
  return exec.exit_code;
}

}  // namespace bonus::cli
