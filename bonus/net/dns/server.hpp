// The DNS server with its sockets: UDP and TCP on given addresses.
#pragma once

#include <memory>
#include <vector>

#include "bonus/net/dns/core.hpp"
#include "bonus/net/dns/source.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::dns {

struct ServerConfig {
  CoreConfig core;
  /// Each is bound for UDP and TCP in the process's namespace. Port 0: any, the same for both.
  std::vector<UdpEndpoint> listen;
  std::size_t max_connections = 128;  ///< TCP, all together; the one idle for longest makes room.
  std::size_t max_connections_per_source = 16;
  Duration idle_timeout = std::chrono::seconds(10);  ///< RFC 7766, section 6.2.3.
};

/// Thread-safe. Runs on a strand of its own over `executor` until stop() or destruction. `names`, `upstream` must live
/// until then; handlers that come later touch neither. The executor's context must outlive the Server. Not to be called
/// from within a NameSource or Upstream.
class Server {
 public:
  /// kIo when an address cannot be bound, naming it; kInvalid for a configuration beyond its bounds.
  [[nodiscard]] static Result<std::unique_ptr<Server>> start(runtime::Executor executor, ServerConfig config,
                                                             NameSource& names, Upstream& upstream,
                                                             runtime::Clock& clock, runtime::Random& random);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  [[nodiscard]] const std::vector<UdpEndpoint>& addresses() const;  ///< With the real ports.
  [[nodiscard]] Counters counters() const;
  void set_upstreams(std::vector<UdpEndpoint> upstreams);
  void forget(std::string label);
  void clear_cache();
  void stop();

 private:
  struct Impl;
  explicit Server(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with handlers under way
};

}  // namespace bonus::net::dns
