// Who a container's process is: the image's User ("", "name", "1000", "name:group", ...) looked up in the image's own
// files.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "bonus/base/result.hpp"

namespace bonus::compute::vm {

struct UserIds {
  std::uint32_t uid = 0, gid = 0;
  std::vector<std::uint32_t> additional_gids;
  std::string home = "/";
};
/// The file as the container will see it, from unpacked layers, uppermost first: respects whiteouts, follows no links.
/// Empty when it does not exist or is larger than `limit`.
[[nodiscard]] std::string read_from_layers(const std::vector<std::string>& layers, const std::string& folder,
                                           const std::string& name, std::size_t limit);
/// passwd and group are the contents of /etc/passwd and /etc/group. kInvalid: names a user or group that the image has
/// not.
[[nodiscard]] Result<UserIds> resolve_user(const std::string& user, const std::string& passwd,
                                           const std::string& group);

}  // namespace bonus::compute::vm
