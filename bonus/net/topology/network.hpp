// A topology made real: namespaces, devices, addresses, NAT and the wire process; changed at run time, removed whole.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "bonus/net/topology/plan.hpp"
#include "bonus/net/topology/system.hpp"

namespace bonus::net::topology {

struct UpOptions {
  std::string toml, file_name;  ///< The text and what errors call it.
  std::string prefix = "bn";    ///< Namespaces are <prefix>-<tag>-<node>.
  std::string tag;              ///< 1 to 16 of [a-z0-9].
  std::string wire_program;     ///< Path of bonus-wire.
  std::string capture;          ///< File for a capture of everything on the wire (pcap); empty: none.
  std::optional<std::uint64_t> seed;
};

/// What is absent stays as it is.
struct PathChange {
  std::optional<Duration> latency, jitter;
  std::optional<double> loss;
};

/// Not thread-safe; blocking: every call starts `ip`, `nft` or asks the wire. Needs root (CAP_SYS_ADMIN and
/// CAP_NET_ADMIN). One process at a time changes a network: a lock file in its folder sees to that.
class Network {
 public:
  /// kExists: that tag is up. Leaves nothing behind when it fails.
  [[nodiscard]] static Result<Network> up(const UpOptions& options);
  /// kNotFound: no such network.
  [[nodiscard]] static Result<Network> load(const std::string& prefix, const std::string& tag);
  /// Ends the wire and removes everything of that tag, also what a crash left. Returns how many namespaces there were.
  [[nodiscard]] static Result<std::size_t> down(const std::string& prefix, const std::string& tag);

  [[nodiscard]] const Plan& plan() const { return plan_; }
  [[nodiscard]] std::string to_json() const;
  /// The wire's counters, JSON.
  [[nodiscard]] Result<std::string> stats() const;

  /// Another public address for the node's attachment (its router's, if it has one). All machines behind it move.
  [[nodiscard]] Result<> roam(std::string_view node);
  /// Plugs the node in elsewhere: behind that router, with another inner address. kInvalid for open nodes.
  [[nodiscard]] Result<> roam_to(std::string_view node, std::string_view router);
  /// All UDP of the node beyond its LAN vanishes, silently.
  [[nodiscard]] Result<> block_udp(std::string_view node, bool blocked);
  /// Nothing goes in or out, not even on its LAN.
  [[nodiscard]] Result<> cut(std::string_view node, bool is_cut);
  /// Changes the path between two regions (or inside one), both directions.
  [[nodiscard]] Result<> set_path(std::string_view a, std::string_view b, const PathChange& change);
  /// Writes everything that enters the wire from now on to a pcap file (absolute path); empty: ends that.
  [[nodiscard]] Result<> capture(const std::string& path);

 private:
  explicit Network(Plan plan) : plan_(std::move(plan)) {}
  /// The lock, and the state as it is now.
  [[nodiscard]] Result<Fd> begin();
  [[nodiscard]] Result<std::size_t> node_index(std::string_view name) const;
  [[nodiscard]] Result<> save() const;
  [[nodiscard]] Result<> reload_wire() const;
  Plan plan_;
};

/// Tags of networks that are up or were left: folders and namespaces.
[[nodiscard]] std::vector<std::string> network_tags(const std::string& prefix);

}  // namespace bonus::net::topology
