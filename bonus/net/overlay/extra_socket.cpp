// recvfrom and sendto on a readiness loop of Asio.
#include "bonus/net/overlay/extra_socket.hpp"

#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>

namespace bonus::net::overlay {

namespace {
constexpr int kReadsPerWake = 32;
}

ExtraSocket::ExtraSocket(runtime::Executor executor, Fd socket, Handler handler)
    : socket_(std::move(executor), socket.release()), handler_(std::move(handler)) {}

void ExtraSocket::start() { wait(); }

void ExtraSocket::close() {
  boost::system::error_code ignored;
  socket_.close(ignored);
  handler_ = nullptr;
}

void ExtraSocket::wait() {
  socket_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                     [weak = weak_from_this()](const boost::system::error_code& error) {
                       const auto self = weak.lock();
                       if (error || !self) return;
                       for (int i = 0; i < kReadsPerWake && self->handler_; ++i) {
                         Bytes buffer(2048);
                         sockaddr_in6 from{};
                         socklen_t size = sizeof(from);
                         const auto count = ::recvfrom(self->socket_.native_handle(), buffer.data(), buffer.size(), 0,
                                                       reinterpret_cast<sockaddr*>(&from), &size);
                         if (count < 0 || from.sin6_family != AF_INET6) break;
                         buffer.resize(static_cast<std::size_t>(count));
                         UdpEndpoint endpoint;
                         std::copy_n(from.sin6_addr.s6_addr, 16, endpoint.address.bytes.begin());
                         endpoint.port = ntohs(from.sin6_port);
                         self->handler_(endpoint, std::move(buffer));
                       }
                       if (self->handler_) self->wait();
                     });
}

void ExtraSocket::send_to(const UdpEndpoint& to, BytesView datagram) {
  sockaddr_in6 where{};
  where.sin6_family = AF_INET6;
  where.sin6_port = htons(to.port);
  std::ranges::copy(to.address.bytes, where.sin6_addr.s6_addr);
  // What the kernel refuses is lost, as on any network.
  std::ignore = ::sendto(socket_.native_handle(), datagram.data(), datagram.size(), 0,
                         reinterpret_cast<const sockaddr*>(&where), sizeof(where));
}

}  // namespace bonus::net::overlay
