// Raw ICMPv6 sockets, one question at a time.
#include "bonus/node/echo.hpp"

#include <fmt/format.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <cstring>

#include "bonus/runtime/clock.hpp"

namespace bonus::node {

namespace asio = boost::asio;
using asio::experimental::awaitable_operators::operator||;

namespace {
constexpr std::size_t kPayload = 56;  // as ping(8)
}

runtime::Task<Result<std::unique_ptr<Echo>>> Echo::open(net::Ipv6 target) {
  auto executor = co_await asio::this_coro::executor;
  const int fd = ::socket(AF_INET6, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, IPPROTO_ICMPV6);
  if (fd < 0)
    co_return fail(errno == EPERM ? ErrorCode::kDenied : ErrorCode::kIo,
                   fmt::format("opening an ICMP socket: {}", std::strerror(errno)));
  asio::posix::stream_descriptor socket(executor, fd);
  icmp6_filter filter{};
  ICMP6_FILTER_SETBLOCKALL(&filter);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &filter);
  std::ignore = ::setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &filter, sizeof(filter));
  sockaddr_in6 address{};
  address.sin6_family = AF_INET6;
  std::ranges::copy(target.bytes, address.sin6_addr.s6_addr);
  if (::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0)
    co_return fail(ErrorCode::kUnavailable,
                   fmt::format("{} cannot be reached: {}", net::to_string(target), std::strerror(errno)));
  std::unique_ptr<Echo> out(new Echo(std::move(socket)));
  out->id_ = static_cast<std::uint16_t>(runtime::system_random().next_u64());
  co_return out;
}

runtime::Task<Result<Duration>> Echo::ask(std::uint16_t sequence, Duration timeout) {
  auto executor = co_await asio::this_coro::executor;
  std::array<std::uint8_t, sizeof(icmp6_hdr) + kPayload> packet{};
  icmp6_hdr head{};
  head.icmp6_type = ICMP6_ECHO_REQUEST;
  head.icmp6_id = htons(id_);
  head.icmp6_seq = htons(sequence);
  std::memcpy(packet.data(), &head, sizeof(head));
  const Instant begun = runtime::system_clock().now();
  if (::send(socket_.native_handle(), packet.data(), packet.size(), 0) < 0 && errno != EAGAIN)
    co_return fail(ErrorCode::kUnavailable, fmt::format("not sent: {}", std::strerror(errno)));
  asio::steady_timer timer(executor, timeout);
  constexpr auto kTuple = asio::as_tuple(asio::use_awaitable);
  while (true) {
    std::array<std::uint8_t, 2048> answer{};
    while (true) {
      const auto count = ::recv(socket_.native_handle(), answer.data(), answer.size(), 0);
      if (count < 0 && errno == EAGAIN) break;
      if (count < 0) co_return fail(ErrorCode::kUnavailable, std::strerror(errno));
      icmp6_hdr got{};
      if (count < static_cast<ssize_t>(sizeof(got))) continue;
      std::memcpy(&got, answer.data(), sizeof(got));
      if (got.icmp6_id == htons(id_) && got.icmp6_seq == htons(sequence))
        co_return runtime::system_clock().now() - begun;
    }
    try {
      auto readable = socket_.async_wait(asio::posix::stream_descriptor::wait_read, kTuple);
      auto expiry = timer.async_wait(kTuple);
      const auto first = co_await (std::move(readable) || std::move(expiry));
      if (first.index() == 1) co_return fail(ErrorCode::kTimeout, "timeout");
    } catch (const boost::system::system_error&) {
      co_return fail(ErrorCode::kCancelled, "the task was stopped");
    }
  }
}

}  // namespace bonus::node
