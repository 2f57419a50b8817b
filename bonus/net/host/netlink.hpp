// Links, addresses, routes, rules and sysctls of one network namespace, by rtnetlink (rtnetlink(7)) through libnl.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "bonus/base/os.hpp"
#include "bonus/net/api/address.hpp"

struct nl_sock;

namespace bonus::net::host {

struct Link {
  int index = 0;
  std::string name{};
  std::string kind{};  ///< "veth", "tun", ...; empty for lo and hardware.
  std::uint32_t mtu = 0;
  bool up = false;
  int peer_index = 0;               ///< Of a veth: the other end's index in its own namespace.
  std::vector<std::uint8_t> mac{};  ///< 6 bytes on Ethernet links.
};

struct LinkAddress {
  int index = 0;
  Ipv6 address{};          ///< IPv4 in mapped form.
  std::uint8_t bits = 0;   ///< As Prefix counts them: 96 more for IPv4.
  std::uint8_t scope = 0;  ///< RT_SCOPE_*: 0 global, 253 link, 254 host.
};

/// Both families; IPv4 in mapped form, as Prefix says.
struct Route {
  Prefix destination{.address = {}, .bits = 0};
  bool ipv4 = false;             ///< Family of a default route (0.0.0.0/0 has no address to tell it by).
  std::string device{};          ///< Empty: none (blackhole) or found from `via`.
  std::optional<Ipv6> via{};     ///< Gateway; link-local ones need `device`.
  bool onlink = false;           ///< The gateway is on the device although no route says so.
  std::optional<Ipv6> source{};  ///< Preferred source address.
  std::uint32_t metric = 0;
  std::uint32_t table = 254;  ///< RT_TABLE_MAIN.
  std::uint32_t mtu = 0;      ///< Route MTU; 0: the device's.
  bool unreachable = false;   ///< Answers ICMP unreachable instead.
};

/// ip-rule(8): packets from `from` look into `table`.
struct Rule {
  Prefix from{};
  std::uint32_t table = 0;
  std::uint32_t priority = 0;
};

struct Veth {
  std::string name{};       ///< Stays in this namespace.
  std::string peer{};       ///< Made inside `peer_namespace`.
  int peer_namespace = -1;  ///< Descriptor; -1: this one.
  std::uint32_t mtu = 0;    ///< 0: the kernel's 1500. Both ends.
};

/// A socket to the kernel; belongs to the namespace it was opened in, whatever the thread's is later. Blocking, quick.
/// Not thread-safe. Names of devices: at most 15 bytes. Errors: kNotFound (no such device), kExists, kDenied, kIo.
class Netlink {
 public:
  [[nodiscard]] static Result<Netlink> open();
  [[nodiscard]] static Result<Netlink> open_in(int namespace_fd);
  Netlink(Netlink&&) noexcept;
  Netlink& operator=(Netlink&&) noexcept;
  ~Netlink();

  [[nodiscard]] Result<std::vector<Link>> links();
  [[nodiscard]] Result<Link> link(std::string_view name);
  [[nodiscard]] Result<> set_up(std::string_view name, bool up = true);
  [[nodiscard]] Result<> set_mtu(std::string_view name, std::uint32_t mtu);
  /// No link-local address when it comes up: it has the addresses that it is given.
  [[nodiscard]] Result<> no_link_local(std::string_view name);
  [[nodiscard]] Result<> rename(std::string_view name, std::string_view to);  ///< The link must be down.
  [[nodiscard]] Result<> move(std::string_view name, int namespace_fd);
  [[nodiscard]] Result<> remove(std::string_view name);  ///< Of a veth: both ends. kNotFound.
  [[nodiscard]] Result<> add_veth(const Veth& veth);

  /// Usable at once (no duplicate address detection). No error when it is there already.
  [[nodiscard]] Result<> add_address(std::string_view device, const Prefix& address);
  [[nodiscard]] Result<> remove_address(std::string_view device, const Prefix& address);
  [[nodiscard]] Result<std::vector<LinkAddress>> addresses();

  /// Adds or replaces the route with this destination, metric and table.
  [[nodiscard]] Result<> set_route(const Route& route);
  /// The first with this destination and table, and with the metric and device where they are given. kNotFound.
  [[nodiscard]] Result<> remove_route(const Route& route);
  /// Routes of a table, both families; 0: all tables.
  [[nodiscard]] Result<std::vector<Route>> routes(std::uint32_t table = 254);

  [[nodiscard]] Result<> add_rule(const Rule& rule);  ///< No error when it is there already.
  [[nodiscard]] Result<> remove_rule(const Rule& rule);
  [[nodiscard]] Result<std::vector<Rule>> rules();  ///< Those with a source; both families.

  /// A permanent neighbour: no discovery, and nobody on the link can claim the address.
  [[nodiscard]] Result<> set_neighbour(std::string_view device, const Ipv6& address, BytesView mac);

 private:
  struct Free {
    void operator()(nl_sock* socket) const;
  };
  explicit Netlink(nl_sock* socket);
  [[nodiscard]] Result<int> index(std::string_view name);
  std::unique_ptr<nl_sock, Free> socket_;
};

/// Writes /proc/sys/<path> as the calling thread's namespace sees it, for example "net/ipv6/conf/all/forwarding".
[[nodiscard]] Result<> set_sysctl(std::string_view path, std::string_view value);
[[nodiscard]] Result<std::string> sysctl(std::string_view path);

/// What a node's namespace needs before addresses are given: forwarding for containers, no router advertisements, no
/// duplicate address detection, no temporary or link-local privacy addresses. Calling thread's namespace.
[[nodiscard]] Result<> prepare_node_namespace();

/// The overlay device: MTU, address /128, up, and fd00::/8 routed into it with that source. `address` by the device
/// engineer's TUN, which exists already.
[[nodiscard]] Result<> configure_overlay_device(Netlink& netlink, std::string_view device, const Ipv6& address,
                                                std::uint32_t mtu);

}  // namespace bonus::net::host
