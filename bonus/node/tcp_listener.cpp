// The accept loop.
#include "bonus/node/tcp_listener.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "bonus/base/log.hpp"

namespace bonus::node {

namespace asio = boost::asio;
using asio::ip::tcp;
using runtime::Task;

struct TcpListener::Impl : std::enable_shared_from_this<TcpListener::Impl> {
  Impl(const runtime::Executor& executor, std::size_t most, Handler h)
      : strand(asio::make_strand(executor)),
        acceptor(strand),
        tasks(executor),
        max_connections(most),
        handler(std::move(h)) {}

  static Task<> serve(std::shared_ptr<Impl> self, tcp::socket socket) {
    // Here, so that the stream lives on the connection's own strand.
    auto executor = co_await asio::this_coro::executor;
    boost::system::error_code error;
    const int fd = socket.release(error);
    if (error) co_return;
    auto stream = runtime::adopt_descriptor(executor, fd);
    if (!stream) {
      ::close(fd);
      co_return;
    }
    auto task = self->handler(*std::move(stream));
    co_await std::move(task);
  }

  static Task<> accept(std::shared_ptr<Impl> self) {
    while (true) {
      tcp::socket socket(self->strand);
      auto [error] = co_await self->acceptor.async_accept(socket, asio::as_tuple(asio::use_awaitable));
      if (error == asio::error::operation_aborted) {
        // Here, not in stop(): the acceptor is not for two threads.
        boost::system::error_code ignored;
        self->acceptor.close(ignored);
        co_return;
      }
      if (error) {
        log::warn("node", "accept_failed", {{"port", self->port}, {"error", error.message()}});
        auto pause = runtime::sleep_for(std::chrono::milliseconds(100));
        if (!co_await std::move(pause)) co_return;
        continue;
      }
      // One of the tasks is this loop.
      if (self->tasks.size() > self->max_connections) continue;
      boost::system::error_code ignored;
      socket.set_option(tcp::no_delay(true), ignored);
      self->tasks.spawn("published connection", serve(self, std::move(socket)));
    }
  }

  asio::strand<runtime::Executor> strand;
  tcp::acceptor acceptor;
  runtime::TaskGroup tasks;
  std::size_t max_connections;
  Handler handler;
  std::uint16_t port = 0;
};

Result<std::unique_ptr<TcpListener>> TcpListener::open(runtime::Executor executor, const std::string& address,
                                                       std::uint16_t port, std::size_t max_connections,
                                                       Handler handler) {
  auto impl = std::make_shared<Impl>(executor, max_connections, std::move(handler));
  boost::system::error_code error;
  const auto ip = asio::ip::make_address(address, error);
  if (error) return fail(ErrorCode::kInvalid, fmt::format("\"{}\" is not an address", address));
  const tcp::endpoint endpoint(ip, port);
  impl->acceptor.open(endpoint.protocol(), error);
  if (!error) impl->acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) impl->acceptor.bind(endpoint, error);
  if (!error) impl->acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error == asio::error::address_in_use)
    return fail(ErrorCode::kConflict, fmt::format("port {} of {} is in use on this machine", port, address));
  if (error) return fail(ErrorCode::kIo, fmt::format("listening on {}:{}: {}", address, port, error.message()));
  impl->port = impl->acceptor.local_endpoint(error).port();
  impl->tasks.spawn("accept", Impl::accept(impl));
  return std::unique_ptr<TcpListener>(new TcpListener(std::move(impl)));
}

TcpListener::~TcpListener() { stop(); }
std::uint16_t TcpListener::port() const { return impl_->port; }

void TcpListener::stop() { impl_->tasks.stop(); }

Task<> TcpListener::join() {
  auto impl = impl_;
  auto joining = impl->tasks.join();
  co_await std::move(joining);
}

}  // namespace bonus::node
