// UDP listener, TCP acceptor and exchanges with upstreams.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "bonus/net/dns/message.hpp"
#include "bonus/net/dns/shell.hpp"

namespace bonus::net::dns {

namespace asio = boost::asio;

namespace {

constexpr int kBatch = 32;  ///< Datagrams read before others get a turn.

/// Never throws: without a usable descriptor the object stays closed and every operation on it fails.
void assign(Descriptor& socket, Fd fd) {
  ErrorOf error;
  const int raw = fd.release();
  socket.assign(raw, error);
  if (error) ::close(raw);
}

void close_quietly(Descriptor& socket) {
  ErrorOf ignored;
  socket.close(ignored);
}

}  // namespace

UdpListener::UdpListener(std::shared_ptr<Shell> owner, Fd fd, std::uint16_t number)
    : shell(std::move(owner)), socket_(shell->executor), number_(number) {
  assign(socket_, std::move(fd));
}

void UdpListener::wait() {
  socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      if (error) return;
      self->receive();
      if (!self->closed) self->wait();
    });
  });
}

void UdpListener::receive() {
  std::array<std::uint8_t, 8192> buffer;  // more is no question
  for (int i = 0; i < kBatch && !closed; ++i) {
    sockaddr_storage address;
    socklen_t size = sizeof address;
    const ssize_t got = ::recvfrom(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT,
                                   reinterpret_cast<sockaddr*>(&address), &size);
    if (got < 0) {
      if (errno == EAGAIN || errno == EWOULDBLOCK) return;
      continue;  // an ICMP error of an answer that nobody waited for
    }
    const auto peer = from_sockaddr(address);
    if (!peer || peer->port == 0) continue;
    Client client;
    client.address = peer->address;
    client.token = number_ << 16 | peer->port;
    shell->on_query(client, BytesView(buffer.data(), static_cast<std::size_t>(got)));
  }
}

void UdpListener::send(const Client& client, BytesView message) {
  if (closed) return;
  sockaddr_storage address;
  const socklen_t size = to_sockaddr({client.address, static_cast<std::uint16_t>(client.token)}, address);
  // A full buffer loses the answer; the client asks again, as for every lost datagram.
  static_cast<void>(::sendto(socket_.native_handle(), message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), size));
}

void UdpListener::close() {
  closed = true;
  close_quietly(socket_);
}

TcpAcceptor::TcpAcceptor(std::shared_ptr<Shell> owner, Fd fd)
    : shell(std::move(owner)), socket_(shell->executor), pause_(shell->executor) {
  assign(socket_, std::move(fd));
}

void TcpAcceptor::wait() {
  socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      if (error) return;
      sockaddr_storage address;
      socklen_t size = sizeof address;
      Fd fd(::accept4(self->socket_.native_handle(), reinterpret_cast<sockaddr*>(&address), &size,
                      SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (fd) {
        if (const auto peer = from_sockaddr(address)) self->shell->on_accepted(std::move(fd), *peer);
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
        // The connection stays in the queue: without a pause this would be a loop at full speed.
        self->pause_.expires_after(std::chrono::milliseconds(100));
        self->pause_.async_wait([self](const ErrorOf& stop) {
          if (!stop) guarded(self, [&] { self->wait(); });
        });
        return;
      }
      if (!self->closed) self->wait();
    });
  });
}

void TcpAcceptor::close() {
  closed = true;
  close_quietly(socket_);
  pause_.cancel();
}

Exchange::Exchange(std::shared_ptr<Shell> owner, std::uint64_t id, bool stream, Bytes message)
    : shell(std::move(owner)), socket_(shell->executor), id_(id), stream_(stream) {
  if (stream) {
    out_.push_back(static_cast<std::uint8_t>(message.size() >> 8));
    out_.push_back(static_cast<std::uint8_t>(message.size()));
  }
  append(out_, message);
}

void Exchange::adopt(int fd) {
  Fd owner(fd);
  if (closed) return;
  const int flags = ::fcntl(owner.get(), F_GETFL);
  if (flags < 0 || ::fcntl(owner.get(), F_SETFL, flags | O_NONBLOCK) < 0) return fail_now();
  assign(socket_, std::move(owner));
  if (!socket_.is_open()) return fail_now();
  write();
}

void Exchange::write() {
  // For TCP "writable" is also "connected or refused"; the first send tells which.
  socket_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      if (error) return self->fail_now();
      const ssize_t sent =
          ::send(self->socket_.native_handle(), self->out_.data(), self->out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      if (sent < 0 && errno != EAGAIN && errno != EWOULDBLOCK) return self->fail_now();
      if (sent > 0) self->out_.erase(self->out_.begin(), self->out_.begin() + sent);
      if (self->out_.empty()) return self->wait_read();
      self->write();
    });
  });
}

void Exchange::wait_read() {
  socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      if (error) return self->fail_now();
      self->read();
    });
  });
}

void Exchange::read() {
  Bytes buffer(kMaxMessageBytes + 2);
  const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_read();
  if (got < 0 || (stream_ && got == 0)) return fail_now();
  buffer.resize(static_cast<std::size_t>(got));
  if (!stream_) {
    shell->on_exchange_message(id_, buffer);
    if (!closed) wait_read();
    return;
  }
  append(in_, buffer);
  if (in_.size() < 2) return wait_read();
  const std::size_t size = static_cast<std::size_t>(in_[0]) << 8 | in_[1];
  if (in_.size() < 2 + size) return wait_read();
  shell->on_exchange_message(id_, BytesView(in_).subspan(2, size));
  if (!closed) fail_now();  // one message per connection; the core has closed it unless it was nonsense
}

void Exchange::fail_now() {
  if (closed) return;
  close();
  shell->on_exchange_failed(id_);
}

void Exchange::close() {
  closed = true;
  close_quietly(socket_);
}

}  // namespace bonus::net::dns
