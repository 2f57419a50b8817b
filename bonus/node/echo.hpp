// ICMPv6 echo over the overlay (RFC 4443, section 4), for `bonus net ping`.
#pragma once

#include <boost/asio/posix/stream_descriptor.hpp>
#include <memory>

#include "bonus/net/api/address.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::node {

/// One conversation with one address; belongs to the coroutine that made it.
class Echo {
 public:
  /// On the caller's executor. kDenied: no right to raw sockets; kIo.
  [[nodiscard]] static runtime::Task<Result<std::unique_ptr<Echo>>> open(net::Ipv6 target);
  /// The round trip. kTimeout; kUnavailable when the network says that the target cannot be reached.
  [[nodiscard]] runtime::Task<Result<Duration>> ask(std::uint16_t sequence, Duration timeout);

 private:
  explicit Echo(boost::asio::posix::stream_descriptor socket) : socket_(std::move(socket)) {}
  boost::asio::posix::stream_descriptor socket_;
  std::uint16_t id_ = 0;
};

}  // namespace bonus::node
