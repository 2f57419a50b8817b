// Composition of the server and the peers.
#include "bonus/net/rpc/grpc_transport.hpp"

#include <grpc/support/log.h>
#include <grpcpp/grpcpp.h>

#include <map>
#include <mutex>
#include <optional>

#include "bonus/base/log.hpp"
#include "bonus/net/rpc/peer_link.hpp"
#include "bonus/net/rpc/service.hpp"

namespace bonus::net::rpc {
namespace {

/// gRPC writes to standard error by itself; a failed connection is no error of this node, so it goes to the debug log.
void redirect_grpc_log() {
  static std::once_flag once;
  std::call_once(once, [] {
    gpr_set_log_function([](gpr_log_func_args* args) { log::debug("net", "grpc", {{"message", args->message}}); });
  });
}

class Transport final : public GrpcTransport {
 public:
  Transport(runtime::Executor executor, const NodeId& self, TransportOptions options)
      : executor_(std::move(executor)),
        self_(self),
        options_(std::move(options)),
        handlers_(std::make_shared<Handlers>(executor_, options_.identify, options_.max_concurrent_calls,
                                             options_.max_concurrent_per_caller)),
        service_(handlers_) {}
  ~Transport() override { Transport::stop(); }
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;

  void on_message(std::string service, MessageHandler handler) override {
    handlers_->messages[std::move(service)] = std::move(handler);
  }
  void on_call(std::string service, CallHandler handler) override {
    handlers_->calls[std::move(service)] = std::move(handler);
  }
  void on_stream(std::string service, StreamHandler handler) override {
    handlers_->streams[std::move(service)] = std::move(handler);
  }

  Result<> start() override {
    grpc::ServerBuilder builder;
    int bound = 0;
    builder.AddListeningPort(options_.listen, grpc::InsecureServerCredentials(), &bound);
    builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
    builder.SetMaxReceiveMessageSize(static_cast<int>(kMaxFrameBytes) + 1024);
    // What is not handled yet counts for nobody: streams of one connection, and the memory of all.
    builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS,
                               static_cast<int>(options_.max_concurrent_per_caller + kNotifiesPerCaller));
    grpc::ResourceQuota memory("node");
    builder.SetResourceQuota(memory.Resize(options_.server_memory_bytes));
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    if (!server_ || bound <= 0) {
      server_.reset();
      return fail(ErrorCode::kIo, "cannot listen on " + options_.listen + " for other nodes: is the port in use?");
    }
    port_ = static_cast<std::uint16_t>(bound);
    return {};
  }

  void stop() override {
    std::vector<std::shared_ptr<PeerLink>> links;
    {
      const std::lock_guard lock(mutex_);
      links.swap(retired_);
      for (auto* all : {&links_, &on_demand_}) {
        for (auto& [id, link] : *all) links.push_back(std::move(link));
        all->clear();
      }
    }
    for (const auto& link : links) link->stop();
    for (const auto& link : links) link->wait_idle();
    if (server_)
      server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(500));  // gRPC's own clock
    server_.reset();
  }

  NodeId self() const override { return self_; }
  std::uint16_t port() const override { return port_; }

  Result<> set_peer(const Peer& peer) override {
    if (peer.id != crypto::node_id(peer.key))
      return fail(ErrorCode::kInvalid, "the peer's id does not belong to its key");
    const std::lock_guard lock(mutex_);
    auto& link = links_[peer.id];
    if (link && target_of(link->peer()) == target_of(peer)) return {};
    if (!link && links_.size() > options_.max_peers) {
      links_.erase(peer.id);
      return fail(ErrorCode::kExhausted, "this node knows " + std::to_string(options_.max_peers) + " peers already");
    }
    std::erase_if(retired_, [](const auto& old) { return old->idle(); });
    if (const auto former = on_demand_.find(peer.id); former != on_demand_.end()) {
      retire(std::move(former->second));
      on_demand_.erase(former);
    }
    if (link) retire(std::move(link));
    link = std::make_shared<PeerLink>(peer, channel_to(peer), executor_,
                                      QueueLimits{options_.notify_queue_messages, options_.notify_queue_bytes});
    return {};
  }
  void remove_peer(const NodeId& peer) override {
    const std::lock_guard lock(mutex_);
    const auto found = links_.find(peer);
    if (found == links_.end()) return;
    retire(std::move(found->second));
    links_.erase(found);
  }
  void sweep(Instant now) override {
    const std::lock_guard lock(mutex_);
    std::erase_if(retired_, [](const auto& old) { return old->idle(); });
    std::erase_if(on_demand_, [&](auto& one) {
      if (one.second->unused_for(now) < options_.idle_on_demand) return false;
      retire(std::move(one.second));
      return true;
    });
  }
  std::vector<Peer> peers() const override {
    const std::lock_guard lock(mutex_);
    std::vector<Peer> out;
    for (const auto& [id, link] : links_) out.push_back(link->peer());
    return out;
  }
  bool connected(const NodeId& peer) const override {
    const auto link = find(peer);
    return link && link->connected();
  }

  void notify(const NodeId& to, std::string_view service, Bytes message) override {
    if (const auto link = reach(to)) link->notify(service, std::move(message));
  }
  runtime::Task<Result<Bytes>> call(NodeId to, std::string service, Bytes request, Duration timeout) override {
    const auto link = reach(to);
    if (!link) co_return fail(unknown(to));
    if (request.size() > kMaxFrameBytes) co_return fail(ErrorCode::kInvalid, "the request is larger than 16 MiB");
    co_return co_await link->call(std::move(service), std::move(request), timeout);
  }
  runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open(NodeId to, std::string service,
                                                                   Bytes header) override {
    const auto link = reach(to);
    if (!link) co_return fail(unknown(to));
    co_return co_await link->open(std::move(service), std::move(header));
  }

 private:
  /// With the lock held. gRPC may still be ending its calls: it is destroyed when they are over.
  void retire(std::shared_ptr<PeerLink> link) {
    link->stop();
    retired_.push_back(std::move(link));
  }

  static Error unknown(const NodeId& id) {
    return {ErrorCode::kNotFound, "no endpoint is known for node " + to_hex(id)};
  }

  std::shared_ptr<PeerLink> find(const NodeId& id) const {
    const std::lock_guard lock(mutex_);
    const auto found = links_.find(id);
    return found == links_.end() ? nullptr : found->second;
  }

  /// The link to a configured peer, or one made on demand: an overlay address follows from the id, so that whoever
  /// asked us can be answered.
  std::shared_ptr<PeerLink> reach(const NodeId& id) {
    if (auto link = find(id)) return link;
    if (options_.target || id == self_) return nullptr;
    const std::lock_guard lock(mutex_);
    if (const auto found = links_.find(id); found != links_.end()) return found->second;
    auto& link = on_demand_[id];
    if (link) return link;
    if (on_demand_.size() > options_.max_on_demand) {
      const auto idle = std::ranges::find_if(
          on_demand_, [](const auto& one) { return one.second && !one.second->connected() && one.second->idle(); });
      if (idle == on_demand_.end()) {
        on_demand_.erase(id);
        return nullptr;
      }
      retire(std::move(idle->second));
      on_demand_.erase(idle);
    }
    std::erase_if(retired_, [](const auto& old) { return old->idle(); });
    const Peer peer{id, {}, to_string(overlay_address(id))};
    return on_demand_[id] =
               std::make_shared<PeerLink>(peer, channel_to(peer), executor_,
                                          QueueLimits{options_.notify_queue_messages, options_.notify_queue_bytes});
  }

  std::string target_of(const Peer& peer) const {
    if (options_.target) return options_.target(peer);
    return "ipv6:" + to_string(UdpEndpoint{overlay_address(peer.id), kNodePort});
  }

  std::shared_ptr<grpc::Channel> channel_to(const Peer& peer) {
    grpc::ChannelArguments args;
    args.SetMaxReceiveMessageSize(static_cast<int>(kMaxFrameBytes) + 1024);
    args.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 200);
    args.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 200);
    args.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);
    args.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
    args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    // A channel belongs to one peer: its end must not touch another's.
    args.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(target_of(peer), grpc::InsecureChannelCredentials(), args);
  }

  const runtime::Executor executor_;
  const NodeId self_;
  const TransportOptions options_;
  const std::shared_ptr<Handlers> handlers_;
  NodeService service_;
  std::unique_ptr<grpc::Server> server_;
  std::uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::map<NodeId, std::shared_ptr<PeerLink>> links_;
  std::map<NodeId, std::shared_ptr<PeerLink>> on_demand_;
  std::vector<std::shared_ptr<PeerLink>> retired_;
};

}  // namespace

Result<Ipv6> address_of_peer(std::string_view peer) {
  std::string text(peer.substr(0, 128));
  for (const auto& [code, plain] : {std::pair{"%5B", "["}, std::pair{"%5D", "]"}})
    if (const auto at = text.find(code); at != std::string::npos) text.replace(at, 3, plain);
  const auto colon = text.find(':');
  if (colon == std::string::npos || !text.starts_with("ip"))
    return fail(ErrorCode::kInvalid, "\"" + text + "\" is not a peer with an IP address");
  TRY_ASSIGN(const auto endpoint, parse_endpoint(std::string_view(text).substr(colon + 1)));
  return endpoint.address;
}

Result<std::unique_ptr<GrpcTransport>> make_transport(runtime::Executor executor, const NodeId& self,
                                                      TransportOptions options) {
  const auto colon = options.listen.rfind(':');
  if (colon == std::string::npos || colon + 1 == options.listen.size())
    return fail(ErrorCode::kInvalid, "\"" + options.listen + "\" is not host:port");
  if (!options.identify) return fail(ErrorCode::kInvalid, "a transport needs to know who calls");
  redirect_grpc_log();
  return std::make_unique<Transport>(std::move(executor), self, std::move(options));
}

}  // namespace bonus::net::rpc
