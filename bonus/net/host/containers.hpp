// Joining containers' network namespaces to the node's: one veth pair each, a /128, a default route through the node.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::host {

struct ContainerLink {
  Ipv6 address{};                  ///< container_address() of the node's root key and the container's id.
  std::optional<Ipv6> address4{};  ///< For exits: its IPv4 /32, in mapped form.
  std::uint32_t mtu = 1280;        ///< The overlay device's.
};

/// Name of our end of its veth: "bc" and 13 base-32 digits of the address.
[[nodiscard]] std::string container_device(const Ipv6& address);

/// Makes "eth0" in the container's namespace and its other end in the calling thread's. Idempotent: an "eth0" left from
/// a former node's life is replaced; called again on a living one it only sets what differs. Blocking (a few netlink
/// calls). kNotFound when the namespace is gone.
[[nodiscard]] Result<> attach_container(int container_namespace, const ContainerLink& link);
/// Removes our end, and the container's with it. No error when there is none.
[[nodiscard]] Result<> detach_container(const Ipv6& address);

}  // namespace bonus::net::host
