// One more UDP socket of the machine: crossing a symmetric NAT takes many for a few seconds.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <functional>
#include <memory>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::overlay {

/// All calls and callbacks on `executor`, a strand. Ends with the object.
class ExtraSocket : public std::enable_shared_from_this<ExtraSocket> {
 public:
  using Handler = std::function<void(const UdpEndpoint& from, Bytes datagram)>;
  /// `socket`: bound, non-blocking, AF_INET6 for both families.
  ExtraSocket(runtime::Executor executor, Fd socket, Handler handler);
  void start();
  void send_to(const UdpEndpoint& to, BytesView datagram);
  void close();

 private:
  void wait();
  boost::asio::posix::stream_descriptor socket_;
  Handler handler_;
};

}  // namespace bonus::net::overlay
