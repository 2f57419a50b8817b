// Packet policy of the node's namespace, as one nftables table that is replaced in one transaction (nft(8), through
// libnftables). What is not opened is dropped: inbound on the overlay, from containers to the node, between containers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bonus/net/api/address.hpp"
#include "bonus/net/host/nft.hpp"

namespace bonus::net::host {

enum class Protocol : std::uint8_t { kTcp, kUdp };

/// `sources` empty: anybody on the overlay.
struct OpenPort {
  Protocol protocol = Protocol::kTcp;
  std::uint16_t first = 0, last = 0;  ///< A range; one port when equal.
  std::vector<Prefix> sources{};
  friend bool operator==(const OpenPort&, const OpenPort&) = default;
};

struct ContainerPolicy {
  std::string device{};  ///< Our end of its veth (containers.hpp).
  Ipv6 address{};
  std::optional<Ipv6> address4{};
  std::vector<OpenPort> open{};  ///< Inbound; lease ports.
  bool overlay = true;           ///< May open connections to overlay addresses.
  bool internet = false;         ///< May send to the Internet, through an exit.
  std::vector<Prefix> reach{};   ///< Further destinations: subnets announced by others.
  friend bool operator==(const ContainerPolicy&, const ContainerPolicy&) = default;
};

/// This node is an exit: forwards between the overlay device and `device` for `clients`.
struct ExitPolicy {
  std::string device{};
  Ipv6 address4{}, address6{};    ///< What forwarded traffic is translated to; zero: that family is not offered.
  std::vector<Prefix> clients{};  ///< Inner sources that may use it.
  std::vector<Prefix> allow_private{};
  friend bool operator==(const ExitPolicy&, const ExitPolicy&) = default;
};

/// A network behind this node (subnet router): forwarded between the overlay and `device`.
struct SubnetPolicy {
  std::string device{};
  Prefix subnet{};
  std::vector<Prefix> peers{};  ///< Who may open connections into it: nodes, remote subnets. It may open to the same.
  friend bool operator==(const SubnetPolicy&, const SubnetPolicy&) = default;
};

struct PolicyState {
  std::string overlay_device = "bonus0";
  std::vector<Ipv6> node_addresses{};      ///< Our own; no container may use them as its source.
  std::vector<OpenPort> services{};        ///< Of the node, for the overlay.
  std::vector<OpenPort> for_containers{};  ///< Of the node, for its containers: DNS.
  std::vector<ContainerPolicy> containers{};
  std::vector<ExitPolicy> exits{};
  std::vector<SubnetPolicy> subnets{};
  std::vector<Prefix> transit{};  ///< Edge clients of this gateway: forwarded overlay to overlay.
  bool bound_connections = true;  ///< kConnectionsPerSource, kConnections; needs nft_connlimit of the kernel.
  friend bool operator==(const PolicyState&, const PolicyState&) = default;
};

/// Packets dropped since start, by reason; they survive apply().
struct PolicyCounters {
  std::uint64_t input_denied = 0;       ///< Not opened on the node.
  std::uint64_t forward_denied = 0;     ///< Not opened on a container.
  std::uint64_t spoofed = 0;            ///< A container's packet whose source is not its own.
  std::uint64_t container_to_node = 0;  ///< A container that tried a service of its node.
  std::uint64_t egress_denied = 0;      ///< To the Internet or a private net without permission.
};

/// TCP connections from the overlay to the node itself: descriptors are what a stranger could take from everybody else.
inline constexpr unsigned kConnectionsPerSource = 128, kConnections = 4096;

/// The table's text for `nft -f`: a pure function of the state. kInvalid for names and ranges that are not.
[[nodiscard]] Result<std::string> policy_rules(const PolicyState& state);

/// Works on the namespace of the calling thread. Not thread-safe.
class Policy {
 public:
  [[nodiscard]] static Result<Policy> open();

  /// All or nothing: on error the former rules are still in force. Connections go on, unless the port they came in
  /// through is closed now. Cheap when nothing changed. The rules stay when this object goes. A kernel that cannot
  /// count connections gets the same rules without their bounds, and a warning is logged.
  [[nodiscard]] Result<> apply(const PolicyState& state);
  [[nodiscard]] Result<PolicyCounters> counters();

 private:
  explicit Policy(Nft nft) : nft_(std::move(nft)) {}
  Nft nft_;
  bool can_count_ = true;
  std::string applied_{};
  PolicyCounters before_;  ///< Of the tables that this one replaced.
};

}  // namespace bonus::net::host
