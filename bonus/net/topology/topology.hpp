// A little Internet as people describe it: regions, links, routers with NAT, machines (docs/formats/topology.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/result.hpp"
#include "bonus/base/time.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::topology {

inline constexpr std::size_t kMaxNodes = 64, kMaxRegions = 16, kMaxRouters = 80, kMaxNameBytes = 24;
inline constexpr std::size_t kMaxTopologyFile = 256 << 10;

/// What a router does to UDP (RFC 4787). `kOpen`: no router, the machine has a public address.
enum class NatKind : std::uint8_t {
  kOpen,
  kFullCone,           ///< Endpoint-independent mapping and filtering.
  kAddressRestricted,  ///< Endpoint-independent mapping, address-dependent filtering.
  kPortRestricted,     ///< Endpoint-independent mapping, address- and port-dependent filtering.
  kSymmetric,          ///< Address- and port-dependent mapping: a random port for every destination.
  kUdpBlocked,         ///< TCP through a port-restricted NAT; no UDP at all.
};
/// "open", "full-cone", "address-restricted", "port-restricted", "symmetric", "udp-blocked".
[[nodiscard]] std::string_view to_string(NatKind kind);
[[nodiscard]] std::optional<NatKind> parse_nat(std::string_view text);

/// One way.
struct Path {
  Duration latency{}, jitter{};  ///< Each packet waits latency plus a uniform share of jitter; order is kept.
  double loss = 0;               ///< 0 to 1, of each packet on its way, independently.
};

struct Region {
  std::string name, country;
};

/// What connects a machine or a router to the wire.
struct Access {
  Duration latency{};                        ///< One way, added to the path's: the last mile.
  std::uint32_t up_kbit = 0, down_kbit = 0;  ///< 0: no limit.
  std::uint32_t queue_bytes = 512 << 10;     ///< Of each limited direction; what does not fit is dropped.
  std::uint32_t mtu = 1500;
  double loss = 0;              ///< Of each packet in either direction, besides the path's.
  std::optional<Ipv6> address;  ///< Public IPv4; chosen when absent.
};

struct Router {
  std::string name;
  std::size_t region = 0;
  NatKind nat = NatKind::kPortRestricted;
  bool carrier = false;                       ///< A carrier-grade NAT: routers stand behind it, not machines.
  std::optional<std::size_t> carrier_router;  ///< Index of the CGN this router stands behind: double NAT.
  Access access;                              ///< Without meaning behind a carrier, but for the MTU.
  bool port_mapping = false;                  ///< Answers UPnP, NAT-PMP and PCP (miniupnpd).
  std::string subnet;                         ///< "192.168.1": of its inner side, a /24.
  Duration mapping_timeout = std::chrono::seconds(120);  ///< Of idle UDP (RFC 4787, REQ-5).
};

struct Node {
  std::string name;
  std::size_t region = 0;
  std::optional<std::size_t> router;  ///< Absent: open.
  Access access;                      ///< Of an open node.
};

struct Topology {
  std::uint64_t seed = 1;
  std::vector<Region> regions;
  std::vector<Path> paths;  ///< regions x regions, row: from. Symmetric as files describe them.
  std::vector<Router> routers;
  std::vector<Node> nodes;

  [[nodiscard]] const Path& path(std::size_t from, std::size_t to) const { return paths[from * regions.size() + to]; }
  [[nodiscard]] NatKind nat_of(const Node& node) const {
    return node.router ? routers[*node.router].nat : NatKind::kOpen;
  }
  [[nodiscard]] std::optional<std::size_t> find_node(std::string_view name) const;
  [[nodiscard]] std::optional<std::size_t> find_router(std::string_view name) const;
};

/// kInvalid: every problem found, one a line, each "file:line: what".
[[nodiscard]] Result<Topology> parse_topology(std::string_view toml, std::string_view file_name);

}  // namespace bonus::net::topology
