// SocketStream: reads and writes of a TCP socket as Results.
#include "bonus/runtime/http/socket_stream.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace bonus::runtime::http {

namespace net = boost::asio;

namespace {
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
}

Error socket_error(std::string_view what, const boost::system::error_code& error) {
  const bool cancelled = error == net::error::operation_aborted || error == net::error::bad_descriptor;
  const auto code = cancelled                        ? ErrorCode::kCancelled
                    : error == net::error::timed_out ? ErrorCode::kTimeout
                                                     : ErrorCode::kUnavailable;
  return Error{code, fmt::format("{}: {}", what, cancelled ? "the connection was closed" : error.message())};
}

SocketStream::SocketStream(net::ip::tcp::socket socket, std::shared_ptr<void> slot)
    : socket_(std::move(socket)), slot_(std::move(slot)) {}

Task<Result<std::size_t>> SocketStream::read(std::span<std::uint8_t> out) {
  const auto self = shared_from_this();
  auto [error, n] = co_await socket_.async_read_some(net::buffer(out.data(), out.size()), kTuple);
  if (error == net::error::eof) co_return std::size_t{0};
  if (error) co_return fail(socket_error("reading from the peer", error));
  co_return n;
}

Task<Result<>> SocketStream::write(BytesView in) {
  const auto self = shared_from_this();
  auto [error, n] = co_await net::async_write(socket_, net::buffer(in.data(), in.size()), kTuple);
  if (error) co_return fail(socket_error("writing to the peer", error));
  co_return Result<>();
}

Task<Result<>> SocketStream::close_write() {
  boost::system::error_code error;
  socket_.shutdown(net::ip::tcp::socket::shutdown_send, error);
  if (error && error != net::error::not_connected) co_return fail(socket_error("closing", error));
  co_return Result<>();
}

void SocketStream::close() {
  // On the connection's strand, between its operations; any thread may ask for it.
  auto shut = [self = weak_from_this()] {
    const auto alive = self.lock();
    if (!alive) return;
    boost::system::error_code ignored;
    alive->socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
    alive->socket_.close(ignored);
  };
  net::post(socket_.get_executor(), std::move(shut));
}

}  // namespace bonus::runtime::http
