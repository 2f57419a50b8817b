// Names, addresses and scripts of a topology: what will be made, without making it.
#pragma once

#include <vector>

#include "bonus/net/topology/topology.hpp"
#include "bonus/net/topology/wire_config.hpp"

namespace bonus::net::topology {

inline constexpr std::string_view kMachineDevice = "eth0", kWanDevice = "wan0", kLanDevice = "lan0";

/// What changed since the file was read.
struct NodeState {
  std::uint32_t generation = 0;  ///< Of its public address (open nodes).
  bool udp_blocked = false, cut = false;
};
struct RouterState {
  std::uint32_t generation = 0;
};

struct Plan {
  Topology topology;
  std::string toml, file_name, prefix, tag, capture;
  std::int64_t wire_pid = 0;
  std::uint64_t wire_start_ticks = 0;
  std::vector<NodeState> nodes;
  std::vector<RouterState> routers;

  /// kInvalid: bad tag or prefix.
  [[nodiscard]] static Result<Plan> make(Topology topology, std::string prefix, std::string tag);

  [[nodiscard]] std::string node_namespace(std::size_t node) const;
  [[nodiscard]] std::string router_namespace(std::size_t router) const;
  /// The machine's own address.
  [[nodiscard]] Ipv6 node_address(std::size_t node) const;
  /// The router's outer address: public, or of the carrier's inner network.
  [[nodiscard]] Ipv6 router_address(std::size_t router) const;
  /// What the world sees.
  [[nodiscard]] Ipv6 public_address(std::size_t node) const;
  /// The router's own address on its inner side.
  [[nodiscard]] Ipv6 inner_gateway(std::size_t router) const;
  /// The device of a node in its router's bridge, or of a router in its carrier's.
  [[nodiscard]] std::string port_name(std::size_t node) const;
  [[nodiscard]] std::string carrier_port_name(std::size_t router) const;
  /// The router that holds the public address.
  [[nodiscard]] std::size_t outermost(std::size_t router) const;
  [[nodiscard]] WireConfig wire() const;

  /// State file of a running network; `from_state` reads it back.
  [[nodiscard]] std::string to_state() const;
  [[nodiscard]] static Result<Plan> from_state(std::string_view text);
  /// For people and programs: namespaces and addresses.
  [[nodiscard]] std::string to_json(std::string_view folder) const;
};

/// nftables script of a router.
[[nodiscard]] std::string nat_script(const Plan& plan, std::size_t router);
/// The configuration file of a router's miniupnpd.
[[nodiscard]] std::string port_mapping_config(const Plan& plan, std::size_t router);

}  // namespace bonus::net::topology
