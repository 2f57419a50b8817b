// The container's file system: overlay of its layers over a writable disk, in a mount namespace of the shim.
#pragma once

#include <string>
#include <vector>

#include "apps/bonus_shim/system.hpp"

namespace bonus::shim {

/// A mount namespace of our own: what we mount is seen by nobody else and goes away with the last process in it.
/// In a chroot whose root is no mount point, the root becomes one (`scratch` is an empty folder): pivot_root(2) needs
/// it.
[[nodiscard]] Maybe<> enter_mount_namespace(const std::string& scratch);
/// Attaches the ext4 image to a loop device that detaches itself after the unmount, and mounts it.
[[nodiscard]] Maybe<> mount_image(const std::string& image, const std::string& target);
/// lower: uppermost first. upper and work lie in `disk`.
[[nodiscard]] Maybe<> mount_overlay(const std::vector<std::string>& lower, const std::string& bundle,
                                    const std::string& disk, const std::string& target);

}  // namespace bonus::shim
