// What a node must take from the machine before it leaves for a network namespace of its own: listening sockets, the
// UDP socket of BonusNet, the TUN device, the helper that stays outside (architecture "One node").
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "bonus/net/device/tun.hpp"
#include "bonus/net/device/udp_batch.hpp"
#include "bonus/net/host/helper.hpp"
#include "bonus/net/host/namespace.hpp"
#include "bonus/node/config.hpp"
#include "bonus/node/identity.hpp"
#include "bonus/node/lan_device.hpp"

namespace bonus::node {

/// The machine's side. Thread-safe after prepare().
class Machine {
 public:
  /// Opens the TCP listeners of the configuration in the calling thread's namespace. kExists, kDenied name the key.
  [[nodiscard]] static Result<Machine> open(const Config& config);
  /// A listening socket that open() made for this key ("rpc.listen"), once; -1: none.
  [[nodiscard]] int take(const std::string& key);
  /// Runs `work` in the machine's namespace: sockets opened there belong to it. kUnsupported in a user namespace.
  [[nodiscard]] Result<> run(const std::function<Result<>()>& work) const;
  void set_isolation(net::host::Isolation isolation) { isolation_ = isolation; }
  [[nodiscard]] net::host::Isolation isolation() const { return isolation_; }

 private:
  Fd namespace_;
  std::map<std::string, Fd> listeners_;
  net::host::Isolation isolation_ = net::host::Isolation::kPrivileged;
};

struct Underlay {
  Machine machine;
  Fd outside;  ///< The namespace of the UDP socket.
  std::unique_ptr<net::device::UdpSocket> udp;
  std::optional<net::device::Tun> tun;
  std::optional<net::host::HelperProcess> helper;
  std::unique_ptr<LanDevice> lan;               ///< Of a subnet router: stands in the node's namespace.
  std::vector<net::UdpEndpoint> dns_upstreams;  ///< Of the machine's resolv.conf, unless configured.

  /// While the process has one thread. Afterwards it stands in its own network namespace with lo up and bonus0 made,
  /// and its resolv.conf names its own DNS server. Errors say what an operator can do.
  [[nodiscard]] static Result<Underlay> prepare(const Config& config, const Identity& identity);
};

}  // namespace bonus::node
