// Opens a port at the home router: PCP (RFC 6887), NAT-PMP (RFC 6886), then UPnP-IGD; renews it and removes it at stop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "bonus/net/api/address.hpp"
#include "bonus/runtime/clock.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net::nat {

struct PortMapperOptions {
  bool pcp = true, nat_pmp = true, upnp = true;
  Ipv6 gateway;                                ///< Zero: the default route's. For tests.
  std::uint16_t pcp_port = 5351;               ///< Of the router. For tests.
  Duration lifetime = std::chrono::hours(1);   ///< Asked for; renewed at half of what is granted.
  Duration retry = std::chrono::minutes(5);    ///< After no router answered.
  Duration timeout = std::chrono::seconds(3);  ///< For each of the three protocols.
};

/// Maps one UDP port. The callback runs on the executor. Thread-safe.
class PortMapper {
 public:
  struct Mapping {
    UdpEndpoint external;
    std::string protocol;  ///< "pcp", "nat-pmp", "upnp".
  };
  /// Called whenever the external endpoint changes; without one when it was lost.
  using Changed = std::function<void(std::optional<Mapping> mapping)>;
  PortMapper(runtime::Executor executor, runtime::BlockingPool& pool, runtime::Random& random, std::uint16_t port,
             Changed changed, PortMapperOptions options = {});
  ~PortMapper();  ///< stop() without waiting.
  PortMapper(const PortMapper&) = delete;
  PortMapper& operator=(const PortMapper&) = delete;
  void start();
  /// Removes the mapping at the router (bounded by the options' timeout).
  [[nodiscard]] runtime::Task<> stop();

 private:
  struct State;
  std::shared_ptr<State> state_;  // shared with jobs on the pool
};

}  // namespace bonus::net::nat
