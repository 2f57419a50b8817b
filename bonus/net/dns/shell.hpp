// Inside of the DNS server's shell: UDP and TCP listeners, exchanges with upstreams. All of it runs under one mutex.
#pragma once

#include <array>
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/steady_timer.hpp>
#include <deque>
#include <memory>
#include <mutex>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/sockets.hpp"

namespace bonus::net::dns {

/// What sockets report to. Every method is called with `mutex` held and `stopped` false.
class Shell : public std::enable_shared_from_this<Shell> {
 public:
  virtual ~Shell() = default;
  virtual void on_query(const Client& client, BytesView message) = 0;
  virtual void on_accepted(Fd fd, const UdpEndpoint& peer) = 0;
  virtual void on_connection_closed(std::uint64_t id) = 0;
  virtual void on_exchange_message(std::uint64_t id, BytesView message) = 0;
  virtual void on_exchange_failed(std::uint64_t id) = 0;

  boost::asio::any_io_executor executor;  ///< A strand.
  std::mutex mutex;
  bool stopped = false;
};

using Descriptor = boost::asio::posix::stream_descriptor;
using ErrorOf = boost::system::error_code;

/// Calls `handle` with the mutex held, unless the server has stopped or `self` was closed meanwhile.
template <class Self, class Handle>
void guarded(const std::shared_ptr<Self>& self, const Handle& handle) {
  const std::lock_guard lock(self->shell->mutex);
  if (!self->shell->stopped && !self->closed) handle();
}

class UdpListener : public std::enable_shared_from_this<UdpListener> {
 public:
  UdpListener(std::shared_ptr<Shell> owner, Fd fd, std::uint16_t number);
  void start() { wait(); }
  void send(const Client& client, BytesView message);
  void close();

  const std::shared_ptr<Shell> shell;  // shared: handlers outlive the server
  bool closed = false;

 private:
  void wait();
  void receive();
  Descriptor socket_;
  const std::uint64_t number_;
};
/// Token of a datagram's client: the port and the listener's number.
[[nodiscard]] inline std::size_t listener_of(const Client& client) {
  return static_cast<std::size_t>(client.token >> 16);
}

class TcpAcceptor : public std::enable_shared_from_this<TcpAcceptor> {
 public:
  TcpAcceptor(std::shared_ptr<Shell> owner, Fd fd);
  void start() { wait(); }
  void close();

  const std::shared_ptr<Shell> shell;  // as above
  bool closed = false;

 private:
  void wait();
  Descriptor socket_;
  boost::asio::steady_timer pause_;
};

/// A client's TCP connection: messages with a length before each (RFC 1035, section 4.2.2), answered in any order
/// (RFC 7766, section 6.2.1.1).
class TcpConnection : public std::enable_shared_from_this<TcpConnection> {
 public:
  TcpConnection(std::shared_ptr<Shell> owner, Fd fd, std::uint64_t id, const Ipv6& peer, Duration idle);
  void start();
  void send(BytesView message);
  void close();  ///< Says nothing to the shell.
  [[nodiscard]] std::uint64_t last_use() const { return last_use_; }
  void touch(std::uint64_t tick) { last_use_ = tick; }
  [[nodiscard]] const Ipv6& peer() const { return peer_; }

  const std::shared_ptr<Shell> shell;  // as above
  bool closed = false;

 private:
  void wait_read();
  void on_readable();
  void take_messages();
  void flush();
  void arm();
  void end();  ///< Closes and tells the shell.
  Descriptor socket_;
  boost::asio::steady_timer timer_;
  const std::uint64_t id_;
  const Ipv6 peer_;
  const Duration idle_;
  std::uint64_t last_use_ = 0;
  Bytes in_, out_;
  std::size_t outstanding_ = 0;
  bool reading_ = false, writing_ = false, taking_ = false, ended_ = false;
};

/// One question to an upstream over a socket of its own.
class Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(std::shared_ptr<Shell> owner, std::uint64_t id, bool stream, Bytes message);
  /// Takes the descriptor over.
  void adopt(int fd);
  void close();

  const std::shared_ptr<Shell> shell;  // as above
  bool closed = false;

 private:
  void write();
  void wait_read();
  void read();
  void fail_now();
  Descriptor socket_;
  const std::uint64_t id_;
  const bool stream_;
  Bytes out_, in_;
};

}  // namespace bonus::net::dns
