// Byte streams over sockets and descriptors, connecting, and splice().
#include "bonus/runtime/stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <boost/system/system_error.hpp>
#include <csignal>
#include <mutex>
#include <optional>
#include <type_traits>

namespace bonus::runtime {

namespace net = boost::asio;
using boost::system::error_code;

namespace {
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
using AnySocket = net::generic::stream_protocol::socket;

Error stream_error(const error_code& e, std::string_view what) {
  if (e == net::error::operation_aborted || e == net::error::bad_descriptor)
    return {ErrorCode::kCancelled, fmt::format("{}: the stream was closed", what)};
  if (e == net::error::timed_out) return {ErrorCode::kTimeout, fmt::format("{}: {}", what, e.message())};
  return {ErrorCode::kUnavailable, fmt::format("{}: {}", what, e.message())};
}

// `Io` is AnySocket or a stream_descriptor.
template <class Io>
class AsioStream final : public ByteStream {
 public:
  explicit AsioStream(Io io) : state_(std::make_shared<State>(std::move(io))) {}
  ~AsioStream() override {
    if (state_.use_count() > 1) shut_later();  // the last owner closes the descriptor otherwise
  }

  Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override {
    auto state = state_;
    if (state->read_end) co_return *state->read_end;
    try {
      auto [error, n] = co_await state->io.async_read_some(net::buffer(out.data(), out.size()), kTuple);
      if (!error) co_return n;
      if (error == net::error::operation_aborted) co_return fail(stream_error(error, "read"));
      // EIO is how a pty master says that the last slave is gone.
      const bool end = error == net::error::eof || error == boost::system::errc::io_error;
      state->read_end = end ? Result<std::size_t>(0) : Result<std::size_t>(fail(stream_error(error, "read")));
      co_return *state->read_end;
    } catch (const boost::system::system_error& e) {
      co_return fail(stream_error(e.code(), "read"));
    }
  }

  Task<Result<>> write(BytesView in) override {
    auto state = state_;
    if (state->write_end) co_return fail(*state->write_end);
    try {
      auto [error, n] = co_await net::async_write(state->io, net::buffer(in.data(), in.size()), kTuple);
      if (!error) co_return Result<>();
      if (error == net::error::operation_aborted) co_return fail(stream_error(error, "write"));
      state->write_end = stream_error(error, "write");
      co_return fail(*state->write_end);
    } catch (const boost::system::system_error& e) {
      co_return fail(stream_error(e.code(), "write"));
    }
  }

  Task<Result<>> close_write() override {
    error_code error;
    if constexpr (std::is_same_v<Io, AnySocket>) {
      state_->io.shutdown(net::socket_base::shutdown_send, error);
    } else {
      // A pipe end has one direction; a terminal has no half-closed state, its reader ends with the process.
      struct stat info{};
      if (::fstat(state_->io.native_handle(), &info) == 0 && S_ISFIFO(info.st_mode)) state_->io.close(error);
    }
    if (error && error != net::error::not_connected) co_return fail(stream_error(error, "close_write"));
    co_return Result<>();
  }

  void close() override { shut_later(); }

 private:
  // Any thread: the descriptor is closed on its own executor, between operations.
  void shut_later() {
    auto shut = [state = state_] {
      error_code ignored;
      if constexpr (std::is_same_v<Io, AnySocket>) state->io.shutdown(net::socket_base::shutdown_both, ignored);
      state->io.close(ignored);
    };
    net::post(state_->executor, std::move(shut));
  }

  struct State {
    explicit State(Io i) : io(std::move(i)), executor(io.get_executor()) {}
    Io io;
    Executor executor;
    // How reading and writing ended. Remembered, because Asio's edge-triggered reactor would never wake an operation
    // that follows a failed one: there is no further edge.
    std::optional<Result<std::size_t>> read_end;
    std::optional<Error> write_end;
  };
  std::shared_ptr<State> state_;  // shared with operations under way and posted closings
};

template <class Protocol>
Task<Result<std::unique_ptr<ByteStream>>> connect_endpoint(typename Protocol::endpoint endpoint, std::string what) {
  auto executor = co_await net::this_coro::executor;
  typename Protocol::socket socket(executor);
  try {
    auto [error] = co_await socket.async_connect(endpoint, kTuple);
    if (error) co_return fail(stream_error(error, what));
  } catch (const boost::system::system_error& e) {
    co_return fail(stream_error(e.code(), what));
  }
  if constexpr (std::is_same_v<Protocol, net::ip::tcp>) {
    error_code ignored;
    socket.set_option(net::ip::tcp::no_delay(true), ignored);
  }
  co_return std::make_unique<AsioStream<AnySocket>>(AnySocket(std::move(socket)));
}

Task<Result<std::unique_ptr<ByteStream>>> resolve_and_connect(std::string host, std::uint16_t port) {
  auto executor = co_await net::this_coro::executor;
  const std::string what = fmt::format("connecting to {}:{}", host, port);
  error_code error;
  const auto literal = net::ip::make_address(host, error);
  if (!error) {
    auto attempt = connect_endpoint<net::ip::tcp>(net::ip::tcp::endpoint(literal, port), what);
    co_return co_await std::move(attempt);
  }
  net::ip::tcp::resolver resolver(executor);
  std::vector<net::ip::tcp::endpoint> endpoints;
  try {
    auto [failure, found] = co_await resolver.async_resolve(host, std::to_string(port), kTuple);
    if (failure) co_return fail(stream_error(failure, what));
    for (const auto& entry : found) endpoints.push_back(entry.endpoint());
  } catch (const boost::system::system_error& e) {
    co_return fail(stream_error(e.code(), what));
  }
  Result<std::unique_ptr<ByteStream>> last = fail(ErrorCode::kUnavailable, what + ": the name has no address");
  for (const auto& endpoint : endpoints) {
    auto attempt = connect_endpoint<net::ip::tcp>(endpoint, what);
    last = co_await std::move(attempt);
    if (last) break;
  }
  co_return last;
}

Task<> copy(std::shared_ptr<ByteStream> from, std::shared_ptr<ByteStream> to) {
  std::vector<std::uint8_t> buffer(64 << 10);
  while (true) {
    auto n = co_await from->read(buffer);
    if (!n) break;
    if (*n == 0) {
      auto closed = co_await to->close_write();
      if (closed) co_return;
      break;
    }
    auto written = co_await to->write(BytesView(buffer).first(*n));
    if (!written) break;
  }
  from->close();
  to->close();
}

void ignore_sigpipe() {
  // Writing to a pipe whose reader is gone must be an error code, not the end of the process; sockets use MSG_NOSIGNAL.
  static std::once_flag once;
  std::call_once(once, [] {
    struct sigaction current{};
    if (::sigaction(SIGPIPE, nullptr, &current) == 0 && current.sa_handler == SIG_DFL) {
      struct sigaction ignore{};
      ignore.sa_handler = SIG_IGN;
      ::sigaction(SIGPIPE, &ignore, nullptr);
    }
  });
}
}  // namespace

Task<> splice(std::unique_ptr<ByteStream> a, std::unique_ptr<ByteStream> b) {
  // Shared by the two directions.
  std::shared_ptr<ByteStream> left = std::move(a);
  std::shared_ptr<ByteStream> right = std::move(b);
  using net::experimental::awaitable_operators::operator&&;
  auto there = copy(left, right);
  auto back = copy(right, left);
  try {
    co_await (std::move(there) && std::move(back));
  } catch (const boost::system::system_error&) {
    // stopped: both are closed below
  }
  left->close();
  right->close();
}

Task<Result<std::unique_ptr<ByteStream>>> connect_tcp(std::string host, std::uint16_t port, Duration timeout) {
  auto executor = co_await net::this_coro::executor;
  net::steady_timer timer(executor, timeout);
  const std::string what = fmt::format("connecting to {}:{}", host, port);
  using net::experimental::awaitable_operators::operator||;
  auto attempt = resolve_and_connect(std::move(host), port);
  auto expiry = timer.async_wait(kTuple);
  try {
    auto first = co_await (std::move(attempt) || std::move(expiry));
    if (first.index() == 0) co_return std::get<0>(std::move(first));
  } catch (const boost::system::system_error&) {
    co_return fail(ErrorCode::kCancelled, what + ": the task was stopped");
  }
  co_return fail(ErrorCode::kTimeout, what + ": no answer in time");
}

Task<Result<std::unique_ptr<ByteStream>>> connect_unix(std::string path) {
  if (path.empty() || path.size() >= sizeof(sockaddr_un::sun_path))
    co_return fail(ErrorCode::kInvalid,
                   fmt::format("a Unix socket path has 1 to {} bytes: {}", sizeof(sockaddr_un::sun_path) - 1, path));
  net::local::stream_protocol::endpoint endpoint(path);
  auto attempt = connect_endpoint<net::local::stream_protocol>(endpoint, "connecting to " + path);
  co_return co_await std::move(attempt);
}

Result<std::unique_ptr<ByteStream>> adopt_descriptor(Executor executor, int fd) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return fail(ErrorCode::kInvalid, fmt::format("descriptor {} is not open", fd));
  error_code error;
  if (S_ISSOCK(info.st_mode)) {
    int domain = 0;
    socklen_t size = sizeof domain;
    if (::getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0)
      return fail(ErrorCode::kIo, fmt::format("descriptor {}: its socket family is unknown", fd));
    AnySocket socket(executor);
    socket.assign(net::generic::stream_protocol(domain, 0), fd, error);
    if (error) return fail(ErrorCode::kIo, fmt::format("descriptor {}: {}", fd, error.message()));
    return std::make_unique<AsioStream<AnySocket>>(std::move(socket));
  }
  ignore_sigpipe();
  net::posix::stream_descriptor descriptor(executor);
  descriptor.assign(fd, error);
  if (error)
    return fail(ErrorCode::kUnsupported, fmt::format("descriptor {} cannot be waited for: {}", fd, error.message()));
  return std::make_unique<AsioStream<net::posix::stream_descriptor>>(std::move(descriptor));
}

}  // namespace bonus::runtime
