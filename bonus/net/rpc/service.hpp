// The server side: dispatches gRPC calls of other nodes to the handlers that the node's components registered.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "bonus/net/api/address.hpp"
#include "bonus/net/api/transport.hpp"
#include "proto/node.grpc.pb.h"

namespace bonus::net::rpc {

/// Counts what is held at once, in all and for each caller, so that nobody takes everybody else's share. Thread-safe.
class Load {
 public:
  Load(std::size_t most, std::size_t most_per_caller) : most_(most), most_per_caller_(most_per_caller) {}
  /// False: too much is held already. Each true asks for a give_back() of the same amount.
  [[nodiscard]] bool take(const NodeId& caller, std::size_t amount = 1);
  void give_back(const NodeId& caller, std::size_t amount = 1);

 private:
  const std::size_t most_, most_per_caller_;
  std::mutex mutex_;
  std::size_t active_ = 0;               // guarded by mutex_
  std::map<NodeId, std::size_t> share_;  // guarded by mutex_; nobody stands here with 0
};

/// Streams of messages of one caller: one, and what a reconnect has not ended yet.
inline constexpr std::size_t kNotifiesPerCaller = 4, kNotifies = 2048;
/// Replies that callers have not read yet.
inline constexpr std::size_t kReplyBytesPerCaller = 64 << 20, kReplyBytes = 512 << 20;

/// Handlers by service name and the bounds on concurrent work. Immutable once the server runs; shared by all reactors,
/// which may outlive the transport by the time that gRPC needs to end them.
struct Handlers {
  Handlers(runtime::Executor e, std::function<Result<NodeId>(const Ipv6&)> who, std::size_t most,
           std::size_t most_per_caller)
      : executor(std::move(e)), identify(std::move(who)), calls_and_streams(most, most_per_caller) {}
  runtime::Executor executor;
  std::function<Result<NodeId>(const Ipv6&)> identify;
  std::map<std::string, Transport::MessageHandler, std::less<>> messages;
  std::map<std::string, Transport::CallHandler, std::less<>> calls;
  std::map<std::string, Transport::StreamHandler, std::less<>> streams;
  Load calls_and_streams, notifies{kNotifies, kNotifiesPerCaller}, reply_bytes{kReplyBytes, kReplyBytesPerCaller};
};

inline constexpr std::size_t kMaxFrameBytes = 16 << 20;

class NodeService final : public v1::Node::CallbackService {
 public:
  explicit NodeService(std::shared_ptr<Handlers> handlers) : handlers_(std::move(handlers)) {}
  grpc::ServerBidiReactor<v1::Notice, v1::Empty>* Notify(grpc::CallbackServerContext* context) override;
  grpc::ServerUnaryReactor* Call(grpc::CallbackServerContext* context, const v1::CallRequest* request,
                                 v1::CallReply* reply) override;
  grpc::ServerBidiReactor<v1::Frame, v1::Frame>* Open(grpc::CallbackServerContext* context) override;

 private:
  std::shared_ptr<Handlers> handlers_;
};

}  // namespace bonus::net::rpc
