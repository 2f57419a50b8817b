// The in-memory network: a table of started nodes behind one mutex; streams are socket pairs.
#include "bonus/node/testing/memory_transport.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <map>
#include <mutex>
#include <set>

#include "bonus/crypto/keys.hpp"

namespace bonus::node::testing {

namespace asio = boost::asio;
using runtime::Task;

namespace {

// What a node serves; shared with handlers under way after the node is gone.
struct Services {
  explicit Services(const runtime::Executor& e) : executor(e), strand(asio::make_strand(e)) {}
  runtime::Executor executor;
  asio::strand<runtime::Executor> strand;  // keeps notifications in order
  std::atomic<bool> stopped{false};
  std::map<std::string, net::Transport::MessageHandler, std::less<>> messages;
  std::map<std::string, net::Transport::CallHandler, std::less<>> calls;
  std::map<std::string, net::Transport::StreamHandler, std::less<>> streams;
};

}  // namespace

struct MemoryNetwork::State {
  mutable std::mutex mutex;
  std::map<NodeId, std::shared_ptr<Services>> nodes;
  std::set<NodeId> off;
  std::atomic<std::uint64_t> delivered{0};

  std::shared_ptr<Services> reach(const NodeId& from, const NodeId& to) const {
    const std::scoped_lock lock(mutex);
    if (off.contains(from) || off.contains(to)) return nullptr;
    const auto found = nodes.find(to);
    return found == nodes.end() ? nullptr : found->second;
  }
};

namespace {

Error unreachable(const NodeId& to) {
  return {ErrorCode::kUnavailable, fmt::format("node {} cannot be reached", to_hex(to.view()).substr(0, 8))};
}

Task<Result<Bytes>> run_call(std::shared_ptr<Services> node, net::Transport::CallHandler handler, NodeId from,
                             Bytes request) {
  auto task = handler(from, std::move(request));
  auto reply = co_await std::move(task);
  if (node->stopped) co_return fail(ErrorCode::kUnavailable, "the node was stopped");
  co_return reply;
}

class MemoryTransport final : public net::Transport {
 public:
  MemoryTransport(std::shared_ptr<MemoryNetwork::State> network, const Ed25519PublicKey& key,
                  const runtime::Executor& executor)
      : network_(std::move(network)), self_(crypto::node_id(key)), services_(std::make_shared<Services>(executor)) {}
  ~MemoryTransport() override { stop_now(); }

  void on_message(std::string service, MessageHandler handler) override {
    services_->messages[std::move(service)] = std::move(handler);
  }
  void on_call(std::string service, CallHandler handler) override {
    services_->calls[std::move(service)] = std::move(handler);
  }
  void on_stream(std::string service, StreamHandler handler) override {
    services_->streams[std::move(service)] = std::move(handler);
  }

  Result<> start() override {
    const std::scoped_lock lock(network_->mutex);
    network_->nodes[self_] = services_;
    return {};
  }
  void stop() override { stop_now(); }

  NodeId self() const override { return self_; }
  Result<> set_peer(const net::Peer& peer) override {
    const std::scoped_lock lock(mutex_);
    if (peer.id != self_) peers_[peer.id] = peer;
    return {};
  }
  void remove_peer(const NodeId& peer) override {
    const std::scoped_lock lock(mutex_);
    peers_.erase(peer);
  }
  std::vector<net::Peer> peers() const override {
    const std::scoped_lock lock(mutex_);
    std::vector<net::Peer> out;
    for (const auto& [_, peer] : peers_) out.push_back(peer);
    return out;
  }
  bool connected(const NodeId& peer) const override { return network_->reach(self_, peer) != nullptr; }

  void notify(const NodeId& to, std::string_view service, Bytes message) override {
    auto node = network_->reach(self_, to);
    if (node == nullptr) return;
    const auto found = node->messages.find(service);
    if (found == node->messages.end()) return;
    auto deliver = [node, handler = found->second, from = self_, message = std::move(message),
                    network = network_]() mutable {
      if (node->stopped) return;
      ++network->delivered;
      handler(from, std::move(message));
    };
    asio::post(node->strand, std::move(deliver));
  }

  Task<Result<Bytes>> call(NodeId to, std::string service, Bytes request, Duration timeout) override {
    auto node = network_->reach(self_, to);
    if (node == nullptr) co_return fail(unreachable(to));
    const auto found = node->calls.find(service);
    if (found == node->calls.end()) co_return fail(ErrorCode::kUnsupported, "no service " + service);
    asio::steady_timer timer(co_await asio::this_coro::executor, timeout);
    auto running = run_call(node, found->second, self_, std::move(request));
    auto reply = asio::co_spawn(node->executor, std::move(running), asio::use_awaitable);
    auto expiry = timer.async_wait(asio::as_tuple(asio::use_awaitable));
    using asio::experimental::awaitable_operators::operator||;
    try {
      auto first = co_await (std::move(reply) || std::move(expiry));
      if (first.index() == 0) co_return std::get<0>(std::move(first));
    } catch (const boost::system::system_error&) {
      co_return fail(ErrorCode::kCancelled, "the call was stopped");
    }
    co_return fail(ErrorCode::kTimeout, "no answer to " + service);
  }

  Task<Result<std::unique_ptr<runtime::ByteStream>>> open(NodeId to, std::string service, Bytes header) override {
    auto node = network_->reach(self_, to);
    if (node == nullptr) co_return fail(unreachable(to));
    const auto found = node->streams.find(service);
    if (found == node->streams.end()) co_return fail(ErrorCode::kUnsupported, "no service " + service);
    std::array<int, 2> ends{};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends.data()) != 0)
      co_return fail(ErrorCode::kIo, "socketpair failed");
    const runtime::Executor theirs = asio::make_strand(node->executor);
    CO_TRY_ASSIGN(auto mine, runtime::adopt_descriptor(co_await asio::this_coro::executor, ends[0]));
    CO_TRY_ASSIGN(auto far, runtime::adopt_descriptor(theirs, ends[1]));
    auto task = found->second(self_, std::move(header), std::move(far));
    asio::co_spawn(theirs, std::move(task), asio::detached);
    co_return std::move(mine);
  }

 private:
  void stop_now() {
    services_->stopped = true;
    const std::scoped_lock lock(network_->mutex);
    const auto found = network_->nodes.find(self_);
    if (found != network_->nodes.end() && found->second == services_) network_->nodes.erase(found);
  }

  std::shared_ptr<MemoryNetwork::State> network_;
  NodeId self_;
  std::shared_ptr<Services> services_;
  mutable std::mutex mutex_;
  std::map<NodeId, net::Peer> peers_;
};

}  // namespace

MemoryNetwork::MemoryNetwork() : state_(std::make_shared<State>()) {}
MemoryNetwork::~MemoryNetwork() {
  const std::scoped_lock lock(state_->mutex);
  state_->nodes.clear();
}

std::unique_ptr<net::Transport> MemoryNetwork::attach(const Ed25519PublicKey& key, runtime::Executor executor) {
  return std::make_unique<MemoryTransport>(state_, key, executor);
}

void MemoryNetwork::cut(const NodeId& id, bool off) {
  const std::scoped_lock lock(state_->mutex);
  if (off) {
    state_->off.insert(id);
  } else {
    state_->off.erase(id);
  }
}

std::uint64_t MemoryNetwork::delivered() const { return state_->delivered; }

}  // namespace bonus::node::testing
