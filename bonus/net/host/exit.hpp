// The exit role: a way from the overlay to the Internet. Outside: a veth, forwarding and masquerading (IPv4 and IPv6)
// in a table of our own. Inside: the default route of forwarded traffic, which is given the veth's address, so that the
// outside learns nothing of overlay addresses. And the client's half: what leaves through which exit.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"

namespace bonus::net::host {

class Netlink;

struct ExitOptions {
  std::string id{};  ///< 1 to 8 of [0-9a-z]: the node's; names the table and the devices.
  Prefix pool{};     ///< IPv4 net of at least /30 to take a /30 from that nobody outside uses; unset: 10.187.0.0/16.
  bool ipv6 = true;
  std::vector<Prefix>
      allow_private{};  ///< Private destinations that may be reached all the same (the operator's wish).
  std::uint32_t mtu = 1500;
};

/// What exists after exit_up().
struct ExitLink {
  std::string device{};       ///< Inside the node's namespace: "bxi" + id.
  Ipv6 inside4{}, inside6{};  ///< Our end; inside6 is zero without IPv6.
  Ipv6 outside4{}, outside6{};
};

/// Name of the table outside: bonus_exit_<id>. kInvalid for an id that is not one.
[[nodiscard]] Result<std::string> exit_table(const std::string& id);
/// The outside half; runs in the helper (CAP_NET_ADMIN outside). `inside_namespace`: the node's. Idempotent: what is
/// left of the same id is removed first. Turns forwarding on for the veth and for the devices of the default routes of
/// that moment: per device for IPv4, and for IPv6 where the kernel can (6.17); before, for all devices, keeping router
/// advertisements where they were accepted. The networks on which the machine has an address are refused like private
/// ones.
[[nodiscard]] Result<ExitLink> make_exit_outside(const ExitOptions& options, int inside_namespace);
/// Removes table and devices; sysctls stay, as others may rely on them by now. No error when there is nothing.
[[nodiscard]] Result<> remove_exit_outside(const std::string& id);
/// The inside half, in the calling thread's namespace: device up, default routes through the other end in the main
/// table (metric 1024, below nothing: overlay routes are more specific). Source NAT is Policy's (PolicyState::exit).
[[nodiscard]] Result<> configure_exit_inside(Netlink& netlink, const ExitLink& link);

/// Client side: traffic from `sources` (container or client addresses, both families) to the Internet goes into
/// `device` (bonus0) by a table of its own, one per exit. Table numbers: kExitTables + slot.
inline constexpr std::uint32_t kExitTables = 0xb0500;
struct ExitRoute {
  std::uint32_t slot = 0;  ///< Below 4096; one per exit in use.
  std::string device = "bonus0";
  std::vector<Ipv6> sources{};
};
/// Makes exactly these routes and rules exist in the tables kExitTables..+4095; others of ours are removed.
[[nodiscard]] Result<> apply_exit_routes(Netlink& netlink, const std::vector<ExitRoute>& routes);

}  // namespace bonus::net::host
