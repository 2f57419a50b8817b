// The accept loop, one coroutine per connection on a strand of its own, and stopping.
#include <fmt/format.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <exception>
#include <map>
#include <mutex>
#include <tuple>

#include "bonus/base/log.hpp"
#include "bonus/runtime/http/exchange.hpp"

namespace bonus::runtime::http {
namespace {

namespace net = boost::asio;
using net::ip::tcp;
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\nRetry-After: 1\r\nContent-Type: "
    "text/plain\r\nContent-Length: 22\r\n\r\n"
    "Too many connections.\n";

/// One open connection: how to stop it from outside.
struct Connection {
  explicit Connection(net::strand<Executor> s) : strand(std::move(s)) {}
  net::strand<Executor> strand;
  net::cancellation_signal cancel;
  std::weak_ptr<SocketStream> stream;
};

/// Outlives the Server as long as connections do.
struct Shared : std::enable_shared_from_this<Shared> {
  Shared(Executor e, ServerOptions o, Handler h)
      : executor(std::move(e)),
        accept_strand(net::make_strand(executor)),
        acceptor(accept_strand),
        options(std::move(o)),
        handler(std::move(h)) {}
  Executor executor;
  net::strand<Executor> accept_strand;
  tcp::acceptor acceptor;
  const ServerOptions options;
  const Handler handler;
  std::atomic<bool> stopping{false};
  std::atomic<std::size_t> handlers{0};  ///< Coroutines that have not ended.
  std::mutex mutex;
  std::map<std::uint64_t, std::shared_ptr<Connection>> connections;  ///< Guarded by mutex; until the socket is gone.
  std::uint64_t next_id = 0;                                         ///< Guarded by mutex.

  [[nodiscard]] std::size_t count() {
    const std::lock_guard lock(mutex);
    return connections.size();
  }
  void forget(std::uint64_t id) {
    std::shared_ptr<Connection> last;  // destroyed outside of the lock
    const std::lock_guard lock(mutex);
    if (const auto found = connections.find(id); found != connections.end()) {
      last = std::move(found->second);
      connections.erase(found);
    }
  }
};

void log_failure(const Shared& shared, const std::exception_ptr& failure, std::string_view target) {
  try {
    std::rethrow_exception(failure);
  } catch (const boost::system::system_error& error) {
    if (error.code() == net::error::operation_aborted) return;
    log::error("http", "handler_failed",
               {{"server", shared.options.name}, {"target", target}, {"error", error.what()}});
  } catch (const std::exception& error) {
    log::error("http", "handler_failed",
               {{"server", shared.options.name}, {"target", target}, {"error", error.what()}});
  } catch (...) {
    log::error("http", "handler_failed",
               {{"server", shared.options.name}, {"target", target}, {"error", "unknown exception"}});
  }
}

/// Sends a last message and waits a moment for the client to read it: closing a socket with unread input would make the
/// kernel send a reset that overtakes the answer.
Task<> refuse(TimedStream& stream, int status, std::string text) {
  Headers headers;
  headers.set("Content-Type", "text/plain; charset=utf-8");
  headers.set("Connection", "close");
  headers.set("Content-Length", std::to_string(text.size()));
  const auto head = format_response_head(status, headers);
  if (!head) co_return;
  const auto message = *head + text;
  if (auto sent = co_await stream.write(as_bytes(message), std::chrono::seconds(5)); !sent) co_return;
}

Task<> linger(TimedStream& stream) {
  constexpr std::size_t kLingerBytes = 1 << 20;
  if (auto closed = co_await stream.stream()->close_write(); !closed) co_return;
  Bytes scratch(16 << 10);
  for (std::size_t seen = 0; seen < kLingerBytes;) {
    auto n = co_await stream.read(scratch, std::chrono::seconds(2));
    if (!n || *n == 0) co_return;
    seen += *n;
  }
}

Task<> answer_bad_head(TimedStream& stream, const MessageReader& reader, Error error) {
  if (reader.idle()) co_return;
  switch (error.code) {
    case ErrorCode::kInvalid:
      co_await refuse(stream, 400, "Bad request: " + error.message + ".\n");
      break;
    case ErrorCode::kExhausted:
      co_await refuse(stream, 431, "Bad request: " + error.message + ".\n");
      break;
    default:
      co_return;
  }
  co_await linger(stream);
}

Task<> serve(std::shared_ptr<Shared> shared, std::shared_ptr<SocketStream> socket, std::string peer) {
  auto executor = co_await net::this_coro::executor;
  TimedStream stream(executor, socket);
  const auto reader = MessageReader::requests(stream, shared->options.max_header_bytes);
  while (!shared->stopping) {
    auto head = co_await reader->read_head(shared->options.idle_timeout, false);
    if (!head) {
      co_await answer_bad_head(stream, *reader, std::move(head).error());
      break;
    }
    ServerExchange exchange(socket, stream, *reader, shared->options.idle_timeout);
    if (auto begun = exchange.begin(std::move(*head), peer); !begun) {
      co_await refuse(stream, 400, "Bad request: " + begun.error().message + ".\n");
      co_await linger(stream);
      break;
    }
    std::exception_ptr failure;
    try {
      co_await shared->handler(exchange);
    } catch (...) {
      failure = std::current_exception();
    }
    if (failure) log_failure(*shared, failure, exchange.request().target);
    if (shared->stopping) break;
    const bool again = co_await exchange.end(failure != nullptr);
    if (exchange.taken()) co_return;
    if (again) continue;
    if (!reader->body_done()) co_await linger(stream);
    break;
  }
  socket->close();
}

void start_connection(const std::shared_ptr<Shared>& shared, tcp::socket socket,
                      const std::shared_ptr<Connection>& connection, std::uint64_t id) {
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  const auto remote = socket.remote_endpoint(ignored);
  std::string peer = remote.address().is_v6() ? fmt::format("[{}]:{}", remote.address().to_string(), remote.port())
                                              : fmt::format("{}:{}", remote.address().to_string(), remote.port());
  // The slot: when the last owner of the socket lets go, the connection no longer counts.
  std::shared_ptr<void> slot(nullptr, [weak = shared->weak_from_this(), id](void*) {
    if (const auto alive = weak.lock()) alive->forget(id);
  });
  auto stream = std::make_shared<SocketStream>(std::move(socket), std::move(slot));
  {
    const std::lock_guard lock(shared->mutex);
    connection->stream = stream;
  }
  ++shared->handlers;
  auto task = serve(shared, std::move(stream), std::move(peer));
  auto ended = [shared, connection](const std::exception_ptr& failure) {
    if (failure) log_failure(*shared, failure, "");
    --shared->handlers;
  };
  net::co_spawn(connection->strand, std::move(task),
                net::bind_cancellation_slot(connection->cancel.slot(), std::move(ended)));
}

Task<> accept_loop(std::shared_ptr<Shared> shared) {
  net::steady_timer pause(shared->accept_strand);
  while (!shared->stopping) {
    auto strand = net::make_strand(shared->executor);
    auto [error, socket] = co_await shared->acceptor.async_accept(strand, kTuple);
    if (shared->stopping || error == net::error::operation_aborted || error == net::error::bad_descriptor) break;
    if (error) {
      // No descriptors or memory left: connections end, so try again soon.
      log::warn("http", "accept_failed", {{"server", shared->options.name}, {"error", error.message()}});
      pause.expires_after(std::chrono::milliseconds(100));
      std::ignore = co_await pause.async_wait(kTuple);
      continue;
    }
    if (shared->count() >= shared->options.max_connections) {
      boost::system::error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(net::buffer(kFull), ignored);
      socket.close(ignored);
      continue;
    }
    auto connection = std::make_shared<Connection>(strand);
    std::uint64_t id = 0;
    {
      const std::lock_guard lock(shared->mutex);
      id = shared->next_id++;
      shared->connections.emplace(id, connection);
    }
    start_connection(shared, tcp::socket(std::move(socket)), connection, id);
  }
  --shared->handlers;
}

class BeastServer final : public Server {
 public:
  explicit BeastServer(std::shared_ptr<Shared> shared, std::uint16_t port) : shared_(std::move(shared)), port_(port) {}
  ~BeastServer() override { stop(); }
  std::uint16_t port() const override { return port_; }

  void stop() override {
    if (shared_->stopping.exchange(true)) return;
    net::post(shared_->accept_strand, [shared = shared_] {
      boost::system::error_code ignored;
      shared->acceptor.close(ignored);
    });
    std::vector<std::shared_ptr<Connection>> open;
    {
      const std::lock_guard lock(shared_->mutex);
      for (const auto& [id, connection] : shared_->connections) open.push_back(connection);
    }
    for (const auto& connection : open) {
      net::post(connection->strand, [shared = shared_, connection] {
        connection->cancel.emit(net::cancellation_type::terminal);
        std::shared_ptr<SocketStream> stream;
        {
          const std::lock_guard lock(shared->mutex);
          stream = connection->stream.lock();
        }
        if (stream) stream->close();
      });
    }
  }

  Task<> join() override {
    const auto shared = shared_;
    auto executor = co_await net::this_coro::executor;
    net::steady_timer pause(executor);
    while (shared->handlers > 0) {
      pause.expires_after(std::chrono::milliseconds(2));
      std::ignore = co_await pause.async_wait(kTuple);
    }
  }

 private:
  std::shared_ptr<Shared> shared_;  // shared with connections, which may end after the Server
  std::uint16_t port_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::listen(Executor executor, ServerOptions options, Handler handler) {
  const auto where = fmt::format("listening on {}:{}", options.address, options.port);
  boost::system::error_code error;
  const auto address = net::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error) return fail(ErrorCode::kInvalid, fmt::format("{}: \"{}\" is not an IP address", where, options.address));
  const tcp::endpoint endpoint(address, options.port);
  auto shared = std::make_shared<Shared>(std::move(executor), std::move(options), std::move(handler));
  auto& acceptor = shared->acceptor;
  if (shared->options.descriptor >= 0) {
    acceptor.assign(endpoint.protocol(), shared->options.descriptor, error);
  } else {
    acceptor.open(endpoint.protocol(), error);
    if (!error) acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) acceptor.bind(endpoint, error);
    if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  }
  if (error == net::error::address_in_use)
    return fail(ErrorCode::kExists, fmt::format("{}: another program uses this port", where));
  if (error == net::error::access_denied)
    return fail(ErrorCode::kDenied, fmt::format("{}: {}", where, error.message()));
  if (error) return fail(ErrorCode::kIo, fmt::format("{}: {}", where, error.message()));
  const auto port = acceptor.local_endpoint(error).port();
  ++shared->handlers;
  auto loop = accept_loop(shared);
  net::co_spawn(shared->accept_strand, std::move(loop), net::detached);
  return std::make_unique<BeastServer>(std::move(shared), port);
}

}  // namespace bonus::runtime::http
