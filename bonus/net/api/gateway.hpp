// What the HTTP gateway must know of leases: where a name leads, and a connection to it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "bonus/base/bytes.hpp"
#include "bonus/runtime/stream.hpp"
#include "bonus/runtime/task.hpp"

namespace bonus::net {

enum class LeaseState : std::uint8_t {
  kStarting,  ///< Ordered or matched; the container does not answer yet.
  kRunning,
  kEnded,
};

/// A lease as the gateway sees it.
struct LeaseTarget {
  std::uint64_t lease = 0;
  std::string name;  ///< The user's name for it; may be empty.
  LeaseState state = LeaseState::kStarting;
  std::string reason;  ///< For a person, when it is not running: "pulling the image", "the deposit ran out".
  NodeId worker;       ///< Where it runs.
  std::uint16_t default_port = 80;  ///< Container port used when the address names none.
};

/// Thread-safe.
class LeaseResolver {
 public:
  virtual ~LeaseResolver() = default;
  /// `name` is the user's name or the decimal id. kNotFound when there is no such lease.
  [[nodiscard]] virtual runtime::Task<Result<LeaseTarget>> find(std::string name) = 0;
  /// A connection to a port of the lease's container, on the caller's executor. kUnavailable when nothing listens there
  /// or the worker cannot be reached, with the reason.
  [[nodiscard]] virtual runtime::Task<Result<std::unique_ptr<runtime::ByteStream>>> dial(LeaseTarget target,
                                                                                         std::uint16_t port) = 0;
};

}  // namespace bonus::net
