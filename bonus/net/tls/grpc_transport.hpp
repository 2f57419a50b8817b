// net/api over gRPC with mutual TLS 1.3: each end shows a self-signed certificate of its node key and the key is the
// identity.
#pragma once

#include <memory>
#include <string>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/transport.hpp"

namespace bonus::net::tls {

struct TransportOptions {
  std::string listen = "127.0.0.1:0";  ///< Port 0: any free one.
  std::size_t max_peers = 256;
  std::size_t notify_queue_messages = 4096;  ///< Per peer; beyond it the oldest message is dropped.
  std::size_t notify_queue_bytes = 32u << 20;
  std::size_t max_concurrent_calls = 512;  ///< Calls and streams served at once.
};

class GrpcTransport : public Transport {
 public:
  /// The port that start() bound.
  [[nodiscard]] virtual std::uint16_t port() const = 0;
};

/// Handlers run on `executor`, which must outlive the transport. kInvalid: `listen` is not "host:port".
[[nodiscard]] Result<std::unique_ptr<GrpcTransport>> make_transport(runtime::Executor executor,
                                                                    const crypto::Ed25519KeyPair& key,
                                                                    TransportOptions options);

}  // namespace bonus::net::tls
