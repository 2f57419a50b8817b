// The client side towards one node: its channel, its queue of one-way messages, calls and streams.
#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>

#include <grpcpp/grpcpp.h>
#include "bonus/net/api/transport.hpp"
#include "bonus/runtime/clock.hpp"

#include "proto/node.grpc.pb.h"

namespace bonus::net::rpc {

struct QueueLimits {
  std::size_t messages = 0, bytes = 0;
};

class FrameLink;

/// Thread-safe. gRPC joins its own threads when the last reference to a channel goes, so that must never happen inside
/// one of its callbacks: each operation holds a Token that dies after everything else of it, and wait_idle() waits for
/// all of them.
class PeerLink : public std::enable_shared_from_this<PeerLink> {
 public:
  PeerLink(Peer peer, std::shared_ptr<grpc::Channel> channel, runtime::Executor executor, QueueLimits limits);
  [[nodiscard]] const Peer& peer() const { return peer_; }
  [[nodiscard]] bool connected() const;
  void notify(std::string_view service, Bytes message);
  [[nodiscard]] runtime::Task<Result<Bytes>> call(std::string service, Bytes request, Duration timeout);
  [[nodiscard]] runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open(std::string service, Bytes header);
  /// Cancels everything that is under way.
  void stop();
  /// Blocks until no operation refers to the channel any more. After stop() gRPC ends them at once.
  void wait_idle();
  [[nodiscard]] bool idle() const;
  /// Since the last message, or call or stream under way. Counted between calls of this.
  [[nodiscard]] Duration unused_for(Instant now);

  class Token {
   public:
    explicit Token(PeerLink& link);
    ~Token();
    Token(const Token&) = delete;
    Token& operator=(const Token&) = delete;

   private:
    PeerLink& link_;
  };

 private:
  class NotifyReactor;
  void pump();  ///< With the lock held: starts the stream or the next write when there is something to send.
  void stream_ended();
  void retry_later();

  const Peer peer_;
  const std::shared_ptr<grpc::Channel> channel_;
  const std::unique_ptr<v1::Node::Stub> stub_;
  const runtime::Executor executor_;
  const QueueLimits limits_;
  mutable std::mutex mutex_;
  std::condition_variable idle_;
  std::atomic<std::size_t> active_ = 0;
  std::vector<std::weak_ptr<FrameLink>> streams_;  // for stop(); swept when it grows
  std::set<grpc::ClientContext*> calls_;
  std::deque<v1::Notice> queue_;
  std::size_t queued_bytes_ = 0;
  NotifyReactor* stream_ = nullptr;  // owned by gRPC until its OnDone
  bool writing_ = false, connected_ = false, waiting_ = false, stopped_ = false;
  bool used_ = true;                   // since the last question for it
  std::optional<Instant> used_until_;  // as far as those questions can tell
};

}  // namespace bonus::net::rpc
