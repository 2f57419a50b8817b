// setns(2) on a thread of its own; the rest is Asio.
#include "bonus/compute/vm/netns.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <sys/socket.h>

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <thread>

namespace bonus::compute::vm {

namespace net = boost::asio;

Result<Fd> new_network() {
  Result<Fd> out = fail(ErrorCode::kInternal, "no namespace");
  try {
    std::thread([&] {
      if (::unshare(CLONE_NEWNET) != 0) {
        out = fail(os_error("making the container's network"));
        return;
      }
      Fd fd(::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
      if (fd)
        out = std::move(fd);
      else
        out = fail(os_error("opening the container's network"));
    }).join();
  } catch (const std::system_error& e) {
    return fail(ErrorCode::kExhausted, fmt::format("no thread could be started: {}", e.what()));
  }
  return out;
}

Result<Fd> socket_in(const Fd& network, int family) {
  Result<Fd> out = fail(ErrorCode::kInternal, "no socket");
  try {
    std::thread([&] {
      if (::setns(network.get(), CLONE_NEWNET) != 0) {
        out = fail(os_error("entering the container's network"));
        return;
      }
      Fd fd(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
      if (fd)
        out = std::move(fd);
      else
        out = fail(os_error("making a socket in the container's network"));
    }).join();
  } catch (const std::system_error& e) {
    return fail(ErrorCode::kExhausted, fmt::format("no thread could be started: {}", e.what()));
  }
  return out;
}

runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> connect_loopback(Fd socket, int family, std::uint16_t port,
                                                                             Duration timeout) {
  constexpr auto kTuple = net::as_tuple(net::use_awaitable);
  auto executor = co_await net::this_coro::executor;
  const bool v6 = family == AF_INET6;
  const net::ip::tcp protocol = v6 ? net::ip::tcp::v6() : net::ip::tcp::v4();
  net::ip::tcp::socket io(executor);
  boost::system::error_code error;
  io.assign(protocol, socket.get(), error);
  if (error) co_return fail(ErrorCode::kIo, "adopting a socket: " + error.message());
  (void)socket.release();
  const net::ip::address address =
      v6 ? net::ip::address(net::ip::address_v6::loopback()) : net::ip::address(net::ip::address_v4::loopback());
  const net::ip::tcp::endpoint endpoint(address, port);
  net::steady_timer timer(executor, timeout);
  using net::experimental::awaitable_operators::operator||;
  try {
    auto attempt = io.async_connect(endpoint, kTuple);
    auto expiry = timer.async_wait(kTuple);
    const auto first = co_await (std::move(attempt) || std::move(expiry));
    if (first.index() == 1)
      co_return fail(ErrorCode::kTimeout, fmt::format("port {} of the container did not answer", port));
    error = std::get<0>(std::get<0>(first));
  } catch (const boost::system::system_error&) {
    co_return fail(ErrorCode::kCancelled, "the task was stopped");
  }
  if (error)
    co_return fail(ErrorCode::kUnavailable, fmt::format("port {} of the container: {}", port, error.message()));
  io.set_option(net::ip::tcp::no_delay(true), error);
  const int fd = io.release(error);
  if (error) co_return fail(ErrorCode::kIo, "releasing a socket: " + error.message());
  auto stream = runtime::adopt_descriptor(executor, fd);
  if (!stream) ::close(fd);
  co_return stream;
}

}  // namespace bonus::compute::vm
