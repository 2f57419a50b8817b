// FrameLink: a ByteStream made of one gRPC bidirectional call. An empty frame ends one direction, as close_write() of
// TCP does; gRPC itself cannot half-close from the server's side.
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "bonus/net/rpc/gate.hpp"
#include "bonus/runtime/stream.hpp"
#include "proto/node.grpc.pb.h"

namespace bonus::net::rpc {

/// The state that both ends share; the reactors of client and server derive from it. Thread-safe.
class FrameLink : public std::enable_shared_from_this<FrameLink> {
 public:
  FrameLink() = default;
  virtual ~FrameLink() = default;
  FrameLink(const FrameLink&) = delete;
  FrameLink& operator=(const FrameLink&) = delete;

  [[nodiscard]] runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> out);
  [[nodiscard]] runtime::Task<Result<>> write(BytesView in);
  [[nodiscard]] runtime::Task<Result<>> close_write();
  void close();

 protected:
  // Called with the lock held; gRPC never runs a reaction inside a Start call.
  virtual void begin_read(v1::Frame* into) = 0;
  virtual void begin_write(const v1::Frame& frame) = 0;
  /// Once. `graceful`: both directions have ended by themselves.
  virtual void end(bool graceful) = 0;

  void read_done(bool ok);
  void write_done(bool ok);
  /// The call is over; nothing may be started any more.
  void call_done();

 private:
  [[nodiscard]] runtime::Task<Result<>> send_frame(BytesView in);

  std::mutex mutex_;
  std::shared_ptr<Gate> read_gate_ = std::make_shared<Gate>();
  std::shared_ptr<Gate> write_gate_ = std::make_shared<Gate>();
  v1::Frame incoming_, outgoing_;
  std::size_t offset_ = 0;
  bool reading_ = false, writing_ = false;
  bool remote_end_ = false, local_end_ = false;
  bool broken_ = false, closed_ = false;
};

/// Owns the link: destroying the stream closes it.
class LinkStream : public runtime::ByteStream {
 public:
  explicit LinkStream(std::shared_ptr<FrameLink> link) : link_(std::move(link)) {}
  ~LinkStream() override { link_->close(); }
  LinkStream(const LinkStream&) = delete;
  LinkStream& operator=(const LinkStream&) = delete;
  runtime::Task<Result<std::size_t>> read(std::span<std::uint8_t> out) override { return link_->read(out); }
  runtime::Task<Result<>> write(BytesView in) override { return link_->write(in); }
  runtime::Task<Result<>> close_write() override { return link_->close_write(); }
  void close() override { link_->close(); }

 private:
  std::shared_ptr<FrameLink> link_;  // shared with gRPC's reactor, which lives until the call is over
};

}  // namespace bonus::net::rpc
