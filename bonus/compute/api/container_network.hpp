// How containers are joined to a network; implemented by the node over net/host.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bonus/base/result.hpp"

namespace bonus::compute {

/// Thread-safe; calls block for a moment.
class ContainerNetwork {
 public:
  virtual ~ContainerNetwork() = default;
  /// Joins the network namespace `namespace_fd` (which stays the caller's) of the container, before its program starts
  /// or again for one that an earlier process left; `ports` (TCP) are opened to the overlay. `internet`: with a way to
  /// the Internet; kUnsupported where there is none, and the error of the exit. Safe to repeat.
  [[nodiscard]] virtual Result<> attach(const std::string& id, int namespace_fd,
                                        const std::vector<std::uint16_t>& ports, bool internet) = 0;
  /// Safe to repeat, and for ids that were never attached.
  virtual void detach(const std::string& id) = 0;
  /// The overlay address that the container has, whether attached or not; the same for ever.
  [[nodiscard]] virtual std::string address_of(const std::string& id) const = 0;
  /// The content of the container's /etc/resolv.conf.
  [[nodiscard]] virtual std::string resolver() const = 0;
};

}  // namespace bonus::compute
