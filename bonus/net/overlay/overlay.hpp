// BonusNet of one node, put together: tunnel, DHT, paths, first contact. Everything that decides is a core; this shell
// owns the sockets' threads, one strand and one timer, seals and opens datagrams, and keeps the address book.
#pragma once

#include <boost/json/fwd.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "bonus/base/metrics.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/api/address.hpp"
#include "bonus/net/device/engine.hpp"
#include "bonus/net/host/helper.hpp"
#include "bonus/net/record/record.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/disk.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::overlay {

struct OverlayOptions {
  std::string data_dir;        ///< tunnel.key lies there.
  std::uint32_t mtu = 1420;    ///< Of bonus0.
  bool allow_private = false;  ///< Loopback and private endpoints are as good as public ones: a LAN or a devnet.
  bool reachable = false;      ///< The operator vouches for `advertise`: no dial-back needed.
  std::vector<UdpEndpoint> advertise;  ///< Where others reach the UDP socket, as configured.
  std::optional<Ipv6> bound;           ///< The address the socket is bound to, when it is not all of them.
  bool map_ports = true;               ///< Ask the home router for a port (PCP, NAT-PMP, UPnP).
  bool serves_dht = true;
  bool relays = false, exits = false, gateway = false;
  bool rotate_key = false;  ///< Make a new tunnel key at this start.
  std::string region, country, isp;
  std::uint32_t asn = 0;
  std::uint8_t tier = 1;
  std::vector<Prefix> subnets;                    ///< Announced.
  std::optional<UdpEndpoint> tls_listen;          ///< TLS fallback of a relay.
  Duration idle_peer = std::chrono::minutes(10);  ///< Tunnels without traffic for so long are taken down.
  std::size_t max_tunnels = 4096;
};

struct OverlayParts {
  runtime::Executor executor;
  runtime::BlockingPool& pool;
  runtime::Clock& clock;
  runtime::Random& random;
  runtime::Disk& disk;
  Metrics& metrics;
  host::Helper* helper;  ///< Null in tests: no further sockets, no addresses of the machine.
  /// Runs blocking work in the network namespace of the UDP socket; empty where that is not permitted.
  std::function<Result<>(const std::function<Result<>()>& work)> outside;
};

/// A stock WireGuard client behind this gateway.
struct EdgePeer {
  crypto::X25519Public key;
  Hash32 preshared_key;
  std::vector<Prefix> allowed;  ///< Its /128, and its IPv4 of the exit.
};

/// Thread-safe. Callbacks run on the overlay's strand and must not block.
class Overlay {
 public:
  /// Takes over the TUN device and the UDP socket, wherever they were opened. Errors name the file or key at fault.
  [[nodiscard]] static Result<std::unique_ptr<Overlay>> open(OverlayParts parts, const crypto::Ed25519KeyPair& root,
                                                             OverlayOptions options, device::Tun tun,
                                                             std::unique_ptr<device::UdpSocket> udp);
  ~Overlay();
  Overlay(const Overlay&) = delete;
  Overlay& operator=(const Overlay&) = delete;

  void start();
  /// Ends threads and tasks. Blocking; not from a callback.
  void stop();

  [[nodiscard]] const Ipv6& address() const;
  [[nodiscard]] std::uint16_t port() const;
  /// What stock WireGuard clients call the gateway's public key.
  [[nodiscard]] crypto::X25519Public tunnel_key() const;
  /// Whose overlay address it is: ours, or that of a node which has proven it. kDenied otherwise.
  [[nodiscard]] Result<NodeId> identify(const Ipv6& source) const;

  /// A node that may be found at "host:port" of the underlay: bookkeepers of the genesis file, nodes on the chain.
  void add_hint(const Ed25519PublicKey& root, const std::string& endpoint);
  /// Its tunnel goes when it is idle, as any other.
  void remove_hint(const Ed25519PublicKey& root);
  /// Ids of our containers: their addresses become ours in record and tunnel.
  void set_containers(std::vector<Bytes> ids);
  /// Stock WireGuard clients of this gateway; replaces all. One whose key is a node's is left out.
  void set_edge_peers(std::vector<EdgePeer> peers);
  /// Whether a key is the tunnel key of this node or of one that has shown to have it: no client may use it then.
  [[nodiscard]] runtime::Task<bool> is_node_key(crypto::X25519Public key);
  struct EdgeActivity {
    double last_handshake_s = -1;  ///< Seconds ago; negative: never.
    std::uint64_t received_bytes = 0, sent_bytes = 0;
  };
  [[nodiscard]] std::map<crypto::X25519Public, EdgeActivity> edge_activity() const;
  /// Routes behind other nodes: an exit's default routes, the subnets that were accepted of a router; replaces all.
  struct Behind {
    NodeId node;
    std::vector<Prefix> prefixes;
  };
  void set_behind(std::vector<Behind> routes);

  /// The record of who has this address: from the book, or by a lookup. kNotFound, kTimeout, kInvalid (not overlay).
  [[nodiscard]] runtime::Task<Result<NodeRecord>> find(Ipv6 address);
  /// Finds the node and makes a path to it; what is known of it then (see docs/formats/local_api.md). kTimeout.
  [[nodiscard]] runtime::Task<Result<boost::json::object>> path(Ipv6 address, Duration timeout);

  [[nodiscard]] runtime::Task<boost::json::object> status();
  [[nodiscard]] runtime::Task<boost::json::array> peers();
  [[nodiscard]] runtime::Task<boost::json::object> map();
  [[nodiscard]] runtime::Task<Result<boost::json::object>> lookup(Ipv6 address);
  /// Puts numbers of the last moment into the metrics; for /metrics.
  [[nodiscard]] runtime::Task<> publish_metrics();

 private:
  struct Impl;
  explicit Overlay(std::shared_ptr<Impl> impl);
  std::shared_ptr<Impl> impl_;  // shared with handlers under way on the executor
};

}  // namespace bonus::net::overlay
