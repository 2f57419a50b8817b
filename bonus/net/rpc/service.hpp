// The server side: dispatches gRPC calls of other nodes to the handlers that the node's components registered.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <string>

#include "bonus/net/api/address.hpp"
#include "bonus/net/api/transport.hpp"
#include "proto/node.grpc.pb.h"

namespace bonus::net::rpc {

/// Handlers by service name and the bound on concurrent work. Immutable once the server runs; shared by all reactors,
/// which may outlive the transport by the time that gRPC needs to end them.
struct Handlers {
  Handlers(runtime::Executor e, std::function<Result<NodeId>(const Ipv6&)> who, std::size_t limit)
      : executor(std::move(e)), identify(std::move(who)), max_active(limit) {}
  runtime::Executor executor;
  std::function<Result<NodeId>(const Ipv6&)> identify;
  std::map<std::string, Transport::MessageHandler, std::less<>> messages;
  std::map<std::string, Transport::CallHandler, std::less<>> calls;
  std::map<std::string, Transport::StreamHandler, std::less<>> streams;
  std::size_t max_active;
  std::atomic<std::size_t> active = 0;
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
