// config.json of one container (OCI runtime-spec 1.0): everything that isolates it is decided here.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bonus/compute/api/containers.hpp"
#include "bonus/compute/vm/image_user.hpp"

namespace bonus::compute::vm {

/// What of an image's config is needed to run it.
struct ImageConfig {
  std::vector<std::string> entrypoint, cmd, env;
  std::string working_directory, user;
};
/// What this machine and process may grant; wishes are clamped to it.
struct MachineLimits {
  std::uint64_t open_files = 1024;  ///< Our own hard RLIMIT_NOFILE.
  int oom_score_adj = 0;            ///< Our own: without CAP_SYS_RESOURCE it cannot be lowered.
  bool limits_swap = false;
};
struct SpecInput {
  const Workload& workload;
  const ImageConfig& image;
  UserIds user;
  MachineLimits machine;
  std::string hostname;
  std::string bundle;       ///< Holds rootfs/, hosts, hostname, resolv.conf.
  std::string cgroup_path;  ///< "/bonus-1234/lease-7".
  std::string network;      ///< Path of the network namespace to join; empty: one of its own with nothing in it.
};

[[nodiscard]] MachineLimits read_machine_limits();
/// kInvalid: nothing to run (neither the workload nor the image names a program).
[[nodiscard]] Result<std::string> make_spec(const SpecInput& input);
/// process.json for `runc exec` in the container whose config.json is `spec`.
[[nodiscard]] Result<std::string> make_exec_process(const std::string& spec, const ExecRequest& request);

}  // namespace bonus::compute::vm
