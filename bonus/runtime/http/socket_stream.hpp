// A TCP connection whose socket stays reachable, for servers and WebSocket. Internal to this folder.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <memory>

#include "bonus/runtime/stream.hpp"

namespace bonus::runtime::http {

class SocketStream final : public ByteStream, public std::enable_shared_from_this<SocketStream> {
 public:
  /// `slot` is released with the connection (a server counts its connections by it).
  SocketStream(boost::asio::ip::tcp::socket socket, std::shared_ptr<void> slot);
  Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override;
  Task<Result<>> write(BytesView in) override;
  Task<Result<>> close_write() override;
  void close() override;
  [[nodiscard]] boost::asio::ip::tcp::socket& socket() { return socket_; }

 private:
  boost::asio::ip::tcp::socket socket_;
  std::shared_ptr<void> slot_;  // an opaque share in the server's count
};

[[nodiscard]] Error socket_error(std::string_view what, const boost::system::error_code& error);

}  // namespace bonus::runtime::http
