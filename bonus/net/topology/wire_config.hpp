// What the wire is told: attachments, addresses, paths. Written by the topology, read again on every change.
#pragma once

#include "bonus/net/topology/topology.hpp"

namespace bonus::net::topology {

inline constexpr std::size_t kMaxAttachments = kMaxNodes + kMaxRouters;

/// A TUN device in a namespace.
struct Attachment {
  std::string name;               ///< Unique; attachments of two configurations are the same when it is.
  std::string network_namespace;  ///< Of /run/netns.
  std::string device;
  std::size_t region = 0;
  Access access;
  std::vector<Ipv6> addresses;  ///< That it answers to; also the only sources it may use.
  bool udp_blocked = false, cut = false;
};

struct WireConfig {
  std::uint64_t seed = 1;
  std::uint64_t max_bytes = 256ull << 20;  ///< On the way at once; more is dropped.
  std::string capture;                     ///< pcap file of everything that is delivered; empty: none.
  std::size_t regions = 0;
  std::vector<Path> paths;  ///< regions x regions.
  std::vector<Attachment> attachments;

  [[nodiscard]] std::string to_json() const;
  [[nodiscard]] static Result<WireConfig> from_json(std::string_view text);
};

}  // namespace bonus::net::topology
