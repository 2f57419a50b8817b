// TLS links: datagrams over TLS 1.3 on TCP (port 443), for networks that block UDP. Both ends show a certificate that
// is made of their Ed25519 root key. Frames: length (2, big-endian), datagram.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/path.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::nat {

struct TlsLinkOptions {
  std::size_t max_accepted = 1024;  ///< Further connections are closed at once.
  std::size_t max_dialled = 4;
  std::size_t queue_bytes = 1 << 20;         ///< Per link; what does not fit is dropped, as a full router would.
  std::size_t total_queue_bytes = 64 << 20;  ///< Of all links; beyond it each may still queue `little_queue_bytes`.
  std::size_t little_queue_bytes = 64 << 10;
  Duration handshake_timeout = std::chrono::seconds(10);
  Duration idle_timeout = std::chrono::seconds(60);  ///< Without a byte from the other end.
  Duration give_up = std::chrono::minutes(2);        ///< A dial without a link for so long is over.
  std::size_t max_handshakes_per_prefix = 8;         ///< Of strangers in one /24 or /56 at a time.
  std::size_t max_accepted_per_prefix = 128;         ///< With those that stand.
  Duration backoff_min = std::chrono::milliseconds(500), backoff_max = std::chrono::seconds(60);
  /// Connects a socket elsewhere than in this thread's network namespace and calls `done` on the executor, once, with a
  /// connected, non-blocking descriptor, which is taken over. Unset: here.
  std::function<void(const UdpEndpoint& to, std::function<void(Result<int> socket)> done)> connect;
};

/// Not thread-safe: all calls and callbacks on the given executor, which must be a strand or a single thread.
class TlsLinks {
 public:
  struct Events {
    /// A link stands. `wanted`: one that dial() asked for.
    std::function<void(const PathEndpoint& link, const Ed25519PublicKey& root, bool wanted)> up;
    std::function<void(const PathEndpoint& link)> down;
    std::function<void(const PathEndpoint& link, BytesView datagram)> datagram;
  };
  TlsLinks(runtime::Executor executor, const crypto::Ed25519KeyPair& root, runtime::Random& random, Events events,
           TlsLinkOptions options = {});
  ~TlsLinks();
  TlsLinks(const TlsLinks&) = delete;
  TlsLinks& operator=(const TlsLinks&) = delete;

  /// Accepts links; port 0 picks one. The socket belongs to the calling thread's network namespace. Returns the bound
  /// endpoint. kIo.
  [[nodiscard]] Result<UdpEndpoint> listen(const UdpEndpoint& at);
  /// Keeps a link to the first endpoint that works, reconnecting with backoff until close(), or until there was none
  /// for TlsLinkOptions::give_up. `root` zero: any key, which Events::up reports. Returns the `via` that the link has
  /// whenever it is up; the same one for what is being dialled already. kExhausted.
  [[nodiscard]] Result<std::uint32_t> dial(std::vector<UdpEndpoint> endpoints, const Ed25519PublicKey& root);
  void close(std::uint32_t via);
  /// Queues a datagram of at most 16 KiB; false when it was dropped.
  bool send(std::uint32_t via, BytesView datagram);
  /// Ends everything; no callback comes afterwards.
  void stop();
  [[nodiscard]] std::size_t links() const;
  [[nodiscard]] std::uint64_t dropped() const;

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with handlers of Asio, which may run after this object is gone
};

}  // namespace bonus::net::nat
