// How one node runs containers.
#pragma once

#include <string>

#include "bonus/base/time.hpp"
#include "bonus/compute/api/container_network.hpp"
#include "bonus/compute/vm/unpack.hpp"

namespace bonus::compute::vm {

struct VmOptions {
  std::string state_directory;  ///< One per bonusd; absolute; without ',', ':', '\\' and line ends (overlayfs options).
  std::string shim_path;        ///< Empty: "bonus-shim" beside the running program.
  std::string runtime_path = "runc";  ///< An OCI runtime command line; looked up in PATH.
  std::size_t max_containers = 256;
  std::uint64_t layer_cache_bytes = 20ULL << 30;  ///< Unused layers above this are removed, least recently used first.
  UnpackLimits unpack;
  Duration log_retention = std::chrono::hours(24);   ///< Of a stopped container's log.
  std::size_t log_file_bytes = 8 << 20;              ///< A log file begins anew above this ...
  unsigned log_files = 4;                            ///< ... and so many are kept.
  std::size_t log_rate_bytes = 4 << 20;              ///< Output per second a container may make; above it waits.
  Duration backoff_least = std::chrono::seconds(1);  ///< Before a restart; doubled each time ...
  Duration backoff_most = std::chrono::seconds(60);  ///< ... up to this, and reset after a run as long as this.
  Duration disk_poll = std::chrono::seconds(5);      ///< Only where disks cannot be made as loop devices.
  ContainerNetwork* network = nullptr;               ///< Null: containers have nothing but a loopback. Borrowed.
  bool use_loop_disks = true;                        ///< False: never loop devices, always the poll.
};

}  // namespace bonus::compute::vm
