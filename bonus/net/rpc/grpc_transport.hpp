// net/api over gRPC on overlay addresses: encryption and the proof of who sends are the tunnel's, and a connection's
// source address is the caller's identity (architecture "One node").
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/net/api/transport.hpp"
#include "bonus/runtime/clock.hpp"

namespace bonus::net::rpc {

/// The TCP port of the node-to-node service on every overlay address.
inline constexpr std::uint16_t kNodePort = 7071;

struct TransportOptions {
  std::string listen;  ///< "[overlay address]:7071".
  /// The node that holds an overlay address. An error refuses the caller. Thread-safe.
  std::function<Result<NodeId>(const Ipv6& source)> identify;
  /// Where a peer's service listens, as a gRPC target. Empty: kNodePort of its overlay address.
  std::function<std::string(const Peer&)> target;
  std::size_t max_peers = 256;
  std::size_t max_on_demand = 1024;          ///< Nodes that were never set_peer() but are called or answered.
  std::size_t notify_queue_messages = 4096;  ///< Per peer; beyond it the oldest message is dropped.
  std::size_t notify_queue_bytes = 32u << 20;
  std::size_t max_concurrent_calls = 2048;  ///< Calls and streams served at once.
  std::size_t max_concurrent_per_caller = 384;
  std::size_t server_memory_bytes = 512u << 20;        ///< Of what callers send and is not handled yet.
  Duration idle_on_demand = std::chrono::seconds(60);  ///< A link on demand that is unused for so long is closed.
};

class GrpcTransport : public Transport {
 public:
  /// The port that start() bound.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
  /// Closes links on demand that nobody uses; call it every few seconds.
  virtual void sweep(Instant now) = 0;
};

/// Handlers run on `executor`, which must outlive the transport. kInvalid: `listen` is not "host:port".
[[nodiscard]] Result<std::unique_ptr<GrpcTransport>> make_transport(runtime::Executor executor, const NodeId& self,
                                                                    TransportOptions options);

/// The address in what gRPC says of a peer: "ipv6:[fd00::1]:4711", with brackets perhaps percent-encoded. kInvalid.
[[nodiscard]] Result<Ipv6> address_of_peer(std::string_view peer);

}  // namespace bonus::net::rpc
