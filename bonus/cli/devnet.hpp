// A local network of ordinary bonusd processes: its files, its processes, its state.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bonus/chain/api/genesis.hpp"
#include "bonus/cli/environment.hpp"
#include "bonus/crypto/keys.hpp"
#include "bonus/net/topology/plan.hpp"

namespace bonus::cli {

inline constexpr std::uint64_t kDevnetChainId = 7777;
inline constexpr std::string_view kDevnetName = "bonus-devnet";
inline constexpr std::size_t kMaxDevnetNodes = 64;
inline constexpr std::size_t kDevnetBookkeepers = 4;
/// The public development phrase: everybody has its keys, so that any wallet can be pointed at a devnet.
inline constexpr std::string_view kDevnetMnemonic = "test test test test test test test test test test test junk";
inline constexpr std::uint32_t kDevnetUserIndex = 0, kDevnetDeveloperIndex = 1, kDevnetFirstNodeIndex = 2,
                               kDevnetFoundationIndex = 1000;

struct DevnetNode {
  std::string name;  ///< "node-1".
  std::vector<std::string> roles;
  Ed25519PublicKey key;
  std::string id;                                    ///< Node id as hexadecimal.
  std::uint32_t account_index = 0;                   ///< Of the development phrase.
  std::string account;                               ///< EIP-55.
  std::uint16_t net_port = 0;                        ///< Chosen when the network is made; genesis names it.
  std::string rpc, api, registry, gateway, metrics;  ///< URLs of the last start; empty: not served.
  std::int64_t pid = 0;                              ///< Of the last start.
  std::uint64_t start_ticks = 0;  ///< Field 22 of /proc/<pid>/stat: tells the process from a later one of that number.
  [[nodiscard]] bool has_role(std::string_view role) const;
};

struct DevnetOptions {
  std::size_t nodes = 4;
  std::string dir;                                     ///< Absolute.
  std::string worker_cpu, worker_memory, worker_disk;  ///< Of each worker; empty: a share of the machine.
  std::string topology, topology_file;                 ///< The text of a topology and its name; empty: none.
};

struct Devnet {
  std::string dir;
  std::string worker_cpu, worker_memory, worker_disk;
  std::vector<DevnetNode> nodes;
  /// The little Internet under it; the node of the same name is the machine of a node. Nothing: 127.0.0.1.
  std::optional<net::topology::Plan> topology;

  [[nodiscard]] std::string state_file() const { return dir + "/devnet.json"; }
  [[nodiscard]] std::string node_dir(const DevnetNode& node) const { return dir + "/" + node.name; }
  [[nodiscard]] boost::json::object to_json() const;
  [[nodiscard]] static Result<Devnet> from_json(std::string_view text);
  [[nodiscard]] Result<> save() const;
  /// kNotFound: no devnet there.
  [[nodiscard]] static Result<Devnet> load(const std::string& dir);
};

// ---- What a devnet consists of (devnet_layout.cpp). No processes; ports and subnets are given.

/// Roles of node `index` of `count`.
[[nodiscard]] std::vector<std::string> devnet_roles(std::size_t index, std::size_t count);
[[nodiscard]] Result<chain::Genesis> devnet_genesis(const Devnet& net, UnixSeconds now);
/// The TOML file of a node. Ports of the last start are asked for again where `keep_ports` says so.
[[nodiscard]] std::string devnet_config(const Devnet& net, std::size_t index, bool keep_ports);
/// Keys, genesis, accounts and folders of a new devnet. kExists when the folder holds one already.
[[nodiscard]] Result<Devnet> make_devnet(const DevnetOptions& options);

// ---- The topology under a devnet (devnet_topology.cpp).

/// The topology of a file for a devnet of `nodes` nodes (0: as many as it has, returned in it) in `dir`. kInvalid: it
/// cannot be read, has no machine for a node, or a bookkeeper is not open.
[[nodiscard]] Result<net::topology::Plan> plan_for_devnet(const DevnetOptions& options);
/// How many of node-1, node-2, ... the topology has without a gap.
[[nodiscard]] std::size_t topology_nodes(const net::topology::Topology& topology);
/// Index of the node's machine. The devnet has a topology.
[[nodiscard]] std::size_t machine_of(const Devnet& net, const DevnetNode& node);
/// Makes its namespaces and starts its wire, unless they are there. Nothing without a topology.
[[nodiscard]] Result<> raise_topology(Devnet& net);
/// The addresses of now: machines may have moved.
void refresh_topology(Devnet& net);
/// Removes them, also what a crash left. Returns how many namespaces there were.
[[nodiscard]] Result<std::size_t> lower_topology(const Devnet& net);
/// Lines of the section [net] of a node with a topology.
[[nodiscard]] std::string topology_config(const Devnet& net, const DevnetNode& node);

// ---- Ports of this machine (devnet_process.cpp).

/// Free ports of 127.0.0.1, of TCP and UDP, all different, found by binding.
[[nodiscard]] Result<std::vector<std::uint16_t>> free_ports(std::size_t count);
[[nodiscard]] bool port_is_free(std::uint16_t port);

// ---- Processes (devnet_process.cpp).

/// True when the process is the one that was started.
[[nodiscard]] bool is_running(const DevnetNode& node);
/// Writes the configuration and starts bonusd in a session of its own. Fills pid and start_ticks.
[[nodiscard]] Result<> start_node(Devnet& net, DevnetNode& node, const std::string& bonusd);
/// Reads <dir>/endpoints.json into the URLs; false while it is not there.
[[nodiscard]] bool read_endpoints(const Devnet& net, DevnetNode& node);
/// SIGTERM, after `grace` SIGKILL. Only the process that was started. Returns whether there was one.
[[nodiscard]] Result<bool> stop_node(DevnetNode& node, int signal, Duration grace);
/// Ends containers, mounts and control groups that the node left below its folder. Returns how many containers.
[[nodiscard]] std::size_t clean_containers(const Devnet& net, const DevnetNode& node);
/// bonusd, or another program of ours, beside this one.
[[nodiscard]] Result<std::string> find_bonusd();
[[nodiscard]] Result<std::string> find_program(std::string_view name);
/// Last lines of a node's log.
[[nodiscard]] std::string log_tail(const Devnet& net, const DevnetNode& node, std::size_t lines);

/// Where the devnet is when nobody says: BONUS_DEVNET_DIR or <state>/devnet.
[[nodiscard]] Result<std::string> default_devnet_dir(const Environment& environment);
/// For completion.
[[nodiscard]] std::vector<std::string> devnet_node_names(const Environment& environment);

}  // namespace bonus::cli
