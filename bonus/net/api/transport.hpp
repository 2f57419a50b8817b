// Node-to-node messages and streams; both ends are authenticated by their node keys. Implemented by net/rpc over the
// overlay.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/stream.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net {

struct Peer {
  NodeId id;
  Ed25519PublicKey key;
  std::string endpoint;  ///< "host:port" of its underlay, for people.
};

/// Thread-safe. Names of services are short constants ("consensus", "blob.read"); unknown ones are answered
/// kUnsupported.
class Transport {
 public:
  virtual ~Transport() = default;
  using MessageHandler = std::function<void(NodeId from, Bytes message)>;
  using CallHandler = std::function<runtime::Task<Result<Bytes>>(NodeId from, Bytes request)>;
  using StreamHandler =
      std::function<runtime::Task<>(NodeId from, Bytes header, std::unique_ptr<runtime::ByteStream> stream)>;

  /// Handlers are registered before start() and run on the transport's executor.
  virtual void on_message(std::string service, MessageHandler handler) = 0;
  virtual void on_call(std::string service, CallHandler handler) = 0;
  virtual void on_stream(std::string service, StreamHandler handler) = 0;
  [[nodiscard]] virtual Result<> start() = 0;
  virtual void stop() = 0;

  [[nodiscard]] virtual NodeId self() const = 0;
  /// Adds or changes where a node is reached. Bounded (kExhausted).
  [[nodiscard]] virtual Result<> set_peer(const Peer& peer) = 0;
  /// What waits for it is dropped; it can still be reached by its id where the transport finds nodes by themselves.
  virtual void remove_peer(const NodeId& peer) = 0;
  [[nodiscard]] virtual std::vector<Peer> peers() const = 0;
  [[nodiscard]] virtual bool connected(const NodeId& peer) const = 0;

  /// One-way, in order per peer and service, may be lost when the peer is down; the queue per peer is bounded (oldest
  /// are dropped).
  virtual void notify(const NodeId& to, std::string_view service, Bytes message) = 0;
  /// kUnavailable, kTimeout, or the error that the handler gave. Request and reply at most 16 MiB.
  [[nodiscard]] virtual runtime::Task<Result<Bytes>> call(NodeId to, std::string service, Bytes request,
                                                          Duration timeout) = 0;
  [[nodiscard]] virtual runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> open(NodeId to, std::string service,
                                                                                         Bytes header) = 0;
};

}  // namespace bonus::net
