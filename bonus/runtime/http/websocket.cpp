// The Beast adapter behind WebSocket, both roles.
#include "bonus/runtime/http/websocket.hpp"

#include <fmt/format.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/connect.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket.hpp>

#include "bonus/runtime/http/message.hpp"
#include "bonus/runtime/http/timed_stream.hpp"

namespace bonus::runtime::http {
namespace {

namespace net = boost::asio;
namespace beast = boost::beast;
constexpr auto kTuple = net::as_tuple(net::use_awaitable);
constexpr auto kConnectLimit = std::chrono::seconds(30);

using Stream = beast::websocket::stream<net::ip::tcp::socket&>;

Error websocket_error(std::string_view what, const boost::system::error_code& error) {
  if (error == beast::websocket::error::closed || error == net::error::eof)
    return Error{ErrorCode::kUnavailable, "the WebSocket was closed by the peer"};
  if (error == beast::websocket::error::message_too_big || error == beast::websocket::error::buffer_overflow)
    return Error{ErrorCode::kExhausted, "the WebSocket message is longer than the limit"};
  if (error == beast::error::timeout) return Error{ErrorCode::kTimeout, "the WebSocket peer does not answer"};
  return socket_error(what, error);
}

/// The Beast stream and the connection that it refers to.
struct Channel {
  explicit Channel(std::shared_ptr<SocketStream> s) : socket(std::move(s)), stream(socket->socket()) {}
  std::shared_ptr<SocketStream> socket;
  Stream stream;
};

class BeastWebSocket final : public WebSocket {
 public:
  explicit BeastWebSocket(std::shared_ptr<Channel> channel) : channel_(std::move(channel)) {}
  ~BeastWebSocket() override { close(); }

  Task<Result<Message>> read() override {
    const auto channel = channel_;
    beast::flat_buffer buffer;
    auto [error, n] = co_await channel->stream.async_read(buffer, kTuple);
    if (error) co_return fail(websocket_error("reading from the WebSocket", error));
    Message out;
    const auto* data = static_cast<const std::uint8_t*>(buffer.data().data());
    out.data.assign(data, data + buffer.size());
    out.text = channel->stream.got_text();
    co_return out;
  }

  Task<Result<>> write(BytesView data, bool text) override {
    const auto channel = channel_;
    channel->stream.text(text);
    auto [error, n] = co_await channel->stream.async_write(net::buffer(data.data(), data.size()), kTuple);
    if (error) co_return fail(websocket_error("writing to the WebSocket", error));
    co_return Result<>();
  }

  void close() override { close(beast::websocket::close_code::normal, ""); }

  void close(std::uint16_t code, std::string reason) override {
    if (closed_) return;
    closed_ = true;
    beast::websocket::close_reason why(code);
    why.reason.assign(reason.data(), std::min(reason.size(), why.reason.max_size()));
    auto shut = [channel = channel_, why] {
      if (!channel->stream.is_open()) {
        channel->socket->close();
        return;
      }
      channel->stream.async_close(why, [channel](boost::system::error_code) { channel->socket->close(); });
    };
    net::post(channel_->socket->socket().get_executor(), std::move(shut));
  }

  void abort() override { channel_->socket->close(); }

 private:
  std::shared_ptr<Channel> channel_;  // shared with operations under way
  bool closed_ = false;
};

std::shared_ptr<Channel> open_channel(std::shared_ptr<SocketStream> socket, beast::role_type role, std::size_t limit) {
  auto channel = std::make_shared<Channel>(std::move(socket));
  channel->stream.set_option(beast::websocket::stream_base::timeout::suggested(role));
  channel->stream.read_message_max(limit);
  return channel;
}

Task<Result<std::shared_ptr<SocketStream>>> connect_socket(std::string host, std::uint16_t port) {
  auto executor = co_await net::this_coro::executor;
  const auto what = fmt::format("connecting to {}:{}", host, port);
  net::ip::tcp::resolver resolver(executor);
  auto [lookup, found] = co_await resolver.async_resolve(host, std::to_string(port), kTuple);
  if (lookup) co_return fail(socket_error(what, lookup));
  auto stream = std::make_shared<SocketStream>(net::ip::tcp::socket(executor), nullptr);
  Deadline deadline(executor, stream);
  deadline.arm(kConnectLimit);
  auto [error, endpoint] = co_await net::async_connect(stream->socket(), found, kTuple);
  deadline.disarm();
  if (deadline.fired()) co_return fail(ErrorCode::kTimeout, what + ": no answer in time");
  if (error) co_return fail(socket_error(what, error));
  boost::system::error_code ignored;
  stream->socket().set_option(net::ip::tcp::no_delay(true), ignored);
  co_return stream;
}

}  // namespace

Result<> check_websocket_request(const Request& request) {
  const auto bad = [](std::string_view why) {
    return fail(ErrorCode::kInvalid, fmt::format("this is not a WebSocket handshake: {}", why));
  };
  if (request.method != "GET") return bad("the method must be GET");
  if (!has_token(request.headers, "Connection", "upgrade")) return bad("the Connection header does not say Upgrade");
  if (!has_token(request.headers, "Upgrade", "websocket")) return bad("the Upgrade header does not say websocket");
  if (request.headers.get("Sec-WebSocket-Key").value_or("").size() != 24)
    return bad("Sec-WebSocket-Key is missing or malformed");
  if (request.headers.get("Sec-WebSocket-Version") != "13") return bad("only Sec-WebSocket-Version 13 is supported");
  return {};
}

Task<Result<std::unique_ptr<WebSocket>>> accept_websocket_on(std::shared_ptr<SocketStream> socket, Request request,
                                                             std::size_t message_limit_bytes) {
  auto channel = open_channel(std::move(socket), beast::role_type::server, message_limit_bytes);
  beast::http::request<beast::http::empty_body> handshake;
  handshake.version(11);
  handshake.method(beast::http::verb::get);
  handshake.target(request.target);
  for (const auto& [name, value] : request.headers.all()) handshake.insert(name, value);
  auto [error] = co_await channel->stream.async_accept(handshake, kTuple);
  if (error) co_return fail(websocket_error("accepting the WebSocket", error));
  co_return std::make_unique<BeastWebSocket>(std::move(channel));
}

Task<Result<std::unique_ptr<WebSocket>>> connect_websocket(std::string url, Headers headers,
                                                           std::size_t message_limit_bytes) {
  CO_TRY_ASSIGN(const auto place, parse_url(url));
  if (place.tls) co_return fail(ErrorCode::kUnsupported, fmt::format("{}: TLS is not supported here", url));
  CO_TRY_ASSIGN(auto socket, co_await connect_socket(place.host, place.port));
  auto channel = open_channel(std::move(socket), beast::role_type::client, message_limit_bytes);
  auto decorate = [headers = std::move(headers)](beast::websocket::request_type& request) {
    for (const auto& [name, value] : headers.all()) request.set(name, value);
  };
  channel->stream.set_option(beast::websocket::stream_base::decorator(std::move(decorate)));
  beast::websocket::response_type response;
  auto [error] = co_await channel->stream.async_handshake(response, place.authority, place.target, kTuple);
  if (error == beast::websocket::error::upgrade_declined)
    co_return fail(ErrorCode::kDenied,
                   fmt::format("{} answered {} instead of a WebSocket", url, response.result_int()));
  if (error) co_return fail(websocket_error(fmt::format("opening the WebSocket {}", url), error));
  co_return std::make_unique<BeastWebSocket>(std::move(channel));
}

}  // namespace bonus::runtime::http
