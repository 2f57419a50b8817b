// Keeps a port open at the home router: PCP (RFC 6887), NAT-PMP (RFC 6886), then UPnP-IGD, and of IPv6 a pinhole in its
// firewall by PCP; renews it in time and removes it at stop.
#pragma once

#include <functional>
#include <memory>
#include <optional>

#include "bonus/net/nat/port_mapping.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::nat {

struct PortMapperOptions {
  bool pcp = true, nat_pmp = true, upnp = true;
  /// Keeps the router's IPv6 firewall open for the port instead (PCP); a node with both families has two mappers.
  bool ipv6 = false;
  Ipv6 gateway;  ///< Zero: the default route's.
  Ipv6 own;      ///< With `ipv6`: the address to open; zero: the one that this machine uses on the Internet.
  std::uint16_t pcp_port = 5351;
  Duration lifetime = std::chrono::hours(1);   ///< Asked for; renewed at half of what is granted.
  Duration retry = std::chrono::minutes(5);    ///< After no router answered; doubled up to an hour.
  Duration timeout = std::chrono::seconds(3);  ///< For each of the three protocols.
  /// Runs before any socket is made, on the pool's thread: to enter the machine's network namespace.
  std::function<Result<>()> enter;
  /// What does the work; for a node whose helper process stayed outside. Unset: open_port() and close_port().
  std::function<Result<PortMapping>(const MappingRequest&)> open;
  std::function<Result<>(const MappingRequest&, const PortMapping&)> close;
};

/// Maps one UDP port. Thread-safe.
class PortMapper {
 public:
  /// Called on the executor whenever the external endpoint changes; without one when it was lost.
  using Changed = std::function<void(std::optional<PortMapping> mapping)>;
  PortMapper(runtime::Executor executor, runtime::BlockingPool& pool, runtime::Random& random, std::uint16_t port,
             Changed changed, PortMapperOptions options = {});
  ~PortMapper();  ///< Stops without waiting and without removing the mapping.
  PortMapper(const PortMapper&) = delete;
  PortMapper& operator=(const PortMapper&) = delete;
  void start();
  /// Ends renewals and removes the mapping at the router; bounded by the options' timeout. Goes on when the
  /// mapper is destroyed meanwhile.
  [[nodiscard]] runtime::Task<> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with jobs on the pool
  runtime::BlockingPool& pool_;
  runtime::TaskGroup tasks_;
};

}  // namespace bonus::net::nat
