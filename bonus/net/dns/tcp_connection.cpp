// A client's TCP connection (RFC 7766).
#include <cerrno>

#include "bonus/net/dns/message.hpp"
#include "bonus/net/dns/shell.hpp"

namespace bonus::net::dns {

namespace {

constexpr std::size_t kMaxOutstanding = 32;      ///< Questions of one connection under way; then reading pauses.
constexpr std::size_t kMaxOutBytes = 256 << 10;  ///< Answers that the client does not take; then it is closed.
constexpr std::size_t kReadBytes = 4096;

}  // namespace

TcpConnection::TcpConnection(std::shared_ptr<Shell> owner, Fd fd, std::uint64_t id, const Ipv6& peer, Duration idle)
    : shell(std::move(owner)), socket_(shell->executor), timer_(shell->executor), id_(id), peer_(peer), idle_(idle) {
  ErrorOf error;
  const int raw = fd.release();
  socket_.assign(raw, error);
  if (error) static_cast<void>(Fd(raw));
}

void TcpConnection::start() {
  arm();
  wait_read();
}

void TcpConnection::arm() {
  timer_.expires_after(idle_);
  timer_.async_wait([self = shared_from_this()](const ErrorOf& error) {
    if (!error) guarded(self, [&] { self->end(); });
  });
}

void TcpConnection::wait_read() {
  if (reading_ || closed || ended_ || outstanding_ >= kMaxOutstanding) return;
  reading_ = true;
  socket_.async_wait(Descriptor::wait_read, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      self->reading_ = false;
      if (error) return self->end();
      self->on_readable();
    });
  });
}

void TcpConnection::on_readable() {
  std::array<std::uint8_t, kReadBytes> buffer;
  const ssize_t got = ::recv(socket_.native_handle(), buffer.data(), buffer.size(), MSG_DONTWAIT);
  if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return wait_read();
  if (got < 0) return end();
  if (got == 0) {
    // The client may have closed only its own direction: answers under way are still written.
    ended_ = true;
    if (outstanding_ == 0 && out_.empty()) end();
    return;
  }
  append(in_, BytesView(buffer.data(), static_cast<std::size_t>(got)));
  take_messages();
}

void TcpConnection::take_messages() {
  // An answer may come within on_query() and lead back here.
  if (taking_) return;
  taking_ = true;
  while (!closed && outstanding_ < kMaxOutstanding && in_.size() >= 2) {
    const std::size_t size = static_cast<std::size_t>(in_[0]) << 8 | in_[1];
    if (size < kHeaderBytes) {
      taking_ = false;
      return end();  // nothing that follows can be trusted to be aligned
    }
    if (in_.size() < 2 + size) break;
    const Bytes message(in_.begin() + 2, in_.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    in_.erase(in_.begin(), in_.begin() + 2 + static_cast<std::ptrdiff_t>(size));
    arm();
    ++outstanding_;
    Client client;
    client.address = peer_;
    client.stream = true;
    client.token = id_;
    shell->on_query(client, message);
  }
  taking_ = false;
  if (!closed) wait_read();
}

void TcpConnection::send(BytesView message) {
  if (closed) return;
  if (outstanding_ > 0) --outstanding_;
  if (out_.size() + message.size() + 2 > kMaxOutBytes) return end();
  out_.push_back(static_cast<std::uint8_t>(message.size() >> 8));
  out_.push_back(static_cast<std::uint8_t>(message.size()));
  append(out_, message);
  flush();
  if (!closed) take_messages();
}

void TcpConnection::flush() {
  if (writing_ || closed) return;
  while (!out_.empty()) {
    const ssize_t sent = ::send(socket_.native_handle(), out_.data(), out_.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    if (sent < 0) return end();
    out_.erase(out_.begin(), out_.begin() + sent);
    arm();
  }
  if (out_.empty()) {
    if (ended_ && outstanding_ == 0) end();
    return;
  }
  writing_ = true;
  socket_.async_wait(Descriptor::wait_write, [self = shared_from_this()](const ErrorOf& error) {
    guarded(self, [&] {
      self->writing_ = false;
      if (error) return self->end();
      self->flush();
    });
  });
}

void TcpConnection::end() {
  if (closed) return;
  close();
  shell->on_connection_closed(id_);
}

void TcpConnection::close() {
  closed = true;
  ErrorOf ignored;
  socket_.close(ignored);
  timer_.cancel();
}

}  // namespace bonus::net::dns
